"""A daemon of ours with a configuration of its own, for programs that talk to it over loopback. Needs root."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemon:
    """Runs `binary -bd` with `config`, in which {dir}, {port} and what else is given are filled in."""

    def __init__(self, binary, config, **facts):
        self.binary = os.path.abspath(binary)
        self.dir = tempfile.mkdtemp(prefix="oxim.")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        os.mkdir(os.path.join(self.dir, "spool"))
        os.mkdir(os.path.join(self.dir, "spool/log"))
        os.mkdir(os.path.join(self.dir, "mail"))
        for name in ("spool", "spool/log", "mail"):
            os.chmod(os.path.join(self.dir, name), 0o777)
        self.config = os.path.join(self.dir, "config")
        text = config.format(dir=self.dir, port=self.port, **facts)
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.config, 0o644)
        self.process = subprocess.Popen(
            [self.binary, "-C", self.config, "-bdf", "-oX", f"127.0.0.1.{self.port}", "-oP", os.path.join(self.dir, "pid")]
        )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise SystemExit("the daemon does not answer")

    def run(self, *args, **more):
        return subprocess.run([self.binary, "-C", self.config, *args], check=False, **more)

    def messages(self):
        """How many messages are on the queue."""
        folder = os.path.join(self.dir, "spool/input")
        return sum(name.endswith("-H") for name in os.listdir(folder)) if os.path.isdir(folder) else 0

    def log(self, kind="main"):
        path = os.path.join(self.dir, f"spool/log/{kind}log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

"""A private Postfix: its own directory, queue and log, started and stopped by its own command. Needs root."""
import os
import pwd
import subprocess
import time

MASTER = """pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """`settings` is what main.cf has besides; `services` are further lines of master.cf (its servers)."""

    def __init__(self, directory, settings, services=""):
        self.dir = directory
        for name in ("etc", "data", "queue"):
            os.makedirs(f"{directory}/{name}")
        os.chown(directory + "/data", pwd.getpwnam("postfix").pw_uid, -1)
        self._write("etc/master.cf", services + MASTER)
        self._write("etc/dynamicmaps.cf", "")
        self.base = f"""compatibility_level = 3.6
alias_maps =
inet_protocols = ipv4
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/maillog
maillog_file_prefixes = {directory}
minimal_backoff_time = 4000s
{settings}"""
        self.running = False

    def _write(self, name, text):
        with open(f"{self.dir}/{name}", "w", encoding="utf-8") as f:
            f.write(text)

    def command(self, *args):
        return subprocess.run(["postfix", "-c", self.dir + "/etc", *args], capture_output=True, text=True, check=False)

    def start(self, more=""):
        """Begins, or goes on with other settings besides."""
        self._write("etc/main.cf", self.base + more)
        done = self.command("reload" if self.running else "start")
        assert done.returncode == 0, done.stdout + done.stderr + self.log()
        self.running = True
        time.sleep(1)

    def stop(self):
        self.command("stop")

    def log(self, ready=lambda text: True, seconds=10):
        """The log, when it is `ready`, or as it is after so long."""
        text, end = "", time.time() + seconds
        while True:
            if os.path.exists(self.dir + "/maillog"):
                with open(self.dir + "/maillog", encoding="utf-8", errors="replace") as f:
                    text = f.read()
            if ready(text) or time.time() > end:
                return text
            time.sleep(0.1)

    def send(self, sender, recipients, message, *args, seconds=10):
        """Hands over a message; what the log says until each recipient has a status."""
        before = len(self.log())
        subprocess.run(["sendmail", "-C", self.dir + "/etc", "-i", "-f", sender, *args, *recipients],
                       input=message if isinstance(message, bytes) else message.encode(), check=True)
        return self.log(lambda text: all(f"to=<{r}>" in text[before:] for r in recipients), seconds)[before:]

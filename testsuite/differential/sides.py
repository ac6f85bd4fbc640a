"""Ours and the reference side by side, for the commands of this directory and of interop/.

`enter()` runs the calling program again in mount, network, process and host name spaces of its own, where both programs may use
a configuration in the scratch directory, and where the users `mailer` (the Exim user) and `tester` exist. A `Side` is one
of the two with its own directory; `masked()` takes ids, times and process numbers out of a text.
Nothing of the machine is changed. Needs root.
"""
import argparse, difflib, hashlib, os, re, shutil, subprocess, sys, tempfile

HOST = "mail.test.ex"
USERS = """root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
Debian-exim:x:{uid}:{uid}::/var/spool/exim4:/bin/false
tester:x:1500:1500:Test Person,,,:{home}:/bin/sh
other:x:1501:1501:Other:/nonexistent:/bin/sh
"""


def arguments(doc, *extra):
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", required=True, help="our exim")
    p.add_argument("--reference", default="/usr/sbin/exim4", help="Debian's exim4 (default %(default)s)")
    p.add_argument("--keep", metavar="DIR", help="leave the scratch directory there")
    p.add_argument("--show", type=int, default=40, help="lines of a difference that are shown")
    for names, options in extra:
        p.add_argument(*names, **options)
    a = p.parse_args()
    a.binary, a.reference = os.path.abspath(a.binary), os.path.abspath(a.reference)
    return a


def enter():
    """Runs this program again in name spaces, or comes back when it is there. Gives the scratch directory."""
    if os.environ.get("SIDES_SCRATCH"):
        scratch = os.environ["SIDES_SCRATCH"]
        settle(scratch)
        return scratch
    if os.geteuid() != 0:
        sys.exit("needs root")
    scratch = tempfile.mkdtemp(prefix="sides.")
    os.chmod(scratch, 0o755)
    env = dict(os.environ, SIDES_SCRATCH=scratch)
    try:
        result = subprocess.run(["unshare", "-m", "-n", "-u", "-p", "-f", "--mount-proc", sys.executable, *sys.argv], env=env).returncode
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(result)


def settle(scratch):
    def run(*command):
        subprocess.run(command, check=True, capture_output=True)
    run("ip", "link", "set", "lo", "up")
    run("hostname", "mail.test.ex")
    os.makedirs(f"{scratch}/home", exist_ok=True)
    os.chown(f"{scratch}/home", 1500, 1500)
    uid = 9300
    files = {
        "passwd": USERS.format(uid=uid, home=f"{scratch}/home"),
        "group": f"root:x:0:\nnogroup:x:65534:\nDebian-exim:x:{uid}:\ntester:x:1500:\nother:x:1501:\nmail:x:8:\n",
        "hosts": f"127.0.0.1 localhost\n127.0.0.1 {HOST}\n",
        "resolv.conf": "nameserver 127.0.0.9\noptions timeout:1 attempts:1\n",
        "mailname": "test.ex\n",
    }
    os.makedirs(f"{scratch}/etc", exist_ok=True)
    for name, text in files.items():
        path = f"{scratch}/etc/{name}"
        with open(path, "w") as f:
            f.write(text)
        if os.path.exists(f"/etc/{name}"):
            run("mount", "--bind", path, f"/etc/{name}")
    if os.path.isdir("/etc/exim4"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "none", "/etc/exim4")
        with open("/etc/exim4/trusted_configs", "w") as f:
            f.write("".join(f"{scratch}/{n}/conf\n" for n in ("ours", "reference", "either")))


class Side:
    """One program with its directory. `conf`: the configuration; SIDE in it stands for the directory,
    EXIM for the program."""

    def __init__(self, name, binary, scratch, conf):
        self.name, self.dir = name, f"{scratch}/{name}"
        # Installed: it is run again by users, for the messages that deliveries make.
        self.binary = f"{scratch}/bin/{hashlib.sha1(binary.encode()).hexdigest()[:8]}/exim"
        if not os.path.exists(self.binary):
            os.makedirs(os.path.dirname(self.binary))
            shutil.copyfile(binary, self.binary)
            os.chmod(self.binary, 0o4755)
        self.configure(conf)

    def configure(self, conf):
        for d in ("", "/spool", "/spool/log", "/mail"):
            os.makedirs(self.dir + d, exist_ok=True)
        os.chmod(self.dir, 0o755)
        os.chmod(f"{self.dir}/mail", 0o1777)
        for d in ("spool", "spool/log"):
            os.chown(f"{self.dir}/{d}", 9300, 9300)
        self.conf = f"{self.dir}/conf"
        with open(self.conf, "w") as f:
            f.write(conf.replace("SIDE", self.dir).replace("EXIM", self.binary))
        os.chmod(self.conf, 0o644)

    def command(self, *args):
        return [self.binary, "-C", self.conf, *args]

    def run(self, *args, stdin=b"", uid=None, timeout=60):
        """Gives exit status, standard output and standard error."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        more = {"user": uid, "group": uid, "extra_groups": []} if uid else {}
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC", "HOME": "/", "LC_ALL": "C"}
        try:
            r = subprocess.run(self.command(*args), input=stdin, capture_output=True, timeout=timeout, env=env, cwd="/", **more)
        except subprocess.TimeoutExpired as e:
            return "timeout", e.stdout or b"", e.stderr or b""
        return r.returncode, r.stdout, r.stderr

    def log(self, which="main"):
        try:
            with open(f"{self.dir}/spool/log/{which}", "rb") as f:
                return f.read()
        except FileNotFoundError:
            return b""

    def wipe(self):
        """An empty spool and empty mailboxes."""
        for d in ("spool", "mail"):
            shutil.rmtree(f"{self.dir}/{d}", ignore_errors=True)
        with open(self.conf) as f:
            text = f.read()
        self.configure(text)

    def mailboxes(self):
        found = {}
        for root, _, files in os.walk(f"{self.dir}/mail"):
            for f in files:
                path = os.path.join(root, f)
                with open(path, "rb") as h:
                    found[os.path.relpath(path, f"{self.dir}/mail")] = h.read()
        return found


LONG = rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}"
SHORT = rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}"


def masked(text, *sides):
    """The text without what is never the same twice."""
    for s in sides:
        text = text.replace(s.dir.encode(), b"SIDE").replace(s.binary.encode(), b"EXIM")
    text = re.sub(rb"(?<![0-9A-Za-z-])(E?)(?:" + LONG + rb"|" + SHORT + rb")(?![0-9A-Za-z])", rb"\1ID", text)
    text = re.sub(rb"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [ 0-9]\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", b"DATE", text)
    text = re.sub(rb"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} [ 0-9]\d \d\d:\d\d:\d\d \d{4}", b"DATE", text)
    text = re.sub(rb"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", b"TIME", text)
    text = re.sub(rb"\d+-eximdsn-\d+", b"BOUNDARY", text)
    text = re.sub(rb"\bpid[= ]\d+", b"pid", text)
    text = re.sub(rb"\bExim (?:version )?4\.\d+", b"Exim V", text)
    return text


class Tally:
    """Counts and prints comparisons."""

    def __init__(self, show):
        self.good = self.bad = 0
        self.show = show

    def check(self, name, good, detail=""):
        self.good += bool(good)
        self.bad += not good
        if not good:
            print(f"FAIL {name}{': ' if detail else ''}{detail}", flush=True)
        return good

    def same(self, name, reference, ours):
        if isinstance(reference, bytes):
            reference, ours = reference.decode("utf-8", "backslashreplace"), ours.decode("utf-8", "backslashreplace")
        if reference == ours:
            self.good += 1
            return True
        self.bad += 1
        lines = list(difflib.unified_diff(str(reference).splitlines(), str(ours).splitlines(), "reference", "ours", lineterm="", n=2))
        print(f"FAIL {name}", flush=True)
        for l in lines[2 : 2 + self.show]:
            print("    " + l)
        return False

    def end(self, args, scratch):
        if args.keep:
            shutil.copytree(scratch, args.keep, dirs_exist_ok=True, symlinks=True)
        print(f"{self.good} the same or right, {self.bad} not")
        sys.exit(1 if self.bad else 0)

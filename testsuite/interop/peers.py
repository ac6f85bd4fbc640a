"""What the interop programs share: servers of their own, started and ended by process id, and the list of results."""
import atexit, os, shutil, signal, socket, subprocess, sys, tempfile, time

bad = []


def arguments(doc):
    """The binary under test; `--help` tells the program's text."""
    if "--help" in sys.argv:
        print(doc.strip())
        sys.exit(0)
    return os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/debug/exim")


def directory(prefix):
    """A directory that goes when the program ends."""
    top = tempfile.mkdtemp(prefix=prefix)
    os.chmod(top, 0o755)
    atexit.register(shutil.rmtree, top, True)
    return top


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(argv, ready=None, seconds=60, **more):
    """Runs a server until the end of the program; waits until it takes connections at a path or port."""
    log = tempfile.NamedTemporaryFile("wb", delete=False, prefix="oxim-peer-")
    child = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, **more)

    def end():
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        if os.path.exists(log.name):
            os.unlink(log.name)

    child.end = end
    atexit.register(end)
    limit = time.time() + seconds
    while ready is not None and time.time() < limit:
        if child.poll() is not None:
            break
        try:
            with socket.socket(socket.AF_UNIX if isinstance(ready, str) else socket.AF_INET) as s:
                s.connect(ready if isinstance(ready, str) else ("127.0.0.1", ready))
            return child
        except OSError:
            time.sleep(0.1)
    if ready is not None:
        print(f"{argv[0]} did not start:\n{open(log.name, errors='replace').read()[-2000:]}")
        bad.append(argv[0])
        return None
    return child


def check(name, good, shown=""):
    print(f"{'ok  ' if good else 'FAIL'} {name:46} {str(shown)[:90]!r}" if shown != "" else f"{'ok  ' if good else 'FAIL'} {name}")
    if not good:
        bad.append(name)
    sys.stdout.flush()


def wanted(*programs):
    """Are they installed? Says which are not."""
    missing = [p for p in programs if not (shutil.which(p) or os.path.exists(p))]
    for p in missing:
        print(f"left out: {p} is not installed")
    return not missing


def finish():
    print(f"{len(bad)} not as they should be: {', '.join(bad)}" if bad else "all as it should be")
    sys.exit(1 if bad else 0)

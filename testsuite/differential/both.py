"""Runs the two binaries with the same input, and collects what differs."""
import os, re, shlex, subprocess, sys

from known import KNOWN

ENV = {'USER': 'caller', 'PATH': '/usr/bin:/bin', 'TZ': 'UTC'}
# What differs from one run to the next.
MASKS = [(re.compile(rb'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( \[\d+\])? '), b'TIME '),
         (re.compile(rb'prvs=\d\d{3}[0-9a-f]{6}='), b'prvs=KDDDHHHHHH='),
         (re.compile(rb'SRS0=\S{4}=\S\S='), b'SRS0=HHHH=TT='),
         (re.compile(rb'1[0-9A-Za-z]{5}-[0-9A-Za-z]{6}(?:[0-9A-Za-z]{5})?-[0-9A-Za-z]{2}(?:[0-9A-Za-z]{2})?'), b'MSGID'),
         (re.compile(rb'\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d'), b'DATE')]


class Both:
    def __init__(self, ours, theirs, scratch, show):
        self.binaries = (ours, theirs)
        self.dir = scratch
        self.show = show
        self.bad = self.total = self.known = 0

    def write(self, name, text, mode=0o644):
        """A file for both; DIR in it is the scratch directory."""
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write((text if isinstance(text, bytes) else text.encode()).replace(b'DIR', self.dir.encode()))
        os.chmod(path, mode)
        return path

    def call(self, binary, args, stdin, quiet=False):
        try:
            done = subprocess.run(shlex.split(binary) + args, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if quiet else subprocess.STDOUT,
                                  env=ENV, cwd=self.dir, timeout=600)
        except subprocess.TimeoutExpired:
            return b'TIMEOUT'
        out = done.stdout
        for pattern, instead in MASKS:
            out = pattern.sub(instead, out)
        if b'could not open panic log' in out:
            # What it wanted to log stands there several times, then.
            out = b'\n'.join(l for l in dict.fromkeys(out.split(b'\n')) if b'open panic log' not in l and b'Cannot open main log' not in l)
        return out if done.returncode >= 0 else out + b'KILLED BY SIGNAL %d' % -done.returncode

    def judge(self, part, what, ours, theirs):
        self.total += 1
        if ours == theirs:
            return
        for where, pattern, _, *mask in KNOWN:
            if part in where.split() and any(re.search(pattern, x) for x in (what, theirs, ours)) and b'KILLED' not in ours:
                if mask and re.sub(mask[0], b'', ours) != re.sub(mask[0], b'', theirs):
                    continue
                self.known += 1
                return
        self.bad += 1
        if self.bad <= self.show:
            indent = lambda t: b''.join(b'      ' + l + b'\n' for l in t.splitlines()) or b'      (nothing)\n'
            sys.stdout.buffer.write(b'%s: %s\n   reference:\n%s   ours:\n%s' % (part.encode(), what, indent(theirs), indent(ours)))
            sys.stdout.buffer.flush()

    def run(self, part, args, stdin=b'', label=None):
        """One run of each with these arguments."""
        ours, theirs = (self.call(b, args, stdin) for b in self.binaries)
        self.judge(part, label or ' '.join(args).encode(), ours, theirs)

    def lines(self, part, args, lines):
        """Many lines for one process (-be): a crash costs only the line that caused it."""
        answers = [self.answers(b, args, lines) for b in self.binaries]
        for line, ours, theirs in zip(lines, *answers):
            self.judge(part, line, ours, theirs)

    def answers(self, binary, args, lines):
        out = []
        while len(out) < len(lines):
            part = lines[len(out):]
            text = b''.join(b'@@%d@@\n%s\n' % (i, l) for i, l in enumerate(part)) + b'@@%d@@\n' % len(part)
            # What is logged meanwhile comes at another time.
            data = self.call(binary, args, text, quiet=True)
            at, got = 0, []
            for i in range(len(part)):
                begin, end = b'> @@%d@@\n' % i, b'> @@%d@@\n' % (i + 1)
                a = data.find(begin, at)
                if a < 0:
                    break
                b = data.find(end, a)
                if b < 0:
                    got.append(data[a + len(begin):] + b'KILLED')
                    break
                got.append(data[a + len(begin) + 2:b].rstrip(b'\n'))
                at = b
            out += got or [b'KILLED before an answer: ' + data[-200:]]
        return out

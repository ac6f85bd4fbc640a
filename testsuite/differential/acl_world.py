"""The world that acl.py's sessions see: a name server, mail servers for callouts, two spool directories, and how outputs of
two versions are made comparable."""
import os
import re
import socket
import subprocess
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset

dns.rdataset.random.shuffle = lambda _: None  # both sides are to get the records in the same order

# name -> records; a name whose records are "AGAIN" is not answered in time.
ZONE = {
    "one.test": ["A 10.0.0.1", "MX 10 mx.one.test.", "TXT \"v=spf1 -all\""],
    "mx.one.test": ["A 127.0.0.11"],
    "no.test": ["MX 10 mx.no.test."],
    "mx.no.test": ["A 127.0.0.12"],
    "slow.test": "AGAIN",
    "host.test": ["A 10.0.0.1"],
    "two.test": ["A 10.0.0.2"],
    "nomail.test": ["TXT \"nothing\""],
    "nullmx.test": ["MX 0 ."],
    "1.0.0.10.in-addr.arpa": ["PTR host.test."],
    "2.0.0.10.in-addr.arpa": ["PTR wrong.test."],
    "wrong.test": ["A 10.9.9.9"],
    "3.0.0.10.in-addr.arpa": "AGAIN",
    "1.0.0.10.list.test": ["A 127.0.0.2", "TXT \"listed for a reason\""],
    "2.0.0.10.list.test": ["A 127.0.0.2", "A 127.0.0.3", "TXT \"twice\""],
    "5.0.0.10.list.test": ["A 10.1.1.1"],
    "one.test.list.test": ["A 127.0.0.4", "TXT \"a domain\""],
    "1.0.0.10.slow.list": "AGAIN",
    "1.0.0.10.other.test": ["A 127.0.0.7", "TXT \"other\""],
    "_client._smtp.csa.test": ["SRV 1 2 0 host.test."],
    "_client._smtp.csano.test": ["SRV 1 1 0 host.test."],
}


class Names(threading.Thread):
    """A name server for ZONE on 127.0.0.1."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))

    def run(self):
        while True:
            data, peer = self.socket.recvfrom(4096)
            try:
                reply = self.answer(dns.message.from_wire(data))
            except Exception:  # whatever a query was, the next one is answered
                continue
            self.socket.sendto(reply.to_wire(max_size=4096), peer)

    @staticmethod
    def answer(query):
        reply = dns.message.make_response(query)
        question = query.question[0]
        name = str(question.name).rstrip(".").lower()
        records = ZONE.get(name)
        if records == "AGAIN":
            reply.set_rcode(dns.rcode.SERVFAIL)
            return reply
        if records is None:
            under = any(n.endswith("." + name) for n in ZONE)
            reply.set_rcode(dns.rcode.NOERROR if under else dns.rcode.NXDOMAIN)
            return reply
        kind = dns.rdatatype.to_text(question.rdtype)
        wanted = [r.split(" ", 1)[1] for r in records if r.split(" ", 1)[0] == kind]
        if wanted:
            reply.answer.append(dns.rrset.from_text(question.name, 300, dns.rdataclass.IN, question.rdtype, *wanted))
        return reply


class Server(threading.Thread):
    """A mail server: what it says depends on the local part."""

    def __init__(self, address, refuses):
        super().__init__(daemon=True)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 25))
        self.socket.listen(50)
        self.refuses = refuses

    def run(self):
        while True:
            peer, _ = self.socket.accept()
            threading.Thread(target=self.session, args=(peer,), daemon=True).start()

    def session(self, peer):
        with peer, peer.makefile("rwb") as f:
            def say(text):
                f.write(text.encode() + b"\r\n")
                f.flush()
            say("220 server")
            for line in f:
                word = line[:4].upper()
                if word in (b"EHLO", b"HELO"):
                    say("250-server\r\n250-PIPELINING\r\n250 SIZE" if word == b"EHLO" else "250 server")
                elif word == b"MAIL":
                    say("550 no null sender" if self.refuses and b"<>" in line else "250 ok")
                elif word == b"RCPT":
                    local = line.split(b"<")[1].split(b"@")[0].decode("latin-1").lower()
                    if local.startswith("bad"):
                        say("550-no such\r\n550 user")
                    elif local.startswith("later"):
                        say("451 try later")
                    elif local.startswith("good") or local == "postmaster" or "-testing" in local and self.refuses:
                        say("250 fine")
                    else:
                        say("550 unknown")
                elif word == b"QUIT":
                    say("221 bye")
                    return
                else:
                    say("250 ok")


def by_pipe(argv, text):
    """Status, output and errors of a program that is told everything at once."""
    done = subprocess.run(argv, input=text, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def by_socket(argv, pieces):
    """The same of one that has a client as inetd gives it: each piece is sent when it has answered the one before, and says no more."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        ours, _ = listener.accept()
        with ours:
            program = subprocess.Popen(argv, stdin=ours, stdout=ours, stderr=subprocess.PIPE)
        said = answers(client)
        try:
            for piece in pieces:
                client.sendall(piece)
                said += answers(client)
            client.shutdown(socket.SHUT_WR)
            client.settimeout(30)
            while more := client.recv(65536):
                said += more
        except OSError:
            said += b"[connection broken]\n"
        _, err = program.communicate(timeout=60)
        return program.returncode, said, err


def answers(client):
    """What comes until a whole answer is there and nothing follows it."""
    text = b""
    while True:
        client.settimeout(0.25 if re.search(rb"(?m)^\d{3}( .*)?\r?\n\Z", text) else 3)
        try:
            more = client.recv(65536)
        except TimeoutError:
            return text
        if not more:
            return text
        text += more


class World:
    """Set up once; `run` gives the output of one session."""

    def __init__(self, directory):
        self.dir = directory

    def __enter__(self):
        os.chmod(self.dir, 0o755)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "addr", "add", "10.0.0.9/24", "dev", "lo"], check=True)
        for name, text in (("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"), ("hosts", "127.0.0.1 localhost\n")):
            path = os.path.join(self.dir, name)
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            subprocess.run(["mount", "--bind", path, "/etc/" + name], check=True)
        Names().start()
        Server("127.0.0.11", False).start()
        Server("127.0.0.12", True).start()
        return self

    def __exit__(self, *_):
        for name in ("resolv.conf", "hosts"):
            subprocess.run(["umount", "/etc/" + name], check=False)

    def run(self, binary, name, case):
        place = os.path.join(self.dir, name)
        subprocess.run(["rm", "-rf", place], check=True)
        os.makedirs(place + "/spool/log")
        for path in (place, place + "/spool", place + "/spool/log"):
            os.chmod(path, 0o777)
        conf = place + "/conf"
        with open(conf, "w", encoding="utf-8") as f:
            f.write(case.config.replace("PLACE", place))
        argv = [binary, "-C", conf, *case.args]
        try:
            status, out, err = by_socket(argv, case.said) if case.said else by_pipe(argv, case.input)
        except subprocess.TimeoutExpired:
            return "no end within a minute"
        text = f"[status {status}]\n{out.decode('latin-1')}\n[stderr]\n{err.decode('latin-1')}"
        if "-bh" not in case.args and "-bhc" not in case.args:
            for log in ("mainlog", "rejectlog", "paniclog"):
                path = f"{place}/spool/log/{log}"
                if os.path.exists(path):
                    with open(path, encoding="latin-1") as f:
                        text += f"[{log}]\n{f.read()}"
            for root, _, files in sorted(os.walk(place + "/spool/input")):
                for file in sorted(files):
                    if file.endswith("-H"):
                        with open(os.path.join(root, file), encoding="latin-1") as f:
                            text += f"[-H]\n{f.read()}"
        return comparable(text, place)


# What is of the version, of the moment or of the place.
PLAIN = [
    (r"\r", ""),
    (r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", "DATE"),
    (r"\w\w\w, +\d+ \w\w\w \d{4} \d\d:\d\d:\d\d [+-]\d{4}( \(\w+\))?", "DATE"),
    (r"\bE?[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}\b", "ID"),
    (r"(?m)^(>>> )?\s*\d+ (LOG: )", r"\1\2"),
    (r"Exim 4\.\d+(\.\d+)?[-_.\w]*( \d+)?( #\d+)?", "Exim"),
    (r"\bpid=\d+|process \d+|\[\d+\]", "PID"),
    (r"(?m)^(LOG: )?\d+ ", r"\1"),
    (r"time on queue = \d+s|QT=\S+|RT=\S+|D=\S+s", ""),
    (r"S=\d+", "S=n"),
    (r"\(tod\) \d+|\b1[67]\d{8}\b", "TIME"),
    (r"[0-9a-f]{32}", "HASH"),
    (r'(?m)^(>>> .*)ACL "(.*)"', r"\1ACL \2"),
    # Debian's user of the reference, and what it says of -C when it submits a bounce as that user. Header lines with an id in them
    # (4.99's are longer) or a user's name have other lengths.
    (r"(?m)^DATE exim user lost privilege for using -C option\n", ""),
    (r"(?m)^\[paniclog\]\n(?=\[|\Z)", ""),
    (r"\bDebian-exim\b", "exim"),
    (r"(?m)^exim \d+ \d+$", "exim n n"),
    (r"(?m)^DATE ID ID no recipients", "DATE ID no recipients"),
    (r"(?m)^\d{3}([A-Z* ] )", r"nnn\1"),
    # 4.99 tells more of lists, and indents more.
    (r"(?m)^250-LIMITS .*\n", ""),
    (r"(?m)^>>> (\xe2\x95\x8e| )+", ">>> "),
    (r'(?m)^>>> processing ACL \S+ "', r'>>> processing "'),
    (r"(?m)^>>> (start|end) sublist .*\n", ""),
    (r"(?m)^>>> cached (lookup data|no match|yes match).*\n", ""),
    (r"(?m)^>>> .* in \S+\? (no|yes) .*\n", ""),
    (r"(?m)^>>> data from lookup saved for cache .*\n", ""),
    (r"(?m)^>>> (.* )?in .*\?\n", ""),
    (r"(?m)^>>> (= |expanded list: )", ">>> = "),
    (r'(?m)^>>> \S+ in "[^"]*"\? (no|yes) .*\n', ""),
    (r"(?m)^>>> list element: .*\n", ""),
    (r"(?m)^>>> check dnssec \w+ list\n", ""),
    (r"(?m)^>>> .* not in empty list .*\n", ""),
    (r"(?m)^>>> .* in \S+\? no \(option unset\)\n", ""),
    # Other words of 4.99, and of the library that the reference was built with.
    (r"get(\[host\|ipnode\]byname|hostbyname2).* looked up", "getbyname looked up"),
    (r"(?m)^(>>> )?\s*IP address lookup (using gethostbyaddr\(\)|failed: h_errno=\d)\n", ""),
    (r"authenticator failed for H=", "authenticator failed for "),
    (r"Warning: ACL ['\"]warn['\"] statement skipped( \(in .*?\))?:", "Warning: statement skipped:"),
    (r"ID ACL for (\S+) returned ERROR", r"ACL for \1 returned ERROR"),
    (r"(?m)^>>> Connecting to .* \.\.\.\n", ""),
    (r"(?m)^>>> interface=.* port=\d+.*\n", ""),
    (r"(?m)^--(host_address|interface_address|active_hostname|received_protocol)", r"-\1"),
    (r"(?m)^-received_time_(usec|complete) .*\n", ""),
    (r"(?m)^-tls_resumption .*\n", ""),
    (r"(?m)^>>> ACL is NULL: implicit DENY\n", ""),
    (r"ATRN command used when not advertised", "unrecognized command"),
]


def comparable(text, place):
    text = text.replace(place, "PLACE")
    for pattern, by in PLAIN:
        text = re.sub(pattern, by, text)
    return text

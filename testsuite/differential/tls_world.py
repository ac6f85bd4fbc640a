"""What both programs of the command `tls` meet: a name server that says AD for some names, mail servers and clients that do
TLS as they are told, and how what they log is made comparable.

The library of TLS differs (OpenSSL here, GnuTLS in Debian's reference): its own texts, names of ciphers and the order of
its events are taken out; what remains is the program's.
"""
import os, re, signal, socket, ssl, subprocess, threading, time

import dns.flags, dns.message, dns.rcode, dns.rdatatype, dns.rrset

from sides import masked

SERVER_PORT, DAEMON_PORT = 2525, 2626
# Below `sec`, answers are secured by DNSSEC; below `broken` there are none.
ZONE = {
    ("mx.tls.ex", "A"): ["127.0.0.1"], ("ec.tls.ex", "A"): ["127.0.0.1"], ("client.tls.ex", "A"): ["127.0.0.1"],
    ("two.tls.ex", "A"): ["127.0.0.2"], ("plain.ex", "MX"): ["10 mx.tls.ex."],
    ("1.0.0.127.in-addr.arpa", "PTR"): ["peer.tls.ex."], ("peer.tls.ex", "A"): ["127.0.0.1"],
}


def add_zone(ca):
    """Domains for DANE: NAME.sec has an MX record, which leads to mx.NAME.sec, and that a TLSA record."""
    right, issuer = (open(f"{ca}/{n}.tlsa").read().strip() for n in ("mx", "ca"))
    wrong = "3 1 1 " + "07" * 32
    for name, records in {"ee": [right], "ta": [issuer], "wrong": [wrong], "both": [wrong, right], "none": None, "pkix": ["1" + right[1:]],
                          "short": ["3 1 1 0707"], "mixed": [right, issuer], "odd": [wrong, "3 1 9 " + "07" * 32]}.items():
        for domain in (f"{name}.sec", f"{name}.insec"):
            ZONE[domain, "MX"] = [f"10 mx.{domain}."]
            ZONE[f"mx.{domain}", "A"] = ["127.0.0.1"]
            if records:
                ZONE[f"_{SERVER_PORT}._tcp.mx.{domain}", "TLSA"] = records
    ZONE["again.sec", "MX"] = ["10 mx.again.sec."]
    ZONE["mx.again.sec", "A"] = ["127.0.0.1"]
    ZONE["sub.sec", "MX"] = ["10 mx.ee.insec."]


class Names(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.9", 53))

    def run(self):
        while True:
            data, peer = self.socket.recvfrom(4096)
            query = dns.message.from_wire(data)
            reply = dns.message.make_response(query)
            reply.flags |= dns.flags.RA
            q = query.question[0]
            name, kind = q.name.to_text().lower().rstrip("."), dns.rdatatype.to_text(q.rdtype)
            if name.endswith(".sec") or name == "sec":
                reply.flags |= dns.flags.AD
            if name.startswith("_") and ".again." in name:
                reply.set_rcode(dns.rcode.SERVFAIL)
            elif records := ZONE.get((name, kind)):
                reply.answer.append(dns.rrset.from_text(q.name, 60, "IN", kind, *records))
            elif not any(n == name or n.endswith("." + name) for n, _ in ZONE):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            self.socket.sendto(reply.to_wire(), peer)


class Server(threading.Thread):
    """A mail server. `plans`: what it does on the first connection, the second, ...; the last stands for all further ones. A
    plan is a dictionary: ehlo (lines in clear), inner (lines within TLS), starttls (its answer), then ("garbage", "close"
    or "alert" in place of the handshake), cert, alpn, versions, ciphers, ask (for a certificate), direct (TLS at once),
    dh (a file of parameters), rcpt, mail."""

    def __init__(self, ca, address="127.0.0.1", port=SERVER_PORT):
        super().__init__(daemon=True)
        self.ca, self.plans, self.seen = ca, [{}], []
        self.socket = socket.create_server((address, port))
        self.contexts = {}

    def run(self):
        while True:
            c, _ = self.socket.accept()
            c.settimeout(20)
            plan = self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]
            self.seen.append("[connection]")
            try:
                self.talk(c, plan)
            except (OSError, EOFError):
                self.seen.append("[end]")
            c.close()

    def context(self, plan):
        key = repr(plan)
        if key not in self.contexts:
            c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            cert = plan.get("cert", "mx")
            c.load_cert_chain(f"{self.ca}/{cert}.pem", f"{self.ca}/{cert}.key")
            if plan.get("alpn"):
                c.set_alpn_protocols(plan["alpn"])
            if plan.get("versions"):
                c.maximum_version = getattr(ssl.TLSVersion, plan["versions"])
            if plan.get("ciphers"):
                c.set_ciphers(plan["ciphers"])
            if plan.get("dh"):
                c.load_dh_params(f"{self.ca}/{plan['dh']}")
            if plan.get("ask"):
                c.verify_mode = ssl.CERT_OPTIONAL if plan["ask"] == "optional" else ssl.CERT_REQUIRED
                c.load_verify_locations(f"{self.ca}/ca.pem")
            c.sni_callback = lambda _, name, __: self.seen.append(f"[SNI {name}]") if name else None
            self.contexts[key] = c
        return self.contexts[key]

    def secure(self, c, plan):
        then = plan.get("then")
        if then:
            c.recv(5)
            if then != "close":
                c.sendall(b"this is no handshake\r\n" if then == "garbage" else b"\x15\x03\x03\x00\x02\x02\x28")
                while c.recv(4096):
                    pass
            raise EOFError
        t = self.context(plan).wrap_socket(c, server_side=True)
        subject = dict(x[0] for x in (t.getpeercert() or {}).get("subject", [])).get("commonName")
        self.seen.append(f"[{t.version()} alpn={t.selected_alpn_protocol()} client={subject} resumed={t.session_reused}]")
        return t

    def talk(self, c, plan):
        secure = bool(plan.get("direct"))
        c = self.secure(c, plan) if secure else c
        f = c.makefile("rwb")

        def say(*lines):
            for i, l in enumerate(lines):
                f.write(f"{l[:3]}{'-' if i < len(lines) - 1 else ' '}{l[4:]}\r\n".encode())
            f.flush()

        say("220 peer ESMTP")
        while line := f.readline():
            word, text = line[:4].upper(), line.decode("utf-8", "replace").strip()
            self.seen.append("> " + text)
            if word == b"EHLO":
                say("250 peer", *plan.get("inner", ()) if secure else plan.get("ehlo", ["250 STARTTLS"]), "250 HELP")
            elif word == b"STAR":
                answer = plan.get("starttls", "220 go")
                say(*answer.split("\n"))
                if answer.startswith("2"):
                    f.close()
                    c, secure = self.secure(c, plan), True
                    f = c.makefile("rwb")
            elif word == b"DATA":
                say("354 go")
                while (line := f.readline()) not in (b".\r\n", b""):
                    if line.startswith(b"X-"):
                        self.seen.append("| " + line.decode().strip())
                say("250 taken")
            elif word == b"QUIT":
                say("221 bye")
                break
            else:
                say({b"MAIL": plan.get("mail"), b"RCPT": plan.get("rcpt")}.get(word) or "250 fine")
        self.seen.append("[closed]" if line else "[closed by client]")


class Client:
    """Goes through a list of steps with a server: text is a command; `!tls` and `!name=value ...` is a handshake, `!pause`, `!close`."""

    def __init__(self, ca, port, memory):
        self.ca, self.port, self.seen, self.memory = ca, port, [], memory

    def run(self, steps):
        try:
            s = socket.create_connection(("127.0.0.1", self.port), timeout=8)
        except ConnectionRefusedError:
            self.seen.append("[refused]")
            return
        try:
            self.connection = s
            if not steps or not steps[0].startswith("!tls"):
                self.reply()
            for step in steps:
                self.step(step)
        except (OSError, EOFError):
            self.seen.append("[closed]")
        if "context" in self.memory and isinstance(self.connection, ssl.SSLSocket):
            self.memory["session"] = self.connection.session or self.memory.get("session")
        self.connection.close()

    def step(self, step):
        if step.startswith("!tls"):
            self.seen.append(step)
            self.handshake(dict(w.split("=", 1) for w in step.split()[1:]))
        elif step == "!reply":
            self.reply()
        elif step == "!close":
            raise EOFError
        else:
            self.seen.append("> " + step)
            self.connection.sendall(step.replace("\\n", "\r\n").encode() + b"\r\n")
            self.reply()

    def handshake(self, o):
        c = ssl._create_unverified_context()
        if o.get("keep"):
            # Sessions are taken up in the context that they were made in.
            c = self.memory.setdefault("context", c)
        if o.get("cert"):
            c.load_cert_chain(f"{self.ca}/{o['cert']}.pem", f"{self.ca}/{o['cert']}.key")
        if o.get("alpn"):
            c.set_alpn_protocols(o["alpn"].split(","))
        if o.get("version"):
            c.maximum_version = c.minimum_version = getattr(ssl.TLSVersion, o["version"])
        if o.get("ciphers"):
            c.set_ciphers(o["ciphers"])
        t = c.wrap_socket(self.connection, server_hostname=o.get("sni"), session=self.memory.get("session") if "keep" in o else None)
        self.connection = t
        der = t.getpeercert(True)
        subject = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"], input=der, capture_output=True).stdout
        subject = subject.decode().strip().rpartition("CN = ")[2]
        self.seen.append(f"[{t.version()} {subject} alpn={t.selected_alpn_protocol()} resumed={t.session_reused}]")
        if o.get("direct"):
            self.reply()

    def reply(self):
        text = b""
        while not re.search(rb"(?m)^\d{3} .*\r?\n\Z|^\d{3}\r\n\Z", text):
            more = self.connection.recv(4096)
            if not more:
                raise EOFError
            text += more
        self.seen += ["< " + l for l in text.decode("utf-8", "replace").splitlines()]


class Daemon:
    """The program's daemon, as long as the block lasts."""

    def __init__(self, side, *args):
        self.side = side
        self.p = subprocess.Popen(side.command("-bdf", "-oX", f"<; [127.0.0.1]:{DAEMON_PORT}", "-oP", side.dir + "/pid", *args),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        for _ in range(200):
            if b"listening for" in self.side.log() or self.p.poll() is not None:
                return self
            time.sleep(0.02)
        return self

    def quiet(self):
        """Waits for what is logged last: until the daemon has no connection open, and nothing has been logged for a while."""
        size, still = None, 0
        for _ in range(200):
            time.sleep(0.05)
            log = len(self.side.log())
            still = still + 1 if log == size and not self.connections() else 0
            size = log
            if still >= 8:
                return

    @staticmethod
    def connections():
        """Are there sockets of the daemon that are established, or that only the client has closed?"""
        with open("/proc/net/tcp") as f:
            rows = [line.split() for line in f][1:]
        return any(row[1].endswith(f":{DAEMON_PORT:04X}") and row[3] in ("01", "08") for row in rows)

    def __exit__(self, *_):
        self.quiet()
        self.p.send_signal(signal.SIGTERM)
        self.p.wait()
        for _ in range(200):
            try:
                socket.create_server(("127.0.0.1", DAEMON_PORT)).close()
                return
            except OSError:
                time.sleep(0.02)


# (what, instead, why)
SAME = [
    (r"(?m)^TIME (ID )?", "", "times"),
    (r"(?m)^(?:exim|Exim) \S+ daemon started: .*\n", "", "the daemon"),
    (r"(?m)^.*(?:exim user lost|no IP address found for host|cwd=).*\n", "", "about the test"),
    (r" S=\d+", "", "sizes"),
    (r"(?m) Ci=\d+| D=\d+s$", "", "of 4.98 and later"),
    (r"TLS1\.([23]):[\w()-]+:(\d+)", r"TLS1.\1:CIPHER:\2", "names of ciphers"),
    (r" std=TLS\w+|(esmtps) TLS\w+", r"\1 CIPHER", "GnuTLS gives other names for TLS 1.3"),
    (r'DN="[/,]?([^"]*)"', lambda m: 'DN="%s"' % ",".join(sorted(re.split("[/,]", m.group(1)))), "OpenSSL writes /O=x/CN=y, GnuTLS CN=y,O=x"),
    (r"(?m)^(TLS error on connection from .*?\[[\d.]+\]).*$", r"\1 LIBRARY", "the library's text"),
    (r"(?m)(TLS session: ).*?( \(not in hosts_require_tls\))?$", r"\1LIBRARY\2", "the library's text"),
    (r"(?m)^DANE attempt failed.*\n|^H=.* TLS error on connection \((?:recv|send)\).*\n", "", "what the library says besides"),
    (r"(?m)^(?!TLS error).*(?:SSL verify (?:error|denied)|certificate verification failed|certificate name mismatch).*\n", "", "the library's text"),
    (r"(?m)^event tls:cert .*\n", "", "which elements of a chain are shown, and when"),
    (r"could not stat '(\S+)' \(tls_verify_certificates\): .*", r"failed to stat \1 for certificates", "words of the library's part"),
    (r"expansion of tls_out_sni", "expansion of tls_sni", "words of the library's part"),
    (r"(?m)^Required TLS certificate status not received\n", "", "more in 4.99 (and only with OpenSSL)"),
    (r"ocsp=[013](?= sni)", "ocsp=none", "GnuTLS says `failed` where there is no proof"),
    (r" resumed=\d+", " resumed=N", "the libraries give tickets at different times"),
    (r" CV=no(?! DN)", "", "4.99 does not judge where there is no certificate"),
    (r" : (?=DANE error|SMTP error)", ": ", "4.99 has a blank more"),
    (r"\[(?:end|closed by client|closed)\]", "[closed]", "how a connection ends"),
    (r"(?m)^\[TLSv1\.3 [^\n]*\]\n(?:\[closed\]\n?)+", "[closed]\n", "with TLS 1.3 one end is content before the other has judged"),
    (r"(?ms)(^< 220 TLS go ahead\n)> .*?(?=^--$)", r"\1[in clear]\n", "GnuTLS closes, OpenSSL does not, if there is no handshake"),
    (r"(?m)^SMTP call from .* too many syntax or protocol errors .*STARTTLS\)\n", "", "a handshake taken for commands, after an error"),
    (r"(?m)^Warning: No server certificate defined.*\n Suggested action.*\n", "", "not logged: a certificate is made, and `openssl s_client` shows it"),
    (r"authenticator failed for (?:H=)?", "authenticator failed for ", "4.99 names the host so"),
    (r"(?m)^(?:< )?250-LIMITS .*\n", "", "4.96 has no LIMITS"),
    (r"(?m)^> [^\n]*[^\x20-\x7e\n][^\n]*\n", "> BYTES\n", "a handshake that a server takes for commands"),
    (r"(?m)(> BYTES\n)(?:> .*\n)*(?=\[)", r"\1", "the same"),
]


def comparable(text, side):
    if isinstance(text, str):
        text = text.encode()
    text = masked(text, side).decode("utf-8", "backslashreplace")
    for what, new, _ in SAME:
        text = re.sub(what, new, text)
    return text.rstrip("\n")

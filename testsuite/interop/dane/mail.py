"""Zones, Postfix and unbound for `check postfix`: Exim is at 127.0.0.10, Postfix at 127.0.0.20."""
import os, subprocess, sys

from zones import Zone, break_signature

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import postfix  # noqa: E402  (the path comes first)


OTHER = "ab" * 32


def zones_of(ca):
    """For each server, what the DNS says of it: right, wrong, nothing, unsigned, broken."""
    tlsa = {name: open(f"{ca}/{name}.tlsa").read().strip() for name in ("mx", "ca")}

    def mail(address, record):
        return f"@ MX 10 mx\nmx A {address}\n" + (f"_25._tcp.mx TLSA {record}\n" if record else "")
    out = []
    for who, address in (("exim", "127.0.0.10"), ("postfix", "127.0.0.20")):
        out += [Zone(who + "-ee", mail(address, tlsa["mx"])),
                Zone(who + "-two", mail(address, f"3 1 1 {OTHER}") + f"_25._tcp.mx TLSA {tlsa['mx']}\n", nsec3=0),
                Zone(who + "-wrong", mail(address, f"3 1 1 {OTHER}")),
                Zone(who + "-none", mail(address, None)),
                Zone(who + "-unsigned", mail(address, f"3 1 1 {OTHER}"), signed=False, ds=False),
                Zone(who + "-broken", mail(address, tlsa["mx"]), damage=break_signature(f"_25._tcp.mx.{who}-broken.", "TLSA"))]
        # DANE-TA looks at the name too, and the certificate is that of mx.tls.ex.
    out.append(Zone("tls.ex", f"exim A 127.0.0.10\n_25._tcp.mx TLSA {tlsa['ca']}\nmx A 127.0.0.10\n_25._tcp.p TLSA {tlsa['ca']}\n"
                    "p A 127.0.0.20\n"))
    out.append(Zone("exim-ta", "@ MX 10 mx.tls.ex.\n"))
    out.append(Zone("postfix-ta", "@ MX 10 mx\nmx A 127.0.0.20\n" + f"_25._tcp.mx TLSA {tlsa['ca']}\n"))
    return out


class Postfix(postfix.Postfix):
    def __init__(self, directory, ca):
        super().__init__(directory, f"""myhostname = p.tls.ex
mydestination = {', '.join('postfix-' + k for k in ('ee', 'two', 'wrong', 'none', 'unsigned', 'broken', 'ta'))}
local_recipient_maps =
local_transport = discard:
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.20
smtpd_tls_security_level = may
smtpd_tls_chain_files = {ca}/mx.key, {ca}/mx.pem
smtp_dns_support_level = dnssec
smtp_tls_loglevel = 1
smtp_host_lookup = dns
""", "127.0.0.20:25 inet n - n - - smtpd\n")

    def start(self, level):
        """With this security level for outgoing connections."""
        super().start(f"smtp_tls_security_level = {level}\n")

    def send(self, to):
        """The status of the delivery, and the log lines."""
        text = super().send("from@postfix-ee", [to], "Subject: t\n\nx\n")
        lines = [l for l in text.splitlines() if f"to=<{to}>" in l or "TLS connection established to" in l]
        return text, " | ".join(l.split("]: ", 1)[-1] for l in lines)


def unbound(directory):
    """A resolver that validates, below the root of the zones."""
    open(directory + "/unbound.conf", "w").write(f"""server:
  interface: 127.0.0.1
  do-not-query-localhost: no
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: "{directory}/unbound.pid"
  use-syslog: no
  logfile: "{directory}/unbound.log"
  trust-anchor-file: "{directory}/zones/anchors"
  module-config: "validator iterator"
  do-daemonize: no
  local-zone: "127.in-addr.arpa." transparent
stub-zone:
  name: "."
  stub-addr: 127.0.0.3
remote-control:
  control-enable: no
""")
    return subprocess.Popen(["unbound", "-d", "-c", directory + "/unbound.conf"], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)

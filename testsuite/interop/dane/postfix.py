"""Zones, Postfix and unbound for `check postfix`: Exim is at 127.0.0.10, Postfix at 127.0.0.20."""
import os, pwd, subprocess, time

from zones import Zone, break_signature

OTHER = "ab" * 32
MASTER = """127.0.0.20:25 inet n - n - - smtpd
pickup unix n - n 1 1 pickup
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
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


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


class Postfix:
    def __init__(self, directory, ca):
        self.dir = directory
        os.makedirs(directory + "/etc")
        os.makedirs(directory + "/data")
        os.makedirs(directory + "/queue")
        os.chown(directory + "/data", pwd.getpwnam("postfix").pw_uid, -1)
        open(directory + "/etc/master.cf", "w").write(MASTER)
        open(directory + "/etc/dynamicmaps.cf", "w").write("")
        self.base = f"""compatibility_level = 3.6
myhostname = p.tls.ex
mydestination = {', '.join('postfix-' + k for k in ('ee', 'two', 'wrong', 'none', 'unsigned', 'broken', 'ta'))}
local_recipient_maps =
alias_maps =
local_transport = discard:
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.20
inet_protocols = ipv4
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/maillog
maillog_file_prefixes = {directory}
smtpd_tls_security_level = may
smtpd_tls_chain_files = {ca}/mx.key, {ca}/mx.pem
smtp_dns_support_level = dnssec
smtp_tls_loglevel = 1
smtp_host_lookup = dns
minimal_backoff_time = 4000s
"""
        self.level = None

    def command(self, *args):
        return subprocess.run(["postfix", "-c", self.dir + "/etc", *args], capture_output=True, text=True)

    def start(self, level):
        """With this security level for outgoing connections."""
        open(self.dir + "/etc/main.cf", "w").write(self.base + f"smtp_tls_security_level = {level}\n")
        p = self.command("reload" if self.level else "start")
        assert p.returncode == 0, p.stdout + p.stderr + self.log(lambda t: True)
        self.level = level
        time.sleep(1)

    def stop(self):
        self.command("stop")

    def log(self, pattern_count):
        for _ in range(100):
            text = open(self.dir + "/maillog", errors="replace").read() if os.path.exists(self.dir + "/maillog") else ""
            if pattern_count(text):
                break
            time.sleep(0.1)
        return text

    def send(self, to):
        """The status of the delivery, and the log lines."""
        before = len(self.log(lambda t: True))
        subprocess.run(["sendmail", "-C", self.dir + "/etc", "-f", "from@postfix-ee", to], input="Subject: t\n\nx\n", text=True, check=True)
        text = self.log(lambda t: f"to=<{to}>" in t[before:])[before:]
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

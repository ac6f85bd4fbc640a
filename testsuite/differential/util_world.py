"""Logs, queue and hints for `utilities`."""
import os, random, subprocess, time

CONF = """
primary_hostname = mail.test.ex
qualify_domain = test.ex
exim_user = Debian-exim
exim_path = EXIM
spool_directory = SIDE/spool
log_file_path = SIDE/spool/log/%s
keep_environment =
trusted_users = root
queue_run_in_order
acl_smtp_rcpt = rcpt
acl_not_smtp = notsmtp
begin acl
rcpt:
  deny  domains = refused.ex
        message = no mail for $domain
  defer domains = later.ex
        message = come back
  accept domains = test.ex
notsmtp:
  accept set acl_m0 = zero
         set acl_m_name = the value
         set acl_c1 = con
begin routers
defers:
  driver = redirect
  local_parts = defers
  allow_defer
  data = :defer: come back later
far:
  driver = manualroute
  domains = far.ex
  route_list = far.ex 127.0.0.1
  self = send
  transport = smtp
dead:
  driver = manualroute
  domains = dead.ex
  route_list = dead.ex 127.0.0.2
  self = send
  transport = smtp
full:
  driver = accept
  local_parts = full
  transport = full
box:
  driver = accept
  domains = box.ex
  transport = box
begin transports
box:
  driver = appendfile
  file = SIDE/mail/box
  user = tester
full:
  driver = appendfile
  file = SIDE/mail/full
  quota = 1
  user = tester
smtp:
  driver = smtp
  port = 26
begin retry
*  *  F,2d,15m
"""

# (recipients, sender, text, options): what waits on the queue
QUEUE = [
    (["defers@test.ex", "one@box.ex"], "sender@box.ex", "Subject: first\nFrom: Some One <sender@box.ex>\nReply-To: <back@box.ex>\n\nbody\n", []),
    (["two@box.ex"], "<>", "Subject: second\n\n" + "long line of text\n" * 900, []),
    (["x@far.ex", "y@far.ex", "z@dead.ex"], "other@friend.ex", "Subject: =?iso-8859-1?Q?gr=FCn?=\nX-Multi: a\nX-Multi: b\n\nä\n", []),
    (["frozen@far.ex"], "Sender@Box.ex", "Subject: frozen\n\n", []),
    (["A@Mixed.ex", "b@mixed.ex"], "a$b@c.ex", "Subject: spaces in  it\nTo: who@ever.ex\n\n" + "x" * 70 + "\n", ["-oMa", "192.0.2.7.1234", "-oMs", "client.ex", "-oMr", "esmtpa", "-oMaa", "login", "-oMi", "192.0.2.1.587", "-oMt", "ident"]),
]


def submit(side, queue):
    for recipients, sender, text, options in queue:
        side.run("-odq", *options, "-f", sender, *recipients, stdin=text)


def ids(side):
    return sorted(f[:-2] for f in os.listdir(f"{side.dir}/spool/input") if f.endswith("-H"))


def make(scratch, reference, ours, either):
    """The queue of `either`, hints of both others, logs in `in/`."""
    submit(either, QUEUE)
    names = ids(either)
    # Known ages: what is shown is then the same for both, unless a minute ends between them.
    for name, age in zip(names, (200, 4000, 90000, 300000, 3000000)):
        path = f"{either.dir}/spool/input/{name}-H"
        with open(path) as f:
            lines = f.read().split("\n")
        lines[3] = f"{int(time.time()) - age} 0"
        with open(path, "w") as f:
            f.write("\n".join(lines))
    either.run("-Mf", names[3])
    either.run("-Mmd", names[2], "y@far.ex")
    for side in (reference, ours):
        submit(side, [(["full@box.ex", "x@far.ex", "z@dead.ex", "defers@test.ex"], "s@box.ex", "Subject: h\n\n", [])])
        side.run("-qff")
    os.makedirs(f"{scratch}/in")
    inputs(f"{scratch}/in", either)


def inputs(directory, either):
    def put(name, text):
        with open(f"{directory}/{name}", "w") as f:
            f.write(text)
    log = main_log()
    put("main", log)
    subprocess.run(["gzip", "-kf", f"{directory}/main"], check=True)
    put("syslog", "".join(f"Mar  1 10:00:01 host exim[55]: {l}\n" for l in log.splitlines()))
    put("second", main_log(seed=2, day=2))
    put("millisec", "\n".join(l[:19] + ".123" + l[19:] for l in log.splitlines()) + "\n")
    put("zoned", "\n".join(l[:19] + " +0100 [77]" + l[19:] for l in log.splitlines()) + "\n")
    put("clean", main_log(seed=3, clean=True))
    subprocess.run(["gzip", "-kf", f"{directory}/clean"], check=True)
    put("cleaner", main_log(seed=4, day=2, clean=True))
    put("empty", "")
    put("none", "this is no log\n\n")
    put("aliases", ALIASES)
    put("twice", "one: first\ntwo: x\none: second\n")
    put("box", "From x\n\nhello\n")
    put("bp", either.run("-bp")[1].decode())


ALIASES = "# comment\n\nUpper: to@lower\nfolded: one,\n  two,\n\tthree\n\"quoted key\": value\n\"esc\\\"aped\\n\": v\nnocolon value here\nempty:\nlast: end"


def main_log(seed=1, day=1, clean=False):
    """A log with everything that the utilities look for. Names and times are drawn, but the same each time. `clean`: nothing
    fails and nobody is refused."""
    r = random.Random(seed)
    lines = []
    pick = r.choice
    hosts = [("mx.one.ex", "192.0.2.1"), ("relay.sub.two.co.uk", "192.0.2.2"), ("[192.0.2.3]", ""), ("(helo.three) [192.0.2.4]", "")]
    users = ["ann@one.ex", "Bob@one.ex", "carl@two.co.uk", "dora@three.example.net", ""]

    def host(h):
        return f"H={h[0]} [{h[1]}]" if h[1] else f"H={h[0]}"

    def show(t, text):
        lines.append((t, f"2026-03-{day:02} {t // 3600:02}:{t // 60 % 60:02}:{t % 60:02} {text}"))

    for n in range(60):
        t = r.randrange(0, 80000)
        i = f"1vw{chr(65 + n // 26)}{chr(97 + n % 26)}A-000{n % 10}Aa-{seed}{n % 10}"
        sender, size = pick(users), pick([200, 1500, 12000, 999999, 23456789])
        local = r.random() < 0.4
        kind = f"U={pick(['root', 'www'])} P=local" if local else f"{host(pick(hosts))} P=esmtp"
        show(t, f"{i} <= {sender or '<>'}{' R=1vwAaA-0000Aa-10' if not sender else ''} {kind} S={size} id=m{n}@x T=\"subject {n}\"")
        for k in range(r.randrange(1, 4)):
            t += pick([0, 1, 5, 70, 400, 4000])
            flag = "=>" if k == 0 else pick(["->", "=>"])
            to = pick(users[:4])
            what = r.random() * (0.7 if clean else 1)
            if what < 0.3:
                show(t, f"{i} {flag} {to.split('@')[0]} <{to}> R=local T=mailbox DT={k}s QT={k + 1}s")
            elif what < 0.7:
                h = pick(hosts[:2])
                show(t, f"{i} {flag} {to} R=dns T=remote_smtp H={h[0]} [{h[1]}] C=\"250 OK id=x\" DT={k}s")
            elif what < 0.8:
                show(t, f"{i} == {to} R=dns T=remote_smtp defer (111): Connection refused")
            elif what < 0.9:
                show(t, f"{i} ** {to}: Unrouteable address")
            elif what < 0.95:
                show(t, f"{i} => :blackhole: <{to}> R=hole")
            else:
                show(t, f"{i} => |/bin/prog <{to}> R=local T=pipe")
        if r.random() < 0.9:
            show(t + 1, f"{i} Completed QT={t % 50}s")
    for n in range(0 if clean else 12):
        t = r.randrange(0, 86000)
        h = pick(hosts)
        show(t, pick([
            f"{host(h)} F=<a@b.ex> rejected RCPT <x{n}@y.ex>: relay not permitted",
            f"{host(h)} F=<a@b.ex> temporarily rejected RCPT <x{n}@y.ex>: greylisted",
            f"{host(h)} rejected EHLO or HELO bad: syntactically invalid argument(s): bad",
            f"{host(h)} rejected MAIL <s{n}@y.ex>: sender verify fail",
            f"{host(h)} rejected connection in \"connect\" ACL: listed",
            "Start queue run: pid=123", "End queue run: pid=123", "exim 4.96 daemon started: pid=1, -q30m, listening for SMTP on port 25 (IPv4)",
            f"SMTP connection from {h[0]} lost", "no host name found for IP address 192.0.2.9"]))
    return "\n".join(l for _, l in sorted(lines)) + "\n"

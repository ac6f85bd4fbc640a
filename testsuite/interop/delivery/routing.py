"""What dnslookup makes of zones, by way of unbound: what the zones say, and what the reference says on the same resolver."""
import os, re, subprocess

from zones import Zone, break_signature

# Zone, then: the address to try, options of the router, and the hosts (or what is said instead). A list in a list: these, in any order.
PLAIN = "a A 10.1.0.1\nb A 10.1.0.2\nc A 10.1.0.3\n"
ZONES = [
    Zone("diff.ex", PLAIN + "@ MX 20 b\n@ MX 10 a\n@ MX 30 c\n"),
    Zone("equal.ex", PLAIN + "@ MX 10 a\n@ MX 10 b\n@ MX 20 c\n", nsec3=0),
    Zone("plain.ex", "@ A 10.1.0.9\nsub A 10.1.0.8\nalias CNAME sub\nwww CNAME mxed\nmxed MX 10 sub\n", signed=False, ds=False),
    Zone("loop.ex", "one CNAME two\ntwo CNAME one\n@ MX 10 one\nself CNAME self\n", signed=False, ds=False),
    Zone("long.ex", "".join(f"c{i} CNAME c{i + 1}\n" for i in range(20)) + "c20 A 10.1.0.7\n", signed=False, ds=False),
    Zone("null.ex", "@ MX 0 .\n@ A 10.1.0.9\n"),
    Zone("bad.ex", "@ MX 10 nowhere\n@ A 10.1.0.9\nhalf MX 10 nowhere\nhalf MX 20 there\nthere A 10.1.0.6\nlit MX 10 10.1.0.5.\n", signed=False, ds=False),
    Zone("srv.ex", "_smtp._tcp SRV 20 0 2526 b\n_smtp._tcp SRV 10 0 2525 a\n@ MX 5 c\n" + PLAIN + "_smtp._tcp.no SRV 0 0 0 .\nno MX 5 c\nonly MX 5 c\n"),
    Zone("six.ex", "@ MX 10 a\na A 10.1.0.1\na AAAA 2001:db8::1\n@ MX 20 b\nb AAAA 2001:db8::2\n"),
    Zone("many.ex", "".join(f"@ MX {10 + i} host-with-a-long-name-{i}\nhost-with-a-long-name-{i} A 10.2.0.{i}\n" for i in range(45))),
    Zone("wild.ex", "*.deep MX 10 a\na A 10.1.0.1\n"),
    Zone("here.ex", "@ MX 10 a\na A 10.1.0.1\n@ MX 20 me\n@ MX 30 c\nc A 10.1.0.3\nme A 127.0.0.10\nbest MX 10 me\nbest MX 20 a\n"),
    Zone("Case.ex", "@ MX 10 A\na A 10.1.0.1\n", signed=False, ds=False),
    Zone("xn--bcher-kva.ex", "@ MX 10 a\na A 10.1.0.1\n"),
    Zone("broken.ex", "@ MX 10 a\na A 10.1.0.1\n", damage=break_signature("broken.ex.", "MX")),
    Zone("unsigned.ex", "@ MX 10 a\na A 10.1.0.1\n", signed=False, ds=False),
]
SRV = "check_srv = smtp"
CASES = [
    ("diff.ex", "", ["10.1.0.1", "10.1.0.2", "10.1.0.3"]),
    ("equal.ex", "", [["10.1.0.1", "10.1.0.2"], "10.1.0.3"]),
    ("plain.ex", "", ["10.1.0.9"]),
    ("plain.ex", "mx_domains = *", "Unrouteable address"),
    ("sub.plain.ex", "", ["10.1.0.8"]),
    ("alias.plain.ex", "", ["10.1.0.8"]),
    ("www.plain.ex", "", ["10.1.0.8"]),
    ("loop.ex", "", "host lookup did not complete"),
    ("one.loop.ex", "", "host lookup did not complete"),
    ("self.loop.ex", "", None),
    ("c15.long.ex", "", ["10.1.0.7"]),
    ("c0.long.ex", "", None),
    ("null.ex", "", "indicated no SMTP service"),
    ("bad.ex", "", "all relevant MX records point to non-existent hosts"),
    ("bad.ex", "fail_defer_domains = *", "missing MX, or all MXs point to missing A records, and defer requested"),
    ("half.bad.ex", "", ["10.1.0.6"]),
    ("lit.bad.ex", "", "MX"),
    ("nowhere.ex", "", "Unrouteable address"),
    ("nowhere.ex", "fail_defer_domains = *", "defer requested"),
    ("srv.ex", SRV, ["10.1.0.1:2525", "10.1.0.2:2526"]),
    ("srv.ex", "", ["10.1.0.3"]),
    ("no.srv.ex", SRV, None),
    ("only.srv.ex", SRV, ["10.1.0.3"]),
    ("only.srv.ex", SRV + "\n  mx_domains = !*", ["10.1.0.3"]),
    ("six.ex", "", ["2001:db8::1", "10.1.0.1", "2001:db8::2"]),
    ("six.ex", "ipv4_only = yes", ["10.1.0.1"]),
    ("six.ex", "ipv4_prefer = yes", ["10.1.0.1", "2001:db8::1", "2001:db8::2"]),
    ("six.ex", "ignore_target_hosts = <; 2001:db8::/32", ["10.1.0.1"]),
    ("many.ex", "", [f"10.2.0.{i}" for i in range(45)]),
    ("x.y.deep.wild.ex", "", ["10.1.0.1"]),
    ("x.wild.ex", "", "Unrouteable address"),
    ("here.ex", "", ["10.1.0.1"]),
    ("here.ex", "check_secondary_mx", ["10.1.0.1"]),
    ("diff.ex", "check_secondary_mx", "Unrouteable address"),
    ("best.here.ex", "self = fail", "lowest numbered MX record points to local host"),
    ("best.here.ex", "self = send", ["127.0.0.10", "10.1.0.1"]),
    ("best.here.ex", "self = pass", "lowest numbered MX record points to local host"),
    ("best.here.ex", "self = reroute: diff.ex", ["10.1.0.1", "10.1.0.2", "10.1.0.3"]),
    ("CASE.ex", "", ["10.1.0.1"]),
    ("xn--bcher-kva.ex", "", ["10.1.0.1"]),
    ("broken.ex", "", "host lookup did not complete"),
    ("broken.ex", "pass_on_timeout", "Unrouteable address"),
    ("broken.ex", "mx_fail_domains = *", None),
    ("unsigned.ex", "dnssec_require_domains = *", "host lookup done insecurely"),
    ("diff.ex", "dnssec_require_domains = *", ["10.1.0.1", "10.1.0.2", "10.1.0.3"]),
    ("diff.ex", "dnssec_request_domains = *", ["10.1.0.1", "10.1.0.2", "10.1.0.3"]),
    ("a", "widen_domains = diff.ex", ["10.1.0.1"]),
    ("a", "", "Unrouteable address"),
    ("diff.ex", "same_domain_copy_routing", ["10.1.0.1", "10.1.0.2", "10.1.0.3"]),
]
CONF = """
spool_directory = DIR/spool
log_file_path = DIR/log/WHO-%slog
keep_environment =
primary_hostname = mx.our.ex
qualify_domain = our.ex
local_interfaces = 127.0.0.10
dns_dnssec_ok = 1
begin routers
out:
  driver = dnslookup
  transport = smtp
  MORE
begin transports
smtp:
  driver = smtp
begin retry
* * F,1h,1h
"""


def ask(binary, who, directory, domain, option):
    with open(f"{directory}/{who}.conf", "w") as f:
        f.write(CONF.replace("MORE", option).replace("DIR", directory).replace("WHO", who))
    p = subprocess.run([binary, "-C", f"{directory}/{who}.conf", "-bt", "u@" + domain], capture_output=True, text=True, timeout=120)
    return p.returncode, re.sub(r"(?m)^\d{4}-\d\d-\d\d [\d:]{8} ", "", p.stdout + p.stderr)


def hosts(text):
    return [a + (":" + p if p else "") for a, p in re.findall(r"(?m)^  host .*?\[([^]]+)\](?:.*?port=(\d+))?", text)]


def agrees(found, wanted):
    """Are they the hosts that the zone names, in an order that it allows?"""
    at = 0
    for w in wanted:
        n = len(w) if isinstance(w, list) else 1
        if sorted(found[at:at + n]) != sorted(w if isinstance(w, list) else [w]):
            return False
        at += n
    return at == len(found)


def sorted_hosts(text):
    """Equal preferences come in any order."""
    lines = re.sub(r" +", " ", text).splitlines()
    key = lambda l: (re.search(r"MX=(-?\d+)", l) or [None, "0"])[1]
    out, block = [], []
    for l in lines + [""]:
        if l.startswith(" host ") and (not block or key(block[-1]) == key(l)):
            block.append(l)
        else:
            out += sorted(block)
            block = [l] if l.startswith(" host ") else []
            out += [] if block else [l]
    return out


def run(check, ours, reference, directory):
    for domain, option, want in CASES:
        status, text = ask(ours, "ours", directory, domain, option)
        title = f"{domain}{' with ' + option if option else ''}".replace("\n ", ",")
        if isinstance(want, list):
            check(title, agrees(hosts(text), want), text if not agrees(hosts(text), want) else hosts(text)[:4])
        elif want:
            check(title, want in text, text)
        if reference:
            other = ask(reference, "reference", directory, domain, option)
            same = (other[0], sorted_hosts(other[1])) == (status, sorted_hosts(text))
            check("  as the reference", same)
            if not same:
                print(f"{text}status {status}; the reference:\n{other[1]}status {other[0]}")
    # Both of two equal ones come first at some time.
    first = {hosts(ask(ours, "ours", directory, "equal.ex", "")[1])[0] for _ in range(30)}
    check("two of one preference take turns", first == {"10.1.0.1", "10.1.0.2"}, first)

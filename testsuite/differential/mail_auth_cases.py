"""The cases of differential/mail_auth: keys and records, messages signed in all ways, options of signing, SPF."""
import base64, hashlib, re, subprocess, tempfile
from dataclasses import dataclass, field

import dkim.crypto
from dkim.canonicalization import CanonicalizationPolicy

# A part of a case's name, and why the answers differ.
DIFFERENT = {
    "bh missing": "a signature without bh= is invalid at once, not a mismatch",
    "i outside of d": "RFC 6376 3.5: i= must be in the domain of d=",
    "i without at": "RFC 6376 3.5: i= has an @",
    "tag twice": "RFC 6376 3.2: a tag that stands twice spoils the list",
    "key record twice": "the same in a key record",
    "key record k": "RFC 6376 6.1.2: a key of another kind is none",
    "key record vspace": "RFC 6376 3.2: white space may be around =",
    "key record ed3": "RFC 8463 4: an Ed25519 key has 32 bytes",
    "key record cut": "the library's words",
    "tag l large": "RFC 6376 3.5: l= must not be more than there is",
    "tag l bad": "a number is a number", "tag l minus": "the same", "tag t bad": "the same",
    "tag a upper": "RFC 6376 3.5, RFC 5234: words of the grammar have no case",
    "tag d upper": "domains are shown in lower case",
    "upper name": "RFC 5322: white space may stand before the colon",
    "space before a colon": "the same",
    "empty body simple": "RFC 6376 3.4.3: an empty body is CRLF in simple form",
    "and minimal": "signatures that are not looked at are not shown, as in the tests of 4.99",
    "line: no tag": "what follows a tag without = is not looked at", "line: upper tags": "the same", "tag d missing": "it is logged all the same",
    "dkim_hash = md5, strict": "the delivery line has the reason", "dkim_hash = , strict": "the same", "dkim_hash = SHA256, strict": "the same",
    "dkim_sign_headers =  ": "a signature of nothing is refused; the reference crashes",
    "dkim_sign_headers = ${if": "the option's name is right in the log line",
    "dkim_sign_headers = <; ": "another separator may be chosen",
    "dkim_sign_headers = =x-a:+x-a simple": "the reference hashes the white space in an empty b=, and nobody can verify it",
    "dkim_timestamps = ,": "no times", "dkim_timestamps = -5": "a number is a number", "dkim_timestamps = soon": "the same", "dkim_timestamps = 1h": "the same",
    "dkim_domain = t.ex:t.ex": "one signature is enough",
    "dkim_private_key = no": "the reference crashes", "dkim_private_key = junk": "the same", 'dkim_private_key = "---': "the same",
    "dkim_private_key = /": "words of the library and of the system", "the second key is missing": "the same", "dkim_strict =": "the same",
    "spf: bad": "a bad record is a permerror; the library that the reference uses says (invalid)", "spf: odd": "the same", "spf: lookup {a@bad": "the same",
    "spf: x.broken": "a server that does not answer is a temperror, not (invalid)", "spf: lookup {a@x.broken": "the same",
    "spf: loop": "the library's words",
    "spf: why": "a domain's own explanation is shown", "spf: spf_smtp_comment_template = Go": "white space in a template stays",
    "spf: spf_smtp_comment_template = ${if": "a template that cannot be expanded is logged, and ends no session",
    "spf: no logging": "4.96 does not know the log selector",
    "sign: dkim_canon = ": "the reference logs an empty line after its warning",
    "sign: logged": "4.96 does not know the log selector", "sign: body b'xxx": "4.99 tells how long the line is",
    "dkim_verify_signers = ${if": "the signatures are logged although the option cannot be expanded",
}
KEYS = {}
# dkimpy knows no SHA-512.
dkim.crypto.HASH_ID_MAP["sha512"] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x03"


@dataclass
class Case:
    part: str
    name: str
    conf: str
    data: bytes
    args: list = field(default_factory=list)


def sh(*args):
    return subprocess.run(args, capture_output=True, check=True).stdout


def make_keys(directory):
    for bits in (512, 768, 1024, 2048):
        path = f"{directory}/rsa{bits}.key"
        sh("openssl", "genrsa", "-traditional", "-out", path, str(bits))
        KEYS[f"rsa{bits}"] = (path, sh("openssl", "rsa", "-in", path, "-pubout", "-outform", "DER"))
    path = f"{directory}/ed.key"
    sh("openssl", "genpkey", "-algorithm", "ed25519", "-out", path)
    KEYS["ed"] = (path, sh("openssl", "pkey", "-in", path, "-pubout", "-outform", "DER")[-32:])
    for path, _ in KEYS.values():
        sh("chmod", "644", path)


def b64(data):
    return base64.b64encode(data).decode()


def key_records():
    """Selector to texts of TXT records."""
    rsa, ed = b64(KEYS["rsa1024"][1]), b64(KEYS["ed"][1])
    wrapped = b64(sh("openssl", "pkey", "-in", KEYS["ed"][0], "-pubout", "-outform", "DER"))
    records = {name: [f"v=DKIM1; k={'ed25519' if name == 'ed' else 'rsa'}; p={b64(public)}"] for name, (_, public) in KEYS.items()}
    one = {
        "plain": f"p={rsa}", "test": f"v=DKIM1; t=y; p={rsa}", "strict": f"v=DKIM1; t=s; p={rsa}", "both": f"v=DKIM1; t=y:s; p={rsa}",
        "email": f"v=DKIM1; s=email; p={rsa}", "other": f"v=DKIM1; s=other; p={rsa}", "star": f"v=DKIM1; s=*; p={rsa}",
        "gstar": f"v=DKIM1; g=*; p={rsa}", "gjoe": f"v=DKIM1; g=joe; p={rsa}", "gempty": f"v=DKIM1; g=; p={rsa}",
        "h256": f"v=DKIM1; h=sha256; p={rsa}", "h1": f"v=DKIM1; h=sha1; p={rsa}", "hboth": f"v=DKIM1; h=sha1:sha256; p={rsa}",
        "hodd": f"v=DKIM1; h=foo; p={rsa}", "note": f"v=DKIM1; n=some note; p={rsa}", "kempty": f"v=DKIM1; k=; p={rsa}",
        "kbad": f"v=DKIM1; k=foo; p={rsa}", "ked": f"v=DKIM1; k=ed25519; p={rsa}", "krsa": f"v=DKIM1; k=rsa; p={ed}",
        "vlast": f"p={rsa}; v=DKIM1", "v2": f"v=DKIM2; p={rsa}", "vspace": f"v = DKIM1 ; p = {rsa} ", "revoked": "v=DKIM1; p=",
        "nop": "v=DKIM1; k=rsa", "badp": "v=DKIM1; p=!!!!", "badder": "v=DKIM1; p=AAAAAAAA", "empty": "", "text": "hello there",
        "spf": "v=spf1 -all", "unknown": f"v=DKIM1; x=1; p={rsa}", "wrapped": f"v=DKIM1; k=ed25519; p={wrapped}",
        "ed31": f"v=DKIM1; k=ed25519; p={b64(KEYS['ed'][1][:31])}", "ed33": f"v=DKIM1; k=ed25519; p={b64(KEYS['ed'][1] + b'x')}",
        "cut": f"v=DKIM1; p={rsa[:-20]}", "spaces": f"v=DKIM1; p={rsa[:50]} {rsa[50:]}", "twice": f"v=DKIM1; p={rsa}; p={rsa}",
        "nosemi": f"v=DKIM1 p={rsa}", "long": f"v=DKIM1; n={'x' * 900}; p={rsa}", "quoted": f"v=DKIM1; n=a=20b; p={rsa}",
    }
    records.update({name: [text] for name, text in one.items()})
    records["several"] = ["v=spf1 -all", f"v=DKIM1; p={rsa}"]
    return records


def zone():
    z = {(f"{s}._domainkey.t.ex", "TXT"): texts for s, texts in key_records().items()}
    z.update({(f"{s}._domainkey.sub.t.ex", "TXT"): key_records()[s] for s in ("plain", "strict")})
    spf = {
        "pass": "v=spf1 ip4:10.1.2.3 -all", "fail": "v=spf1 -all", "soft": "v=spf1 ~all", "neutral": "v=spf1 ?all", "nothing": "v=spf1",
        "inc": "v=spf1 include:pass.s.ex -all", "incfail": "v=spf1 include:fail.s.ex ~all", "incnone": "v=spf1 include:gone.s.ex -all",
        "redir": "v=spf1 redirect=pass.s.ex", "redirfail": "v=spf1 redirect=fail.s.ex", "a": "v=spf1 a -all", "mx": "v=spf1 mx -all",
        "ptr": "v=spf1 ptr -all", "exists": "v=spf1 exists:%{ir}.list.s.ex -all", "bad": "v=spf1 ip4:1.2.3 -all", "odd": "v=spf1 foo -all",
        "net": "v=spf1 ip4:10.1.0.0/16 -all", "six": "v=spf1 ip6:2001:db8::/32 -all", "why": "v=spf1 -all exp=text.s.ex",
        "temp": "v=spf1 include:x.broken.ex -all", "upper": "V=SPF1 IP4:10.1.2.3 -ALL", "loop": "v=spf1 include:loop.s.ex -all",
    }
    z.update({(f"{n}.s.ex", "TXT"): [t] for n, t in spf.items()})
    z["two.s.ex", "TXT"] = ["v=spf1 +all", "v=spf1 -all"]
    z["nospf.s.ex", "TXT"] = ["some text"]
    z["text.s.ex", "TXT"] = ["%{i} is not one of %{d}"]
    z["a.s.ex", "A"] = z["mxhost.s.ex", "A"] = z["guess.s.ex", "A"] = ["10.1.2.3"]
    z["mx.s.ex", "MX"] = ["5 mxhost.s.ex."]
    z["3.2.1.10.list.s.ex", "A"] = ["127.0.0.2"]
    z["3.2.1.10.in-addr.arpa", "PTR"] = ["host.ptr.s.ex."]
    z["host.ptr.s.ex", "A"] = ["10.1.2.3"]
    return z


def sign(text, tags, key, canon=("relaxed", "relaxed"), hash_name="sha256", raw=None, names=b"from:to:subject"):
    """A header line for the message; `tags` replace or leave out (None) those that would be there. `raw` changes the line's
    text before it is signed."""
    head, _, body = text.partition(b"\r\n\r\n")
    policy = CanonicalizationPolicy.from_c_value("/".join(canon).encode())
    body = policy.canonicalize_body(body)
    length = tags.get("l")
    hashed = body if length is None or not str(length).isdigit() else body[:int(length)]
    make = getattr(hashlib, hash_name)
    full = {"v": "1", "a": f"{'ed25519' if key == 'ed' else 'rsa'}-{hash_name}", "c": "/".join(canon), "d": "t.ex", "s": "plain",
            "h": names.decode(), "bh": b64(make(hashed).digest())}
    full.update(tags)
    line = "DKIM-Signature: " + "; ".join(f"{k}={v}" for k, v in full.items() if v is not None and k != "b") + ";\r\n\tb="
    if raw:
        line = raw(line)
    fields = [re.match(rb"([^:]*):(.*)", l, re.S).groups() for l in re.split(rb"\r\n(?![ \t])", head)]
    chosen, used = [], {}
    for name in names.split(b":"):
        have = [f for f in fields if f[0].strip().lower() == name.strip().lower()]
        n = used[name] = used.get(name, 0) + 1
        if n <= len(have):
            chosen.append((have[-n][0], have[-n][1] + b"\r\n"))
    data = b"".join(n + b":" + v for n, v in policy.canonicalize_headers(chosen))
    own = line.encode().partition(b":")
    data += b":".join(policy.canonicalize_headers([(own[0], own[2])])[0]).rstrip(b"\r\n") if canon[0] == "relaxed" else line.encode()
    if key == "ed":
        with tempfile.NamedTemporaryFile() as f:
            f.write(make(data).digest())
            f.flush()
            signature = sh("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", KEYS["ed"][0], "-in", f.name)
    else:
        with open(KEYS[key][0], "rb") as f:
            private = dkim.crypto.parse_pem_private_key(f.read())
        signature = dkim.crypto.RSASSA_PKCS1_v1_5_sign(make(data), private)
    return (line + (tags["b"] if "b" in tags else b64(signature)) + "\r\n").encode()


TEXT = (b"From: Joe <joe@t.ex>\r\nTo: you@x.ex\r\nSubject: a  test\r\nDate: Thu, 19 Nov 2015 17:00:07 -0700\r\n"
        b"Message-ID: <one@t.ex>\r\n\r\nThe  body\t of it. \r\n\r\nMore.\r\n\r\n\r\n")
COMMON = """
primary_hostname = mx.here.ex
smtp_banner = mx.here.ex
keep_environment =
host_lookup = !*
helo_allow_chars = _
acl_smtp_rcpt = rcpt
acl_smtp_data = data
queue_only

smtp_enforce_sync = false
"""
VERIFY = COMMON + """
log_selector = +dkim_verbose
begin acl
rcpt:
  accept
dkim:
  warn logwrite = signer=$dkim_cur_signer st=$dkim_verify_status/$dkim_verify_reason d=$dkim_domain i=$dkim_identity s=$dkim_selector a=$dkim_algo
       logwrite = c=$dkim_canon_headers/$dkim_canon_body l=$dkim_bodylength t=$dkim_created x=$dkim_expires h=$dkim_headernames
       logwrite = z=$dkim_copiedheaders testing=$dkim_key_testing nosub=$dkim_key_nosubdomains srv=$dkim_key_srvtype
       logwrite = g=$dkim_key_granularity n=$dkim_key_notes bits=$dkim_key_length all=$dkim_signers
  warn dkim_status = pass
       logwrite = is pass
  warn dkim_status = fail : invalid
       logwrite = is bad
  warn dkim_status = none
       logwrite = is none
  warn dkim_signers = t.ex : joe@t.ex
       logwrite = signer in list
  %s
data:
  warn logwrite = after: $dkim_verify_status signers $dkim_signers
  accept logwrite = ${authresults {mx.here.ex}}
"""


def session(text, sender="a@t.ex", helo="c.ex"):
    dotted = re.sub(rb"(?m)^\.", b"..", text)
    return f"EHLO {helo}\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<you@x.ex>\r\nDATA\r\n".encode() + dotted + b".\r\nQUIT\r\n"


def verify_case(name, text, options="acl_smtp_dkim = dkim\n", decision="accept"):
    return Case("verify", name, options + VERIFY % decision, session(text), ["-bs", "-oMa", "10.1.2.3"])


def verify_cases():
    signed = lambda tags=None, key="rsa1024", **more: sign(TEXT, tags or {}, key, **more) + TEXT
    yield verify_case("unsigned", TEXT)
    for c in [(a, b) for a in ("relaxed", "simple") for b in ("relaxed", "simple")]:
        yield verify_case("canonical " + "/".join(c), signed(canon=c))
        yield verify_case("body altered " + "/".join(c), signed(canon=c).replace(b"More", b"Less"))
        yield verify_case("header altered " + "/".join(c), signed(canon=c).replace(b"Joe", b"Jim"))
    for selector in key_records():
        key = "ed" if selector in ("ed", "wrapped", "ed31", "ed33") else selector if selector in KEYS else "rsa1024"
        yield verify_case("key record " + selector, signed({"s": selector}, key))
    yield verify_case("key record not there", signed({"s": "gone"}))
    yield verify_case("key record for now not there", signed({"s": "broken"}))
    for hashes in ("sha1", "sha1 : sha256", "sha512 : sha256 : sha1", "sha256"):
        for h in ("sha1", "sha256", "sha512"):
            yield verify_case(f"{h} with dkim_verify_hashes = {hashes}", signed(hash_name=h),
                              f"acl_smtp_dkim = dkim\ndkim_verify_hashes = {hashes}\n")
    for kinds in ("rsa", "ed25519", "rsa : ed25519", "ed25519 : rsa"):
        text = sign(TEXT, {}, "rsa1024") + sign(TEXT, {"s": "ed"}, "ed") + TEXT
        yield verify_case(f"two signatures with dkim_verify_keytypes = {kinds}", text, f"acl_smtp_dkim = dkim\ndkim_verify_keytypes = {kinds}\n")
        back = sign(TEXT, {"s": "ed"}, "ed") + sign(TEXT, {}, "rsa1024") + TEXT
        yield verify_case(f"and minimal, the other way round, {kinds}", back, f"acl_smtp_dkim = dkim\ndkim_verify_minimal\ndkim_verify_keytypes = {kinds}\n")
        yield verify_case(f"and minimal, no acl, {kinds}", back, f"dkim_verify_minimal\ndkim_verify_keytypes = {kinds}\n")
        yield verify_case(f"and minimal, {kinds}", text, f"acl_smtp_dkim = dkim\ndkim_verify_minimal\ndkim_verify_keytypes = {kinds}\n")
    for sizes in ("rsa=1024 ed25519=250", "rsa=512", "rsa=4096", "rsa=2048 ed25519=300", "ed25519=250", "", "rsa=x"):
        for key, selector in (("rsa768", "rsa768"), ("rsa1024", "rsa1024"), ("ed", "ed")):
            yield verify_case(f"{key} with dkim_verify_min_keysizes = {sizes}", signed({"s": selector}, key),
                              f"acl_smtp_dkim = dkim\ndkim_verify_min_keysizes = {sizes}\n")
    size = len(b"The body of it.\r\n\r\nMore.\r\n")
    tags = {
        "l whole": {"l": size}, "l part": {"l": 5}, "l 0": {"l": 0}, "l large": {"l": 9999}, "l bad": {"l": "x"}, "l minus": {"l": "-1"},
        "x past": {"t": 1, "x": 2}, "x future": {"t": 1, "x": 99999999999}, "x before t": {"t": 1500000000, "x": 1400000000}, "t future": {"t": 9999999999},
        "t bad": {"t": "soon"}, "i same": {"i": "joe@t.ex"}, "i empty local part": {"i": "@t.ex"}, "i subdomain": {"i": "joe@sub.t.ex"},
        "i outside of d": {"i": "joe@other.ex"}, "i without at": {"i": "t.ex"}, "q dns": {"q": "dns/txt"}, "q old": {"q": "dns"}, "q other": {"q": "http"},
        "z": {"z": "From:joe=20x|To:a@b"}, "v missing": {"v": None}, "v 2": {"v": "2"}, "v 0.5": {"v": "0.5"}, "a missing": {"a": None},
        "a unknown": {"a": "rsa-md5"}, "a upper": {"a": "RSA-SHA256"}, "c missing": {"c": None}, "c unknown": {"c": "foo/bar"}, "c half": {"c": "relaxed"},
        "d missing": {"d": None}, "d upper": {"d": "T.EX"}, "d other": {"d": "nowhere.ex"}, "s missing": {"s": None}, "h missing": {"h": None},
        "bh missing": {"bh": None}, "bh bad": {"bh": "!!!"}, "bh short": {"bh": "AAAA"}, "bh empty": {"bh": ""}, "b empty": {"b": ""},
        "b bad": {"b": "!!!"}, "b short": {"b": "AAAA"}, "unknown tag": {"foo": "bar"}, "empty tag": {"foo": ""}, "r": {"r": "y"},
    }
    for name, more in tags.items():
        yield verify_case("tag " + name, signed(more))
        yield verify_case(f"tag {name}, no acl", signed(more), "")
    yield verify_case("l part, more follows", signed({"l": 5}).replace(b"More", b"Less"))
    yield verify_case("i in a subdomain, key forbids", signed({"s": "strict", "i": "joe@sub.t.ex"}))
    yield verify_case("i other than granularity", signed({"s": "gjoe", "i": "jim@t.ex"}))
    for names in (b"to:subject", b"from:from:to", b"from:x-none", b"from", b"from:FROM:subject", b"from:dkim-signature", b"from : to : subject"):
        yield verify_case("h=" + names.decode(), signed(names=names))
    lines = {
        "tag twice": lambda l: l.replace("s=plain", "s=plain; s=plain"), "spaces": lambda l: l.replace("; d=t.ex", " ;\td = t.ex "),
        "folded d": lambda l: l.replace("d=t.ex", "d=t.\r\n\tex"), "folded h": lambda l: l.replace("from:to", "from:\r\n to"),
        "folded bh": lambda l: re.sub("bh=(.{8})", "bh=\\1\r\n ", l), "upper name": lambda l: l.replace("DKIM-Signature:", "Dkim-signature :"),
        "b first": lambda l: l, "no tag": lambda l: l.replace("; d=", "; junk; d="), "two semicolons": lambda l: l.replace("; d=", ";; d="),
        "upper tags": lambda l: l.replace("d=t.ex", "D=t.ex"), "eight bit": lambda l: l.replace("d=t.ex", "d=t\u00e4.ex"),
    }
    for name, change in lines.items():
        for c in (("relaxed", "relaxed"), ("simple", "simple")):
            yield verify_case(f"line: {name} {c[0]}", signed(raw=change, canon=c))
    for body in (b"", b"\r\n", b"\r\n\r\n", b" \r\n", b"no end", b"x" * 5000 + b"\r\n", b"\xe4\xff\r\n", b".\r\n..\r\n", b"a\tb  c \r\n"):
        text = TEXT.split(b"\r\n\r\n")[0] + b"\r\n\r\n" + body + (b"" if body.endswith(b"\n") or not body else b"\r\n")
        for c in (("relaxed", "relaxed"), ("simple", "simple")):
            name = ("empty body " if not body.strip(b"\r\n") else f"body {body[:10]!r} ") + c[0]
            yield verify_case(name, sign(text, {}, "rsa1024", canon=c) + text)
    folded = TEXT.replace(b"Subject: a  test", b"Subject:\r\n\ta \r\n  test ").replace(b"To:", b"TO:")
    for c in (("relaxed", "relaxed"), ("simple", "simple")):
        yield verify_case("folded header " + c[0], sign(folded, {}, "rsa1024", canon=c) + folded)
        spaced = folded.replace(b"TO:", b"TO\t:")
        yield verify_case("space before a colon " + c[0], sign(spaced, {}, "rsa1024", canon=c) + spaced)
    twice = sign(TEXT, {}, "rsa1024") + sign(TEXT, {"s": "gone"}, "rsa1024") + sign(TEXT, {"i": "joe@t.ex"}, "rsa1024") + TEXT
    for signers in ("$dkim_signers", "nobody.ex:$dkim_signers", "joe@t.ex", "", "t.ex:t.ex", "$sender_address_domain", "${if"):
        yield verify_case("dkim_verify_signers = " + signers, twice, f"acl_smtp_dkim = dkim\ndkim_verify_signers = {signers}\n")
    yield verify_case("three signatures, no acl", twice, "")
    change = "warn set dkim_verify_status = fail\n       set dkim_verify_reason = no reason\n  accept"
    yield verify_case("the acl changes the verdict", signed(), decision=change)
    yield verify_case("the acl denies", signed(), decision="deny message = not so\n       log_message = said no")
    yield verify_case("the acl defers", signed(), decision="defer message = not now")
    yield verify_case("the acl discards", signed(), decision="discard")
    yield verify_case("the acl drops", signed(), decision="drop message = away")
    yield verify_case("the acl fails to expand", signed(), decision="accept condition = ${if")
    yield verify_case("no logging", signed(), "acl_smtp_dkim = dkim\nlog_selector = -dkim\n")
    yield verify_case("disabled", signed(), "acl_smtp_dkim = dkim\nacl_smtp_mail = ${acl_x}\n".replace("${acl_x}", "off"), "accept\noff:\n  accept control = dkim_disable_verify")


SIGN = COMMON.replace("queue_only\n", "") + """
begin acl
rcpt:
  accept
data:
  accept
begin routers
r:
  driver = accept
  transport = t
begin transports
t:
  driver = smtp
  hosts = 127.0.0.1
  port = 2526
  allow_localhost
  hosts_try_chunking =
  hosts_try_fastopen =
"""


def signatures(message):
    """The DKIM-Signature lines of a message that came out, without times."""
    head = message.partition(b"\r\n\r\n")[0].decode("latin-1")
    found = [l for l in re.split(r"\r\n(?![ \t])", head) if l.startswith("DKIM-Signature")]
    timed = any(" t=" in l or "\tt=" in l for l in found)
    found = [re.sub(r"\b([tx])=\d+", r"\1=N", l) for l in found]
    return "\n".join(re.sub(r"b=[^;]*;?$", "b=", l) if timed else l for l in found)


def sign_case(name, options, text=TEXT, main=""):
    lines = "".join(f"  {k} = {v}\n" for k, v in options.items() if v is not None)
    return Case("sign", name, main + SIGN + lines + "begin retry\n* * F,1h,1h\n", text.replace(b"\r\n", b"\n"), ["-odi", "-oi", "-f", "joe@t.ex", "you@x.ex"])


def sign_cases():
    plain = lambda **more: {"dkim_domain": "t.ex", "dkim_selector": "rsa1024", "dkim_private_key": KEYS["rsa1024"][0], **more}
    yield sign_case("plain", plain())
    for key in KEYS:
        yield sign_case("key " + key, plain(dkim_selector=key, dkim_private_key=KEYS[key][0]))
    for canon in ("relaxed", "simple", "foo", "", "RELAXED", "${if", "$local_part"):
        for strict in (None, "true"):
            yield sign_case(f"dkim_canon = {canon}, strict {strict}", plain(dkim_canon=canon, dkim_strict=strict))
    for h in ("sha1", "sha256", "sha512", "md5", "", "SHA256", "${if"):
        for strict in (None, "true"):
            yield sign_case(f"dkim_hash = {h}, strict {strict}", plain(dkim_hash=h, dkim_strict=strict))
    for headers in ("From", "From:From", "+From", "=From", "+X-A:=X-B", "from:to:subject:x-none", "_DKIM_SIGN_HEADERS", "_DKIM_OVERSIGN_HEADERS",
                    "", "From : To : Subject", "${if", "${if eq{}{x}{}fail}", "FROM:x-a:x-a:x-a", "=x-a:+x-a", "+none:=none:none", "From:DKIM-Signature",
                    "From:" + ":".join(f"x-very-long-header-name-number-{i}" for i in range(20)), "<; From ; To"):
        text = TEXT.replace(b"\r\n\r\n", b"\r\nX-A: 1\r\nx-b: 2\r\nX-A: 3\r\nX-B: 4\r\n\r\n", 1)
        for canon in ("relaxed", "simple"):
            yield sign_case(f"dkim_sign_headers = {headers} {canon}", plain(dkim_sign_headers=headers, dkim_canon=canon), text.replace(b"Received", b"X"))
    for identity in ("", "joe@t.ex", "@t.ex", "@sub.t.ex", "not one", "${if", "${if eq{}{x}{}fail}", "x" * 100 + "@t.ex"):
        yield sign_case("dkim_identity = " + identity[:30], plain(dkim_identity=identity))
    for times in ("", "0", "100", "1209600", "-5", "soon", "1h", "${if", "${if eq{}{x}{}fail}"):
        for strict in (None, "true"):
            yield sign_case(f"dkim_timestamps = {times}, strict {strict}", plain(dkim_timestamps=times, dkim_strict=strict))
    for domain in ("", "t.ex : u.ex", "T.EX", "t.ex:t.ex", "${if", "${if eq{}{x}{}fail}", ":", "$sender_address_domain", "*", "<; t.ex ; u.ex"):
        for strict in (None, "true"):
            yield sign_case(f"dkim_domain = {domain}, strict {strict}", plain(dkim_domain=domain, dkim_strict=strict))
    for selector in ("", "a : b", "${if", "${if eq{}{x}{}fail}", "$dkim_domain", "a:a", None):
        for strict in (None, "true"):
            yield sign_case(f"dkim_selector = {selector}, strict {strict}", plain(dkim_selector=selector, dkim_strict=strict))
    two = {"dkim_domain": "t.ex : u.ex", "dkim_selector": "rsa1024 : ed", "dkim_private_key": KEYS["ed"][0].replace("ed.key", "$dkim_selector.key")}
    yield sign_case("two domains, two selectors", two)
    yield sign_case("and different canon", {**two, "dkim_canon": "${if eq{$dkim_selector}{ed}{simple}{relaxed}}"})
    yield sign_case("the second key is missing", {**two, "dkim_selector": "rsa1024 : gone"})
    pem = open(KEYS["rsa1024"][0]).read().replace("\n", "\\n")
    for key in ("", "0", "false", "no", "/nowhere/key", "junk", KEYS["rsa1024"][0] + "x", "${if", "${if eq{}{x}{}fail}", '"%s"' % pem, "/etc/hostname", None):
        for strict in (None, "true", "1", "yes"):
            yield sign_case(f"dkim_private_key = {str(key)[:30]}, strict {strict}", plain(dkim_private_key=key, dkim_strict=strict))
    for strict in ("${if", "${if eq{}{x}{}fail}", "0", "no", "TRUE", " true"):
        yield sign_case("dkim_strict = " + strict, plain(dkim_private_key="/nowhere/key", dkim_strict=strict))
    for body in (b"", b"\n", b"\n\n", b" \n", b"a \t b \n\n", b"x" * 5000 + b"\n", b"\xe4\n", b"no end", b".\n..a\n"):
        for canon in ("relaxed", "simple"):
            name = "empty body " if not body.strip(b"\n") else f"body {body[:10]!r} "
            yield sign_case(name + canon, plain(dkim_canon=canon), TEXT.split(b"\r\n\r\n")[0].replace(b"\r\n", b"\n") + b"\n\n" + body)
    yield sign_case("a filter", plain(transport_filter="/bin/cat"))
    yield sign_case("variables", plain(dkim_identity="$dkim_selector@$dkim_domain", dkim_domain="t.ex:u.ex"))
    yield sign_case("headers of the transport", plain(headers_add="X-New: one", headers_remove="subject", dkim_sign_headers="From:Subject:X-New"))
    yield sign_case("logged", plain(), main="log_selector = +dkim_verbose\n")


SPF = COMMON + """
begin acl
rcpt:
  warn spf = pass : fail : softfail : none : neutral : permerror : temperror : invalid
       logwrite = result=$spf_result guessed=$spf_result_guessed
       logwrite = received=$spf_received
       logwrite = header=$spf_header_comment
       logwrite = smtp=$spf_smtp_comment
  warn spf = !pass
       logwrite = not pass
  warn spf = err_perm : err_temp
       logwrite = an old name
%s
  accept logwrite = ${authresults {mx.here.ex}}
data:
  accept
"""
GUESS = """  warn spf_guess = pass : fail : softfail : none : neutral : permerror : temperror
       logwrite = guess result=$spf_result guessed=$spf_result_guessed
       logwrite = received=$spf_received
"""


def spf_case(name, sender, host="10.1.2.3", helo="pass.s.ex", options="", extra=""):
    return Case("spf", name, options + SPF % extra, session(TEXT, sender, helo), ["-bs", "-oMa", host])


def spf_cases():
    names = sorted({n[:-5] for n, kind in zone() if kind == "TXT" and n.endswith(".s.ex")}) + ["gone", "x.broken", "guess"]
    for n in names:
        for host in ("10.1.2.3", "10.9.9.9", "2001:db8::1"):
            yield spf_case(f"{n} from {host}", f"a@{n}.s.ex", host)
        yield spf_case(f"{n} by HELO", "", helo=n + ".s.ex")
        yield spf_case(f"{n} guessed", f"a@{n}.s.ex", extra=GUESS)
    for template in ("", "Go away %{i} of %{d}", "${if", "https://x.ex/?%{S}"):
        yield spf_case("spf_smtp_comment_template = " + template, "a@fail.s.ex", options=f"spf_smtp_comment_template = {template}\n")
    yield spf_case("spf_guess = v=spf1 +all", "a@gone.s.ex", options="spf_guess = v=spf1 +all\n", extra=GUESS)
    yield spf_case("loopback", "a@fail.s.ex", "127.0.0.1")
    yield spf_case("loopback six", "a@fail.s.ex", "::1")
    yield spf_case("no host", "a@fail.s.ex", "")
    yield spf_case("quoted", '"a b"@pass.s.ex')
    yield spf_case("helo is an address", "", helo="[10.1.2.3]")
    yield spf_case("no logging", "a@pass.s.ex", options="log_selector = -spf\n")
    asked = ["{a@pass.s.ex}spf{10.1.2.3}", "{a@fail.s.ex}spf{10.1.2.3}", "{pass.s.ex}spf{10.1.2.3}", "{a@pass.s.ex}spf{junk}", "{@pass.s.ex}spf{10.1.2.3}",
             "{a@six.s.ex}spf{2001:db8::1}", "{a@gone.s.ex}spf{10.1.2.3}", "{a@pass.s.ex}spf{127.0.0.1}", "{a@x.broken.s.ex}spf{10.1.2.3}", "{}spf{10.1.2.3}",
             "{a@bad.s.ex}spf{10.1.2.3}"]
    for key in asked:
        yield Case("spf", "lookup " + key, COMMON, b"", ["-be", "${lookup" + key + "{found $value}{none}}"])


def all_cases(parts):
    for name, make in (("verify", verify_cases), ("sign", sign_cases), ("spf", spf_cases)):
        if not parts or name in parts:
            yield from make()

"""What `check validation` asks: zones, and for each question what must come of it.

An expected value is "DATA/yes" (proved), "DATA/no" (proved to be unsigned) or DEFER (should be proved and is not).
"""
from zones import Zone, break_signature, colliding, forged, remove

TLSA = "ab" * 32
TLSA_SHOWN = "3 1 1 " + TLSA
MAIL = f"_25._tcp.mx TLSA 3 1 1 {TLSA}\nmx A 127.0.0.2\n@ MX 10 mx\nempty A 127.0.0.2\n"


def other_ds(zone):
    return f"{zone}. DS 1 13 2 {'cd' * 32}\n"


def replay(text):
    """The wildcard's records under a name that has its own."""
    out = []
    for line in text.splitlines():
        f = line.split("\t")
        if f[0] == "there.wild.replayed." and (f[3] == "A" or f[3] == "RRSIG" and f[4].startswith("A ")):
            continue
        out.append(line)
        if f[0] == "*.wild.replayed." and (f[3] == "A" or f[3] == "RRSIG" and f[4].startswith("A ")):
            out.append(line.replace("*.", "there.", 1))
    return "\n".join(out) + "\n"


ZONES = [
    Zone("ex", "to-good CNAME mx.good.ex.\nto-unsigned CNAME mx.unsigned.\nto-broken CNAME _25._tcp.mx.broken.\n"
         "under DNAME good.ex.\n" + "".join(f"c{i} CNAME c{i + 1}\n" for i in range(20)) + "c20 A 127.0.0.2\n"),
    Zone("good.ex", MAIL + "*.wild A 127.0.0.9\n_25._tcp.odd TLSA 3 1 9 ab\nodd A 127.0.0.2\n"),
    Zone("three", MAIL + "*.wild A 127.0.0.9\n", nsec3=1),
    Zone("optout", MAIL + "child NS ns.child\nns.child A 127.0.0.3\n", nsec3=0, optout=True),
    Zone("many", MAIL, nsec3=100),
    Zone("toomany", MAIL, nsec3=500),
    Zone("unsigned", MAIL, signed=False, ds=False),
    Zone("nods", MAIL + "*.wild A 127.0.0.9\n", ds=False),
    Zone("stripped", MAIL, signed=False, ds_text=other_ds("stripped")),
    Zone("replayed", MAIL + "*.wild A 127.0.0.9\nthere.wild A 127.0.0.2\n", damage=replay),
    Zone("broken", MAIL, damage=break_signature("_25._tcp.mx.broken.", "TLSA")),
    Zone("brokenkeys", MAIL, damage=break_signature("brokenkeys.", "DNSKEY")),
    Zone("expired", MAIL, expired=True),
    Zone("nodenial", MAIL, damage=remove("mx.nodenial.", "NSEC")),
    Zone("unsignedset", MAIL, damage=lambda t: "".join(
        l for l in t.splitlines(True) if not (l.startswith("_25._tcp.mx.unsignedset.") and "\tRRSIG\tTLSA " in l))),
    Zone("keytrap", MAIL, extra_keys=colliding(60), damage=forged(60, "_25._tcp.mx.keytrap.", "TLSA")),
    Zone("wrong", MAIL, ds_text=other_ds("wrong")),
]

CASES = [
    ("a secure name", "tlsa=_25._tcp.mx.good.ex", TLSA_SHOWN + "/yes"),
    ("a secure name", "mx=good.ex", "10 mx.good.ex/yes"),
    ("NSEC3", "tlsa=_25._tcp.mx.three", TLSA_SHOWN + "/yes"),
    ("secure alias", "a=to-good.ex", "127.0.0.2/yes"),
    ("alias to an unsigned zone", "a=to-unsigned.ex", "127.0.0.2/no"),
    ("alias to broken data", "tlsa=to-broken.ex", "DEFER"),
    ("DNAME", "a=mx.under.ex", "127.0.0.2/yes"),
    ("too many aliases", "a=c0.ex", "DEFER"),
    ("wildcard, NSEC", "a=x.wild.good.ex", "127.0.0.9/yes"),
    ("wildcard, NSEC3", "a=x.wild.three", "127.0.0.9/yes"),
    ("wildcard without the type, NSEC", "tlsa=x.wild.good.ex", "none/yes"),
    ("wildcard without the type, NSEC3", "tlsa=x.wild.three", "none/yes"),
    ("wildcard, misused for a name that exists", "a=there.wild.replayed", "DEFER"),
    ("denial of the type, NSEC", "tlsa=mx.good.ex", "none/yes"),
    ("denial of the name, NSEC", "tlsa=_25._tcp.empty.good.ex", "none/yes"),
    ("denial of the type, NSEC3", "tlsa=mx.three", "none/yes"),
    ("denial of the name, NSEC3", "tlsa=_25._tcp.empty.three", "none/yes"),
    ("a TLSA record of no use, rightly signed", "tlsa=_25._tcp.odd.good.ex", "3 1 9 ab/yes"),
    ("unsigned zone", "tlsa=_25._tcp.mx.unsigned", TLSA_SHOWN + "/no"),
    ("unsigned zone, no such name", "tlsa=_25._tcp.empty.unsigned", "none/no"),
    ("signed zone without DS", "tlsa=_25._tcp.mx.nods", TLSA_SHOWN + "/no"),
    ("signed zone without DS, denial", "tlsa=mx.nods", "none/no"),
    ("signed zone without DS, wildcard", "a=x.wild.nods", "127.0.0.9/no"),
    ("100 iterations of NSEC3: denies nothing", "tlsa=mx.many", "none/no"),
    ("500 iterations of NSEC3", "tlsa=mx.toomany", "DEFER"),
    ("500 iterations of NSEC3, where no denial is needed", "tlsa=_25._tcp.mx.toomany", TLSA_SHOWN + "/yes"),
    ("broken signature", "tlsa=_25._tcp.mx.broken", "DEFER"),
    ("the same zone, whole signature", "a=mx.broken", "127.0.0.2/yes"),
    ("broken signature of the keys", "tlsa=_25._tcp.mx.brokenkeys", "DEFER"),
    ("expired signatures", "tlsa=_25._tcp.mx.expired", "DEFER"),
    ("denial without a proof", "tlsa=mx.nodenial", "DEFER"),
    ("data without their signature", "tlsa=_25._tcp.mx.unsignedset", "DEFER"),
    ("DS of another key", "tlsa=_25._tcp.mx.wrong", "DEFER"),
    ("DS, but no signatures at all", "tlsa=_25._tcp.mx.stripped", "DEFER"),
    ("61 signatures and 60 keys of one tag (KeyTrap)", "tlsa=_25._tcp.mx.keytrap", "DEFER"),
]

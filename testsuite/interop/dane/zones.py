"""Signed zones of a root of their own, made with the ldns tools, for nsd. Used by `check` beside it."""
import base64, os, random, re, struct, subprocess

HEAD = "$TTL 300\n@ SOA ns.{o} admin.{o} 1 3600 600 86400 60\n@ NS ns.{o}\nns A 127.0.0.3\n"
ALGORITHM = "ECDSAP256SHA256"


class Zone:
    """One zone: how it is signed, and what its parent says of it."""

    def __init__(self, name, text, ds=True, signed=True, nsec3=None, optout=False, expired=False, damage=None, extra_keys=(),
                 ds_text=None):
        self.name, self.text, self.ds, self.signed = name, text, ds, signed
        self.nsec3, self.optout, self.expired, self.damage, self.extra_keys = nsec3, optout, expired, damage, extra_keys
        self.ds_text = ds_text


def run(*args, cwd):
    p = subprocess.run(args, cwd=cwd, capture_output=True, text=True)
    assert p.returncode == 0, f"{args}: {p.stdout}{p.stderr}"
    return p.stdout


def make(zone, directory):
    """Signs a zone; gives the name of the file for nsd."""
    origin = zone.name if zone.name == "." else zone.name + "."
    base = "root" if zone.name == "." else zone.name
    path = f"{directory}/{base}"
    head = HEAD.format(o="" if zone.name == "." else origin)
    if zone.name == ".":
        head = head.replace("ns.", "ns.root.").replace("ns A", "ns.root. A").replace("admin.", "admin.root.")
    open(path, "w").write(f"$ORIGIN {origin}\n{head}{zone.text}\n")
    if not zone.signed:
        return path
    keys = []
    for flags in (["-k"], []):
        keys.append(run("ldns-keygen", "-r", "/dev/urandom", "-a", ALGORITHM, *flags, origin, cwd=directory).strip())
    if zone.extra_keys:
        tag = key_tag_of(open(f"{directory}/{keys[1]}.key").read())
        with open(path, "a") as f:
            for key in zone.extra_keys(tag):
                f.write(f"@ DNSKEY 256 3 13 {key}\n")
    args = ["-f", path + ".signed", "-o", origin]
    args += ["-i", "20200101000000", "-e", "20200301000000"] if zone.expired else ["-e", "20370101000000"]
    if zone.nsec3 is not None:
        args += ["-n", "-t", str(zone.nsec3), "-s", "abcd"] + (["-p"] if zone.optout else [])
    run("ldns-signzone", *args, path, *keys, cwd=directory)
    zone.ds_text = zone.ds_text or run("ldns-key2ds", "-n", "-2", f"{directory}/{keys[0]}.key", cwd=directory)
    zone.anchor = open(f"{directory}/{keys[0]}.key").read()
    if zone.damage:
        text = open(path + ".signed").read()
        changed = zone.damage(text)
        assert changed != text
        open(path + ".signed", "w").write(changed)
    return path + ".signed"


def key_tag(rdata):
    total = sum(b << 8 if i % 2 == 0 else b for i, b in enumerate(rdata))
    return (total + (total >> 16)) & 0xffff


def key_tag_of(record):
    return key_tag(struct.pack("!HBB", 256, 3, 13) + base64.b64decode(re.search(r"DNSKEY\s+256 3 13 (\S+)", record)[1]))


def colliding(count):
    """Public keys that have the tag of another key, as in the attack named KeyTrap."""
    def make_keys(tag):
        found = []
        while len(found) < count:
            key = bytearray(random.randbytes(64))
            for n in range(65536):
                key[62:64] = struct.pack("!H", n)
                if key_tag(struct.pack("!HBB", 256, 3, 13) + key) == tag:
                    found.append(base64.b64encode(key).decode())
                    break
        return found
    return make_keys


def break_signature(owner, rtype):
    """Changes a signature; the data stay."""
    def damage(text):
        out = []
        for line in text.splitlines():
            f = line.split("\t")
            if f[0] == owner and len(f) > 4 and f[3] == "RRSIG" and f[4].startswith(rtype + " "):
                head, sig = line.rsplit(" ", 1)
                line = head + " " + ("A" if sig[0] != "A" else "B") + sig[1:]
            out.append(line)
        return "\n".join(out) + "\n"
    return damage


def forged(count, owner, rtype):
    """Adds signatures that are wrong, by the dozen, in front of the right one; which is broken too."""
    def damage(text):
        out = []
        for line in break_signature(owner, rtype)(text).splitlines():
            f = line.split("\t")
            if f[0] == owner and len(f) > 4 and f[3] == "RRSIG" and f[4].startswith(rtype + " "):
                head = line.rsplit(" ", 1)[0]
                out += [head + " " + base64.b64encode(random.randbytes(64)).decode() for _ in range(count)]
            out.append(line)
        return "\n".join(out) + "\n"
    return damage


def remove(owner, rtype):
    """Leaves out records of a type, with their signatures."""
    def damage(text):
        def kept(line):
            f = line.split("\t")
            return not (f[0] == owner and len(f) > 4 and (f[3] == rtype or f[3] == "RRSIG" and f[4].startswith(rtype + " ")))
        return "\n".join(l for l in text.splitlines() if kept(l)) + "\n"
    return damage


def write_all(zones, directory):
    """All the zones below a root; gives nsd's configuration of them. The root's key is in `anchors`."""
    os.makedirs(directory, exist_ok=True)
    conf, delegations = "", ""
    for z in sorted(zones, key=lambda z: -z.name.count(".")):
        parent = [p for p in zones if p is not z and z.name.endswith("." + p.name)]
        conf += f"zone:\n  name: {z.name}\n  zonefile: {make(z, directory)}\n"
        text = f"{z.name}. NS ns.{z.name}.\nns.{z.name}. A 127.0.0.3\n" + (z.ds_text or "" if z.ds else "")
        if parent:
            parent[0].text += text
        else:
            delegations += text
    root = Zone(".", delegations)
    conf += f"zone:\n  name: .\n  zonefile: {make(root, directory)}\n"
    open(directory + "/anchors", "w").write(root.anchor)
    return conf

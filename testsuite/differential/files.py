"""The configuration and the files that the lookups of expansions and lists read."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = {
    'lsearch': 'a: one\nb : two words\n"c d": quoted\n# comment\nlong: first\n  second\n\tthird\nu1: user\nempty:\n*: star\n*@b.c: atstar\n'
               'b.c: bc\nx.y.z: xyz\nB2: upper\ncolon\\:key: no\n"es\\"c": esc\n1.2.3.4: ip\n',
    'wild': '*.b.c: starbc\n*.c: starc\na.b.c: exact\n*: all\n*.: dot\n',
    'regex': '^u\\d+: digits\n*.tail: tail\nplain: p\n"^q(.)(.)": two $1 $2\n*x: endsx\n^\\N(\\d+)\\.ex$\\N: num $1\n',
    'nets': '10.1.2.0/24: net24\n10.1.0.0/16: net16\n10.1.2.3: host\n2001.db8.0.0.0.0.0.0/32: six\n2001.db8.0.0.0.0.0.7: seven\n',
    'ips': '10.5.0.0/16: five\n10.5.1.1: host five\n"2001:db8:5::/48": six five\n*: default\n1.2.3.4: one\n',
    'at': 'b.c: u1:u2:!u3:*\ny.z: spl*:^n[0-9]\n*: any\nchain.ex: c1:>b.c\n',
    'text': 'line one\nline two\nlast\n',
    'no-newline': 'one line',
    'empty': '',
}


def prepare(both):
    for name, text in FILES.items():
        both.write('files/' + name, text)
    for name in ('dir/one', 'dir/two', 'dir/sub/x'):
        both.write('files/' + name, 'x')
    for name in ('spool', 'spool/log'):
        os.makedirs(os.path.join(both.dir, name), exist_ok=True)
        os.chmod(os.path.join(both.dir, name), 0o777)
    with open(os.path.join(HERE, 'expand.conf')) as f:
        return both.write('expand.conf', f.read())


def subst(both, lines):
    return [l.encode().replace(b'DIR', both.dir.encode()) for l in lines]

"""Lists: match_domain, match_address, match_local_part, match_ip, inlist, with every kind of item."""
import files

DOMAINS = ['aa.bb', 'x.aa.bb', 'X.AA.bb', 'b.c', 'q.b.c', 'a.b.c', 'c', 'xxx', 'xxxabc', 'test.ex', 'myhost.test.ex', 'MyHost.Test.EX', '', 'a', 'b;c', 'plain',
           'u77', 'foo.tail', '[1.2.3.4]', 'x.y.z', '10.ex', 'b2', 'empty', 'nosuch.dom', 'x.', '*', 'one', 'sub']
LOCALS = ['u1', 'U1', 'pre-x', 'x-post', 'pre-', 'a12', 'a', '', 'A12', '*', 'long', 'x+y', 'colon:key', 'empty', 'spl9', 'n5']
ADDRESSES = ['u1@b.c', 'U1@B.C', 'u3@b.c', 'zz@b.c', 'x9@y.z', 'spl9@y.z', 'n5@y.z', 'q@y.z', 'any@aa.bb', 'a@b@c', 'nodomain', '', '@b.c', 'u1@', 'c1@chain.ex',
             'u2@chain.ex', '*@b.c', 'x@nosuch.dom', '"q q"@b.c', 'u1@sub.b.c']
IPS = ['10.11.12.13', '1.2.3.4', '1.2.4.4', '10.1.2.3', '10.1.9.9', '10.9.1.1', '10.5.1.1', '10.5.9.9', '2001:db8::7', '2001:DB8::8', '2001:db8:5::1', '::ffff:1.2.3.4', '::1',
       'nonsense', '', '1.2.3', '1.2.3.4.5', '10.1.2.3/24', 'fe80::1%lo', '255.255.255.255']
DOMAIN_ITEMS = ['aa.bb', 'AA.BB', '*.aa.bb', '*aa.bb', '*', '@', '@[]', '*.c', '*c', '^x+', '^\\N^x{3}\\N', '^xxx(.*)\\$', '^\\N(\\w+)\\.tail$\\N', '^(', '+dlist', '+elist', '+flist', '+nosuch', '+files', '+refused',
                'lsearch;DIR/files/lsearch', 'partial-lsearch;DIR/files/wild', 'partial0-lsearch;DIR/files/wild', 'partial1-lsearch;DIR/files/wild', 'partial(xx.)lsearch;DIR/files/wild',
                'wildlsearch;DIR/files/regex', 'nwildlsearch;DIR/files/regex', 'lsearch*;DIR/files/lsearch', 'lsearch*@;DIR/files/lsearch', 'lsearch;/nonexist', 'nosuch;/x', 'lsearch;', 'dsearch;DIR/files/dir',
                'dsearch,filter=dir;DIR/files/dir', 'dsearch,ret=full;DIR/files/dir', 'lsearch,ret=key;DIR/files/lsearch', '', 'b..c', '\\*', 'a b', 'DIR/files/text', '/nonexist', 'relative/file', 'passwd;root', 'sqlite;select 1',
                'net-lsearch;DIR/files/nets', '[1.2.3.4]', '+caseful', '+include_unknown', '*.', '.', 'iplsearch;DIR/files/ips']
LOCAL_ITEMS = ['u1', 'U1', 'pre-*', '*-post', '*', '^a[0-9]+\\$', '^\\N^A\\d+$\\N', '+plist', '+dlist', '+nosuch', 'lsearch;DIR/files/lsearch', 'wildlsearch;DIR/files/regex', '+caseful', '', '@', 'partial-lsearch;DIR/files/wild', 'lsearch*;DIR/files/lsearch', 'passwd;root', 'x+y', 'nosuch;/x']
ADDRESS_ITEMS = ['u1@b.c', 'U1@b.c', 'u1@*', '*@b.c', '*@*.c', '*@+dlist', 'u1@+dlist', '*@+nosuch', '@b.c', 'b.c', '*.c', '^u.@b\\.c', '^\\N^U1@\\N', '+alist', '+dlist', '+nosuch', '@@lsearch;DIR/files/at', '@@lsearch*;DIR/files/at',
                 '@@partial-lsearch;DIR/files/wild', 'lsearch;DIR/files/lsearch', 'lsearch*@;DIR/files/lsearch', 'lsearch*;DIR/files/lsearch', 'partial-lsearch;DIR/files/wild', '*@lsearch;DIR/files/lsearch', 'u*@b.c', '*1@b.c', 'u1@lsearch;DIR/files/lsearch',
                 '+caseful', '', '*', '@@DIR/files/at', 'u1', '*@', '^', '"q q"@b.c', 'wildlsearch;DIR/files/regex', 'sqlite;select 1', '*@^b', 'u1@^b\\.c', '@@', 'nosuch;/x']
IP_ITEMS = ['10.11.12.13', '1.2.3.0/24', '1.2.3.4/33', '0.0.0.0/0', '::/0', '2001:db8::/32', '2001:0db8::7', '"2001::1"', '[1.2.3.4]', '[1.2.3.4]/24', '::ffff:1.2.3.4', '*', '@', '@[]', '+hlist', '+nets', '+dlist', '+nosuch', 'net-lsearch;DIR/files/nets',
            'net24-lsearch;DIR/files/nets', 'net16-lsearch;DIR/files/nets', 'net32-lsearch;DIR/files/nets', 'net-iplsearch;DIR/files/ips', 'iplsearch;DIR/files/ips', 'iplsearch*;DIR/files/ips', 'lsearch;DIR/files/lsearch', 'net-lsearch*;DIR/files/nets',
            'net0-lsearch;DIR/files/nets', 'net129-lsearch;DIR/files/nets', 'net64-lsearch;DIR/files/nets', '1.2.3', '1.2.3.4/', '1.2.3.4/x', 'nonsense', 'host.name', '', '<empty>', '10.0.0.0/8', '10.1.0.0/16', '+include_unknown', '+ignore_unknown', '^1', '*.1',
            'DIR/files/text', '/nonexist', 'net-partial-lsearch;DIR/files/nets', 'nosuch;/x', 'net-nosuch;/x', '1.2.3.4/24/8']
KINDS = [('match_domain', DOMAINS, DOMAIN_ITEMS), ('match_local_part', LOCALS, LOCAL_ITEMS), ('match_address', ADDRESSES, ADDRESS_ITEMS), ('match_ip', IPS, IP_ITEMS)]


def escaped(item, sep):
    return item.replace(sep, sep + sep)


def line(rng, kind, subject, items):
    sep = rng.choice([':', ':', ':', ';', ',', '|'])
    text = rng.choice(['', ' ']).join('')
    text = (' %s ' % sep).join(rng.choice(['', '', '', '! ', '!']) + escaped(i, sep) for i in items)
    text = ('' if sep == ':' else '<%s ' % sep) + text
    return '${if %s{%s}{%s}{yes <$value> <$0> <$1> <$2>}{no}}' % (kind, subject.replace('\\', '\\\\'), text)


def run(both, rng, count):
    conf = files.prepare(both)
    lines = []
    for kind, subjects, items in KINDS:
        for subject in subjects:
            for item in items:
                if len(lines) < count * 3:
                    lines.append(line(rng, kind, subject, [item]))
    for _ in range(count):
        kind, subjects, items = rng.choice(KINDS)
        lines.append(line(rng, kind, rng.choice(subjects), [rng.choice(items) for _ in range(rng.randint(2, 4))]))
    both.lines('lists', ['-C', conf, '-be'], files.subst(both, lines))

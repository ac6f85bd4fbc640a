"""Addresses as operators see them, and as -bv reads them."""
import files

PIECES = ['a', 'b.c', 'user', 'x.ex', '@', '<', '>', '"', '(', ')', '[', ']', ':', ';', ',', '.', '..', '\\\\', ' ', 'Phrase', '"q q"', '(comment)', '(nested (c))', '[1.2.3.4]', '[IPv6:::1]', 'grp:', '@r1.ex,@r2.ex:',
          'a@b.c', '<a@b.c>', 'u@x.ex', 'ä', '=?utf-8?Q?a?=', '\\\\"', "o'b", '%', '!', '+', '-', '_', '/', '\\t', 'x..y', '.x', 'x.', '<>', '<a@b.c', 'a@b.c>', '"', '\\x01']
HAND = ['a@b.c', ' a@b.c ', 'a @ b . c', 'a. b@c', '"a b"@c.d', '"a"@c.d', '"a\\\\"b"@c.d', 'a@[1.2.3.4]', 'a@[IPv6:::1]', 'a@[x]', 'a@[', 'a@b.', 'a@.b', 'a@b..c', 'a.@b', '.a@b', 'a..b@c', '@b.c', 'a@', '@', '', '<>', '<a@b>', '<a@b> x',
        'x <a@b>', 'x y <a@b> (c)', '"x, y" <a@b>', 'x. y <a@b>', '(c) a@b (d)', 'a(c)@b(d)', '<@x:a@b>', '<@x,@y:a@b>', '@x:a@b', '<@x a@b>', 'g: a@b;', 'g: a@b, c@d;', 'g:;', 'a@b, c@d', 'a@b c@d', 'a b@c', '<a b@c>', '<a@b', 'a@b>', '<<a@b>>',
        'a@b@c', '<a@b@c>', 'a%b@c', 'a!b', 'a', '<a>', 'x <a>', '"a', 'a@b (', 'a@b )', 'a\\\\b@c', 'ä@b', 'a@ä.c', 'x ä <a@b>', 'a@b;', 'a@b.c.', 'very' + 'long' * 80 + '@b.c', 'a@' + 'x' * 70 + '.c', 'a@b-c', 'a@-b', 'a@b_c', 'a@1.2', 'a@b.1',
        '\\"a@b', 'a@b\\t', 'a\\n@b', '"a\\nb"@c', '"a@b"@c', '"\\\\a"@b', '"a\\\\"@b', '""@b', '" "@b', '"a"."b"@c', 'a."b"@c', '"a"b@c', 'x "a" <a@b>', '"x" y <a@b>', 'x:y <a@b>', 'x;y <a@b>', 'x@y <a@b>', '=?u?Q?a?= <a@b>', 'a<a@b>', '<a@b>a', "a'b@c", 'a+b@c', 'a=b@c']


def text(rng):
    return ''.join(rng.choice(PIECES) for _ in range(rng.randint(1, 7)))


def run(both, rng, count):
    conf = files.prepare(both)
    subjects = HAND + [text(rng) for _ in range(count // 4)]
    lines = []
    for s in subjects:
        # Braces and dollars are the expansion's own.
        for op in ('address', 'domain', 'local_part', 'addresses'):
            lines.append('${%s:%s}' % (op, s))
        lines.append('${addresses:>+ %s, z@z.ex}' % s)
        lines.append('${quote_local_part:%s} ${quote:%s}' % (s, s))
    both.lines('address', ['-C', conf, '-be'], files.subst(both, lines))
    for strip in ('', 'strip_excess_angle_brackets\nstrip_trailing_dot\nallow_utf8_domains\n'):
        router = 'begin routers\nr:\n  driver = accept\n  verify_only\n'
        conf = both.write('address.conf', 'primary_hostname = my.ex\nqualify_domain = q.ex\nlog_file_path = DIR/spool/%slog\nspool_directory = DIR/spool\n' + strip + router)
        plain = [s for s in HAND if '\\n' not in s and s] + [t for t in subjects[len(HAND):len(HAND) + 150]]
        stdin = '\n'.join(p.replace('\\t', ' ').replace('\\\\', '\\') for p in plain) + '\n'
        for p in plain:
            both.run('address', ['-C', conf, '-bv'], (p.replace('\\t', ' ').replace('\\\\', '\\') + '\n').encode(), label=('-bv ' + p).encode())

"""What -bt and -bv say of addresses with a configuration that has all routers."""
import os

import files

ALIASES = '''root: admin@q.ex
admin: one, two@relay.ex
one: /tmp/file
two: |/bin/cat
dir: /tmp/dir/
multi: a@relay.ex, b@smart.ex,
   c@gone.ex
loop: loop
loop1: loop2
loop2: loop1, x@relay.ex
bad: not an@address
fail: :fail: no such person $local_part
defer: :defer: come back later
black: :blackhole:
unknown: :unknown:
include: :include:DIR/files/include
noinclude: :include:/nonexist
empty:
quoted: "|/bin/echo a b", "x y"@relay.ex
self: self, other@relay.ex
backslash: \\self
mixed: :fail: x, a@relay.ex
pipefail: "|/bin/x
list: x@list.ex
'''
PARTS = ['root', 'admin', 'one', 'two', 'dir', 'multi', 'loop', 'loop1', 'bad', 'fail', 'defer', 'black', 'unknown', 'include', 'noinclude', 'empty', 'quoted', 'self', 'backslash', 'mixed', 'pipefail', 'list', 'real-root', 'real-root+x', 'REAL-root',
         'real-nosuch', 'a', 'ab', 'AB', 'x', 'stop', 'none', 'file', 'd', 'f', 'nosuch', 'a.b', '"a b"', 'postmaster', 'a+b', 'mail', 'Root']
DOMAINS = ['r.ex', 'q.ex', 'sub.loc.ex', 'list.ex', 'gone.ex', 'relay.ex', 'smart.ex', 'x.smart.ex', 'self.ex', 'rand.ex', 'data.ex', '[10.2.2.2]', '[10.9.9.9]', '[127.0.0.1]', 'prog.ex', 'cannot.ex', 'cond.ex', 'verify.ex', 'last.ex', 'bad.ex', 'nowhere.ex', 'R.EX']
OTHER = ['root', 'x', 'a@b@c', '@r.ex', 'x@', '<root@r.ex>', 'Phrase <root@r.ex>', '|/bin/cat', '/tmp/x', ':fail:', 'root@r.ex extra@r.ex', '', 'x@relay.ex, y@relay.ex', '"quoted"@relay.ex', 'x%relay.ex', 'root@r.ex ']


def run(both, rng, count):
    files.prepare(both)
    both.write('files/aliases', ALIASES)
    both.write('files/include', 'inc@relay.ex\n# comment\n"|/bin/true"\nroot\n')
    both.write('files/program', '#!/bin/sh\ncase $1 in a) echo "ACCEPT HOSTS=10.8.8.8 DATA=d";; x) echo "FAIL no $1";; d) echo "DEFER later";; f) echo FREEZE;; root) echo "REDIRECT a@relay.ex";; stop) echo "PASS";; none) exit 1;; nosuch) echo BAD;; *) echo DECLINE;; esac\n', 0o755)
    with open(os.path.join(files.HERE, 'rich.conf')) as f:
        conf = both.write('rich.conf', f.read())
    addresses = OTHER + ['%s@%s' % (p, d) for d in DOMAINS for p in PARTS if d in ('r.ex', 'prog.ex', 'cond.ex', 'list.ex', 'last.ex', 'data.ex') or p in ('a', 'x', 'stop', '"a b"', 'root')]
    for a in addresses:
        for mode in (['-bt'], ['-bv'], ['-bvs']):
            both.run('routing', ['-C', conf, '-f', 's@q.ex', *mode, a])
        both.run('routing', ['-C', conf, '-f', '', '-bt', a])

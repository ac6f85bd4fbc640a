"""Expansions from the grammar."""
import re

import files
from grammar import Gen


def run(both, rng, count):
    conf = files.prepare(both)
    gen = Gen(rng)
    lines = []
    while len(lines) < count:
        l = gen.line()
        # The reference divides by these without looking.
        if l and not l.startswith('set') and not re.search(r'nh(ash)?(_0|_-|\{[0-])|hash\{\d+\}\{0|_0\b', l):
            lines.append(l)
    both.lines('expand', ['-C', conf, '-be'], files.subst(both, lines))

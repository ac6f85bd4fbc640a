"""Lines written by hand (edge.txt), and every name with too few and too many arguments, and deep nesting."""
import os

import files
from grammar import OPS1

ITEMS = ['acl', 'authresults', 'certextract', 'dlfunc', 'env', 'extract', 'filter', 'hash', 'hmac', 'if', 'imapfolder', 'length', 'listextract',
         'listquote', 'lookup', 'map', 'nhash', 'perl', 'prvs', 'prvscheck', 'readfile', 'readsocket', 'reduce', 'run', 'sg', 'sort',
         'srs_encode', 'substr', 'tr']
CONDITIONS = ['=', '==', '<', '<=', '>', '>=', 'acl', 'and', 'bool', 'bool_lax', 'crypteq', 'def', 'eq', 'eqi', 'exists', 'first_delivery',
              'forall', 'forany', 'ge', 'gei', 'gt', 'gti', 'inbound_srs', 'inlist', 'inlisti', 'isip', 'isip4', 'isip6', 'le', 'lei', 'lt', 'lti',
              'match', 'match_address', 'match_domain', 'match_ip', 'match_local_part', 'or', 'queue_running', 'nosuch']
ENDS = ['', '{', '{}', '{a}', '{a', '{a}{', '{a}{b', '{a}b', '{a} {b}', 'a', ' ', '{1}{2}{c}x', '{a}fail', '{1}{b}fail']


def arity():
    for name in ITEMS:
        for end in ENDS:
            yield '${%s%s}' % (name, end)
            yield '${%s%s' % (name, end)
        for n in range(7):
            yield '${%s%s}' % (name, '{3}' * n)
        yield '${%s_1{a}{b}}' % name
    for name in CONDITIONS:
        for end in ENDS:
            yield '${if %s%s}' % (name, end)
            yield '${if %s%s{yes}{no}}' % (name, end)
        for n in range(4):
            yield '${if %s%s {yes}{no}}' % (name, '{3}' * n)
            yield '${if %s:%s {yes}{no}}' % (name, '{x}' * n)
    for name in OPS1:
        for text in ('', ' ', '}', 'a}b', '${', '{a}'):
            yield '${%s:%s}' % (name, text)
        for arg in ('_', '_1', '_x', '_1_', '_1_2', '_-1', '_1_2_3', '__', '_99999999999'):
            yield '${%s%s:abc}' % (name, arg)
        yield '${%s}' % name
        yield '${%s' % name


def deep():
    for n in (5, 10, 20):
        yield '${uc:' * n + 'a' + '}' * n
        yield '${if eq{a}{a}{' * n + 'x' + '}}' * n
        yield '${map{a}{' * n + '$item' + '}}' * n
        yield '${if ' + '!' * n + 'eq{a}{b}{y}{n}}'
        yield '${if ' + 'and{{' * n + 'eq{a}{a}' + '}}' * n + '{y}{n}}'
    yield '${eval:' + '(' * 30 + '1' + ')' * 30 + '}'


def run(both, rng, count):
    conf = files.prepare(both)
    with open(os.path.join(files.HERE, 'edge.txt')) as f:
        lines = [l.rstrip('\n') for l in f if l.strip() and not l.startswith('# ')]
    lines += [l.rstrip('\\') for l in [*arity(), *deep()]]
    both.lines('edge', ['-C', conf, '-be'], files.subst(both, [l for l in lines if l.strip() and not l.startswith('set,') and not l.endswith('\\')]))

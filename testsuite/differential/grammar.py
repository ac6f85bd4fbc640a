"""Makes string expansions from a grammar of all items, operators and conditions, some of them damaged."""
import re

WORDS = ['a', 'b', 'abc', 'monty python', 'A1', '0', '1', '7', '42', '-3', '10', '3k', '1M', ' x ', '', 'a:b:c', '<;a;b;c', 'a,b',
         'user@test.ex', 'X <u@d.ex> (c)', '1.2.3.4', '::1', '2001:db8::7', '10.1.2.3/24', 'fe80::1/10', 'key=val x="y z"',
         '\\n', '\\t', '\\x41', '\\101', '\\\\', '\\$', '\\}', '\\{', 'äö', '\\xff', '/etc', '/nonexist', 'yes', 'no', 'true',
         '1h', '2d3h', '12345', 'YWJj', 'deadbeef', '=?utf-8?Q?=C3=A4?=', 'lower UPPER', 'a.b-c_d', '["x","y"]', '[1,2]', 'xn--bcher-kva']
VARS = ['$primary_hostname', '${primary_hostname}', '$sender_ident', '$item', '$h_subject:', '$domain',
        '${runrc}', '$acl_m_x', '$r_x', '$nosuch', '$tls_in_cipher']
OPS1 = ['address', 'addresses', 'base32', 'base32d', 'base62', 'base62d', 'base64', 'base64d', 'domain', 'escape', 'escape8bit',
        'eval', 'eval10', 'expand', 'from_utf8', 'hex2b64', 'hexquote', 'ipv6denorm', 'ipv6norm', 'lc', 'listcount', 'local_part',
        'mask', 'mask_n', 'md5', 'quote', 'quote_local_part', 'reverse_ip', 'rfc2047', 'rfc2047d', 'rxquote', 'sha1', 'sha2',
        'sha256', 'sha2_384', 'sha3', 'sha3_512', 'stat', 'str2b64', 'strlen', 'time_eval', 'time_interval', 'uc',
        'utf8_domain_from_alabel', 'utf8_domain_to_alabel', 'utf8_localpart_from_alabel', 'utf8_localpart_to_alabel', 'utf8clean',
        'nosuch', 'listnamed', 'listnamed_d']


class Gen:
    def __init__(self, rng):
        self.r = rng

    def word(self):
        return self.r.choice(WORDS)

    def num(self):
        return str(self.r.choice([0, 1, 2, 3, 5, 7, 10, 26, 62, 100, -1, -2, -5, 12345]))

    def pos(self):
        return str(self.r.choice([1, 2, 3, 5, 7, 10, 26, 50, 62]))

    def text(self, d):
        n = self.r.choice([1, 1, 1, 2])
        return ''.join(self.part(d) for _ in range(n))

    def part(self, d):
        k = self.r.random()
        if d <= 0 or k < .55:
            return self.word()
        if k < .65:
            return self.r.choice(VARS)
        return self.item(d - 1)

    def list(self, d):
        r = self.r
        if r.random() < .3:
            return self.text(d)
        sep = r.choice([':', ':', ':', ';', ',', ' : '])
        items = [self.word().replace(':', '') for _ in range(r.randint(0, 4))]
        lead = '' if sep.strip() == ':' else '<%s ' % sep
        return lead + sep.join(items)

    def yesno(self, d):
        r = self.r
        k = r.random()
        if k < .3:
            return ''
        if k < .5:
            return '{%s}' % self.text(d)
        if k < .9:
            return '{%s}{%s}' % (self.text(d), self.text(d))
        return '{%s}fail' % self.text(d)

    def expr(self):
        r = self.r
        s = r.choice(['1', '7', '0x1f', '077', '10k', '(3', '-2', '~5', '12', '100'])
        for _ in range(r.randint(0, 5)):
            s += r.choice(['+', '-', '*', '/', '%', '&', '|', '^', '<<', '>>', ' + ', '- ', ')', '('])
            s += r.choice(['1', '7', '0x1f', '3', '-2', '~5', '12', ' 4', '(2+1)', '9'])
        return s

    def cond(self, d):
        r = self.r
        k = r.randint(0, 17)
        neg = r.choice(['', '', '', '!', '! '])
        t = lambda: self.text(d)
        if k == 0:
            c = r.choice(['eq', 'eqi', 'lt', 'lti', 'le', 'lei', 'gt', 'gti', 'ge', 'gei']) + '{%s}{%s}' % (t(), t())
        elif k == 1:
            c = r.choice(['=', '==', '<', '>', '<=', '>=']) + '{%s}{%s}' % (self.num(), r.choice([self.num(), t()]))
        elif k == 2:
            c = 'and{{%s}{%s}}' % (self.cond(d - 1), self.cond(d - 1)) if d > 0 else 'eq{a}{a}'
        elif k == 3:
            c = 'or{{%s}{%s}}' % (self.cond(d - 1), self.cond(d - 1)) if d > 0 else 'eq{a}{b}'
        elif k == 4:
            c = r.choice(['forany', 'forall']) + '{%s}{%s}' % (self.list(d), self.cond(d - 1) if d > 0 else 'eq{$item}{a}')
        elif k == 5:
            c = 'def:' + r.choice(['primary_hostname', 'h_subject:', 'sender_host_address', 'acl_m_x', 'nosuch', 'tls_in_cipher'])
        elif k == 6:
            c = r.choice(['isip', 'isip4', 'isip6']) + '{%s}' % t()
        elif k == 7:
            c = 'exists{%s}' % r.choice(['/etc', '/nonexist', '/'])
        elif k == 8:
            c = r.choice(['inlist', 'inlisti']) + '{%s}{%s}' % (self.word(), self.list(d))
        elif k == 9:
            c = 'match{%s}{%s}' % (t(), r.choice(['a', '(.)(.*)', '^[a-z]+\\$', '\\N(\\d+)\\N', '(', 'x*', '(?i)A']))
        elif k == 10:
            c = r.choice(['bool', 'bool_lax']) + '{%s}' % r.choice(['yes', 'no', '1', '0', ' true', '', 'x'])
        elif k == 11:
            c = 'crypteq{%s}{%s}' % (self.word(), r.choice(['', '\\{md5\\}CY9rzUYh03PK3k6DJie09g==', 'azrazPWCQJhyg', '\\{foo\\}x']))
        elif k == 12:
            c = r.choice(['first_delivery', 'queue_running'])
        elif k == 13:
            c = 'forany_json{["a","b"]}{eq{$item}{"b"}}'
        elif k == 14:
            c = r.choice(['eq {%s} {%s} ', 'eq\\t{%s}{%s}', 'nosuch{%s}{%s}']) % (t(), t())
        else:
            c = 'eq{%s}{%s}' % (self.word(), self.word())
        return neg + c

    def item(self, d):
        r = self.r
        t = lambda: self.text(d)
        k = r.randint(0, 30)
        if k <= 8:
            op = r.choice(OPS1)
            arg = self.expr() if op.startswith('eval') else t()
            return '${%s:%s}' % (op, arg)
        if k == 9:
            op = r.choice(['hash_%s', 'h_%s', 'length_%s', 'l_%s', 'nhash_%s', 'nh_%s', 'substr_%s', 's_%s'])
            return '${%s:%s}' % (op % (self.pos() if 'n' in op[:2] or op[0] == 'h' else self.num()), t())
        if k == 10:
            op = r.choice(['hash_%s_%s', 'nhash_%s_%s', 'substr_%s_%s', 's_%s_%s'])
            return '${%s:%s}' % (op % (self.pos(), self.pos()), t())
        if k == 11:
            return '${%s{%s}{%s}}' % (r.choice(['hash', 'nhash', 'length']), self.pos(), t())
        if k == 12:
            return '${substr{%s}{%s}{%s}}' % (self.num(), self.num(), t())
        if k in (13, 14, 15):
            return '${if %s%s}' % (self.cond(d), self.yesno(d))
        if k == 16:
            return '${extract{%s}{%s}%s}' % (r.choice(['key', 'x', 'KEY', 'z']), t(), self.yesno(d))
        if k == 17:
            return '${extract{%s}{%s}{%s}%s}' % (self.num(), r.choice([':', ':,', ' ']), t(), self.yesno(d))
        if k == 18:
            return '${listextract{%s}{%s}%s}' % (r.choice(['1', '2', '-1', '-2', '3', 'x']), self.list(d), self.yesno(d))
        if k == 19:
            return '${map{%s}{%s}}' % (self.list(d), r.choice(['$item', '[$item]', t(), '${uc:$item}']))
        if k == 20:
            return '${filter{%s}{%s}}' % (self.list(d), self.cond(d))
        if k == 21:
            return '${reduce{%s}{%s}{%s}}' % (self.list(d), self.word(), r.choice(['$value$item', '${eval:$value+1}', t()]))
        if k == 22:
            return '${sort{%s}{%s}{%s}}' % (self.list(d), r.choice(['lt', 'gt', 'lei', 'gei', 'le']), r.choice(['$item', 'x$item']))
        if k == 23:
            return '${sg{%s}{%s}{%s}}' % (t(), r.choice(['a', '(.)', 'x*', '^', '\\N\\d\\N', '[', 'b|c']), r.choice(['-', '<\\$1>', '', 'xy', '\\$0']))
        if k == 24:
            return '${tr{%s}{%s}{%s}}' % (t(), self.word(), self.word())
        if k == 25:
            return '${hmac{%s}{%s}{%s}}' % (r.choice(['md5', 'sha1', 'sha1', 'x']), self.word(), t())
        if k == 26:
            return '${prvscheck{%s}{secret}%s}' % (r.choice(['${prvs{u@d.ex}{secret}}', '${prvs{u@d.ex}{other}{3}}', 'x']),
                                                  r.choice(['', '{}', '{$prvscheck_address:$prvscheck_result}']))
        if k == 27:
            return '${listquote{%s}{%s}}' % (r.choice([':', ';', 'a']), t())
        if k == 28:
            return '${extract json%s{%s}{%s}%s}' % (r.choice(['', 's']), r.choice(['a', 'b', '1', '2']),
                r.choice(['\\{"a":"x","b":[1,2]\\}', '["p","q"]', '[1,2]', '\\{"a":5\\}']), self.yesno(d))
        if k == 29:
            return '${env{%s}%s}' % (r.choice(['USER', 'NOSUCH']), self.yesno(d))
        return '${imapfolder{%s}}' % r.choice(['Foo/Bar', 'Fäö', 'a&b', 'x'])

    def line(self):
        r = self.r
        s = ''.join(r.choice(['', 'x ', 'é']) + self.item(r.randint(0, 2)) for _ in range(r.choice([1, 1, 1, 2])))
        if r.random() < .35:
            for _ in range(r.randint(1, 2)):
                i = r.randrange(len(s))
                s = s[:i] + r.choice(['', '', '', '}', '{', '$', ' ', 'x', ':', '\\', 'fail']) + s[i + r.choice([0, 1, 1]):]
        return s.replace('\n', ' ').rstrip('\\').strip()

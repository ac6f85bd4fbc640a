"""Which tests use a row of doc/features: for scripts/coverage.

A row is looked for as what it stands for: an option of a driver together with that driver, an operator with its colon, a variable
with its `$`. Comments do not count. Scripted tests and the programs of testsuite/ (interop, differential, faults, load) are kept
apart, since a program is not run with the others."""
import glob, os, re

NAME = r'(?![A-Za-z0-9_])'
# Rows that no test uses, and why: a pattern of kind and name, and the reason.
REASONS = [
    (r'main_options ldap_(ca_cert_dir|cert_file|cert_key|cipher_suite|version)$', 'handed to libldap as it is; interop/lookups tries TLS with ldap_ca_cert_file, ldap_require_cert and ldap_start_tls'),
    (r'main_options perl_at_start$', 'only says when the Perl process starts; 4390 tries the Perl process'),
    (r'authenticator_options \S+ server_(hostname|mech|realm|service)$', 'handed to the library as it is; interop/authenticators tries its mechanisms with the defaults'),
    (r'authenticator_options dovecot server_tls$', 'interop/authenticators tries dovecot without it'),
    (r'authenticator_options tls server_param3?$', 'as server_param1 and server_param2, which differential/tls tries'),
    (r'cmdline_options -d selector (dns|exec|lookup|memory|noutf8|queue_run|transport)$', 'a debug selector to which our program says little or nothing'),
    (r'cmdline_options -dd$', 'as -d, but not for the subprocesses of a daemon, which no test looks at'),
    (r'cmdline_options -O$', 'taken for Sendmail and ignored, as the manual says'),
    (r'transport_driver_options pipe use_classresources$', 'BSD login classes: Linux has none'),
]


def word(name):
    """An option of the configuration, or the negation of one that is on or off; not a variable."""
    return [r'(?<![A-Za-z0-9_$-])(?:no_|not_)?%s' % re.escape(name) + NAME]


def variable(name):
    numbered = {'0..9': r'\d', 'regex0..regex9': r'regex\d', 'auth1..auth4': r'auth[1-4]', 'r_<name>': r'r_\w+', 'acl_c<name>': r'acl_c\w+', 'acl_m<name>': r'acl_m\w+', 'header_<name>:': r'(?:header|h)_[\w-]+'}
    return [r'(?:\$\{?|def:|set\s+)%s' % numbered.get(name, re.escape(name)) + NAME, r'add [^\n]* to %s' % re.escape(name) + NAME]


def item(name):
    headers = re.match(r'\$([blr]?)header', name)
    if headers:
        return [r'\$\{?%s(?:header|h)_' % headers[1]]
    return {'$<var>': [r'\$\{?primary_hostname'], '${<op>:<string>}': [r'\$\{[a-z]+:']}.get(name) or [r'\$\{\s*%s\b' % re.escape(name)]


def operator(name):
    name = {'quote_<lookup': r'quote_\w+', 'sha2': r'sha2_\d+', 'mask_n': 'mask_n'}.get(name, re.escape(name))
    return [r'\$\{\s*%s(?:_-?\d+)*:' % name]


def condition(name):
    name = {'!': r'!', '=': '==?', '<': r'[<>]=?'}.get(name, re.escape(name))
    return [r'(?:\bif\s*|\{\s*|!\s*|=\s*)%s(?:\s*\{|:|\s*!?\w)' % name]


def option(name, label):
    if name == '(name)':
        return [r'\b%s\b' % label.split()[1]]
    if name == '-d' and ' selector ' in label:
        return [r'-[dv]\S*[+-]%s' % label.split()[2] + NAME, r'opts=\S*\+%s' % label.split()[2] + NAME]
    shape = re.escape(name).replace(re.escape('<name>'), r'\S+').replace(r'\.\.\.', r'\S*?')
    attached = {'-D', '-d', '-f', '-F', '-C', '-X', '-p', '-q', '-oB', '-oMr', '-oX', '-oA', '-N', '-h', '-B', '-O', '-or', '-os', '-L', '-S', '-R', '-dp', '-dt', '-oP', '-qR', '-qS', '-bw'}
    return [r"(?<![^\s\"'\[,])%s" % shape + ('' if name in attached and name not in ('-oP', '-N', '-d') else r'(?![A-Za-z])')]


def patterns(kind, row):
    label = row[0]
    name = label.split()[0]
    if row[1:2] == ['(none)']:
        return [re.escape(name)]
    if kind.endswith('driver_options') or kind == 'authenticator_options':
        return word(row[1].split()[0])
    if kind == 'expansion_variables':
        return variable(name)
    if kind == 'expansion_items':
        return item(name)
    if kind == 'expansion_operators':
        return operator(name)
    if kind == 'expansion_conditions':
        return condition(name)
    if kind == 'cmdline_options':
        return [p for n in label.split() if n.startswith('-') or n == '(name)' for p in option(n, label)][:2]
    if kind == 'lookup_types':
        return [r'(?:lookup\s*|[\s}{;=:!,"\'(-])%s(?:,\S+?)?[\s;{*@"\',)]' % re.escape(name)]
    if label.startswith(('verify = ', 'callout option ', 'quota option ')):
        what = label.split()[2]
        return [r'verify\s*=\s*%s' % re.escape(what.split('=')[0]) + NAME] if label.startswith('verify') else [r'/%s[^\n]*?%s' % (label.split()[0], {'<time>': r'=\s*\d+[smh]'}.get(what, re.escape(what)))]
    if kind == 'log_selectors':
        return [r'[+-]%s' % name + NAME]
    return word(name)


def reason(kind, label):
    return next((why for pattern, why in REASONS if re.match(pattern, f'{kind} {label}')), None)


class Tests:
    """The texts: of scripted tests the script and the configuration together, of programs their source."""

    def __init__(self, own, corpus):
        self.scripted = self.read(own, 'own ') + (self.read(corpus, '') if corpus else [])
        self.programs = []
        for directory in ('interop', 'differential', 'faults', 'load', 'smuggling'):
            for path in sorted(glob.glob(f'{own}/{directory}/**/*', recursive=True)):
                if os.path.isfile(path) and not path.endswith('.pyc'):
                    with open(path, encoding='latin-1') as f:
                        self.programs.append((os.path.relpath(path, own), uncommented(f.read())))

    @staticmethod
    def read(top, mark):
        texts = {}
        for path in sorted(glob.glob(top + '/confs/*') + glob.glob(top + '/scripts/*/*') + glob.glob(top + '/aux-fixed/*')):
            number = os.path.basename(path)
            if '/aux-fixed/' in path:
                number = number[:4]
            if re.fullmatch(r'\d{4}', number) and os.path.isfile(path):
                with open(path, encoding='latin-1') as f:
                    texts[number] = texts.get(number, '') + '\n' + uncommented(f.read())
        return [(mark + n, t) for n, t in sorted(texts.items())]

    def of(self, row, kind):
        """The scripted tests and the programs that use it."""
        wanted = patterns(kind, row)
        driver = row[0] if kind.endswith('driver_options') or kind == 'authenticator_options' else None
        if driver in ('generic', 'all'):
            driver = None

        def uses(text):
            return any(re.search(p, text) for p in wanted) and (driver is None or re.search(r'\b%s\b' % driver, text))

        return [n for n, t in self.scripted if uses(t)], [n for n, t in self.programs if uses(t)]


def uncommented(text):
    return re.sub(r'(?m)^\s*#.*\n', '\n', text)

"""What -bP shows of a rich configuration: every option of the inventory by name, and all forms of the command."""
import os, re

import files

LISTS = os.path.join(files.HERE, '..', '..', 'doc', 'features')
FORMS = ['', 'authenticators', 'authenticator_list', 'routers', 'router_list', 'transports', 'transport_list', 'macro_list', 'macros', 'local_scan', 'config', 'config_file', 'configure_file', 'environment', 'log_file_path', 'pid_file_path',
         'exim_path', 'spool_directory', 'nosuch', 'router nosuch', 'router aliases', 'router real', 'router route', 'transport remote', 'transport file', 'transport pipe', 'transport reply', 'transport nosuch', 'authenticator plain',
         'authenticator cram', 'authenticator nosuch', '+loc', '+hosts', '+addrs', '+parts', '+hidden', '+nosuch', 'macro MAC', 'macro _X_', 'macro NOSUCH', 'acl', 'acl rcpt', 'router', 'transport', 'macro', 'qualify_domain primary_hostname',
         'no_accept_8bitmime', 'router_list transport_list', 'acl_smtp_rcpt acl_smtp_data']


def names():
    with open(os.path.join(LISTS, 'main_options.tsv')) as f:
        return [l.split('\t')[0] for l in f if re.match(r'[a-z][a-z0-9_]*\t', l) and not l.startswith('name\t')]


def entries(text):
    """The lines of a listing by the names of their options; a line that is no option is its own name."""
    found, section = {}, b''
    for line in text.splitlines():
        name = re.match(rb'(?:no_)?([a-z][a-z0-9_]*)(?: =|$)', line)
        if line.endswith(b':') and not name:
            section = line + b' '
        found[section + name[1] if name else line] = line
    return found


def listing(both, args):
    """Both answers, compared option by option."""
    ours, theirs = (entries(both.call(b, args, b'')) for b in both.binaries)
    for name in dict.fromkeys([*ours, *theirs]):
        both.judge('options', ' '.join(args[2:]).encode() + b': ' + name, ours.get(name, b'(not there)'), theirs.get(name, b'(not there)'))


def run(both, rng, count):
    files.prepare(both)
    with open(os.path.join(files.HERE, 'rich.conf')) as f:
        conf = both.write('rich.conf', f.read())
    for form in FORMS + names():
        listing(both, ['-C', conf, '-bP', *form.split()])
    for name in names():
        both.run('options', ['-C', conf, '-n', '-bP', name])
    for form in ('hidden', 'local_interfaces', '+hidden'):
        both.run('options', ['-C', conf, '-bP', form])
    for address in ('a.ex', 'x@a.ex', 'q.org', 'b.ex c.ex', 'x@a.ex 1.2.3.4', 'a.ex auth_failed', 'q.org rcpt_4xx', 'q.org rcpt_450', 'q.org nosuch', 'a.ex timeout_connect'):
        both.run('options', ['-C', conf, '-brt', *address.split()])

"""The sessions that acl.py compares: pieces of configuration and what a client says."""
import copy
import re

BASE = """primary_hostname = here.test
spool_directory = PLACE/spool
log_file_path = PLACE/spool/log/%slog
keep_environment =
qualify_domain = here.test
domainlist local_domains = here.test
trusted_users = root
queue_only
disable_ipv6
rfc1413_query_timeout = 0s
tls_advertise_hosts =
chunking_advertise_hosts =
pipelining_connect_advertise_hosts =
MAIN
begin acl
ACLS
begin routers
bad:
  driver = redirect
  domains = +local_domains
  local_parts = bad : refused
  allow_fail
  data = :fail: 550 5.1.1 <nobody> $local_part is unknown
later:
  driver = redirect
  domains = +local_domains
  local_parts = later
  allow_defer
  data = :defer: not now
alias:
  driver = redirect
  domains = +local_domains
  local_parts = alias : two
  data = ${if eq{$local_part}{two}{good@here.test, bad@here.test}{good@here.test}}
away:
  driver = dnslookup
  domains = !+local_domains
  transport = smtp
  address_data = away=$domain
  no_more
local:
  driver = accept
  local_parts = good : postmaster : sender : root
  transport = smtp
  address_data = local=$local_part
begin transports
smtp:
  driver = smtp
  hosts = 127.0.0.11
  hosts_try_fastopen =
  hosts_pipe_connect =
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{{eq{$auth2}{user}}{eq{$auth3}{pass}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = User:: : Pass::
  server_condition = ${if eq{$auth1}{defer}{maybe}{${if eq{$auth2}{pass}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{user}{pass}fail}
  server_set_id = $auth1
"""

TALK = ["EHLO client.test", "MAIL FROM:<sender@one.test>", "RCPT TO:<good@here.test>", "DATA",
        "From: sender@one.test\r\nTo: good@here.test\r\nSubject: hello\r\n\r\ntext\r\n.", "QUIT"]

# What differs on purpose, as narrow as can be: (pattern in the case's name, pattern, what stands for it, the reason). Each is replaced in
# both outputs; a case is different on purpose only if nothing else differs then.
REPLACED = [
    (None, r'"NULL" is not a time value', "smoothing period not set", "a missing period has its own message"),
    (None, r"(?m)^>>> away router declined for x@nullmx\.test\n>>> \"more\" is false: skipping remaining routers\n>>> no more routers\n",
     ">>> away router forced address failure\n", "4.99: a null MX forces a failure"),
    (None, r"(?m)^(LOG:|DATE) ID qualify/rewrite: .*\n( may not follow .*\n)?", "", "4.99 logs bad addresses in header lines without rewriting rules, too (corpus 0026)"),
    (r"-oMaa", r"(?m)^-host_auth(_pubname)? plain\n", "", "-bs with -oMaa is an authenticated session, as the manual has it"),
    (r"-oMaa", r"local-esmtpa( A=plain:u)?", "local-esmtp", "-bs with -oMaa is an authenticated session, as the manual has it"),
    (r"-oMaa", r"(?m)^250-AUTH PLAIN LOGIN CRAM-MD5\n", "", "and who is authenticated is not offered AUTH"),
    (r"^-b\w+ verify = sender/callout=(full)?postmaster", r"(?m)^550-Sent:     RCPT TO:<(sender|postmaster)@one\.test>\n550-Response: .*\n", "550-what was refused\n",
     "what is told is the refusal of the address, not the other answer"),
    (None, r'verifying EHLO/HELO argument "NULL"', "verifying EHLO/HELO argument <NULL>", "4.99 (corpus 0070)"),
    (r"verify = helo|helo_verify_hosts", r"(H=|from )(host|wrong)\.test (?=\()", r"\1", "the host name that was found is shown from then on"),
    (r"verify = helo|helo_verify_hosts", r"(H=|from )\((host|wrong)\.test\) ", r"\1\2.test ", "the host name that was found is shown from then on"),
    (None, r"authenticator failed for U=root", "authenticator failed for root", "4.99 (corpus 3403)"),
    (r"^session", r"2001:0db8:0001:0002:0003:0004:0005:0006", "2001:db8:1:2:3:4:5:6", "4.99 has the short form (corpus 0023)"),
    (r"^session", r"(?m)^DATE SMTP protocol error in \"(MAIL|mail).* HELO or EHLO required\n", "", "MAIL before HELO is a mistake: 4.99"),
    (r"^session", r'(SMTP protocol synchronization error .*: rejected ").*', r"\1", "bytes that are not printable are shown as numbers, binary zeros too, and dots where there is more"),
    (r"^session", r"(\[127\.0\.0\.1\]:)\d+", r"\1n", "ports that the system chose"),
    (r"^session", r"[ =](FOO|NOTIFY|ORCPT)(?=: malformed| may not follow)", r" \1", "the reference writes a = over a blank"),
    (r"^session", r" closed by QUIT", "", "the time that it took"),
    (r"AUTH CRAM-MD5|^session", r"(?m)^P[A-Za-z0-9+/]{30,}=*$", "CHALLENGE", "the challenge has a process id and a time"),
    (r"(message_size_limit|header_maxsize) = .* -bS", r"((E|The e)rror (was )?detected in line) \d+", r"\1 n", "the rest of the message is read before the error is told"),
    (r"recipients_max = 1' -bS", r"[45]52 too many recipients", "52 too many recipients", "4.99 refuses for good in a batch"),
    (r"^RCPT TO:<good@here.test> FOO", r"(<good@here\.test>)[ =]FOO: malformed address: =?FOO may not follow <good@here\.test> ?", r"\1", "the reference writes a = over a blank"),
    (r"^RCPT TO:<a@b.test>, <c@d.test>", r"(<a@b\.test>,)[ =]<c@d\.test>: malformed address: ,[ =]<c@d\.test> may", r"\1 may", "the reference writes a = over a blank"),
    (r"log_selector = \+all", r" Ci=\d+", "", "4.99: the connection's id"),
    (r"log_selector = \+all", r" L-? (?=S=n)", " ", "4.99 has L for what is waiting"),
    (r"log_selector = \+all", r"  closed by QUIT|cwd=.* args: \S+|(?<=LOG: )PID ", "", "the time that it took; this program's own name; a process id"),
    (r"log_selector = \+all", r" closed by QUIT", "", "the time that it took"),
    (r" at (quit|notquit)$|^random", r"LOG: ID (?=no IP address found|failed to find IP address|ACL for|H=.* Warning: statement skipped|written)", "LOG: ", "the message's id is gone after the message: 4.99"),
    (None, r"(?m)^(LOG: |DATE )ID (SMTP connection from .* lost while reading message data)", r"\1\2", "with the message's id: 4.99 (corpus 0900)"),
    (r"' -t", r"(?m)^ References: x\n", "", "only what has the form of an id is a reference"),
    (r"^-bhc verify = recipient/callout=random", r"(domain record for no\.test:\n>>> result=)[13] ", r"\1n ", "a refused null sender is remembered though a RCPT went along with it"),
    (r"smtp_ratelimit_hosts", r"(?m)^(Unexpected failure, please try later|Reset OK|here.test closing connection|\*\*\*\* .*|)\n", "", "said before the limits are read, or to every command"),
]

# After these the session goes another way: (name, pattern in our output, pattern in the reference's, reason, remedy). The remedy is what is
# replaced in the configuration so that both go the same way; the session is had once more with it, and compared. `None`: there is none.
NOTHING = "set acl_m_nothing = x"
ANOTHER_WAY = [
    (None, r"failed to open /nonexist", r"\[status 1\]", "a file that cannot be opened defers; the reference ends there", [(r"domains = lsearch;/nonexist", NOTHING)]),
    (None, r'syntax error in "control=queue/nonsense"|unrecognised DSCP value in "control=dscp/99"|check control = queue/nonsense\n>>> \w+: condition test error', None,
     "an unknown word is an error", [(r"control = (queue/nonsense|dscp/99)", NOTHING)]),
    (None, r'cannot use "control=cutthrough_delivery" in (?!RCPT)', None, "only for RCPT ACLs, as the manual has it: elsewhere an error, not ignored",
     [(r"control = cutthrough_delivery\S*", NOTHING)]),
    (r"with control = cutthrough_delivery", r"550.no such|cutthrough", r"Accepted|cutthrough", "a refused recipient does not end the delivery of the others; 4.99 traces it", None),
    (None, None, r'syntax error in "control=dmarc_disable_verify"', "the reference was built without DMARC", [(r"control = dmarc_disable_verify", NOTHING)]),
    (None, None, r"\[status -(6|11)\]", "the reference crashed", None),
    (None, r"no HELO/EHLO given|HELO or EHLO required", r"no HELO/EHLO given|HELO or EHLO required", "MAIL before HELO counts as a mistake: 4.99 (corpus 0637)",
     [(r"(?m)^smtp_max_synprot_errors = .*\n", ""), (r"\A", "smtp_max_synprot_errors = 100\n")]),
    (r"^session", None, r"Too many syntax or protocol errors\n[^\[]*?\n(250|503|500|Too many|OK)", "the reference goes on after it has ended the session within BDAT",
     [(r"(?m)^smtp_max_synprot_errors = .*\n", ""), (r"\A", "smtp_max_synprot_errors = 100\n")]),
    (r"^RCPT TO:<a b@c>", r'"@" or "." expected after "a"', r"Accepted", "the reference takes <a b@c> for <a=b@c>", None),
    (r"limits_advertise_hosts", None, r'main option "limits_advertise_hosts" unknown', "4.96 does not know the option", [(r"(?m)^limits_advertise_hosts = .*\n", "")]),
]


def without(name, output):
    """The output without what REPLACED has for this case."""
    for where, pattern, by, _ in REPLACED:
        if where is None or re.search(where, name):
            output = re.sub(pattern, by, output)
    return output


class Case:
    """One session."""

    def __init__(self, name, main="", acls="", talk=None, args=("-bh", "10.0.0.1"), newline="\r\n"):
        self.name = name
        self.config = BASE.replace("MAIN", main).replace("ACLS", acls)
        self.args = list(args)
        lines = TALK if talk is None else talk
        self.input = "".join(line + newline for line in lines).encode("latin-1")
        # Pieces to be sent through a socket in its place.
        self.said = None


def equal(case, ours, reference):
    """Is what is left the same, without what REPLACED has?"""
    return without(case.name, ours) == without(case.name, reference)


def another_way(case, ours, reference):
    """Why the two may go other ways, and the case with which they do not (or `None`). `None`: they may not."""
    for name, mine, others, reason, remedy in ANOTHER_WAY:
        fits = ((name, case.name), (mine, ours), (others, reference))
        if all(pattern is None or re.search(pattern, text) for pattern, text in fits):
            if remedy is None:
                return reason, None
            again = copy.copy(case)
            for pattern, by in remedy:
                again.config = re.sub(pattern, by, again.config)
            return reason, again
    return None


def rcpt_acl(body, main=""):
    return {"main": "acl_smtp_rcpt = check\n" + main, "acls": "check:\n" + body}


VERBS = ["accept", "defer", "deny", "discard", "drop", "require", "warn"]
PLACES = ["connect", "helo", "mail", "rcpt", "predata", "data", "quit", "vrfy", "expn", "etrn", "auth", "mailauth", "starttls", "notquit",
          "mime", "dkim", "data_prdr"]
CONDITIONS = [
    "acl = nested", "acl = nested one two", "!acl = nested", "authenticated = *", "condition = yes", "condition = maybe", "condition = ${if eq{a}{b}}",
    "condition = 0", "condition = 00", "condition = -1", "dnslists = list.test", "dnslists = list.test=127.0.0.2",
    "dnslists = list.test!=127.0.0.2", "dnslists = list.test&0.0.0.2", "dnslists = list.test!&0.0.0.1", "dnslists = list.test==127.0.0.2",
    "dnslists = list.test!==127.0.0.2", "dnslists = list.test=&0.0.0.2", "dnslists = nolist.test : other.test", "dnslists = slow.list",
    "dnslists = +include_unknown : slow.list", "dnslists = +exclude_unknown : slow.list", "dnslists = +defer_unknown : slow.list",
    "dnslists = list.test/$sender_address_domain", "dnslists = list.test/<;one.test;two.test", "dnslists = other.test,list.test",
    "dnslists = list.test,other.test=127.0.0.7", "dnslists = <; list.test ; other.test", "dnslists = list.test/", "dnslists = list.test/1.2.3.4",
    "dnslists = bad_name!.test", "!dnslists = list.test", "domains = here.test", "domains = +local_domains", "!domains = here.test",
    "domains = *.test", "domains = ^here", "domains = lsearch;/nonexist", "encrypted = *", "hosts = 10.0.0.1", "hosts = 10.0.0.0/24", "hosts = *",
    "hosts = host.test", "hosts = *.test", "hosts = !10.0.0.1 : *", "hosts = +ignore_unknown : nohost.test : 10.0.0.1",
    "hosts = +include_unknown : nohost.test", "hosts = nohost.test", "hosts = <; 10.0.0.1 ; 10.0.0.2", "hosts = @[]", "hosts = @",
    "local_parts = good", "!local_parts = good : bad", "local_parts = ^g", "recipients = good@here.test", "recipients = *@here.test",
    "recipients = ^good", "sender_domains = one.test", "sender_domains = !one.test : *", "senders = sender@one.test", "senders = :",
    "senders = *@one.test", "ratelimit = 0 / 1h", "ratelimit = 10 / 1h / strict", "ratelimit = 1 / 1h / per_rcpt / $sender_address",
    "ratelimit = 0.5 / 1m / leaky / per_mail / key", "ratelimit = 5 / 1h / per_conn", "ratelimit = 5 / 1h / per_cmd", "ratelimit = 5 / 1h / per_byte",
    "ratelimit = 5 / 1h / per_addr", "ratelimit = 5 / 1h / unique=$local_part / key", "ratelimit = 5 / 1h / count=3 / key", "ratelimit = 5 / 1h / readonly",
    "ratelimit = 5 / 1h / noupdate", "ratelimit = 5 / 1h / nonsense / more", "ratelimit = bad", "ratelimit = 5", "ratelimit = 5 / never",
    "ratelimit = -1 / 1h", "ratelimit = 5 / 1h / strict / leaky", "ratelimit = 5 / 1h / per_rcpt / per_mail", "ratelimit = 5k / 1h / per_byte / k",
    "ratelimit = 1 / 1h / readonly / per_rcpt", "ratelimit = 2 / 0s", "seen = 1d", "seen = -1d", "seen = 1d / key=${sender_host_address}x",
    "seen = 1d / readonly", "seen = never", "seen = 1d / refresh=1h", "seen = 1d / write", "seen = 1d / nonsense",
    "verify = sender", "verify = sender/callout", "verify = sender/callout=5s", "verify = sender/callout=5s,defer_ok", "verify = sender/callout=no_cache",
    "verify = sender/callout=random", "verify = sender/callout=postmaster", "verify = sender/callout=fullpostmaster", "verify = sender/callout=5s,maxwait=10s,connect=2s",
    "verify = sender/callout=postmaster_mailfrom=x@here.test", "verify = sender/no_details", "verify = sender/defer_ok", "verify = sender=good@one.test",
    "verify = sender=bad@one.test/callout", "verify = sender/callout=nonsense", "verify = sender/nonsense", "verify = sender/callout,random",
    "verify = recipient", "verify = recipient/callout", "verify = recipient/callout=use_sender", "verify = recipient/callout=use_postmaster",
    "verify = recipient/callout=random", "verify = recipient/callout=postmaster", "verify = recipient/defer_ok", "verify = recipient/success_on_redirect",
    "verify = recipient/callout=hold", "verify = recipient/callout=mailfrom=x@y", "verify = recipient/no_details",
    "verify = helo", "verify = reverse_host_lookup", "verify = reverse_host_lookup/defer_ok", "verify = header_syntax", "verify = header_sender",
    "verify = header_sender/callout", "verify = header_sender/callout=mailfrom=x@here.test", "verify = header_names_ascii", "verify = not_blind",
    "verify = not_blind/case_insensitive", "verify = csa", "verify = csa/client.csa.test", "verify = csa/client.csano.test", "verify = certificate",
    "verify = nonsense", "verify =", "regex = hello", "regex = ^Sub", "spf = pass", "malware = *", "spam = nobody", "decode = default", "mime_regex = x",
    "dkim_status = none", "dkim_signers = one.test",
]
MODIFIERS = [
    "message = a text", "message = 451 4.7.1 wait", "message = 550 5.7.1 no", "message = 250 odd", "message = two\\nlines", "message = 55 x", "message =",
    "message = ${if eq{a}{b}{x}fail}", "message = ${nosuch", "log_message = for the log", "log_message = ${if eq{a}{b}{x}fail}", "log_message = two\\nlines",
    "logwrite = written", "logwrite = :main: m", "logwrite = :reject: r", "logwrite = :main,reject,panic: all", "logwrite = :nonsense: x", "logwrite = : :x",
    "log_reject_target =", "log_reject_target = main", "log_reject_target = panic", "log_reject_target = nonsense", "delay = 0s", "delay = 1s", "delay = never",
    "delay = -1s", "add_header = X-A: b", "add_header = X-A: b\\nX-C: d", "add_header = :at_start:X-A: b", "add_header = :at_start_rfc:X-A: b",
    "add_header = :after_received:X-A: b", "add_header = :at_end:X-A: b", "add_header = no colon", "add_header = :nonsense: x", "remove_header = Subject",
    "remove_header = Subject : X-A", "set acl_m0 = $local_part", "set acl_c_x = yes", "set acl_m_new = ${domain:$sender_address}", "continue = ${lc:ABC}",
    "continue = ${if eq{a}{b}{x}fail}", "endpass", "queue = name", "queue = a/b", "queue = $local_part", "udpsend = <; 127.0.0.1 ; 9 ; text", "udpsend = x",
    "control = caseful_local_part", "control = caselower_local_part", "control = cutthrough_delivery", "control = cutthrough_delivery/defer=pass",
    "control = cutthrough_delivery/nonsense", "control = enforce_sync", "control = no_enforce_sync", "control = fakedefer", "control = fakedefer/wait",
    "control = fakereject", "control = fakereject/no", "control = freeze", "control = freeze/no_tell", "control = no_callout_flush", "control = no_delay_flush",
    "control = no_mbox_unspool", "control = no_multiline_responses", "control = no_pipelining", "control = queue_only", "control = queue", "control = queue/only",
    "control = queue/first_pass_route", "control = queue/nonsense", "control = submission", "control = submission/sender_retain", "control = submission/domain=x.test",
    "control = submission/domain=", "control = submission/name=A B", "control = submission/nonsense", "control = suppress_local_fixups",
    "control = allow_auth_unadvertised", "control = dkim_disable_verify", "control = dscp/ef", "control = dscp/99", "control = dscp", "control = utf8_downconvert",
    "control = utf8_downconvert/-1", "control = utf8_downconvert/x", "control = nonsense", "control =", "control = dmarc_disable_verify",
]
NESTED = "nested:\n  warn logwrite = nested $acl_narg $acl_arg1 $acl_arg2\n  accept\n"

EVERY_PLACE = ["EHLO client.test", "AUTH PLAIN AHVzZXIAcGFzcw==", "VRFY good", "EXPN alias", "ETRN #one.test", "MAIL FROM:<sender@one.test> AUTH=a@b.test",
               "RCPT TO:<good@here.test>", "RCPT TO:<bad@here.test>", *TALK[3:]]


def of_places():
    """Each verb in each place, and each condition and modifier where it may and may not be."""
    every = "".join(f"acl_smtp_{p} = a_{p}\n" for p in PLACES)
    every = every.replace("acl_smtp_data_prdr = a_data_prdr", "prdr_enable\nacl_smtp_data_prdr = a_data_prdr")
    for place in PLACES:
        for verb in VERBS:
            if verb == "require":
                body = f"  require message = m {verb} $acl_verify_message\n   log_message = l {verb}\n   condition = no\n  accept\n"
            else:
                body = f"  {verb} message = m {verb}\n   log_message = l {verb}\n  accept\n"
            acls = "".join(f"a_{p}:\n" + (body if p == place else "  accept\n") for p in PLACES)
            yield Case(f"verb {verb} at {place}", every, acls, EVERY_PLACE)
        for text in ("message = 421 4.4.4 gone", "message = 250 fine", "message = 599-x", "logwrite = $smtp_command / $smtp_command_argument / $smtp_command_history"):
            acls = "".join(f"a_{p}:\n" + (f"  deny {text}\n" if p == place else "  accept\n") for p in PLACES)
            yield Case(f"{text} at {place}", every, acls, EVERY_PLACE)
    for place in ("connect", "helo", "mail", "predata", "data", "quit", "vrfy", "auth"):
        for text in CONDITIONS[::3] + MODIFIERS[::3]:
            verb = "  warn " if text in MODIFIERS else "  deny "
            acls = "".join(f"a_{p}:\n" + (f"{verb}{text}\n  accept\n" if p == place else "  accept\n") for p in PLACES) + NESTED
            yield Case(f"{text} at {place}", every, acls, EVERY_PLACE)


def of_items():
    """Each condition and modifier in the RCPT ACL, with recipients, senders and hosts that matter."""
    recipients = ["RCPT TO:<good@here.test>", "RCPT TO:<bad@here.test>", "RCPT TO:<later@here.test>", "RCPT TO:<alias@here.test>",
                  "RCPT TO:<Two@here.test>", "RCPT TO:<good@one.test>", "RCPT TO:<bad@one.test>", "RCPT TO:<x@slow.test>", "RCPT TO:<good@no.test>"]
    talk = [*TALK[:2], *recipients, *TALK[3:]]
    for text in CONDITIONS:
        for verb in ("deny", "warn", "require"):
            tail = "" if verb == "deny" else "  accept\n"
            yield Case(f"{verb} {text}", **rcpt_acl(f"  {verb} {text}\n" + ("  accept\n" if verb == "deny" else tail) + NESTED), talk=talk)
        yield Case(f"accept {text} endpass", **rcpt_acl(f"  accept {text}\n    endpass\n    verify = recipient\n" + NESTED), talk=talk)
    for text in MODIFIERS:
        for verb in ("warn", "deny", "accept", "defer"):
            yield Case(f"{verb} with {text}", **rcpt_acl(f"  {verb} {text}\n  accept\n"), talk=talk)
        yield Case(f"-bs: warn with {text}", **rcpt_acl(f"  warn {text}\n  accept\n"), talk=talk, args=("-bs",))
    for sender in ("", "bad@one.test", "later@one.test", "good@no.test", "x@slow.test", "x@nomail.test", "x@nullmx.test", "unqualified", "root@here.test",
                   "bad@here.test", "later@here.test"):
        for text in [c for c in CONDITIONS if c.startswith("verify = sender") or c.startswith("senders") or c.startswith("sender_d")]:
            for verb in ("require", "deny !"):
                body = f"  {verb}{'' if verb.endswith('!') else ' '}{text}\n  accept\n"
                yield Case(f"{verb} {text} of <{sender}>", **rcpt_acl(body), talk=[TALK[0], f"MAIL FROM:<{sender}>", *talk[2:]])
    for host in ("10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "127.0.0.1"):
        for text in [c for c in CONDITIONS if c.split()[0] in ("dnslists", "hosts", "verify") and "sender" not in c and "recipient" not in c]:
            yield Case(f"deny {text} from {host}", **rcpt_acl(f"  deny {text}\n    message = $dnslist_domain $dnslist_value $dnslist_matched $dnslist_text $sender_host_name\n  accept\n"),
                       talk=TALK, args=("-bh", host))
    for text in [c for c in CONDITIONS if "callout" in c]:
        yield Case(f"-bhc {text}", **rcpt_acl(f"  require {text}\n  accept\n"), talk=talk, args=("-bhc", "10.0.0.1"))
        yield Case(f"-bs {text}", **rcpt_acl(f"  require {text}\n  accept\n"), talk=talk, args=("-bs",))
    for verb in VERBS:
        for data in ("header_syntax", "header_sender", "not_blind", "header_names_ascii", "header_sender/callout"):
            for head in ("From: sender@one.test", "From: @bad", "From: a b c <x", "From: bad@here.test", "To: undisclosed:;", "To: a@b, c d@e", "X\xfcY: z",
                         "From: x@one.test\r\nBcc: other@here.test", "Sender: bad@one.test\r\nFrom: good@one.test", "Reply-To: <>", "To: Good@Here.test"):
                acls = f"check:\n  accept\ncontent:\n  {verb} {'!' if verb in ('deny', 'defer', 'drop') else ''}verify = {data}\n  accept\n"
                yield Case(f"{verb} {data} of {head!r}", "acl_smtp_rcpt = check\nacl_smtp_data = content", acls,
                           [*TALK[:3], "DATA", head + "\r\nSubject: x\r\n\r\nbody\r\n.", "QUIT"])


ACCEPT = "check:\n  accept\n"


def of_options():
    """Options of reception, and what clients do wrong."""
    accept = "acl_smtp_rcpt = check\n"

    def case(name, main, talk, args=("-bh", "10.0.0.1"), acls=ACCEPT):
        return Case(name, accept + main, acls, talk, args)
    helos = ["EHLO", "HELO", "HELO host.test", "EHLO two.test", "HELO [10.0.0.1]", "HELO [10.0.0.2]", "HELO [bad", "HELO under_score.test", "HELO a b",
             "HELO b@d", "EHLO [IPv6:::1]", "HELO .", "HELO -x", "HELO x.", "HELO 10.0.0.1", "EHLO here.test", "HELO \xfc.test", "EHLO [10.0.0.1] x", "HELO #x"]
    for helo in helos:
        for main in ("", "helo_verify_hosts = *", "helo_try_verify_hosts = *", "helo_allow_chars = _#", "helo_accept_junk_hosts = 10.0.0.1",
                     "helo_lookup_domains = *", "host_lookup = *", "host_lookup = *\nhelo_verify_hosts = *"):
            for host in ("10.0.0.1", "10.0.0.2"):
                talk = [helo, *TALK[1:3], "QUIT"]
                yield case(f"{helo} with {main!r} from {host}", main, talk, ("-bh", host))
    mails = ["MAIL FROM:<>", "MAIL FROM:", "MAIL", "MAIL FROM: <a@b.test>", "MAIL FROM:a@b.test", "MAIL FROM:<a>", "MAIL FROM:<a@b.test> SIZE=10", "MAIL FROM:<a@b.test> SIZE=1000000000",
             "MAIL FROM:<a@b.test> SIZE=", "MAIL FROM:<a@b.test> SIZE=x", "MAIL FROM:<a@b.test> BODY=7BIT", "MAIL FROM:<a@b.test> BODY=8BITMIME", "MAIL FROM:<a@b.test> BODY=x",
             "MAIL FROM:<a@b.test> AUTH=<>", "MAIL FROM:<a@b.test> AUTH=x+20y@z", "MAIL FROM:<a@b.test> AUTH=x+2", "MAIL FROM:<a@b.test> RET=FULL", "MAIL FROM:<a@b.test> RET=HDRS ENVID=x",
             "MAIL FROM:<a@b.test> RET=x", "MAIL FROM:<a@b.test> FOO=BAR", "MAIL FROM:<a@b.test> FOO", "MAIL FROM:<a@b.test> PRDR", "MAIL FROM:<a@b.test> SMTPUTF8", "MAIL FROM:<a b@c.test>",
             "MAIL FROM:<\"a b\"@c.test>", "MAIL FROM:<@x:a@b.test>", "MAIL FROM:<a@[10.0.0.1]>", "MAIL FROM:<a@b@c>", "MAIL FROM:<a@>", "MAIL FROM:<@b>", "MAIL FROM:a@b.test x",
             "MAIL FROM:<a@b.test", "MAIL FROM:a@b.test>", "MAIL FROM:<a@b.test>SIZE=1", "mail from:<A@B.test>", "MAIL FROM:<a@b_c.test>", "MAIL FROM:<a@b..c>", "MAIL FROM:<.a@b.c>",
             "MAIL FROM:<a.@b.c>", "MAIL FROM:<a..b@c.d>", "MAIL FROM:<\xfc@b.c>", "MAIL FROM:<a@\xfc.c>", "MAIL FROM:<" + "x" * 300 + "@b.c>", "MAIL FROM:\"x\" <a@b.c>", "MAIL FROM:<a@b.c>=",
             "MAIL FROM:<a\\@b@c.d>", "MAIL FROM:(x)<a@b.c>", "MAIL FROM:<a@b.c>(x)"]
    for mail in mails:
        for main in ("", "dsn_advertise_hosts = *\nprdr_enable\nmessage_size_limit = 1000\naccept_8bitmime = false", "sender_unqualified_hosts = *\nstrip_trailing_dot\nallow_domain_literals\nallow_utf8_domains"):
            yield case(f"{mail[:60]} with {main[:30]!r}", main, ["EHLO x.test", mail, "RCPT TO:<good@here.test>", "QUIT"])
    rcpts = ["RCPT TO:<>", "RCPT TO:", "RCPT", "RCPT TO: <good@here.test>", "RCPT TO:good@here.test", "RCPT TO:<good>", "RCPT TO:<good@here.test> NOTIFY=NEVER", "RCPT TO:<good@here.test> NOTIFY=SUCCESS,FAILURE",
             "RCPT TO:<good@here.test> NOTIFY=SUCCESS,NEVER", "RCPT TO:<good@here.test> NOTIFY=x", "RCPT TO:<good@here.test> ORCPT=rfc822;a@b", "RCPT TO:<good@here.test> ORCPT=x", "RCPT TO:<good@here.test> FOO",
             "RCPT TO:<good@here.test> FOO=BAR", "RCPT TO:<@a,@b:good@here.test>", "RCPT TO:<postmaster>", "RCPT TO:<Postmaster>", "RCPT TO:<good@[10.0.0.9]>", "RCPT TO:<good@[1.2.3.4]>", "RCPT TO:<a b@c>",
             "RCPT TO:<good%one.test@here.test>", "RCPT TO:<good@here.test.>", "RCPT TO:<good@here.test", "RCPT TO:<|x@here.test>", "RCPT TO:</x@here.test>", "RCPT TO:<good @here.test>", "RCPT TO:<good@here.test>x",
             "RCPT TO:<good@here..test>", "RCPT TO:<\"\"@here.test>", "RCPT TO:<:@here.test>", "RCPT TO:<a@b.test>, <c@d.test>"]
    for rcpt in rcpts:
        for main in ("", "dsn_advertise_hosts = *\nrecipient_unqualified_hosts = *\npercent_hack_domains = here.test\nstrip_trailing_dot\nallow_domain_literals", "recipients_max = 2\nrecipients_max_reject"):
            yield case(f"{rcpt[:60]} with {main[:30]!r}", main, ["EHLO x.test", "MAIL FROM:<a@b.test>", rcpt, rcpt, rcpt, *TALK[3:]])
    wrong = [["XYZ"] * 5, ["XYZ a b"] * 3, ["RCPT TO:<a@b>"] * 5, ["DATA"] * 3, ["NOOP"] * 12, ["NOOP x"] * 3, ["RSET x"], ["RSET"] * 12, ["QUIT x"], ["HELP"], ["HELP x"], ["DATA x"], ["VRFY"], ["VRFY x"],
             ["EXPN x"], ["ETRN x"], ["ETRN"], ["AUTH"], ["AUTH FOO"], ["AUTH PLAIN"], ["AUTH PLAIN", "AHVzZXIAcGFzcw=="], ["AUTH PLAIN", "*"], ["AUTH PLAIN !!!"], ["AUTH PLAIN ="], ["AUTH PLAIN AHVzZXIAd3Jvbmc="],
             ["AUTH PLAIN AHVzZXIAcGFzcw==", "AUTH PLAIN AHVzZXIAcGFzcw=="], ["AUTH LOGIN", "dXNlcg==", "cGFzcw=="], ["AUTH LOGIN", "dXNlcg==", "d3Jvbmc="], ["AUTH LOGIN dXNlcg==", "cGFzcw=="],
             ["AUTH LOGIN", "ZGVmZXI=", "cGFzcw=="], ["AUTH CRAM-MD5", "dXNlciAwMA=="], ["AUTH CRAM-MD5", "*"], ["AUTH CRAM-MD5 x"], ["AUTH PLAIN AHVzZXIAcGFzcw== x"], ["STARTTLS"], ["BDAT 10"], ["BDAT 0 LAST"], ["BDAT x"],
             ["MAIL FROM:<a@b.c>", "AUTH PLAIN AHVzZXIAcGFzcw=="], ["MAIL FROM:<a@b.c>", "MAIL FROM:<a@b.c>"], ["MAIL FROM:<a@b.c>", "DATA"], ["MAIL FROM:<a@b.c>", "HELO x"], ["MAIL FROM:<a@b.c>", "ETRN #x"],
             ["MAIL FROM:<a@b.c>", "RCPT TO:<bad@here.test>", "DATA"], ["mAiL fRoM:<a@b.c>", "rcpt to:<good@here.test>", "RSET", "DATA"], ["GET / HTTP/1.0"], ["POST x"], ["\x00\x01"], ["NOOP\x00"], ["x" * 3000],
             ["MAIL FROM:<a@b.c>", "RCPT TO:<good@here.test>", "BDAT 5 LAST", "abc"], ["WELLKNOWN x"], ["XCLIENT ADDR=1.2.3.4"], ["ATRN x"], ["TURN"], ["SEND FROM:<a@b.c>"], ["SAML FROM:<a@b.c>"]]
    for talk in wrong:
        for main in ("", "smtp_max_unknown_commands = 1\nsmtp_max_synprot_errors = 1\nsmtp_accept_max_nonmail = 3", "auth_advertise_hosts =\nsmtp_return_error_details\nacl_smtp_vrfy = check\nacl_smtp_expn = check\nacl_smtp_etrn = check",
                     "acl_smtp_auth = ${if eq{a}{b}{check}{denied}}"):
            acls = ACCEPT + "denied:\n  deny message = no auth today\n"
            yield case(f"{' / '.join(talk)[:60]} with {main[:30]!r}", main, ["EHLO x.test", *talk, "QUIT"], acls=acls)
            if not main:
                yield case(f"without EHLO: {' / '.join(talk)[:60]}", main, [*talk, "QUIT"], acls=acls)
                yield case(f"HELO: {' / '.join(talk)[:60]}", main, ["HELO x.test", *talk, "QUIT"], acls=acls)
                yield case(f"-bs: {' / '.join(talk)[:60]}", main, ["EHLO x.test", *talk, "QUIT"], args=("-bs",), acls=acls)
                yield case(f"no QUIT: {' / '.join(talk)[:60]}", main, ["EHLO x.test", *talk], acls=acls)
    limits = ["smtp_banner = hello\\nthere", "smtp_banner =", "smtp_banner = ${nosuch", "smtp_active_hostname = other.test", "smtp_accept_max_per_connection = 1", "smtp_ratelimit_hosts = *\nsmtp_ratelimit_mail = 1,0.5s,1.05,4m\nsmtp_ratelimit_rcpt = 1,.1s,1.1,1m",
              "host_reject_connection = 10.0.0.1", "host_lookup = *", "host_lookup = *\nhost_lookup_order = bydns", "message_size_limit = 10", "message_size_limit = ${if eq{a}{a}{50}}", "header_maxsize = 40", "header_line_maxsize = 30",
              "received_headers_max = 0", "received_header_text =", "received_header_text = X", "accept_8bitmime = false", "smtp_receive_timeout = 0s", "recipients_max = 1", "check_spool_space = 0", "message_id_header_text = x",
              "message_id_header_domain = y.test", "acl_smtp_connect = gone", "smtp_enforce_sync = false", "prod_requires_admin", "smtp_check_spool_space = false", "untrusted_set_sender = *", "local_from_check = false",
              "add_environment = A=B", "pipelining_advertise_hosts =", "limits_advertise_hosts = !*", "dns_csa_use_reverse = false", "extract_addresses_remove_arguments = false", "bounce_message_text = x", "smtp_load_reserve = 1000", "spamd_address = x",
              "helo_verify_hosts = ${nosuch", "sender_unqualified_hosts = *\nrecipient_unqualified_hosts = *", "acl_smtp_predata = check\nacl_smtp_data = check", "acl_smtp_data = denied", "acl_smtp_quit = denied", "acl_smtp_notquit = check",
              "acl_smtp_mime = check", "acl_smtp_mail = denied\nsmtp_return_error_details", "acl_smtp_rcpt =", "acl_not_smtp = check", "return_path_remove = false", "envelope_to_remove = false", "delivery_date_remove = false", "bounce_return_body",
              "hosts_connection_nolog = *", "log_selector = +all", "drop_cr", "smtp_return_error_details"]
    heads = ["From: a@one.test\r\n\r\nbody", "\r\nbody", "no header\r\nat all", "From a@b Mon Jan  1 00:00:00 2024\r\nFrom: x@y.test\r\n\r\nb", ">From x\r\nFrom: a@b.c\r\n\r\nb", "Resent-From: x@y.test\r\nFrom: z@w.test\r\n\r\nb",
             "Resent-To: x@y.test\r\n\r\nb", "Bcc: x@y.test\r\nFrom: a\r\n\r\nb", "Sender: x@y.test\r\nFrom: a@b.test, c@d.test\r\n\r\nb", "Date:\r\nMessage-Id: x\r\nFrom: a@b.test\r\n\r\nb", "Return-Path: <x@y>\r\nFrom: a@b.test\r\n\r\nb",
             "From: a@b.test\r\nSubject: " + "x" * 200 + "\r\n\r\nb", "From: a@b.test\r\nSubject: folded\r\n line\r\n\tmore\r\n\r\n..dot\r\n..\r\nend", "Received: x\r\nReceived: y\r\nFrom: a@b.test\r\n\r\nb", "X:y\r\nX :z\r\nX\r\n :q\r\n\r\nb",
             "From: a@b.test\r\nFrom: c@d.test\r\nTo: \r\nCc: x\r\n\r\nb", "To: a, b@c.test, (x) d\r\nReply-To: e\r\n\r\nb", "Delivery-date: x\r\nEnvelope-to: y\r\nX: z\r\n\r\nb"]
    for main in limits:
        acls = ACCEPT + "denied:\n  deny message = denied here\n    log_message = and logged\ngone:\n  drop message = 421 go away\n"
        for args in (("-bh", "10.0.0.1"), ("-bs",), ("-bS",)):
            yield case(f"{main[:50]!r} {args[0]}", main, [*TALK[:-1], "MAIL FROM:<a@two.test>", "RCPT TO:<x@y.test>", "RCPT TO:<z@y.test>", "RSET", "QUIT"], args, acls)
    local = [("-bs",), ("-bS",), ("-bm", "good@here.test"), ("-t",), ("-t", "x@two.test"), ("-i", "-f", "q@r.test", "good@here.test"), ("-f", "<>", "good@here.test"), ("-F", "Full Name", "good@here.test"), ("-bs", "-oMa", "1.2.3.4"),
             ("-bs", "-oMa", "1.2.3.4.5678", "-oMs", "n.test", "-oMt", "id", "-oMr", "proto", "-oMi", "5.6.7.8"), ("-bs", "-oMaa", "plain", "-oMai", "u", "-oMas", "s@t"), ("-bm", "-oMr", "p", "good@here.test"), ("-bnq", "good"), ("-bnq", "-bs")]
    for head in heads:
        for args in local:
            smtp = args[0] in ("-bs", "-bS") or "-bs" in args
            talk = [*TALK[:3], "DATA", head, ".", "QUIT"] if smtp else [head]
            yield case(f"{head[:40]!r} {' '.join(args)}", "", talk, args)
        for main in ("acl_smtp_rcpt = sub", "acl_smtp_rcpt = sub\nacl_smtp_mail = sub", "acl_smtp_rcpt = sup", "header_maxsize = 60", "message_size_limit = 40", "header_line_maxsize = 40", "received_headers_max = 1"):
            acls = ACCEPT + "sub:\n  accept control = submission/domain=dom.test/name=The Name\nsup:\n  accept control = suppress_local_fixups\n"
            main = main if "acl_smtp_rcpt" in main else accept_line(main)
            yield Case(f"{head[:40]!r} with {main[:40]!r}", main, acls, ["EHLO x.test", "AUTH PLAIN AHVzZXIAcGFzcw==", *TALK[1:3], "DATA", head, ".", "QUIT"], ("-bs", "-oMa", "10.0.0.1"))


def accept_line(main):
    return "acl_smtp_rcpt = check\n" + main


def all_cases():
    yield from of_items()
    yield from of_places()
    yield from of_options()


def random_case(rng, number):
    """An ACL and a session put together by chance."""
    acls = ""
    main = "exim_path = /bin/true\n"
    for place in rng.sample(PLACES[:11], rng.randint(1, 4)):
        main += f"acl_smtp_{place} = a_{place}\n"
        acls += f"a_{place}:\n"
        for _ in range(rng.randint(1, 4)):
            acls += f"  {rng.choice(VERBS)} "
            acls += "\n    ".join(rng.choice(CONDITIONS if rng.random() < 0.5 else MODIFIERS) for _ in range(rng.randint(1, 3))) + "\n"
    if "acl_smtp_rcpt" not in main:
        main += "acl_smtp_rcpt = check\n"
        acls += ACCEPT
    talk = ["EHLO client.test"] + [rng.choice(EVERY_PLACE[1:-1]) for _ in range(rng.randint(2, 8))] + ["QUIT"]
    return Case(f"random {number}", main, acls + NESTED, talk, rng.choice([("-bh", f"10.0.0.{rng.randint(1, 5)}"), ("-bs",)]))

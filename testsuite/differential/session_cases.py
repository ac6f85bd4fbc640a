"""Sessions put together by chance for acl.py (`--sessions`): what clients say that is hardly ever said. Every command with parameters, chunks
and exchanges of authentication right and wrong, limits that are reached, fields of log lines, header lines that are checked.

A number gives the same session always. Half of them go through a socket (as from inetd), piece by piece, so that it
matters what is sent before its answer.
"""
import base64
import random

from acl_cases import ACCEPT, Case

SENDERS = ["<sender@one.test>", "<>", "<a@two.test>", "<\"a b\"@one.test>", "<x@nosuch.test>", "<unqualified>", "<@r.test:a@one.test>", "sender@one.test", "<Sender@ONE.test>",
           "<\xc3\xbcser@one.test>", "<a@xn--tda.test>", "<a@\xc3\xbc.test>", "<a@[10.0.0.1]>", "<a@[IPv6:::1]>", "<.a@one.test>", "<a@one.test", "<a@one..test>", "<a@one.test.>"]
RECIPIENTS = ["<good@here.test>", "<bad@here.test>", "<later@here.test>", "<alias@here.test>", "<two@here.test>", "<good@one.test>", "<x@no.test>", "<postmaster>", "<good>",
              "<\xc3\xbc@here.test>", "<good@HERE.test>", "<\"good\"@here.test>", "<\"go\\od\"@here.test>", "<good%one.test@here.test>", "<@r.test:good@here.test>", "good@here.test", "<>",
              "<good@[10.0.0.9]>", "<good@here.test>(c)", "<good+x@here.test>", "<good@here.test>>", "<<good@here.test>"]
MAIL_PARAMETERS = ["SIZE=100", "SIZE=0", "SIZE=", "SIZE=99999999", "SIZE=99999999999999999999", "SIZE=10x", "SIZE=-1", "SIZE", "size=5", "BODY=8BITMIME", "BODY=7BIT", "BODY=BINARYMIME", "BODY=", "BODY", "body=7bit",
                   "AUTH=<>", "AUTH=a@b.test", "AUTH=a+2Bb@c.test", "AUTH=+zz", "AUTH=", "RET=FULL", "RET=HDRS", "RET=NONE", "RET=", "ret=hdrs", "ENVID=abc", "ENVID=a+20b", "ENVID=", "ENVID=" + "e" * 120, "SMTPUTF8", "SMTPUTF8=1",
                   "PRDR", "PRDR=1", "NOTIFY=NEVER", "X=Y", "=", "SIZE=10 SIZE=20", "HOLDFOR=10", "BY=1;R"]
RCPT_PARAMETERS = ["NOTIFY=NEVER", "NOTIFY=SUCCESS", "NOTIFY=FAILURE,DELAY", "NOTIFY=DELAY,DELAY", "NOTIFY=NEVER,DELAY", "NOTIFY=", "NOTIFY", "notify=success,failure", "NOTIFY=SUCCESS,", "NOTIFY=ALL", "ORCPT=rfc822;a@b.test",
                   "ORCPT=rfc822;a+40b", "ORCPT=;", "ORCPT=", "ORCPT=rfc822;" + "o" * 120, "orcpt=RFC822;x", "ORCPT=utf-8;x", "NOTIFY=DELAY NOTIFY=DELAY", "ORCPT=rfc822;a ORCPT=rfc822;b", "SIZE=1", "FOO", "RRVS=2020-01-01T00:00:00Z"]


def b64(text):
    return base64.b64encode(text.encode("latin-1")).decode()


EXCHANGES = [["AUTH PLAIN " + b64("\0user\0pass")], ["AUTH PLAIN", b64("\0user\0pass")], ["AUTH PLAIN " + b64("x\0user\0pass")], ["AUTH PLAIN " + b64("user")], ["AUTH PLAIN " + b64("\0user\0pass\0more")], ["AUTH PLAIN ="],
             ["AUTH PLAIN", ""], ["AUTH PLAIN", "="], ["AUTH PLAIN", "*"], ["AUTH PLAIN", "* "], ["AUTH PLAIN *"], ["AUTH PLAIN A"], ["AUTH PLAIN AAA"], ["AUTH PLAIN A===", "x"], ["AUTH PLAIN " + b64("\0u\0" + "p" * 3000)],
             ["AUTH plain " + b64("\0user\0wrong")], ["AUTH  PLAIN  " + b64("\0user\0pass")], ["AUTH PLAIN " + b64("\0user\0pass") + " "], ["AUTH LOGIN", b64("user"), b64("pass")], ["AUTH LOGIN " + b64("user"), b64("pass")],
             ["AUTH LOGIN", b64("user"), "*"], ["AUTH LOGIN", "", ""], ["AUTH LOGIN", b64("user"), "!"], ["AUTH LOGIN " + b64("user\0pass")], ["AUTH LOGIN " + b64("defer"), b64("x")], ["AUTH LOGIN", b64("u" * 900), b64("pass")],
             ["AUTH CRAM-MD5", b64("user 0123456789abcdef0123456789abcdef")], ["AUTH CRAM-MD5", b64("nobody x")], ["AUTH CRAM-MD5", b64("user")], ["AUTH CRAM-MD5", "*"], ["AUTH CRAM-MD5", "zz!"], ["AUTH CRAM-MD5 " + b64("user x")],
             ["AUTH NTLM"], ["AUTH EXTERNAL ="], ["AUTH"], ["AUTH "], ["AUTH *"], ["AUTHX PLAIN"]]
HEADS = ["Subject: s\r\n", "From: sender@one.test\r\nTo: good@here.test\r\n", "From: a@\r\n", "To: undisclosed:;\r\n", "To: <a@b.test>, (c)\r\n", "Cc: a b c\r\n", "From: \"x <a@b.test>\r\n", "Bcc: hidden@here.test\r\n", "Date: never\r\n",
         "Message-ID: <x y>\r\n", "X-\xfc: a\r\n", "X Y: a\r\n", ": none\r\n", "Subject: =?utf-8?q?x?=\r\n", "Received: by x\r\n", "Return-Path: <q@r.test>\r\n", "Resent-From: r@one.test\r\n", "Sender: s@one.test\r\n", "Reply-To: <>\r\n",
         "From: a@one.test\r\nFrom: b@one.test\r\n", "X: " + "y" * 1200 + "\r\n", "X: a\r\n b\r\n\tc\r\n", " lost\r\n", "To: group: a@b.test, c@d.test;, e@f.test\r\n", "From: \xc3\xbc@one.test\r\n", "To: a@b.test,,c@d.test\r\n"]
BODIES = ["text\r\n", "", ".dot\r\n", "..two\r\n", "8bit \xe4\r\n", "NUL \0 in\r\n", "x" * 1100 + "\r\n", "line\nbare\r\n", "From me\r\n", "no end"]
OTHERS = ["NOOP", "NOOP x y", "NOOP ", "noop", "RSET", "RSET ", "RSET x", "VRFY good", "VRFY <bad@here.test>", "VRFY", "VRFY a b", "VRFY \xfc", "EXPN alias", "EXPN two@here.test", "EXPN", "EXPN later", "ETRN #one.test", "ETRN one.test",
          "ETRN @one.test", "ETRN", "ETRN #", "HELP", "HELP MAIL", "help x", "STARTTLS", "STARTTLS x", "QUIT x", "HELO again.test", "EHLO again.test", "EHLO", "HELO [1.2.3.4]", "LHLO x", "BURL x", "DATA x", "XCLIENT NAME=x", "TURN",
          "MAIL", "MAIL FROM", "MAIL TO:<x>", "RCPT", "RCPT FROM:<x>", "MAIL FROM:", "RCPT TO:", " NOOP", "NO\bOP", "", "\x80\x81", "MAIL  FROM:<a@one.test>", "MAIL FROM: <a@one.test>", "RCPT  TO: <good@here.test>", "BDAT", "BDAT 1 2"]
OPTIONS = ["dsn_advertise_hosts = *", "prdr_enable", "smtputf8_advertise_hosts = *", "smtputf8_advertise_hosts =", "message_size_limit = 300", "message_size_limit = 300K", "accept_8bitmime = false", "smtp_max_unknown_commands = 2",
           "smtp_max_synprot_errors = 2", "smtp_accept_max_nonmail = 3", "smtp_accept_max_nonmail = 3\nsmtp_accept_max_nonmail_hosts = !*", "smtp_accept_max_per_connection = 1", "recipients_max = 2", "recipients_max = 2\nrecipients_max_reject",
           "smtp_return_error_details", "allow_domain_literals", "allow_utf8_domains", "strip_trailing_dot", "sender_unqualified_hosts = *", "recipient_unqualified_hosts = *", "percent_hack_domains = here.test", "strict_acl_vars",
           "acl_smtp_vrfy = check", "acl_smtp_expn = check", "acl_smtp_etrn = check", "acl_smtp_mail = check", "acl_smtp_helo = check", "acl_smtp_data = verify", "acl_smtp_data = ascii", "acl_smtp_data = syntax", "acl_smtp_data = blind",
           "acl_smtp_data = sender", "acl_smtp_predata = denied", "acl_smtp_auth = denied", "acl_smtp_mailauth = check", "acl_smtp_notquit = said", "acl_smtp_quit = said", "acl_smtp_connect = said", "header_maxsize = 200",
           "header_line_maxsize = 60", "smtp_enforce_sync = false", "helo_allow_chars = _", "helo_accept_junk_hosts = *", "helo_verify_hosts = *", "helo_try_verify_hosts = *", "auth_advertise_hosts =", "server_advertise = 1",
           "smtp_etrn_command = /bin/true", "etrn_serialize = false", "pipelining_advertise_hosts =", "drop_cr", "received_headers_max = 1", "host_lookup = *", "smtp_banner = one\\ntwo", "dns_csa_use_reverse = false", "print_topbitchars",
           "local_from_check = false", "trusted_groups = nogroup", "untrusted_set_sender = *", "check_rfc2047_length = false"]
SELECTORS = ["8bitmime", "acl_warn_skipped", "all_parents", "dnssec", "etrn", "host_lookup_failed", "ident_timeout", "lost_incoming_connection", "msg_id", "msg_id_created", "protocol_detail", "proxy",
             "received_recipients", "received_sender", "rejected_header", "return_path_on_delivery", "sender_on_delivery", "sender_verify_fail", "size_reject", "smtp_confirmation", "smtp_connection", "smtp_incomplete_transaction",
             "smtp_mailauth", "smtp_no_mail", "smtp_protocol_error", "smtp_syntax_error", "subject", "unknown_in_list", "pipelining", "queue_run", "delay_delivery", "skip_delivery", "retry_defer", "address_rewrite"]
ACLS = ACCEPT + """denied:
  deny message = not $acl_c_x today
said:
  warn logwrite = said $smtp_command_history $smtp_notquit_reason
  accept
verify:
  require verify = header_sender
  accept
ascii:
  require verify = header_names_ascii
  accept
syntax:
  require verify = header_syntax
  accept
blind:
  require verify = not_blind/case_insensitive
  accept
sender:
  require verify = header_sender/callout=defer_ok
  accept
"""
LOCAL = [("-bs",), ("-bS",), ("-bs", "-oMa", "10.0.0.7.99", "-oMi", "10.0.0.8.25"), ("-bs", "-oMa", "10.0.0.7", "-oMs", "other.test", "-oMt", "ident"), ("-bs", "-f", "me@one.test"), ("-bs", "-oMr", "proto"), ("-bs", "-oMa", "2001:db8:1:2:3:4:5:6"),
         ("-bS", "-f", "me@one.test"), ("-bS", "-oMa", "10.0.0.7", "-oMr", "bproto", "-oMs", "h.test"), ("-bs", "-oMas", "a@b.test", "-oMai", "id", "-oMa", "10.0.0.7"), ("-bh", "10.0.0.1"), ("-bh", "10.0.0.4"), ("-bh", "2001:db8:1:2:3:4:5:6"), ("-bhc", "10.0.0.1")]


def parameters(rng, of):
    return "".join(" " + p for p in rng.sample(of, rng.choice((0, 0, 1, 1, 1, 2, 3))))


def message(rng):
    return "".join(rng.sample(HEADS, rng.randint(0, 4))) + "\r\n" + "".join(rng.choice(BODIES) for _ in range(rng.randint(0, 3)))


def chunks(rng):
    """BDAT commands, each with its chunk: pieces of a message cut anywhere, now and then with a number that is wrong."""
    text = message(rng).replace("no end", "no end\r\n")
    while True:
        cut = rng.choice((len(text), len(text), rng.randint(0, len(text)), rng.randint(0, 3)))
        piece, text = text[:cut], text[cut:]
        last = not text and rng.random() < 0.9
        form = rng.choice(("BDAT %d", "BDAT %d", "bdat %d", "BDAT  %d", "BDAT 0%d"))
        yield form % len(piece) + rng.choice((" LAST", " LAST", " last", " LAST ")) * last + "\r\n" + piece
        if last or rng.random() < 0.15:
            return
        if rng.random() < 0.15:
            yield rng.choice(("NOOP", "RSET", "DATA", "MAIL FROM:<a@one.test>", "RCPT TO:<good@here.test>", "VRFY good", "BDAT x", "BDAT 5 FIRST\r\nabcde", "BDAT -1", "EHLO again.test", "HELP")) + "\r\n"
        if not text:
            yield rng.choice(("BDAT 0 LAST\r\n", "BDAT 2 LAST\r\n\r\n"))
            return


def pieces(rng, batch):
    """What is sent, each piece before the answer of the next is waited for."""
    out = [] if batch else [rng.choice(("EHLO client.test", "EHLO client.test", "EHLO client.test", "HELO client.test", "EHLO [10.0.0.1]", "EHLO a_b", "EHLO", "HELO x y", "EHLO [IPv6:1::2]", "EHLO \xfc.test", "NOOP")) + "\r\n"]
    if not batch and rng.random() < 0.4:
        for _ in range(rng.randint(1, 3)):
            out += [line + "\r\n" for line in rng.choice(EXCHANGES)]
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.4:
            out += [rng.choice(OTHERS) + "\r\n" for _ in range(rng.randint(1, 4))]
        out.append("MAIL FROM:" + (rng.choice(SENDERS) if rng.random() < 0.4 else SENDERS[0]) + parameters(rng, MAIL_PARAMETERS) + "\r\n")
        for _ in range(rng.randint(1, 4)):
            out.append("RCPT TO:" + (rng.choice(RECIPIENTS) if rng.random() < 0.5 else RECIPIENTS[0]) + parameters(rng, RCPT_PARAMETERS) + "\r\n")
        if rng.random() < 0.2:
            out.append(rng.choice(OTHERS) + "\r\n")
        way = rng.random()
        if way < 0.4 and not batch:
            out += chunks(rng)
        elif way < 0.9:
            body = message(rng).replace("\r\n.", "\r\n..")
            out += ["DATA\r\n", (body if body.endswith("\n") else body + "\r\n") + ".\r\n"]
    return out + ["QUIT\r\n"] * (rng.random() < 0.9)


def session(number):
    rng = random.Random(number)
    options = list(dict.fromkeys(rng.sample(OPTIONS, rng.randint(0, 4))))
    names = set()
    main = "acl_smtp_rcpt = check\nexim_path = /bin/true\n"
    for option in options:
        if (name := option.split(" ")[0]) not in names and name != "server_advertise":
            names.add(name)
            main += option + "\n"
    chosen = [rng.choice("++-") + s for s in rng.sample(SELECTORS, rng.randint(0, 6))]
    main += "log_selector = " + " ".join([*chosen, "-queue_time"]) + "\n"
    args = rng.choice(LOCAL)
    # A socket says itself who the client is.
    socket = args[0] == "-bs" and rng.random() < 0.7
    if socket:
        args = ("-bs",)
    case = Case(f"session {number} {' '.join(args)}{' by socket' if socket else ''}", main, ACLS, [], args)
    if rng.random() < 0.7:
        case.config = case.config.replace("chunking_advertise_hosts =\n", "chunking_advertise_hosts = *\n")
    if "pipelining_advertise_hosts" in names:
        case.config = case.config.replace("pipelining_connect_advertise_hosts =\n", "")
    said = [p.encode("latin-1") for p in pieces(rng, args[0] == "-bS")]
    case.input = b"".join(said)
    if socket:
        # Sometimes several pieces at once: a client that does PIPELINING, or ought not to.
        case.said = []
        for piece in said:
            if case.said and rng.random() < 0.3:
                case.said[-1] += piece
            else:
                case.said.append(piece)
    return case

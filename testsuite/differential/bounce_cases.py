"""The cases of `bounces`: pieces of configuration, files, and steps. FILES is where the files are."""

# (pattern of "case: what", why they may differ)
DIFFERENT = [
    ("smtp 550 multi-line", "4.99 cuts lines of errors at 255 characters"),
    ("pipe max_output", "of the output exactly max_output is kept"),
    ("^dsn success full: mailbox|^dsn failure: mailbox", "ORCPT and ENVID are decoded from xtext (RFC 3464 2.2.1, 2.3.1)"),
    ("^dsn (single |two )?alias|^dsn single alias|^dsn unseen", "aliases keep what the sender asked for (RFC 3461 5.2.7): the reference forgets it, and reports success"),
    ("dsn pipe", "the reference reports success and failure"),
    ("dsn success null sender", "the reference tries to report to nobody"),
    ("-Mg: mailbox|timeout_frozen_after with sender: mailbox", "the bounce says why, as the manual has it"),
    ("queue_smtp_domains", "the words of 4.99"),
]

TEXT = "Subject: the subject\nFrom: Sender <sender@box.ex>\nTo: someone@else.ex\nX-Other: kept\n\nFirst line\nsecond line\n"
LONG = "Subject: long\n\n" + "x" * 1200 + "\nshort\n"
BIG = "Subject: big\n\n" + ("y" * 70 + "\n") * 2000
S = "sender@box.ex"


def send(*recipients, sender=S, text=TEXT):
    return ("send", sender, list(recipients), text)


def smtp(*recipients, mail="", sender=S):
    lines = [f"MAIL FROM:<{sender}> {mail}".strip()]
    lines += [f"RCPT TO:<{r.split(' ')[0]}>{' ' + r.split(' ', 1)[1] if ' ' in r else ''}" for r in recipients]
    return ("smtp", [*lines, "DATA", *TEXT.split("\n")[:-1], "."])


RUN = ("q", "-qf")
FAIL = [send("fails@test.ex"), RUN, RUN]
TWO = [send("fails@test.ex", "s_550@far.ex", "nobody@test.ex"), RUN, RUN]


def case(*steps, **more):
    return {"steps": list(steps), "pipe": "return_fail_output", **more}


CASES = {
    "one failure": case(*FAIL),
    "three failures": case(*TWO),
    "many failures": case(send(*[f"fails{i}@test.ex" for i in range(60)]), RUN, RUN),
    "failure and success": case(send("fails@test.ex", "third@box.ex"), RUN, RUN),
    "failure and deferral": case(send("fails@test.ex", "defers@test.ex"), RUN, RUN),
    "alias": case(send("alias@test.ex"), RUN, RUN),
    "deep alias": case(send("deep@test.ex"), RUN, RUN),
    "hidden": case(send("hidden@test.ex"), RUN, RUN),
    "hidden and not": case(send("hidden@test.ex", "fails3@test.ex"), RUN, RUN),
    "errors_to": case(send("errorsto@test.ex", "fails4@test.ex"), RUN, RUN),
    "errors_to nobody": case(send("noerrors@test.ex"), RUN, RUN),
    "null sender": case(send("fails@test.ex", sender="<>"), RUN, RUN),
    "null sender ignored": case(send("fails@test.ex", sender="<>"), RUN, RUN, main="ignore_bounce_errors_after = 0s"),
    "null sender later": case(send("fails@test.ex", sender="<>"), RUN, ("age", 7300), RUN, RUN, main="ignore_bounce_errors_after = 2h"),
    "smtp 550": case(send("s_550@far.ex"), RUN, RUN),
    "smtp 550 multi-line": case(send("s_550multi@far.ex"), RUN, RUN),
    "smtp data 550": case(send("s_data550@far.ex", "s_ok@far.ex"), RUN, RUN),
    "smtp 451 for long": case(send("s_451@far.ex"), RUN, ("age", 400000), RUN, RUN),
    "smtp 451 no rule": case(send("s_451@far.ex"), RUN, RUN, retry="F,1s,1s"),
    "pipe fails": case(send("p_fail@test.ex"), RUN, RUN),
    "pipe fails quietly": case(send("p_quiet@test.ex"), RUN, RUN),
    "pipe output": case(send("p_out@test.ex"), RUN, RUN, pipe="return_output"),
    "pipe long output": case(send("p_long@test.ex"), RUN, RUN),
    "pipe max_output": case(send("p_long@test.ex"), RUN, RUN, pipe="return_fail_output\n  max_output = 1K"),
    "pipe log_output": case(send("p_fail@test.ex", "p_out@test.ex"), RUN, RUN, pipe="log_output"),
    "pipe temporary": case(send("p_temp@test.ex"), RUN, RUN),
    "pipe missing": case(send("p_missing@test.ex"), RUN, RUN),
    "two pipes": case(send("p_fail@test.ex", "p_long@test.ex", "fails@test.ex"), RUN, RUN),
    "file": case(send("filed@test.ex"), RUN, RUN),
    "bounce_message_text": case(*FAIL, main='bounce_message_text = "Ask postmaster.\\nThank you.\\n"'),
    "bounce_return_body": case(*FAIL, main="no_bounce_return_body"),
    "bounce_return_message": case(*FAIL, main="no_bounce_return_message"),
    "bounce_return_size_limit": case(send("fails@test.ex", text=BIG), RUN, RUN, main="bounce_return_size_limit = 1K"),
    "bounce_return_size_limit 0": case(send("fails@test.ex", text=BIG), RUN, RUN, main="bounce_return_size_limit = 0"),
    "default size limit": case(send("fails@test.ex", text=BIG), RUN, RUN),
    "linesize limit": case(send("fails@test.ex", text=LONG), RUN, RUN),
    "linesize limit set": case(send("fails@test.ex", text=LONG), RUN, RUN, main="bounce_return_linesize_limit = 2000"),
    "bounce_sender_authentication": case(*FAIL, main="bounce_sender_authentication = mailer@test.ex"),
    "dsn_from": case(*FAIL, main="dsn_from = Mailer of $qualify_domain <mailer@test.ex>"),
    "dsn_from expansion error": case(*FAIL, main="dsn_from = ${if foo}"),
    "errors_copy": case(*FAIL, main="errors_copy = *@box.ex copy@box.ex"),
    "errors_copy second": case(*FAIL, main="errors_copy = *@x.ex other@box.ex : ^sender copy@box.ex,third@box.ex"),
    "errors_copy expansion": case(*FAIL, main="errors_copy = *@* copy@${domain}"),
    "errors_copy no match": case(*FAIL, main="errors_copy = *@x.ex copy@box.ex"),
    "errors_reply_to": case(*FAIL, main="errors_reply_to = Postmaster <postmaster@box.ex>"),
    "bounce_message_file": case(*TWO, main="bounce_message_file = FILES/bounce", files={
        "bounce": "Subject: Own bounce for $bounce_recipient ($bounce_return_size_limit)\nX-Own: yes\n****\nDear user of $primary_hostname,\n\nit failed:\n****\nOutput:\n****\nYour message:\n****\nThe message was big.\n****\nThe end.\n"}),
    "bounce_message_file short": case(*FAIL, main="bounce_message_file = FILES/bounce", files={"bounce": "Subject: only a header\n"}),
    "bounce_message_file empty items": case(*FAIL, main="bounce_message_file = FILES/bounce", files={"bounce": "****\n****\n****\n****\n****\n"}),
    "bounce_message_file missing": case(*FAIL, main="bounce_message_file = FILES/nosuch"),
    "bounce_message_file bad expansion": case(*FAIL, main="bounce_message_file = FILES/bounce", files={"bounce": "Subject: ${if foo}\n****\nIntro\n"}),
    "bounce_message_file with output": case(send("p_fail@test.ex"), RUN, RUN, main="bounce_message_file = FILES/bounce", files={
        "bounce": "Subject: x\n****\nintro\n****\nThis it said:\n****\ncopy\n****\nbig\n****\nend\n"}),
    "bounce_message_file and big": case(send("fails@test.ex", text=BIG), RUN, RUN, main="bounce_message_file = FILES/bounce\nbounce_return_size_limit = 1K", files={
        "bounce": "Subject: x\n****\nintro\n****\nsaid\n****\ncopy\n****\nbig $bounce_return_size_limit\n****\nend\n"}),
    "warning": case(send("defers@test.ex"), RUN, ("age", 90000), RUN, RUN),
    "warning twice": case(send("defers@test.ex"), ("age", 90000), RUN, ("age", 86400), RUN, RUN, RUN),
    "warning times": case(send("defers@test.ex"), ("age", 4000), RUN, ("age", 4000), RUN, ("age", 90000), RUN, RUN, main="delay_warning = 1h:2h:1d"),
    "warning off": case(send("defers@test.ex"), ("age", 90000), RUN, RUN, main="delay_warning ="),
    "warning minutes": case(send("defers@test.ex"), ("age", 700), RUN, RUN, main="delay_warning = 10m"),
    "warning 90 minutes": case(send("defers@test.ex"), ("age", 5500), RUN, RUN, main="delay_warning = 90m"),
    "warning smtp": case(send("s_451@far.ex"), RUN, ("age", 90000), RUN, RUN),
    "warning several": case(send("s_451@far.ex", "defers@test.ex", "alias@test.ex", "p_temp@test.ex"), ("age", 90000), RUN, RUN),
    "warning null sender": case(send("defers@test.ex", sender="<>"), ("age", 90000), RUN, RUN),
    "warning condition no": case(send("defers@test.ex"), ("age", 90000), RUN, RUN, main="delay_warning_condition = no"),
    "warning default condition list": case(send("defers@test.ex", text="Precedence: list\n" + TEXT), ("age", 90000), RUN, RUN),
    "warning default condition auto": case(send("defers@test.ex", text="Auto-Submitted: auto-replied\n" + TEXT), ("age", 90000), RUN, RUN),
    "warning condition domain": case(send("defers@test.ex"), ("age", 90000), RUN, RUN, main="delay_warning_condition = ${if eq{$domain}{test.ex}{yes}{no}}"),
    "warning condition bad": case(send("defers@test.ex"), ("age", 90000), RUN, RUN, main="delay_warning_condition = ${if foo}"),
    "warning retry time": case(send("defers@test.ex"), ("q", "-q"), ("age", 90000), ("q", "-q"), RUN),
    "warning errors_to": case(send("deferto@test.ex", "defers@test.ex"), ("age", 90000), RUN, RUN,
                              router="deferto:\n  driver = redirect\n  local_parts = deferto\n  errors_to = third@box.ex\n  data = defers2@test.ex\n"),
    "warn_message_file": case(send("defers@test.ex"), ("age", 90000), RUN, RUN, main="warn_message_file = FILES/warn", files={
        "warn": "Subject: waiting $warn_message_delay\n****\nDear $warn_message_recipients,\n$message_exim_id waits\n****\nThat is all.\n"}),
    "warn_message_file short": case(send("defers@test.ex"), ("age", 90000), RUN, RUN, main="warn_message_file = FILES/warn", files={"warn": "Subject: waiting\n"}),
    "warn_message_file missing": case(send("defers@test.ex"), ("age", 90000), RUN, RUN, main="warn_message_file = FILES/nosuch"),
    "warning errors_copy": case(send("defers@test.ex"), ("age", 90000), RUN, RUN, main="errors_copy = *@box.ex copy@box.ex\nerrors_reply_to = p@box.ex\ndsn_from = X <x@y.z>"),
    "dsn success": case(smtp("third@box.ex NOTIFY=SUCCESS", mail="ENVID=QQ1 RET=HDRS"), RUN, RUN),
    "dsn success full": case(smtp("third@box.ex NOTIFY=SUCCESS ORCPT=rfc822;Orig+40x.ex", mail="RET=FULL"), RUN, RUN),
    "dsn success alias": case(smtp("alias2@test.ex NOTIFY=SUCCESS", "other@box.ex"), RUN, RUN,
                              router="alias2:\n  driver = redirect\n  local_parts = alias2\n  data = third@box.ex, copy@box.ex\n"),
    "dsn success single alias": case(smtp("alias1@test.ex NOTIFY=SUCCESS"), RUN, RUN,
                                     router="alias1:\n  driver = redirect\n  local_parts = alias1\n  data = third@box.ex\n"),
    "dsn single alias fails": case(smtp("alias1@test.ex NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o@x"), RUN, RUN,
                                   router="alias1:\n  driver = redirect\n  local_parts = alias1\n  data = fails@test.ex\n"),
    "dsn single alias never": case(smtp("alias1@test.ex NOTIFY=NEVER"), RUN, RUN,
                                   router="alias1:\n  driver = redirect\n  local_parts = alias1\n  data = fails@test.ex\n"),
    "dsn single alias same name": case(smtp("alias1@test.ex NOTIFY=NEVER"), RUN, RUN,
                                   router="alias1:\n  driver = redirect\n  local_parts = alias1\n  data = alias1@box.ex\nalias1f:\n  driver = redirect\n  domains = box.ex\n  local_parts = alias1\n  allow_fail\n  data = :fail: no\n"),
    "dsn alias to smtp": case(smtp("alias1@test.ex NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o@x", mail="ENVID=e"), RUN, RUN,
                              router="alias1:\n  driver = redirect\n  local_parts = alias1\n  data = s_ok@far.ex\n"),
    "dsn two alias to smtp": case(smtp("alias1@test.ex NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o@x", mail="ENVID=e"), RUN, RUN,
                              router="alias1:\n  driver = redirect\n  local_parts = alias1\n  data = s_ok@far.ex, s_ok2@far.ex\n"),
    "dsn two alias delay": case(smtp("alias1@test.ex NOTIFY=DELAY"), ("age", 90000), RUN, RUN,
                              router="alias1:\n  driver = redirect\n  local_parts = alias1\n  data = defers@test.ex, s_451@far.ex\n"),
    "dsn unseen": case(smtp("alias1@test.ex NOTIFY=SUCCESS"), RUN, RUN,
                              router="alias1:\n  driver = redirect\n  local_parts = alias1\n  data = third@box.ex\n  unseen\nalias1b:\n  driver = accept\n  local_parts = alias1\n  transport = smtp2\n".replace("smtp2", "box")),
    "dsn success blackhole": case(smtp("alias1@test.ex NOTIFY=SUCCESS"), RUN, RUN,
                              router="alias1:\n  driver = redirect\n  local_parts = alias1\n  data = :blackhole:\n"),
    "dsn success smtp dsn": case(smtp("s_ok@far.ex NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;Orig+40x.ex", mail="ENVID=abc RET=FULL"), RUN, RUN),
    "dsn success smtp none": case(smtp("s_ok@nodsn.ex NOTIFY=SUCCESS", mail="ENVID=abc RET=HDRS"), RUN, RUN),
    "dsn success lasthop": case(smtp("s_ok@far.ex NOTIFY=SUCCESS"), RUN, RUN,
                                router="last:\n  driver = manualroute\n  domains = far.ex\n  route_list = * 127.0.0.1\n  self = send\n  dsn_lasthop\n  transport = smtp\n"),
    "dsn success null sender": case(smtp("third@box.ex NOTIFY=SUCCESS", sender=""), RUN, RUN),
    "dsn never": case(smtp("fails@test.ex NOTIFY=NEVER"), RUN, RUN),
    "dsn never delayed": case(smtp("defers@test.ex NOTIFY=NEVER"), ("age", 90000), RUN, RUN),
    "dsn failure": case(smtp("fails@test.ex NOTIFY=FAILURE ORCPT=rfc822;Orig+40x.ex", mail="ENVID=x+2By RET=HDRS"), RUN, RUN),
    "dsn failure full": case(smtp("fails@test.ex NOTIFY=FAILURE", mail="RET=FULL"), RUN, RUN),
    "dsn full no body": case(smtp("fails@test.ex", mail="RET=FULL"), RUN, RUN, main="no_bounce_return_body"),
    "dsn success only fails": case(smtp("fails@test.ex NOTIFY=SUCCESS"), RUN, RUN),
    "dsn delay": case(smtp("defers@test.ex NOTIFY=DELAY ORCPT=rfc822;o@x", mail="ENVID=e"), ("age", 90000), RUN, RUN),
    "dsn delay not wanted": case(smtp("defers@test.ex NOTIFY=FAILURE"), ("age", 90000), RUN, RUN),
    "dsn bad xtext": case(smtp("fails@test.ex ORCPT=rfc822;a+2", mail="ENVID=b+ZZ"), RUN, RUN),
    "dsn mixed": case(smtp("fails@test.ex NOTIFY=NEVER", "fails2@test.ex", "third@box.ex NOTIFY=SUCCESS", "s_550@far.ex NOTIFY=FAILURE,DELAY"), RUN, RUN),
    "dsn alias never": case(smtp("alias@test.ex NOTIFY=NEVER"), RUN, RUN),
    "dsn pipe": case(smtp("p_fail@test.ex NOTIFY=SUCCESS,FAILURE"), RUN, RUN),
    "frozen stays": case(send("fails@test.ex"), ("each", "-Mf"), ("q", "-q"), ("q", "-qf"), ("q", "-qff"), RUN),
    "auto_thaw": case(send("fails@test.ex", sender="<>"), RUN, ("age", 4000), RUN, RUN, main="auto_thaw = 1h"),
    "auto_thaw not yet": case(send("fails@test.ex", sender="<>"), RUN, ("age", 400), RUN, RUN, main="auto_thaw = 1h"),
    "auto_thaw and a manual freeze": case(send("fails@test.ex"), ("each", "-Mf"), ("age", 4000), RUN, RUN, main="auto_thaw = 1h"),
    "timeout_frozen_after": case(send("fails@test.ex", sender="<>"), RUN, ("age", 700000), RUN, RUN, main="timeout_frozen_after = 7d"),
    "timeout_frozen_after with sender": case(send("defers@test.ex", "fails2@test.ex"), ("each", "-Mf"), ("age", 700000), RUN, RUN, main="timeout_frozen_after = 7d"),
    "timeout_frozen_after not yet": case(send("fails@test.ex", sender="<>"), RUN, ("age", 60000), RUN, RUN, main="timeout_frozen_after = 7d"),
    "move_frozen_messages": case(send("fails@test.ex", sender="<>"), RUN, RUN, main="move_frozen_messages"),
    "freeze_tell": case(send("fails@test.ex", sender="<>"), RUN, RUN, main="freeze_tell = postmaster@box.ex"),
    "freeze_tell router": case(send("fz@test.ex"), RUN, RUN, main="freeze_tell = postmaster@box.ex",
                               router="fz:\n  driver = manualroute\n  local_parts = fz\n  route_list = * mail.test.ex\n  self = freeze\n  transport = smtp\n"),
    "hold_domains": case(send("third@box.ex", "fails@test.ex"), RUN, ("each", "-M"), RUN, main="hold_domains = box.ex"),
    "queue_domains": case(send("third@box.ex"), ("each", "-Mc"), RUN, main="queue_domains = box.ex"),
    "queue_smtp_domains": case(send("s_ok@far.ex", "third@box.ex"), ("each", "-Mc"), RUN, main="queue_smtp_domains = far.ex"),
    "-Mg": case(send("third@box.ex", "alias@test.ex"), ("each", "-Mg"), RUN),
    "-Mrm": case(send("third@box.ex"), ("each", "-Mrm"), RUN),
    "-Mg null sender": case(send("third@box.ex", sender="<>"), ("each", "-Mg"), RUN),
    "syslog duplicates": case(send("fails@test.ex"), RUN, RUN, main="log_selector = +all -pid -arguments -millisec"),
    "print_topbitchars": case(send("p_fail@test.ex", text="Subject: ü\n\nä\n"), RUN, RUN, main="print_topbitchars"),
    "8 bit": case(send("fails@test.ex", text="Subject: ü\n\nä\n"), RUN, RUN),
    "message with CRLF": case(send("fails@test.ex", text="Subject: crlf\r\n\r\nbody\r\n"), RUN, RUN),
    "empty body": case(send("fails@test.ex", text="Subject: none\n"), RUN, RUN),
    "references": case(send("fails@test.ex", text="Subject: r\nMessage-ID: <a@b>\nReferences: <1@x> <2@x>\n\nx\n"), RUN, RUN),
    "in-reply-to": case(send("fails@test.ex", text="Subject: r\nMessage-ID: <a@b>\nIn-Reply-To: <1@x>\n\nx\n"), RUN, RUN),
    "many references": case(send("fails@test.ex", text="Message-ID: <a@b>\nReferences: " + " ".join(f"<{i}@x>" for i in range(20)) + "\n\nx\n"), RUN, RUN),
}

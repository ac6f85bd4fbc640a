"""The cases of the command `tls`: each is a dictionary with a name, pieces of configuration (main, acl, route, transport,
more) and either `talk` (what clients say to the daemon; a tuple: arguments of openssl s_client) or `send` (command lines, and
`server`: what the mail server does, connection by connection; see tls_world)."""

CONF = """
primary_hostname = mail.test.ex
qualify_domain = test.ex
exim_user = Debian-exim
spool_directory = SIDE/spool
log_file_path = SIDE/spool/log/%s
keep_environment =
exim_path = EXIM
trusted_users = root
dns_dnssec_ok = 1
host_lookup =
queue_run_in_order
smtp_receive_timeout = 2s
log_selector = +tls_certificate_verified +tls_peerdn +tls_sni +tls_resumption +dnssec
acl_smtp_rcpt = rcpt
MAIN
begin acl
rcpt:
ACL
  accept logwrite = in: ver=$tls_in_ver bits=$tls_in_bits verified=$tls_in_certificate_verified ocsp=$tls_in_ocsp sni=<$tls_in_sni> \\
                    peer=${certextract{subject,CN}{$tls_in_peercert}} own=${certextract{subject,CN}{$tls_in_ourcert}} resumed=$tls_in_resumption std=$tls_in_cipher_std
event:
  accept logwrite = event $event_name ${if eq{$event_name}{tls:cert}{$event_data ${certextract{subject,CN}{$tls_out_peercert}}}{<$event_data>}}
begin routers
mx:
  driver = dnslookup
  domains = *.sec : *.insec : plain.ex
  dnssec_request_domains = *
  self = send
  transport = smtp
route:
  driver = manualroute
  domains = !test.ex
  route_data = ROUTE
  host_find_failed = defer
  self = send
  transport = smtp
sink:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = SIDE/mail/box
  user = tester
smtp:
  driver = smtp
  port = 2525
  allow_localhost
  hosts_try_fastopen = :
  hosts_pipe_connect = :
  event_action = EVENT
  headers_add = X-Out: ver=$tls_out_ver bits=$tls_out_bits verified=$tls_out_certificate_verified dane=$tls_out_dane ocsp=$tls_out_ocsp \\
    sni=<$tls_out_sni> peer=${certextract{subject,CN}{$tls_out_peercert}} own=${certextract{subject,CN}{$tls_out_ourcert}} \\
    usage=$tls_out_tlsa_usage resumed=$tls_out_resumption
TRANSPORT
begin retry
* * F,1h,10m
MORE
"""
CERT = "tls_certificate = CA/mx.pem\ntls_privatekey = CA/mx.key\n"
ASK = CERT + "tls_verify_certificates = CA/ca.pem\n"
MAIL = ["MAIL FROM:<s@x.ex>", "RCPT TO:<box@test.ex>", "RSET", "QUIT"]
TLS = ["EHLO peer.ex", "STARTTLS", "!tls", "EHLO peer.ex", *MAIL]
PLAIN = ["EHLO peer.ex", "STARTTLS", *MAIL]


def tls(how="", after=MAIL):
    return ["EHLO peer.ex", "STARTTLS", "!tls " + how, "EHLO peer.ex", *after]


def on_connect(how=""):
    return ["!tls direct=1 " + how, "EHLO peer.ex", *MAIL]


def server_cases():
    def case(name, main="", *talk, **more):
        return {"name": "server: " + name, "main": main, "talk": talk or [TLS], **more}

    yield case("no certificate: one of its own")
    yield case("certificate and key", CERT)
    yield case("tls_advertise_hosts empty", CERT + "tls_advertise_hosts =", PLAIN)
    yield case("tls_advertise_hosts of others", CERT + "tls_advertise_hosts = 10.0.0.0/8", PLAIN)
    yield case("tls_advertise_hosts expanded", CERT + "tls_advertise_hosts = ${if eq{$sender_host_address}{127.0.0.1}{*}}")
    yield case("tls_advertise_hosts cannot be looked up", CERT + "tls_advertise_hosts = ${lookup{x}lsearch{/none}}", TLS)
    yield case("tls_advertise_hosts fails on purpose", CERT + "tls_advertise_hosts = ${if eq{1}{2}{*}fail}", PLAIN)
    for option in ("tls_certificate", "tls_privatekey"):
        base = "tls_certificate = CA/mx.pem\n" if option == "tls_privatekey" else ""
        yield case(option + " that is not there", f"{base}{option} = /none/such", TLS)
        yield case(option + " cannot be expanded", f"{base}{option} = ${{lookup{{x}}lsearch{{/none}}}}", TLS)
        yield case(option + " empty", f"{base}{option} =", TLS)
        yield case(option + " fails on purpose", f"{base}{option} = ${{if eq{{1}}{{2}}{{x}}fail}}", TLS)
    yield case("the wrong key", "tls_certificate = CA/mx.pem\ntls_privatekey = CA/ec.key", TLS)
    yield case("certificate by SNI", "tls_certificate = CA/${if eq{$tls_in_sni}{ec.tls.ex}{ec}{mx}}.pem\n"
               "tls_privatekey = CA/${if eq{$tls_in_sni}{ec.tls.ex}{ec}{mx}}.key", tls("sni=ec.tls.ex"), tls("sni=mx.tls.ex"), tls())
    yield case("SNI for which the certificate is not there", "tls_certificate = CA/${if def:tls_in_sni{none}{mx}}.pem\ntls_privatekey = CA/mx.key",
               tls("sni=x.tls.ex"))
    yield case("two certificates", "tls_certificate = CA/mx.pem : CA/ec.pem\ntls_privatekey = CA/mx.key : CA/ec.key",
               tls("version=TLSv1_2 ciphers=ECDHE-RSA-AES256-GCM-SHA384"), tls("version=TLSv1_2 ciphers=ECDHE-ECDSA-AES256-GCM-SHA384"))
    yield case("two certificates, one key", "tls_certificate = CA/mx.pem : CA/ec.pem\ntls_privatekey = CA/mx.key", TLS)
    for verb, rest in (("accept", ""), ("deny", ""), ("deny", "message = not for you"), ("deny", "message = 530 not 554"), ("defer", "message = later"),
                       ("drop", ""), ("require", "condition = 0"), ("discard", ""), ("warn", "logwrite = starting")):
        yield case(f"acl_smtp_starttls {verb} {rest}", CERT + "acl_smtp_starttls = start", TLS, PLAIN,
                   acl=f"  accept condition = 0\nstart:\n  {verb} {rest}\nnext:\n")
    yield case("acl_smtp_starttls that is not there", CERT + "acl_smtp_starttls = nosuch", PLAIN)
    hello = "EHLO peer.ex"
    yield case("STARTTLS again", CERT, tls(after=["STARTTLS", *MAIL]))
    yield case("STARTTLS with arguments", CERT, [hello, "STARTTLS now", "QUIT"])
    yield case("STARTTLS before EHLO", CERT, ["STARTTLS", "!tls", hello, *MAIL], ["STARTTLS", "QUIT"])
    yield case("STARTTLS after HELO", CERT, ["HELO peer.ex", "STARTTLS", "!tls", hello, *MAIL])
    yield case("STARTTLS after MAIL", CERT, [hello, "MAIL FROM:<a@b.ex>", "STARTTLS", "!tls", "RCPT TO:<box@test.ex>", hello, *MAIL])
    yield case("commands behind STARTTLS", CERT, [hello, "STARTTLS\\nMAIL FROM:<evil@x.ex>", "!reply", "RCPT TO:<box@test.ex>", "QUIT"])
    yield case("MAIL without EHLO", CERT, [hello, "STARTTLS", "!tls", *MAIL], ["HELO peer.ex", "STARTTLS", "!tls", *MAIL])
    yield case("tls_remember_esmtp", CERT + "tls_remember_esmtp", [hello, "STARTTLS", "!tls", *MAIL])
    yield case("HELP and NOOP in TLS", CERT, tls(after=["HELP", "NOOP", "VRFY x", "QUIT"]))
    yield case("helo_try_verify_hosts", CERT + "helo_verify_hosts = 127.0.0.1", tls())
    yield case("closed in the handshake", CERT, [hello, "STARTTLS", "!close"])
    yield case("clear text for a handshake", CERT, [hello, "STARTTLS", "NOOP", "QUIT"])
    yield case("closed after the handshake", CERT, [hello, "STARTTLS", "!tls", "!close"])
    yield case("old versions", CERT, tls("version=TLSv1_2"))
    yield case("tls_on_connect_ports", CERT + "tls_on_connect_ports = 2626", on_connect())
    yield case("tls_on_connect_ports, client in clear", CERT + "tls_on_connect_ports = 2626", ["EHLO x", "QUIT"])
    yield case("tls_on_connect_ports of others", CERT + "tls_on_connect_ports = 465", TLS)
    yield case("tls_on_connect_ports, not advertised", CERT + "tls_on_connect_ports = 2626\ntls_advertise_hosts =", on_connect())
    yield case("tls_on_connect_ports, no certificate file", "tls_certificate = /none\ntls_on_connect_ports = 2626", on_connect())
    yield case("tls_on_connect_ports, bad", CERT + "tls_on_connect_ports = smtps : x", PLAIN)
    clients = [tls(), tls("cert=client"), tls("cert=revoked"), tls("cert=ec")]
    for option in ("tls_verify_hosts", "tls_try_verify_hosts"):
        for what in ("= *", "= 10.0.0.0/8", "= ${if eq{1}{2}{*}fail}"):
            yield case(f"{option} {what}", ASK + f"{option} {what}", *clients)
        yield case(f"{option}, tls_crl", ASK + f"{option} = *\ntls_crl = CA/crl.pem", *clients[:3])
        yield case(f"{option}, tls_crl that is not there", ASK + f"{option} = *\ntls_crl = /none", *clients[:2])
        yield case(f"{option}, CA in a directory", CERT + f"tls_verify_certificates = CA/dir\n{option} = *", *clients[:2])
        yield case(f"{option}, other CA", CERT + f"tls_verify_certificates = CA/other-ca.pem\n{option} = *", *clients[:2])
        yield case(f"{option}, no CA", CERT + f"tls_verify_certificates =\n{option} = *", *clients[:2])
        yield case(f"{option}, CA that is not there", CERT + f"tls_verify_certificates = /none\n{option} = *", *clients[:2])
        yield case(f"{option}, system", CERT + f"{option} = *", *clients[:2])
        yield case(f"{option} on connect", ASK + f"{option} = *\ntls_on_connect_ports = 2626", on_connect(), on_connect("cert=client"))
        yield case(f"{option} TLS 1.2", ASK + f"{option} = *", *[tls("version=TLSv1_2 " + c) for c in ("", "cert=client", "cert=revoked")])
    check = "  deny !encrypted = *\n  message = TLS first\n  deny !verify = certificate\n message = no certificate\n"
    yield case("ACL conditions encrypted and verify = certificate", ASK + "tls_try_verify_hosts = *", PLAIN, *clients[:2], acl=check)
    yield case("encrypted = a list", CERT, PLAIN, tls(), acl="  deny encrypted = nosuch\n  deny condition = ${if def:tls_in_cipher{0}{1}}\n")
    yield case("auth_advertise_hosts by TLS", CERT + "auth_advertise_hosts = ${if def:tls_in_cipher{*}}", PLAIN, tls(),
               more="begin authenticators\np:\n  driver = plaintext\n  public_name = PLAIN\n  server_condition = 1\n")
    auth = "begin authenticators\nt:\n  driver = tls\n  server_param1 = ${certextract{subj_altname,dns,>:}{$tls_in_peercert}}\n" \
           "  server_condition = ${if and{{bool{$tls_in_certificate_verified}}{inlist{client.tls.ex}{$auth1}}}}\n  server_set_id = $auth1\n"
    yield case("authenticator tls", ASK + "tls_try_verify_hosts = *", *clients, more=auth, acl="  warn logwrite = id <$authenticated_id> by <$sender_host_authenticated>\n")
    external = "begin authenticators\ne:\n  driver = external\n  public_name = EXTERNAL\n  server_param2 = ${certextract{subj_altname,dns,>:}{$tls_in_peercert}}\n" \
               "  server_condition = ${if inlist{$auth1}{$auth2}}\n  server_set_id = $auth1\n" \
               "  server_advertise_condition = ${if eq{$tls_in_certificate_verified}{1}}\n"
    said = ["AUTH EXTERNAL Y2xpZW50LnRscy5leA==", *MAIL]
    wrong = ["AUTH EXTERNAL b3RoZXI=", *MAIL]
    asked = ["AUTH EXTERNAL", "Y2xpZW50LnRscy5leA==", *MAIL]
    yield case("authenticator external", ASK + "tls_try_verify_hosts = *", *[tls("cert=client", s) for s in (said, wrong, asked, ["AUTH EXTERNAL =", *MAIL])],
               tls("", said), more=external, acl="  warn logwrite = id <$authenticated_id> by <$sender_host_authenticated>\n")
    for value in ("", "smtp", "esmtp", "smtp : esmtp", "${if eq{1}{2}{x}fail}", "http/1.1", "<, smtp, x", "${lookup{x}lsearch{/none}}"):
        yield case(f"tls_alpn = {value}", CERT + f"tls_alpn = {value}", tls(), tls("alpn=smtp"), tls("alpn=esmtp"), tls("alpn=h2"), tls("alpn=h2,smtp"))
    yield case("hosts_require_alpn", CERT + "hosts_require_alpn = *", tls(), tls("alpn=smtp"))
    yield case("hosts_require_alpn of others", CERT + "hosts_require_alpn = 10.0.0.1", tls())
    yield case("hosts_require_alpn on connect", CERT + "hosts_require_alpn = *\ntls_on_connect_ports = 2626", on_connect(), on_connect("alpn=smtp"))
    status = ("-status",)
    for value in ("CA/mx.good.resp", "DER CA/mx.good.resp", "PEM CA/mx.good.resp.pem", "", "/none", "CA/mx.revoked.resp", "CA/mx.key", "CA/mx.expired.resp"):
        yield case(f"tls_ocsp_file = {value}", CERT + f"tls_ocsp_file = {value}", status, ("-status", "-tls1_2"), TLS)
    yield case("tls_ocsp_file, not asked", CERT + "tls_ocsp_file = CA/mx.good.resp", (), TLS)
    yield case("tls_ocsp_file by SNI", CERT + "tls_ocsp_file = ${if eq{$tls_in_sni}{mx.tls.ex}{CA/mx.good.resp}}",
               ("-status", "-servername", "mx.tls.ex"), ("-status", "-servername", "x.tls.ex"), ("-status", "-noservername"))
    for value in ("", "= *", "= 10.0.0.1"):
        yield case(f"tls_resumption_hosts {value}", CERT + (f"tls_resumption_hosts {value}" if value else ""), tls("keep=1"), tls("keep=1"), tls("keep=1 version=TLSv1_2"))
    for name in ("none", "historic", "/none", "CA/mx.pem", "ffdhe2048", "ike23", "exim.dev.20160529.3", "nosuch"):
        yield case(f"tls_dhparam = {name}", CERT + f"tls_dhparam = {name}", tls("version=TLSv1_2"))
    yield case("tls_dh_max_bits = 1024", CERT + "tls_dh_max_bits = 1024", tls("version=TLSv1_2"))
    for option in ("gnutls_compat_mode", "gnutls_allow_auto_pkcs11"):
        yield case(option, CERT + option, tls())
    for selector in ("-tls_cipher", "-tls_peerdn", "-tls_sni", "-tls_certificate_verified", "-tls_resumption", "+all"):
        yield case(f"log_selector {selector}", ASK + f"tls_try_verify_hosts = *\nlog_selector = +tls_certificate_verified +tls_peerdn +tls_sni {selector} -smtp_no_mail -pid -millisec -dnssec -deliver_time -queue_time -queue_time_overall -receive_time -incoming_port -smtp_connection -connection_id -incoming_interface",
                   tls("cert=client sni=mx.tls.ex", ["MAIL FROM:<s@x.ex>", "RCPT TO:<box@test.ex>", "DATA", "Subject: x\\n\\nx\\n.", "QUIT"]))
    yield case("smtp_accept_max_nonmail", CERT + "smtp_accept_max_nonmail = 1", tls(after=["NOOP", "NOOP", "NOOP", *MAIL]))
    yield case("sender is told apart: received_protocol", CERT, tls(after=["MAIL FROM:<s@x.ex>", "RCPT TO:<box@test.ex>", "DATA", "Subject: x\\n\\nx\\n.", "QUIT"]),
               acl="  warn logwrite = $received_protocol $tls_in_cipher_std\n")


def client_cases():
    def case(name, transport="", server=None, send=("-odf -f s@test.ex a@x.ex",), **more):
        lines = "".join(f"  {l.strip()}\n" for l in transport.split(";") if l.strip())
        return {"name": "client: " + name, "transport": lines, "server": server or [{}], "send": send, **more}

    verify = "tls_verify_certificates = CA/ca.pem;"
    refusals = {"454": {"starttls": "454 not now"}, "501": {"starttls": "501 what"}, "554": {"starttls": "554 never"}, "not offered": {"ehlo": []},
                "close": {"then": "close"}, "garbage": {"then": "garbage"}, "alert": {"then": "alert"}, "odd": {"starttls": "299 well"},
                "several lines": {"starttls": "454-not\n454 now"}}
    yield case("as it comes")
    for name, plan in refusals.items():
        for option in ("", "hosts_require_tls = *", "tls_tempfail_tryclear = false", "hosts_require_tls = *; tls_tempfail_tryclear = true"):
            yield case(f"STARTTLS {name}, {option or 'no option'}", option, [plan])
        yield case(f"STARTTLS {name}, the second host", "", [plan], route="mx.tls.ex : two.tls.ex")
        yield case(f"STARTTLS {name}, the second host, hosts_require_tls", "hosts_require_tls = *", [plan], route="mx.tls.ex : two.tls.ex")
    yield case("STARTTLS fails once, then again", "", [{"then": "close"}, {}], ("-odf -f s@test.ex a@x.ex", "-odf -f s@test.ex b@x.ex", "-qff"))
    for option in ("hosts_avoid_tls = *", "hosts_avoid_tls = 10.0.0.1", "hosts_avoid_tls = mx.tls.ex", "hosts_avoid_tls = *; hosts_require_tls = *",
                   "hosts_require_tls = ${if eq{1}{2}{*}fail}", "hosts_require_tls = mx.tls.ex", "hosts_avoid_esmtp = *", "hosts_avoid_esmtp = *; hosts_require_tls = *"):
        yield case(option, option)
    rcpt = "EHLO x\nMAIL FROM:<a@test.ex>\nRCPT TO:<b@x.ex>\nQUIT\n"
    for option in ("", "hosts_verify_avoid_tls = *", "hosts_verify_avoid_tls =", "hosts_require_tls = *"):
        for name in ("as it comes", "454", "close"):
            yield case(f"callout, {name}, {option}", option, [refusals.get(name, {})], (("-bs", rcpt),), acl="  require verify = recipient/callout\n")
    yield case("callout needs TLS, not offered", "hosts_require_tls = *", [{"ehlo": []}], (("-bs", rcpt),), acl="  require verify = recipient/callout\n")
    ask = [{"ask": "optional"}]
    for option in ("tls_certificate = CA/client.pem; tls_privatekey = CA/client.key", "tls_certificate = CA/client.pem", "tls_certificate = /none",
                   "tls_certificate = CA/client.pem; tls_privatekey = /none", "tls_certificate = CA/client.pem; tls_privatekey = CA/mx.key",
                   "tls_certificate = ${if eq{1}{2}{x}fail}", "tls_certificate =", "tls_certificate = ${lookup{x}lsearch{/none}}",
                   "tls_certificate = CA/client.pem; tls_privatekey = CA/client.key; hosts_require_tls = *", "tls_certificate = /none; hosts_require_tls = *"):
        yield case("asked: " + option, option, ask)
    yield case("certificate needed and not there", "", [{"ask": "always", "versions": "TLSv1_2"}])
    yield case("certificate needed", "tls_certificate = CA/client.pem; tls_privatekey = CA/client.key", [{"ask": "always"}])
    for cert in ("mx", "ec", "revoked"):
        for option in ("", "tls_try_verify_hosts =", "tls_verify_hosts = *", "tls_verify_hosts = *; tls_verify_cert_hostnames =", "tls_verify_cert_hostnames =",
                       "tls_verify_cert_hostnames = 10.0.0.1", "tls_verify_hosts = *; tls_tempfail_tryclear = false", "tls_verify_hosts = *; hosts_require_tls = *",
                       "tls_crl = CA/crl.pem; tls_verify_cert_hostnames =", "tls_verify_hosts = *; tls_crl = CA/crl.pem; tls_verify_cert_hostnames ="):
            yield case(f"certificate {cert}, {option}", verify + option, [{"cert": cert}])
    for option in ("tls_verify_certificates = CA/other-ca.pem", "tls_verify_certificates = /none", "tls_verify_certificates = CA/dir", "tls_verify_certificates = system",
                   "tls_verify_certificates =", "tls_verify_certificates = ${if eq{1}{2}{x}fail}", "tls_verify_certificates = CA/ca.pem; tls_crl = /none"):
        yield case(option, option)
        yield case(option + ", tls_verify_hosts", option + "; tls_verify_hosts = *")
    for value in ("name.ex", "$host", "$domain", "${if eq{1}{2}{x}fail}", "", "${lookup{x}lsearch{/none}}"):
        yield case(f"tls_sni = {value}", f"tls_sni = {value}")
    for value in ("smtp", "", "${if eq{1}{2}{x}fail}", "a : b", "${lookup{x}lsearch{/none}}"):
        for need in ("", "; hosts_require_alpn = *"):
            for alpn in (["smtp"], ["other"], None):
                yield case(f"tls_alpn = {value}{need}, server has {alpn}", f"tls_alpn = {value}{need}", [{"alpn": alpn}])
    yield case("hosts_require_alpn", "hosts_require_alpn = *")
    yield case("hosts_require_alpn and hosts_require_tls", "hosts_require_alpn = *; hosts_require_tls = *")
    yield case("tls_require_ciphers that are none", "tls_require_ciphers = RUBBISH-OF-CIPHERS")
    yield case("tls_require_ciphers that are none, needed", "tls_require_ciphers = RUBBISH-OF-CIPHERS; hosts_require_tls = *")
    yield case("tls_require_ciphers fail on purpose", "tls_require_ciphers = ${if eq{1}{2}{x}fail}")
    yield case("TLS 1.2", "", [{"versions": "TLSv1_2"}])
    two = ("-odf -f s@test.ex a@x.ex", "-odf -f s@test.ex b@x.ex")
    for option in ("", "tls_resumption_hosts = *", "tls_resumption_hosts = 10.0.0.1"):
        for v in ("TLSv1_2", "TLSv1_3"):
            yield case(f"two messages, {option}, {v}", option, [{"versions": v}], two)
    run = ("-odq -f s@test.ex a@x.ex", "-odq -f s@test.ex b@x.ex", "-odq -f s@test.ex c@x.ex", "-qqff")
    for option in ("", "hosts_nopass_tls = *", "hosts_noproxy_tls = *", "hosts_noproxy_tls =", "connection_max_messages = 1", "hosts_nopass_tls =; hosts_noproxy_tls ="):
        yield case(f"a queue run, {option}", option, None, run)
    for name in ("454", "close"):
        yield case(f"a queue run, STARTTLS {name}", "", [refusals[name]], run)
    direct = [{"direct": True}]
    yield case("protocol = smtps", "protocol = smtps", direct)
    yield case("protocol = smtps, server in clear", "protocol = smtps", [{"direct": True, "then": "garbage"}])
    yield case("protocol = smtps, closed", "protocol = smtps", [{"direct": True, "then": "close"}])
    yield case("protocol = smtps, verified", "protocol = smtps;" + verify + "tls_verify_hosts = *", [{"direct": True, "cert": "ec"}])
    yield case("protocol = smtps, hosts_require_alpn", "protocol = smtps; tls_alpn = smtp; hosts_require_alpn = *", direct)
    yield case("protocol = smtps, hosts_avoid_tls", "protocol = smtps; hosts_avoid_tls = *", direct)
    for option in ("hosts_require_ocsp = *", "hosts_request_ocsp =", "hosts_require_ocsp = *; hosts_request_ocsp =", "hosts_request_ocsp = *"):
        yield case(f"no proof, {option}", verify + option)
    yield case("no proof, required, hosts_require_tls", verify + "hosts_require_ocsp = *; hosts_require_tls = *")
    for name in ("ee", "ta", "wrong", "both", "none", "pkix", "short", "again", "mixed", "odd", "sub"):
        for zone in ("sec", "insec"):
            if name in ("again", "sub") and zone == "insec":
                continue
            for option in ("", "hosts_require_dane = *", "hosts_try_dane = *"):
                yield case(f"DANE {name}.{zone}, {option}", option, None, (f"-odf -f s@test.ex a@{name}.{zone}",))
    for name, plan in refusals.items():
        for option in ("hosts_try_dane = *", "hosts_require_dane = *"):
            yield case(f"DANE, STARTTLS {name}, {option}", option, [plan], ("-odf -f s@test.ex a@ee.sec",))
    for option in ("dane_require_tls_ciphers = RUBBISH-OF-CIPHERS", "tls_sni = other.ex", "tls_verify_certificates = CA/other-ca.pem; tls_verify_hosts = *",
                   "hosts_require_tls =; hosts_avoid_tls = *", "tls_verify_cert_hostnames =", "hosts_require_ocsp = *", "hosts_request_ocsp = *", "tls_resumption_hosts = *",
                   "tls_certificate = CA/client.pem; tls_privatekey = CA/client.key"):
        for name in ("ee", "ta"):
            yield case(f"DANE {name} and {option}", "hosts_try_dane = *;" + option, ask, (f"-odf -f s@test.ex a@{name}.sec",) * 2)
    yield case("DANE, another certificate, TA", "hosts_try_dane = *", [{"cert": "ec"}], ("-odf -f s@test.ex a@ta.sec",))
    yield case("DANE, another certificate, EE", "hosts_try_dane = *", [{"cert": "ec"}], ("-odf -f s@test.ex a@ee.sec",))
    yield case("DANE and a callout", "hosts_require_dane = *", None, (("-bs", rcpt.replace("x.ex", "wrong.sec")),), acl="  require verify = recipient/callout\n")
    yield case("DANE and a callout that is well", "hosts_require_dane = *", None, (("-bs", rcpt.replace("x.ex", "ee.sec")),), acl="  require verify = recipient/callout\n")
    yield case("DANE of a host that a router names", "hosts_try_dane = *", None, ("-odf -f s@test.ex a@x.ex",), route="mx.ee.sec")
    yield case("DANE of a host that a router names, required", "hosts_require_dane = *", None, ("-odf -f s@test.ex a@x.ex",), route="mx.none.sec")
    cut = "EHLO x\nMAIL FROM:<a@test.ex>\nRCPT TO:<b@x.ex>\nDATA\nSubject: x\n\nx\n.\nQUIT\n"
    for name in ("as it comes", "454", "close"):
        yield case(f"cutthrough, {name}", "", [refusals.get(name, {})], (("-odf -bs", cut),), acl="  warn control = cutthrough_delivery\n")
    for selector in ("-tls_cipher", "-tls_peerdn", "-tls_certificate_verified", "+tls_sni", "-dnssec"):
        yield case(f"log_selector {selector}", verify + "tls_sni = abc.ex", None, main=f"log_selector = +tls_certificate_verified +tls_peerdn +tls_sni +dnssec {selector}")
    yield case("PIPELINING and CHUNKING within", "", [{"inner": ["250 PIPELINING", "250 CHUNKING"]}][:0] or [{"inner": ["250 PIPELINING"]}])
    yield case("RCPT refused within", "", [{"rcpt": "550 no", "inner": ["250 PIPELINING"]}], ("-odf -f s@test.ex a@x.ex b@x.ex",))
    yield case("MAIL deferred within", "", [{"mail": "450 no"}])
    yield case("authentication within TLS only", "hosts_try_auth = *", [{"inner": ["250 AUTH PLAIN"]}],
               more="begin authenticators\np:\n  driver = plaintext\n  public_name = PLAIN\n  client_condition = ${if def:tls_out_cipher}\n  client_send = ^u^p\n")
    refuse = "${if eq{$event_name}{tls:cert}{refused}}"
    yield case("tls:cert refuses", verify, event=refuse)
    yield case("tls:cert refuses, tls_verify_hosts", verify + "tls_verify_hosts = *", event=refuse)


def cases():
    yield from server_cases()
    yield from client_cases()


# (a pattern of `case: part`, the reason)
DIFFERENT = [
]

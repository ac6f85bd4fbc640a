//! Rules for standard error: the traces of `-bh`, `-v` and debugging.

use super::rule::{Builder, Verdict, splice};
use super::sequence::Counter;

pub fn rules(b: &mut Builder) {
    b.first("^Exim version .*", "Exim version x.yz ....");
    leading_pid(b);
    b.sequence(r"connection_id: (?<key>\d+)$", "conn%", Counter::Connection);
    build_facts(b);
    chatter(b);
    hints(b);
    ipv6(b);
    lists(b);
    tls(b);
    b.first(r"\b(?:gethostbyname2?|getipnodebyname)\b(?:\(af=inet\))?", "get[host|ipnode]byname[2]");
    ports(b);
    replacements(b);
    times(b);
}

/// A process id at the start of a line, unless it is a number of something else.
fn leading_pid(b: &mut Builder) {
    b.call(r"^\s*(\d{4,})\s(.*)$", |found, line, _, cache| {
        const OTHER: [&[u8]; 4] = [b"previous message", b"in ", b"bytes remain in", b"SMTP accept process running"];
        if !OTHER.iter().any(|text| found[2].starts_with(text)) {
            let pid = cache.replace(&found[1], "p%", Counter::Pid);
            splice(found, line, &[&pid, &b" "[..], &found[2]].concat());
        }
        Verdict::Keep
    });
}

/// Lines about how the binary was built.
fn build_facts(b: &mut Builder) {
    for line in [
        ".* Berkeley DB",
        r" Probably (?:Berkeley DB|ndbm|GDBM)",
        r" Using (?:tdb|sqlite3)",
        r"Authenticators \((?:built-in|dynamic)\):",
        r"Lookups(?:\(built-in\))?:",
        "Support for:",
        r"Routers \(.*\):",
        r"Transports \(.*\):",
        "Malware:",
        "log selectors =",
        "cwd=",
        "Fixed never_users",
        "Configure owner",
        "Size of off_t:",
        "Compiler:",
        "WHITELIST_D_MACROS:",
        "TRUSTED_CONFIG_LIST:",
        "Module init: ",
        r"calling local_scan\(\); timeout=300",
        r"local_scan\(\) returned \d+",
        r"Loading .* (?:driver|module)",
        "macros_expand: matched '_HAVE_ESMTP_LIMITS'",
        ".*'_HAVE_DMARC",
        "spf_conn_init",
        r#"Loaded "(?:dkim|dmarc|exim_filter|spf)""#,
        "Library version:",
    ] {
        b.drop(&format!("^(?:%TPID%)?{line}"));
    }
}

fn chatter(b: &mut Builder) {
    for line in [
        r"^(?:\d+ )?Listening\.\.\.$",
        " forking for ",
        " forked for ",
        "postfork: ",
        "^Reset TZ to",
        "auxiliary group list:",
        "extracted from gecos field",
        "waiting for data on socket",
        "read response data: size=",
        "failed to load readline:",
        "listen backlog",
        r"\d+ bytes remain in socket output buffer$",
        "^cannot use sendfile for body: no support$",
        "unlinking notifier socket",
        r"\w+ in keep_environment\? (?:yes|no)",
        "^macros_trusted overridden to true by whitelisting",
        r"^changing group to \d+ failed: (?:Operation not permitted|Not owner)",
        "^sudo: tc: command not found$",
        "Local-Scan API:",
        "Library_version: SPF:",
        r"spf_compile\.c",
    ] {
        b.drop(line);
    }
}

fn hints(b: &mut Builder) {
    b.drop(r"lock(?:ing|ed) \S*/spool/db/\S+\.lockfile$");
    b.drop_more(r"EXIM_DBCLOSE", 1);
    b.drop_more(r"EXIM_DBOPEN.*spool/db/retry", 1);
    b.drop("retaining retry hintsdb handle");
    b.drop("using cached retry hintsdb ");
    b.drop_more("final close of cached retry db", 2);
    b.drop("dbfn_transaction_(?:start|commit)");
    b.first("(closed hints database) and lockfile", "${1}");
    b.first(
        r"(?:bdb|tdb|gdbm|ndbm|sqlite)_open\(flags (0x\w) mode 0640\) (?:No such file or directory|unable to open database file)",
        "hintsdb_open(flags ${1} mode 0640) No such file or directory",
    );
}

fn ipv6(b: &mut Builder) {
    for line in [
        r"host_fake_gethostbyname\(af=inet6\) returned 1 \(HOST_NOT_FOUND\)",
        r"using host_fake_gethostbyname for \S+ \(IPv6\)",
        r"get\[host\|ipnode\]byname\[2\]\(af=inet6\)",
        r"DNS lookup of \S+ \(AAAA\) using fakens",
        " writing neg-cache entry for .*AAAA",
        r"faking res_search\(AAAA\) response length as 65535",
        "name=localhost address=::1",
    ] {
        b.drop(line);
    }
    drop_list(b, r" in dns_ipv4_lookup\?");
    b.drop_more(r"DNS lookup of \S+ \(AAAA\) gave NO_DATA", 1);
}

/// Host lists of features that may or may not have been built in.
fn lists(b: &mut Builder) {
    for line in [
        r"^.* in tls_advertise_hosts\?$",
        r"in (?:tls_advertise_hosts\?|hosts_require_tls\?) no \((?:option unset|end of list)",
        r"in hosts_require_dane\? no \(option unset\)",
        "lack of DNSSEC traceability precludes DANE$",
        r" in wellknown_advertise_hosts\?",
        r"host in hosts_proxy\?",
        r" in (?:pipelining_connect_advertise_hosts|hosts_pipe_connect)\? no ",
        r" in smtputf8_advertise_hosts\? no \(option unset\)",
        r" in tls_advertise_requiretls\? no \(end of list\)",
        r" in hosts_xclient\? no \(option unset\)",
        r" in hosts_wellknown\? no \(option unset\)",
        r"in tls_resumption_hosts\?",
        r"setsockopt FASTOPEN: (?:Network Error|Protocol not available)",
        "try option '(?:acl_smtp_dkim|dscp|acl_smtp_mime|acl_not_smtp_mime|socks_proxy|spf_smtp_comment_template|dmarc_tld_file)'",
        r"RE '\.outlook\.com/",
        "^DKIM <{29,}",
        "^DKIM: no signatures$",
        "^DKIM >> Body data for hash, canonicalized",
        r"^date:\w+,\{SP\}",
        r"^DKIM \[.*\] (?:Header hash|b) computed:",
        "^DMARC: no (?:dmarc_tld_file|sender_host_address)",
        "loading module '",
    ] {
        b.drop(line);
    }
    b.drop_more("try option 'host_name_extract'", 40);
    drop_list(b, r"in hosts_requ(?:est|ire)_ocsp\?");
    drop_list(b, r"host in pipelining_connect_advertise_hosts\?");
    drop_list(b, r"in limits_advertise_hosts\?");
    drop_list(b, r" in hosts_try_fastopen\?");
    b.call("", |_, line, state, _| {
        state.in_list &= super::contains(line, b"list element:");
        if state.in_list { Verdict::Drop } else { Verdict::Keep }
    });
}

/// Drop a line about a host list, and the lines about its elements that follow.
fn drop_list(b: &mut Builder, pattern: &str) {
    b.call(pattern, |_, _, state, _| {
        state.in_list = true;
        Verdict::Drop
    });
}

fn tls(b: &mut Builder) {
    b.drop_more("^changed uid/gid: calling tls_validate_require_cipher", 1);
    for line in [
        r"^tls_validate_require_cipher child \d+ ended: status=0x0",
        "TLS: preloading",
        "TLS: not preloading (?:CRL|CA bundle|cipher list|server certs) for server",
        "TLS: generating selfsigned server cert",
        "TLS: basic cred init, server",
        "selfsign cert rotate",
        "OpenSSL: creating STEK",
        "ECDH",
        "Diffie-Hellman initialized from default",
        "tls_verify_certificates: system",
        "watch (?:dir|file)",
        "GnuTLS global init required",
        "GnuTLS<[23]>",
        r"Added \d{3} certificate authorities",
    ] {
        b.drop(line);
    }
    b.drop_more("condition: def:tls_in_ver", 21);
    b.drop_more(" ├──condition: def:tls_cipher", 11);
}

fn ports(b: &mut Builder) {
    b.port(r"(?:V4NET\.0\.0\.0:|localhost::?|127\.0\.0\.1[:.]:?)%ANYPORT%");
    b.port(r"port[ =](?:[^\d:]*:)?%ANYPORT%");
    b.port(r"Connecting to .*\]:%ANYPORT%");
    b.port(r"(?:=>|==) .*\[[^\]]*\]:%ANYPORT%");
    b.port(r"listening for SMTP on .*?%ANYPORT%");
    b.port(r"(?:<: |<; ).*?(?:^|[^p\d])%ANYPORT%");
}

fn replacements(b: &mut Builder) {
    b.first(r"^(\s+(?:closing )?)[0-Z](TESTSUITE/aux-fixed/)", "${1}0${2}");
    b.first(r"(Connection request from 127\.0\.0\.1 port )\d{1,5}", "${1}sssss");
    b.first("Operation timed out", "Connection timed out");
    b.first(
        r"(unexpected disconnection while reading SMTP command from \[127\.0\.0\.1\] )\(error: Connection reset by peer\) ",
        "${1}",
    );
    b.first(r"((?:writing|update) neg-cache entry for .*)-[0-9a-f]+, ttl", "${1}-xxxx, ttl");
    b.first("^(time on queue = )1s", "${1}0s");
    b.first(r"(unspool_mbox\(\): unlinking 'TESTSUITE/spool/scan/[^/]*/)[^']*", "${1}FFFFFFFFF");
    b.first(r" @(\S*/spool/exim_daemon_notify)", " ${1}");
    b.first(r"^\s*cmd buf flush \d+ bytes", "cmd buf flush ddd bytes");
    b.first(r"(dbfn_write: key=.* datalen )\d{1,3}$", "${1}nn");
    b.first(r"(dbfn_read: size )\d{1,3}( return)$", "${1}nn${2}");
    b.first(r"((?:spool|log) directory space = )\d+K( inodes = )\d+", "${1}nnnnnK${2}nnnnn");
    b.first(r"(returned from EXIM_DBOPEN: )\S+", "${1}0xAAAAAAAA");
    b.first(r"^(sending )\d+( nonTFO early-data)", "${1}dd${2}");
    b.first(r"^(\s*errno = )\d+$", "${1}EEE");
    b.first(r"^(writing error )\d+: ", "${1}EEE: ");
    b.first(r" PATH=\S*", " PATH=<munged>");
    b.first(r"\ssize=\d+\b", " size=sss");
}

fn times(b: &mut Builder) {
    b.first(r"^\d\d:\d\d:\d\d(?:\.\d{3})?\s+", "01:01:01 ");
    b.sequence(r"^01:01:01 (?<key>\d+)", "p% ", Counter::Pid);
    b.sequence_all(r"(?:^|[^-\w])[Pp]rocess\s(?<key>\d+)", "p% ", Counter::Pid);
}

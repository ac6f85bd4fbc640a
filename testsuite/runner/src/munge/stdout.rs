//! Rules for standard output.

use super::rule::{Builder, Verdict, splice};

/// What is repeated for each filter tested.
pub fn filter_test(b: &mut Builder) {
    b.drop("^Sender taken from|^Return-path copied from");
    b.drop(r"^(?:Sender|Recipient)\s+=");
    b.drop_more(r"^Testing \S+ filter", 1);
}

pub fn rules(b: &mut Builder) {
    b.drop("translate_ip_address =|use_classresources");
    b.first(r"^\s*\d+[mhd]\s+\d+(\s+(?:[-\w]{23}|[-\w]{16}) <)", "TTT   sss${1}");
    ports(b);
    b.first(r"^(Connection request from) \[[^\]]*:[^\]]*:[^\]]*\]$", "${1} [ipv6]");
    b.first(
        r"Failed to open (?:hintsdb|database lock) file (\S*/spool/db/[^\s.]+)(?:\.lockfile)?(?: for reading)?: No such file or directory",
        "Failed to open hintsdb ${1}: No such file or directory",
    );
    tls(b);
    features(b);
    b.first(r"(T:.*\(MTA-imposed quota exceeded while writing to ).*", "${1} <elided>)");
    b.first("conversion  strasse.de", "conversion  xn--strae-oqa.de");
    b.first(r"conversion: german\.xn--strae-oqa\.de", "conversion: german.stra\u{df}e.de".as_bytes());
    b.first(r"^(-received_time_usec \.)\d{6}$", "${1}uuuuuu");
    b.first(r"^(-received_time_complete )\d+\.\d{6}$", "${1}tttt.uuuuuu");
    b.first(r"^(waiting for server to shut down)\.+", "${1}....");
    b.first("^/.*postgres ", "POSTGRES ");
    b.first(r"(received )\d{10}$", "${1}1692480217");
    b.first("(250-AUTH ANONYMOUS PLAIN SCRAM-SHA-1) SCRAM-SHA-256", "${1}");
    b.first(r"^\s*\d*[hd](   317 \S+ <nobody@test\.ex>)", "DDd${1}");
    b.first(r"^\s[01]m   [34]\d\d( \S+ <CALLER@the\.local\.host\.name>)", " 1m    396${1}");
    b.call("^(?i)X-Exim-Diagnostic:", |_, _, state, _| {
        state.in_header = true;
        Verdict::Drop
    });
}

fn ports(b: &mut Builder) {
    b.port("Listening on port %ANYPORT%");
    b.port(r"Connecting to (?:127\.0\.0\.1|ip4\.\S+|ip6:\S+) port %ANYPORT%");
    b.port(r"host host .* port=%ANYPORT%");
    b.port(r"T:\S*:(?:127\.0\.0\.1|\[::1\]):%ANYPORT%");
    b.port(r"^\s*port = %ANYPORT%");
    b.port(r"lookup of .*127\.0\.0\.1::%PORT_N%");
    b.port("postgres .* \"%PORT_N%");
    b.port(r"^%DATE% [^:]+:%PORT_D%");
}

fn tls(b: &mut Builder) {
    b.drop("SSL info:");
    b.drop("SSL verify error: depth=0 ");
    b.drop(r"Error in the pull function\.");
    b.call(r"^[0-9A-Fa-f]+:error:[^:]*(?::[^:]*){2}:([^:]*alert[^:]*):.*:(SSL alert number \d+)$", |found, line, _, _| {
        let text = [b"pppp:error:dddddddd:SSL routines:ssl3_read_bytes:", &found[1], b":[...]:", &found[2]];
        splice(found, line, &text.concat());
        Verdict::Keep
    });
    b.first(r"^error:[^:]*:SSL routines:[^:]*:(.*)", "error:dddddddd:SSL routines:ssl3_read_bytes:${1}");
}

fn features(b: &mut Builder) {
    for line in [
        "_OPT_TRANSPORT_SMTP_HOSTS_REQUEST_OCSP=y",
        "_OPT_TRANSPORT_SMTP_HOSTS_REQUIRE_OCSP=y",
        "dmarc_tld_file =",
        "macro '_HAVE_DMARC'",
        "arc_sign =",
        "limits_advertise_hosts =",
        "macro '_HAVE_ESMTP_LIMITS' ->",
        r"hosts_try_prdr = \*$",
        "tls_resumption_hosts =",
        "-tls_resumption",
        "host_name_extract = ",
        "_OPT_TRANSPORT_SMTP_DANE_REQUIRE_TLS_CIPHERS=y",
        "macro '_HAVE_PIPE_CONNECT'",
    ] {
        b.drop(&format!("^{line}"));
    }
}

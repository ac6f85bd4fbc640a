//! The named sets of rules that a script selects with `munge NAME`.

use super::Kind;
use super::rule::{Builder, Rule, Verdict};
use crate::facts::Facts;

pub struct Sets {
    sets: Vec<(&'static str, Kind, Vec<Rule>)>,
}

type Table = (&'static str, Kind, fn(&mut Builder));

const TABLES: &[Table] = &[
    ("dnssec", Kind::Stderr, |b| b.drop("Reverse DNS security status: unverified")),
    ("gnutls_unexpected", Kind::MainLog, |b| {
        b.drop(r"\(recv\): A TLS packet with unexpected length was received\.");
    }),
    ("gnutls_handshake", Kind::MainLog, |b| {
        b.first(
            r"\(gnutls_handshake\): Error in the push function",
            "(gnutls_handshake): A TLS packet with unexpected length was received",
        );
    }),
    ("gnutls_bad_clientcert", Kind::MainLog, |b| {
        b.first(
            r"\(certificate verification failed\): certificate invalid",
            "(gnutls_handshake): The peer did not send any certificate.",
        );
    }),
    ("optional_events", Kind::Stdout, |b| b.drop("event_action =")),
    ("optional_ocsp", Kind::Stderr, |b| {
        b.drop(r"127\.0\.0\.1 in hosts_requ(?:ire|est)_ocsp");
    }),
    ("optional_cert_hostnames", Kind::Stderr, |b| {
        b.drop(r"in tls_verify_cert_hostnames\? no");
    }),
    ("loopback", Kind::Stdout, |b| {
        b.first(r"\[(?:127\.0\.0\.1|::1)\]", "[IP_LOOPBACK_ADDR]");
    }),
    ("scanfile_size", Kind::Stdout, |b| {
        b.first(r"Content-length: \d\d\d", "Content-length: ddd");
    }),
    ("delay_1500", Kind::Stderr, |b| {
        b.first(r"(?:1[5-9]|23\d)\d\d msec", "ssss msec");
    }),
    ("tls_anycipher", Kind::MainLog, |b| {
        any_cipher(b);
        b.first(r#" DN="C="#, r#" DN="/C="#);
        b.call(r#"DN="[^"]*""#, |found, line, _, _| {
            let range = found.get(0).map_or(0..0, |all| all.range());
            for byte in line[range].iter_mut().filter(|byte| **byte == b',').take(3) {
                *byte = b'/';
            }
            Verdict::Keep
        });
    }),
    ("tls_anycipher", Kind::RejectLog, any_cipher),
    ("optional_dsn_info", Kind::Mail, |b| {
        let headers = [
            "X-Remote-MTA-smtp-greeting:",
            "X-Remote-MTA-helo-response:",
            "X-Exim-Diagnostic:",
            "X-body-linecount:",
            "X-message-linecount:",
            "Remote-MTA: X-ip;",
        ];
        b.call(&format!("^(?:{})", headers.join("|")), |_, _, state, _| {
            state.in_header = true;
            Verdict::Drop
        });
    }),
    ("optional_config", Kind::Stdout, |b| {
        let names = [
            r"dkim_\w+",
            r"gnutls_require_\w+",
            "hosts_pipe_connect",
            "hosts_(?:request|require|try)_(?:dane|ocsp)",
            "dane_require_tls_ciphers",
            "hosts_(?:avoid|nopass|noproxy|require|verify_avoid)_tls",
            "pipelining_connect_advertise_hosts",
            "socks_proxy",
            r"tls_\w+",
            "utf8_downconvert",
        ];
        b.drop(&format!(r"^(?:{})(?:[ =]|$)", names.join("|")));
    }),
    ("sys_bindir", Kind::MainLog, |b| {
        b.first("/(?:usr/(?:local/)?)?bin/", "SYSBINDIR/");
    }),
    ("sync_check_data", Kind::MainLog, synchronization),
    ("sync_check_data", Kind::RejectLog, synchronization),
    ("timeout_errno", Kind::MainLog, |b| {
        b.first(r"((?:host|message) deferral .* errno )<\d+> ", "${1}<EEE> ");
    }),
    ("peer_terminated_conn", Kind::Stderr, |b| {
        b.first(r"  SMTP\(Connection reset by peer\)<<", "  SMTP(closed)<<");
    }),
    ("perl_variants", Kind::Stdout, |b| {
        b.call(r"^> (\w+)/(\w+)$", |found, line, _, _| {
            if found[1] == found[2] {
                line.truncate(2 + found[1].len());
            }
            Verdict::Keep
        });
    }),
];

fn any_cipher(b: &mut Builder) {
    b.first(r" X=TLS\S+ ", " X=TLS_proto_and_cipher ");
}

fn synchronization(b: &mut Builder) {
    b.first(r"(SMTP protocol synchronization error .*next input=.{8}).*", "${1}<suppressed>");
}

impl Sets {
    pub fn new(facts: &Facts) -> Sets {
        let build = |(name, kind, rules): &Table| {
            let mut builder = Builder::new(facts);
            rules(&mut builder);
            (*name, *kind, builder.rules)
        };
        Sets { sets: TABLES.iter().map(build).collect() }
    }

    pub fn rules(&self, name: Option<&str>, kind: Kind) -> &[Rule] {
        let Some(name) = name else { return &[] };
        let wanted = |(set, of, _): &&(&str, Kind, Vec<Rule>)| *set == name && *of == kind;
        self.sets.iter().find(wanted).map_or(&[], |(_, _, rules)| rules)
    }
}

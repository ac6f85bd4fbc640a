//! What the fuzz targets in `testsuite/fuzz` call: one function for each parser of hostile bytes. Only there with the feature
//! `fuzzing`, which also forbids every expansion item that reaches a file, a program or a socket.
//!
//! Each function checks what must hold beside "no panic": limits, and that what was written reads back.

mod client;
mod reception;

use std::cell::RefCell;
use std::sync::Arc;

use bstr::ByteSlice;

use crate::config::Config;
use crate::context::{Context, Header, HeaderKind, Recipient, Run};
use crate::expand::{self, ExpandError, MAX_RESULT, Template};
use crate::filter::{exim, sieve};
use crate::matching::{self, Subject};
use crate::parse::forward::{ForwardOptions, parse_forward_list};
use crate::parse::{self, Rules};
use crate::text::Text;
use crate::{dns, hints, spool};
pub use client::smtp_client;
pub use reception::{auth_exchange, bdat_chunks, header_section, ident, proxy_header, smtp_command, smtp_session};

pub use crate::auths::fuzzing::{dovecot_reply, sasl};
#[cfg(feature = "dnssec-validation")]
pub use crate::dns::fuzzing::dnssec;
pub use crate::lookups::fuzzing::{berkeley, cdb, lmdb};
pub use crate::lookups::ldap::query::fuzz as ldap_query;
pub use crate::lookups::redis::fuzz as redis_reply;
pub use crate::mail_auth::fuzzing::{
    arc_header, auth_results, dkim_header, dkim_key, dmarc_record, domainkeys_header, mail_body, spf_macro, spf_record,
    srs_address,
};
pub use crate::scan::fuzzing::{mime, rfc2231, scanner_reply};
pub use crate::tls_openssl::fuzzing::{ocsp_proof, tls_text, tlsa_records};
pub use crate::utils::dmarc_report::fuzz as dmarc_history;

/// The longest input that is looked at: what is slow but linear is no finding.
const MAX_INPUT: usize = 16 << 10;

/// A context with a message and a host, made anew for each input: findings must repeat.
fn context() -> Context {
    thread_local!(static CONFIG: RefCell<Option<Arc<Config>>> = const { RefCell::new(None) });
    let config = CONFIG.with_borrow_mut(|c| c.get_or_insert_with(|| Arc::new(site())).clone());
    let mut ctx = Context::for_tests(config, Arc::new(Run { log_testing: true, ..Run::default() }));
    let m = &mut ctx.message;
    m.id = "10HmaX-000000005vi-0000".into();
    m.sender = Some(Text::tainted("s@sender.ex"));
    m.recipients = vec![Recipient::new(Text::tainted("r@host.ex"))];
    for line in ["From: \"A. B\" <a@b.ex>\n", "To: x@host.ex, y@host.ex\n", "Subject: =?utf-8?Q?=C3=A4?= b\n", "X-N: 1\n"] {
        m.headers.push(Header { kind: HeaderKind::Other, text: line.into() });
    }
    ctx.address.local_part = Some(Text::tainted("r"));
    ctx.address.domain = Some(Text::tainted("host.ex"));
    ctx
}

fn site() -> Config {
    let mut config = Config::default();
    config.site.primary_hostname = "host.ex".into();
    config.site.qualify_domain = "host.ex".into();
    config
}

/// A configuration as a target has it in its text. A mistake in it is one of the target.
pub(crate) fn configured(text: &[u8]) -> Config {
    let run = Arc::new(Run { log_testing: true, ..Run::default() });
    let services = |config: &Config, run: &Run| {
        let config = Config { site: config.site.clone(), ..Config::default() };
        Context::for_tests(Arc::new(config), Arc::new(run.clone())).services
    };
    match crate::config::read::from_text(text, &run, &services) {
        Ok(config) => config,
        Err(e) => panic!("the configuration of the fuzz target is wrong: {e:?}"),
    }
}

/// The parser of expansions, and the evaluator.
pub fn expansion(data: &[u8]) {
    let ctx = &mut context();
    if let Ok(text) = expand::expand_once(ctx, data) {
        assert!(text.len() <= MAX_RESULT);
    }
}

/// Lists of all kinds: the subject is what stands before the first newline.
pub fn lists(data: &[u8]) {
    let Some(at) = data.find_byte(b'\n') else { return };
    let (subject, list) = (Text::tainted(&data[..at]), Text::clean(&data[at + 1..]));
    let address = subject.to_str().ok().and_then(|s| s.parse().ok());
    for subject in [
        Subject::Domain(&subject),
        Subject::LocalPart(&subject),
        Subject::Address { address: &subject, caseless: true },
        Subject::String { text: &subject, caseless: false },
        Subject::Host { name: &subject, address },
        Subject::Ip(&subject),
    ] {
        let _ = matching::match_ready(&mut context(), subject, &list, None);
    }
}

/// Addresses, lists of them, forward files, phrases, and what else stands in header lines.
pub fn address(data: &[u8]) {
    let flags = data.first().copied().unwrap_or(0);
    let mut rules = Rules {
        allow_null: flags & 1 != 0,
        allow_group: flags & 2 != 0,
        allow_domain_literals: flags & 4 != 0,
        allow_utf8_domains: flags & 8 != 0,
        strip_trailing_dot: flags & 16 != 0,
        strip_excess_angle_brackets: flags & 32 != 0,
        ..Rules::default()
    };
    let text = data.get(1..).unwrap_or_default();
    if let Ok(found) = parse::extract_address(&mut rules.clone(), text) {
        assert!(found.address.len() <= text.len() && found.domain().len() + found.local_part().len() <= found.address.len());
    }
    let mut rest = text;
    while !rest.is_empty() {
        let end = parse::find_address_end(rest, false);
        let _ = parse::extract_address(&mut rules, rest.get(..end).unwrap_or_default());
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    let options = ForwardOptions {
        allow_fail: flags & 64 != 0,
        forbid_include: true,
        incoming_domain: b"host.ex",
        skip_syntax_errors: flags & 128 != 0,
        tainted: true,
        rules,
        ..ForwardOptions::default()
    };
    let _ = parse_forward_list(&options, text);
    let _ = parse::fix_phrase(text, b"utf-8");
    let _ = parse::message_id::read_all(text);
    let _ = parse::date::read_date(text);
    assert_eq!(parse::xtext::decode(&parse::xtext::encode(text)).as_deref().map(Vec::as_slice), Some(text));
}

/// RFC 2047: reading words, and reading back what was written.
pub fn rfc2047(data: &[u8]) {
    for target in [None, Some(&b"utf-8"[..]), Some(b"iso-8859-1")] {
        let _ = parse::decode_2047(data, true, target, Some(b'?'));
        let _ = parse::decode_2047(data, false, target, None);
    }
    let coded = parse::quote_2047(data, b"utf-8", false);
    if coded != data {
        assert_eq!(parse::decode_2047(&coded, false, Some(b"utf-8"), None).as_ref().map(|t| t.as_bytes()), Ok(data));
    }
}

/// The JSON of expansion items and conditions, and of the lookup type: the key stands before the first newline.
pub fn json(data: &[u8]) {
    let Some(at) = data.find_byte(b'\n') else { return };
    let (key, subject) = (&data[..at], Text::tainted(&data[at + 1..]));
    let number = key.to_str().ok().and_then(|k| k.parse().ok());
    for strings in [false, true] {
        let _ = expand::items::json::extract(&subject, number, key, strings);
        let _ = expand::items::json::array(&subject, strings);
    }
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(&subject) {
        let shown = crate::lookups::json::show(&value);
        assert!(serde_json::from_slice::<serde_json::Value>(&shown).is_ok_and(|again| again == value));
    }
}

/// A whole configuration: lines, macros, sections, drivers, ACLs, rules.
pub fn config(data: &[u8]) {
    if data.len() > MAX_INPUT || data.find(b".include").is_some() {
        return;
    }
    let services = |config: &Config, run: &Run| Context::for_tests(Arc::new(with_site(config)), Arc::new(run.clone())).services;
    let run = Arc::new(Run { log_testing: true, ..Run::default() });
    let _ = crate::config::read::from_text(data, &run, &services);
}

/// A configuration that is not finished cannot be copied; what services need of it is its site.
fn with_site(config: &Config) -> Config {
    Config { site: config.site.clone(), ..Config::default() }
}

/// An Exim filter, as `-bf` runs it, but silently.
pub fn exim_filter(data: &[u8]) {
    let allowed = if data.len() % 2 == 0 { exim::Allowed::SYSTEM } else { exim::Allowed::default() };
    let _ = exim::run(&mut context(), data, exim::Job { allowed, ..exim::Job::default() });
}

/// A Sieve script.
pub fn sieve_filter(data: &[u8]) {
    let job = sieve::Job {
        inbox: Text::clean("inbox"),
        enotify_owner: Some(Text::clean("owner@host.ex")),
        subaddress: Some(Text::clean("sub")),
        testing: true,
        ..sieve::Job::default()
    };
    let _ = sieve::run(&mut context(), data, &job);
}

/// A -H file.
pub fn spool_header(data: &[u8]) {
    let Some(id) = data.lines().next().and_then(|l| l.strip_suffix(b"-H")) else { return };
    let mut ctx = context();
    if spool::parse_header_file(&mut ctx, id, data).is_ok() {
        let (again, _) = spool::format_header_file(&ctx);
        let read = spool::parse_header_file(&mut context(), id, &again);
        assert!(read.is_ok(), "{read:?}: {}", again.as_bstr());
    }
}

/// Records of hints data bases, of every kind.
pub fn hint(data: &[u8]) {
    use hints::records::*;
    let _ = hints::time_stamp(data);
    macro_rules! each {
        ($($kind:ty),*) => { $(let _ = hints::decode::<$kind>(data);)* };
    }
    each!(
        Retry,
        Waiting,
        CalloutAddress,
        CalloutDomain,
        Ratelimit,
        RatelimitUnique,
        Seen,
        TlsSession,
        Serialize,
        EhloResponse,
        Once
    );
}

/// A reply of a name server.
pub fn dns_reply(data: &[u8]) {
    if let Some(count) = dns::count_records(data) {
        // A record takes at least eleven bytes.
        assert!(count <= data.len() / 11);
    }
}

/// `${eval:...}` and integers with suffixes.
pub fn arithmetic(data: &[u8]) {
    let _ = expand::arith::integer(data, true);
    if let Ok(s) = data.to_str() {
        let wrapped = format!("${{eval:{s}}}");
        if let Err(ExpandError::Failed(m)) = expand::expand(&mut context(), &Template::new(wrapped.as_bytes())) {
            assert!(!m.is_empty());
        }
    }
}

//! `dnsdb`: DNS records as data (manual section 9.10).

use std::net::IpAddr;
use std::time::Duration;

use bstr::ByteSlice;

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;
use crate::dns::{self, Outcome, Query, RData, Record, RecordType, Resolver};
use crate::matching::{self, net::parse_ip};
use crate::parse::Space as _;
use crate::text::Taint;

/// The type.
pub struct Dnsdb;

impl Driver for Dnsdb {
    fn name(&self) -> &'static str {
        "dnsdb"
    }
    fn style(&self) -> Style {
        Style::Query
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(Open))
    }
    fn taint(&self) -> Taint {
        Taint::Tainted
    }
}

struct Open;

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        match parse(ask.key) {
            Ok(question) => question.run(ctx),
            Err(e) => Answer::Defer(e.into()),
        }
    }
}

/// strict: defer or insist; lax; never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Strict,
    Lax,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Record(RecordType),
    /// AAAA, then A.
    Addresses,
    Csa,
    MxHosts,
    ZoneNs,
}

const KINDS: [(&str, Kind); 15] = [
    ("a", Kind::Record(RecordType::A)),
    ("a+", Kind::Addresses),
    ("aaaa", Kind::Record(RecordType::Aaaa)),
    ("cname", Kind::Record(RecordType::Cname)),
    ("csa", Kind::Csa),
    ("mx", Kind::Record(RecordType::Mx)),
    ("mxh", Kind::MxHosts),
    ("ns", Kind::Record(RecordType::Ns)),
    ("ptr", Kind::Record(RecordType::Ptr)),
    ("soa", Kind::Record(RecordType::Soa)),
    ("spf", Kind::Record(RecordType::Spf)),
    ("srv", Kind::Record(RecordType::Srv)),
    ("tlsa", Kind::Record(RecordType::Tlsa)),
    ("txt", Kind::Record(RecordType::Txt)),
    ("zns", Kind::ZoneNs),
];

#[derive(Debug)]
struct Question<'a> {
    separator: u8,
    /// Between the strings or fields of one record; `None`: as the type has it.
    field: Option<Vec<u8>>,
    defer: Mode,
    dnssec: Mode,
    retrans: Option<Duration>,
    retry: Option<u32>,
    kind: Kind,
    domains: &'a [u8],
}

fn strip<'a>(text: &'a [u8], word: &str) -> Option<&'a [u8]> {
    text.get(..word.len()).filter(|p| p.eq_ignore_ascii_case(word.as_bytes()))?;
    text.get(word.len()..)
}

fn mode(text: &[u8]) -> Option<(Mode, &[u8])> {
    [("strict", Mode::Strict), ("lax", Mode::Lax), ("never", Mode::Never)]
        .into_iter()
        .find_map(|(word, mode)| strip(text, word).map(|rest| (mode, rest)))
}

fn parse(query: &[u8]) -> Result<Question<'_>, &'static str> {
    let mut rest = query.skip_space();
    let mut q = Question {
        separator: b'\n',
        field: None,
        defer: Mode::Lax,
        dnssec: Mode::Lax,
        retrans: None,
        retry: None,
        kind: Kind::Record(RecordType::Txt),
        domains: b"",
    };
    if let Some([sep, after @ ..]) = rest.strip_prefix(b">") {
        q.separator = *sep;
        rest = after;
        if let Some([field, after @ ..]) = rest.strip_prefix(b",") {
            q.field = Some(vec![*field]);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(b";") {
            q.field = Some(Vec::new());
            rest = after;
        }
        rest = rest.skip_space();
    }
    loop {
        if let Some(after) = strip(rest, "defer_") {
            (q.defer, rest) = mode(after).ok_or("unsupported dnsdb defer behaviour")?;
        } else if let Some(after) = strip(rest, "dnssec_") {
            (q.dnssec, rest) = mode(after).ok_or("unsupported dnsdb dnssec behaviour")?;
        } else if let Some(after) = strip(rest, "retrans_") {
            let end = after.find_byte(b',').unwrap_or(after.len());
            let value = after.get(..end).unwrap_or_default().trim_space();
            let seconds = value.to_str().ok().and_then(seconds);
            q.retrans = Some(Duration::from_secs(seconds.filter(|s| *s > 0).ok_or("unsupported dnsdb timeout value")?));
            rest = after.get(end..).unwrap_or_default();
        } else if let Some(after) = strip(rest, "retry_") {
            let end = after.iter().position(|c| !c.is_ascii_digit()).unwrap_or(after.len());
            let number = after.get(..end).and_then(|n| n.to_str().ok());
            q.retry = Some(number.and_then(|n| n.parse().ok()).ok_or("unsupported dnsdb retry count")?);
            rest = after.get(end..).unwrap_or_default();
        } else {
            break;
        }
        rest = rest.skip_space().strip_prefix(b",").ok_or("dnsdb modifier syntax error")?.skip_space();
    }
    if let Some(equals) = rest.find_byte(b'=') {
        let name = rest.get(..equals).unwrap_or_default().trim_space().to_ascii_lowercase();
        let kind = KINDS.iter().find(|(n, _)| n.as_bytes() == name);
        q.kind = kind.ok_or("unsupported DNS record type")?.1;
        rest = rest.get(equals + 1..).unwrap_or_default().skip_space();
    }
    q.domains = rest;
    Ok(q)
}

/// A time such as `1h30m`, seconds.
fn seconds(text: &str) -> Option<u64> {
    let mut total = 0u64;
    let mut number = 0u64;
    let mut open = false;
    for c in text.bytes() {
        let unit = match c {
            b'0'..=b'9' => {
                number = number.checked_mul(10)?.checked_add(u64::from(c - b'0'))?;
                open = true;
                continue;
            }
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if !open {
            return None;
        }
        total = total.checked_add(number.checked_mul(unit)?)?;
        (number, open) = (0, false);
    }
    total.checked_add(number)
}

/// What one question gave: `None` records are to be gone on without, `Err` stops all.
enum Step {
    Records(dns::Answer, Vec<u8>),
    Nothing,
    Failed,
}

impl Question<'_> {
    fn run(&self, ctx: &mut Context) -> Answer {
        let own;
        let shared = ctx.services.dns.clone();
        let resolver: &Resolver = if self.retrans.is_some() || self.retry.is_some() {
            own = shared.with_timing(self.retrans, self.retry);
            &own
        } else {
            &shared
        };
        let mut out: Option<Vec<u8>> = None;
        let mut deferred = false;
        let mut ttl: Option<u32> = None;
        let single = self.kind == Kind::Record(RecordType::Ptr) && parse_ip(self.domains).is_some();
        let domains: Vec<Vec<u8>> = match single {
            true => vec![self.domains.to_vec()],
            false => crate::parse::list::items(self.domains).map(Vec::from).collect(),
        };
        for mut domain in domains {
            if matches!(self.kind, Kind::Record(RecordType::Ptr) | Kind::Csa)
                && let Some(ip) = parse_ip(&domain)
            {
                domain = if self.kind == Kind::Csa { csa_name(ip) } else { dns::reverse_name(ip) }.into_bytes();
            }
            for rtype in self.types() {
                let (answer, found) = match self.ask(ctx, resolver, &domain, rtype) {
                    Step::Records(answer, found) => (answer, found),
                    Step::Nothing => continue,
                    Step::Failed => {
                        if self.defer == Mode::Strict {
                            return Answer::Defer(String::new());
                        }
                        deferred |= self.defer == Mode::Lax;
                        continue;
                    }
                };
                for record in answer.of_type(rtype) {
                    ttl = Some(ttl.map_or(record.ttl, |t| t.min(record.ttl)));
                    let before = out.as_ref().map(Vec::len);
                    let text = out.get_or_insert_with(Vec::new);
                    if before.is_some() {
                        text.push(self.separator);
                    }
                    self.write(text, record, found != domain);
                }
            }
        }
        match out {
            Some(data) => Answer::Found(data, ttl.map_or(Keep::Always, Keep::Seconds)),
            None if deferred => Answer::Defer(String::new()),
            None => Answer::NotFound(Keep::Always),
        }
    }

    fn types(&self) -> Vec<RecordType> {
        match self.kind {
            Kind::Record(t) => vec![t],
            Kind::Addresses => vec![RecordType::Aaaa, RecordType::A],
            Kind::Csa => vec![RecordType::Srv],
            Kind::MxHosts => vec![RecordType::Mx],
            Kind::ZoneNs => vec![RecordType::Ns],
        }
    }

    fn ask(&self, ctx: &mut Context, resolver: &Resolver, domain: &[u8], rtype: RecordType) -> Step {
        let dnssec = self.dnssec != Mode::Never;
        let query = Query::new(domain, rtype).dnssec(dnssec).of(&ctx.run);
        let mut found = domain.to_vec();
        let answer = match self.kind {
            Kind::Csa => {
                let csa = resolver.csa(domain, u32::try_from(ctx.config.main.dns_csa_search_limit.0).unwrap_or(5), dnssec);
                found = csa.domain.into();
                csa.answer
            }
            Kind::ZoneNs => resolver.enclosing_zone(&query),
            _ => resolver.lookup(&query),
        };
        crate::dns::note::note(ctx, domain, rtype, &answer);
        let secure = dnssec && matching::dns_secure(ctx, &answer);
        ctx.address.lookup_dnssec = dnssec.then_some(secure);
        match answer.outcome {
            Outcome::NoMatch | Outcome::NoData => Step::Nothing,
            Outcome::Again if matching::again_means_nonexist(ctx, &answer.asked) => Step::Nothing,
            Outcome::Found if self.dnssec == Mode::Strict && !secure => Step::Failed,
            Outcome::Found => Step::Records(answer, found),
            _ => Step::Failed,
        }
    }

    // The separator of fields: the given one, or the type's own.
    fn between(&self, own: u8) -> Vec<u8> {
        self.field.clone().unwrap_or_else(|| vec![own])
    }

    fn write(&self, out: &mut Vec<u8>, record: &Record, from_parent: bool) {
        let fields = |values: &[&dyn std::fmt::Display], own: u8| {
            let sep = self.between(own);
            let mut text = Vec::new();
            for (i, v) in values.iter().enumerate() {
                if i > 0 {
                    text.extend_from_slice(&sep);
                }
                text.extend_from_slice(v.to_string().as_bytes());
            }
            text
        };
        match &record.data {
            RData::Address(ip) => out.extend_from_slice(ip.to_string().as_bytes()),
            RData::Text(parts) => match &self.field {
                Some(sep) => out.extend_from_slice(&bstr::join(sep, parts)),
                None if record.rtype == RecordType::Spf => out.extend_from_slice(&bstr::concat(parts)),
                None => out.extend_from_slice(parts.first().map_or(&b""[..], |p| p.as_slice())),
            },
            RData::Mx { preference, exchange } => {
                if self.kind != Kind::MxHosts {
                    out.extend_from_slice(preference.to_string().as_bytes());
                    out.extend_from_slice(&self.between(b' '));
                }
                out.extend_from_slice(exchange);
            }
            RData::Srv { priority, weight, port, target } if self.kind == Kind::Csa => {
                if *priority != 1 {
                    return;
                }
                let word: &[u8] = match (from_parent, weight) {
                    (true, _) if port & 1 != 0 => b"X ",
                    (true, _) => b"? ",
                    (false, 0 | 1) => b"N ",
                    (false, 2) => b"Y ",
                    (false, 3) => b"? ",
                    _ => return,
                };
                out.extend_from_slice(word);
                out.extend_from_slice(target);
            }
            RData::Srv { priority, weight, port, target } => {
                out.extend_from_slice(&fields(&[priority, weight, port], b' '));
                out.extend_from_slice(&self.between(b' '));
                out.extend_from_slice(target);
            }
            RData::Name(name) => out.extend_from_slice(name),
            RData::Soa { primary, mailbox, serial, refresh, retry, expire, minimum } => {
                out.extend_from_slice(primary);
                if let Some(sep) = &self.field {
                    out.extend_from_slice(sep);
                    out.extend_from_slice(mailbox);
                    out.extend_from_slice(sep);
                    out.extend_from_slice(&fields(&[serial, refresh, retry, expire, minimum], b' '));
                }
            }
            RData::Tlsa { usage, selector, matching, data } => {
                out.extend_from_slice(&fields(&[usage, selector, matching], b' '));
                out.extend_from_slice(&self.between(b' '));
                out.extend_from_slice(data_encoding::HEXLOWER.encode(data).as_bytes());
            }
            RData::Caa { .. } | RData::Raw(_) => {}
        }
    }
}

// CSA of an address: its reverse labels without the zone of PTR records' own.
fn csa_name(ip: IpAddr) -> String {
    dns::reverse_name(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions() {
        let q = parse(b">X, txt=test.ex").unwrap();
        assert_eq!((q.separator, q.field.as_deref(), q.domains), (b'X', Some(&b" "[..]), &b"test.ex"[..]));
        let q = parse(b">|,:mx=<;a;b").unwrap();
        assert_eq!((q.field.as_deref(), q.kind), (Some(&b":"[..]), Kind::Record(RecordType::Mx)));
        let q = parse(b"defer_never, dnssec_strict,retrans_1m5s,retry_2, A+ = x").unwrap();
        assert_eq!((q.defer, q.dnssec, q.retry, q.kind), (Mode::Never, Mode::Strict, Some(2), Kind::Addresses));
        assert_eq!(q.retrans, Some(Duration::from_secs(65)));
        assert_eq!(parse(b"xxx=y").unwrap_err(), "unsupported DNS record type");
        assert_eq!(parse(b"defer_maybe,a=y").unwrap_err(), "unsupported dnsdb defer behaviour");
        assert_eq!(parse(b"defer_lax a=y").unwrap_err(), "dnsdb modifier syntax error");
    }
}

//! Finds the policy for the domain in From:, and applies it (RFC 7489 6.6).

use bstr::{BString, ByteSlice};

use super::record::{self, Policy, Record};
use super::{forensic, history};
use crate::context::{Context, HeaderKind};
use crate::dns::{Outcome, Query, RData, RecordType};
use crate::expand::{self, ExpandError};
use crate::log::{self, Which};
use crate::lookups;
use crate::mail_auth::dkim::Status as DkimStatus;
use crate::mail_auth::spf::Verdict;
use crate::parse::{Rules, extract_with, find_address_end};
use crate::text::Text;

/// The result (`$dmarc_status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    Accept,
    Reject,
    Quarantine,
    None,
    NoRecord,
    NoFrom,
    TempError,
    Off,
}

impl Status {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Status::Accept => "accept",
            Status::Reject => "reject",
            Status::Quarantine => "quarantine",
            Status::None => "none",
            Status::NoRecord => "norecord",
            Status::NoFrom => "nofrom",
            Status::TempError => "temperror",
            Status::Off => "off",
        }
    }

    /// `$dmarc_status_text`
    pub fn text(self) -> &'static str {
        match self {
            Status::Accept => "Accept",
            Status::Reject => "Reject",
            Status::Quarantine => "Quarantine",
            Status::None => "None, Accept",
            Status::NoRecord => "No DMARC record",
            Status::NoFrom => "No From: domain found",
            Status::TempError => "Internal Policy Error",
            Status::Off => "",
        }
    }

    /// As `${authresults}` has it.
    pub fn result_word(self) -> &'static str {
        match self {
            Status::Accept => "pass",
            Status::Reject | Status::Quarantine => "fail",
            Status::None | Status::NoRecord | Status::Off => "none",
            Status::NoFrom | Status::TempError => "temperror",
        }
    }
}

/// What is known of a message.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The result.
    pub status: Status,
    /// The domain in From:.
    pub from: BString,
    /// The domain whose record was used.
    pub used_domain: BString,
    /// The record.
    pub record: Option<Record>,
    /// SPF vouches for the domain.
    pub spf_aligned: bool,
    /// DKIM does.
    pub dkim_aligned: bool,
}

impl Facts {
    fn nothing(status: Status) -> Facts {
        let none = BString::default;
        Facts { status, from: none(), used_domain: none(), record: None, spf_aligned: false, dkim_aligned: false }
    }
}

/// The condition: is the status one of the list?
pub fn condition(ctx: &mut Context, list: &[u8]) -> bool {
    if ctx.message.auth.dmarc.is_none()
        && let Some(facts) = evaluate(ctx)
    {
        ctx.message.auth.dmarc = Some(Box::new(facts));
    }
    let status = status_name(ctx);
    crate::parse::list::items(list).any(|item| {
        let (negated, word) = match item.strip_prefix(b"!") {
            Some(w) => (true, w),
            None => (false, item.as_slice()),
        };
        word.eq_ignore_ascii_case(status.as_bytes()) != negated
    })
}

/// `$dmarc_status`
pub fn status_name(ctx: &Context) -> &'static str {
    match &ctx.message.auth.dmarc {
        _ if ctx.message.dmarc_disable_verify => Status::Off.name(),
        Some(f) => f.status.name(),
        None => Status::None.name(),
    }
}

/// `None`: it is not for this message.
fn evaluate(ctx: &mut Context) -> Option<Facts> {
    if ctx.message.dmarc_disable_verify || ctx.session.host_address.is_none() || ctx.session.authenticated_by.is_some() {
        return None;
    }
    let list = suffix_list(ctx)?;
    let mut facts = Facts::nothing(Status::NoFrom);
    match from_domain(ctx) {
        None => {}
        Some(from) => {
            facts.from = from;
            find_policy(ctx, &list, &mut facts);
        }
    }
    let spf = ctx.message.auth.spf.as_ref().map(|f| f.domain.to_string()).unwrap_or_default();
    let word = |on| if on { "yes" } else { "no" };
    let line = format!(
        "DMARC results: spf_domain={spf} dmarc_domain={} spf_align={} dkim_align={} enforcement='{}'",
        facts.used_domain,
        word(facts.spf_aligned),
        word(facts.dkim_aligned),
        facts.status.text()
    );
    log::write(ctx, None, Which::MAIN, line.as_bytes());
    history::write(ctx, &facts);
    forensic::report(ctx, &facts);
    Some(facts)
}

/// dmarc_tld_file; `None`: unset or empty, there is no DMARC.
fn suffix_list(ctx: &mut Context) -> Option<Text> {
    let template = ctx.config.main.dmarc_tld_file.get().cloned()?;
    match expand::expand(ctx, &template) {
        Ok(t) if t.is_empty() => None,
        Ok(t) => Some(t),
        Err(ExpandError::Forced(_)) => None,
        Err(e) => {
            let line = format!("failed to expand dmarc_tld_file: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            None
        }
    }
}

/// The domain in From:, if there is exactly one.
fn from_domain(ctx: &Context) -> Option<BString> {
    let mut rules = Rules::header(&ctx.config.main);
    let mut found: Option<BString> = None;
    for header in ctx.message.headers.iter().filter(|h| h.kind == HeaderKind::From) {
        let colon = header.text.find_byte(b':').map_or(0, |i| i + 1);
        let mut rest = &header.text[colon..];
        while !rest.trim().is_empty() {
            let end = find_address_end(rest, false).min(rest.len());
            if let Ok(a) = extract_with(&mut rules, &rest[..end]) {
                let domain = BString::from(a.domain().to_ascii_lowercase());
                if found.as_ref().is_some_and(|f| *f != domain) {
                    return None;
                }
                found = Some(domain);
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }
    found.filter(|d| !d.is_empty())
}

/// What DNS has.
enum Fetched {
    Record(Record),
    None,
    Again,
}

fn fetch(ctx: &Context, domain: &[u8]) -> Fetched {
    let name = [b"_dmarc.", domain].concat();
    let answer = ctx.services.dns.lookup(&Query::new(&name, RecordType::Txt).of(&ctx.run));
    match answer.outcome {
        Outcome::Again | Outcome::Fail => return Fetched::Again,
        Outcome::NoMatch | Outcome::NoData => return Fetched::None,
        Outcome::Found => {}
    }
    let texts: Vec<Vec<u8>> = answer
        .of_type(RecordType::Txt)
        .filter_map(|r| match &r.data {
            RData::Text(parts) => Some(bstr::concat(parts)),
            _ => None,
        })
        .filter(|t| t.starts_with(b"v=DMARC1"))
        .collect();
    match texts.as_slice() {
        [one] => record::parse(one).map_or(Fetched::None, Fetched::Record),
        // Several are as good as none.
        _ => Fetched::None,
    }
}

/// Does the owner of an address want reports about a domain that is not its own (RFC 7489 7.1)?
pub fn may_report(ctx: &mut Context, domain: &BString, to: &[u8]) -> bool {
    let Some(list) = suffix_list(ctx) else { return false };
    let at = to.rfind_byte(b'@').map_or(to.len(), |i| i + 1);
    let target = BString::from(to[at..].to_ascii_lowercase());
    if organisational(ctx, &list, &target) == organisational(ctx, &list, domain) {
        return true;
    }
    let name = format!("{domain}._report._dmarc.{target}");
    let answer = ctx.services.dns.lookup(&Query::new(name.as_bytes(), RecordType::Txt).of(&ctx.run));
    let wants = |r: &crate::dns::Record| matches!(&r.data, RData::Text(p) if bstr::concat(p).starts_with(b"v=DMARC1"));
    answer.of_type(RecordType::Txt).any(wants)
}

fn find_policy(ctx: &mut Context, list: &Text, facts: &mut Facts) {
    let organisation = organisational(ctx, list, &facts.from);
    let mut of_organisation = false;
    facts.used_domain = facts.from.clone();
    let mut fetched = fetch(ctx, &facts.from);
    if matches!(fetched, Fetched::None) && organisation != facts.from {
        fetched = fetch(ctx, &organisation);
        of_organisation = true;
        facts.used_domain = organisation.clone();
    }
    let record = match fetched {
        Fetched::Record(r) => r,
        Fetched::None => {
            facts.status = Status::NoRecord;
            facts.used_domain = facts.from.clone();
            return;
        }
        Fetched::Again => {
            facts.status = Status::TempError;
            return;
        }
    };
    facts.spf_aligned = match &ctx.message.auth.spf {
        Some(f) if f.verdict == Verdict::Pass && !f.guessed => {
            let domain = BString::from(f.domain.to_ascii_lowercase());
            aligned(ctx, list, &domain, &facts.from, &organisation, record.strict_spf)
        }
        _ => false,
    };
    let good = ctx.message.auth.dkim.judged.iter().filter(|j| j.status == DkimStatus::Pass);
    let good = good.filter(|j| j.replaced.as_ref().is_none_or(|(s, _)| s == "pass"));
    let domains: Vec<BString> = good.filter_map(|j| j.signature.domain.clone()).collect();
    for d in domains {
        facts.dkim_aligned |= aligned(ctx, list, &d, &facts.from, &organisation, record.strict_dkim);
    }
    let of_nothing = of_organisation && record.nonexistent.is_some() && !exists(ctx, &facts.from);
    let below = record.nonexistent.filter(|_| of_nothing).or(record.subdomains);
    let mut policy = below.filter(|_| of_organisation).unwrap_or(record.policy);
    if policy != Policy::None && record.percent < 100 && ctx.services.random.below(100) >= record.percent {
        policy = policy.milder();
    }
    facts.status = match policy {
        _ if facts.spf_aligned || facts.dkim_aligned => Status::Accept,
        Policy::None => Status::None,
        Policy::Quarantine => Status::Quarantine,
        Policy::Reject => Status::Reject,
    };
    facts.record = Some(record);
}

/// Has the domain an address or a host for mail (RFC 9091 2.7)? What the DNS does not tell now may exist.
fn exists(ctx: &Context, domain: &BString) -> bool {
    [RecordType::Mx, RecordType::A, RecordType::Aaaa].into_iter().any(|t| {
        let outcome = ctx.services.dns.lookup(&Query::new(domain, t).of(&ctx.run)).outcome;
        !matches!(outcome, Outcome::NoMatch | Outcome::NoData)
    })
}

fn aligned(ctx: &mut Context, list: &Text, domain: &BString, from: &BString, organisation: &BString, strict: bool) -> bool {
    domain == from || (!strict && organisational(ctx, list, domain) == *organisation)
}

/// The domain that was registered, of which this one is a part. Where the list knows nothing: two labels.
pub fn organisational(ctx: &mut Context, list: &Text, domain: &[u8]) -> BString {
    let key = Text::clean(domain);
    if let Ok(spec) = lookups::parse_type(b"regdom")
        && let Ok(Some(found)) = lookups::find(ctx, &spec, &key, list)
    {
        return found.value.as_bytes().into();
    }
    let labels: Vec<&[u8]> = domain.split(|c| *c == b'.').collect();
    let skip = labels.len().saturating_sub(2);
    bstr::join(".", labels.get(skip..).unwrap_or_default()).into()
}

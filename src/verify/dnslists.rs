//! DNS lists: the `dnslists` condition (manual sections 44.28 to 44.38).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use bstr::{BString, ByteSlice};

use crate::acl::{Messages, Verdict, Where};
use crate::context::Context;
use crate::dns::{self, Outcome, Query, RecordType};
use crate::expand::{self, ExpandError, Template};
use crate::log::{self, Selector, Which, hdebug};
use crate::matching;
use crate::parse::list;
use crate::sys::time::unix_time;
use crate::text::Text;

use super::hplain;

/// Longest life of an answer, seconds.
const MAX_TTL: i64 = 3600;
/// A longer question cannot be asked.
const MAX_QUERY: usize = 255;

/// Answers of this session, by question.
pub type Cache = BTreeMap<BString, Entry>;

/// One answer.
#[derive(Clone, Debug)]
pub struct Entry {
    outcome: Outcome,
    addresses: Vec<IpAddr>,
    /// The TXT record, once it has been asked for.
    text: Option<Option<BString>>,
    expires: i64,
}

/// One item of the list, read.
struct Item {
    domain: BString,
    /// Where the TXT record is.
    text_domain: BString,
    key: Option<BString>,
    addresses: Option<BString>,
    bitmask: bool,
    negated: bool,
    all: bool,
}

impl Item {
    fn parse(text: &[u8]) -> Item {
        let (main, key) = match text.find_byte(b'/') {
            Some(at) => (&text[..at], Some(BString::from(&text[at + 1..]))),
            None => (text, None),
        };
        let mut item = Item {
            domain: main.into(),
            text_domain: BString::default(),
            key,
            addresses: None,
            bitmask: false,
            negated: false,
            all: false,
        };
        let sign = main.find_byte(b'=').or_else(|| main.find_byte(b'&'));
        if let Some(at) = sign {
            item.bitmask = main.get(at) == Some(&b'&');
            let mut rest = main.get(at + 1..).unwrap_or_default();
            let mut domain = main.get(..at).unwrap_or_default();
            if let Some(d) = domain.strip_suffix(b"!") {
                item.negated = true;
                domain = d;
            }
            if !item.bitmask
                && let Some(c @ (b'=' | b'&')) = rest.first().copied()
            {
                item.all = true;
                item.bitmask = c == b'&';
                rest = rest.get(1..).unwrap_or_default();
            }
            item.domain = domain.into();
            item.addresses = Some(rest.into());
        }
        let whole = item.domain.clone();
        match whole.split_once_str(b",") {
            Some((text, main)) => {
                item.text_domain = text.trim().into();
                item.domain = main.trim().into();
            }
            None => item.text_domain = whole,
        }
        item
    }

    /// Do the addresses that were found mean that the key is listed? `None`: no list to compare with.
    fn accepts(&self, found: &[IpAddr]) -> Option<bool> {
        let wanted: Vec<BString> = list::items_with(self.addresses.as_ref()?, b',').collect();
        let in_list = |ip: &IpAddr| {
            wanted.iter().any(|w| match (self.bitmask, ip) {
                (false, ip) => w.to_str().is_ok_and(|t| t.parse::<IpAddr>().map_or(t == ip.to_string(), |a| a == *ip)),
                (true, IpAddr::V4(v4)) if says_listed(ip) => {
                    let mask = w.to_str().ok().and_then(|t| t.parse::<Ipv4Addr>().ok()).map(u32::from);
                    mask.is_some_and(|m| u32::from(*v4) & m == m)
                }
                (true, _) => false,
            })
        };
        let matched = if self.all { found.iter().all(in_list) } else { found.iter().any(in_list) };
        Some(matched != self.negated)
    }

    fn why_not(&self) -> String {
        let what = match (self.all, self.negated) {
            (false, false) => "was no match",
            (false, true) => "was an exclude match",
            (true, false) => "was an IP address that did not match",
            (true, true) => "were no IP addresses that did not match",
        };
        let sign = if self.bitmask { '&' } else { '=' };
        let list = self.addresses.as_ref().map_or(b"".as_bstr(), |a| a.as_bstr());
        format!("=> there {what} for {}{sign}{list}", if self.all { "=" } else { "" })
    }
}

/// A list that has gone away may answer with anything; only 127/8 says "listed".
fn says_listed(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.is_loopback())
}

/// Tests the condition. `arg` is not yet expanded.
pub fn check(ctx: &mut Context, place: Where, arg: &Template, m: &mut Messages) -> Verdict {
    let list = match expand::expand(ctx, arg) {
        Ok(t) => t,
        Err(ExpandError::Forced(_)) => return Verdict::Fail,
        Err(e) => {
            m.set_log(Text::clean(format!("failed to expand ACL string \"{}\": {e}", arg.raw().as_bstr())));
            return if matches!(e, ExpandError::Defer(_)) { Verdict::Defer } else { Verdict::Error };
        }
    };
    if arg.raw().find_byteset(b"$\\").is_some() {
        hplain!(ctx, DNSBL, "expanded list: {list}");
    }
    ctx.scratch.dnslist_domain = None;
    ctx.scratch.dnslist_matched = None;
    ctx.scratch.dnslist_text = None;
    ctx.scratch.dnslist_value = None;
    let mut on_defer = Verdict::Fail;
    for text in list::items(&list) {
        hdebug!(ctx, DNSBL, "dnslists check: {text}");
        if let Some(word) = text.strip_prefix(b"+") {
            match word {
                b"include_unknown" => on_defer = Verdict::Ok,
                b"exclude_unknown" => on_defer = Verdict::Fail,
                b"defer_unknown" => on_defer = Verdict::Defer,
                _ => {
                    let line = format!("unknown item in dnslist (ignored): {text}");
                    log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
                }
            }
            continue;
        }
        let item = Item::parse(&text);
        for domain in [&item.domain, &item.text_domain] {
            if !domain.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_')) {
                let line = format!("dnslists domain \"{domain}\" contains strange characters - is this right?");
                log::write(ctx, None, Which::MAIN, line.as_bytes());
                break;
            }
        }
        let keys: Vec<BString> = match &item.key {
            Some(k) => list::items(k).collect(),
            None if matches!(place, Where::NotSmtpStart | Where::NotSmtp) => {
                m.set_log(Text::clean(format!("cannot test auto-keyed dnslists condition in {} ACL", place.name())));
                return Verdict::Error;
            }
            None => match &ctx.session.host_address {
                Some(a) => vec![a.as_bytes().into()],
                None => return Verdict::Fail,
            },
        };
        let mut deferred = false;
        for key in keys {
            match check_key(ctx, &item, &key, on_defer) {
                Verdict::Ok => {
                    ctx.scratch.dnslist_domain = Some(Text::tainted(item.text_domain.clone()));
                    ctx.scratch.dnslist_matched = Some(Text::tainted(key.clone()));
                    hdebug!(ctx, DNSBL, "=> that means {key} is listed at {}", item.text_domain);
                    return Verdict::Ok;
                }
                Verdict::Defer => deferred = true,
                _ => {}
            }
        }
        if deferred {
            return Verdict::Defer;
        }
    }
    Verdict::Fail
}

/// One key at one list. An address is turned round; anything else stands before the domain as it is.
fn check_key(ctx: &mut Context, item: &Item, key: &[u8], on_defer: Verdict) -> Verdict {
    let prefix: BString = match key.to_str().ok().and_then(|k| k.parse::<IpAddr>().ok()) {
        Some(ip) => dns::reverse_labels(ip.to_canonical()).into(),
        None => key.into(),
    };
    let verdict = look_up(ctx, &item.domain, key, &prefix, Some(item), on_defer);
    if verdict == Verdict::Ok && item.text_domain != item.domain {
        return look_up(ctx, &item.text_domain.clone(), key, &prefix, None, on_defer);
    }
    verdict
}

fn look_up(ctx: &mut Context, domain: &BString, key: &[u8], prefix: &BString, item: Option<&Item>, on_defer: Verdict) -> Verdict {
    let query = BString::from(format!("{prefix}.{domain}"));
    if query.len() > MAX_QUERY {
        let line = format!("dnslist query is too long (ignored): {query}...");
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
        return Verdict::Fail;
    }
    let now = unix_time();
    let known = ctx.session.dnslists.get(&query).cloned();
    let mut entry = match known {
        Some(e) if e.expires > now => {
            hdebug!(ctx, DNSBL, "dnslists: using result of previous lookup");
            e
        }
        stale => {
            let past = if stale.is_some() { "cached data found but past valid time; " } else { "" };
            hdebug!(ctx, DNSBL, "{past}new DNS lookup for {query}");
            let e = ask(ctx, &query, now);
            hdebug!(ctx, DNSBL, "dnslists: wrote cache entry, ttl={}", e.expires - now);
            ctx.session.dnslists.insert(query.clone(), e.clone());
            e
        }
    };
    match entry.outcome {
        Outcome::Found => {}
        Outcome::NoMatch | Outcome::NoData => {
            hdebug!(ctx, DNSBL, "DNS lookup for {query} failed");
            hdebug!(ctx, DNSBL, "=> that means {} is not listed at {domain}", key.as_bstr());
            return Verdict::Fail;
        }
        _ => {
            let how = match on_defer {
                Verdict::Ok => "assumed in list",
                Verdict::Fail => "assumed not in list",
                _ => "returned DEFER",
            };
            let line = format!("DNS list lookup defer (probably timeout) for {query}: {how}");
            log::write(ctx, Some(Selector::DnslistDefer), Which::MAIN, line.as_bytes());
            return on_defer;
        }
    }
    let all: Vec<String> = entry.addresses.iter().map(ToString::to_string).collect();
    let value = all.join(", ");
    hdebug!(ctx, DNSBL, "DNS lookup for {query} succeeded (yielding {value})");
    if item.is_none_or(|i| i.bitmask || i.addresses.is_none()) {
        for ip in entry.addresses.iter().filter(|ip| !says_listed(ip)) {
            let line = format!("DNS list lookup for {} at {domain} returned {ip}; not in 127.0/8 and discarded", key.as_bstr());
            log::write(ctx, None, Which::MAIN, line.as_bytes());
        }
    }
    match item.and_then(|i| Some((i, i.accepts(&entry.addresses)?))) {
        Some((item, false)) => {
            hdebug!(ctx, DNSBL, "=> but we are not accepting this block class because");
            hdebug!(ctx, DNSBL, "{}", item.why_not());
            return Verdict::Fail;
        }
        Some((_, true)) => {}
        None if !entry.addresses.iter().any(says_listed) => return Verdict::Fail,
        None => {}
    }
    if item.is_some_and(|i| i.text_domain != i.domain) {
        return Verdict::Ok;
    }
    if entry.text.is_none() {
        let answer = dns::note::basic(ctx, &Query::new(&query, RecordType::Txt));
        let text = answer.of_type(RecordType::Txt).find_map(|r| match &r.data {
            dns::RData::Text(strings) => strings.first().map(|s| s.to_vec().into()),
            _ => None,
        });
        entry.text = Some(text);
        ctx.session.dnslists.insert(query, entry.clone());
    }
    ctx.scratch.dnslist_value = Some(Text::tainted(value));
    ctx.scratch.dnslist_text = entry.text.flatten().map(Text::tainted);
    Verdict::Ok
}

fn ask(ctx: &mut Context, query: &BString, now: i64) -> Entry {
    let answer = dns::note::basic(ctx, &Query::new(query, RecordType::A));
    let addresses: Vec<IpAddr> = answer.of_type(RecordType::A).filter_map(|r| r.data.address()).collect();
    let (outcome, ttl) = match answer.outcome {
        // Perhaps only a CNAME.
        Outcome::Found if addresses.is_empty() => (Outcome::NoData, MAX_TTL),
        Outcome::Found => (Outcome::Found, answer.ttl().map_or(MAX_TTL, i64::from)),
        Outcome::NoMatch | Outcome::NoData => (answer.outcome, answer.negative_ttl().map_or(MAX_TTL, i64::from)),
        Outcome::Again if matching::again_means_nonexist(ctx, &answer.asked) => (Outcome::NoMatch, MAX_TTL),
        other => (other, MAX_TTL),
    };
    Entry { outcome, addresses, text: None, expires: now.saturating_add(ttl.clamp(0, MAX_TTL)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items() {
        let i = Item::parse(b"txt.ex,a.ex!=&0.0.0.2,0.0.0.4/k:l");
        assert_eq!((i.domain.to_string(), i.text_domain.to_string()), ("a.ex".into(), "txt.ex".into()));
        assert!(i.negated && i.all && i.bitmask);
        assert_eq!(i.key.unwrap(), "k:l");
        let ip = |s: &str| s.parse::<IpAddr>().unwrap();
        let i = Item::parse(b"a.ex=127.0.0.2,127.0.0.3");
        assert_eq!(i.accepts(&[ip("127.0.0.3"), ip("127.0.0.9")]), Some(true));
        let i = Item::parse(b"a.ex==127.0.0.2,127.0.0.3");
        assert_eq!(i.accepts(&[ip("127.0.0.3"), ip("127.0.0.9")]), Some(false));
        let i = Item::parse(b"a.ex&0.0.0.2");
        assert_eq!(i.accepts(&[ip("127.0.0.3")]), Some(true));
        // What is not in 127/8 says nothing, whatever its bits.
        assert_eq!(i.accepts(&[ip("10.0.0.2")]), Some(false));
        assert_eq!(Item::parse(b"a.ex!&0.0.0.2").accepts(&[ip("10.0.0.2")]), Some(true));
        assert_eq!(Item::parse(b"a.ex=&0.0.0.2").accepts(&[ip("10.0.0.2")]), Some(false));
        assert_eq!(Item::parse(b"a.ex").accepts(&[]), None);
    }
}

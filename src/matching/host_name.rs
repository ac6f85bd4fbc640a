//! The name of the session's host: looked up only when something needs it, and verified by a forward lookup
//! (`host_lookup_order`, manual section 14).

use std::net::IpAddr;

use bstr::ByteSlice;

use super::Match;
use super::net::unmapped;
use crate::context::Context;
use crate::context::session::HostName;
use crate::dns::{self, ByName, Outcome, Query, RecordType};
use crate::log::{self, Selector, Which};
use crate::parse::list::items;
use crate::route::HostItem;
use crate::route::hosts::{DnsWants, DnssecTrace, HostSearch, LookupOptions, find_by_dns, find_by_name};
use crate::text::Text;

/// Names of one host, at most.
const MAX_NAMES: usize = 50;

/// Looks the name up and sets `host_name`, `host_aliases` and `host_dnssec` of the session. No: there is none, or none that
/// leads back to the address.
pub fn host_name_lookup(ctx: &mut Context) -> Match {
    let Some(ip) = ctx.session.host_ip else { return Match::No };
    ctx.session.host_dnssec = false;
    log::hdebug!(ctx, HOST_LOOKUP, "looking up host name for {ip}");
    if ctx.run.test_harness && ip == IpAddr::from([99, 99, 99, 99]) {
        log::hdebug!(ctx, HOST_LOOKUP, " Test harness: host name lookup returns DEFER");
        ctx.session.host_name = HostName::Deferred;
        return Match::Defer(format!("host name lookup for {ip} deferred"));
    }
    let order = ctx.config.main.host_lookup_order.raw().unwrap_or(b"bydns:byaddr").to_vec();
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut again = false;
    for method in items(&order) {
        match &method[..] {
            b"bydns" => match by_dns(ctx, ip) {
                Ok(found) => names = found,
                Err(()) => again = true,
            },
            b"byaddr" => match ctx.services.dns.host_by_address(ip) {
                ByName::Found { name, .. } if !name.is_empty() => names = vec![name.to_ascii_lowercase()],
                ByName::Again => again = true,
                _ => {}
            },
            _ => {}
        }
        if !names.is_empty() {
            break;
        }
        if again {
            ctx.session.host_name = HostName::Deferred;
            return Match::Defer(format!("host name lookup for {ip} deferred"));
        }
    }
    if names.is_empty() {
        let text = format!("no host name found for IP address {ip}");
        log::write(ctx, Some(Selector::HostLookupFailed), Which::MAIN, text.as_bytes());
        ctx.session.host_lookup_msg = " (failed to find host name from IP address)".into();
        ctx.session.host_name = HostName::Failed;
        return Match::No;
    }
    let level = ctx.scratch.debug_level;
    ctx.scratch.debug_level += 1;
    for (i, name) in names.iter().enumerate() {
        let what = if i == 0 { "IP address lookup yielded" } else { "  alias" };
        log::hdebug!(ctx, HOST_LOOKUP, "{what} \"{}\"", name.as_bstr());
    }
    let result = verify(ctx, ip, &names);
    ctx.scratch.debug_level = level;
    result
}

// `Err`: temporary.
fn by_dns(ctx: &mut Context, ip: IpAddr) -> Result<Vec<Vec<u8>>, ()> {
    let dnssec = ctx.config.main.dns_dnssec_ok.0 != 0;
    let name = dns::reverse_name(ip);
    let answer = dns::note::lookup(ctx, &Query::new(name.as_bytes(), RecordType::Ptr).dnssec(dnssec));
    match answer.outcome {
        Outcome::Found => {}
        Outcome::Again => {
            let nonexist = super::again_means_nonexist(ctx, &answer.asked);
            if nonexist {
                return Ok(Vec::new());
            }
            log::hdebug!(ctx, HOST_LOOKUP, " IP address PTR lookup gave temporary error");
            return Err(());
        }
        _ => return Ok(Vec::new()),
    }
    ctx.session.host_dnssec = super::dns_secure(ctx, &answer);
    let names: Vec<_> = answer.of_type(RecordType::Ptr).filter_map(|r| r.data.name()).take(MAX_NAMES).collect();
    if names.first().is_some_and(|n| n.is_empty()) {
        log::hdebug!(ctx, HOST_LOOKUP, " IP address lookup yielded an empty name: treated as non-existent host name");
    }
    Ok(names.iter().filter(|n| !n.is_empty()).map(|n| n.to_ascii_lowercase()).collect())
}

/// The addresses of a host's name, and whether DNSSEC vouches for them (it never does: they are looked up by name).
/// `Err(Defer)` if that cannot be known now.
pub fn addresses_of(ctx: &mut Context, name: &Text) -> Result<(Vec<IpAddr>, bool), Match> {
    let host = HostItem { name: name.clone(), ..HostItem::default() };
    match find_by_name(ctx, &host, &LookupOptions::default()) {
        HostSearch::Found { hosts, .. } => Ok((hosts.iter().filter_map(|h| h.address).collect(), false)),
        HostSearch::Again => Err(Match::Defer(format!("lookup of {name} deferred"))),
        _ => Err(Match::No),
    }
}

// Only names that have the address are good.
fn verify(ctx: &mut Context, ip: IpAddr, names: &[Vec<u8>]) -> Match {
    let mut good: Vec<Text> = Vec::new();
    for name in names {
        let name = Text::tainted(name.clone());
        let host = HostItem { name: name.clone(), ..HostItem::default() };
        let wants = DnsWants { address: true, ..DnsWants::default() };
        match find_by_dns(ctx, &host, &wants, &LookupOptions { trace: DnssecTrace::Lists, ..LookupOptions::default() }) {
            HostSearch::Found { hosts, .. } => {
                log::hdebug!(ctx, HOST_LOOKUP, "checking addresses for {name}");
                let mut ok = false;
                for address in hosts.iter().filter_map(|h| h.address) {
                    let same = unmapped(address) == unmapped(ip);
                    log::hdebug!(ctx, HOST_LOOKUP, "  {address}{}", if same { " OK" } else { "" });
                    ok |= same;
                    if ok {
                        break;
                    }
                }
                match ok {
                    true => good.push(name),
                    false => log::hdebug!(ctx, HOST_LOOKUP, "no IP address for {name} matched {ip}"),
                }
            }
            HostSearch::Again => {
                log::hdebug!(ctx, HOST_LOOKUP, "temporary error for host name lookup");
                ctx.session.host_name = HostName::Deferred;
                return Match::Defer(format!("temporary error for host name lookup of {name}"));
            }
            _ => log::hdebug!(ctx, HOST_LOOKUP, "no IP addresses found for {name}"),
        }
    }
    let mut good = good.into_iter();
    if let Some(first) = good.next() {
        ctx.session.host_name = HostName::Found(first);
        ctx.session.host_aliases = good.collect();
        return Match::Yes;
    }
    let shown = names.first().map(|n| n.as_bstr().to_string()).unwrap_or_default();
    log::hdebug!(ctx, HOST_LOOKUP, "{ip} does not match any IP address for {shown}");
    let first = names.first().map(|n| n.as_bstr()).unwrap_or_default();
    ctx.session.host_lookup_msg = format!(" ({ip} does not match any IP address for {first})").into();
    ctx.session.host_name = HostName::Failed;
    ctx.session.host_dnssec = false;
    Match::No
}

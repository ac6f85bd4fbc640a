//! Host lists that routers and the smtp transport are given: building them from text, and finding their addresses.

use bstr::{BString, ByteSlice};

use super::hosts::{DnsWants, Failed, HostSearch, LookupOptions, find_by_dns, find_by_name, literal};
use super::{Address, HostItem, Routed, self_action};
use crate::context::Context;
use crate::parse::list::items;
use crate::retry::errors;
use crate::routers::RouterInstance;
use crate::text::Text;

/// How the addresses of a listed host are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LookupKind {
    /// By DNS, and by name if that finds nothing.
    #[default]
    Default,
    /// `byname`
    ByName,
    /// `bydns`
    ByDns,
    /// By DNS with only IPv4 addresses.
    ByDnsV4Only,
    /// By DNS with IPv4 addresses first.
    ByDnsV4First,
}

impl LookupKind {
    /// `ipv4_only`
    #[must_use]
    pub fn with_ipv4_only(self) -> Self {
        LookupKind::ByDnsV4Only
    }
    /// `ipv4_prefer`
    #[must_use]
    pub fn with_ipv4_first(self) -> Self {
        LookupKind::ByDnsV4First
    }
}

/// `host_find_failed` and `host_all_ignored`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFailure {
    /// `decline`
    Decline,
    /// `defer`
    Defer,
    /// `fail`
    Fail,
    /// `freeze`
    Freeze,
    /// `ignore`
    Ignore,
    /// `pass`
    Pass,
}

impl HostFailure {
    /// Parses an option's value; the error follows the router's name.
    pub fn parse(option: &str, value: &[u8], may_ignore: bool) -> Result<Self, String> {
        Ok(match value {
            b"decline" => Self::Decline,
            b"defer" => Self::Defer,
            b"fail" => Self::Fail,
            b"freeze" => Self::Freeze,
            b"ignore" if may_ignore => Self::Ignore,
            b"pass" => Self::Pass,
            _ => return Err(format!("invalid setting for {option} option: \"{}\"", value.as_bstr())),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Decline => "decline",
            Self::Defer => "defer",
            Self::Fail => "fail",
            Self::Freeze => "freeze",
            Self::Ignore => "ignore",
            Self::Pass => "pass",
        }
    }

    fn routed(self, addr: &mut Address) -> Routed {
        match self {
            // What the next routers say counts, not what was wrong here.
            Self::Decline | Self::Pass => {
                addr.failure = Default::default();
                if self == Self::Pass { Routed::Pass } else { Routed::Decline }
            }
            Self::Fail => Routed::Fail,
            Self::Freeze => {
                addr.flags.freeze = true;
                Routed::Defer
            }
            Self::Defer | Self::Ignore => Routed::Defer,
        }
    }
}

/// How [`look_up`] goes about it.
pub struct Find {
    /// The lookup.
    pub kind: LookupKind,
    /// `host_find_failed`
    pub find_failed: HostFailure,
    /// `host_all_ignored`
    pub all_ignored: HostFailure,
}

/// Builds host items from a list. `+` begins a new group; with `randomize` each group is shuffled.
pub fn build(ctx: &mut Context, list: &[u8], randomize: bool) -> Vec<HostItem> {
    let mut out: Vec<HostItem> = Vec::new();
    // Groups have ranks below "no preference"; within a list that is not randomized the order alone counts.
    let mut group = if randomize { -2 } else { -1i64 };
    for item in items(list) {
        if item.is_empty() {
            continue;
        }
        if item == "+" {
            group -= i64::from(randomize);
            continue;
        }
        let sort_key = if randomize { -group * 1000 + i64::from(ctx.services.random.below(1000)) } else { 0 };
        let host =
            HostItem { name: Text::tainted(item), mx: i32::try_from(group).unwrap_or(i32::MIN), sort_key, ..HostItem::default() };
        if randomize {
            let at = out.iter().position(|h| h.sort_key > sort_key).unwrap_or(out.len());
            out.insert(at, host);
        } else {
            out.push(host);
        }
    }
    out
}

/// `host`, `host:port`, `[address]:port`, `host/MX`: the name, the port, whether MX records are wanted.
pub fn split_host(item: &[u8]) -> (BString, Option<u16>, bool) {
    let (item, mx) = match item.strip_suffix(b"/MX").or_else(|| item.strip_suffix(b"/mx")) {
        Some(rest) => (rest, true),
        None => (item, false),
    };
    if let Some(rest) = item.strip_prefix(b"[")
        && let Some(end) = rest.find_byte(b']')
    {
        let port = rest[end + 1..].strip_prefix(b":").and_then(|p| p.to_str().ok()?.parse().ok());
        return (rest[..end].into(), port, mx);
    }
    if literal(item).is_some() {
        return (item.into(), None, mx);
    }
    if let Some(colon) = item.rfind_byte(b':')
        && let Some(port) = item[colon + 1..].to_str().ok().and_then(|p| p.parse().ok())
    {
        return (item[..colon].into(), Some(port), mx);
    }
    // An IPv4 address and port with a dot between.
    if let Some(dot) = item.rfind_byte(b'.')
        && literal(&item[..dot]).is_some_and(|ip| ip.is_ipv4())
        && let Some(port) = item[dot + 1..].to_str().ok().and_then(|p| p.parse().ok())
    {
        return (item[..dot].into(), Some(port), mx);
    }
    (item.into(), None, mx)
}

/// Finds the addresses of all hosts of the address. `None`: done, the hosts have them.
pub fn look_up(ctx: &mut Context, router: &RouterInstance, addr: &mut Address, find: &Find) -> Option<Routed> {
    let g = &router.generic;
    let lookup = LookupOptions {
        qualify_single: true,
        search_parents: false,
        ignore: g.ignore_target_hosts.get(),
        dnssec_request: g.dnssec_request_domains.get(),
        dnssec_require: g.dnssec_require_domains.get(),
        trace: super::hosts::DnssecTrace::Options,
        check_local: true,
    };
    let mut out: Vec<HostItem> = Vec::new();
    let mut self_send = false;
    for host in std::mem::take(&mut addr.hosts) {
        let (name, port, mx) = split_host(&host.name);
        let host = HostItem { name: host.name.piece(name), port, ..host };
        let found = search(ctx, &host, mx, find.kind, &lookup);
        match found {
            HostSearch::Found { hosts, local, .. } => {
                if local && !self_send {
                    // Only the first of all is looked at; a later one cuts the list.
                    if let Some(first) = hosts.first().filter(|_| out.is_empty()).cloned() {
                        match self_action::apply(ctx, router, addr, &first) {
                            Some(routed) => return Some(routed),
                            None => self_send = true,
                        }
                    } else {
                        break;
                    }
                }
                out.extend(hosts);
            }
            HostSearch::Again => {
                addr.failure.basic_errno = errors::DNS_DEFER;
                addr.failure.message =
                    Some(Text::clean(format!("host lookup for {} did not complete (DNS timeout?)", host.name)));
                return Some(Routed::Defer);
            }
            HostSearch::Insecure => {
                addr.failure.basic_errno = errors::DNS_DEFER;
                addr.failure.message = Some(Text::clean(format!("host lookup for {} done insecurely", host.name)));
                return Some(Routed::Defer);
            }
            HostSearch::Failed(why) => {
                if find.find_failed == HostFailure::Ignore {
                    continue;
                }
                addr.failure.basic_errno = errors::UNKNOWN_HOST;
                let name = match &why {
                    Failed::AllMxBad { best, .. } => best,
                    _ => &host.name,
                };
                addr.failure.message = Some(Text::clean(format!("lookup of host \"{name}\" failed in {} router", router.name)));
                return Some(find.find_failed.routed(addr));
            }
        }
    }
    if out.is_empty() {
        addr.failure.message = Some(Text::clean(format!(
            "lookup failed for all hosts in {} router: host_find_failed={} host_all_ignored={}",
            router.name,
            find.find_failed.name(),
            find.all_ignored.name()
        )));
        return Some(find.all_ignored.routed(addr));
    }
    addr.hosts = out;
    None
}

fn search(ctx: &mut Context, host: &HostItem, mx: bool, kind: LookupKind, lookup: &LookupOptions<'_>) -> HostSearch {
    ctx.scratch.debug_level += 1;
    let found = search_inner(ctx, host, mx, kind, lookup);
    ctx.scratch.debug_level = ctx.scratch.debug_level.saturating_sub(1);
    found
}

fn search_inner(ctx: &mut Context, host: &HostItem, mx: bool, kind: LookupKind, lookup: &LookupOptions<'_>) -> HostSearch {
    let wants = DnsWants {
        mx,
        address: !mx,
        ipv4_only: kind == LookupKind::ByDnsV4Only,
        ipv4_first: kind == LookupKind::ByDnsV4First,
        ..DnsWants::default()
    };
    if mx {
        return find_by_dns(ctx, host, &wants, lookup);
    }
    if kind == LookupKind::ByName || literal(&host.name).is_some() {
        return find_by_name(ctx, host, lookup);
    }
    let found = match find_by_dns(ctx, host, &wants, lookup) {
        HostSearch::Failed(Failed::NoRecords) if kind == LookupKind::Default => find_by_name(ctx, host, lookup),
        other => other,
    };
    // Preferences of listed hosts are their places in the list.
    match found {
        HostSearch::Found { mut hosts, name, local, removed, treated, from_mx } => {
            for h in &mut hosts {
                h.mx = host.mx;
                h.port = host.port;
            }
            HostSearch::Found { hosts, name, local, removed, treated, from_mx }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        assert_eq!(split_host(b"a.b:25"), ("a.b".into(), Some(25), false));
        assert_eq!(split_host(b"a.b/MX"), ("a.b".into(), None, true));
        assert_eq!(split_host(b"[::1]:26"), ("::1".into(), Some(26), false));
        assert_eq!(split_host(b"127.0.0.1:1224"), ("127.0.0.1".into(), Some(1224), false));
        assert_eq!(split_host(b"::1"), ("::1".into(), None, false));
        assert_eq!(split_host(b"127.0.0.1.1224"), ("127.0.0.1".into(), Some(1224), false));
    }
}

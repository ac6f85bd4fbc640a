//! Hosts of a domain by DNS: SRV, then MX, then address records (RFC 5321 section 5.1, RFC 2782).

use bstr::BString;

use super::{
    Failed, HostSearch, LookupOptions, again_is_nonexistent, ignored, in_dnssec, in_fail_domains, ipv4_only, local, order,
    with_address,
};
use crate::context::Context;
use crate::dns::{Answer, Outcome, Query, RData, RecordType};
use crate::expand::Template;
use crate::matching;
use crate::route::{HostItem, HostStatus};
use crate::text::Text;

/// Which records to look for.
#[derive(Clone, Copy, Debug, Default)]
pub struct DnsWants<'a> {
    /// SRV service (`smtp`): tried first.
    pub srv_service: Option<&'a [u8]>,
    /// MX.
    pub mx: bool,
    /// Addresses if there is no MX.
    pub address: bool,
    /// Only IPv4 addresses.
    pub ipv4_only: bool,
    /// IPv4 addresses before IPv6 ones.
    pub ipv4_first: bool,
    /// `srv_fail_domains`, `mx_fail_domains`: a failing lookup counts as "none" for these.
    pub srv_fail: Option<&'a Template>,
    /// See above.
    pub mx_fail: Option<&'a Template>,
}

/// Finds the hosts of `domain`.
pub fn find_by_dns(ctx: &mut Context, domain: &HostItem, wants: &DnsWants<'_>, options: &LookupOptions<'_>) -> HostSearch {
    let name = &domain.name;
    let require = in_dnssec(ctx, name, "require", options.dnssec_require, options.trace);
    let request = in_dnssec(ctx, name, "request", options.dnssec_request, options.trace);
    let dnssec = Dnssec { request, require };
    ctx.address.lookup_dnssec = None;
    let mut full = name.clone();
    if let Some(service) = wants.srv_service {
        let srv_name = BString::from([b"_", service, b"._tcp.", name.as_bytes()].concat());
        let answer = ask(ctx, &srv_name, RecordType::Srv, options, dnssec);
        match answer.outcome {
            Outcome::Found => {
                let secure = dnssec.of(ctx, &answer);
                if dnssec.lacking(secure) {
                    return HostSearch::Insecure;
                }
                let records = srv_records(&answer);
                if let [(_, _, _, target)] = records.as_slice()
                    && (target.is_empty() || *target == ".")
                {
                    return HostSearch::Failed(Failed::NoService);
                }
                let hosts = order_srv(ctx, domain, &records, secure);
                return addresses_of(ctx, hosts, full, wants, options, dnssec);
            }
            Outcome::Again | Outcome::Fail if !again_is_nonexistent(ctx, name) && !in_fail_domains(ctx, name, wants.srv_fail) => {
                return HostSearch::Again;
            }
            _ => {}
        }
    }
    if wants.mx {
        let answer = ask(ctx, name, RecordType::Mx, options, dnssec);
        match answer.outcome {
            Outcome::Found => {
                let secure = dnssec.of(ctx, &answer);
                if dnssec.lacking(secure) {
                    return HostSearch::Insecure;
                }
                full = Text::tainted(answer.name.clone());
                let records: Vec<(u16, BString)> = answer
                    .of_type(RecordType::Mx)
                    .filter_map(|r| match &r.data {
                        RData::Mx { preference, exchange } => Some((*preference, exchange.clone())),
                        _ => None,
                    })
                    .collect();
                if let [(_, exchange)] = records.as_slice()
                    && (exchange.is_empty() || *exchange == ".")
                {
                    return HostSearch::Failed(Failed::NoService);
                }
                let mut hosts: Vec<HostItem> = Vec::new();
                for (preference, exchange) in records {
                    let sort_key = order::key(ctx, i64::from(preference));
                    // The same name twice: the better preference stays.
                    if let Some(i) = hosts.iter().position(|h| h.name.eq_ignore_ascii_case(&exchange)) {
                        if hosts[i].mx <= i32::from(preference) {
                            continue;
                        }
                        hosts.remove(i);
                    }
                    let item = HostItem {
                        name: Text::tainted(exchange),
                        mx: i32::from(preference),
                        sort_key,
                        dnssec: secure,
                        port: domain.port,
                        ..HostItem::default()
                    };
                    order::insert(&mut hosts, item);
                }
                return addresses_of(ctx, hosts, full, wants, options, dnssec);
            }
            Outcome::Again | Outcome::Fail if !again_is_nonexistent(ctx, name) && !in_fail_domains(ctx, name, wants.mx_fail) => {
                return HostSearch::Again;
            }
            _ => {}
        }
    }
    if !wants.address {
        return HostSearch::Failed(Failed::NoRecords);
    }
    let host = HostItem { mx: -1, ..domain.clone() };
    match addresses(ctx, &host, wants, options, dnssec) {
        Addresses::Found(mut hosts, found_as) => {
            if let Some(name) = found_as {
                full = name;
            }
            let scan = if options.check_local { local::scan(ctx, &mut hosts) } else { local::Scan::default() };
            HostSearch::Found {
                hosts,
                name: full,
                local: scan.first_is_local,
                removed: false,
                treated: scan.treated,
                from_mx: false,
                useless: Vec::new(),
            }
        }
        Addresses::None | Addresses::Ignored => HostSearch::Failed(Failed::NoRecords),
        Addresses::Again => HostSearch::Again,
        Addresses::Insecure => HostSearch::Insecure,
    }
}

#[derive(Clone, Copy)]
struct Dnssec {
    request: bool,
    require: bool,
}

impl Dnssec {
    /// Is the answer secure? None if nobody asked; `$lookup_dnssec_authenticated` says it too.
    fn of(self, ctx: &mut Context, answer: &Answer) -> Option<bool> {
        let secure = (self.request || self.require).then(|| matching::dns_secure(ctx, answer));
        ctx.address.lookup_dnssec = match (secure, ctx.address.lookup_dnssec) {
            // One insecure step makes the whole insecure.
            (Some(true), Some(false)) => Some(false),
            _ => secure,
        };
        secure
    }

    fn lacking(self, secure: Option<bool>) -> bool {
        self.require && secure != Some(true)
    }
}

fn ask(ctx: &mut Context, name: &[u8], rtype: RecordType, options: &LookupOptions<'_>, dnssec: Dnssec) -> Answer {
    let query = Query {
        name,
        rtype,
        qualify_single: options.qualify_single,
        search_parents: options.search_parents,
        dnssec: dnssec.request || dnssec.require,
        run: None,
    };
    crate::dns::note::lookup(ctx, &query)
}

type Srv = (u16, u16, u16, BString);

fn srv_records(answer: &Answer) -> Vec<Srv> {
    let mut out: Vec<Srv> = answer
        .of_type(RecordType::Srv)
        .filter_map(|r| match &r.data {
            RData::Srv { priority, weight, port, target } => Some((*priority, *weight, *port, target.clone())),
            _ => None,
        })
        .collect();
    out.sort_by_key(|s| s.0);
    out
}

/// The order of RFC 2782: by priority, and among equals at random by weight, those of weight 0 first in the sum.
fn order_srv(ctx: &mut Context, domain: &HostItem, records: &[Srv], secure: Option<bool>) -> Vec<HostItem> {
    let mut left: Vec<&Srv> = records.iter().collect();
    let mut out = Vec::new();
    while let Some(first) = left.first() {
        let priority = first.0;
        let mut same: Vec<&Srv> = left.iter().copied().filter(|s| s.0 == priority).collect();
        left.retain(|s| s.0 != priority);
        same.sort_by_key(|s| s.1 != 0);
        while !same.is_empty() {
            let sum: u32 = same.iter().map(|s| u32::from(s.1)).sum();
            let draw = ctx.services.random.below(sum + 1);
            let mut running = 0;
            let at = same
                .iter()
                .position(|s| {
                    running += u32::from(s.1);
                    running >= draw
                })
                .unwrap_or(0);
            let (priority, _, port, target) = same.remove(at);
            out.push(HostItem {
                name: Text::tainted(target.clone()),
                mx: i32::from(*priority),
                sort_key: out.len() as i64 * 1000,
                port: Some(*port),
                dnssec: secure,
                ..domain.clone()
            });
        }
    }
    out
}

/// Addresses for each of the hosts of MX or SRV records.
fn addresses_of(
    ctx: &mut Context,
    hosts: Vec<HostItem>,
    full: Text,
    wants: &DnsWants<'_>,
    options: &LookupOptions<'_>,
    dnssec: Dnssec,
) -> HostSearch {
    let mut out = Vec::new();
    let (mut again, mut insecure, mut literal) = (false, false, false);
    let best = hosts.first().map(|h| h.name.clone()).unwrap_or_default();
    for mut host in hosts {
        let found = match super::literal(&host.name) {
            Some(_) if !ctx.config.main.allow_mx_to_ip => {
                literal = true;
                Addresses::None
            }
            Some(ip) => match ignored(ctx, options.ignore, &host.name, ip) {
                true => Addresses::Ignored,
                false => Addresses::Found(vec![with_address(&host, ip)], None),
            },
            None => {
                let plain = LookupOptions { qualify_single: false, search_parents: false, ..*options };
                addresses(ctx, &host, wants, &plain, dnssec)
            }
        };
        match found {
            Addresses::Found(list, _) => {
                out.extend(list);
                continue;
            }
            Addresses::None => {}
            Addresses::Ignored => host.status = HostStatus::Failed,
            Addresses::Again => again = true,
            Addresses::Insecure => insecure = true,
        }
        // Kept without an address for now: that this host is a worse choice than it matters.
        out.push(host);
    }
    without_repeats(&mut out);
    // SRV records, which alone have ports where they are wanted, have an order of their own.
    if wants.srv_service.is_none() || out.iter().all(|h| h.port.is_none()) {
        preferred_family_first(&mut out, wants.ipv4_first);
    }
    let scan = if options.check_local { local::scan(ctx, &mut out) } else { local::Scan::default() };
    let (out, mut useless): (Vec<HostItem>, Vec<HostItem>) = out.into_iter().partition(|h| h.address.is_some());
    useless.retain(|h| h.status != HostStatus::Failed);
    if out.is_empty() {
        if again {
            return HostSearch::Again;
        }
        if insecure {
            return HostSearch::Insecure;
        }
        return HostSearch::Failed(Failed::AllMxBad { literal, best });
    }
    HostSearch::Found {
        hosts: out,
        name: full,
        local: scan.first_is_local,
        removed: scan.removed,
        treated: scan.treated,
        from_mx: true,
        useless,
    }
}

/// The same address twice: the better preference is enough. Another port is another server.
fn without_repeats(hosts: &mut Vec<HostItem>) {
    let mut seen = std::collections::HashSet::new();
    hosts.retain(|h| h.address.is_none_or(|ip| seen.insert((ip, h.port))));
}

/// Among hosts of one preference those of the preferred address family come first.
fn preferred_family_first(hosts: &mut [HostItem], ipv4_first: bool) {
    let late = |h: &HostItem| h.address.is_some_and(|ip| ip.is_ipv4() != ipv4_first);
    hosts.sort_by_key(|h| (h.mx, late(h)));
}

enum Addresses {
    /// The hosts, and the full name that they were found under: an alias is not replaced by what it stands for.
    Found(Vec<HostItem>, Option<Text>),
    None,
    /// There are some, but `ignore_target_hosts` has them.
    Ignored,
    Again,
    Insecure,
}

/// The address records of one host, in random order but the preferred family first.
fn addresses(ctx: &mut Context, host: &HostItem, wants: &DnsWants<'_>, options: &LookupOptions<'_>, dnssec: Dnssec) -> Addresses {
    let v4_only = wants.ipv4_only || ipv4_only(ctx, &host.name);
    let types: &[RecordType] = if v4_only { &[RecordType::A] } else { &[RecordType::Aaaa, RecordType::A] };
    let mut out = Vec::new();
    let mut canonical = None;
    let (mut again, mut insecure, mut all_ignored) = (false, false, false);
    for rtype in types {
        // What the last type has counts.
        all_ignored = false;
        let answer = ask(ctx, &host.name, *rtype, options, dnssec);
        match answer.outcome {
            Outcome::Found => {
                let secure = dnssec.of(ctx, &answer);
                if dnssec.lacking(secure) {
                    insecure = true;
                    continue;
                }
                // An insecure MX that leads to a secure address proves nothing.
                let dnssec = if host.dnssec == Some(false) { Some(false) } else { secure };
                canonical = Some(Text::tainted(answer.name.clone()));
                for (owner, ip) in answer.of_type(*rtype).filter_map(|r| Some((&r.name, r.data.address()?))) {
                    if ignored(ctx, options.ignore, &host.name, ip) {
                        all_ignored = true;
                        continue;
                    }
                    let late = if wants.ipv4_first { ip.is_ipv6() } else { ip.is_ipv4() };
                    let base = if host.mx >= 0 { i64::from(host.mx) } else { 0 };
                    let sort_key = order::key(ctx, base) + if late { 500 } else { 0 };
                    let mut item = HostItem { sort_key, dnssec, ..with_address(host, ip) };
                    if !owner.eq_ignore_ascii_case(&host.name) {
                        // It is called by the name that the alias stands for.
                        item.name = Text::tainted(owner.clone());
                        item.cert_name = super::cert_name(&host.name, &item.name);
                    }
                    order::insert(&mut out, item);
                }
            }
            Outcome::Again | Outcome::Fail => again = true,
            Outcome::NoMatch | Outcome::NoData => {}
        }
    }
    if !out.is_empty() {
        return Addresses::Found(out, canonical);
    }
    if insecure {
        Addresses::Insecure
    } else if again && !again_is_nonexistent(ctx, host.name.as_bytes()) {
        Addresses::Again
    } else if all_ignored {
        Addresses::Ignored
    } else {
        Addresses::None
    }
}

/// For messages.
impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Failed::NoRecords => "no records",
            Failed::AllMxBad { literal: false, .. } => "all relevant MX records point to non-existent hosts",
            Failed::AllMxBad { literal: true, .. } => {
                "all relevant MX records point to non-existent hosts or (invalidly) to IP addresses"
            }
            Failed::NoService => "an MX or SRV record indicated no SMTP service",
        })
    }
}

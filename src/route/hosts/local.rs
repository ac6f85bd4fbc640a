//! Which addresses are this host's own.

use std::net::IpAddr;

use crate::context::Context;
use crate::debug;
use crate::log::hdebug;
use crate::matching::{self, Match};
use crate::parse::list::items;
use crate::route::HostItem;
use crate::text::Text;

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The first host is this one.
    pub first_is_local: bool,
    /// The list was cut.
    pub removed: bool,
    /// The host of the list that `hosts_treat_as_local` says is this one.
    pub treated: Option<Text>,
}

/// Looks for this host in a list that is in order of preference. Where it is not the first, it and all hosts
/// that are not preferred to it are removed.
pub fn scan(ctx: &mut Context, hosts: &mut Vec<HostItem>) -> Scan {
    let own = interfaces(ctx);
    for i in 0..hosts.len() {
        let Some(ip) = hosts[i].address else { continue };
        let treated = {
            let name = hosts[i].name.clone();
            match ctx.config.main.hosts_treat_as_local.get().cloned() {
                Some(list) => matching::match_domain_named(ctx, "hosts_treat_as_local", &name, &list) == Match::Yes,
                None => false,
            }
        };
        if !treated && !ip.is_unspecified() && !own.contains(&ip) {
            continue;
        }
        let treated = treated.then(|| hosts[i].name.clone());
        let mx = hosts[i].mx;
        let first = hosts.iter().position(|h| h.mx == mx && mx >= 0).unwrap_or(i).min(i);
        if first == 0 {
            if mx >= 0 {
                hdebug!(ctx, HOST_LOOKUP, "local host has lowest MX");
            } else {
                hdebug!(ctx, HOST_LOOKUP, "local host found for non-MX address");
            }
            return Scan { first_is_local: true, removed: false, treated };
        }
        hdebug!(ctx, HOST_LOOKUP, "local host in host list - removed hosts:");
        for h in hosts.iter().skip(first) {
            hdebug!(ctx, HOST_LOOKUP, "  {} {} {}", h.name, h.address_text, h.mx);
        }
        hosts.truncate(first);
        return Scan { first_is_local: false, removed: true, treated };
    }
    Scan::default()
}

/// The addresses of this host: `local_interfaces` and `extra_local_interfaces`, wild cards being all that the
/// system has.
pub fn interfaces(ctx: &Context) -> Vec<IpAddr> {
    let main = &ctx.config.main;
    let mut out = Vec::new();
    let configured = main.local_interfaces.raw().map(<[u8]>::to_vec);
    let mut all = configured.is_none();
    for list in [configured.as_deref(), main.extra_local_interfaces.raw()].into_iter().flatten() {
        for item in items(list) {
            let Some(ip) = interface_address(&item) else { continue };
            if ip.is_unspecified() {
                all = true;
            } else {
                out.push(ip);
            }
        }
    }
    if all && let Ok(system) = ctx.services.interfaces.addresses() {
        out.extend(system);
    }
    debug!(ctx, INTERFACE, "local interface addresses: {out:?}");
    out
}

/// The address of an item such as `1.2.3.4`, `1.2.3.4.25`, `[::1]:25`.
fn interface_address(item: &[u8]) -> Option<IpAddr> {
    if let Some(rest) = item.strip_prefix(b"[") {
        return super::literal(rest.split(|c| *c == b']').next()?);
    }
    if let Some(ip) = super::literal(item) {
        return Some(ip);
    }
    let dot = item.iter().rposition(|c| *c == b'.')?;
    super::literal(&item[..dot])
}

//! `translate_ip_address`: other addresses in place of those that a router found (manual chapter 15).
//!
//! Only in builds with SUPPORT_TRANSLATE_IP_ADDRESS; called when a router has accepted an address.

use bstr::ByteSlice;

use super::hosts::{HostSearch, LookupOptions, find_by_name};
use super::{Address, HostItem};
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::hdebug;
use crate::retry::errors;
use crate::routers::RouterInstance;

/// Translates all hosts of the address. The error is for a defer.
pub fn addresses(ctx: &mut Context, router: &RouterInstance, addr: &mut Address) -> Result<(), String> {
    let Some(template) = router.generic.translate_ip_address.get() else { return Ok(()) };
    let before = (ctx.address.host.clone(), ctx.address.host_address.clone());
    let mut out = Vec::with_capacity(addr.hosts.len());
    let mut result = Ok(());
    for host in std::mem::take(&mut addr.hosts) {
        if host.address.is_none() {
            out.push(host);
            continue;
        }
        ctx.address.host = Some(host.name.clone());
        ctx.address.host_address = Some(crate::text::Text::clean(host.address_text.to_vec()));
        match expand::expand(ctx, template) {
            Ok(other) => match found(ctx, &host, other.trim()) {
                Ok(hosts) => out.extend(hosts),
                Err(message) => {
                    addr.failure.basic_errno = errors::UNKNOWN_HOST;
                    result = Err(message);
                    break;
                }
            },
            Err(ExpandError::Forced(_)) => out.push(host),
            Err(e) => {
                addr.failure.basic_errno = errors::EXPAND_FAIL;
                result = Err(format!("translate_ip_address expansion failed in {} router: {e}", router.name));
                break;
            }
        }
    }
    (ctx.address.host, ctx.address.host_address) = before;
    addr.hosts = out;
    result
}

/// The hosts that stand for this one: of its name and rank, with the addresses of `other`, an address or a name.
fn found(ctx: &mut Context, host: &HostItem, other: &[u8]) -> Result<Vec<HostItem>, String> {
    let asked = HostItem { name: host.name.piece(other), ..HostItem::default() };
    match find_by_name(ctx, &asked, &LookupOptions::default()) {
        HostSearch::Found { hosts, .. } => {
            hdebug!(ctx, ROUTE, "translated {} to {}", host.address_text, other.as_bstr());
            let replace = |h: HostItem| HostItem { address: h.address, address_text: h.address_text, ..host.clone() };
            Ok(hosts.into_iter().map(replace).collect())
        }
        _ => Err(format!("host lookup for {} (from translate_ip_address) did not succeed", other.as_bstr())),
    }
}

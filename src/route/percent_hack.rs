//! The percent hack (manual: `percent_hack_domains`): `a%b@here` is really `a@b`.
//!
//! Delivery and verification apply it before they route an address.

use std::sync::Arc;

use bstr::ByteSlice;

use super::Address;
use crate::context::Context;
use crate::matching::{self, Match};

/// Turns the address into the one that is meant, as often as its domain is in the list. The one that was given becomes its
/// parent. The error is for a deferral.
pub fn percent_hack(ctx: &mut Context, addr: &mut Address) -> Result<(), String> {
    let Some(list) = ctx.config.main.percent_hack_domains.get().cloned() else { return Ok(()) };
    let given = addr.clone();
    loop {
        match matching::match_domain_named(ctx, "percent_hack_domains", &addr.domain.clone(), &list) {
            Match::Yes => {}
            Match::No => break,
            Match::Defer(_) => return Err("cannot check percent_hack_domains".into()),
        }
        let Some(at) = addr.cc_local_part.rfind_byte(b'%') else { break };
        let (local, domain) = addr.cc_local_part.split_at(at);
        let meant = addr.cc_local_part.piece([local, b"@", domain.get(1..).unwrap_or_default()].concat());
        let Address { address, local_part, cc_local_part, domain, unique, .. } = Address::new(meant);
        *addr = Address { address, local_part, cc_local_part, domain, unique, ..std::mem::take(addr) };
    }
    if addr.address != given.address {
        addr.parent = Some(Arc::new(given));
    }
    Ok(())
}

//! The walk of one address through the routers (manual section 3.10).
//!
//! Called by delivery, by verification, and by `-bt`. It does not verify, deliver or log deliveries.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::after::{Step, finish, if_declined, unrouteable};
use super::preconditions::{self, Verdict};
use super::{Address, AddressKind, RouteLists, RouteOutcome, RoutePurpose, Routed, affix, common, set_address_vars};
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::{self, Which, hdebug};
use crate::routers::RouterInstance;
use crate::text::Text;

/// Most ancestors that an address may have.
const MAX_ANCESTORS: usize = 100;

/// Routes one address; it, or what it became, ends in one of the lists.
pub fn route_address(ctx: &mut Context, mut addr: Address, purpose: RoutePurpose, lists: &mut RouteLists) -> RouteOutcome {
    if addr.kind != AddressKind::Mail {
        lists.local.push(addr);
        return RouteOutcome::Accepted;
    }
    let config = ctx.config.clone();
    let mut index = match &addr.start_router {
        Some(name) => config.router(name).map_or(0, |(i, _)| i),
        None => 0,
    };
    addr.failure = Default::default();
    hdebug!(ctx, ROUTE, ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>");
    hdebug!(ctx, ROUTE, "routing {}", addr.address);
    let level = ctx.scratch.debug_level;
    ctx.scratch.debug_level += 1;
    // Verification keeps what its ACL has found out about the address.
    let verifying = matches!(purpose, RoutePurpose::VerifyRecipient | RoutePurpose::VerifySender);
    let outer = (!verifying).then(|| ctx.services.lists.enter_address());
    let outcome = loop {
        let Some(router) = config.routers.get(index).cloned() else {
            break unrouteable(ctx, &mut addr, None);
        };
        if addr.ancestors().count() > MAX_ANCESTORS {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), format!("routing loop for {}", addr.address).as_bytes());
            addr.router = Some(router.name.clone());
            break RouteOutcome::Defer;
        }
        if already_routed(&router, &addr) {
            index += 1;
            continue;
        }
        match try_router(ctx, &router, &mut addr, purpose, lists) {
            Step::Next => index += 1,
            Step::Jump(name) => match config.router(&name) {
                Some((i, _)) => index = i,
                None => {
                    addr.failure.message = Some(Text::clean(format!("pass_router \"{name}\" not found")));
                    break RouteOutcome::Defer;
                }
            },
            Step::Done(outcome) => break outcome,
        }
    };
    if let Some(outer) = outer {
        ctx.services.lists.leave_address(outer);
    }
    ctx.scratch.debug_level = level;
    if outcome == RouteOutcome::Defer
        && let Some(name) = &addr.router
    {
        hdebug!(ctx, ROUTE, "{name} router: defer for {}", addr.address);
        let message = addr.failure.message.as_ref().map_or("<none>".into(), |m| m.display());
        hdebug!(ctx, ROUTE, "  message: {message}");
    }
    match outcome {
        RouteOutcome::Fail => lists.failed.push(addr),
        RouteOutcome::Defer | RouteOutcome::Error => {
            if addr.failure.basic_errno == 0 {
                addr.failure.basic_errno = crate::retry::errors::UNKNOWN;
            }
            lists.deferred.push(addr);
        }
        RouteOutcome::Discard => lists.succeed.push(addr),
        _ => {}
    }
    super::clear_address_vars(ctx);
    outcome
}

/// Loops are broken by skipping a router that has handled an ancestor with the same address (or any, with `no_repeat_use`).
fn already_routed(router: &RouterInstance, addr: &Address) -> bool {
    addr.ancestors().any(|a| {
        a.router.as_ref() == Some(&router.name)
            && (!router.driver.repeat_use()
                || (a.address.eq_ignore_ascii_case(&addr.address)
                    && (!router.generic.caseful_local_part || a.cc_local_part == addr.cc_local_part)))
    })
}

fn try_router(
    ctx: &mut Context,
    router: &Arc<RouterInstance>,
    addr: &mut Address,
    purpose: RoutePurpose,
    lists: &mut RouteLists,
) -> Step {
    let g = &router.generic;
    let full = if g.caseful_local_part { addr.cc_local_part.clone() } else { addr.cc_local_part.to_lower() };
    (addr.prefix, addr.prefix_v, addr.suffix, addr.suffix_v) = (None, None, None, None);
    addr.domain_data = None;
    addr.home_dir = None;
    addr.local_part_data = None;
    addr.local_part = full.clone();
    if !strip_affixes(router, addr, &full) {
        return Step::Next;
    }
    set_address_vars(ctx, addr);
    ctx.address.router_name = Some(router.name.clone());
    let user = match preconditions::check(ctx, router, addr, purpose) {
        Verdict::Run(user) => user,
        Verdict::Skip => return Step::Next,
        Verdict::Defer(message) => {
            addr.router = Some(router.name.clone());
            addr.failure.message = Some(Text::clean(message));
            return Step::Done(RouteOutcome::Defer);
        }
    };
    if let Some(out) = g.debug_print.get() {
        common::debug_print(ctx, "router", &router.name, out);
    }
    addr.router = Some(router.name.clone());
    addr.flags.caseful = g.caseful_local_part;
    addr.flags.no_log = g.disable_logging;
    if let Err(outcome) = set_data(ctx, router, addr) {
        return outcome;
    }
    if let Some(u) = user {
        addr.uid = Some(u.uid);
        addr.gid = Some(u.gid);
        // router_home_directory is for the router alone, then.
        addr.home_dir = None;
        common::remember_user(addr, &u);
    } else {
        addr.uid = None;
        addr.gid = None;
        addr.home_dir = ctx.address.home.clone();
    }
    hdebug!(ctx, ROUTE, "calling {} router", router.name);
    let inherited = addr.errors_to.clone();
    let routed = router.driver.route(ctx, router, addr, purpose);
    let forced = (purpose == RoutePurpose::VerifySender && g.fail_verify_sender)
        || (purpose == RoutePurpose::VerifyRecipient && g.fail_verify_recipient);
    if forced && matches!(routed, Routed::Accept | Routed::Children(_) | Routed::Pass) {
        addr.failure.message = Some(Text::clean(format!("{} router forced verify failure", router.name)));
        return Step::Done(RouteOutcome::Fail);
    }
    finish(ctx, router, addr, purpose, routed, lists, inherited)
}

/// Takes affixes off; false if a mandatory one is missing.
fn strip_affixes(router: &RouterInstance, addr: &mut Address, full: &Text) -> bool {
    let g = &router.generic;
    let mut rest: &[u8] = full;
    if let Some(list) = g.local_part_prefix.raw() {
        match affix::prefix(list, rest) {
            Some(a) => {
                addr.prefix = Some(full.piece(a.text));
                addr.prefix_v = Some(full.piece(a.variable));
                rest = &rest[a.text.len()..];
            }
            None if !g.local_part_prefix_optional => return false,
            None => {}
        }
    }
    if let Some(list) = g.local_part_suffix.raw() {
        match affix::suffix(list, rest) {
            Some(a) => {
                addr.suffix = Some(full.piece(a.text));
                addr.suffix_v = Some(full.piece(a.variable));
                rest = &rest[..rest.len() - a.text.len()];
            }
            None if !g.local_part_suffix_optional => return false,
            None => {}
        }
    }
    addr.local_part = full.piece(rest);
    true
}

/// `set` and `address_data`.
fn set_data(ctx: &mut Context, router: &RouterInstance, addr: &mut Address) -> Result<(), Step> {
    let defer = |addr: &mut Address, message: String| {
        addr.failure.message = Some(Text::clean(message));
        Step::Done(RouteOutcome::Defer)
    };
    for item in &router.generic.set_.values {
        let (name, value) = match item.raw().find_byte(b'=') {
            Some(i) => (item.raw()[..i].trim(), item.raw()[i + 1..].trim_start()),
            None => (item.raw().trim(), &b""[..]),
        };
        match expand::expand_once(ctx, value) {
            Ok(v) => {
                let key = BString::from(name.strip_prefix(b"r_").unwrap_or(name));
                addr.router_vars.insert(key.clone(), v.clone());
                ctx.address.router_vars.insert(key, v);
            }
            Err(ExpandError::Forced(_)) => {
                return Err(if_declined(ctx, router, addr));
            }
            Err(e) => {
                return Err(defer(
                    addr,
                    format!("failed to expand \"{}\" for set in {} router: {e}", value.as_bstr(), router.name),
                ));
            }
        }
    }
    if let Some(data) = router.generic.address_data.get() {
        match expand::expand(ctx, data) {
            Ok(v) => {
                addr.address_data = Some(v.clone());
                ctx.address.address_data = Some(v);
            }
            Err(ExpandError::Forced(_)) => return Err(if_declined(ctx, router, addr)),
            Err(e) => {
                return Err(defer(
                    addr,
                    format!("expansion of \"{}\" failed in {} router: {e}", data.raw().as_bstr(), router.name),
                ));
            }
        }
    }
    Ok(())
}

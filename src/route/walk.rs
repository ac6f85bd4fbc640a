//! The walk of one address through the routers (manual section 3.10).
//!
//! Called by delivery, by verification, and by `-bt`. It does not verify, deliver or log deliveries.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::preconditions::{self, Verdict};
use super::{Address, AddressKind, RouteLists, RouteOutcome, RoutePurpose, Routed, affix, common, set_address_vars};
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::{self, Which, hdebug};
use crate::routers::RouterInstance;
use crate::text::Text;
use crate::transports::Kind;

/// Most ancestors that an address may have.
const MAX_ANCESTORS: usize = 100;

/// What became of the address at one router.
enum Step {
    Next,
    /// Go on at this router.
    Jump(BString),
    Done(RouteOutcome),
}

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
            addr.failure.message = Some(Text::clean("too many ancestors: possible redirection loop"));
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
        addr.home_dir = ctx.address.home.clone();
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
        match expand::expand(ctx, &crate::expand::Template::new(value)) {
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

/// What declining means at this router: the next one, or the end if `no_more`.
fn if_declined(ctx: &mut Context, router: &RouterInstance, addr: &mut Address) -> Step {
    match preconditions::boolean(ctx, router, "more", &router.generic.more) {
        Ok(true) => Step::Next,
        Ok(false) => {
            hdebug!(ctx, ROUTE, "\"more\" is false: skipping remaining routers");
            Step::Done(unrouteable(ctx, addr, Some(router)))
        }
        Err(message) => {
            addr.failure.message = Some(Text::clean(message));
            Step::Done(RouteOutcome::Defer)
        }
    }
}

/// No router took it.
fn unrouteable(ctx: &mut Context, addr: &mut Address, last: Option<&RouterInstance>) -> RouteOutcome {
    outer(ctx, format_args!("no more routers"));
    if addr.failure.message.is_none() || addr.failure.user_message.is_none() {
        // The last one that was considered, be it skipped.
        let custom = match last {
            Some(r) => r.generic.cannot_route_message.get(),
            None => ctx.config.routers.last().and_then(|r| r.generic.cannot_route_message.get()),
        };
        if let Some(template) = custom.cloned() {
            match expand::expand(ctx, &template) {
                Ok(text) => {
                    addr.failure.message = Some(text.clone());
                    addr.failure.user_message = Some(text);
                }
                Err(ExpandError::Forced(_)) => {}
                Err(e) => log::write(
                    ctx,
                    None,
                    Which::MAIN.and(Which::PANIC),
                    format!("failed to expand \"{}\" for cannot_route_message: {e}", template.raw().as_bstr()).as_bytes(),
                ),
            }
        }
    }
    if addr.failure.message.is_none() {
        let text = Text::clean("Unrouteable address");
        addr.failure.user_message.get_or_insert_with(|| text.clone());
        addr.failure.message = Some(text);
    }
    // No router is to blame in the log line.
    addr.router = None;
    RouteOutcome::Fail
}

fn finish(
    ctx: &mut Context,
    router: &Arc<RouterInstance>,
    addr: &mut Address,
    purpose: RoutePurpose,
    routed: Routed,
    lists: &mut RouteLists,
    inherited: Option<Text>,
) -> Step {
    match &routed {
        Routed::Decline => hdebug!(ctx, ROUTE, "{} router declined for {}", router.name, addr.address),
        Routed::Pass => hdebug!(ctx, ROUTE, "{} router passed for {}", router.name, addr.address),
        Routed::Fail => hdebug!(ctx, ROUTE, "{} router forced address failure", router.name),
        Routed::Changed(child) => outer(ctx, format_args!("re-routed to {}", child.address)),
        _ => {}
    }
    match routed {
        Routed::And(children, rest) => {
            // The children and the address have one parent: it is done with when they all are.
            let parent = Arc::new(addr.clone());
            let declined = matches!(*rest, Routed::Decline);
            if declined {
                // From the first router on: this one knows it by its parent.
                lists.new.push(going_on(addr, inherited.clone(), None, &parent));
            }
            lists.new.extend(with_parent(children, &parent));
            addr.parent = Some(parent);
            if declined {
                return Step::Done(RouteOutcome::Rerouted);
            }
            finish(ctx, router, addr, purpose, *rest, lists, inherited)
        }
        Routed::Decline => if_declined(ctx, router, addr),
        Routed::Pass => pass(router),
        Routed::Fail => Step::Done(RouteOutcome::Fail),
        Routed::Defer if router.generic.pass_on_timeout && addr.failure.basic_errno == crate::retry::errors::DNS_DEFER => {
            pass(router)
        }
        Routed::Defer => Step::Done(RouteOutcome::Defer),
        Routed::Discard => Step::Done(RouteOutcome::Discard),
        Routed::Changed(child) => {
            let mut child = *child;
            child.parent = Some(Arc::new(addr.clone()));
            lists.new.push(child);
            Step::Done(RouteOutcome::Rerouted)
        }
        Routed::Accept | Routed::Children(_) => {
            let unseen = match preconditions::boolean(ctx, router, "unseen", &router.generic.unseen) {
                Ok(b) => b,
                Err(message) => {
                    addr.failure.message = Some(Text::clean(message));
                    return Step::Done(RouteOutcome::Defer);
                }
            };
            addr.failure = Default::default();
            outer(ctx, format_args!("routed by {} router{}", router.name, if unseen { " (unseen)" } else { "" }));
            if unseen {
                go_on_unseen(ctx, router, addr, lists, inherited);
            }
            match routed {
                Routed::Children(children) => {
                    let parent = Arc::new(addr.clone());
                    lists.new.extend(with_parent(children, &parent));
                }
                _ => queue(ctx, router, addr, purpose, lists),
            }
            Step::Done(RouteOutcome::Accepted)
        }
    }
}

/// A line of the trace about the address, not about a router.
fn outer(ctx: &mut Context, text: std::fmt::Arguments<'_>) {
    let level = ctx.scratch.debug_level;
    ctx.scratch.debug_level = level.saturating_sub(1);
    hdebug!(ctx, ROUTE, "{text}");
    ctx.scratch.debug_level = level;
}

fn pass(router: &RouterInstance) -> Step {
    match router.generic.pass_router.raw() {
        Some(name) => Step::Jump(name.into()),
        None => Step::Next,
    }
}

/// An accepted address goes to the list of its transport.
fn queue(ctx: &mut Context, router: &RouterInstance, addr: &mut Address, purpose: RoutePurpose, lists: &mut RouteLists) {
    let Some(transport) = addr.transport.clone() else {
        // Only verification can do without one.
        if purpose == RoutePurpose::Deliver {
            addr.failure.message = Some(Text::clean(format!("neither transport nor delivery set in {} router", router.name)));
            lists.deferred.push(addr.clone());
        } else {
            lists.local.push(addr.clone());
        }
        return;
    };
    match transport.driver.kind() {
        Kind::Local(_) => lists.local.push(addr.clone()),
        Kind::Remote(_) => {
            if let Some(list) = router.generic.fallback_hosts.raw() {
                addr.fallback_hosts = super::hostlist::build(ctx, list, false);
            }
            lists.remote.push(addr.clone());
        }
    }
}

/// `unseen`: a copy of the address goes on at the next router. Both get a common parent.
fn go_on_unseen(ctx: &mut Context, router: &RouterInstance, addr: &mut Address, lists: &mut RouteLists, errors_to: Option<Text>) {
    let Some((index, _)) = ctx.config.router(&router.name) else { return };
    let Some(next) = ctx.config.routers.get(index + 1).map(|r| r.name.clone()) else { return };
    let mut parent = addr.clone();
    parent.router = None;
    let parent = Arc::new(parent);
    lists.new.push(going_on(addr, errors_to, Some(next), &parent));
    addr.parent = Some(parent);
}

/// A copy of the address that goes on, at the first or another router.
fn going_on(addr: &Address, errors_to: Option<Text>, start: Option<BString>, parent: &Arc<Address>) -> Address {
    let mut copy = Address::new(addr.address.clone());
    copy.recipient_index = addr.recipient_index;
    // What this router says of errors is not for the copy.
    copy.errors_to = errors_to;
    copy.srs_sender = addr.srs_sender.clone();
    copy.dsn_orcpt = addr.dsn_orcpt.clone();
    copy.dsn_flags = addr.dsn_flags;
    copy.address_data = addr.address_data.clone();
    copy.router_vars = addr.router_vars.clone();
    copy.headers_add = addr.headers_add.clone();
    copy.headers_remove = addr.headers_remove.clone();
    copy.flags = addr.flags;
    copy.start_router = start;
    copy.parent = Some(parent.clone());
    copy
}

fn with_parent(children: Vec<Address>, parent: &Arc<Address>) -> impl Iterator<Item = Address> {
    let parent = parent.clone();
    children.into_iter().map(move |mut c| {
        c.parent = Some(parent.clone());
        c
    })
}

//! What a router's answer means for the address: the next router, children, a delivery, or the end.
//!
//! The second half of the walk (`walk.rs`). It alone sets parents, `unseen` copies and lists.

use std::sync::Arc;

use bstr::BString;

use super::{Address, RouteLists, RouteOutcome, RoutePurpose, Routed, preconditions, translate};
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::{self, Which, hdebug};
use crate::routers::RouterInstance;
use crate::text::Text;
use crate::transports::Kind;

/// What became of the address at one router.
pub(super) enum Step {
    /// The next router.
    Next,
    /// Go on at this router.
    Jump(BString),
    /// That is what became of it.
    Done(RouteOutcome),
}

/// What declining means at this router: the next one, or the end if `no_more`.
pub(super) fn if_declined(ctx: &mut Context, router: &RouterInstance, addr: &mut Address) -> Step {
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
pub(super) fn unrouteable(ctx: &mut Context, addr: &mut Address, last: Option<&RouterInstance>) -> RouteOutcome {
    outer(ctx, format_args!("no more routers"));
    if addr.failure.message.is_none() || addr.failure.user_message.is_none() {
        // The last one that was considered, be it skipped.
        let config = ctx.config.clone();
        let last = last.or(config.routers.last().map(|r| &**r));
        if let Some((router, template)) = last.and_then(|r| Some((r, r.generic.cannot_route_message.get()?))) {
            match expand::expand(ctx, template) {
                Ok(text) => {
                    addr.failure.message = Some(text.clone());
                    addr.failure.user_message = Some(text);
                }
                Err(ExpandError::Forced(_)) => {}
                Err(e) => log::write(
                    ctx,
                    None,
                    Which::MAIN.and(Which::PANIC),
                    format!("failed to expand cannot_route_message in {} router: {e}", router.name).as_bytes(),
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

pub(super) fn finish(
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
            // What the next routers say counts.
            addr.failure = Default::default();
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
            if let Err(message) = translate::addresses(ctx, router, addr) {
                addr.failure.message = Some(Text::clean(message));
                return Step::Done(RouteOutcome::Defer);
            }
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
    copy.inherit(addr);
    // What this router says of errors is not for the copy.
    copy.errors_to = errors_to;
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

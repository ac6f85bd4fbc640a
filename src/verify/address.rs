//! Verification of one address: rewriting, routing, following a single child, callouts.

use std::collections::VecDeque;
use std::sync::Arc;

use super::report::Report;
use super::{Outcome, Verified, VerifyOptions, callout};
use crate::context::Context;
use crate::log::debug;
use crate::rewrite;
use crate::route::{Address, AddressKind, RouteLists, RouteOutcome, RoutePurpose, percent_hack, route_address};
use crate::text::Text;

/// More generated addresses than this are not followed.
const MAX_GENERATED: usize = 10_000;

/// An address ready for tests of its parts: `percent_hack_domains` applied. The error is for a list that could not be tested.
pub fn split_address(ctx: &mut Context, address: &Text) -> Result<Address, String> {
    let mut addr = Address::new(address.clone());
    percent_hack(ctx, &mut addr)?;
    Ok(addr)
}

/// Verifies an address. `addr.failure` says why it failed; `addr.address_data` is the last that routing set.
pub fn verify_address(ctx: &mut Context, addr: &mut Address, options: &VerifyOptions) -> Verified {
    run(ctx, addr, options, &mut Report::none())
}

/// The same, with a report for `-bv` and `-bt`.
pub(super) fn run(ctx: &mut Context, vaddr: &mut Address, options: &VerifyOptions, report: &mut Report) -> Verified {
    let mut result = Verified::default();
    set_failure(ctx, options, None);
    let mut address = vaddr.address.clone();
    let given = address.clone();
    if rewrite::find_at(&address).is_none() && !address.is_empty() {
        if !options.qualify {
            report.put(format!("A domain is required for \"{address}\"\n"));
            set_failure(ctx, options, Some("qualify"));
            result.outcome = Outcome::Fail;
            return result;
        }
        address = rewrite::qualify(ctx, &address, options.recipient);
    }
    debug!(ctx, VERIFY, "{} {address}", if report.testing { "Testing" } else { "Verifying" });
    if !ctx.config.rewrite.is_empty() {
        let new = rewrite::envelope(ctx, &address, options.recipient, false);
        if new != address {
            report.put(format!("Address rewritten as: {new}\n"));
            address = new;
        }
    }
    // Routers may look at $sender_address.
    if !options.fake_sender && !options.recipient {
        ctx.message.sender = Some(address.clone());
    }
    if address.is_empty() {
        return result;
    }
    let purpose = if report.testing {
        RoutePurpose::Test
    } else if options.recipient {
        RoutePurpose::VerifyRecipient
    } else {
        RoutePurpose::VerifySender
    };
    ctx.address.verify_mode = Some(if options.recipient { "R" } else { "S" });
    vaddr.address = address.clone();
    let saved_sender = ctx.message.sender.clone();
    let mut lists = RouteLists::default();
    // Two that were given differently are not duplicates to a report.
    let mut queue = VecDeque::from([Address { unique: given.as_bytes().into(), ..vaddr.clone() }]);
    let mut all_ok = true;
    let mut followed = 0usize;

    while let Some(mut addr) = queue.pop_front() {
        if followed > 0 {
            drop(ctx.services.lists.enter_address());
        }
        followed += 1;
        if followed > MAX_GENERATED {
            break;
        }
        debug!(ctx, VERIFY, "Considering {}", addr.address);
        if addr.kind != AddressKind::Mail {
            all_ok = false;
            report.generated(&addr);
            continue;
        }
        result.routed = false;
        let sender = addr.errors_to.clone().or_else(|| ctx.message.sender.clone());
        // A bounce to the address would come from nobody.
        if !options.recipient {
            ctx.message.sender = Some(Text::new());
        }
        let (outcome, accepted) = route_one(ctx, &mut addr, purpose, sender, options, &mut lists);
        ctx.message.sender = saved_sender.clone();
        // Each address is followed to its end before the next.
        for mut child in lists.new.drain(..).rev() {
            crate::route::address::set_unique(&mut child);
            queue.push_front(child);
        }

        let outcome = match outcome {
            RouteOutcome::Rerouted => {
                result.routed = true;
                if let Some(renamed) = queue.front() {
                    address = renamed.address.clone();
                }
                continue;
            }
            RouteOutcome::Accepted | RouteOutcome::Discard => {
                result.routed = true;
                match &options.callout {
                    Some(c) => {
                        let target = accepted.clone().unwrap_or_else(|| addr.clone());
                        callout::for_routed(ctx, &mut addr, &target, options, c, &mut result)
                    }
                    None => Outcome::Ok,
                }
            }
            RouteOutcome::Fail => {
                set_failure(ctx, options, Some("route"));
                Outcome::Fail
            }
            _ => {
                set_failure(ctx, options, Some("route"));
                Outcome::Defer
            }
        };
        match outcome {
            Outcome::Fail | Outcome::Defer => {
                all_ok = false;
                if report.on() {
                    if outcome == Outcome::Fail {
                        report.failed(ctx, &address, &addr);
                    } else {
                        report.deferred(ctx, &address, &addr);
                    }
                }
                if !report.full {
                    result.outcome = outcome;
                    copy_result(vaddr, &addr);
                    ctx.address.verify_mode = None;
                    return result;
                }
                if outcome == Outcome::Fail || result.outcome == Outcome::Ok {
                    result.outcome = outcome;
                }
            }
            Outcome::Ok => {
                let source = accepted.as_ref().unwrap_or(&addr);
                let stop =
                    queue.len() != 1 || queue.front().is_some_and(|a| a.kind != AddressKind::Mail) || options.success_on_redirect;
                if !report.full && stop {
                    // The name server may have given the domain in another case.
                    let address = if source.address.eq_ignore_ascii_case(&address) { &source.address } else { &address };
                    report.put(format!("{address} {}\n", if report.testing { "is deliverable" } else { "verified" }));
                    vaddr.address_data = source.address_data.clone();
                    vaddr.router_vars = source.router_vars.clone();
                    vaddr.router = source.router.clone();
                    vaddr.transport = source.transport.clone();
                    ctx.address.verify_mode = None;
                    return result;
                }
            }
        }
    }
    ctx.address.verify_mode = None;
    if report.full {
        show_all(ctx, &address, &lists, all_ok, report);
    }
    result
}

/// Routes one address. Gives what became of it, and the address as the router left it if it took it.
fn route_one(
    ctx: &mut Context,
    addr: &mut Address,
    purpose: RoutePurpose,
    return_path: Option<Text>,
    options: &VerifyOptions,
    lists: &mut RouteLists,
) -> (RouteOutcome, Option<Address>) {
    match split_address(ctx, &addr.address) {
        Ok(split) => {
            addr.cc_local_part = split.cc_local_part;
            addr.local_part = split.local_part;
            addr.domain = split.domain;
            if split.parent.is_some() {
                addr.parent = split.parent;
                addr.address = split.address;
            }
        }
        Err(why) => {
            addr.failure.message = Some(Text::clean(why));
            return (RouteOutcome::Defer, None);
        }
    }
    ctx.address.return_path = return_path;
    let mut these = RouteLists::default();
    let outcome = route_address(ctx, addr.clone(), purpose, &mut these);
    ctx.address.verify_mode = Some(if options.recipient { "R" } else { "S" });
    let result = match outcome {
        RouteOutcome::Fail => these.failed.pop(),
        RouteOutcome::Defer | RouteOutcome::Error => these.deferred.pop(),
        _ => None,
    };
    if let Some(r) = result {
        *addr = r;
        return (outcome, None);
    }
    // A router that accepted may still have been unable to queue the address.
    if let Some(d) = these.deferred.pop() {
        *addr = d;
        return (RouteOutcome::Defer, None);
    }
    let accepted = these.local.first().or(these.remote.first()).or(these.succeed.first()).cloned();
    if let Some(a) = these.new.first().and_then(|n| n.parent.clone()).or_else(|| accepted.clone().map(Arc::new)) {
        addr.address_data = a.address_data.clone();
        addr.router_vars = a.router_vars.clone();
        addr.router = a.router.clone();
    }
    // The last one found is the first of the report.
    lists.local.splice(..0, these.local);
    lists.remote.splice(..0, these.remote);
    lists.succeed.append(&mut these.succeed);
    lists.new.append(&mut these.new);
    (outcome, accepted)
}

/// The failure of a generated address is that of the one it came from.
fn copy_result(vaddr: &mut Address, addr: &Address) {
    vaddr.failure = addr.failure.clone();
    vaddr.address_data = addr.address_data.clone();
    vaddr.router = addr.router.clone();
    vaddr.flags.pass_message = addr.flags.pass_message;
    vaddr.flags.user_message_given = addr.flags.user_message_given;
}

/// `$sender_verify_failure`, `$recipient_verify_failure`
pub(super) fn set_failure(ctx: &mut Context, options: &VerifyOptions, why: Option<&'static str>) {
    if options.recipient {
        ctx.acl.recipient_verify_failure = why;
    } else {
        ctx.acl.sender_verify_failure = why;
    }
}

fn show_all(ctx: &mut Context, address: &[u8], lists: &RouteLists, all_ok: bool, report: &mut Report) {
    if all_ok && lists.local.is_empty() && lists.remote.is_empty() {
        report.put("mail to ");
        report.put(address);
        report.put(" is discarded\n");
        return;
    }
    for addr in lists.local.iter().chain(&lists.remote) {
        report.delivered(ctx, addr);
    }
}

//! Routing of all addresses of a message: what is held back, duplicates, retry times, and the loop over the children
//! that routers make.

use std::collections::VecDeque;

use bstr::BString;

use super::post::{self, Outcome, Stage};
use super::state::{Delivery, identity, set_unique};
use crate::context::Context;
use crate::debug;
use crate::expand::Template;
use crate::hints::{HintsDb, Mode};
use crate::matching::{self, Match};
use crate::retry::{self, errors};
use crate::route::address::AddressFlags;
use crate::route::{self, Address, AddressKind, RouteLists, RoutePurpose};
use crate::text::Text;

/// Routes until no new addresses are left. Afterwards the local and remote lists are free of duplicates.
pub(super) fn route_all(ctx: &mut Context, d: &mut Delivery<'_>) {
    while !d.new.is_empty() {
        let mut ready = VecDeque::new();
        let mut db = retry::open(ctx, Mode::Read);
        if db.is_none() {
            debug!(ctx, RETRY, "no retry data available");
        }
        while let Some(a) = d.new.pop_front() {
            if let Some(a) = prepare(ctx, d, a, db.as_deref_mut()) {
                ready.push_front(a);
            }
        }
        drop(db);
        if !d.options.force_retry && !d.options.forced && !d.options.queue_running {
            hold_queue_domains(ctx, d, &mut ready);
        }
        while let Some(a) = ready.pop_front() {
            crate::debug!(ctx, DELIVER, "Considering: {}", a.address);
            let lists = route_one(ctx, d, &a);
            if let Some(routed) = for_whole_domain(ctx, &a, &lists) {
                let (same, rest) = ready.drain(..).partition(|b: &Address| b.domain == a.domain && b.start_router.is_none());
                ready = rest;
                sort(ctx, d, &a, lists);
                for b in Vec::from(same) {
                    let remote = vec![like(&routed, &b)];
                    sort(ctx, d, &b, RouteLists { remote, ..RouteLists::default() });
                }
            } else {
                sort(ctx, d, &a, lists);
            }
        }
    }
    let local = std::mem::take(&mut d.local);
    d.local = without_duplicates(d, local);
    let remote = std::mem::take(&mut d.remote);
    d.remote = without_duplicates(d, remote);
    collect_recipients(d);
}

fn stop(ctx: &mut Context, d: &mut Delivery<'_>, mut a: Address, errno: i32, message: &str, outcome: Outcome, stage: Stage) {
    a.failure.basic_errno = errno;
    a.failure.message = Some(Text::clean(message));
    post::process(ctx, d, a, outcome, stage);
}

/// Everything that comes before routing; `None`: the address does not go on to it.
fn prepare(ctx: &mut Context, d: &mut Delivery<'_>, mut a: Address, db: Option<&mut (dyn HintsDb + 'static)>) -> Option<Address> {
    if a.kind != AddressKind::Mail {
        special(ctx, d, a);
        return None;
    }
    let known = a.parent.as_ref().map(identity);
    if let Err(defer) = route::percent_hack(ctx, &mut a) {
        stop(ctx, d, a, errors::LIST_DEFER, &defer, Outcome::Defer, Stage::None);
        return None;
    }
    d.count_child(&a, known);
    ctx.address.domain = Some(a.domain.clone());
    let config = ctx.config.clone();
    if !d.options.forced
        && !d.options.force_retry
        && let Some(list) = config.main.hold_domains.get()
    {
        match matching::match_domain(ctx, &a.domain, list, None) {
            Match::No => {}
            Match::Yes => {
                stop(ctx, d, a, errors::HELD, "domain is held", Outcome::Defer, Stage::None);
                return None;
            }
            Match::Defer(_) => {
                stop(ctx, d, a, errors::LIST_DEFER, "hold_domains lookup deferred", Outcome::Defer, Stage::None);
                return None;
            }
        }
    }
    set_unique(&mut a);
    if ctx.message.nonrecipients.contains(&a.unique) {
        d.child_done(ctx, &a);
        return None;
    }
    a.domain_retry_key = [b"R:", a.domain.as_bytes()].concat().into();
    a.address_retry_key = [b"R:", a.local_part.as_bytes(), b"@", a.domain.as_bytes()].concat().into();
    let Some(db) = db else { return Some(a) };
    let found = retry::check::check_routing(ctx, db, &a.domain_retry_key, &a.address_retry_key, &a.domain);
    let continued = d.options.continuing().is_some_and(|c| c.purpose == super::Purpose::NextMessage);
    if continued && found.domain_exists {
        let text = "reusing SMTP connection skips previous routing defer";
        stop(ctx, d, a, errors::RETRY_ROUTE, text, Outcome::Defer, Stage::Router);
        return None;
    }
    if ((d.options.queue_running && !d.options.force_retry) || continued) && found.too_early {
        // A delay warning tells of the last error.
        a.failure.user_message = Some(Text::tainted(found.last_error.to_vec())).filter(|t| !t.is_empty());
        stop(ctx, d, a, errors::RETRY_ROUTE, "retry time not reached", Outcome::Defer, Stage::Router);
        return None;
    }
    a.flags.routing_retry_exists = found.exists;
    Some(a)
}

/// A file, pipe or autoreply: no routing, but the same checks.
fn special(ctx: &mut Context, d: &mut Delivery<'_>, mut a: Address) {
    if a.reply.as_ref().is_some_and(|r| r.nobody) {
        a.local_part = a.address.clone();
        a.flags.ignore_error = true;
        let text = "filter autoreply generated syntactically invalid recipient";
        stop(ctx, d, a, errors::BAD_ADDRESS, text, Outcome::Fail, Stage::Router);
        return;
    }
    let parent = a.parent.as_ref().map(|p| {
        let u = p.unique.as_slice();
        BString::from(if p.flags.homonym { u.get(3..).unwrap_or_default() } else { u })
    });
    let parent = parent.unwrap_or_default();
    a.unique = [a.address.as_bytes(), b":", parent.as_slice()].concat().into();
    a.address_retry_key = [b"T:", a.unique.as_slice()].concat().into();
    a.domain_retry_key = a.address_retry_key.clone();
    if a.kind == AddressKind::Reply {
        while d.seen.contains(&a.unique) {
            a.unique.insert(0, b'>');
        }
    } else if d.seen.contains(&a.unique) {
        d.duplicates.push(a);
        return;
    }
    if ctx.message.nonrecipients.contains(&a.unique) {
        d.child_done(ctx, &a);
        return;
    }
    d.seen.insert(a.unique.clone());
    a.local_part = a.address.clone();
    a.domain = a.parent.as_ref().map(|p| p.domain.clone()).unwrap_or_default();
    // The router that made the address has noted what is not allowed.
    let forbidden = match a.failure.basic_errno {
        errors::FORBID_FILE => Some("delivery to file forbidden"),
        errors::FORBID_PIPE => Some("delivery to pipe forbidden"),
        errors::FORBID_REPLY => Some("autoreply forbidden"),
        _ => None,
    };
    if let Some(text) = forbidden {
        let errno = a.failure.basic_errno;
        stop(ctx, d, a, errno, text, Outcome::Fail, Stage::Router);
        return;
    }
    if a.failure.basic_errno == errors::BAD_TRANSPORT {
        post::process(ctx, d, a, Outcome::Defer, Stage::Router);
        return;
    }
    if a.kind == AddressKind::File && a.address.as_bytes() == b"/dev/null" {
        a.transport = None;
        a.log_fields = "T=**bypassed**".into();
        post::process(ctx, d, a, Outcome::Ok, Stage::Transport);
        return;
    }
    d.local.push_front(a);
}

/// `queue_domains`: not even routed now.
fn hold_queue_domains(ctx: &mut Context, d: &mut Delivery<'_>, ready: &mut VecDeque<Address>) {
    let config = ctx.config.clone();
    let Some(list) = config.main.queue_domains.get() else { return };
    let all = std::mem::take(ready);
    for a in all {
        ctx.address.domain = Some(a.domain.clone());
        match in_list(ctx, &a.domain, list) {
            Ok(false) => ready.push_front(a),
            Ok(true) => stop(ctx, d, a, errors::QUEUE_DOMAIN, "domain is in queue_domains", Outcome::Defer, Stage::Router),
            Err(()) => stop(ctx, d, a, errors::LIST_DEFER, "queue_domains lookup deferred", Outcome::Defer, Stage::Router),
        }
    }
}

fn in_list(ctx: &mut Context, domain: &Text, list: &Template) -> Result<bool, ()> {
    match matching::match_domain(ctx, domain, list, None) {
        Match::Yes => Ok(true),
        Match::No => Ok(false),
        Match::Defer(_) => Err(()),
    }
}

/// Routes one address.
fn route_one(ctx: &mut Context, d: &mut Delivery<'_>, a: &Address) -> RouteLists {
    let known = a.parent.as_ref().map(identity);
    ctx.address.return_path = a.return_path_before_transport(ctx);
    let mut lists = RouteLists::default();
    route::route_address(ctx, a.clone(), RoutePurpose::Deliver, &mut lists);
    let all = [&lists.local, &lists.remote, &lists.new, &lists.succeed, &lists.failed, &lists.deferred];
    for made in all.into_iter().flatten() {
        d.count_child(made, known);
    }
    lists
}

/// `same_domain_copy_routing`: the address as it was routed, if that may be copied. Nothing of it may be its own.
fn for_whole_domain(ctx: &Context, before: &Address, lists: &RouteLists) -> Option<Address> {
    let [routed] = lists.remote.as_slice() else { return None };
    let (_, router) = ctx.config.router(routed.router.as_ref()?)?;
    let alone = lists.local.is_empty() && lists.new.is_empty();
    let plain = routed.headers_add == before.headers_add && routed.headers_remove == before.headers_remove;
    (router.driver.same_for_domain() && alone && plain && routed.address == before.address).then(|| routed.clone())
}

/// An address with the routing of another one.
fn like(routed: &Address, own: &Address) -> Address {
    let Address { transport, router, hosts, fallback_hosts, errors_to, srs_sender, uid, gid, flags, .. } = routed.clone();
    let flags = AddressFlags { homonym: own.flags.homonym, ..flags };
    Address { transport, router, hosts, fallback_hosts, errors_to, srs_sender, uid, gid, flags, ..own.clone() }
}

/// Sorts what came of the routing of an address.
fn sort(ctx: &mut Context, d: &mut Delivery<'_>, routed: &Address, lists: RouteLists) {
    let known = routed.parent.as_ref().map(identity);
    let old_unique = routed.unique.clone();
    let keys = (routed.address_retry_key.clone(), routed.domain_retry_key.clone());
    let pending = routed.flags.routing_retry_exists && lists.deferred.is_empty();
    let mut tidy = Tidy { keys: keys.clone(), old_domain: routed.domain.clone(), pending };
    for mut a in lists.failed {
        tidy.apply(ctx, &mut a);
        post::process(ctx, d, a, Outcome::Fail, Stage::Router);
    }
    for mut a in lists.deferred {
        (a.address_retry_key, a.domain_retry_key) = keys.clone();
        let whole = match a.router.as_ref().and_then(|r| ctx.config.router(r)) {
            Some((_, r)) => r.generic.retry_use_local_part,
            None => false,
        };
        let key = if whole { keys.0.clone() } else { keys.1.clone() };
        retry::add_item(&mut a, key, false, false, false);
        post::process(ctx, d, a, Outcome::Defer, Stage::Router);
    }
    for mut a in lists.succeed {
        tidy.apply(ctx, &mut a);
        d.done(ctx, &a);
        d.succeeded.push_front(a);
    }
    for (remote, list) in [(false, lists.local), (true, lists.remote)] {
        for mut a in list {
            tidy.apply(ctx, &mut a);
            if let (Some(p), Some(r)) = (&a.parent, &a.router)
                && Some(identity(p)) != known
            {
                // An unseen router: a copy with the same name goes on.
                a.unique = [old_unique.as_slice(), b"/", r.as_slice()].concat().into();
            }
            if a.unique != old_unique && ctx.message.nonrecipients.contains(&a.unique) {
                d.child_done(ctx, &a);
                continue;
            }
            if remote { d.remote.push_front(a) } else { d.local.push_front(a) }
        }
    }
    // The first child is the next to be looked at.
    for mut a in lists.new.into_iter().rev() {
        if tidy.pending {
            // The records are of the address that was routed; its child carries them.
            let own = (std::mem::take(&mut a.address_retry_key), std::mem::take(&mut a.domain_retry_key));
            tidy.apply(ctx, &mut a);
            (a.address_retry_key, a.domain_retry_key) = own;
        }
        d.new.push_front(a);
    }
}

/// Routing has worked: the retry records of it are to be deleted, by the first address that comes of it.
struct Tidy {
    keys: (BString, BString),
    old_domain: Text,
    pending: bool,
}

impl Tidy {
    fn apply(&mut self, ctx: &Context, a: &mut Address) {
        (a.address_retry_key, a.domain_retry_key) = self.keys.clone();
        if !std::mem::take(&mut self.pending) {
            return;
        }
        let mut with_sender = self.keys.0.clone();
        with_sender.extend_from_slice(b":<");
        with_sender.extend_from_slice(ctx.message.sender.as_deref().unwrap_or_default());
        with_sender.push(b'>');
        for key in [&with_sender, &self.keys.0, &self.keys.1] {
            retry::add_item(a, key.clone(), true, false, false);
        }
        if a.domain != self.old_domain {
            retry::add_item(a, [b"R:", a.domain.as_bytes()].concat(), true, false, false);
        }
    }
}

/// Addresses that are the same as one that is there already are put aside.
fn without_duplicates(d: &mut Delivery<'_>, list: VecDeque<Address>) -> VecDeque<Address> {
    let mut kept = VecDeque::with_capacity(list.len());
    for a in list {
        if a.kind != AddressKind::Mail || d.seen.insert(a.unique.clone()) {
            kept.push_back(a);
        } else {
            d.duplicates.push(a);
        }
    }
    kept
}

/// For `Envelope-to:`: the original recipients of each delivery, duplicates included.
fn collect_recipients(d: &mut Delivery<'_>) {
    let top = |a: &Address| (a.recipient_index, a.original().address.clone());
    let extra: Vec<_> = d.duplicates.iter().map(|a| (a.unique.clone(), top(a))).collect();
    for a in d.local.iter_mut().chain(d.remote.iter_mut()) {
        // The last one found comes first, the one that is delivered to last.
        a.envelope_to = extra.iter().rev().filter(|(unique, _)| *unique == a.unique).map(|(_, top)| top.clone()).collect();
        a.envelope_to.push(top(a));
    }
}

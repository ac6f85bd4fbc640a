//! Local deliveries: one batch after the other, the processes of several messages together, their results.
//!
//! What goes together is decided in `local_batch`, what a batch needs in `local_prepare`; the process that becomes the recipient is
//! `local_process`.

use std::sync::Arc;

use bstr::BString;

use super::limits::{self, Place};
use super::local::DeliveryStatus;
use super::local_batch::{drop_too_early, keep_common_vars, next_batch, retry_key};
use super::local_prepare::{Ahead, prepare};
use super::local_process::{self as process, Part, Report, What};
use super::local_shadow::shadow;
use super::post::{self, Outcome, Stage};
use super::state::Delivery;
use super::users;
use crate::context::Context;
use crate::retry::{self, errors};
use crate::route::{self, Address};
use crate::text::Text;
use crate::transports::TransportInstance;

/// A message with others that are delivered at the same moment.
pub(super) type Member<'a> = (Context, Delivery<'a>);

/// Delivers everything on the local list.
pub(super) fn deliver_all(ctx: &mut Context, d: &mut Delivery<'_>) {
    while let Some(first) = d.local.pop_front() {
        if let Some(mut ready) = next_ready(ctx, d, first) {
            let report = match &ready.ahead {
                Ahead::Process(what) => run_one(ctx, d, what, &mut ready.batch),
                Ahead::Nothing(statuses) => Report::at_once(statuses.clone()),
            };
            conclude(ctx, d, ready, &report);
        }
        route::clear_address_vars(ctx);
    }
}

/// The deliveries of several messages, each with a single one that [`joins`] others: those for one user by one transport take one
/// process. Each message is ended (`end`) as soon as its result is there.
pub(super) fn deliver_together<'a>(base: &Context, members: Vec<Member<'a>>, end: impl Fn(Context, Delivery<'a>)) {
    let mut ready: Vec<(Member<'a>, Ready)> = Vec::new();
    for (mut ctx, mut d) in members {
        match d.local.pop_front().and_then(|first| next_ready(&mut ctx, &mut d, first)) {
            Some(r) => ready.push(((ctx, d), r)),
            None => end(ctx, d),
        }
    }
    let mut parties: Vec<Vec<(Member<'a>, Ready)>> = Vec::new();
    for one in ready {
        match parties.iter_mut().find(|p| p.first().is_some_and(|(_, first)| first.shares_with(&one.1))) {
            Some(p) => p.push(one),
            None => parties.push(vec![one]),
        }
    }
    // All processes are started before the first is waited for.
    let mut working = Vec::new();
    for mut party in parties {
        let child = process::start(&mut party.iter_mut().filter_map(part).collect::<Vec<_>>());
        working.push((child, party));
    }
    for (mut child, party) in working {
        let transport = party.first().map(|(_, r)| r.transport.clone());
        for mut one in party {
            let report = part(&mut one).and_then(|mut p| child.next(&mut p));
            let ((mut ctx, mut d), mut r) = one;
            let report = match (report, &r.ahead) {
                (Some(report), _) => {
                    note_done(&ctx, &mut d, &r.batch, &report.statuses);
                    report
                }
                (None, Ahead::Nothing(statuses)) => Report::at_once(statuses.clone()),
                (None, Ahead::Process(what)) => run_one(&mut ctx, &mut d, what, &mut r.batch),
            };
            conclude(&mut ctx, &mut d, r, &report);
            route::clear_address_vars(&mut ctx);
            end(ctx, d);
        }
        if let Some(t) = transport {
            child.end(base, &t);
        }
    }
}

/// What a process is to do for a member.
fn part<'m, 'a>(((ctx, d), r): &'m mut (Member<'a>, Ready)) -> Option<Part<'m, 'a>> {
    match &r.ahead {
        Ahead::Process(what) => Some(Part { ctx, d, what, batch: &mut r.batch }),
        Ahead::Nothing(_) => None,
    }
}

/// Can the only delivery of this message share a process with those of other messages? Only what writes to a file: a command
/// or a server may take its time.
pub(super) fn joins(d: &Delivery<'_>) -> bool {
    let (1, Some(only)) = (d.local.len(), d.local.front()) else { return false };
    only.transport.as_ref().is_some_and(|t| {
        t.driver.as_appendfile().is_some() && t.generic.shadow_transport.raw().is_none() && t.generic.max_parallel.get().is_none()
    })
}

/// A batch that is to be delivered.
struct Ready {
    transport: Arc<TransportInstance>,
    batch: Vec<Address>,
    /// Under `max_parallel`.
    place: Option<BString>,
    ahead: Ahead,
}

impl Ready {
    /// May one process deliver both?
    fn shares_with(&self, other: &Ready) -> bool {
        match (&self.ahead, &other.ahead) {
            (Ahead::Process(a), Ahead::Process(b)) => a.who == b.who && Arc::ptr_eq(&a.transport, &b.transport),
            (Ahead::Nothing(_), Ahead::Nothing(_)) => true,
            _ => false,
        }
    }
}

/// The next batch, with everything that its process needs; `None`: the addresses have been dealt with.
fn next_ready(ctx: &mut Context, d: &mut Delivery<'_>, first: Address) -> Option<Ready> {
    let (transport, mut batch) = next_batch(ctx, d, first)?;
    route::set_address_vars(ctx, &batch[0]);
    if batch.len() > 1 {
        keep_common_vars(ctx, &batch);
    }
    if let Some(outcome) = limits::message_size(ctx, &transport, &mut batch) {
        finish_all(ctx, d, batch, outcome);
        return None;
    }
    let mut batch = drop_too_early(ctx, d, &transport, batch);
    if batch.is_empty() {
        return None;
    }
    let place = match limits::enter(ctx, &transport) {
        Place::Taken(key) => key,
        Place::None => {
            for a in &mut batch {
                a.failure.basic_errno = errors::RETRY_TRANSPORT;
                a.failure.message = Some(Text::clean("concurrency limit reached for transport"));
            }
            finish_all(ctx, d, batch, Outcome::Defer);
            return None;
        }
        Place::Broken(text) => {
            users::note_problem(ctx, &mut batch, (errors::EXPAND_FAIL, text, false));
            finish_all(ctx, d, batch, Outcome::Panic);
            return None;
        }
    };
    let ahead = prepare(ctx, d, &transport, &mut batch, false);
    Some(Ready { transport, batch, place, ahead })
}

/// A batch has been delivered, or not.
fn conclude(ctx: &mut Context, d: &mut Delivery<'_>, ready: Ready, report: &Report) {
    let Ready { transport, mut batch, place, .. } = ready;
    warn(ctx, &mut batch);
    shadow(ctx, d, &transport, &mut batch, &report.statuses);
    limits::leave(ctx, place.as_ref());
    results(ctx, d, &transport, batch, &report.statuses, report.usec);
}

fn finish_all(ctx: &mut Context, d: &mut Delivery<'_>, batch: Vec<Address>, outcome: Outcome) {
    for a in batch {
        post::process(ctx, d, a, outcome, Stage::Transport);
    }
}

fn results(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    transport: &TransportInstance,
    batch: Vec<Address>,
    statuses: &[DeliveryStatus],
    took: u64,
) {
    let mut forced: Option<(Outcome, route::address::Failure)> = None;
    let mut kept = false;
    let mut any_ok = false;
    for (i, mut a) in batch.into_iter().enumerate() {
        let mut outcome = match statuses.get(i) {
            Some(DeliveryStatus::Ok) => Outcome::Ok,
            Some(DeliveryStatus::Fail) => Outcome::Fail,
            Some(DeliveryStatus::Panic) => Outcome::Panic,
            _ => Outcome::Defer,
        };
        a.delivery_usec = took;
        if let Some((o, f)) = &forced {
            outcome = *o;
            a.failure = f.clone();
        }
        let deferred = outcome == Outcome::Defer;
        if deferred || a.flags.delivery_retry_exists {
            let key = retry_key(transport, &a);
            retry::add_item(&mut a, key, !deferred, false, false);
        }
        // One file for the whole batch: the bounce, which has the addresses the other way round, shows it after the last.
        if i == 0 {
            let before = outcome;
            outcome = post::command_output(ctx, &mut a, outcome);
            if outcome != before {
                forced = Some((outcome, a.failure.clone()));
            }
            kept = a.return_file.is_some();
        } else {
            a.return_file = None;
            a.shares_return_file = kept;
        }
        a.follower = any_ok;
        any_ok |= outcome == Outcome::Ok;
        post::process(ctx, d, a, outcome, Stage::Transport);
    }
}

/// Runs the transport for a batch in a process of its own.
pub(super) fn run_one(ctx: &mut Context, d: &mut Delivery<'_>, what: &What, batch: &mut [Address]) -> Report {
    let n = batch.len();
    let report = {
        let mut part = [Part { ctx: &mut *ctx, d: &mut *d, what, batch: &mut *batch }];
        let mut child = process::start(&mut part);
        let report = child.next(&mut part[0]);
        child.end(part[0].ctx, &what.transport);
        report
    };
    let report = report.unwrap_or_else(|| Report::at_once(vec![DeliveryStatus::Panic; n]));
    if !what.shadowing {
        note_done(ctx, d, batch, &report.statuses);
    }
    report
}

pub(super) fn note_done(ctx: &Context, d: &mut Delivery<'_>, batch: &[Address], statuses: &[DeliveryStatus]) {
    let done: Vec<&Address> = batch.iter().zip(statuses).filter(|(_, s)| **s == DeliveryStatus::Ok).map(|(a, _)| a).collect();
    if !done.is_empty() {
        super::state::test_pause(ctx);
    }
    d.note_in_journal(ctx, done);
}

/// A quota warning that the transport asked for is sent.
pub(super) fn warn(ctx: &mut Context, batch: &mut [Address]) {
    for a in batch {
        if let Some(text) = a.warn_message.take() {
            super::tell::quota_warning(ctx, &text);
        }
    }
}

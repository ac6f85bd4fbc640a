//! Remote deliveries: several runs of transports at a time in threads, a single one in this thread.
//!
//! The runs (`remote_errand`) have contexts of their own; all bookkeeping stays in the thread that owns the delivery. While
//! threads run, nothing here forks. What goes together in a run is decided in `remote_group`.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::local::DeliveryStatus;
use super::post::{self, Outcome, Stage};
use super::remote::{Further, RemoteJob, unusable_key};
use super::remote_errand::{Done, Errand, Parts, pretend, run};
use super::remote_group::{Group, next_group, sort_by_domain};
use super::state::Delivery;
use super::{Continued, Purpose, limits, users, wire};
use crate::context::Context;
use crate::log::{self, Which};
use crate::retry::errors;
use crate::route::{Address, HostStatus};
use crate::sys::ids::EffectiveGuard;
use crate::sys::process::{self, Fork};
use bstr::BString;

/// Delivers everything on the remote list. False: mua_wrapper is set and the addresses do not fit into one
/// transaction; nothing was delivered.
pub(super) fn deliver_all(ctx: &mut Context, d: &mut Delivery<'_>, fallback: bool) -> bool {
    sort_by_domain(ctx, d);
    let total = d.remote.len();
    let wrapper = ctx.config.main.mua_wrapper;
    // There is one connection with ATRN.
    let turned = d.options.continued.as_ref().is_some_and(|c| c.purpose == Purpose::Turned);
    let limit = if wrapper || turned { 1 } else { usize::try_from(ctx.config.main.remote_max_parallel.0).unwrap_or(1).max(1) };
    // Networking is no work for root.
    let site = ctx.config.site.clone();
    let guard = (crate::sys::ids::geteuid() == 0).then(|| EffectiveGuard::become_effective(site.exim_uid, site.exim_gid));
    let mut fits = true;
    let data = match d.data.file().try_clone() {
        Ok(f) => f,
        Err(e) => {
            let problem = (errors::UNKNOWN, format!("failed to use the spool data file: {}", crate::sys::error_text(&e)), true);
            let mut all: Vec<Address> = d.remote.drain(..).collect();
            users::note_problem(ctx, &mut all, problem);
            all.into_iter().for_each(|a| post::process(ctx, d, a, Outcome::Panic, Stage::Transport));
            return true;
        }
    };
    let data = &data;
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel::<Done>();
        let mut running = 0usize;
        while let Some(first) = d.remote.pop_front() {
            let Some(group) = next_group(ctx, d, first, total, limit, fallback) else { continue };
            if wrapper && !d.remote.is_empty() {
                d.remote.extend(group.batch);
                fits = false;
                break;
            }
            let sequence = d.runs;
            d.runs += 1;
            if super::pretends(ctx) {
                let mut group = group;
                let statuses = pretend(ctx, &mut group);
                finish_group(ctx, d, Done::at_once(group, statuses), fallback);
                continue;
            }
            if group.who.uid != site.exim_uid && group.who.uid != crate::sys::ids::geteuid() {
                // Another user: that needs a process, and so no threads.
                while running > 0 {
                    running -= 1;
                    match receiver.recv() {
                        Ok(done) => finish_group(ctx, d, done, fallback),
                        Err(_) => break,
                    }
                }
                let done = match turned {
                    true => {
                        let mut group = group;
                        let statuses = wire::lost(&mut group.batch, "no delivery as another user over a connection of ATRN");
                        Done::at_once(group, statuses)
                    }
                    false => in_process(ctx, d, group, data, fallback, sequence),
                };
                finish_group(ctx, d, done, fallback);
                continue;
            }
            let same = |a: &&Address| a.transport.as_ref().is_some_and(|t| Arc::ptr_eq(t, &group.transport));
            let further = if limit == 1 { Further::of(d.remote.iter().filter(same)) } else { Further::default() };
            let queued = group.explicitly_queued;
            if let Some(tally) = d.options.tally.as_ref().filter(|_| !queued) {
                tally.wait(&group.transport.name, first_host(&group));
            }
            let errand = Errand {
                parts: Parts::of(ctx),
                group,
                data,
                fallback,
                wrapper,
                force_retry: d.options.force_retry,
                continued: d.again.take().or_else(|| d.options.continued.clone()),
                unusable: d.unusable.clone(),
                sequence,
                further,
            };
            let begun = Instant::now();
            // A single run needs no thread. (With ATRN we are in a session's own, which has a small stack.)
            if running == 0 && d.remote.is_empty() && !turned {
                let _ = sender.send(errand.run());
            } else {
                let sender = sender.clone();
                scope.spawn(move || drop(sender.send(errand.run())));
            }
            running += 1;
            if !queued && ctx.run.test_harness && !ctx.run.no_test_delays {
                std::thread::sleep(Duration::from_millis(600).saturating_sub(begun.elapsed()));
            }
            while running >= limit {
                let Ok(done) = receiver.recv() else { break };
                running -= 1;
                finish_group(ctx, d, done, fallback);
            }
        }
        while running > 0 {
            let Ok(done) = receiver.recv() else { break };
            running -= 1;
            finish_group(ctx, d, done, fallback);
        }
    });
    if let Some(mut unused) = d.again.take().as_ref().and_then(Continued::take) {
        unused.client.quit();
    }
    drop(guard);
    fits
}

/// A run as another user: in a process, as local deliveries are.
fn in_process(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    mut group: Group,
    data: &std::fs::File,
    fallback: bool,
    sequence: usize,
) -> Done {
    use std::io::{Read, Write};
    let start = Instant::now();
    ctx.services.hints.close_idle();
    let started = crate::sys::fd::pipe().and_then(|ends| Ok((ends, process::fork()?)));
    let statuses = match started {
        Err(e) => wire::lost(&mut group.batch, &format!("unable to start a delivery process: {}", crate::sys::error_text(&e))),
        Ok(((read, write), Fork::Child)) => {
            drop(read);
            if crate::sys::ids::geteuid() != 0 {
                let _ = crate::sys::ids::seteuid(0);
            }
            ctx.services.log.hold(&ctx.config.site.log);
            let user = group.who.initgroups.then(|| crate::sys::users::user_by_id(group.who.uid).ok().flatten()).flatten();
            if let Err(e) = crate::sys::ids::become_user(group.who.uid, group.who.gid, user.as_ref().map(|u| u.name.as_slice())) {
                let text = format!(
                    "unable to set gid={} or uid={}: remote delivery with transport={}: {e}",
                    group.who.gid, group.who.uid, group.transport.name
                );
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
                process::exit_now(1);
            }
            super::users::show_change(ctx, format_args!("remote delivery with transport={}", group.transport.name));
            let seed = if ctx.run.test_harness { 42 + 2 * u32::try_from(sequence).unwrap_or(0) } else { 0 };
            ctx.services.random.reseed(seed);
            let transport = group.transport.clone();
            let mut job = RemoteJob {
                transport: &transport,
                batch: &mut group.batch,
                data,
                fallback,
                mua_wrapper: ctx.config.main.mua_wrapper,
                force_retry: d.options.force_retry,
                explicitly_queued: group.explicitly_queued,
                continued: d.options.continued.as_ref(),
                unusable: &d.unusable,
                sequence,
                further: Further::default(),
                kept: None,
            };
            let statuses = run(ctx, &mut job);
            let _ = std::fs::File::from(write).write_all(&wire::encode(&group.batch, &statuses));
            process::exit_now(0)
        }
        Ok(((read, write), Fork::Parent(pid))) => {
            drop(write);
            let mut bytes = Vec::new();
            let _ = std::fs::File::from(read).take(64 << 20).read_to_end(&mut bytes);
            let _ = process::wait(pid);
            match wire::decode(&ctx.config, &bytes, &mut group.batch) {
                Some(s) => s,
                None => {
                    d.keep_journal = true;
                    wire::lost(&mut group.batch, "remote delivery process gave no result")
                }
            }
        }
    };
    Done { group, statuses, usec: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX), kept: None }
}

/// What a tally knows the group by.
fn first_host(group: &Group) -> BString {
    group.batch.first().and_then(|a| a.hosts.first()).map(|h| h.name.as_bytes().into()).unwrap_or_default()
}

/// Journal, verdicts, fallback hosts.
fn finish_group(ctx: &mut Context, d: &mut Delivery<'_>, done: Done, fallback: bool) {
    if let Some(tally) = d.options.tally.as_ref().filter(|_| done.group.explicitly_queued) {
        tally.count(&done.group.transport.name, first_host(&done.group));
    }
    let Done { group, statuses, usec, kept } = done;
    match kept {
        Some(k) if k.continued.purpose == Purpose::SameMessage => d.again = Some(k.continued),
        kept => d.kept.extend(kept),
    }
    limits::leave(ctx, group.place.as_ref());
    for h in group.batch.iter().flat_map(|a| &a.hosts) {
        if matches!(h.status, HostStatus::UnusableRetry | HostStatus::UnusableExpired | HostStatus::Failed) && h.address.is_some()
        {
            d.unusable.insert(unusable_key(h));
        }
    }
    let ok: Vec<&Address> =
        group.batch.iter().zip(&statuses).filter(|(_, s)| **s == DeliveryStatus::Ok).map(|(a, _)| a).collect();
    d.note_in_journal(ctx, ok);
    // Failures of hosts concern every address of the run that was not delivered.
    let shared: Vec<_> = group.batch.iter().flat_map(|a| a.retries.iter().filter(|r| r.host).cloned()).collect();
    for (mut a, status) in group.batch.into_iter().zip(statuses) {
        a.delivery_usec = usec;
        let outcome = match status {
            DeliveryStatus::Ok => Outcome::Ok,
            DeliveryStatus::Fail => Outcome::Fail,
            DeliveryStatus::Panic => Outcome::Panic,
            DeliveryStatus::Defer | DeliveryStatus::Pending => Outcome::Defer,
        };
        if outcome == Outcome::Defer {
            for r in &shared {
                if !a.retries.iter().any(|own| own.key == r.key) {
                    a.retries.push(r.clone());
                }
            }
            if !a.fallback_hosts.is_empty() && !fallback {
                a.hosts = std::mem::take(&mut a.fallback_hosts);
                d.fallback.push_front(a);
                continue;
            }
        }
        post::process(ctx, d, a, outcome, Stage::Transport);
    }
}

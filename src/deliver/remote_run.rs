//! Remote deliveries: addresses grouped by where they go, several runs of transports at a time in threads.
//!
//! The threads have contexts of their own; all bookkeeping stays in the thread that owns the run. While threads run,
//! nothing here forks.

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use bstr::BString;

use super::limits::{self, Place};
use super::local::DeliveryStatus;
use super::post::{self, Outcome, Stage};
use super::remote::{Further, Kept, RemoteJob, RemoteTransport, unusable_key};
use super::state::{Delivery, test_pause};
use super::users::{self, Identity};
use super::{Continued, Purpose, wire};
use crate::config::options::ExpBool;
use crate::context::{AclVars, AddressVars, Context, Message, Run, Scratch, Services, Session};
use crate::expand;
use crate::log::{self, Which};
use crate::matching::{self, Match};
use crate::retry::errors;
use crate::route::{self, Address, HostItem, HostStatus};
use crate::sys::ids::EffectiveGuard;
use crate::sys::process::{self, Fork};
use crate::text::Text;
use crate::transports::{Kind, TransportInstance};

/// One run of a transport, ready to go.
struct Group {
    transport: Arc<TransportInstance>,
    batch: Vec<Address>,
    who: Identity,
    place: Option<BString>,
    explicitly_queued: bool,
}

/// What a run gave.
struct Done {
    group: Group,
    statuses: Vec<DeliveryStatus>,
    usec: u64,
    /// A connection that another message can use.
    kept: Option<Kept>,
}

fn driver(t: &TransportInstance) -> Option<&dyn RemoteTransport> {
    match t.driver.kind() {
        Kind::Remote(r) => Some(r),
        Kind::Local(_) => None,
    }
}

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
                finish_group(ctx, d, Done { group, statuses, usec: 0, kept: None }, fallback);
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
                        Done { group, statuses, usec: 0, kept: None }
                    }
                    false => in_process(ctx, d, group, data, fallback, sequence),
                };
                finish_group(ctx, d, done, fallback);
                continue;
            }
            let parts = Parts::of(ctx);
            let (sender, unusable) = (sender.clone(), d.unusable.clone());
            let continued = d.again.take().or_else(|| d.options.continued.clone());
            let same = |a: &&Address| a.transport.as_ref().is_some_and(|t| Arc::ptr_eq(t, &group.transport));
            let further = if limit == 1 { Further::of(d.remote.iter().filter(same)) } else { Further::default() };
            let force_retry = d.options.force_retry;
            let mut group = group;
            let queued = group.explicitly_queued;
            scope.spawn(move || {
                let start = Instant::now();
                let n = group.batch.len();
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    let mut ctx = parts.context(sequence);
                    let mut job = RemoteJob {
                        transport: &group.transport.clone(),
                        batch: &mut group.batch,
                        data,
                        fallback,
                        mua_wrapper: wrapper,
                        force_retry,
                        explicitly_queued: group.explicitly_queued,
                        continued: continued.as_ref(),
                        unusable: &unusable,
                        sequence,
                        further,
                        kept: None,
                    };
                    let statuses = run(&mut ctx, &mut job);
                    if statuses.contains(&DeliveryStatus::Ok) {
                        test_pause(&ctx);
                    }
                    (statuses, job.kept)
                }));
                let (statuses, kept) = result.unwrap_or_else(|_| (wire::lost(&mut group.batch, "delivery thread failed"), None));
                debug_assert_eq!(statuses.len(), n);
                let usec = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
                // The receiver waits for every thread.
                let _ = sender.send(Done { group, statuses, usec, kept });
            });
            running += 1;
            if !queued && ctx.run.test_harness && !ctx.run.no_test_delays {
                crate::sys::time::sleep_ms(600);
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

/// The transport's own work.
fn run(ctx: &mut Context, job: &mut RemoteJob<'_>) -> Vec<DeliveryStatus> {
    let transport = job.transport;
    let Some(remote) = driver(transport) else {
        return wire::lost(job.batch, "not a remote transport");
    };
    ctx.address.transport_name = Some(transport.name.clone());
    if let Some(t) = transport.generic.debug_print.get() {
        route::common::debug_print(ctx, "transport", &transport.name, t);
    }
    let n = job.batch.len();
    let mut statuses = remote.deliver(ctx, job);
    statuses.resize(n, DeliveryStatus::Pending);
    statuses
}

/// `-N`.
fn pretend(ctx: &mut Context, group: &mut Group) -> Vec<DeliveryStatus> {
    if let Some(first) = group.batch.first() {
        route::set_address_vars(ctx, first);
    }
    if let Some(t) = group.transport.generic.debug_print.get() {
        route::common::debug_print(ctx, "transport", &group.transport.name, t);
    }
    for a in &mut group.batch {
        a.host_used = a.hosts.first().cloned().map(Box::new);
        let confirmation = Some("delivery bypassed by -N option".into());
        a.remote_log = Some(Box::new(crate::log::line::RemoteLog { confirmation, ..Default::default() }));
    }
    vec![DeliveryStatus::Ok; group.batch.len()]
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

/// Takes the addresses that go with the first in one run, and checks what must be checked before it.
fn next_group(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    mut first: Address,
    total: usize,
    limit: usize,
    fallback: bool,
) -> Option<Group> {
    let Some(transport) = first.transport.clone() else {
        first.failure.message = Some(Text::clean(match &first.router {
            Some(r) => format!("No transport set by {r} router"),
            None => "No transport set by system filter".into(),
        }));
        post::process(ctx, d, first, Outcome::Panic, Stage::Transport);
        return None;
    };
    if d.previously_transported(ctx, &first) {
        return None;
    }
    route::set_address_vars(ctx, &first);
    if let Some(outcome) = limits::message_size(ctx, &transport, std::slice::from_mut(&mut first)) {
        post::process(ctx, d, first, outcome, Stage::Transport);
        return None;
    }
    let remote = driver(&transport)?;
    let multi = match multi_domain(ctx, remote, &transport) {
        Ok(m) => m && !first.hosts.first().is_some_and(|h| remote.single_domain(ctx, h)),
        Err(text) => return give_up(ctx, d, vec![first], (errors::EXPAND_FAIL, text, false), Outcome::Panic),
    };
    let max = match max_rcpt(ctx, remote, &transport) {
        Ok(m) => share(m, total, limit, remote.max_messages()),
        Err(text) => return give_up(ctx, d, vec![first], (errors::EXPAND_FAIL, text, false), Outcome::Panic),
    };
    let mut batch = vec![first];
    let waiting: VecDeque<Address> = std::mem::take(&mut d.remote);
    for a in waiting {
        let fits = batch.len() < max
            && (a.domain == batch[0].domain || (multi && may_mix(ctx, remote, &transport, &a)))
            && a.transport.as_ref().is_some_and(|t| Arc::ptr_eq(t, &transport))
            && same_hosts(&a.hosts, &batch[0].hosts)
            && a.errors_to == batch[0].errors_to
            && a.srs_sender == batch[0].srs_sender
            && a.headers_add == batch[0].headers_add
            && a.headers_remove == batch[0].headers_remove
            && (a.uid, a.gid) == (batch[0].uid, batch[0].gid);
        if !fits {
            d.remote.push_back(a);
        } else if !d.previously_transported(ctx, &a) {
            batch.push(a);
        }
    }
    route::set_address_vars(ctx, &batch[0]);
    if batch.iter().any(|a| a.domain != batch[0].domain) {
        // The variables must be right for every address of the run.
        ctx.address.domain = None;
        ctx.address.domain_data = None;
    }
    if batch.len() > 1 {
        ctx.address.local_part = None;
        ctx.address.local_part_data = None;
    }
    let place = match limits::enter(ctx, &transport) {
        Place::Taken(key) => key,
        Place::None => {
            let problem = (errors::RETRY_TRANSPORT, "concurrency limit reached for transport".into(), false);
            return give_up(ctx, d, batch, problem, Outcome::Defer);
        }
        Place::Broken(text) => return give_up(ctx, d, batch, (errors::EXPAND_FAIL, text, false), Outcome::Panic),
    };
    let prepared =
        users::return_path(ctx, &transport, &batch[0]).and_then(|p| Ok((p, users::identity(ctx, &transport, &batch[0])?)));
    let (path, who) = match prepared {
        Ok(p) => p,
        Err(problem) => {
            limits::leave(ctx, place.as_ref());
            return give_up(ctx, d, batch, problem, Outcome::Defer);
        }
    };
    for a in &mut batch {
        a.return_path = Some(path.clone());
        if a.fallback_hosts.is_empty() && !fallback {
            a.fallback_hosts = remote.fallback_hosts(ctx);
        }
    }
    if d.options.continuing().is_some_and(|c| !fits_connection(ctx, c, &transport, &batch[0], fallback)) {
        // Another connection is not made now; fallback hosts may be the ones that are connected.
        limits::leave(ctx, place.as_ref());
        for mut a in batch {
            if !a.fallback_hosts.is_empty() && !fallback {
                a.hosts = std::mem::take(&mut a.fallback_hosts);
                d.fallback.push_front(a);
            } else {
                d.deferred.push_front(a);
            }
        }
        return None;
    }
    let explicitly_queued = explicitly_queued(ctx, d, &batch[0].domain.clone());
    Some(Group { transport, batch, who, place, explicitly_queued })
}

/// Can the addresses go down the connection that is open?
fn fits_connection(ctx: &mut Context, c: &super::Continued, transport: &TransportInstance, a: &Address, fallback: bool) -> bool {
    if c.purpose == Purpose::Turned {
        return a.hosts.iter().any(|h| c.goes_to(&transport.name, h));
    }
    let Some(driver) = driver(transport).filter(|_| c.transport == transport.name) else { return false };
    // A transport that uses its own hosts does not look at those of the address.
    if (a.hosts.is_empty() || driver.overrides_hosts()) && !fallback {
        return true;
    }
    a.hosts.iter().any(|h| h.name.eq_ignore_ascii_case(&c.host) && driver.can_continue(ctx, c, h))
}

/// A group that cannot be tried.
fn give_up(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    mut batch: Vec<Address>,
    problem: users::Problem,
    outcome: Outcome,
) -> Option<Group> {
    users::note_problem(ctx, &mut batch, problem);
    batch.into_iter().for_each(|a| post::process(ctx, d, a, outcome, Stage::Transport));
    None
}

/// Is sending put off for this domain? (A lookup that does not work is no reason to hold up mail.)
fn explicitly_queued(ctx: &mut Context, d: &Delivery<'_>, domain: &Text) -> bool {
    let o = d.options;
    if o.first_phase {
        return true;
    }
    if o.forced || o.force_retry {
        return false;
    }
    let config = ctx.config.clone();
    o.queue_smtp
        || (!o.queue_running
            && config
                .main
                .queue_smtp_domains
                .get()
                .is_some_and(|list| matching::match_domain(ctx, domain, list, None) == Match::Yes))
}

fn multi_domain(ctx: &mut Context, remote: &dyn RemoteTransport, t: &TransportInstance) -> Result<bool, String> {
    match remote.multi_domain() {
        None => Ok(true),
        Some(ExpBool::Fixed(b)) => Ok(*b),
        Some(value) => {
            let value = value.clone();
            expand::expand_bool(ctx, "multi_domain", &value)
                .map_err(|e| format!("failed to expand \"multi_domain\" option for {} transport: {e}", t.name))
        }
    }
}

/// An expanded `multi_domain` is asked for each address that would join those of another domain.
fn may_mix(ctx: &mut Context, remote: &dyn RemoteTransport, t: &TransportInstance, a: &Address) -> bool {
    if matches!(remote.multi_domain(), None | Some(ExpBool::Fixed(_))) {
        return true;
    }
    let saved = ctx.address.clone();
    route::set_address_vars(ctx, a);
    let may = multi_domain(ctx, remote, t).unwrap_or(false);
    ctx.address = saved;
    may
}

fn max_rcpt(ctx: &mut Context, remote: &dyn RemoteTransport, t: &TransportInstance) -> Result<usize, String> {
    let Some(value) = remote.max_rcpt().cloned() else { return Ok(usize::MAX) };
    if ctx.config.main.mua_wrapper {
        return Ok(usize::MAX);
    }
    match expand::expand_int(ctx, &value, true) {
        Ok(0) => Ok(usize::MAX),
        Ok(n) => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
        Err(e) => Err(format!("failed to expand max_rcpt for {} transport: {e}", t.name)),
    }
}

/// How many addresses one run gets: what fits into an envelope, or its fair share of all, sent in several copies.
fn share(max: usize, total: usize, limit: usize, messages: u64) -> usize {
    let fair = total / limit;
    if max == 1 || max >= fair {
        return max;
    }
    match usize::try_from(messages).unwrap_or(usize::MAX) {
        0 => fair,
        m => fair.min(max.saturating_mul(m)),
    }
}

/// Do two addresses go to the same hosts? Hosts of the same preference may stand in any order.
fn same_hosts(a: &[HostItem], b: &[HostItem]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let key = |h: &HostItem| (h.name.to_ascii_lowercase(), h.port, h.dnssec);
    if a.iter().zip(b).all(|(x, y)| key(x) == key(y)) {
        return true;
    }
    let ordered = |list: &[HostItem]| {
        let mut keys: Vec<_> =
            list.iter().enumerate().map(|(i, h)| (if h.mx == -1 { i as i64 } else { 0 }, h.mx, key(h))).collect();
        keys.sort();
        keys
    };
    a.iter().zip(b).all(|(x, y)| x.mx == y.mx) && ordered(a) == ordered(b)
}

/// `remote_sort_domains`: addresses in the order of the list of domain lists.
fn sort_by_domain(ctx: &mut Context, d: &mut Delivery<'_>) {
    let config = ctx.config.clone();
    let Some(list) = config.main.remote_sort_domains.raw() else { return };
    let mut sorted = VecDeque::new();
    for pattern in crate::parse::list::items(list) {
        let pattern = expand::Template::new(&pattern);
        let rest = std::mem::take(&mut d.remote);
        for a in rest {
            match matching::match_domain(ctx, &a.domain.clone(), &pattern, None) {
                Match::Yes => sorted.push_back(a),
                _ => d.remote.push_back(a),
            }
        }
    }
    sorted.append(&mut d.remote);
    d.remote = sorted;
}

/// Journal, verdicts, fallback hosts.
fn finish_group(ctx: &mut Context, d: &mut Delivery<'_>, done: Done, fallback: bool) {
    if let Some(tally) = d.options.tally.as_ref().filter(|_| done.group.explicitly_queued) {
        let host = done.group.batch.first().and_then(|a| a.hosts.first()).map(|h| BString::from(h.name.as_bytes()));
        tally.count(&done.group.transport.name, host.unwrap_or_default());
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

/// The parts of a context that go to a thread; caches that belong to one thread begin empty there.
struct Parts {
    config: Arc<crate::config::Config>,
    run: Arc<Run>,
    services: Services,
    session: Session,
    message: Message,
    address: AddressVars,
    acl: AclVars,
    scratch: Scratch,
}

impl Parts {
    fn of(ctx: &Context) -> Parts {
        let mut services = ctx.services.clone();
        services.lookups = Default::default();
        services.lists = Default::default();
        Parts {
            config: ctx.config.clone(),
            run: ctx.run.clone(),
            services,
            session: ctx.session.clone(),
            message: ctx.message.clone(),
            address: ctx.address.clone(),
            acl: ctx.acl.clone(),
            scratch: ctx.scratch.clone(),
        }
    }

    fn context(self, sequence: usize) -> Context {
        let mut ctx = Context::new(self.config, self.run, self.services);
        if ctx.run.test_harness {
            ctx.services.random.reseed(42 + 2 * u32::try_from(sequence).unwrap_or(0));
        }
        ctx.services.handoff = Default::default();
        ctx.session = self.session;
        ctx.message = self.message;
        ctx.address = self.address;
        ctx.acl = self.acl;
        ctx.scratch = self.scratch;
        ctx
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        assert_eq!(share(100, 100, 6, 500), 100);
        assert_eq!(share(10, 100, 2, 500), 50);
        assert_eq!(share(10, 100, 2, 3), 30);
        assert_eq!(share(1, 100, 2, 0), 1);
    }

    #[test]
    fn hosts() {
        let h = |name: &'static str, mx| HostItem { name: name.into(), mx, ..HostItem::default() };
        assert!(same_hosts(&[h("a", 5), h("b", 5)], &[h("b", 5), h("a", 5)]));
        assert!(!same_hosts(&[h("a", 5), h("b", 6)], &[h("b", 5), h("a", 6)]));
        assert!(!same_hosts(&[h("a", -1), h("b", -1)], &[h("b", -1), h("a", -1)]));
    }
}

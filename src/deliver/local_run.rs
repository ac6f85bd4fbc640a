//! Local deliveries: batches, what each needs, its results, shadow transports.
//!
//! The process that becomes the recipient is `local_process`.

use std::fs::File;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::limits::{self, Place};
use super::local::{DeliveryStatus, LocalTransport};
use super::local_process::{self as process, Part, Report, What};
use super::post::{self, Outcome, Stage};
use super::state::Delivery;
use super::users;
use crate::config::options::OptionSet;
use crate::context::Context;
use crate::expand;
use crate::hints::Mode;
use crate::log::{self, Which};
use crate::retry::{self, errors};
use crate::route::{self, Address, AddressKind};
use crate::text::Text;
use crate::transports::{Kind, TransportInstance};

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

/// What is ahead of a batch.
enum Ahead {
    /// A process runs the transport.
    Process(What),
    /// Its fate is known already.
    Nothing(Vec<DeliveryStatus>),
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

fn driver(t: &TransportInstance) -> Option<&dyn LocalTransport> {
    match t.driver.kind() {
        Kind::Local(l) => Some(l),
        Kind::Remote(_) => None,
    }
}

/// Takes the addresses that can be delivered together with the first.
fn next_batch(ctx: &mut Context, d: &mut Delivery<'_>, mut first: Address) -> Option<(Arc<TransportInstance>, Vec<Address>)> {
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
    let max = driver(&transport).map_or(1, LocalTransport::batch_max).max(1);
    let mut batch = vec![first];
    if max > 1 && !d.local.is_empty() {
        let key = batch_key(ctx, &transport, &batch[0])?.ok();
        if let Some(key) = key {
            let waiting = std::mem::take(&mut d.local);
            for a in waiting {
                let fits = batch.len() < max
                    && a.transport.as_ref().is_some_and(|t| Arc::ptr_eq(t, &transport))
                    && same(&transport, &batch[0], &a)
                    && matches!(batch_key(ctx, &transport, &a), Some(Ok(k)) if k == key);
                if !fits {
                    d.local.push_back(a);
                } else if !d.previously_transported(ctx, &a) {
                    batch.push(a);
                }
            }
        }
    }
    Some((transport, batch))
}

/// The expanded `batch_id`; an error is logged and means that there is no batching.
fn batch_key(ctx: &mut Context, transport: &TransportInstance, a: &Address) -> Option<Result<Text, ()>> {
    let Some(t) = driver(transport)?.batch_id() else { return Some(Ok(Text::new())) };
    route::set_address_vars(ctx, a);
    let result = expand::expand(ctx, t);
    route::clear_address_vars(ctx);
    Some(result.map_err(|e| {
        let text = format!("Failed to expand batch_id option in {} transport ({}): {e}", transport.name, a.address);
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
    }))
}

/// May the two be delivered by one run of the transport (manual chapter 25)?
fn same(transport: &TransportInstance, a: &Address, b: &Address) -> bool {
    let command = matches!(a.kind, AddressKind::File | AddressKind::Pipe);
    a.kind == b.kind
        && (!(command || depends(transport, "local_part"))
            || (a.local_part == b.local_part && a.prefix == b.prefix && a.suffix == b.suffix))
        && (!depends(transport, "domain") || a.domain == b.domain)
        && a.errors_to == b.errors_to
        && a.srs_sender == b.srs_sender
        && a.headers_add == b.headers_add
        && a.headers_remove == b.headers_remove
        && (a.uid, a.gid) == (b.uid, b.gid)
        && a.hosts.first().map(|h| &h.name) == b.hosts.first().map(|h| &h.name)
}

/// Does any option of the transport mention a variable?
fn depends(transport: &TransportInstance, variable: &str) -> bool {
    let (generic, private): (&dyn OptionSet, &dyn OptionSet) = (&transport.generic, transport.driver.options());
    [generic, private]
        .into_iter()
        .any(|set| set.names().iter().filter_map(|n| set.option(n).map(|o| o.show(n))).any(|shown| mentions(&shown, variable)))
}

/// Does a string mention a variable, as `$name`, `${name}` or the argument of an operator?
fn mentions(shown: &[u8], variable: &str) -> bool {
    shown.find_iter(variable.as_bytes()).any(|at| {
        let before = shown[..at].last();
        let after = shown.get(at + variable.len());
        let ends = !after.is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_');
        ends && matches!(before, Some(b'$' | b'{' | b':'))
    })
}

fn finish_all(ctx: &mut Context, d: &mut Delivery<'_>, batch: Vec<Address>, outcome: Outcome) {
    for a in batch {
        post::process(ctx, d, a, outcome, Stage::Transport);
    }
}

/// Of several addresses, the variables that are about one of them are unset; the domain is kept if all have it
/// (manual section 11.9, `$local_part`, `$domain`).
fn keep_common_vars(ctx: &mut Context, batch: &[Address]) {
    let v = &mut ctx.address;
    for variable in [
        &mut v.local_part,
        &mut v.local_part_data,
        &mut v.prefix,
        &mut v.prefix_v,
        &mut v.suffix,
        &mut v.suffix_v,
        &mut v.original_local_part,
        &mut v.original_domain,
        &mut v.parent_local_part,
        &mut v.parent_domain,
    ] {
        *variable = None;
    }
    if batch.iter().any(|a| a.domain != batch[0].domain) {
        v.domain = None;
        v.domain_data = None;
    }
}

/// In a queue run, addresses whose retry time has not come are deferred. Notes which ones have a record.
fn drop_too_early(ctx: &mut Context, d: &mut Delivery<'_>, transport: &TransportInstance, batch: Vec<Address>) -> Vec<Address> {
    let Some(mut db) = retry::open(ctx, Mode::Read) else { return batch };
    let now = crate::sys::time::unix_time();
    let mut kept = Vec::new();
    for mut a in batch {
        let key = retry_key(transport, &a);
        let Some(r) = retry::record(ctx, db.as_mut(), &key) else {
            kept.push(a);
            continue;
        };
        a.flags.delivery_retry_exists = true;
        let domain = a.domain.clone();
        let early = d.options.queue_running
            && !d.options.force_retry
            && now < r.next_try
            && !r.expired
            && !retry::check::ultimate_timeout(ctx, &key, Some(&domain), &r, now);
        if early {
            a.failure.basic_errno = errors::RETRY_LOCAL;
            a.failure.message = Some(Text::clean("Retry time not yet reached"));
            post::process(ctx, d, a, Outcome::Defer, Stage::Transport);
        } else {
            kept.push(a);
        }
    }
    kept
}

fn retry_key(transport: &TransportInstance, a: &Address) -> BString {
    let mut key = if transport.generic.retry_use_local_part { a.address_retry_key.clone() } else { a.domain_retry_key.clone() };
    if let Some(first) = key.first_mut() {
        *first = b'T';
    }
    key
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

/// The shadow transport gets the addresses that were delivered (section 24.2).
fn shadow(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    transport: &TransportInstance,
    batch: &mut [Address],
    statuses: &[DeliveryStatus],
) {
    let Some(name) = transport.generic.shadow_transport.raw().map(BString::from) else { return };
    if let Some(t) = transport.generic.shadow_condition.get()
        && !matches!(expand::expand_condition(ctx, t), Ok(true))
    {
        return;
    }
    let config = ctx.config.clone();
    let Some(other) = config.transport(&name).cloned() else { return };
    let ok: Vec<usize> = (0..batch.len()).filter(|i| statuses.get(*i) == Some(&DeliveryStatus::Ok)).collect();
    if ok.is_empty() {
        return;
    }
    let mut copies: Vec<Address> = ok
        .iter()
        .map(|i| {
            let mut a = batch[*i].clone();
            a.transport = Some(other.clone());
            a.failure = Default::default();
            a.return_file = None;
            a
        })
        .collect();
    let results = match prepare(ctx, d, &other, &mut copies, true) {
        Ahead::Nothing(statuses) => statuses,
        Ahead::Process(what) => run_one(ctx, d, &what, &mut copies).statuses,
    };
    warn(ctx, &mut copies);
    for ((i, copy), status) in ok.iter().zip(copies).zip(results) {
        let error = match status {
            DeliveryStatus::Ok => None,
            _ => Some(shadow_error(&copy.failure)),
        };
        batch[*i].shadow = Some((other.name.clone(), error));
    }
}

fn shadow_error(f: &route::address::Failure) -> BString {
    let mut s = BString::default();
    if f.basic_errno > 0 {
        s.extend_from_slice(crate::sys::strerror(f.basic_errno).as_bytes());
        if f.message.is_some() {
            s.extend_from_slice(b": ");
        }
    }
    match &f.message {
        Some(m) => s.extend_from_slice(m),
        None if f.basic_errno <= 0 => s.extend_from_slice(b"unknown error"),
        None => {}
    }
    s
}

/// Works out as whom, where and with what the transport runs.
fn prepare(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    transport: &Arc<TransportInstance>,
    batch: &mut [Address],
    shadowing: bool,
) -> Ahead {
    let all = |status: DeliveryStatus, n: usize| Ahead::Nothing(vec![status; n]);
    let prepared = (|| -> Result<_, users::Problem> {
        let path = users::return_path(ctx, transport, &batch[0])?;
        let who = users::identity(ctx, transport, &batch[0])?;
        let (home, directory) = users::directories(ctx, transport, &batch[0])?;
        Ok((path, who, home, directory))
    })();
    let (path, who, home, directory) = match prepared {
        Ok(p) => p,
        Err(problem) => {
            let defer = problem.0 != errors::EXPAND_FAIL;
            users::note_problem(ctx, batch, problem);
            return all(if defer { DeliveryStatus::Defer } else { DeliveryStatus::Panic }, batch.len());
        }
    };
    for a in batch.iter_mut() {
        a.return_path = Some(path.clone());
    }
    let Some(local) = driver(transport) else {
        let text = format!("{} transport is not a local one", transport.name);
        users::note_problem(ctx, batch, (errors::BAD_TRANSPORT, text, true));
        return all(DeliveryStatus::Defer, batch.len());
    };
    d.runs += 1;
    if super::pretends(ctx) {
        process::show(ctx, transport);
        note_done(ctx, d, batch, &vec![DeliveryStatus::Ok; batch.len()]);
        return all(DeliveryStatus::Ok, batch.len());
    }
    let mut output = None;
    if !shadowing && local.output_options().any() {
        match output_file(ctx, d.runs) {
            Ok((file, path)) => {
                batch[0].return_file = Some(path);
                output = Some(file);
            }
            Err(e) => {
                let text = format!(
                    "Unable to create file to return output from {} transport: {}",
                    transport.name,
                    crate::sys::error_text(&e)
                );
                users::note_problem(ctx, batch, (e.raw_os_error().unwrap_or(errors::UNKNOWN), text, true));
                return all(DeliveryStatus::Defer, batch.len());
            }
        }
    }
    Ahead::Process(What { transport: transport.clone(), who, home, directory, output, shadowing })
}

/// Runs the transport for a batch in a process of its own.
fn run_one(ctx: &mut Context, d: &mut Delivery<'_>, what: &What, batch: &mut [Address]) -> Report {
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

fn note_done(ctx: &Context, d: &mut Delivery<'_>, batch: &[Address], statuses: &[DeliveryStatus]) {
    let done: Vec<&Address> = batch.iter().zip(statuses).filter(|(_, s)| **s == DeliveryStatus::Ok).map(|(a, _)| a).collect();
    if !done.is_empty() {
        super::state::test_pause(ctx);
    }
    d.note_in_journal(ctx, done);
}

/// The file for a command's output: in the message log's directory, with a name of its own.
fn output_file(ctx: &Context, n: usize) -> std::io::Result<(File, BString)> {
    use crate::sys::file::Flags;
    let dir = log::msglog::directory(ctx)?;
    let name = format!("{}-{}-{n}", ctx.message.id, crate::sys::process::getpid());
    let flags = Flags::READ_WRITE | Flags::APPEND | Flags::CREATE | Flags::EXCLUSIVE | Flags::NOFOLLOW;
    let fd = dir.open_at(name.as_bytes(), flags, 0o400)?;
    let mut path = ctx.config.site.spool_directory.clone();
    for part in [ctx.message.queue_name.as_slice(), b"msglog", ctx.message.subdir.as_slice(), name.as_bytes()] {
        if !part.is_empty() {
            path.push(b'/');
            path.extend_from_slice(part);
        }
    }
    Ok((File::from(fd), path))
}

/// A quota warning that the transport asked for is sent.
fn warn(ctx: &mut Context, batch: &mut [Address]) {
    for a in batch {
        if let Some(text) = a.warn_message.take() {
            super::tell::quota_warning(ctx, &text);
        }
    }
}

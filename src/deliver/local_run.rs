//! Local deliveries: batches, the process that becomes the recipient, shadow transports.
//!
//! One process at a time, forked while this one has no other thread.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use bstr::{BString, ByteSlice};

use super::limits::{self, Place};
use super::local::{DeliveryStatus, LocalJob, LocalTransport};
use super::post::{self, Outcome, Stage};
use super::state::Delivery;
use super::users::{self, Identity};
use super::wire;
use crate::config::options::OptionSet;
use crate::context::Context;
use crate::expand;
use crate::hints::Mode;
use crate::log::{self, Which};
use crate::retry::{self, errors};
use crate::route::{self, Address, AddressKind};
use crate::sys::process::{self, Fork, WaitStatus};
use crate::text::Text;
use crate::transports::{Kind, TransportInstance};

/// Delivers everything on the local list.
pub(super) fn deliver_all(ctx: &mut Context, d: &mut Delivery<'_>) {
    while let Some(first) = d.local.pop_front() {
        if let Some((transport, batch)) = next_batch(ctx, d, first) {
            deliver_batch(ctx, d, &transport, batch);
        }
        route::clear_address_vars(ctx);
    }
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

fn deliver_batch(ctx: &mut Context, d: &mut Delivery<'_>, transport: &Arc<TransportInstance>, mut batch: Vec<Address>) {
    route::set_address_vars(ctx, &batch[0]);
    if batch.len() > 1 {
        keep_common_vars(ctx, &batch);
    }
    if let Some(outcome) = limits::message_size(ctx, transport, &mut batch) {
        return finish_all(ctx, d, batch, outcome);
    }
    let mut batch = drop_too_early(ctx, d, transport, batch);
    if batch.is_empty() {
        return;
    }
    let place = match limits::enter(ctx, transport) {
        Place::Taken(key) => key,
        Place::None => {
            for a in &mut batch {
                a.failure.basic_errno = errors::RETRY_TRANSPORT;
                a.failure.message = Some(Text::clean("concurrency limit reached for transport"));
            }
            return finish_all(ctx, d, batch, Outcome::Defer);
        }
        Place::Broken(text) => {
            users::note_problem(ctx, &mut batch, (errors::EXPAND_FAIL, text, false));
            return finish_all(ctx, d, batch, Outcome::Panic);
        }
    };
    let start = Instant::now();
    let statuses = run(ctx, d, transport, &mut batch, false);
    let took = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    shadow(ctx, d, transport, &mut batch, &statuses);
    limits::leave(ctx, place.as_ref());
    results(ctx, d, transport, batch, &statuses, took);
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
    let results = run(ctx, d, &other, &mut copies, true);
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

/// Runs the transport for a batch in a process of its own.
fn run(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    transport: &Arc<TransportInstance>,
    batch: &mut [Address],
    shadowing: bool,
) -> Vec<DeliveryStatus> {
    let panic = |n: usize| vec![DeliveryStatus::Panic; n];
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
            return if defer { vec![DeliveryStatus::Defer; batch.len()] } else { panic(batch.len()) };
        }
    };
    for a in batch.iter_mut() {
        a.return_path = Some(path.clone());
    }
    let Some(local) = driver(transport) else {
        let text = format!("{} transport is not a local one", transport.name);
        users::note_problem(ctx, batch, (errors::BAD_TRANSPORT, text, true));
        return vec![DeliveryStatus::Defer; batch.len()];
    };
    d.runs += 1;
    if super::pretends(ctx) {
        show(ctx, transport);
        note_done(ctx, d, batch, &vec![DeliveryStatus::Ok; batch.len()]);
        return vec![DeliveryStatus::Ok; batch.len()];
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
                return vec![DeliveryStatus::Defer; batch.len()];
            }
        }
    }
    let (read, write) = match crate::sys::fd::pipe() {
        Ok(p) => p,
        Err(e) => {
            users::note_problem(
                ctx,
                batch,
                (errors::PIPE_FAIL, format!("Creation of pipe failed: {}", crate::sys::error_text(&e)), true),
            );
            return panic(batch.len());
        }
    };
    ctx.services.hints.close_idle();
    let child = Child { transport, local, who: &who, home, directory, output: output.as_ref() };
    match process::fork() {
        Err(e) => {
            let text = format!("Fork failed for local delivery to {}: {}", batch[0].address, crate::sys::error_text(&e));
            users::note_problem(ctx, batch, (e.raw_os_error().unwrap_or(errors::UNKNOWN), text, true));
            panic(batch.len())
        }
        Ok(Fork::Child) => {
            drop(read);
            child.run(ctx, d, batch, write)
        }
        Ok(Fork::Parent(pid)) => {
            drop(write);
            if ctx.run.test_harness && !ctx.run.no_test_delays {
                crate::sys::time::sleep_ms(100);
            }
            let statuses = collect(ctx, d, transport, batch, read, pid);
            if !shadowing {
                note_done(ctx, d, batch, &statuses);
            }
            warn(ctx, batch);
            statuses
        }
    }
}

/// `debug_print`
fn show(ctx: &mut Context, transport: &TransportInstance) {
    if let Some(t) = transport.generic.debug_print.get() {
        route::common::debug_print(ctx, "transport", &transport.name, t);
    }
}

fn note_done(ctx: &Context, d: &mut Delivery<'_>, batch: &[Address], statuses: &[DeliveryStatus]) {
    let done: Vec<&Address> = batch.iter().zip(statuses).filter(|(_, s)| **s == DeliveryStatus::Ok).map(|(a, _)| a).collect();
    d.note_in_journal(ctx, done);
}

/// Reads the results and waits for the process.
fn collect(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    transport: &TransportInstance,
    batch: &mut [Address],
    read: OwnedFd,
    pid: i32,
) -> Vec<DeliveryStatus> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let _ = File::from(read).take(64 << 20).read_to_end(&mut bytes);
    let status = process::wait(pid);
    let statuses = match wire::decode(&ctx.config, &bytes, batch) {
        Some(s) => s,
        None => {
            for a in batch.iter() {
                let text = format!("failed to read delivery status for {} from delivery subprocess", a.unique);
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            }
            d.keep_journal = true;
            wire::lost(batch, "")
        }
    };
    if let Ok(s) = status
        && !s.success()
    {
        let (word, code) = match s {
            WaitStatus::Signaled { signal, .. } => ("terminated by signal", signal),
            WaitStatus::Exited(code) => ("exit code", code),
            _ => ("status", s.to_raw()),
        };
        let by_hand = matches!(s, WaitStatus::Signaled { signal: libc::SIGTERM | libc::SIGKILL | libc::SIGQUIT, .. });
        if !by_hand {
            let text = format!(
                "{} transport process returned non-zero status 0x{:04x}: {word} {code}",
                transport.driver_name,
                s.to_raw()
            );
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        }
    }
    statuses
}

/// The file for a command's output: in the message log's directory, with a name of its own.
fn output_file(ctx: &Context, n: usize) -> std::io::Result<(File, BString)> {
    use crate::sys::file::Flags;
    let dir = log::msglog::directory(ctx)?;
    let name = format!("{}-{}-{n}", ctx.message.id, process::getpid());
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

/// What the delivery process needs.
struct Child<'a> {
    transport: &'a TransportInstance,
    local: &'a dyn LocalTransport,
    who: &'a Identity,
    home: Option<Text>,
    directory: BString,
    output: Option<&'a File>,
}

impl Child<'_> {
    /// The delivery process: it does not come back.
    fn run(self, ctx: &mut Context, d: &Delivery<'_>, batch: &mut [Address], report: OwnedFd) -> ! {
        let statuses = self.deliver(ctx, d, batch);
        let bytes = wire::encode(batch, &statuses);
        use std::io::Write;
        let _ = File::from(report).write_all(&bytes);
        process::exit_now(0)
    }

    fn deliver(&self, ctx: &mut Context, d: &Delivery<'_>, batch: &mut [Address]) -> Vec<DeliveryStatus> {
        let n = batch.len();
        let all = |s: DeliveryStatus| vec![s; n];
        for s in [libc::SIGINT, libc::SIGTERM, libc::SIGUSR1] {
            let _ = crate::sys::signal::ignore(s);
        }
        let _ = crate::sys::limits::set(crate::sys::limits::Limit::Core, 0, crate::sys::limits::INFINITY);
        let seed = if ctx.run.test_harness { 42 + 2 * u32::try_from(d.runs.saturating_sub(1)).unwrap_or(0) } else { 0 };
        ctx.services.random.reseed(seed);
        // The process that handles messages has given root up for the time being; a delivery needs it for a moment,
        // unless the administrator does not want that at all.
        if crate::sys::ids::geteuid() != 0 {
            let _ = crate::sys::ids::seteuid(0);
        }
        if ctx.config.main.deliver_drop_privilege || ctx.config.main.mua_wrapper {
            let site = &ctx.config.site;
            // Where this does not work, becoming the recipient does not either.
            let _ = crate::sys::ids::become_user(site.exim_uid, site.exim_gid, None);
        }
        ctx.address.transport_name = Some(self.transport.name.clone());
        ctx.address.pipe_addresses = batch.iter().map(|a| a.address.clone()).collect();
        let prepared = match self.local.setup(ctx, self.transport, batch) {
            Ok(prepared) => prepared,
            Err(text) => {
                for a in batch.iter_mut() {
                    if a.failure.message.is_none() {
                        a.failure.message = Some(Text::clean(text.clone()));
                    }
                }
                return all(DeliveryStatus::Panic);
            }
        };
        let user = (self.who.initgroups).then(|| crate::sys::users::user_by_id(self.who.uid).ok().flatten()).flatten();
        // An unprivileged installation delivers as itself.
        let already =
            crate::sys::ids::geteuid() == self.who.uid && crate::sys::ids::getegid() == self.who.gid && self.who.uid != 0;
        let already = already && crate::sys::ids::getuid() != 0;
        if !already && crate::sys::ids::become_user(self.who.uid, self.who.gid, user.as_ref().map(|u| u.name.as_slice())).is_err()
        {
            let text = format!(
                "unable to set gid={} or uid={} (euid={}): local delivery to {} <{}> transport={}",
                self.who.gid,
                self.who.uid,
                crate::sys::ids::geteuid(),
                batch[0].local_part,
                batch[0].address,
                self.transport.name
            );
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            process::exit_now(1);
        }
        if let Err(e) = std::env::set_current_dir(self.directory.to_path_lossy()) {
            for a in batch.iter_mut() {
                a.failure.basic_errno = e.raw_os_error().unwrap_or(errors::UNKNOWN);
                a.failure.message = Some(Text::clean(format!("failed to chdir to {}", self.directory)));
            }
            return all(DeliveryStatus::Defer);
        }
        ctx.address.home = self.home.clone();
        show(ctx, self.transport);
        let mut job = LocalJob {
            transport: self.transport,
            batch,
            data: d.data.file(),
            uid: self.who.uid,
            gid: self.who.gid,
            home: self.home.clone(),
            directory: self.directory.clone(),
            output: self.output,
            prepared,
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.local.deliver(ctx, &mut job)));
        result.unwrap_or_else(|_| process::exit_now(101))
    }
}

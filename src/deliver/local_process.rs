//! The process that becomes the recipient and runs a local transport: as the user for good, then gone.
//!
//! It takes a batch of one message, or of several messages whose deliveries are for the same user by the same transport and are
//! due at the same moment: a fork and all that it costs is then paid once, and so are the waits for the disk. It is forked while
//! this process has no other thread, from one that is still root, and never used for a second user.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use bstr::{BString, ByteSlice};

use super::local::{Begun, DeliveryStatus, Directories, LocalJob, LocalTransport, Prepared};
use super::state::Delivery;
use super::users::{self, Identity};
use super::wire;
use crate::context::Context;
use crate::log::{self, Which};
use crate::retry::errors;
use crate::route::{self, Address};
use crate::sys::process::{self, Fork, WaitStatus};
use crate::text::Text;
use crate::transports::TransportInstance;

/// Most bytes of one result.
const MAX_RESULT: u64 = 64 << 20;
/// Instead of how long a result took: none has come yet, and from here on nobody knows of any delivery whether it was made.
const IN_DOUBT: u64 = u64::MAX;

/// What is to be run for a batch, as whom, and where.
pub(super) struct What {
    pub(super) transport: Arc<TransportInstance>,
    pub(super) who: Identity,
    pub(super) home: Option<Text>,
    pub(super) directory: BString,
    /// For the output of a command.
    pub(super) output: Option<File>,
    /// It is a shadow transport.
    pub(super) shadowing: bool,
}

/// One batch of one message.
pub(super) struct Part<'m, 'a> {
    pub(super) ctx: &'m mut Context,
    pub(super) d: &'m mut Delivery<'a>,
    pub(super) what: &'m What,
    pub(super) batch: &'m mut [Address],
}

/// What came of a batch: a status for each address, and how long it took in microseconds.
pub(super) struct Report {
    pub(super) statuses: Vec<DeliveryStatus>,
    pub(super) usec: u64,
}

impl Report {
    /// Without a process.
    pub(super) fn at_once(statuses: Vec<DeliveryStatus>) -> Self {
        Report { statuses, usec: 0 }
    }
}

/// A process that is at work on batches, whose results are read in their order.
pub(super) struct Working {
    /// `None`: it could not be started, and the addresses say why.
    process: Option<(File, process::Pid)>,
    /// It has ended before its time.
    lost: bool,
    /// Had it begun with all of them then?
    in_doubt: bool,
}

/// `debug_print`
pub(super) fn show(ctx: &mut Context, transport: &TransportInstance) {
    if let Some(t) = transport.generic.debug_print.get() {
        route::common::debug_print(ctx, "transport", &transport.name, t);
    }
}

/// Starts the process for these batches, all for one user.
pub(super) fn start(parts: &mut [Part<'_, '_>]) -> Working {
    Working { process: fork(parts), lost: false, in_doubt: false }
}

fn fork(parts: &mut [Part<'_, '_>]) -> Option<(File, process::Pid)> {
    let (read, write) = match crate::sys::fd::pipe() {
        Ok(p) => p,
        Err(e) => {
            let text = format!("Creation of pipe failed: {}", crate::sys::error_text(&e));
            parts.iter_mut().for_each(|p| users::note_problem(p.ctx, p.batch, (errors::PIPE_FAIL, text.clone(), true)));
            return None;
        }
    };
    let first = parts.first()?;
    first.ctx.services.hints.close_idle();
    let slow = first.ctx.run.test_harness && !first.ctx.run.no_test_delays;
    match process::fork() {
        Err(e) => {
            for p in parts {
                let text = format!("Fork failed for local delivery to {}: {}", p.batch[0].address, crate::sys::error_text(&e));
                users::note_problem(p.ctx, p.batch, (e.raw_os_error().unwrap_or(errors::UNKNOWN), text, true));
            }
            None
        }
        Ok(Fork::Child) => {
            drop(read);
            serve(parts, write)
        }
        Ok(Fork::Parent(pid)) => {
            drop(write);
            if slow {
                crate::sys::time::sleep_ms(100);
            }
            Some((File::from(read), pid))
        }
    }
}

impl Working {
    /// Waits for the result of the next batch. `None`: the process has not begun with it, and never will.
    pub(super) fn next(&mut self, p: &mut Part<'_, '_>) -> Option<Report> {
        let Some((results, _)) = &mut self.process else {
            return Some(Report::at_once(vec![DeliveryStatus::Panic; p.batch.len()]));
        };
        if self.lost && !self.in_doubt {
            return None;
        }
        let mut result = take(results).filter(|_| !self.lost);
        if result.as_ref().is_some_and(|(usec, _)| *usec == IN_DOUBT) {
            self.in_doubt = true;
            result = take(results);
        }
        let report = result
            .and_then(|(usec, bytes)| wire::decode(&p.ctx.config, &bytes, p.batch).map(|statuses| Report { statuses, usec }));
        if report.is_some() {
            return report;
        }
        self.lost = true;
        for a in p.batch.iter() {
            let text = format!("failed to read delivery status for {} from delivery subprocess", a.unique);
            log::write(p.ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        }
        p.d.keep_journal = true;
        Some(Report::at_once(wire::lost(p.batch, "")))
    }

    /// Waits for its end, after the last result.
    pub(super) fn end(self, ctx: &Context, transport: &TransportInstance) {
        let Some((results, pid)) = self.process else { return };
        // A process that says more than it should must not wait for us to hear it.
        drop(results);
        if let Ok(status) = process::wait(pid) {
            log_end(ctx, transport, status);
        }
    }
}

/// One result as it comes: microseconds, length, bytes.
fn take(from: &mut File) -> Option<(u64, Vec<u8>)> {
    let mut head = [0u8; 16];
    from.read_exact(&mut head).ok()?;
    let (usec, len) = head.split_first_chunk::<8>()?;
    let len = u64::from_le_bytes(len.try_into().ok()?);
    if len > MAX_RESULT {
        return None;
    }
    let mut bytes = Vec::new();
    from.take(len).read_to_end(&mut bytes).ok()?;
    Some((u64::from_le_bytes(*usec), bytes))
}

fn put(to: &mut File, usec: u64, bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(&[&usec.to_le_bytes()[..], &(bytes.len() as u64).to_le_bytes(), bytes].concat())
}

fn log_end(ctx: &Context, transport: &TransportInstance, status: WaitStatus) {
    let (word, code) = match status {
        WaitStatus::Exited(0) => return,
        WaitStatus::Signaled { signal: libc::SIGTERM | libc::SIGKILL | libc::SIGQUIT, .. } => return,
        WaitStatus::Signaled { signal, .. } => ("terminated by signal", signal),
        WaitStatus::Exited(code) => ("exit code", code),
        _ => ("status", status.to_raw()),
    };
    let text =
        format!("{} transport process returned non-zero status 0x{:04x}: {word} {code}", transport.driver_name, status.to_raw());
    log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
}

/// The process: it does not come back.
fn serve(parts: &mut [Part<'_, '_>], report: OwnedFd) -> ! {
    let mut report = File::from(report);
    let prepared = privileged(parts);
    if let Some(first) = parts.first_mut() {
        become_recipient(first);
    }
    let directories = Directories::collected();
    let several = parts.len() > 1;
    let started: Vec<Started> = parts
        .iter_mut()
        .zip(prepared)
        .map(|(p, prepared)| if several { p.begin(prepared, &directories) } else { Started::not_yet(prepared) })
        .collect();
    if started.iter().any(|s| s.begun.is_some()) {
        end_together(parts, started, &directories, &mut report);
    } else {
        for (p, s) in parts.iter_mut().zip(started) {
            let since = s.since;
            let statuses = p.deliver(s, &Directories::default());
            tell(&mut report, p, since, &statuses);
        }
    }
    process::exit_now(0)
}

/// Ends deliveries that have been begun: the disk is waited for twice, not twice for each. Then all results are told.
fn end_together(parts: &mut [Part<'_, '_>], started: Vec<Started>, directories: &Directories, report: &mut File) {
    // From here on each of them may be in its mailbox, whether its result comes through or not.
    if put(report, IN_DOUBT, &[]).is_err() {
        process::exit_now(1);
    }
    let done: Vec<(Instant, Vec<DeliveryStatus>)> =
        parts.iter_mut().zip(started).map(|(p, s)| (s.since, p.deliver(s, directories))).collect();
    let failed = directories.sync_all().err();
    for (p, (since, mut statuses)) in parts.iter_mut().zip(done) {
        if let Some((path, e)) = &failed {
            p.not_durable(&mut statuses, path, e);
        }
        tell(report, p, since, &statuses);
    }
}

/// Tells the result of a batch, or ends.
fn tell(report: &mut File, p: &Part<'_, '_>, since: Instant, statuses: &[DeliveryStatus]) {
    let usec = u64::try_from(since.elapsed().as_micros()).unwrap_or(IN_DOUBT - 1);
    if put(report, usec, &wire::encode(p.batch, statuses)).is_err() {
        process::exit_now(1);
    }
}

/// What comes before privilege is given up; the result of a batch that fails there.
fn privileged(parts: &mut [Part<'_, '_>]) -> Vec<Setup> {
    for s in [libc::SIGINT, libc::SIGTERM, libc::SIGUSR1] {
        let _ = crate::sys::signal::ignore(s);
    }
    let _ = crate::sys::limits::set(crate::sys::limits::Limit::Core, 0, crate::sys::limits::INFINITY);
    // Where root has been given up only for the time being, a delivery needs it for a moment.
    if crate::sys::ids::geteuid() != 0 {
        let _ = crate::sys::ids::seteuid(0);
    }
    parts.iter_mut().map(Part::set_up).collect()
}

/// Gives privilege up for good, or ends.
fn become_recipient(p: &mut Part<'_, '_>) {
    use crate::sys::ids;
    let who = &p.what.who;
    let user = who.initgroups.then(|| crate::sys::users::user_by_id(who.uid).ok().flatten()).flatten();
    // An unprivileged installation delivers as itself.
    p.ctx.services.log.hold(&p.ctx.config.site.log);
    let already = ids::geteuid() == who.uid && ids::getegid() == who.gid && who.uid != 0 && ids::getuid() != 0;
    if !already && ids::become_user(who.uid, who.gid, user.as_ref().map(|u| u.name.as_slice())).is_err() {
        let text = format!(
            "unable to set gid={} or uid={} (euid={}): local delivery to {} <{}> transport={}",
            who.gid,
            who.uid,
            ids::geteuid(),
            p.batch[0].local_part,
            p.batch[0].address,
            p.what.transport.name
        );
        log::write(p.ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        process::exit_now(1);
    }
    let (name, address) = (&p.what.transport.name, &p.batch[0].address);
    users::show_change(p.ctx, format_args!("local delivery to {address} transport={name}"));
}

/// What `setup` gave, or why there is nothing to be done any more.
type Setup = Result<Prepared, Vec<DeliveryStatus>>;

/// A batch that has been begun.
struct Started {
    since: Instant,
    prepared: Setup,
    begun: Begun,
}

impl Started {
    fn not_yet(prepared: Setup) -> Self {
        Started { since: Instant::now(), prepared, begun: None }
    }
}

impl Part<'_, '_> {
    fn set_up(&mut self) -> Result<Prepared, Vec<DeliveryStatus>> {
        let runs = u32::try_from(self.d.runs.saturating_sub(1)).unwrap_or(0);
        self.ctx.services.random.reseed(if self.ctx.run.test_harness { 42 + 2 * runs } else { 0 });
        let transport = &self.what.transport;
        self.ctx.address.transport_name = Some(transport.name.clone());
        self.ctx.address.pipe_addresses = self.batch.iter().map(|a| a.address.clone()).collect();
        let Some(local) = transport.local() else { return Ok(None) };
        local.setup(self.ctx, transport, self.batch).map_err(|text| {
            for a in self.batch.iter_mut() {
                if a.failure.message.is_none() {
                    a.failure.message = Some(Text::clean(text.clone()));
                }
            }
            vec![DeliveryStatus::Panic; self.batch.len()]
        })
    }

    /// Begins with the delivery, if the transport can do that.
    fn begin(&mut self, prepared: Setup, directories: &Directories) -> Started {
        let mut started = Started::not_yet(prepared);
        if let Ok(prepared) = &mut started.prepared {
            let begun = self.with_job(prepared, None, directories, |local, ctx, job| local.begin(ctx, job));
            started.begun = begun.flatten();
        }
        started
    }

    /// Makes the delivery, or ends one that has been begun.
    fn deliver(&mut self, started: Started, directories: &Directories) -> Vec<DeliveryStatus> {
        let mut prepared = match started.prepared {
            Ok(prepared) => prepared,
            Err(statuses) => return statuses,
        };
        show(self.ctx, &self.what.transport);
        self.with_job(&mut prepared, started.begun, directories, |local, ctx, job| local.deliver(ctx, job))
            .unwrap_or_else(|| vec![DeliveryStatus::Defer; self.batch.len()])
    }

    /// Calls the transport, in its directory. `None`: it cannot be called, and the addresses say why.
    fn with_job<R>(
        &mut self,
        prepared: &mut Prepared,
        begun: Begun,
        directories: &Directories,
        call: impl FnOnce(&dyn LocalTransport, &mut Context, &mut LocalJob<'_>) -> R,
    ) -> Option<R> {
        let what = self.what;
        if let Err(e) = std::env::set_current_dir(what.directory.to_path_lossy()) {
            for a in self.batch.iter_mut() {
                a.failure.basic_errno = e.raw_os_error().unwrap_or(errors::UNKNOWN);
                a.failure.message = Some(Text::clean(format!("failed to chdir to {}", what.directory)));
            }
            return None;
        }
        let local = what.transport.local()?;
        self.ctx.address.home = what.home.clone();
        let sent = Cell::new(0);
        let mut job = LocalJob {
            transport: &what.transport,
            batch: &mut *self.batch,
            data: self.d.data.file(),
            uid: what.who.uid,
            gid: what.who.gid,
            home: what.home.clone(),
            directory: what.directory.clone(),
            output: what.output.as_ref(),
            prepared: prepared.take(),
            begun,
            directories,
            sent: &sent,
        };
        let ctx = &mut *self.ctx;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call(local, ctx, &mut job)));
        let result = result.unwrap_or_else(|_| process::exit_now(101));
        *prepared = job.prepared;
        for a in self.batch.iter_mut().filter(|a| a.bytes_sent == 0) {
            a.bytes_sent = sent.get();
        }
        Some(result)
    }

    /// What was delivered may be gone if the machine fails now: it has to be delivered again.
    fn not_durable(&mut self, statuses: &mut [DeliveryStatus], path: &BString, e: &std::io::Error) {
        for (a, status) in self.batch.iter_mut().zip(statuses).filter(|(_, s)| **s == DeliveryStatus::Ok) {
            *status = DeliveryStatus::Defer;
            a.failure.basic_errno = e.raw_os_error().unwrap_or(errors::UNKNOWN);
            a.failure.message = Some(Text::clean(format!("failed to sync {path}")));
        }
    }
}

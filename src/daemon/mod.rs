//! The daemon (`-bd`, `-q<time>`): sockets, workers that receive, the manager of deliveries, queue runs, signals.
//!
//! ```text
//! exim -bd (root)   binds sockets, reads signals, starts queue runs, reaps children; never reads mail
//!  |-- reception worker x N (exim uid, for good)   accepts; one thread for each SMTP connection
//!  |-- delivery manager (root)                     hands messages to ready delivery processes
//!  |    `-- delivery process (root, euid exim)     one message at a time, then the next
//!  `-- queue runner (root, euid exim)              one queue run, then gone
//! ```
//! Workers and manager end when the daemon's end of a pipe closes, however that came about; connections and
//! deliveries that are going on are finished first.

mod admission;
mod children;
pub mod counters;
mod delivery_process;
pub mod handoff;
mod interfaces;
mod manager;
pub mod notifier;
mod pid_file;
mod sockets;
mod threads;
mod ticker;
mod work;
mod worker;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bstr::BString;

use crate::context::Context;
use crate::log::{self, Which};
use crate::sys::{fd, poll, signal};
use crate::tls_openssl::{ContextCache, TicketKeys};
pub use children::{own_command, run_detached, start as start_child};
pub use handoff::{Handoff, queue_delivery};
pub use pid_file::remove_given as remove_pid_file;
pub use threads::Threads;
pub use ticker::Schedule;
pub use work::Work;

/// How the daemon was asked for.
#[derive(Clone, Debug, Default)]
pub struct DaemonOptions {
    /// `-bd`: listen.
    pub listen: bool,
    /// `-bdf`, or debugging: stay in the foreground.
    pub foreground: bool,
    /// `-bw`: standard input is the listening socket; seconds without a connection after which the daemon ends (0: never).
    pub inetd_wait: Option<i64>,
    /// `-q<time>`, perhaps several for named queues.
    pub schedules: Vec<Schedule>,
    /// `-tls-on-connect`: TLS from the first byte on every port.
    pub tls_on_connect: bool,
    /// `-oX`
    pub interfaces: Option<BString>,
    /// `-oP`
    pub pid_file: Option<BString>,
    /// Open the notifier socket: not with `-oY`, nor with `-oX` alone.
    pub notifier: bool,
}

/// The load average in thousandths. In the test harness it rises by ten at each question.
pub fn load_average(ctx: &mut Context) -> i32 {
    if ctx.run.test_harness {
        return ctx.services.random.next_fake_load();
    }
    crate::sys::system::load_average_thousandths().unwrap_or(0)
}

/// Becomes the daemon. Gives the exit status; in the background mode the calling process ends with it at once.
pub fn run(ctx: &mut Context, options: &DaemonOptions) -> i32 {
    match start(ctx, options) {
        Ok(status) => status,
        Err(message) => {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), message.as_bytes());
            eprintln!("exim: {message}");
            1
        }
    }
}

fn start(ctx: &mut Context, options: &DaemonOptions) -> Result<i32, String> {
    let endpoints = if options.listen && options.inetd_wait.is_none() {
        interfaces::endpoints(ctx, options.interfaces.as_deref().map(Vec::as_slice))?
    } else {
        Vec::new()
    };
    let endpoints: Vec<_> =
        endpoints.into_iter().map(|e| interfaces::Endpoint { tls: e.tls || options.tls_on_connect, ..e }).collect();
    let listeners = match options.inetd_wait {
        None => sockets::bind_all(ctx, &endpoints)?,
        Some(_) => vec![sockets::given(options.tls_on_connect)?],
    };
    if !options.foreground && children::detach().map_err(|e| format!("cannot go into the background: {e}"))? {
        return Ok(0);
    }
    let pid_path = pid_file::write(ctx, options)?;
    let purpose = match options.inetd_wait {
        None => format!("{}, {}", ticker::describe(&options.schedules), interfaces::describe(ctx, &listeners)),
        Some(0) => "launched with listening socket, with no wait timeout".into(),
        Some(n) => format!("launched with listening socket, terminating after {n} seconds"),
    };
    let version = crate::version::version();
    let text = format!("exim {version} daemon started: pid={}, {purpose}", std::process::id());
    log::write(ctx, None, Which::MAIN, text.as_bytes());
    crate::sys::procinfo::set(format!("daemon({version}): {purpose}").as_bytes());
    ticket_keys(ctx)?;
    keep_spare_files(ctx, &listeners);
    let mut daemon = Daemon::new(ctx, listeners, options).map_err(|e| format!("daemon: {e}"))?;
    let end = daemon.serve(ctx);
    drop(daemon);
    ctx.services.spool.drop_spares();
    pid_file::remove(&pid_path);
    match end {
        End::Stopped => Ok(0),
        End::Idle => {
            let text = format!("exim {version} daemon terminating, inetd wait timeout reached.");
            log::write(ctx, None, Which::MAIN, text.as_bytes());
            Ok(0)
        }
        End::Restart => Err(format!("re-exec of {} failed: {}", ctx.run.exim_path, children::exec_again(ctx))),
    }
}

/// Makes the keys of session tickets, which all workers share: before the first is forked.
fn ticket_keys(ctx: &mut Context) -> Result<(), String> {
    if ctx.config.main.tls_resumption_hosts.is_set() {
        let life = crate::smtp_in::starttls::ticket_lifetime(ctx.run.test_harness);
        let keys = TicketKeys::new(life).map_err(|e| format!("keys for TLS session tickets: {e}"))?;
        ctx.services.tls = Arc::new(ContextCache::new(Some(Arc::new(keys))));
    }
    Ok(())
}

/// The daemon's processes keep files of finished messages for new ones; not where a `queuefile` transport links them to a place
/// that we know nothing of.
fn keep_spare_files(ctx: &mut Context, listeners: &[sockets::Listener]) {
    let linked = ctx.config.transports.iter().any(|t| t.driver_name == "queuefile");
    if listeners.is_empty() || linked {
        return;
    }
    match crate::spool::Spool::with_spares(&ctx.config) {
        Ok(spool) => ctx.services.spool = Arc::new(spool),
        Err(e) => log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes()),
    }
}

enum End {
    /// SIGTERM or SIGINT.
    Stopped,
    /// SIGHUP.
    Restart,
    /// Nobody has connected for as long as `-bw` says.
    Idle,
}

/// A pipe that nobody writes to: when the daemon's end closes, the others see that it is gone.
pub(crate) struct Life {
    watched: OwnedFd,
    held: Mutex<Option<OwnedFd>>,
}

impl Life {
    fn new() -> io::Result<Self> {
        let (watched, held) = fd::pipe()?;
        Ok(Life { watched, held: Mutex::new(Some(held)) })
    }

    /// In a child: lets go of its copy of the daemon's end.
    fn leave(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Becomes readable when the daemon is gone.
    fn watched(&self) -> BorrowedFd<'_> {
        self.watched.as_fd()
    }
}

/// The running daemon.
struct Daemon {
    wake: OwnedFd,
    /// Closed when we end: workers and manager read its other end.
    life: Life,
    listeners: Vec<sockets::Listener>,
    handoff: handoff::Ends,
    counters: counters::Counters,
    workers: Vec<i32>,
    manager: Option<i32>,
    ticker: ticker::Ticker,
    idle: Option<Idle>,
    notifier: Option<notifier::Notifier>,
}

/// `-bw<time>`
struct Idle {
    limit: i64,
    started: i64,
}

impl Idle {
    /// Seconds that are left; `None`: it has been long enough.
    fn left(&self, counters: &counters::Counters) -> Option<u64> {
        let now = crate::sys::time::unix_time();
        let last = if counters.connections() > 0 { now } else { counters.last_entry().max(self.started) };
        u64::try_from(last + self.limit - now).ok().filter(|n| *n > 0)
    }
}

impl Daemon {
    fn new(ctx: &mut Context, listeners: Vec<sockets::Listener>, options: &DaemonOptions) -> io::Result<Self> {
        let wake = signal::wake_pipe()?;
        for s in [signal::SIGHUP, signal::SIGTERM, signal::SIGINT, signal::SIGCHLD] {
            signal::catch(s, false)?;
        }
        Ok(Daemon {
            wake,
            life: Life::new()?,
            listeners,
            handoff: handoff::Ends::new()?,
            counters: counters::Counters::new(ctx)?,
            workers: Vec::new(),
            manager: None,
            ticker: ticker::Ticker::new(options.schedules.clone()),
            notifier: notifier::Notifier::open(ctx, options),
            idle: options
                .inetd_wait
                .filter(|limit| *limit > 0)
                .map(|limit| Idle { limit, started: crate::sys::time::unix_time() }),
        })
    }

    /// Keeps everything going until a signal says otherwise.
    fn serve(&mut self, ctx: &mut Context) -> End {
        let mut not_before = Instant::now();
        loop {
            // A child that dies at once must not make us fork without pause.
            if Instant::now() >= not_before && self.fill_up(ctx) {
                not_before = Instant::now() + Duration::from_millis(200);
            }
            // A runner would keep the ports busy after the end of the daemon.
            self.ticker.start_due(ctx, &self.counters, &mut || {
                self.listeners.clear();
                self.notifier = None;
            });
            let missing = !self.listeners.is_empty() && (self.manager.is_none() || self.workers.len() < worker::count(ctx));
            // Workers forked later must not get what old ticket keys could be made from.
            let turn = ctx.services.tls.turn_keys().map(|period| Instant::now() + period);
            let idle = match self.idle.as_ref().map(|i| i.left(&self.counters)) {
                Some(None) => return End::Idle,
                other => other.flatten().map(|seconds| Instant::now() + Duration::from_secs(seconds)),
            };
            let deadline = [self.ticker.next(), missing.then_some(not_before), turn, idle].into_iter().flatten().min();
            let mut watches = vec![poll::Watch::read(self.wake.as_fd())];
            watches.extend(self.notifier.as_ref().map(|n| poll::Watch::read(n.fd())));
            let _ = poll::poll_interruptible(&mut watches, deadline);
            let asked = watches.get(1).is_some_and(|w| w.readable);
            if let Some(notifier) = self.notifier.as_mut().filter(|_| asked) {
                notifier.answer(ctx);
            }
            let mut drain = [0u8; 64];
            while fd::read(self.wake.as_fd(), &mut drain).is_ok_and(|n| n > 0) {}
            if signal::taken(signal::SIGTERM) || signal::taken(signal::SIGINT) {
                return End::Stopped;
            }
            if signal::taken(signal::SIGHUP) {
                log::write(
                    ctx,
                    None,
                    Which::MAIN,
                    format!("pid {}: SIGHUP received: re-exec daemon", std::process::id()).as_bytes(),
                );
                return End::Restart;
            }
            if signal::taken(signal::SIGCHLD) {
                self.reap(ctx);
            }
        }
    }

    /// Starts what is missing; true if something was.
    fn fill_up(&mut self, ctx: &mut Context) -> bool {
        if self.listeners.is_empty() {
            return false;
        }
        let mut started = false;
        if self.manager.is_none() {
            self.manager = children::start(ctx, "delivery manager", |ctx| {
                // It would keep the ports busy after the end of the daemon.
                self.listeners.clear();
                self.notifier = None;
                manager::run(ctx, &self.handoff, &self.life)
            });
            started = true;
        }
        while self.workers.len() < worker::count(ctx) {
            match children::start(ctx, "reception worker", |ctx| {
                self.notifier = None;
                worker::run(ctx, std::mem::take(&mut self.listeners), &self.handoff, &self.counters, &self.life)
            }) {
                Some(pid) => self.workers.push(pid),
                None => break,
            }
            started = true;
        }
        started
    }

    fn reap(&mut self, ctx: &mut Context) {
        while let Ok(Some((pid, status))) = crate::sys::process::waitpid(-1, false) {
            if self.ticker.ended(pid, &self.counters) {
                continue;
            }
            let what = if self.manager == Some(pid) {
                self.manager = None;
                "delivery manager"
            } else if let Some(i) = self.workers.iter().position(|w| *w == pid) {
                self.workers.remove(i);
                self.counters.worker_gone(pid);
                "reception worker"
            } else {
                continue;
            };
            if !status.success() {
                log::write(
                    ctx,
                    None,
                    Which::MAIN.and(Which::PANIC),
                    format!("{what} {pid} ended: {status:?}; starting another").as_bytes(),
                );
            }
        }
    }
}

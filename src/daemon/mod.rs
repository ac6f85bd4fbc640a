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

mod children;
pub mod counters;
pub mod handoff;
mod interfaces;
mod manager;
mod pid_file;
mod sockets;
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
pub use children::{own_command, run_detached};
pub use handoff::{Handoff, queue_delivery};
pub use ticker::Schedule;
pub use work::Work;

/// How the daemon was asked for.
#[derive(Clone, Debug, Default)]
pub struct DaemonOptions {
    /// `-bd`: listen.
    pub listen: bool,
    /// `-bdf`, or debugging: stay in the foreground.
    pub foreground: bool,
    /// `-q<time>`, perhaps several for named queues.
    pub schedules: Vec<Schedule>,
    /// `-tls-on-connect`: TLS from the first byte on every port.
    pub tls_on_connect: bool,
    /// `-oX`
    pub interfaces: Option<BString>,
    /// `-oP`
    pub pid_file: Option<BString>,
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
    let endpoints =
        if options.listen { interfaces::endpoints(ctx, options.interfaces.as_deref().map(Vec::as_slice))? } else { Vec::new() };
    let endpoints: Vec<_> =
        endpoints.into_iter().map(|e| interfaces::Endpoint { tls: e.tls || options.tls_on_connect, ..e }).collect();
    let listeners = sockets::bind_all(ctx, &endpoints)?;
    if !options.foreground && children::detach().map_err(|e| format!("cannot go into the background: {e}"))? {
        return Ok(0);
    }
    let pid_path = pid_file::write(ctx, options)?;
    let text = format!(
        "exim {} daemon started: pid={}, {}, {}",
        crate::version::version(),
        std::process::id(),
        ticker::describe(&options.schedules),
        interfaces::describe(ctx, &listeners)
    );
    log::write(ctx, None, Which::MAIN, text.as_bytes());
    crate::sys::procinfo::set(
        format!(
            "daemon({}): {}, {}",
            crate::version::version(),
            ticker::describe(&options.schedules),
            interfaces::describe(ctx, &listeners)
        )
        .as_bytes(),
    );
    ticket_keys(ctx)?;
    let mut daemon = Daemon::new(ctx, listeners, options).map_err(|e| format!("daemon: {e}"))?;
    let end = daemon.serve(ctx);
    drop(daemon);
    pid_file::remove(&pid_path);
    match end {
        End::Stopped => Ok(0),
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

enum End {
    /// SIGTERM or SIGINT.
    Stopped,
    /// SIGHUP.
    Restart,
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
            self.ticker.start_due(ctx, &self.counters);
            let missing = !self.listeners.is_empty() && (self.manager.is_none() || self.workers.len() < worker::count(ctx));
            // Workers forked later must not get what old ticket keys could be made from.
            let turn = ctx.services.tls.turn_keys().map(|period| Instant::now() + period);
            let deadline = [self.ticker.next(), missing.then_some(not_before), turn].into_iter().flatten().min();
            let mut watches = [poll::Watch::read(self.wake.as_fd())];
            let _ = poll::poll_interruptible(&mut watches, deadline);
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
            self.manager = children::start(ctx, "delivery manager", |ctx| manager::run(ctx, &self.handoff, &self.life));
            started = true;
        }
        while self.workers.len() < worker::count(ctx) {
            match children::start(ctx, "reception worker", |ctx| {
                worker::run(ctx, &self.listeners, &self.handoff, &self.counters, &self.life)
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

//! The delivery manager: takes messages from the workers and gives them to ready delivery processes.
//!
//! It has one thread, so that deliveries can fork and change users. It never touches a message itself.
//!
//! Few processes are kept busy at a time with deliveries to files; what comes meanwhile waits, and is then handed over together,
//! which costs less than one by one. Deliveries of other kinds have a process each, and more of them go on at a time. A process that
//! has been at it for long ([`Process::slice`]) waits for something other than the processor: it does not count, so that slow disks
//! and hosts keep nobody waiting.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::Life;
use super::delivery_process::{self, Answer};
use super::handoff::{Ends, Job};
use crate::context::Context;
use crate::sys::process::{kill, waitpid};
use crate::sys::unix::{self, Kind};
use crate::sys::{poll, signal};

/// Most delivery processes at once.
const MAX_PROCESSES: usize = 100;
/// Records after which a process is replaced.
const MAX_RECORDS: u32 = 500;
/// Messages that wait here for a process; further ones are left to the next queue run.
const MAX_WAITING: usize = 100_000;
/// How long a process counts as one that uses the processor: with deliveries to files, and with others.
const SLICE_TOGETHER: Duration = Duration::from_millis(20);
const SLICE_ALONE: Duration = Duration::from_secs(1);
/// Most processes that count, with deliveries of other kinds.
const MAX_ALONE: usize = 24;
/// Processes that have had nothing to do for so long go, all but [`SPARE`] of them.
const IDLE: Duration = Duration::from_secs(60);
const SPARE: usize = 4;
/// How soon it is tried again to start a process, when that did not work.
const RETRY: Duration = Duration::from_secs(1);

struct Process {
    pid: i32,
    socket: OwnedFd,
    /// What it has in hand.
    jobs: Vec<Waiting>,
    /// When it got that, or when it had done with the last.
    since: Instant,
    records: u32,
    /// It may be given several at once.
    together: bool,
}

impl Process {
    fn busy(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// How long it counts as one that uses the processor.
    fn slice(&self) -> Duration {
        if self.together { SLICE_TOGETHER } else { SLICE_ALONE }
    }
}

/// A job, and the descriptor whose closing tells that it is over.
type Waiting = (Job, Option<OwnedFd>);

struct Manager {
    pool: Vec<Process>,
    waiting: VecDeque<Waiting>,
    processors: usize,
}

/// Runs until the daemon is gone. Gives the exit status.
pub fn run(ctx: &mut Context, ends: &Ends, life: &Life) -> i32 {
    life.leave();
    crate::sys::procinfo::set(b"delivery manager");
    let _ = signal::ignore(signal::SIGHUP);
    let processors = crate::sys::system::processors().clamp(1, 16);
    let mut m = Manager { pool: Vec::new(), waiting: VecDeque::new(), processors };
    let mut alone = false;
    loop {
        let deadline = m.deadline();
        let ready = {
            let mut watches = vec![poll::Watch::read(ends.take.as_fd())];
            watches.extend(m.pool.iter().map(|p| poll::Watch::read(p.socket.as_fd())));
            if !alone {
                watches.push(poll::Watch::read(life.watched()));
            }
            if poll::poll(&mut watches, deadline).is_err() {
                continue;
            }
            watches.iter().map(|w| w.readable || w.hangup).collect::<Vec<bool>>()
        };
        alone |= ready.len() > m.pool.len() + 1 && ready[m.pool.len() + 1];
        for i in (0..m.pool.len()).filter(|i| ready[1 + i]) {
            m.answer(i);
        }
        m.tidy();
        while let Ok(Some(_)) = waitpid(-1, false) {}
        let took = ready[0] && m.take(ends);
        m.dispatch(ctx);
        // The daemon is gone; what the workers had handed over by then goes on to processes, which finish it.
        if alone && !took && m.waiting.is_empty() {
            return 0;
        }
    }
}

impl Manager {
    /// When there is something to do though nobody says anything.
    fn deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        if !self.waiting.is_empty() {
            let slices = self.pool.iter().filter(|p| p.busy()).map(|p| p.since + p.slice());
            // There may be as many processes as there can be, or none could be made: somebody will answer, or it is tried again.
            return slices.filter(|end| *end > now).min().or(Some(now + RETRY));
        }
        (self.pool.len() > SPARE).then(|| now + IDLE)
    }

    /// A process has finished, gives something back, or is gone.
    fn answer(&mut self, i: usize) {
        let p = &mut self.pool[i];
        let mut buf = [0u8; 8];
        let answer = match unix::recv(p.socket.as_fd(), &mut buf) {
            Ok((n, _)) => Answer::decode(&buf[..n]),
            Err(_) => None,
        };
        match answer {
            Some(Answer::Keeps(n)) => {
                for back in p.jobs.drain(n.min(p.jobs.len())..).rev() {
                    self.waiting.push_front(back);
                }
            }
            Some(Answer::Done { together }) => {
                p.jobs.clear();
                p.since = Instant::now();
                p.together = together;
                p.records += 1;
                if p.records >= MAX_RECORDS {
                    p.pid = 0;
                }
            }
            None => p.pid = 0,
        }
    }

    /// Lets go of processes that are gone, have served long, or are not needed any more: they see their socket close.
    fn tidy(&mut self) {
        let now = Instant::now();
        let mut n = 0;
        self.pool.retain(|p| {
            let idle = !p.busy() && now.duration_since(p.since) >= IDLE;
            let stays = p.pid != 0 && !(idle && n >= SPARE);
            n += usize::from(stays);
            stays
        });
    }

    /// Reads what the workers say; true if there was something.
    fn take(&mut self, ends: &Ends) -> bool {
        let mut took = false;
        for _ in 0..64 {
            let mut buf = [0u8; 1024];
            let Ok((n @ 1.., mut fds)) = unix::recv(ends.take.as_fd(), &mut buf) else { break };
            took = true;
            if let Some(job) = Job::decode(&buf[..n])
                && self.waiting.len() < MAX_WAITING
            {
                self.waiting.push_back((job, fds.pop()));
            }
            if !poll::readable_now(ends.take.as_fd()).unwrap_or(false) {
                break;
            }
        }
        took
    }

    /// Gives what waits to processes, as far as that is wise now.
    fn dispatch(&mut self, ctx: &mut Context) {
        while !self.waiting.is_empty() {
            let working = || self.pool.iter().filter(|p| p.busy() && p.since.elapsed() < p.slice());
            let (together, all) = (working().filter(|p| p.together).count(), working().count());
            // Half of the processors are for those that receive.
            if together >= self.processors.div_ceil(2) || all >= MAX_ALONE {
                return;
            }
            let Some(i) = self.idle(ctx) else { return };
            let most = if self.pool[i].together { delivery_process::MOST } else { 1 };
            self.give(i, most);
        }
    }

    /// A process that has nothing to do; a new one if there may be more.
    fn idle(&mut self, ctx: &mut Context) -> Option<usize> {
        // Those without a number have gone, and are tidied away in the next round.
        if let Some(i) = self.pool.iter().position(|p| !p.busy() && p.pid != 0) {
            return Some(i);
        }
        if self.pool.len() >= MAX_PROCESSES {
            return None;
        }
        let (ours, theirs) = unix::pair(Kind::SeqPacket).ok()?;
        let mut ours = Some(ours);
        let pid = super::children::start(ctx, "delivery process", |ctx| {
            // The child must not hold the manager's ends: they tell it that the manager is gone.
            self.pool.clear();
            self.waiting.clear();
            ours.take();
            super::children::as_deliverer(ctx, |ctx| delivery_process::serve(ctx, &theirs))
        })?;
        let p = Process { pid, socket: ours?, jobs: Vec::new(), since: Instant::now(), records: 0, together: false };
        self.pool.push(p);
        Some(self.pool.len() - 1)
    }

    /// Hands over so many at most. One that somebody waits for goes alone.
    fn give(&mut self, i: usize, most: usize) {
        let mut jobs: Vec<Waiting> = Vec::new();
        while jobs.len() < most
            && let Some(next) = self.waiting.pop_front()
        {
            if next.1.is_some() && !jobs.is_empty() {
                self.waiting.push_front(next);
                break;
            }
            let alone = next.1.is_some();
            jobs.push(next);
            if alone {
                break;
            }
        }
        let fds: Vec<OwnedFd> = jobs.iter_mut().filter_map(|j| j.1.take()).collect();
        let borrowed: Vec<_> = fds.iter().map(|f| f.as_fd()).collect();
        let p = &mut self.pool[i];
        if unix::send(p.socket.as_fd(), &delivery_process::encode(jobs.iter().map(|j| &j.0)), &borrowed).is_err() {
            let _ = kill(p.pid, signal::SIGTERM);
            p.pid = 0;
            jobs.into_iter().rev().for_each(|job| self.waiting.push_front(job));
            return;
        }
        p.jobs = jobs;
        p.since = Instant::now();
    }
}

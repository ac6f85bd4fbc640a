//! The delivery manager: takes messages from the workers and gives each to a ready delivery process.
//!
//! It has one thread, so that deliveries can fork and change users. It never touches a message itself.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Life;
use super::handoff::{Ends, Job};
use crate::context::Context;
use crate::deliver::deliver_message;
use crate::log::{self, Which};
use crate::sys::process::{exit_now, kill, waitpid};
use crate::sys::unix::{self, Kind};
use crate::sys::{poll, signal};

/// Most delivery processes at once.
const MAX_PROCESSES: usize = 24;
/// Deliveries after which a process is replaced.
const MAX_DELIVERIES: u32 = 500;
/// Messages that wait here for a process; further ones are left to the next queue run.
const MAX_WAITING: usize = 100_000;

struct Process {
    pid: i32,
    socket: OwnedFd,
    busy: bool,
    done: u32,
}

/// A job, and the descriptor whose closing tells that it is over.
type Waiting = (Job, Option<OwnedFd>);

/// Runs until the daemon is gone. Gives the exit status.
pub fn run(ctx: &mut Context, ends: &Ends, life: &Life) -> i32 {
    life.leave();
    crate::sys::procinfo::set(b"delivery manager");
    let _ = signal::ignore(signal::SIGHUP);
    let mut pool: Vec<Process> = Vec::new();
    let mut waiting: VecDeque<Waiting> = VecDeque::new();
    loop {
        let ready = {
            let mut watches = vec![poll::Watch::read(life.watched()), poll::Watch::read(ends.take.as_fd())];
            watches.extend(pool.iter().map(|p| poll::Watch::read(p.socket.as_fd())));
            if poll::poll(&mut watches, None).is_err() {
                continue;
            }
            watches.iter().map(|w| w.readable || w.hangup).collect::<Vec<bool>>()
        };
        for (process, readable) in pool.iter_mut().zip(&ready[2..]) {
            if *readable {
                answer(process);
            }
        }
        pool.retain(|p| p.pid != 0);
        while let Ok(Some(_)) = waitpid(-1, false) {}
        let mut took = false;
        if ready[1] {
            let mut buf = [0u8; 1024];
            let got = unix::recv(ends.take.as_fd(), &mut buf);
            took = matches!(got, Ok((n, _)) if n > 0);
            if let Ok((n, mut fds)) = got
                && let Some(job) = Job::decode(&buf[..n])
                && waiting.len() < MAX_WAITING
            {
                waiting.push_back((job, fds.pop()));
            }
        }
        while let Some(next) = waiting.pop_front() {
            match idle(ctx, &mut pool) {
                Some(i) => give(&mut pool[i], &next),
                None => {
                    waiting.push_front(next);
                    break;
                }
            }
        }
        // The daemon is gone; what the workers had handed over by then has gone on to processes, which finish it.
        if ready[0] && !took {
            return 0;
        }
    }
}

/// A process has finished, or is gone.
fn answer(p: &mut Process) {
    let mut buf = [0u8; 8];
    match unix::recv(p.socket.as_fd(), &mut buf) {
        Ok((n, _)) if n > 0 => {
            p.busy = false;
            p.done += 1;
            if p.done >= MAX_DELIVERIES {
                p.pid = 0;
            }
        }
        _ => p.pid = 0,
    }
}

/// A process that has nothing to do; a new one if there may be more.
fn idle(ctx: &mut Context, pool: &mut Vec<Process>) -> Option<usize> {
    if let Some(i) = pool.iter().position(|p| !p.busy) {
        return Some(i);
    }
    if pool.len() >= MAX_PROCESSES {
        return None;
    }
    let (ours, theirs) = unix::pair(Kind::SeqPacket).ok()?;
    let mut ours = Some(ours);
    let pid = super::children::start(ctx, "delivery process", |ctx| {
        // The child must not hold the manager's ends: they tell it that the manager is gone.
        pool.clear();
        ours.take();
        serve(ctx, &theirs)
    })?;
    pool.push(Process { pid, socket: ours?, busy: false, done: 0 });
    Some(pool.len() - 1)
}

fn give(p: &mut Process, next: &Waiting) {
    let fds: Vec<_> = next.1.iter().map(|f| f.as_fd()).collect();
    if unix::send(p.socket.as_fd(), &next.0.encode(), &fds).is_err() {
        let _ = kill(p.pid, signal::SIGTERM);
        p.pid = 0;
        return;
    }
    p.busy = true;
}

/// A delivery process: one message after the other.
fn serve(ctx: &mut Context, socket: &OwnedFd) -> i32 {
    crate::sys::procinfo::set(b"delivery process, waiting");
    let mut buf = [0u8; 1024];
    loop {
        let (n, fds) = match unix::recv(socket.as_fd(), &mut buf) {
            Ok((n, fds)) if n > 0 => (n, fds),
            _ => return 0,
        };
        if let Some(job) = Job::decode(&buf[..n]) {
            let mut own = Context::new(ctx.config.clone(), ctx.run.clone(), ctx.services.clone());
            let result = catch_unwind(AssertUnwindSafe(|| deliver_message(&mut own, &job.id, &job.options())));
            if result.is_err() {
                log::write(
                    ctx,
                    None,
                    Which::MAIN.and(Which::PANIC),
                    format!("internal error while delivering {}", job.id).as_bytes(),
                );
                // What a fault left behind is unknown: another process goes on.
                exit_now(1);
            }
        }
        drop(fds);
        if unix::send(socket.as_fd(), b"d", &[]).is_err() {
            return 0;
        }
    }
}

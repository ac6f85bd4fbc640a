//! A delivery process: delivers the messages that the manager hands to it, for as long as the manager is there.
//!
//! It is given one message, or several that wait when it has shown that what it gets can be delivered together. It answers
//! with one byte for what it does next, and the number of messages that this is about.

use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::handoff::Job;
use crate::context::Context;
use crate::deliver::{Wanted, deliver_several};
use crate::log::{self, Which};
use crate::sys::process::exit_now;
use crate::sys::{poll, unix};

/// Most messages at a time.
pub(super) const MOST: usize = 16;
/// Without work for so long, it lets go of what it keeps open.
const QUIET: Duration = Duration::from_secs(1);
/// A record of so many jobs fits: queue names are file names.
const BUFFER: usize = MOST * 512;

/// What a delivery process says to the manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has dealt with everything that it kept; the next ones may come together, or should come singly.
    Done { together: bool },
    /// It keeps only so many: the others have to be given to another process.
    Keeps(usize),
}

impl Answer {
    fn encode(self) -> [u8; 2] {
        match self {
            Answer::Done { together } => [b'd', u8::from(together)],
            Answer::Keeps(n) => [b'k', u8::try_from(n).unwrap_or(u8::MAX)],
        }
    }

    /// The other way; `None` if it is not one.
    pub(super) fn decode(record: &[u8]) -> Option<Self> {
        match record {
            [b'd', together] => Some(Answer::Done { together: *together == 1 }),
            [b'k', n] => Some(Answer::Keeps(usize::from(*n))),
            _ => None,
        }
    }
}

/// The record that hands jobs over: each with its length before it.
pub(super) fn encode<'a>(jobs: impl Iterator<Item = &'a Job>) -> Vec<u8> {
    let mut out = Vec::new();
    for job in jobs {
        let record = job.encode();
        out.extend_from_slice(&u16::try_from(record.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(&record);
    }
    out
}

fn decode(mut record: &[u8]) -> Vec<Job> {
    let mut jobs = Vec::new();
    while let Some((len, rest)) = record.split_first_chunk::<2>() {
        let Some((one, rest)) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len))) else { break };
        jobs.extend(Job::decode(one));
        record = rest;
    }
    jobs
}

/// One record after the other. Gives the exit status.
pub(super) fn serve(ctx: &mut Context, socket: &OwnedFd) -> i32 {
    let mut buf = [0u8; BUFFER];
    loop {
        crate::sys::procinfo::set(b"delivery process, waiting");
        if !poll::wait_readable(socket.as_fd(), Some(Instant::now() + QUIET)).unwrap_or(true) {
            // Nothing of ours may keep others, or other users, from the hints for long.
            ctx.services.hints.close_idle();
        }
        let (n, fds) = match unix::recv(socket.as_fd(), &mut buf) {
            Ok((n, fds)) if n > 0 => (n, fds),
            _ => return 0,
        };
        let jobs = decode(&buf[..n]);
        let wanted: Vec<Wanted> = jobs.iter().map(|j| Wanted { id: j.id.clone(), options: j.options() }).collect();
        let give_back = |kept: usize| drop(unix::send(socket.as_fd(), &Answer::Keeps(kept).encode(), &[]));
        let result = catch_unwind(AssertUnwindSafe(|| deliver_several(ctx, &wanted, give_back)));
        let Ok(together) = result else {
            let ids: Vec<String> = jobs.iter().map(|j| j.id.to_string()).collect();
            let text = format!("internal error while delivering {}", ids.join(" or "));
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            // What a fault left behind is unknown: another process goes on.
            exit_now(1);
        };
        // Whoever waits for the delivery sees it close.
        drop(fds);
        if unix::send(socket.as_fd(), &Answer::Done { together }.encode(), &[]).is_err() {
            return 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_answers_cross_the_socket() {
        let job = |id: &str| Job { queue_name: "q".into(), id: id.into(), queue_smtp: false };
        let jobs = vec![job("1aBcDe-00000000001-0000"), job("1aBcDe-00000000002-0000")];
        let record = encode(jobs.iter());
        assert_eq!(decode(&record), jobs);
        for cut in 0..record.len() {
            assert!(decode(&record[..cut]).len() < 2);
        }
        for a in [Answer::Done { together: true }, Answer::Done { together: false }, Answer::Keeps(3)] {
            assert_eq!(Answer::decode(&a.encode()), Some(a));
        }
        assert_eq!(Answer::decode(b""), None);
    }
}

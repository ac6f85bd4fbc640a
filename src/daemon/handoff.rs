//! Handing a message over for delivery.
//!
//! A worker sends the queue's name and the message's id to the delivery manager over one socket; nothing else, so it
//! can ask for nothing that the Exim user could not. A process without a manager forks a delivery of its own.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use crate::context::Context;
use crate::deliver::{Continued, DeliverOptions, DeliverOutcome, deliver_message};
use crate::log::{self, Which};
use crate::spool::is_message_id;
use crate::sys::process::{Fork, exit_now, fork, wait};
use crate::sys::unix::{self, Kind};
use crate::sys::{fd, poll};
use crate::verify::cutthrough;

/// The two ends of the socket: workers write to the first, the manager reads the second.
#[derive(Debug)]
pub struct Ends {
    /// For workers.
    pub ask: Arc<OwnedFd>,
    /// For the manager.
    pub take: OwnedFd,
}

impl Ends {
    /// A new pair.
    pub fn new() -> io::Result<Self> {
        let (ask, take) = unix::pair(Kind::SeqPacket)?;
        Ok(Ends { ask: Arc::new(ask), take })
    }
}

/// Who delivers for this process.
#[derive(Clone, Debug, Default)]
pub enum Handoff {
    /// A child of this process.
    #[default]
    Fork,
    /// The delivery manager of the daemon.
    Manager(Arc<OwnedFd>),
}

/// When the delivery is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Now, and we wait for it (`-odi`, `-odf`).
    Wait,
    /// Now, without waiting (`-odb`).
    Background,
}

/// A message to be delivered, as it goes over the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The queue; empty is the default one.
    pub queue_name: BString,
    /// The message.
    pub id: BString,
    /// Route only: remote deliveries wait (`-odqs`, `queue_smtp`).
    pub queue_smtp: bool,
}

impl Job {
    /// The record: `S` or `-`, queue name, NUL, id.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![if self.queue_smtp { b'S' } else { b'-' }];
        out.extend_from_slice(&self.queue_name);
        out.push(0);
        out.extend_from_slice(&self.id);
        out
    }

    /// The other way; `None` if it is not one.
    pub fn decode(record: &[u8]) -> Option<Self> {
        let (flag, rest) = record.split_first()?;
        let nul = rest.find_byte(0)?;
        let (queue_name, id) = (&rest[..nul], &rest[nul + 1..]);
        let good = matches!(flag, b'S' | b'-') && is_message_id(id) && !queue_name.contains(&b'/');
        good.then(|| Job { queue_name: queue_name.into(), id: id.into(), queue_smtp: *flag == b'S' })
    }

    /// How `deliver_message` is asked.
    pub fn options(&self) -> DeliverOptions {
        DeliverOptions { queue_name: self.queue_name.clone(), queue_smtp: self.queue_smtp, ..DeliverOptions::default() }
    }
}

/// Starts the delivery of a message that is safely on the queue. Trouble is logged, and leaves it there. False: the
/// message is not delivered, and with `mua_wrapper` that is all that becomes of it.
pub fn queue_delivery(ctx: &mut Context, id: &[u8], when: When) -> bool {
    let job = Job { queue_name: ctx.message.queue_name.clone(), id: id.into(), queue_smtp: ctx.message.queue_smtp };
    let result = match ctx.services.handoff.clone() {
        Handoff::Manager(socket) => {
            // A connection left by a callout cannot go there.
            cutthrough::end(ctx, "delivery elsewhere");
            ask_manager(&socket, &job, when).map(|()| true)
        }
        Handoff::Fork => fork_delivery(ctx, &job, when),
    };
    result.unwrap_or_else(|e| {
        let text = format!("delivery process not started, message stays on the queue: {}", crate::sys::error_text(&e));
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        false
    })
}

fn ask_manager(socket: &OwnedFd, job: &Job, when: When) -> io::Result<()> {
    if when == When::Background {
        return unix::send(socket.as_fd(), &job.encode(), &[]);
    }
    let (ours, theirs) = fd::pipe()?;
    unix::send(socket.as_fd(), &job.encode(), &[theirs.as_fd()])?;
    drop(theirs);
    // Whoever has the other end lets it go when the delivery is over.
    poll::wait_readable(ours.as_fd(), None)?;
    Ok(())
}

/// A child that delivers. It is a grandchild if nobody waits, so that it leaves no zombie.
fn fork_delivery(ctx: &mut Context, job: &Job, when: When) -> io::Result<bool> {
    ctx.services.hints.close_idle();
    let continued = cutthrough::for_delivery(ctx);
    match fork()? {
        Fork::Child => {
            if when == When::Background {
                let _ = crate::sys::process::setsid();
                match fork() {
                    Ok(Fork::Child) => {
                        // A caller that reads our output to its end must not wait for the delivery.
                        if !ctx.run.verbose {
                            let _ = super::children::null_standard_descriptors();
                        }
                    }
                    _ => exit_now(0),
                }
            }
            let mut own = Context::new(ctx.config.clone(), ctx.run.clone(), ctx.services.clone());
            let options = DeliverOptions { continued, ..job.options() };
            let outcome = deliver_message(&mut own, &job.id, &options);
            if let Some(mut unused) = options.continued.as_ref().and_then(Continued::take) {
                unused.client.quit();
            }
            exit_now(i32::from(outcome == DeliverOutcome::MuaFailed));
        }
        Fork::Parent(pid) => {
            // The connection is the child's.
            drop(continued);
            if ctx.run.test_harness && !ctx.run.no_test_delays {
                crate::sys::time::sleep_ms(100);
            }
            wait(pid).map(|status| status.success())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_cross_the_socket() {
        let job = Job { queue_name: "q".into(), id: "1aBcDe-00000000001-0000".into(), queue_smtp: true };
        assert_eq!(Job::decode(&job.encode()), Some(job));
        assert_eq!(Job::decode(b"-../x\x001aBcDe-00000000001-0000"), None);
        assert_eq!(Job::decode(b"-\0../../etc/passwd"), None);
        assert_eq!(Job::decode(b""), None);
    }
}

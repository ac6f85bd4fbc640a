//! The daemon's notifier socket (option `notifier_socket`, `-oY`): who connects is told how many messages are queued, which is what
//! `$queue_size` shows. Nothing is read from who connects, so nobody can hold the daemon up.
//!
//! The name is an abstract one, with the expanded option after the NUL: there is no file to clean up. Anybody could take such a name
//! first; hence an answer counts only if it comes from root, the Exim user, or ourselves.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use bstr::BString;

use super::DaemonOptions;
use crate::context::Context;
use crate::expand::expand;
use crate::log::{self, Which, hdebug};
use crate::spool;
use crate::sys::{self, fd, ids, net, unix};

/// How long a count is good for.
const KEEP: Duration = Duration::from_secs(60);
/// How long who asks waits for the daemon.
const PATIENCE: Duration = Duration::from_secs(2);
/// Connections that are answered at a time, before the daemon looks after its other work.
const AT_A_TIME: usize = 16;

/// The daemon's end.
pub(super) struct Notifier {
    socket: OwnedFd,
    counted: Option<(Instant, usize)>,
}

/// The socket's name; `None`: there is to be none, or its expansion fails.
fn name(ctx: &mut Context) -> Option<BString> {
    let template = ctx.config.main.notifier_socket.get().cloned()?;
    let name = expand(ctx, &template).ok().filter(|n| !n.is_empty())?;
    Some([&b"\0"[..], &name].concat().into())
}

impl Notifier {
    /// Opens the socket, unless options say that there is to be none. A failure is logged; the daemon can do without.
    pub fn open(ctx: &mut Context, options: &DaemonOptions) -> Option<Self> {
        if !options.listen || !options.notifier {
            return None;
        }
        let name = name(ctx)?;
        let bound = || {
            let socket = unix::socket(unix::Kind::SeqPacket)?;
            unix::bind(socket.as_fd(), &name)?;
            net::listen(socket.as_fd(), 8)?;
            fd::set_nonblocking(socket.as_fd(), true)?;
            Ok(socket)
        };
        match bound() {
            Ok(socket) => Some(Notifier { socket, counted: None }),
            Err(e) => {
                let e: std::io::Error = e;
                let text = format!("notifier socket: {}", sys::error_text(&e));
                log::write(ctx, None, Which::MAIN, text.as_bytes());
                None
            }
        }
    }

    /// Readable when somebody asks.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Answers who waits.
    pub fn answer(&mut self, ctx: &mut Context) {
        for _ in 0..AT_A_TIME {
            let Ok(asker) = unix::accept(self.socket.as_fd()) else { return };
            if let Some(count) = self.count(ctx) {
                // The buffer of a new connection has room; and if not, it is the other's loss.
                let _ = fd::set_nonblocking(asker.as_fd(), true)
                    .and_then(|()| unix::send(asker.as_fd(), count.to_string().as_bytes(), &[]));
            }
        }
    }

    fn count(&mut self, ctx: &mut Context) -> Option<usize> {
        if let Some((at, count)) = self.counted.filter(|(at, _)| at.elapsed() < KEEP) {
            hdebug!(ctx, QUEUE_RUN, "queue size {count} is {} s old", at.elapsed().as_secs());
            return Some(count);
        }
        let queue = ctx.services.spool.queue(b"").ok()?;
        let count = spool::scan(&queue).ok()?.len();
        self.counted = Some((Instant::now(), count));
        Some(count)
    }
}

/// Asks the daemon how many messages are queued; `None` if there is no daemon that would say so.
pub fn queue_size(ctx: &mut Context) -> Option<u64> {
    let name = name(ctx)?;
    let socket = unix::connect(unix::Kind::SeqPacket, &name, Some(PATIENCE)).ok()?;
    let peer = unix::peer_credentials(socket.as_fd()).ok()?;
    if ![0, ctx.config.site.exim_uid, ids::geteuid()].contains(&peer.uid) {
        return None;
    }
    let mut answer = [0u8; 20];
    let len = fd::read_deadline(socket.as_fd(), &mut answer, Some(Instant::now() + PATIENCE)).ok()?;
    std::str::from_utf8(answer.get(..len)?).ok()?.parse().ok()
}

//! A reception worker: the Exim user for good, a thread for each SMTP connection.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::Life;
use super::counters::{Counters, Place};
use super::handoff::{Ends, Handoff, queue_delivery};
use super::sockets::Listener;
use super::threads::Threads;
use crate::context::Context;
use crate::context::session::Input;
use crate::log::{self, Selector, Which};
use crate::smtp_in;
use crate::smtp_in::wire::{Wire, WireSlot};
use crate::sys::{ids, net, poll, signal, sockopt};
use crate::text::Text;

/// How many workers there are.
pub fn count(ctx: &Context) -> usize {
    if ctx.run.test_harness { 1 } else { crate::sys::system::processors().clamp(2, 8) }
}

/// Accepts connections until the daemon is gone, then waits for those that are going on. Gives the exit status.
pub fn run(ctx: &mut Context, listeners: Vec<Listener>, ends: &Ends, counters: &Counters, life: &Life) -> i32 {
    life.leave();
    if ids::geteuid() == 0
        && let Err(e) = ids::become_user(ctx.config.site.exim_uid, ctx.config.site.exim_gid, None)
    {
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), format!("reception worker: {e}").as_bytes());
        return 1;
    }
    let _ = signal::ignore(signal::SIGHUP);
    let _ = signal::ignore(signal::SIGPIPE);
    crate::sys::procinfo::set(b"reception worker, waiting for connections");
    ctx.services.handoff = Handoff::Manager(ends.ask.clone());
    let threads = Threads::new(!ctx.run.test_harness);
    ctx.services.threads = Some(threads.clone());
    loop {
        let ready = {
            let mut watches = vec![poll::Watch::read(life.watched())];
            watches.extend(listeners.iter().map(|l| poll::Watch::read(l.socket.as_fd())));
            if poll::poll(&mut watches, None).is_err() {
                continue;
            }
            watches.iter().map(|w| w.readable || w.hangup).collect::<Vec<bool>>()
        };
        if ready[0] {
            break;
        }
        for (listener, _) in listeners.iter().zip(&ready[1..]).filter(|(_, r)| **r) {
            let waiting = backlog(ctx, listener);
            match net::accept(listener.socket.as_fd()) {
                Ok((socket, peer)) => {
                    let own = connection(ctx, listener, &socket, peer);
                    if let Some(waiting) = waiting {
                        monitor(&own, waiting);
                    }
                    start(ctx, own, socket, counters.enter(peer.ip().to_canonical()), &threads);
                    if ctx.run.test_harness && !ctx.run.no_test_delays && ctx.config.main.smtp_accept_max_per_host.is_set() {
                        // The connection's lines in the log come before those that the next one's expansion writes.
                        pause(life);
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(e) => {
                    log::write(ctx, None, Which::MAIN, format!("accept: {}", crate::sys::error_text(&e)).as_bytes());
                    // Out of descriptors or memory: let some connections end first.
                    pause(life);
                }
            }
        }
    }
    // The next daemon wants the ports.
    drop(listeners);
    ctx.services.work.wait(Duration::from_secs(600));
    0
}

/// A tenth of a second without new connections, if the daemon is not gone before.
fn pause(life: &Life) {
    let _ = poll::wait_readable(life.watched(), Some(Instant::now() + Duration::from_millis(100)));
}

/// Connections that wait to be accepted, if that is more than `smtp_backlog_monitor` allows. Asked just before one of them is.
fn backlog(ctx: &Context, listener: &Listener) -> Option<u32> {
    let limit = u32::try_from(ctx.config.main.smtp_backlog_monitor.0).ok().filter(|n| *n > 0)?;
    // For a listening socket the kernel counts them there.
    sockopt::tcp_state(listener.socket.as_fd()).ok().map(|s| s.unacked).filter(|waiting| *waiting > limit)
}

/// `smtp_backlog_monitor`
fn monitor(ctx: &Context, waiting: u32) {
    let interface = ctx.session.interface_address.clone().unwrap_or_default();
    let line = format!("listen backlog {waiting} I=[{interface}]:{}", ctx.session.interface_port);
    log::write(ctx, None, Which::MAIN, line.as_bytes());
}

/// A new connection gets a context of its own.
fn connection(ctx: &Context, listener: &Listener, socket: &OwnedFd, peer: SocketAddr) -> Context {
    let mut own = Context::new(ctx.config.clone(), ctx.run.clone(), ctx.services.clone());
    // Messages are the worker's, not those of whoever started the daemon.
    own.message.originator_login = own.config.main.exim_user.raw().unwrap_or_default().into();
    own.message.originator_uid = own.config.site.exim_uid;
    own.message.originator_gid = own.config.site.exim_gid;
    own.session.input = Input::Smtp;
    own.session.connection_id = crate::random::Random::connection_id();
    own.session.host_address = Some(Text::clean(peer.ip().to_canonical().to_string()));
    own.session.host_ip = Some(peer.ip().to_canonical());
    own.session.host_port = peer.port();
    own.session.fast_open = sockopt::fast_opened(socket.as_fd());
    own.session.tls_in.on_connect = listener.endpoint.tls;
    if let Ok(Some(local)) = net::local_address(socket.as_fd()) {
        own.session.interface_address = Some(Text::clean(local.ip().to_canonical().to_string()));
        own.session.interface_port = local.port();
    }
    if own.config.main.tcp_nodelay {
        let _ = sockopt::nodelay(socket.as_fd(), true);
    }
    if own.config.main.smtp_accept_keepalive {
        let _ = sockopt::keepalive(socket.as_fd(), true);
    }
    own
}

/// And a thread, if it may go on.
fn start(ctx: &Context, mut own: Context, socket: OwnedFd, place: Option<Place>, threads: &Threads) {
    let piece = ctx.services.work.begin();
    let Some(place) = super::admission::admit(&mut own, &socket, place) else { return };
    let work = Box::new(move || {
        let _piece = piece;
        session(own, socket, place);
    });
    if let Err(e) = threads.run(work) {
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), format!("no thread for a connection: {e}").as_bytes());
    }
}

/// The thread of a connection. A fault in it ends this connection only.
fn session(mut ctx: Context, socket: OwnedFd, place: Place) {
    ctx.session.count_at_start = u32::try_from(place.total).unwrap_or(u32::MAX);
    let wire = match Wire::socket(socket) {
        Ok(w) => w,
        Err(_) => return,
    };
    ctx.session.wire = WireSlot::new(wire);
    log_connection(&mut ctx, place.total);
    let result = catch_unwind(AssertUnwindSafe(|| {
        smtp_in::serve(&mut ctx, &mut |ctx, accepted| {
            if let Some(when) = accepted.delivery {
                queue_delivery(ctx, &accepted.id, when);
            }
        });
    }));
    if result.is_err() {
        if let Some(wire) = ctx.session.wire.as_mut() {
            wire.send(b"421 Internal error; closing connection\r\n");
            wire.flush();
        }
        let whom = ctx.session.host_address.clone().unwrap_or_default();
        log::write(
            &ctx,
            None,
            Which::MAIN.and(Which::PANIC),
            format!("internal error in the SMTP session with [{whom}]").as_bytes(),
        );
    }
    drop(place);
}

/// `SMTP connection from ...`, if it is to be logged.
fn log_connection(ctx: &mut Context, total: usize) {
    if !log::selected(ctx, Selector::SmtpConnection) {
        return;
    }
    if let Some(list) = ctx.config.main.hosts_connection_nolog.get().cloned()
        && crate::matching::match_host(ctx, &list) == crate::matching::Match::Yes
    {
        return;
    }
    let line =
        format!("SMTP connection from {} (TCP/IP connection count = {total})", crate::context::names::host_and_ident(ctx, false));
    log::write(ctx, Some(Selector::SmtpConnection), Which::MAIN, line.as_bytes());
}

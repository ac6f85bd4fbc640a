//! Incoming SMTP: one session over one connection (manual chapters 47 to 49, RFC 5321).
//!
//! [`serve`] runs a session from its first check to its end, on a socket (a thread of a reception worker) or on standard
//! input and output (`-bs`, `-bh`, inetd); [`batch::serve`] does it for `-bS`. The line to the peer is `ctx.session.wire`
//! ([`wire::Wire`]), the state of the dialogue a [`server::Server`]; one file holds one command. A message is taken in by
//! `crate::receive`. This room never delivers and never writes the spool itself.

pub mod answer;
pub mod atrn;
pub mod auth;
pub mod batch;
pub mod command;
pub mod data;
pub mod ehlo;
pub mod etrn;
pub mod helo;
pub mod mail;
pub mod other;
pub mod proxy;
pub mod ratelimit;
pub mod rcpt;
pub mod report;
pub mod server;
pub mod start;
pub mod starttls;
pub mod tls_stream;
pub mod vrfy;
pub mod wire;
pub mod xclient;

use crate::config::options::Str;
use crate::context::Context;
use crate::matching::Match;

pub use data::Envelope;
pub use server::Server;

/// What a command leads to.
#[derive(Debug)]
pub enum Next {
    /// The next command.
    Command,
    /// The end of the session, for a fault of the peer; everything has been said and logged.
    Close,
    /// The end of the session, for a time-out or a signal; everything has been said and logged.
    Break,
    /// The end of the session in order: QUIT, or a refusal that was meant.
    End,
    /// Message data.
    Receive(Envelope),
}

/// How a session ended, for the caller's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// In order, or refused at the start.
    Done,
    /// The peer went away, or was sent away for its mistakes.
    Failed,
    /// A time-out, a signal, or a mistake in the configuration.
    Broken,
}

/// Runs a session. `ctx.session` has the line and the facts of the connection; `after` is called after each message that was
/// accepted (the caller starts its delivery there).
pub fn serve(ctx: &mut Context, after: &mut dyn FnMut(&mut Context, &crate::receive::Accepted)) -> SessionEnd {
    let end = match start::begin(ctx) {
        Ok(mut server) => server.run(ctx, after),
        Err(end) => end,
    };
    if let Some(wire) = ctx.session.wire.as_mut() {
        wire.close();
    }
    end
}

/// Writes pending answers to the peer; ACL delays and callouts call it before they wait.
pub fn flush(ctx: &mut Context) {
    if let Some(wire) = ctx.session.wire.as_mut() {
        wire.flush();
    }
}

/// Waits for `seconds` (ACL `delay`), less if the peer goes away meanwhile. Answers go out first.
pub fn wait(ctx: &mut Context, seconds: u64) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    let Some(wire) = ctx.session.wire.as_mut() else {
        std::thread::sleep(until.saturating_duration_since(std::time::Instant::now()));
        return;
    };
    if !ctx.session.no_delay_flush {
        wire.flush();
    }
    while std::time::Instant::now() < until {
        let step = until.min(std::time::Instant::now() + std::time::Duration::from_millis(500));
        if wire.peer_has_gone(step) {
            return;
        }
    }
}

/// Is the session's host in the list of this option? An unset option is an empty list.
pub fn host_in(ctx: &mut Context, name: &str, option: &Str) -> Match {
    if !option.is_set() {
        crate::log::hdebug!(ctx, LISTS, "host in {name}? no (option unset)");
        return Match::No;
    }
    crate::matching::match_host_option(ctx, name, option)
}

/// [`host_in`], with yes only if it certainly is.
pub fn host_is_in(ctx: &mut Context, name: &str, option: &Str) -> bool {
    host_in(ctx, name, option) == Match::Yes
}

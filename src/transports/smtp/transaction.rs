//! One message over one connection: MAIL, RCPT, DATA or BDAT, and the answers; several transactions if there are many
//! recipients. At the end the connection is closed, or kept for another message.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use bstr::BString;

use super::envelope::Uses;
use super::hosts::Run;
use super::result::{Blame, State};
use crate::context::Context;
use crate::deliver::{Continued, Purpose};
use crate::log::outcome::RemoteLog;
use crate::retry::errors;
use crate::route::HostItem;
use crate::smtp_out::client::write_fault;
use crate::smtp_out::dane;
use crate::smtp_out::requiretls::{self, Wish};
use crate::smtp_out::setup::{self, Kind, limit};
use crate::smtp_out::{Fault, Opened, Plan, Send, Trouble};

/// One attempt at a host.
pub(super) struct Attempt<'h> {
    pub(super) host: &'h HostItem,
    pub(super) port: u16,
    pub(super) interface: Option<IpAddr>,
    /// There are no further hosts.
    pub(super) last: bool,
    /// STARTTLS failed before: in clear.
    pub(super) no_tls: bool,
    /// It must not be tried in clear.
    pub(super) no_clear: bool,
    /// The host works, but the message was put off.
    pub(super) message_defer: bool,
    /// The host does not do for this message (REQUIRETLS); it may do for others.
    pub(super) of_message: bool,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostResult {
    /// The host works; each address has its state.
    Ok,
    /// The host does not work now.
    Defer,
    /// Something on our side is wrong, for every host.
    Error,
}

/// An answer that is awaited.
pub(super) enum Awaited {
    Mail(BString),
    Rcpt(usize),
    Data,
    /// To BDAT without LAST.
    Chunk,
}

/// What answers have said so far in a transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) accepted: bool,
    pub(super) refused: bool,
    /// 452 after other answers: no more recipients in this transaction.
    pub(super) full: bool,
    /// 354 has come.
    pub(super) go_ahead: bool,
}

/// Why a transaction cannot go on.
pub(super) enum Abort {
    /// As the trouble says: of the message or of the host.
    Trouble(Trouble),
    /// The addresses have their failures already.
    Noted,
}

impl From<Trouble> for Abort {
    fn from(t: Trouble) -> Self {
        Abort::Trouble(t)
    }
}

pub(super) struct Transaction<'r, 'a, 'b, 'h> {
    pub(super) run: &'r mut Run<'a, 'b>,
    pub(super) attempt: &'r mut Attempt<'h>,
    pub(super) opened: Opened,
    pub(super) uses: Uses,
    pub(super) awaited: VecDeque<Awaited>,
    pub(super) seen: Seen,
    /// An address has been dealt with for good: the connection is worth going on with.
    pub(super) completed: bool,
    /// Where the next transaction begins.
    pub(super) next: usize,
    /// The present transaction is over and counted.
    pub(super) sent: bool,
    /// What comes after this message, once that has been looked for.
    pub(super) planned: Option<(BString, Purpose)>,
    pub(super) continued: bool,
    /// The present transaction has delivered to somebody.
    pub(super) any_delivered: bool,
    /// The message of the present transaction was signed: domains and selectors.
    pub(super) dkim: BString,
}

/// Sends the message to the pending addresses of a run.
pub(super) fn deliver(ctx: &mut Context, run: &mut Run<'_, '_>, attempt: &mut Attempt<'_>) -> HostResult {
    let mut kept = run.job.continued.filter(|_| run.on_continued(attempt.host)).and_then(Continued::take);
    // One that was not verified by DANE is none for this, and one that was has another SNI than this may have.
    if let Some(o) = kept.as_mut()
        && (o.dane != dane::is_wanted(ctx, run.smtp, attempt.host, attempt.port)
            || (requiretls::wish(ctx) == Wish::Required
                && (requiretls::host_lacks(attempt.host).is_some()
                    || requiretls::session_lacks(ctx, o.tls.as_ref(), &o.client.features).is_some())))
    {
        o.client.quit();
        kept = None;
    }
    let of_another = |c: &Continued| !matches!(c.purpose, Purpose::AfterCallout | Purpose::Turned);
    let continued = kept.is_some() && run.job.continued.is_some_and(of_another);
    let opened = match kept {
        Some(o) if !o.turned => {
            setup::set_host_variables(ctx, attempt.host, attempt.port);
            ctx.session.tls_out = o.tls.clone().unwrap_or_default();
            *o
        }
        other => {
            let plan = Plan {
                transport: run.job.transport,
                smtp: run.smtp,
                host: attempt.host,
                port: attempt.port,
                interface: attempt.interface,
                verify: false,
                no_tls: attempt.no_tls,
                connect_timeout: None,
                command_timeout: None,
            };
            let ready = match other {
                Some(o) => setup::turned(ctx, &plan, *o),
                None => setup::open(ctx, &plan),
            };
            match ready {
                Ok(o) => o,
                Err(e) => {
                    show_history(ctx, "(unset)");
                    attempt.no_clear = e.no_clear;
                    attempt.of_message = e.of_message;
                    return setup_failed(run, attempt, &e);
                }
            }
        }
    };
    let mut t = Transaction {
        run,
        attempt,
        opened,
        uses: Uses::default(),
        awaited: VecDeque::new(),
        seen: Seen::default(),
        completed: false,
        next: 0,
        sent: false,
        planned: None,
        continued,
        any_delivered: false,
        dkim: BString::default(),
    };
    t.mark_addresses();
    let (rc, alive) = t.all(ctx);
    t.end(ctx, rc, alive);
    rc
}

pub(super) fn show_history(ctx: &Context, text: &str) {
    crate::smtp_out::client::say(&ctx.run, format!("cmdlog: {text}"));
}

/// Puts a failed set-up into the addresses.
fn setup_failed(run: &mut Run<'_, '_>, attempt: &Attempt<'_>, e: &setup::SetupError) -> HostResult {
    let t = &e.trouble;
    for (a, _) in run.job.batch.iter_mut().zip(&run.states).filter(|(_, s)| **s == State::Pending) {
        if let Some(facts) = &e.tls {
            a.tls = (**facts).clone();
        }
        let log = a.remote_log.get_or_insert_default();
        log.greeting.clone_from(&e.greeting);
        log.helo_response.clone_from(&e.helo_response);
    }
    let host = host_with_port(attempt);
    let refused = matches!(e.kind, Kind::Server) && t.class == b'5' && attempt.last;
    let state = if refused || e.kind == Kind::Definite { State::Failed } else { State::Deferred };
    let shown = matches!(e.kind, Kind::Server | Kind::Tls).then_some(&host);
    let mut blame = Blame::of(t, state, shown);
    blame.more = 0;
    if e.connect_timeout {
        blame.more = errors::CONNECT_BIT;
    }
    blame.apply(run.job.batch, &mut run.states);
    match e.kind {
        Kind::Definite => HostResult::Ok,
        // Our own options are wrong: no other host would do better.
        _ if t.errno == errors::AUTH_PROBLEM => HostResult::Error,
        _ => HostResult::Defer,
    }
}

pub(super) fn host_with_port(attempt: &Attempt<'_>) -> HostItem {
    HostItem { port: Some(attempt.port), ..attempt.host.clone() }
}

impl Transaction<'_, '_, '_, '_> {
    /// Transactions until all addresses have been sent or something stops us. The flag says that the connection
    /// still works.
    fn all(&mut self, ctx: &mut Context) -> (HostResult, bool) {
        loop {
            match self.one(ctx) {
                Ok(()) => {}
                Err(Abort::Noted) => return (HostResult::Ok, false),
                Err(Abort::Trouble(t)) => return self.failed(ctx, &t),
            }
            self.opened.messages += 1;
            self.sent = true;
            let more = self.run.states.get(self.next..).unwrap_or_default().contains(&State::Pending);
            if !more {
                return (HostResult::Ok, true);
            }
            let max = self.max_messages();
            let full = max > 0 && self.opened.messages >= max;
            if full || !self.completed || self.opened.client.wire_ref().is_dead() {
                // The rest is for another connection; it is as if the host had put it off.
                return (HostResult::Ok, true);
            }
            (self.completed, self.sent) = (false, false);
            self.mark_addresses();
            self.awaited.clear();
            if self.opened.needs_reset && self.reset().is_err() {
                return (HostResult::Ok, false);
            }
        }
    }

    /// Lines about failures show the connection too.
    pub(super) fn mark_addresses(&mut self) {
        let log = self.connection_facts();
        for (a, _) in self.run.job.batch.iter_mut().zip(&self.run.states).filter(|(_, s)| **s == State::Pending) {
            a.remote_log = Some(Box::new(log.clone()));
        }
    }

    pub(super) fn connection_facts(&self) -> RemoteLog {
        let facts = self.opened.log_facts();
        RemoteLog { continued: facts.continued || self.continued, ..facts }
    }

    pub(super) fn max_messages(&self) -> u64 {
        let own = u64::try_from(self.run.smtp.options.connection_max_messages.0).unwrap_or(0);
        match (own, u64::from(self.opened.client.features.mail_max)) {
            (n, 0) | (0, n) => n,
            (a, b) => a.min(b),
        }
    }

    pub(super) fn reset(&mut self) -> Result<(), Fault> {
        self.opened.client.command_ok(b"RSET")?;
        self.opened.needs_reset = false;
        Ok(())
    }

    fn one(&mut self, ctx: &mut Context) -> Result<(), Abort> {
        self.seen = Seen::default();
        self.any_delivered = false;
        self.dkim.clear();
        self.choose(ctx)?;
        if !self.envelope_is_there(ctx) {
            if self.opened.needs_reset {
                self.reset().map_err(|f| self.opened.client.trouble(f))?;
            }
            self.opened.needs_reset = true;
            self.mail_and_recipients(ctx)?;
        }
        if self.run.job.mua_wrapper && !self.all_accepted() {
            return Ok(());
        }
        let pipelined = self.opened.client.pipelined && !self.run.job.mua_wrapper;
        if !self.seen.accepted && (!pipelined || self.opened.client.unsent() == 0) {
            return Ok(());
        }
        if !self.uses.chunking {
            self.awaited.push_back(Awaited::Data);
            let n = self.send(Send::Now, b"DATA")?;
            self.answers(ctx, n)?;
            self.opened.client.pipelined = false;
            if !self.seen.go_ahead {
                return Ok(());
            }
            if !self.seen.accepted {
                // The server wants data although it has refused everybody: an empty message ends that (RFC 2920).
                self.opened.client.note_end_of_data();
                let limit = self.final_timeout();
                let c = &mut self.opened.client;
                let done = c.write_raw(b".\r\n", limit).map_err(|e| write_fault(&e)).and_then(|()| c.read(limit));
                return match done {
                    Ok(_) => Ok(()),
                    Err(f) => Err(Abort::Trouble(c.trouble(f))),
                };
            }
        }
        if self.message(ctx)? { self.verdicts() } else { Ok(()) }
    }

    pub(super) fn final_timeout(&self) -> Option<Duration> {
        limit(self.run.smtp.options.final_timeout.0)
    }
}

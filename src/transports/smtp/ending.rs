//! The end of a transaction: failures that concern it as a whole, and whether the connection is kept for another message.

use bstr::{BStr, BString, ByteSlice};

use super::Smtp;
use super::result::{self, Blame, State};
use super::transaction::{HostResult, Transaction, host_with_port, show_history};
use crate::context::Context;
use crate::deliver::remote::Kept;
use crate::deliver::{Continued, Purpose};
use crate::expand::Template;
use crate::retry::errors;
use crate::smtp_out::opened;
use crate::smtp_out::{Client, Opened, Trouble, in_hosts, waiting};
use crate::text::Text;

impl Transaction<'_, '_, '_, '_> {
    /// A transaction failed: who is to blame, and what that means for the addresses.
    pub(super) fn failed(&mut self, ctx: &mut Context, t: &Trouble) -> (HostResult, bool) {
        let host = host_with_port(self.attempt);
        let alive = t.can_quit && !self.opened.client.wire_ref().is_dead();
        for (a, _) in self.run.job.batch.iter_mut().zip(&self.run.states).filter(|(_, s)| !s.is_final()) {
            if let Some(facts) = &self.opened.tls {
                a.tls = facts.clone();
            }
            // Where the transaction as a whole fails, bounces tell more of the server.
            let log = a.remote_log.get_or_insert_default();
            log.greeting.clone_from(&self.opened.client.greeting);
            log.helo_response.clone_from(&self.opened.client.helo_response);
        }
        if t.is_of_message() {
            let permanent = t.class == b'5' || self.run.job.mua_wrapper;
            if !permanent {
                result::log_host(ctx, self.attempt.host, self.attempt.port, t.message.as_ref(), t.errno);
                self.attempt.message_defer = true;
            }
            let state = if permanent { State::Failed } else { State::Deferred };
            Blame::of(t, state, Some(&host)).apply(self.run.job.batch, &mut self.run.states);
            return (HostResult::Ok, alive);
        }
        // The host does not do for this message: another may, but the address has failed.
        let state = if t.errno == errors::UTF8_FORWARD { State::Failed } else { State::Deferred };
        let host = Some(&host).filter(|_| t.errno != errors::EXPAND_FAIL);
        Blame::of(t, state, host).apply(self.run.job.batch, &mut self.run.states);
        let ours = matches!(t.errno, errors::HEADER_FAIL | errors::FILTER_FAIL | errors::EXPAND_FAIL);
        (if ours { HostResult::Error } else { HostResult::Defer }, alive)
    }

    /// Will nothing come after this message on the connection? Then QUIT can go out with its end.
    pub(super) fn is_last(&mut self, ctx: &mut Context) -> bool {
        let more = self.run.states.get(self.next..).unwrap_or_default().contains(&State::Pending);
        if !self.uses.pipelining
            || self.uses.prdr
            || self.opened.client.lmtp
            || self.run.job.mua_wrapper
            || more
            || self.seen.full
            || self.is_turned()
        {
            return false;
        }
        self.planned = self.next_message(ctx);
        self.planned.is_none()
    }

    /// Keeps the connection for another message, or ends it.
    pub(super) fn end(&mut self, ctx: &mut Context, rc: HostResult, alive: bool) {
        let c = &self.opened.client;
        let dead = !alive || c.wire_ref().is_dead();
        if !dead && self.give_back(ctx) {
            return;
        }
        if !dead
            && rc == HostResult::Ok
            && self.completed
            && !self.attempt.message_defer
            && !self.run.job.mua_wrapper
            && !self.opened.client.quitting
            && self.keep(ctx)
        {
            return;
        }
        if let Some((id, Purpose::NextMessage)) = self.planned.take() {
            waiting::put_back(ctx, self.run.job.transport.name.as_bstr(), self.attempt.host, id.as_bstr());
        }
        if let Some(stream) = self.opened.client.wire_ref().tls() {
            // Since TLS 1.3 tickets come after the handshake.
            ctx.session.tls_out.resumption = u32::from(stream.resumption_now());
        }
        opened::keep_session(ctx, &self.opened);
        let c = &mut self.opened.client;
        if dead {
            c.close()
        } else {
            c.quit()
        }
        show_history(ctx, &c.history());
        let action = self.run.job.transport.generic.event_action.get().cloned();
        crate::deliver::raise_event(ctx, action.as_ref(), "tcp:close", b"", 0);
    }

    /// Leaves the connection to the delivery code, if a message waits for this host.
    pub(super) fn keep(&mut self, ctx: &mut Context) -> bool {
        let next = match self.planned.take() {
            Some(next) => Some(next),
            None => self.next_message(ctx),
        };
        next.is_some_and(|(id, purpose)| self.hand_on(ctx, id, purpose))
    }

    /// Looks for a message that can go over this connection.
    pub(super) fn next_message(&mut self, ctx: &mut Context) -> Option<(BString, Purpose)> {
        let host = self.attempt.host;
        let sent = self.opened.messages + u64::from(!self.sent);
        let max = self.max_messages();
        if (max == 0 || sent < max) && self.run.job.further.wants(&host.name) {
            return Some((ctx.message.id.clone(), Purpose::SameMessage));
        }
        let o = &self.run.smtp.options;
        // hosts_noproxy_tls has nothing to forbid: this process sends the next message itself, there is no proxy.
        if self.opened.tls.is_some() && in_hosts(ctx, "hosts_nopass_tls", &o.hosts_nopass_tls, host) {
            return None;
        }
        let smtp = self.run.smtp;
        let own = identity(ctx, smtp);
        let mut same = |ctx: &mut Context, id: &BStr| own.is_none() || identity_of(ctx, smtp, id) == own;
        let next = waiting::next(ctx, self.run.job.transport.name.as_bstr(), host, sent, max, &mut same)?;
        Some((next, Purpose::NextMessage))
    }

    /// Has ATRN turned the line round? The queue run decides what comes after the message.
    fn is_turned(&self) -> bool {
        self.run.job.continued.is_some_and(|c| c.purpose == Purpose::Turned)
    }

    /// A line that ATRN has turned round goes back to the queue run, for its next message.
    pub(super) fn give_back(&mut self, ctx: &Context) -> bool {
        let Some(run) = self.run.job.continued.filter(|c| c.purpose == Purpose::Turned) else { return false };
        if self.opened.needs_reset && self.reset().is_err() {
            return false;
        }
        run.put(self.take_opened(ctx));
        true
    }

    /// The connection; what is left here is only to be dropped.
    pub(super) fn take_opened(&mut self, ctx: &Context) -> Opened {
        let empty = Opened::over(Client::new(ctx, crate::smtp_out::wire::Wire::dead(), b""));
        std::mem::replace(&mut self.opened, empty)
    }

    /// Leaves the connection for the delivery code.
    pub(super) fn hand_on(&mut self, ctx: &Context, next: BString, purpose: Purpose) -> bool {
        if self.opened.needs_reset && self.reset().is_err() {
            return false;
        }
        let host = self.attempt.host;
        let continued = Continued {
            transport: self.run.job.transport.name.clone(),
            host: host.name.as_bytes().into(),
            address: host.address_text.clone(),
            sequence: u32::try_from(self.opened.messages + 1).unwrap_or(u32::MAX),
            purpose,
            ..Continued::default()
        };
        continued.put(self.take_opened(ctx));
        self.run.job.kept = Some(Kept { next, continued });
        true
    }
}

/// Who we are to a server, if that depends on the message: our address and our name.
fn identity(ctx: &mut Context, smtp: &Smtp) -> Option<Vec<Text>> {
    let o = &smtp.options;
    let varies = |t: &&Template| t.raw().contains_str("$") && !t.raw().starts_with(b"$primary_hostname");
    let parts: Vec<Template> = [o.interface.get(), o.helo_data.get()].into_iter().flatten().filter(varies).cloned().collect();
    if parts.is_empty() {
        return None;
    }
    Some(parts.iter().map(|t| crate::expand::expand(ctx, t).unwrap_or_default()).collect())
}

/// The same of another message on the queue.
fn identity_of(ctx: &mut Context, smtp: &Smtp, id: &BStr) -> Option<Vec<Text>> {
    let mut other = Context::new(ctx.config.clone(), ctx.run.clone(), ctx.services.clone());
    let place = ctx.services.spool.queue(&ctx.message.queue_name).ok()?.place_of(id).ok()?;
    crate::spool::read_header(&mut other, &place, id).ok()?;
    identity(&mut other, smtp)
}

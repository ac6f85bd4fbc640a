//! One message over one connection: MAIL, RCPT, DATA or BDAT, and the answers; several transactions if there are many
//! recipients. At the end the connection is closed, or kept for another message.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};

use super::Smtp;
use super::envelope::{self, Uses};
use super::hosts::Run;
use super::result::{self, Blame, State};
use crate::context::Context;
use crate::deliver::remote::Kept;
use crate::deliver::{Continued, Purpose};
use crate::expand::Template;
use crate::log::line::RemoteLog;
use crate::log::{self, Which};
use crate::retry::{self, errors};
use crate::route::{Address, HostItem};
use crate::smtp_out::client::write_fault;
use crate::smtp_out::dane;
use crate::smtp_out::pipe_connect;
use crate::smtp_out::requiretls::{self, Wish};
use crate::smtp_out::setup::{self, Kind, limit};
use crate::smtp_out::{Client, Fault, Opened, Plan, Send, Trouble, in_hosts, waiting};
use crate::text::Text;

/// After so many recipients in a row their answers are read.
const MOST_UNANSWERED: usize = 100;

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
                && (requiretls::host_refusal(attempt.host).is_some()
                    || requiretls::session_refusal(o.tls.as_ref(), &o.client.features).is_some())))
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

fn show_history(ctx: &Context, text: &str) {
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
    if e.kind == Kind::Definite { HostResult::Ok } else { HostResult::Defer }
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
    fn mark_addresses(&mut self) {
        let log = self.connection_facts();
        for (a, _) in self.run.job.batch.iter_mut().zip(&self.run.states).filter(|(_, s)| **s == State::Pending) {
            a.remote_log = Some(Box::new(log.clone()));
        }
    }

    pub(super) fn connection_facts(&self) -> RemoteLog {
        let facts = self.opened.log_facts();
        RemoteLog { continued: facts.continued || self.continued, ..facts }
    }

    fn max_messages(&self) -> u64 {
        let own = u64::try_from(self.run.smtp.options.connection_max_messages.0).unwrap_or(0);
        match (own, u64::from(self.opened.client.features.mail_max)) {
            (n, 0) | (0, n) => n,
            (a, b) => a.min(b),
        }
    }

    fn reset(&mut self) -> Result<(), Fault> {
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

    /// A callout for this message has left the connection: were MAIL and RCPT what would be sent now?
    fn envelope_is_there(&mut self, ctx: &mut Context) -> bool {
        let accepted = std::mem::take(&mut self.opened.accepted);
        if accepted.is_empty() {
            return false;
        }
        self.opened.needs_reset = true;
        let u = &self.uses;
        let m = &ctx.message;
        let plain = !(u.prdr || u.smtputf8 || u.downconvert)
            && u.auth_sender.is_none()
            && m.dsn_envid.is_none()
            && m.dsn_ret == crate::context::message::DsnRet::Unset;
        let transport = self.run.job.transport;
        let all = self.run.states.iter().zip(self.run.job.batch.iter());
        let wanted: Vec<&Address> = all.filter(|(s, _)| **s == State::Pending).map(|(_, a)| a).collect();
        let same = wanted.len() == accepted.len()
            && wanted
                .iter()
                .zip(&accepted)
                .all(|(a, sent)| a.dsn_flags == 0 && a.dsn_orcpt.is_none() && envelope::rcpt_address(transport, a) == *sent);
        if !plain || !same {
            return false;
        }
        self.next = self.run.states.len();
        for i in 0..self.run.states.len() {
            if self.run.states[i] == State::Pending {
                self.run.job.batch[i].dsn_aware = Some(self.uses.dsn);
                self.accepted(ctx, i);
            }
        }
        true
    }

    /// The server has said yes to a recipient.
    fn accepted(&mut self, ctx: &Context, i: usize) {
        self.seen.accepted = true;
        self.completed |= !self.opened.client.lmtp;
        self.run.states[i] = State::Accepted;
        let a = &mut self.run.job.batch[i];
        if a.flags.routing_retry_exists {
            let key = a.address_retry_key.clone();
            retry::add_item(a, with_sender(ctx, &key), true, false, false);
            retry::add_item(a, key, true, false, false);
        }
    }

    /// In mua_wrapper mode one bad recipient spoils it for all.
    fn all_accepted(&mut self) -> bool {
        let bad = self.run.states.iter().position(|s| *s != State::Accepted);
        let Some(bad) = bad else { return true };
        let message = self.run.job.batch[bad].failure.message.clone().map(|m| BString::from(m.into_bytes()));
        let for_user = self.run.job.batch[bad].flags.pass_message;
        for (a, s) in self.run.job.batch.iter_mut().zip(self.run.states.iter_mut()) {
            Blame { errno: 0, more: 0, message: message.as_ref(), state: State::Failed, for_user, host: None }.apply_one(a, s);
        }
        false
    }

    pub(super) fn final_timeout(&self) -> Option<Duration> {
        limit(self.run.smtp.options.final_timeout.0)
    }

    /// Which extensions are used for this transaction.
    fn choose(&mut self, ctx: &mut Context) -> Result<(), Trouble> {
        let host = self.attempt.host;
        let o = &self.run.smtp.options;
        let f = self.opened.client.features.clone();
        self.opened.client.pipelined = f.pipelining && !in_hosts(ctx, "hosts_avoid_pipelining", &o.hosts_avoid_pipelining, host);
        let pending = self.run.states.get(self.next..).unwrap_or_default().iter().filter(|s| **s == State::Pending).count();
        let mut uses = Uses {
            chunking: f.chunking && in_hosts(ctx, "hosts_try_chunking", &o.hosts_try_chunking, host),
            prdr: f.prdr && pending > 1 && !self.opened.client.lmtp && in_hosts(ctx, "hosts_try_prdr", &o.hosts_try_prdr, host),
            dsn: f.dsn,
            pipelining: self.opened.client.pipelined,
            ..Uses::default()
        };
        uses.auth_sender = envelope::auth_sender(ctx, self.run.smtp, self.run.job.transport, &self.opened)?;
        let sender_plain = ctx.message.sender.as_ref().is_none_or(|s| s.is_ascii());
        let plain = sender_plain && self.run.job.batch.iter().all(|a| a.address.is_ascii());
        let international = envelope::international(ctx, self.run.smtp, plain, self.opened.client.features.smtputf8)?;
        (uses.smtputf8, uses.downconvert) = (international.smtputf8, international.downconvert);
        self.uses = uses;
        Ok(())
    }

    pub(super) fn send(&mut self, how: Send, line: &[u8]) -> Result<usize, Trouble> {
        self.opened.client.send(how, line).map_err(|f| {
            let c = &self.opened.client;
            match f {
                Fault::Io(errno, text) => Trouble {
                    errno,
                    message: Some(format!("smtp send to {} failed: {text}", c.host).into()),
                    class: b'4',
                    ..Trouble::default()
                },
                f => c.trouble(f),
            }
        })
    }

    fn mail_and_recipients(&mut self, ctx: &mut Context) -> Result<(), Abort> {
        let sender = self
            .run
            .job
            .batch
            .first()
            .and_then(|a| a.return_path.clone())
            .or_else(|| ctx.message.sender.clone())
            .unwrap_or_default();
        let sender = envelope::on_the_wire(&sender, self.uses.downconvert)?;
        let states = self.run.states.get(self.next..).unwrap_or_default();
        let batch = self.run.job.batch.get(self.next..).unwrap_or_default();
        let parameters = envelope::mail_parameters(ctx, self.run.smtp, &self.opened, &self.uses, batch, states);
        let pipelined = self.opened.client.pipelined;
        let how = if pipelined { Send::Later } else { Send::Now };
        let line = [b"MAIL FROM:<", sender.as_slice(), b">", &parameters].concat();
        self.awaited.push_back(Awaited::Mail(line.clone().into()));
        let n = self.send(how, &line)?;
        self.answers(ctx, n)?;
        let max = self.max_recipients(ctx);
        let domains = usize::try_from(self.opened.client.features.rcpt_domain_max).unwrap_or(0);
        let mut seen_domains: Vec<BString> = Vec::new();
        let pending: Vec<usize> = (self.next..self.run.states.len()).filter(|i| self.run.states[*i] == State::Pending).collect();
        let mut count = 0;
        for (place, i) in pending.iter().copied().enumerate() {
            if self.seen.full {
                break;
            }
            if domains > 0 {
                let d = BString::from(self.run.job.batch[i].domain.as_bytes());
                if !seen_domains.contains(&d) {
                    if seen_domains.len() >= domains {
                        self.next = i;
                        return Ok(());
                    }
                    seen_domains.push(d);
                }
            }
            if count >= max {
                self.next = i;
                return Ok(());
            }
            count += 1;
            self.next = i + 1;
            let a = &mut self.run.job.batch[i];
            let parameters = envelope::rcpt_parameters(self.run.smtp, &self.opened, &self.uses, a);
            let address = envelope::rcpt_address(self.run.job.transport, a);
            let address = envelope::on_the_wire(&address, self.uses.downconvert)?;
            let last = place + 1 == pending.len() || count == max;
            // So many answers may wait in the network's buffers while nobody reads them, and no more.
            let many = self.awaited.iter().filter(|a| matches!(a, Awaited::Rcpt(_))).count() >= MOST_UNANSWERED;
            let later = pipelined && !many && !(self.run.job.mua_wrapper && last);
            let how = if later { Send::Later } else { Send::Now };
            self.awaited.push_back(Awaited::Rcpt(i));
            let n = self.send(how, &[b"RCPT TO:<", address.as_slice(), b">", &parameters].concat())?;
            self.answers(ctx, n)?;
        }
        Ok(())
    }

    fn max_recipients(&self, ctx: &mut Context) -> usize {
        let own = match self.run.smtp.options.max_rcpt.get() {
            Some(t) if !self.run.job.mua_wrapper => crate::expand::expand_int(ctx, t, true).unwrap_or(100),
            _ => 0,
        };
        let own = usize::try_from(own).unwrap_or(0);
        let limit = usize::try_from(self.opened.client.features.rcpt_max).unwrap_or(0);
        match (own, limit) {
            (0, 0) => usize::MAX,
            (n, 0) | (0, n) => n,
            (a, b) => a.min(b),
        }
    }

    /// Reads so many of the awaited answers.
    pub(super) fn answers(&mut self, ctx: &mut Context, count: usize) -> Result<(), Abort> {
        if count > 0 {
            pipe_connect::settle(ctx, self.run.job.transport, &mut self.opened)?;
        }
        for _ in 0..count {
            let Some(what) = self.awaited.pop_front() else { break };
            match what {
                Awaited::Mail(command) => self.mail_answer(&command)?,
                Awaited::Rcpt(i) => self.rcpt_answer(ctx, i)?,
                Awaited::Data => self.data_answer()?,
                Awaited::Chunk => self.chunk_answer()?,
            }
        }
        Ok(())
    }

    fn mail_answer(&mut self, command: &BString) -> Result<(), Abort> {
        let c = &mut self.opened.client;
        let fault = match c.read(c.command_timeout) {
            Ok(r) if r.is_ok() => return Ok(()),
            Ok(r) => Fault::Refused(r),
            Err(f) => f,
        };
        let refused = matches!(fault, Fault::Refused(_));
        // With BDAT a part of the message, or all of it, has been sent by the time that the answer is seen.
        let named: BString = if c.written > 0 { c.command().into() } else { command.clone() };
        let mut t = c.trouble_at(named.as_bstr(), fault);
        if refused {
            if t.class == b'4' {
                t.errno = errors::MAIL_4XX;
            }
            // The other commands are out: their answers must go away. Those that are not sent never will be.
            let outstanding = self.awaited.len() - c.unsent().min(self.awaited.len());
            c.drop_unsent();
            for _ in 0..outstanding {
                if c.read(c.command_timeout).is_err() {
                    t.can_quit = false;
                    break;
                }
            }
        }
        self.awaited.clear();
        Err(t.into())
    }

    fn rcpt_answer(&mut self, ctx: &mut Context, i: usize) -> Result<(), Abort> {
        let transport = self.run.job.transport;
        let host = host_with_port(self.attempt);
        let address = envelope::rcpt_address(transport, &self.run.job.batch[i]);
        let command = BString::from(format!("RCPT TO:<{address}>"));
        let c = &mut self.opened.client;
        let answer = c.read(c.command_timeout);
        let a = &mut self.run.job.batch[i];
        a.host_used = Some(Box::new(host.clone()));
        let reply = match answer {
            Ok(r) => r,
            Err(Fault::TimedOut) => {
                let message = BString::from(format!("SMTP timeout after {command}"));
                let key = a.address_retry_key.clone();
                Blame::ours(libc::ETIMEDOUT, &message, State::Deferred).apply(self.run.job.batch, &mut self.run.states);
                retry::add_item(&mut self.run.job.batch[i], key, false, false, false);
                self.run.update_waiting = false;
                c.close();
                return Err(Abort::Noted);
            }
            Err(f) => return Err(Abort::Trouble(c.trouble_at(command.as_bstr(), f))),
        };
        if reply.is_ok() {
            self.accepted(ctx, i);
            return Ok(());
        }
        let was_pipelined = std::mem::replace(&mut c.pipelined, false);
        let t = c.trouble_at(command.as_bstr(), Fault::Refused(reply.clone()));
        c.pipelined = was_pipelined;
        if reply.class() == b'5' {
            self.seen.refused = true;
            self.completed = true;
            Blame { errno: 0, ..Blame::of(&t, State::Failed, Some(&host)) }.apply_one(a, &mut self.run.states[i]);
            note_in_message_log(ctx, &host, a);
            return Ok(());
        }
        if reply.code() == 452 && (self.seen.accepted || self.seen.refused) {
            // Too many recipients for one message: again with the next.
            if !self.seen.full {
                self.seen.full = true;
                self.next = i;
            }
            a.host_used = None;
            return Ok(());
        }
        // Whatever it is that the answer's first digit means.
        Blame { errno: errors::RCPT_4XX, more: t.code << 8, ..Blame::of(&t, State::Deferred, Some(&host)) }
            .apply_one(a, &mut self.run.states[i]);
        note_in_message_log(ctx, &host, a);
        let copy = a.clone();
        result::defer_event(ctx, transport, &copy, self.attempt.host, self.attempt.port, "msg:rcpt:host:defer");
        if self.attempt.last {
            result::defer_event(ctx, transport, &copy, self.attempt.host, self.attempt.port, "msg:rcpt:defer");
        } else {
            let mut line = result::host_for_log(ctx, self.attempt.host, self.attempt.port);
            line.push(b' ');
            line.extend_from_slice(&t.message.unwrap_or_default());
            log::write(ctx, None, Which::MAIN, &line);
        }
        self.run.update_waiting = false;
        let a = &mut self.run.job.batch[i];
        let key = match self.run.smtp.options.address_retry_include_sender {
            true => with_sender(ctx, &a.address_retry_key),
            false => a.address_retry_key.clone(),
        };
        retry::add_item(a, key, false, false, false);
        Ok(())
    }

    fn chunk_answer(&mut self) -> Result<(), Abort> {
        let c = &mut self.opened.client;
        let fault = match c.read(c.command_timeout) {
            Ok(r) if r.is_ok() || !self.seen.accepted => return Ok(()),
            Ok(r) => Fault::Refused(r),
            Err(f) => f,
        };
        let mut t = c.trouble(fault);
        if t.class == b'4' && t.errno == 0 {
            t.errno = errors::DATA_4XX;
        }
        Err(t.into())
    }

    fn data_answer(&mut self) -> Result<(), Abort> {
        let c = &mut self.opened.client;
        let fault = match c.read(c.command_timeout) {
            Ok(r) if r.class() == b'3' => {
                self.seen.go_ahead = true;
                return Ok(());
            }
            Ok(r) => Fault::Refused(r),
            Err(f) => f,
        };
        let refused = matches!(fault, Fault::Refused(_));
        if !self.seen.accepted {
            // Whatever that is: there is nobody to send to.
            return Ok(());
        }
        let mut t = c.trouble_at("DATA".into(), fault);
        if refused && t.class == b'4' {
            t.errno = errors::DATA_4XX;
        }
        Err(t.into())
    }

    /// A transaction failed: who is to blame, and what that means for the addresses.
    fn failed(&mut self, ctx: &mut Context, t: &Trouble) -> (HostResult, bool) {
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
        Blame::of(t, state, Some(&host)).apply(self.run.job.batch, &mut self.run.states);
        let ours = matches!(t.errno, errors::HEADER_FAIL | errors::FILTER_FAIL);
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
    fn end(&mut self, ctx: &mut Context, rc: HostResult, alive: bool) {
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
        setup::keep_session(ctx, &self.opened);
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
    fn keep(&mut self, ctx: &mut Context) -> bool {
        let next = match self.planned.take() {
            Some(next) => Some(next),
            None => self.next_message(ctx),
        };
        next.is_some_and(|(id, purpose)| self.hand_on(ctx, id, purpose))
    }

    /// Looks for a message that can go over this connection.
    fn next_message(&mut self, ctx: &mut Context) -> Option<(BString, Purpose)> {
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
    fn give_back(&mut self, ctx: &Context) -> bool {
        let Some(run) = self.run.job.continued.filter(|c| c.purpose == Purpose::Turned) else { return false };
        if self.opened.needs_reset && self.reset().is_err() {
            return false;
        }
        run.put(self.take_opened(ctx));
        true
    }

    /// The connection; what is left here is only to be dropped.
    fn take_opened(&mut self, ctx: &Context) -> Opened {
        let empty = Opened::over(Client::new(ctx, crate::smtp_out::wire::Wire::dead(), b""));
        std::mem::replace(&mut self.opened, empty)
    }

    /// Leaves the connection for the delivery code.
    fn hand_on(&mut self, ctx: &Context, next: BString, purpose: Purpose) -> bool {
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

fn with_sender(ctx: &Context, key: &BString) -> BString {
    let mut k = key.clone();
    k.extend_from_slice(b":<");
    k.extend_from_slice(ctx.message.sender.as_deref().unwrap_or_default());
    k.push(b'>');
    k
}

fn note_in_message_log(ctx: &Context, host: &HostItem, a: &Address) {
    let mut line = BString::from(format!("H={} [{}] ", host.name, host.address_text));
    line.extend_from_slice(a.failure.message.as_deref().unwrap_or_default());
    crate::log::msglog::append(ctx, &line);
}

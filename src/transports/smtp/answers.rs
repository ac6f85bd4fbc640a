//! What the answers to MAIL, RCPT, DATA and the first chunks of BDAT mean for the addresses.

use bstr::{BString, ByteSlice};

use super::envelope::{self};
use super::result::{self, Blame, State};
use super::transaction::{Abort, Awaited, Transaction, host_with_port};
use crate::context::Context;
use crate::log::{self, Which};
use crate::retry::{self, errors};
use crate::route::{Address, HostItem};
use crate::smtp_out::Fault;
use crate::smtp_out::pipe_connect;

impl Transaction<'_, '_, '_, '_> {
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

    pub(super) fn mail_answer(&mut self, command: &BString) -> Result<(), Abort> {
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

    /// The server has said yes to a recipient.
    pub(super) fn accepted(&mut self, ctx: &Context, i: usize) {
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

    pub(super) fn rcpt_answer(&mut self, ctx: &mut Context, i: usize) -> Result<(), Abort> {
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

    pub(super) fn chunk_answer(&mut self) -> Result<(), Abort> {
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

    pub(super) fn data_answer(&mut self) -> Result<(), Abort> {
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

    /// In mua_wrapper mode one bad recipient spoils it for all.
    pub(super) fn all_accepted(&mut self) -> bool {
        let bad = self.run.states.iter().position(|s| *s != State::Accepted);
        let Some(bad) = bad else { return true };
        let message = self.run.job.batch[bad].failure.message.clone().map(|m| BString::from(m.into_bytes()));
        let for_user = self.run.job.batch[bad].flags.pass_message;
        for (a, s) in self.run.job.batch.iter_mut().zip(self.run.states.iter_mut()) {
            Blame { errno: 0, more: 0, message: message.as_ref(), state: State::Failed, for_user, host: None }.apply_one(a, s);
        }
        false
    }
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

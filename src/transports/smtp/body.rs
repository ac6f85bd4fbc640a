//! The message itself: header and body by DATA or BDAT, and the answers to it, one for all recipients or (LMTP, PRDR)
//! one for each.

use std::io;
use std::time::Duration;

use bstr::BString;

use super::result::{Blame, State};
use super::transaction::{Abort, Awaited, Transaction, host_with_port};
use crate::context::Context;
use crate::deliver::transport_write::{Output, WriteError, WriteSpec, prepare};
use crate::log::line::RemoteLog;
use crate::retry::{self, errors};
use crate::route::Address;
use crate::smtp_out::client::write_fault;
use crate::smtp_out::setup::limit;
use crate::smtp_out::wire::WireError;
use crate::smtp_out::{Client, Fault, Reply, Send, Trouble};

/// Writes message data; remembers the connection's error.
struct Sink<'c> {
    client: &'c mut Client,
    limit: Option<Duration>,
    error: Option<WireError>,
    /// BDAT is used: the command goes before the data.
    bdat: bool,
    sent: usize,
}

impl Output for Sink<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.client.write_raw(bytes, self.limit).map_err(|e| {
            self.error = Some(e);
            io::Error::from(io::ErrorKind::BrokenPipe)
        })
    }
    fn chunk(&mut self, size: u64, last: bool) -> io::Result<()> {
        if !self.bdat {
            return Ok(());
        }
        let line = format!("BDAT {size}{}", if last { " LAST" } else { "" });
        match self.client.send(Send::Now, line.as_bytes()) {
            Ok(n) => {
                self.sent += n;
                Ok(())
            }
            Err(f) => {
                self.error = Some(match f {
                    Fault::TimedOut => WireError::TimedOut,
                    Fault::Io(n, t) => WireError::Io(n, t),
                    _ => WireError::Closed,
                });
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }
}

impl Transaction<'_, '_, '_, '_> {
    /// Sends header and body.
    pub(super) fn message(&mut self, ctx: &mut Context) -> Result<(), Abort> {
        let filter = crate::transports::filter::prepare_for(ctx, self.run.job.transport, self.run.job.batch)
            .map_err(|m| Abort::Trouble(Trouble::local(errors::FILTER_FAIL, m)))?;
        self.opened.client.written = 0;
        self.opened.client.set_command("sending data block");
        let chunking = self.uses.chunking;
        if chunking {
            self.awaited.push_back(Awaited::Bdat);
        } else {
            self.opened.client.say("  SMTP>> (writing message)");
        }
        let mut spec = WriteSpec::of_transport(self.run.job.transport, self.run.job.batch);
        spec.crlf = true;
        spec.dots = !chunking;
        spec.chunking = chunking;
        spec.filter = filter;
        let data_timeout = limit(self.run.smtp.options.data_timeout.0);
        let signed = prepare(ctx, &spec, self.run.job.data).map(|mut m| {
            let signed = crate::mail_auth::sign(ctx, &self.run.smtp.options, &mut m, spec.dots);
            (m, signed)
        });
        let prepared = match signed {
            Ok((message, Ok(used))) => {
                self.dkim = used;
                Ok(message)
            }
            Ok((_, Err(strict))) => return Err(self.unsigned(strict)),
            Err(e) => Err(e),
        };
        let mut sink = Sink { client: &mut self.opened.client, limit: data_timeout, error: None, bdat: chunking, sent: 0 };
        let result = prepared.and_then(|m| m.write(&spec, &mut sink));
        let (error, sent) = (sink.error.take(), sink.sent);
        let c = &mut self.opened.client;
        match result {
            Ok(_) => {}
            Err(WriteError::Output(_)) if chunking && matches!(error, Some(WireError::Closed)) => {
                // Perhaps the answers say why.
                self.answers(ctx, sent)?;
                return Err(Abort::Trouble(self.opened.client.trouble(Fault::Closed)));
            }
            Err(WriteError::Output(e)) => {
                c.set_command("sending data block");
                let fault = match error {
                    Some(e) => write_fault(&e),
                    None => Fault::Io(e.raw_os_error().unwrap_or(0), crate::sys::error_text(&e)),
                };
                let mut t = c.trouble(fault);
                t.can_quit = false;
                return Err(t.into());
            }
            Err(e) => {
                let (errno, text) = match e {
                    WriteError::Header(m) => {
                        (errors::HEADER_FAIL, format!("failed to expand headers_add or headers_remove: {m}"))
                    }
                    WriteError::Filter(m) => (errors::FILTER_FAIL, m),
                    WriteError::FilterTimeout => (errors::FILTER_FAIL, "transport filter timed out".into()),
                    WriteError::Spool(e) => {
                        (errors::WRITE_INCOMPLETE, format!("failed to read the spool file: {}", crate::sys::error_text(&e)))
                    }
                    WriteError::Output(_) => (errors::WRITE_INCOMPLETE, "failed to write a data block".into()),
                };
                // In the middle of the message there is no way to say QUIT.
                return Err(Abort::Trouble(Trouble { can_quit: false, ..Trouble::local(errno, text) }));
            }
        }
        if chunking {
            let pending = sent.saturating_sub(1);
            self.answers(ctx, pending)?;
            self.awaited.clear();
        } else {
            c.note_end_of_data();
        }
        self.opened.client.set_command("end of data");
        Ok(())
    }

    /// dkim_strict: the message is not sent as it is.
    fn unsigned(&self, why: crate::mail_auth::dkim::sign::Strict) -> Abort {
        let host = &self.attempt.host;
        let text = format!("smtp send to {} [{}] failed: {}", host.name, host.address_text, why.0);
        Abort::Trouble(Trouble { can_quit: false, ..Trouble::local(libc::EACCES, text) })
    }

    /// Reads the answer to the message, or one for each recipient.
    pub(super) fn verdicts(&mut self) -> Result<(), Abort> {
        let wait = self.final_timeout();
        let per_recipient = self.opened.client.lmtp;
        if per_recipient {
            if self.uses.chunking && !self.seen.accepted {
                return self.nobody(wait);
            }
            return self.each_recipient(wait, "LMTP");
        }
        let c = &mut self.opened.client;
        let reply = c.read(wait).map_err(|f| c.trouble(f))?;
        if !self.seen.accepted {
            return Ok(());
        }
        if self.uses.prdr && reply.class() == b'3' {
            self.each_recipient(wait, "PRDR")?;
            let c = &mut self.opened.client;
            let last = c.read(wait).map_err(|f| c.trouble(f))?;
            if !last.is_ok() {
                return Err(self.refused(last));
            }
            self.confirm(&last);
            return Ok(());
        }
        if !reply.is_ok() {
            return Err(self.refused(reply));
        }
        for i in 0..self.run.states.len() {
            if self.run.states[i] == State::Accepted {
                self.delivered(i, &reply);
            }
        }
        self.opened.needs_reset = false;
        Ok(())
    }

    fn nobody(&mut self, wait: Option<Duration>) -> Result<(), Abort> {
        let c = &mut self.opened.client;
        c.read(wait).map(drop).map_err(|f| Abort::Trouble(c.trouble(f)))
    }

    fn refused(&mut self, reply: Reply) -> Abort {
        let mut t = self.opened.client.trouble(Fault::Refused(reply));
        if t.class == b'4' {
            t.errno = errors::DATA_4XX;
        }
        // What the recipients' own answers made final stays, unless the message as a whole was refused.
        for s in &mut self.run.states {
            if *s == State::Delivered && self.uses.prdr {
                *s = State::Accepted;
            }
        }
        Abort::Trouble(t)
    }

    fn each_recipient(&mut self, wait: Option<Duration>, protocol: &str) -> Result<(), Abort> {
        let host = host_with_port(self.attempt);
        for i in 0..self.run.states.len() {
            if self.run.states[i] != State::Accepted {
                continue;
            }
            let c = &mut self.opened.client;
            let reply = c.read(wait).map_err(|f| c.trouble(f))?;
            if reply.is_ok() {
                self.delivered(i, &reply);
                self.completed = true;
                continue;
            }
            let shown = crate::log::escape::printing(&reply.text, false);
            let after = if self.uses.chunking { "end of data" } else { "DATA" };
            let message = BString::from(format!("{protocol} error after {after}: {shown}"));
            let a = &mut self.run.job.batch[i];
            let failed = reply.class() == b'5';
            let blame = Blame {
                errno: 0,
                more: if failed { 0 } else { reply.retry_code() << 8 },
                message: Some(&message),
                state: if failed { State::Failed } else { State::Deferred },
                for_user: true,
                host: Some(&host),
            };
            blame.apply_one(a, &mut self.run.states[i]);
            if !failed {
                let key = a.address_retry_key.clone();
                retry::add_item(a, key, false, false, false);
            }
        }
        self.opened.needs_reset = false;
        Ok(())
    }

    /// The answer to the message as a whole comes after those for the recipients.
    fn confirm(&mut self, last: &Reply) {
        let all = self.run.job.batch.iter_mut().zip(&self.run.states);
        for (a, _) in all.filter(|(_, s)| **s == State::Delivered) {
            if let Some(c) = a.remote_log.as_mut().and_then(|l| l.confirmation.as_mut()) {
                c.push(b'\n');
                c.extend_from_slice(&last.text);
            }
        }
    }

    /// Notes a delivery, with everything that its log line shows.
    fn delivered(&mut self, i: usize, reply: &Reply) {
        let o = &self.opened;
        let id = o.log_auth(self.uses.auth_sender.as_ref());
        let log = RemoteLog {
            auth: id,
            pipelining: self.uses.pipelining.then_some(o.early_used()),
            prdr: self.uses.prdr,
            chunking: self.uses.chunking,
            // The reference shows that for the first address only.
            ascii: self.uses.downconvert && i == 0,
            dkim: (!self.dkim.is_empty()).then(|| self.dkim.clone()),
            confirmation: Some(reply.text.clone()),
            ..self.connection_facts()
        };
        let follower = std::mem::replace(&mut self.any_delivered, true);
        let o = &self.opened;
        let host = host_with_port(self.attempt);
        let tls = o.tls.clone().unwrap_or_default();
        let written = o.client.written;
        let a: &mut Address = &mut self.run.job.batch[i];
        a.failure = Default::default();
        a.host_used = Some(Box::new(host));
        a.tls = tls;
        a.remote_log = Some(Box::new(log));
        a.bytes_sent = written;
        a.follower = follower;
        self.run.states[i] = State::Delivered;
    }
}

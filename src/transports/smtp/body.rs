//! The message itself: header and body by DATA or BDAT, and the answers to it, one for all recipients or (LMTP, PRDR)
//! one for each.

use std::io;
use std::time::Duration;

use bstr::BString;

use super::result::{Blame, State};
use super::transaction::{Abort, Awaited, Transaction, host_with_port};
use crate::context::Context;
use crate::deliver::transport_write::{Output, WriteError, WriteSpec, prepare};
use crate::log::outcome::RemoteLog;
use crate::retry::{self, errors};
use crate::route::Address;
use crate::smtp_out::client::write_fault;
use crate::smtp_out::setup::limit;
use crate::smtp_out::wire::WireError;
use crate::smtp_out::{Client, Fault, Reply, Send, Trouble};

/// Longest message that is sent in one chunk.
const ONE_CHUNK: usize = 8192;

/// So many bytes are gathered before they are written.
const GATHER: usize = 32 * 1024;

/// Writes message data; remembers the connection's error.
struct Sink<'c> {
    client: &'c mut Client,
    limit: Option<Duration>,
    error: Option<WireError>,
    held: Vec<u8>,
}

impl Sink<'_> {
    fn flush(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.client.write_raw(&held, self.limit).map_err(|e| {
            self.error = Some(e);
            io::Error::from(io::ErrorKind::BrokenPipe)
        })
    }
}

impl Output for Sink<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= GATHER { self.flush() } else { Ok(()) }
    }
}

/// The chunks that go before the last one, and what of the header goes with that and the body: a large header is cut
/// into pieces, and if a message is large its header goes first, so that a refusal comes before the body is sent.
fn chunks(header: &[u8], body: u64) -> (Vec<&[u8]>, &[u8]) {
    let mut first = Vec::new();
    let mut rest = header;
    while rest.len() >= ONE_CHUNK {
        // CR and LF stay together.
        let cut = if rest[..ONE_CHUNK].ends_with(b"\r\n") { ONE_CHUNK } else { ONE_CHUNK - 1 };
        let (chunk, after) = rest.split_at(cut);
        first.push(chunk);
        rest = after;
    }
    if !rest.is_empty() && body > 0 && rest.len() as u64 + body > ONE_CHUNK as u64 {
        first.push(rest);
        rest = &[];
    }
    (first, rest)
}

impl Transaction<'_, '_, '_, '_> {
    /// Sends header and body. `false`: nobody has been accepted, the rest was not sent.
    pub(super) fn message(&mut self, ctx: &mut Context) -> Result<bool, Abort> {
        let filter = crate::transports::filter::prepare_for(ctx, self.run.job.transport, self.run.job.batch)
            .map_err(|m| Abort::Trouble(Trouble::local(errors::FILTER_FAIL, m)))?;
        self.opened.client.written = 0;
        self.opened.client.set_command("sending data block");
        let chunking = self.uses.chunking;
        if !chunking {
            self.opened.client.say("  SMTP>> (writing message)");
        }
        let mut spec = WriteSpec::of_transport(self.run.job.transport, self.run.job.batch);
        spec.crlf = true;
        spec.dots = !chunking;
        spec.filter = filter;
        let signed = prepare(ctx, &spec, self.run.job.data).map(|mut m| {
            let signed = crate::mail_auth::sign(ctx, &self.run.smtp.options, &mut m, spec.dots);
            (m, signed)
        });
        let message = match signed {
            Ok((message, Ok(used))) => {
                self.dkim = used;
                message
            }
            Ok((_, Err(strict))) => return Err(self.unsigned(strict)),
            Err(e) => return Err(not_written(e)),
        };
        // How it is written no longer depends on the addresses.
        let spec =
            WriteSpec { crlf: true, dots: !chunking, no_body: spec.no_body, no_headers: spec.no_headers, ..WriteSpec::default() };
        if !chunking {
            self.opened.client.quitting = self.is_last(ctx);
            self.put(ctx, 0, |sink| message.write(&spec, sink).map(drop))?;
            self.opened.client.note_end_of_data();
            self.opened.client.set_command("end of data");
            return Ok(true);
        }
        let (header, body) = message.parts(&spec).map_err(not_written)?;
        let (first, rest) = chunks(&header, body);
        for chunk in first {
            self.awaited.push_back(Awaited::Chunk);
            let n = self.send(Send::Now, format!("BDAT {}", chunk.len()).as_bytes())?;
            self.put(ctx, n, |sink| sink.put(chunk).map_err(WriteError::Output))?;
            self.answers(ctx, n)?;
            self.opened.client.pipelined = false;
            if !self.seen.accepted {
                return Ok(false);
            }
        }
        let outstanding = self.send(Send::Now, format!("BDAT {} LAST", rest.len() as u64 + body).as_bytes())?;
        self.put(ctx, outstanding, |sink| {
            sink.put(rest).map_err(WriteError::Output)?;
            message.write_body(&spec, sink).map(drop)
        })?;
        self.opened.client.set_command("end of data");
        // The answer to the last chunk is the verdict.
        self.answers(ctx, outstanding.saturating_sub(1))?;
        Ok(true)
    }

    /// Writes a part of the message; `outstanding` answers may say why it cannot be done.
    fn put(
        &mut self,
        ctx: &mut Context,
        outstanding: usize,
        write: impl FnOnce(&mut Sink<'_>) -> Result<(), WriteError>,
    ) -> Result<(), Abort> {
        let c = &mut self.opened.client;
        c.set_command("sending data block");
        let limit = limit(self.run.smtp.options.data_timeout.0);
        let mut sink = Sink { client: c, limit, error: None, held: Vec::new() };
        let result = write(&mut sink).and_then(|()| {
            if sink.client.quitting {
                sink.held.extend_from_slice(b"QUIT\r\n");
            }
            sink.flush().map_err(WriteError::Output)
        });
        let error = sink.error.take();
        match result {
            Ok(()) => {}
            Err(WriteError::Output(_)) if outstanding > 0 && matches!(error, Some(WireError::Closed)) => {
                // Perhaps the answers say why.
                self.answers(ctx, outstanding)?;
                return Err(Abort::Trouble(self.opened.client.trouble(Fault::Closed)));
            }
            Err(WriteError::Output(e)) => {
                let fault = match error {
                    Some(e) => write_fault(&e),
                    None => Fault::Io(e.raw_os_error().unwrap_or(0), crate::sys::error_text(&e)),
                };
                let mut t = self.opened.client.trouble(fault);
                t.can_quit = false;
                return Err(t.into());
            }
            Err(e) => return Err(not_written(e)),
        }
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

/// A failure of our own while the message is put together or written. In its middle there is no way to say QUIT.
fn not_written(e: WriteError) -> Abort {
    let (errno, text) = match e {
        WriteError::Header(m) => (errors::HEADER_FAIL, format!("failed to expand headers_add or headers_remove: {m}")),
        WriteError::Filter(m) => (errors::FILTER_FAIL, m),
        WriteError::FilterTimeout => (errors::FILTER_FAIL, "transport filter timed out".into()),
        WriteError::Spool(e) => {
            (errors::WRITE_INCOMPLETE, format!("failed to read the spool file: {}", crate::sys::error_text(&e)))
        }
        WriteError::Output(_) => (errors::WRITE_INCOMPLETE, "failed to write a data block".into()),
    };
    Abort::Trouble(Trouble { can_quit: false, ..Trouble::local(errno, text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes() {
        let sizes = |header: &[u8], body| {
            let (first, rest) = chunks(header, body);
            (first.iter().map(|c| c.len()).collect::<Vec<_>>(), rest.len())
        };
        assert_eq!(sizes(b"a: b\r\n", 8000), (vec![], 6));
        assert_eq!(sizes(b"a: b\r\n", 8187), (vec![6], 0));
        assert_eq!(sizes(b"", 100_000), (vec![], 0));
        assert_eq!(sizes(&[b'x'; 8191], 0), (vec![], 8191));
        assert_eq!(sizes(&[b'x'; 8804], 210), (vec![8191], 613));
        assert_eq!(sizes(&[b'x'; 20000], 1), (vec![8191, 8191], 3618));
        let mut line = vec![b'x'; 8190];
        line.extend_from_slice(b"\r\nab");
        assert_eq!(sizes(&line, 1), (vec![8192], 2));
    }
}

//! The client's half of an SMTP or LMTP dialogue: commands out (singly or pipelined), replies in.
//!
//! Used by the smtp and lmtp transports, by callouts and by cutthrough delivery. It knows no addresses, no options and
//! no hints; `-v` and `-d` show what goes over the wire.

mod answers;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};

use super::features::Features;
use super::reply::Reply;
use super::trouble::{Doing, Fault, Trouble};
use super::wire::{Wire, WireError};
use crate::context::{Context, Run};
use crate::log::trace;
use answers::Ahead;
pub use answers::Settled;

/// Commands are gathered up to so many bytes while they are pipelined.
const BUFFER: usize = 4096;

/// When a command is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Send {
    /// At once, with all that waits.
    Now,
    /// When something forces it: the answer is not waited for yet.
    Later,
    /// At once, but more will follow soon (QUIT before the end of writing).
    More,
}

/// A connection to a server, and what it has said.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    /// `SMTP` or `LMTP`, for messages.
    pub protocol: &'static str,
    /// LHLO instead of EHLO.
    pub lmtp: bool,
    /// What the server offers.
    pub features: Features,
    /// The first line that it sent.
    pub greeting: BString,
    /// Its answer to EHLO or HELO.
    pub helo_response: BString,
    /// Limit for each answer; `None` waits for ever.
    pub command_timeout: Option<Duration>,
    /// `name [address]`, for messages.
    pub host: BString,
    /// Pipelining is in use, commands in messages are called so.
    pub pipelined: bool,
    /// Bytes of the message sent.
    pub written: u64,
    /// `PS=`: letters for what was done, in order: s TLS, e EHLO, h HELO, l LHLO, a AUTH.
    pub actions: String,
    /// QUIT goes out with the end of the message (PIPELINING): nothing else can be sent then.
    pub quitting: bool,
    out: Vec<u8>,
    ahead: VecDeque<Ahead>,
    settled: Settled,
    waiting: usize,
    command: BString,
    history: String,
    /// How deep what `-v` shows is indented: callouts are within something.
    indent: usize,
    run: Arc<Run>,
}

impl Client {
    /// Over a wire that is connected.
    pub fn new(ctx: &Context, wire: Wire, host: &[u8]) -> Self {
        Client {
            wire,
            protocol: "SMTP",
            lmtp: false,
            features: Features::default(),
            greeting: BString::default(),
            helo_response: BString::default(),
            command_timeout: Some(Duration::from_secs(300)),
            host: host.into(),
            pipelined: false,
            written: 0,
            actions: String::new(),
            quitting: false,
            out: Vec::new(),
            ahead: VecDeque::new(),
            settled: Settled::default(),
            waiting: 0,
            command: "initial connection".into(),
            history: String::new(),
            indent: ctx.scratch.debug_level as usize,
            run: ctx.run.clone(),
        }
    }

    /// From now on the dialogue is shown as part of what is going on.
    pub fn set_indent(&mut self, ctx: &Context) {
        self.indent = ctx.scratch.debug_level as usize;
    }

    /// The wire itself.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }
    /// The same, to look at.
    pub fn wire_ref(&self) -> &Wire {
        &self.wire
    }

    /// Says what is being done, for messages.
    pub fn set_command(&mut self, what: impl Into<BString>) {
        self.command = what.into();
    }
    /// The command last sent.
    pub fn command(&self) -> &BStr {
        self.command.as_bstr()
    }

    /// Shows text as part of the dialogue.
    pub fn say(&self, text: impl AsRef<[u8]>) {
        say(&self.run, [" ".repeat(self.indent).as_bytes(), text.as_ref()].concat());
    }

    /// Words a fault of the present command.
    pub fn trouble(&self, fault: Fault) -> Trouble {
        self.trouble_at(self.command.as_bstr(), fault)
    }

    /// Words a fault of an earlier command.
    pub fn trouble_at(&self, command: &BStr, fault: Fault) -> Trouble {
        let doing = Doing {
            command,
            pipelined: self.pipelined,
            written: self.written,
            protocol: self.protocol,
            host: self.host.as_bstr(),
        };
        let mut t = doing.trouble(fault);
        t.can_quit &= !self.wire.is_dead();
        t
    }

    /// Sends a command (without CRLF). The result is how many commands await answers after it, if it was sent; 0 if it
    /// only waits.
    pub fn send(&mut self, how: Send, line: &[u8]) -> Result<usize, Fault> {
        self.send_secret(how, line, line)
    }

    /// The same, showing something else.
    pub fn send_secret(&mut self, how: Send, line: &[u8], shown: &[u8]) -> Result<usize, Fault> {
        let mut sent = 0;
        if self.out.len() + line.len() + 2 > BUFFER && !self.out.is_empty() {
            sent = self.flush()?;
        }
        let mark = match how {
            Send::Now => '>',
            Send::Later => '|',
            Send::More => '+',
        };
        self.say([format!("  {}{mark}> ", self.protocol).as_bytes(), shown].concat());
        let word = shown.split(|c| *c == b' ' || *c == b':').next().unwrap_or_default();
        self.note(&word.as_bstr().to_string());
        match how {
            Send::Later => self.history.push('|'),
            Send::More => self.history.push('+'),
            Send::Now => {}
        }
        self.command = shown.into();
        self.out.extend_from_slice(line);
        self.out.extend_from_slice(b"\r\n");
        self.waiting += 1;
        if how != Send::Later {
            sent += self.flush()?;
        }
        Ok(sent)
    }

    fn flush(&mut self) -> Result<usize, Fault> {
        // The trace of a verification shows this too.
        if self.run.host_checking && self.indent > 0 {
            self.say(format!("cmd buf flush {} bytes", self.out.len()));
        }
        let out = std::mem::take(&mut self.out);
        self.wire.write(&out, self.command_timeout).map_err(|e| write_fault(&e))?;
        Ok(std::mem::take(&mut self.waiting))
    }

    /// Commands that have been given but not sent.
    pub fn unsent(&self) -> usize {
        self.waiting
    }

    /// Forgets commands that have not been sent.
    pub fn drop_unsent(&mut self) {
        self.out.clear();
        self.waiting = 0;
    }

    /// Writes message data.
    pub fn write_raw(&mut self, bytes: &[u8], limit: Option<Duration>) -> Result<(), WireError> {
        self.wire.write(bytes, limit)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Sends a command and reads its reply, which must be 2xx.
    pub fn command_ok(&mut self, line: &[u8]) -> Result<Reply, Fault> {
        self.send(Send::Now, line)?;
        self.expect(b'2', self.command_timeout)
    }

    /// EHLO or LHLO; on success the features are known.
    pub fn ehlo(&mut self, name: &[u8]) -> Result<(), Fault> {
        let verb: &[u8] = if self.lmtp { b"LHLO " } else { b"EHLO " };
        self.actions.push(if self.lmtp { 'l' } else { 'e' });
        self.send(Send::Now, &[verb, name].concat())?;
        let reply = self.read(self.command_timeout)?;
        self.helo_response = reply.text.clone();
        if !reply.is_ok() {
            return Err(Fault::Refused(reply));
        }
        self.features = Features::parse(&reply);
        Ok(())
    }

    /// HELO.
    pub fn helo(&mut self, name: &[u8]) -> Result<(), Fault> {
        self.actions.push('h');
        let reply = self.command_ok(&[b"HELO ", name].concat())?;
        self.helo_response = reply.text;
        self.features = Features::default();
        Ok(())
    }

    /// MAIL with its parameters (each with a blank before it).
    pub fn mail(&mut self, how: Send, sender: &[u8], parameters: &[u8]) -> Result<usize, Fault> {
        self.send(how, &[b"MAIL FROM:<", sender, b">", parameters].concat())
    }

    /// RCPT with its parameters.
    pub fn rcpt(&mut self, how: Send, address: &[u8], parameters: &[u8]) -> Result<usize, Fault> {
        self.send(how, &[b"RCPT TO:<", address, b">", parameters].concat())
    }

    /// Ends the session in order: QUIT, the end of our writing, a short wait for the answer.
    pub fn quit(&mut self) {
        if self.quitting {
            if !self.wire.is_dead() {
                let _ = self.read(Some(Duration::from_secs(1)));
            }
        } else if !self.wire.is_dead() && self.send(Send::More, b"QUIT").is_ok() {
            if self.wire.tls().is_none() {
                self.say("  SMTP(shutdown)>>");
                self.wire.finish_writing();
            }
            let _ = self.read(Some(Duration::from_secs(1)));
        }
        self.close();
    }

    /// Ends the session in order and leaves the end of the connection to the server, for a second. If it has ended TLS,
    /// it gets no close_notify of ours: it may be reading in clear by then (a customer of ATRN is its caller, too).
    pub fn quit_and_wait(&mut self) {
        const WAIT: Option<Duration> = Some(Duration::from_secs(1));
        if self.wire.is_dead() || self.send(Send::Now, b"QUIT").is_err() || self.read(WAIT).is_err() {
            return self.close();
        }
        match self.wire.read_line(WAIT) {
            Err(WireError::Closed) => self.wire.abandon(),
            _ => self.close(),
        }
    }

    /// Ends the connection without a word.
    pub fn close(&mut self) {
        self.say("  SMTP(close)>>");
        self.wire.close();
    }

    /// The commands and codes so far, as `-v` shows them after a delivery.
    pub fn history(&self) -> String {
        if self.history.is_empty() { "(unset)".into() } else { format!("'{}'", self.history) }
    }

    fn note(&mut self, word: &str) {
        if self.history.len() < 4096 {
            if !self.history.is_empty() {
                self.history.push(':');
            }
            self.history.push_str(word);
        }
    }

    /// Notes the end of the message.
    pub fn note_end_of_data(&mut self) {
        let more = if self.quitting { '+' } else { '>' };
        self.say(format!("  SMTP{more}> ."));
        self.note(if self.quitting { ".+" } else { "." });
        if self.quitting {
            self.say("  SMTP>> QUIT");
            self.note("QUIT");
        }
    }
}

/// Shows a line of the dialogue with `-v`, `-d+transport`, `-d+acl` or `-bh`.
pub fn say(run: &Run, text: impl AsRef<[u8]>) {
    let wanted = run.verbose || run.debug & (trace::V | trace::TRANSPORT | trace::ACL) != 0;
    if wanted || run.host_checking {
        let prefix: &[u8] = if run.host_checking && run.debug & trace::ANY == 0 { b">>> " } else { b"" };
        trace::early_bytes(run, &[prefix, text.as_ref()].concat());
    }
}

/// A failure to write.
pub fn write_fault(e: &WireError) -> Fault {
    match e {
        WireError::TimedOut => Fault::TimedOut,
        WireError::Closed | WireError::TooLong => Fault::Closed,
        WireError::Io(n, text) => Fault::Io(*n, text.clone()),
    }
}

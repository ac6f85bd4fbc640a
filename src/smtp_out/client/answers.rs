//! Replies of the server, one after the other, in the order of the commands that they answer.
//!
//! With early pipelining, commands are sent before the banner or the answer to EHLO has come; those come first here, and
//! whoever reads a reply gets that of his own command.

use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::{Client, Send};
use crate::smtp_out::features::Features;
use crate::smtp_out::reply::{MAX_REPLY, Reply, check_line};
use crate::smtp_out::trouble::Fault;
use crate::smtp_out::wire::WireError;

/// An answer that commands are sent ahead of (early pipelining).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    /// The banner.
    Banner,
    /// The answer to EHLO.
    Hello,
}

/// Which answers have come after all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The banner.
    pub banner: bool,
    /// The answer to EHLO.
    pub hello: bool,
}

impl Client {
    /// Reads one reply, whatever it says. Answers that commands were sent ahead of come first.
    pub fn read(&mut self, limit: Option<Duration>) -> Result<Reply, Fault> {
        self.settle()?;
        self.read_one(limit)
    }

    /// Reads the answers that commands were sent ahead of; both must be 2xx.
    pub fn settle(&mut self) -> Result<(), Fault> {
        while let Some(what) = self.ahead.pop_front() {
            let reply = self.read_one(self.command_timeout)?;
            match what {
                Ahead::Banner => {
                    self.greeting = reply.text.clone();
                    self.settled.banner = true;
                }
                Ahead::Hello => {
                    self.helo_response = reply.text.clone();
                    self.settled.hello = reply.is_ok();
                    if reply.is_ok() {
                        self.features = Features::parse(&reply);
                    }
                }
            }
            if !reply.is_ok() {
                self.ahead.clear();
                return Err(Fault::Refused(reply));
            }
        }
        Ok(())
    }

    /// What has been read ahead of other answers since the last time that this was asked.
    pub fn take_settled(&mut self) -> Option<Settled> {
        let settled = std::mem::take(&mut self.settled);
        (settled != Settled::default()).then_some(settled)
    }

    /// The banner will be read later.
    pub fn banner_later(&mut self) {
        self.ahead.push_back(Ahead::Banner);
    }

    /// EHLO or LHLO goes out with what follows, its answer is read later. Until then the server is taken to offer these.
    pub fn ehlo_later(&mut self, name: &[u8], believed: Features) -> Result<(), Fault> {
        let verb: &[u8] = if self.lmtp { b"LHLO " } else { b"EHLO " };
        self.actions.push(if self.lmtp { 'l' } else { 'e' });
        self.send(Send::Later, &[verb, name].concat())?;
        // It is not among the answers that the sender of the next commands counts.
        self.waiting = self.waiting.saturating_sub(1);
        self.ahead.push_back(Ahead::Hello);
        self.features = believed;
        Ok(())
    }

    fn read_one(&mut self, limit: Option<Duration>) -> Result<Reply, Fault> {
        let mut text = BString::default();
        loop {
            let line = match self.wire.read_line(limit) {
                Ok(l) => l,
                Err(e) => {
                    let fault = read_fault(e, &text);
                    if fault == Fault::Closed {
                        self.say(format!("  {}(closed)<<", self.protocol));
                    }
                    return Err(fault);
                }
            };
            let line = line.trim_end();
            let first = text.is_empty();
            let lead = if first { format!("  {}<< ", self.protocol) } else { "         ".to_string() };
            self.say([lead.as_bytes(), line].concat());
            let Some(more) = check_line(line) else {
                let mut bad = text;
                if !first {
                    bad.push(b'\n');
                }
                bad.extend_from_slice(line);
                return Err(Fault::Malformed(bad));
            };
            if !first {
                text.push(b'\n');
            } else {
                let code = line.get(..3).unwrap_or_default().as_bstr().to_string();
                self.note(&format!("{code}{}", if more { "-" } else { "" }));
            }
            text.extend_from_slice(line);
            if !more {
                return Ok(Reply { text });
            }
            if text.len() > MAX_REPLY {
                return Err(Fault::Malformed(text));
            }
        }
    }

    /// Reads a reply that must be of a class (`b'2'`, `b'3'`).
    pub fn expect(&mut self, class: u8, limit: Option<Duration>) -> Result<Reply, Fault> {
        let reply = self.read(limit)?;
        if reply.class() == class { Ok(reply) } else { Err(Fault::Refused(reply)) }
    }

    /// Reads the greeting.
    pub fn read_greeting(&mut self) -> Result<Reply, Fault> {
        self.command = "initial connection".into();
        let reply = match self.read(self.command_timeout) {
            Ok(r) => r,
            Err(f) => {
                if let Fault::Malformed(t) = &f {
                    self.greeting = t.clone();
                }
                return Err(f);
            }
        };
        self.greeting = reply.text.clone();
        if reply.is_ok() { Ok(reply) } else { Err(Fault::Refused(reply)) }
    }
}

fn read_fault(e: WireError, so_far: &BString) -> Fault {
    match e {
        WireError::TimedOut => Fault::TimedOut,
        WireError::Closed => Fault::Closed,
        WireError::TooLong => Fault::Malformed(so_far.clone()),
        WireError::Io(n, text) => Fault::Io(n, text),
    }
}

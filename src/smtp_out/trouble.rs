//! Failures of a dialogue, worded as the reference words them, with the numbers that the retry code reads.

use bstr::{BStr, BString, ByteSlice};

use super::reply::Reply;
use crate::log::escape;
use crate::retry::errors;

/// What went wrong while talking to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No answer in time.
    TimedOut,
    /// The connection was closed or reset.
    Closed,
    /// The answer is not one: the offending text.
    Malformed(BString),
    /// Another error: errno and its text.
    Io(i32, String),
    /// An answer that was not wanted.
    Refused(Reply),
}

/// Longest text about a server's answer.
const MAX_TEXT: usize = 1024;

/// A fault that is to be put into addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Basic error number, 0 for an SMTP error without one.
    pub errno: i32,
    /// The two last digits of the answer's code, for `more_errno`.
    pub code: i32,
    /// The text, without the error's own (`Connection timed out`).
    pub message: Option<BString>,
    /// The first digit of the answer; `b'4'` for anything that is not an answer.
    pub class: u8,
    /// The text may be shown to the sender.
    pub for_user: bool,
    /// The connection still works: QUIT can be sent.
    pub can_quit: bool,
    /// The command that it answers, for the decision whether the host or the message is to blame.
    pub command: BString,
}

impl Trouble {
    /// A failure of our own.
    pub fn local(errno: i32, message: impl Into<BString>) -> Self {
        Trouble { errno, message: Some(message.into()), class: b'4', can_quit: true, ..Trouble::default() }
    }

    /// It says something about the message or its sender rather than about the host.
    pub fn is_of_message(&self) -> bool {
        let end = self.command.starts_with(b"end ");
        match self.errno {
            0 | errors::MAIL_4XX | errors::DATA_4XX => true,
            libc::ETIMEDOUT => end || self.command.starts_with(b"MAIL"),
            errors::SMTP_CLOSED => end,
            _ => false,
        }
    }

    /// The text with the system's own words, as host lines show it.
    pub fn full_message(&self) -> Option<BString> {
        let mut m = self.message.clone()?;
        if self.errno > 0 {
            m.extend_from_slice(b": ");
            m.extend_from_slice(crate::sys::strerror(self.errno).as_bytes());
        }
        Some(m)
    }
}

/// What was being done when something went wrong.
#[derive(Clone, Copy, Debug)]
pub struct Doing<'a> {
    /// The command, or `initial connection`, `end of data`, `sending data block`.
    pub command: &'a BStr,
    /// Commands are pipelined.
    pub pipelined: bool,
    /// Bytes of the message sent so far; 0 if it had not begun.
    pub written: u64,
    /// `LMTP` or `SMTP`.
    pub protocol: &'static str,
    /// Name and address of the server.
    pub host: &'a BStr,
}

impl Doing<'_> {
    fn phrase(&self) -> BString {
        let mut s = BString::from(if self.pipelined { "pipelined " } else { "" });
        s.extend_from_slice(self.command);
        s
    }

    /// Words a fault.
    pub fn trouble(&self, fault: Fault) -> Trouble {
        let phrase = self.phrase();
        let mut t = Trouble { class: b'4', command: self.command.into(), ..Trouble::default() };
        let text = match fault {
            Fault::TimedOut => {
                t.errno = libc::ETIMEDOUT;
                let count = if self.written > 0 { format!(" ({} bytes written)", self.written) } else { String::new() };
                format!("{} timeout after {phrase}{count}", self.protocol).into()
            }
            Fault::Closed => {
                t.errno = errors::SMTP_CLOSED;
                if self.protocol == "LMTP" {
                    format!("LMTP connection closed after {phrase}").into()
                } else {
                    format!("Remote host closed connection in response to {phrase}").into()
                }
            }
            Fault::Malformed(text) => {
                t.errno = errors::SMTP_FORMAT;
                let shown = escape::printing(text.trim_start(), false);
                if self.protocol == "LMTP" {
                    format!("Malformed LMTP response after {phrase}: {shown}").into()
                } else if shown.is_empty() {
                    format!("Malformed SMTP reply (an empty line) in response to {phrase}").into()
                } else {
                    joined(&["Malformed SMTP reply in response to ".as_bytes(), &phrase, b": ", &shown])
                }
            }
            // With TCP Fast Open a refused connection shows at the first answer only.
            Fault::Io(errno @ libc::ECONNREFUSED, _) => return Trouble { errno, can_quit: false, ..t },
            Fault::Io(errno, text) => {
                t.errno = errno;
                if errno == 0 { text.into() } else { self.host.into() }
            }
            Fault::Refused(reply) => {
                t.class = reply.class();
                t.code = reply.retry_code();
                t.for_user = true;
                t.can_quit = true;
                // Parameters of MAIL say nothing to the reader.
                let short = if phrase_is_mail(self.command) { cut_mail(&phrase) } else { phrase };
                let start =
                    if self.protocol == "LMTP" { "LMTP error after " } else { "SMTP error from remote mail server after " };
                let mut text = joined(&[start.as_bytes(), &short, b": ", &escape::printing(&reply.text, false)]);
                text.truncate(MAX_TEXT);
                text
            }
        };
        t.message = Some(text);
        t
    }
}

fn joined(parts: &[&[u8]]) -> BString {
    parts.concat().into()
}

fn phrase_is_mail(command: &[u8]) -> bool {
    command.starts_with(b"MAIL FROM:")
}

fn cut_mail(phrase: &[u8]) -> BString {
    let from = phrase.find(b"FROM:").map_or(0, |n| n + 5);
    let end = phrase.get(from..).and_then(|r| r.find_byte(b'>')).map_or(phrase.len(), |n| from + n + 1);
    phrase.get(..end).unwrap_or(phrase).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doing(command: &str) -> Doing<'_> {
        Doing { command: command.into(), pipelined: true, written: 0, protocol: "SMTP", host: "h [1.2.3.4]".into() }
    }

    #[test]
    fn words() {
        let t = doing("MAIL FROM:<a@b> SIZE=100").trouble(Fault::Refused(Reply { text: "451 Temp error".into() }));
        assert_eq!(t.message.unwrap(), "SMTP error from remote mail server after pipelined MAIL FROM:<a@b>: 451 Temp error");
        assert_eq!((t.class, t.code), (b'4', 51));
        let t = doing("MAIL FROM:<a@b> SIZE=100").trouble(Fault::TimedOut);
        assert!(t.is_of_message());
        assert_eq!(t.full_message().unwrap(), "SMTP timeout after pipelined MAIL FROM:<a@b> SIZE=100: Connection timed out");
        let t = doing("DATA").trouble(Fault::Malformed("  ".into()));
        assert_eq!(t.message.unwrap(), "Malformed SMTP reply (an empty line) in response to pipelined DATA");
        let t = doing("end of data").trouble(Fault::Closed);
        assert!(t.is_of_message() && t.errno == errors::SMTP_CLOSED);
    }
}

//! The bytes of an SMTP or LMTP connection from the client's side: plain socket, TLS, or a pair of pipes to a command.
//!
//! One owned reader with one buffer. When TLS begins, nothing that came in clear survives (CVE-2021-38371); after an
//! error or the peer's end of file the wire stays dead. Knows nothing of replies or of mail.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::odmr::Line;
use crate::sys::{fd, net, sockopt};
use crate::tls_openssl::{StreamError, TlsStream};

/// Longest line of a reply that is read, bytes; longer ones are cut off by the caller as malformed.
pub const MAX_LINE: usize = 4096;

/// Why bytes did not come or go.
#[derive(Debug)]
pub enum WireError {
    /// Nothing came, or nothing could be written, within the time allowed.
    TimedOut,
    /// The peer has closed the connection, or reset it.
    Closed,
    /// A line without an end.
    TooLong,
    /// Anything else: the errno (0 if there is none) and its text.
    Io(i32, String),
}

impl WireError {
    fn of(e: &io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => WireError::TimedOut,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe => WireError::Closed,
            _ if e.raw_os_error() == Some(libc::ETIMEDOUT) => WireError::TimedOut,
            _ => WireError::Io(e.raw_os_error().unwrap_or(0), crate::sys::error_text(e)),
        }
    }
}

enum Ends {
    Socket(OwnedFd),
    Tls(Box<TlsStream>),
    Pipes { from: OwnedFd, to: OwnedFd },
    Dead,
}

/// See the module.
pub struct Wire {
    ends: Ends,
    input: Vec<u8>,
    at: usize,
    over: bool,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.ends {
            Ends::Socket(_) => "socket",
            Ends::Tls(_) => "TLS",
            Ends::Pipes { .. } => "pipes",
            Ends::Dead => "dead",
        })
    }
}

impl Wire {
    /// Over a connected socket (TCP or Unix).
    pub fn socket(socket: OwnedFd) -> Self {
        Wire { ends: Ends::Socket(socket), input: Vec::new(), at: 0, over: false }
    }

    /// Over a command's standard output and input.
    pub fn pipes(from: OwnedFd, to: OwnedFd) -> Self {
        // A command that does not read must not block us for longer than the time-out.
        let _ = fd::set_nonblocking(to.as_fd(), true);
        Wire { ends: Ends::Pipes { from, to }, input: Vec::new(), at: 0, over: false }
    }

    /// Over TLS that has begun already: the connection was somebody else's before.
    pub fn secure(stream: TlsStream) -> Self {
        Wire { ends: Ends::Tls(Box::new(stream)), input: Vec::new(), at: 0, over: false }
    }

    /// Over nothing.
    pub fn dead() -> Self {
        Wire { ends: Ends::Dead, input: Vec::new(), at: 0, over: true }
    }

    /// The encrypted stream, if the connection is encrypted.
    pub fn tls(&self) -> Option<&TlsStream> {
        match &self.ends {
            Ends::Tls(t) => Some(t),
            _ => None,
        }
    }

    /// Has the peer taken data that came with our SYN?
    pub fn syn_data_taken(&self) -> bool {
        let taken = |fd| sockopt::tcp_state(fd).is_ok_and(|s| s.syn_data);
        match &self.ends {
            Ends::Socket(s) => taken(s.as_fd()),
            Ends::Tls(t) => taken(t.as_fd()),
            Ends::Pipes { .. } | Ends::Dead => false,
        }
    }

    /// The connection has ended or broken.
    pub fn is_dead(&self) -> bool {
        self.over || matches!(self.ends, Ends::Dead)
    }

    /// Bytes that came in clear and are still in the buffer.
    pub fn buffered(&self) -> usize {
        self.input.len() - self.at
    }

    /// Gives the plain socket away for a TLS handshake; what is buffered is thrown away. The wire is dead until
    /// [`Wire::encrypted`].
    pub fn take_socket(&mut self) -> Option<OwnedFd> {
        self.input.clear();
        self.at = 0;
        match std::mem::replace(&mut self.ends, Ends::Dead) {
            Ends::Socket(s) => Some(s),
            other => {
                self.ends = other;
                None
            }
        }
    }

    /// Gives the connection away for good (ATRN): from now on the other side is the client.
    pub fn take_line(&mut self) -> Option<Line> {
        self.over = true;
        match std::mem::replace(&mut self.ends, Ends::Dead) {
            Ends::Socket(s) => Some(Line::Clear(s)),
            Ends::Tls(t) => Some(Line::Secure(t)),
            Ends::Pipes { .. } | Ends::Dead => None,
        }
    }

    /// Goes on encrypted.
    pub fn encrypted(&mut self, stream: TlsStream) {
        self.input.clear();
        self.at = 0;
        self.ends = Ends::Tls(Box::new(stream));
    }

    /// Writes all of it; each part within the time.
    pub fn write(&mut self, bytes: &[u8], limit: Option<Duration>) -> Result<(), WireError> {
        let deadline = limit.map(|l| Instant::now() + l);
        let done = match &mut self.ends {
            Ends::Socket(s) => fd::write_all_deadline(s.as_fd(), bytes, deadline),
            Ends::Pipes { to, .. } => fd::write_all_deadline(to.as_fd(), bytes, deadline),
            Ends::Tls(t) => t.write_all_timed(bytes, limit).map_err(io::Error::from),
            Ends::Dead => return Err(WireError::Closed),
        };
        done.map_err(|e| WireError::of(&e))
    }

    /// The next line, without its end. Each read must bring something within the time.
    pub fn read_line(&mut self, limit: Option<Duration>) -> Result<Vec<u8>, WireError> {
        loop {
            let held = self.input.get(self.at..).unwrap_or_default();
            if let Some(end) = held.iter().position(|c| *c == b'\n') {
                let mut line = held[..end].to_vec();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                self.at += end + 1;
                return Ok(line);
            }
            if held.len() > MAX_LINE {
                return Err(WireError::TooLong);
            }
            self.fill(limit)?;
        }
    }

    fn fill(&mut self, limit: Option<Duration>) -> Result<(), WireError> {
        if self.over {
            return Err(WireError::Closed);
        }
        self.input.drain(..self.at);
        self.at = 0;
        let mut block = [0u8; 4096];
        let deadline = limit.map(|l| Instant::now() + l);
        let n = match &mut self.ends {
            Ends::Socket(s) => fd::read_deadline(s.as_fd(), &mut block, deadline),
            Ends::Pipes { from, .. } => fd::read_deadline(from.as_fd(), &mut block, deadline),
            Ends::Tls(t) => match t.read_some(&mut block, limit) {
                Err(StreamError::Truncated | StreamError::Closed) => Ok(0),
                other => other.map_err(io::Error::from),
            },
            Ends::Dead => return Err(WireError::Closed),
        };
        match n {
            Ok(0) => {
                self.over = true;
                Err(WireError::Closed)
            }
            Ok(n) => {
                self.input.extend_from_slice(block.get(..n).unwrap_or_default());
                Ok(())
            }
            Err(e) => {
                let e = WireError::of(&e);
                self.over = !matches!(e, WireError::TimedOut);
                Err(e)
            }
        }
    }

    /// Says that no more will be written; the peer may still answer.
    pub fn finish_writing(&mut self) {
        match &mut self.ends {
            Ends::Socket(s) => drop(net::shutdown(s.as_fd(), true)),
            Ends::Tls(t) => drop(t.close_write()),
            Ends::Pipes { .. } | Ends::Dead => {}
        }
    }

    /// Lets the connection go that the peer has ended.
    pub fn abandon(&mut self) {
        self.ends = Ends::Dead;
        self.over = true;
    }

    /// Ends the connection.
    pub fn close(&mut self) {
        if let Ends::Tls(t) = &mut self.ends {
            t.shutdown(None);
        }
        self.abandon();
    }
}

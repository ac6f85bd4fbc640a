//! An encrypted connection: blocking reads and writes with a time limit, over the plain socket.
//!
//! After close_notify, an error or shutdown the stream is dead for
//! good: nothing is read from the socket again, in clear or otherwise.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use openssl::ssl::{Error as SslError, ErrorCode, ShutdownResult, SslStream};

use super::connection::Connection;
use super::error::{StreamError, TlsError, stack_text};
use super::facts::TlsFacts;
use super::fdio::FdIo;
use super::session::SavedSession;
use crate::sys::error_text;

/// An encrypted connection that owns its socket.
pub struct TlsStream {
    stream: SslStream<FdIo>,
    conn: Arc<Connection>,
    facts: TlsFacts,
    state: State,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The peer ended it in order: reads give end of file.
    Ended,
    /// Broken, or ended by us.
    Dead,
}

impl TlsStream {
    pub(super) fn new(mut stream: SslStream<FdIo>, conn: Arc<Connection>, facts: TlsFacts) -> TlsStream {
        stream.get_mut().set_deadline(None);
        TlsStream { stream, conn, facts, state: State::Open, read_timeout: None, write_timeout: None }
    }

    /// What is known of the connection.
    pub fn facts(&self) -> &TlsFacts {
        &self.facts
    }

    /// Limits for each following read and write through [`Read`] and [`Write`].
    pub fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) {
        self.read_timeout = read;
        self.write_timeout = write;
    }

    /// Read some bytes; `Ok(0)` only after the peer's close_notify. With a time-out the read may be
    /// tried again.
    pub fn read_some(&mut self, buf: &mut [u8], limit: Option<Duration>) -> Result<usize, StreamError> {
        self.input(limit, |s| s.ssl_read(buf))
    }

    /// Look at decrypted input without taking it; waits for some as `read_some` does.
    pub fn peek(&mut self, buf: &mut [u8], limit: Option<Duration>) -> Result<usize, StreamError> {
        self.input(limit, |s| s.ssl_peek(buf))
    }

    fn input(
        &mut self,
        limit: Option<Duration>,
        get: impl FnOnce(&mut SslStream<FdIo>) -> Result<usize, SslError>,
    ) -> Result<usize, StreamError> {
        match self.state {
            State::Ended => return Ok(0),
            State::Dead => return Err(StreamError::Closed),
            State::Open => {}
        }
        self.stream.get_mut().set_deadline(limit);
        match get(&mut self.stream) {
            Ok(n) => Ok(n),
            Err(e) if e.code() == ErrorCode::ZERO_RETURN => {
                self.state = State::Ended;
                Ok(0)
            }
            Err(e) => Err(self.broken("SSL_read", &e, true)),
        }
    }

    /// Write everything. After a time-out the stream is dead: a record may be half sent.
    pub fn write_all_timed(&mut self, mut buf: &[u8], limit: Option<Duration>) -> Result<(), StreamError> {
        if self.state != State::Open {
            return Err(StreamError::Closed);
        }
        self.stream.get_mut().set_deadline(limit);
        while !buf.is_empty() {
            match self.stream.ssl_write(buf) {
                Ok(n) => buf = buf.get(n..).unwrap_or_default(),
                Err(e) => return Err(self.broken("SSL_write", &e, false)),
            }
        }
        Ok(())
    }

    /// Decrypted bytes that can be read without the socket.
    pub fn pending(&self) -> usize {
        if self.state == State::Open { self.stream.ssl().pending() } else { 0 }
    }

    /// The peer has ended the stream, or it broke; no more input will come.
    pub fn is_over(&self) -> bool {
        self.state != State::Open
    }

    /// End the stream: send close_notify and, when `wait` is given, wait as long for the peer's; then
    /// close the TCP connection in both directions.
    pub fn shutdown(&mut self, wait: Option<Duration>) {
        if self.state != State::Dead {
            // A peer that does not read must not hold us up.
            self.stream.get_mut().set_deadline(Some(wait.unwrap_or(Duration::from_secs(1))));
            if let Ok(ShutdownResult::Sent) = self.stream.shutdown()
                && wait.is_some()
                && self.state == State::Open
            {
                let _ = self.stream.shutdown();
            }
        }
        self.state = State::Dead;
        let _ = self.stream.get_ref().close(Shutdown::Both);
    }

    /// End our half in order (close_notify, then TCP FIN) but leave the peer's half to be read.
    pub fn close_write(&mut self) -> Result<(), StreamError> {
        if self.state != State::Open {
            return Err(StreamError::Closed);
        }
        self.stream.get_mut().set_deadline(Some(Duration::from_secs(5)));
        match self.stream.shutdown() {
            Ok(_) => {
                let _ = self.stream.get_ref().close(Shutdown::Write);
                Ok(())
            }
            Err(e) => Err(self.broken("SSL_shutdown", &e, false)),
        }
    }

    /// Client: the session to keep for resumption. Ask shortly before closing: in TLS 1.3 tickets
    /// come after the handshake, with the first data.
    pub fn session_out(&self) -> Option<SavedSession> {
        let learned = self.conn.learned();
        let session = learned.sessions.last()?;
        SavedSession::from_session(session, self.facts.verified, self.facts.dane, self.facts.ocsp)
    }

    /// The facts with bits that may have come since the handshake (tickets).
    pub fn resumption_now(&self) -> u8 {
        self.facts.resumption | self.conn.learned().resumption
    }

    /// Classify a failure; all but a read's time-out kill the stream.
    fn broken(&mut self, step: &'static str, e: &SslError, reading: bool) -> StreamError {
        let error = stream_error(step, e);
        if !(reading && matches!(error, StreamError::TimedOut)) {
            self.state = State::Dead;
        }
        error
    }
}

impl AsFd for TlsStream {
    /// For getpeername and poll; reading or writing it would break the stream.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.get_ref().as_fd()
    }
}

impl Read for TlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let limit = self.read_timeout;
        Ok(self.read_some(buf, limit)?)
    }
}

impl Write for TlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let limit = self.write_timeout;
        self.write_all_timed(buf, limit)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stream_error(step: &'static str, e: &SslError) -> StreamError {
    if matches!(e.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE) {
        return StreamError::TimedOut;
    }
    if let Some(stack) = e.ssl_error().filter(|s| !s.errors().is_empty()) {
        if is_unexpected_eof(stack) {
            return StreamError::Truncated;
        }
        return StreamError::Tls { step, detail: stack_text(stack) };
    }
    match e.io_error() {
        Some(io) => StreamError::Io(io::Error::new(io.kind(), error_text(io))),
        None if e.code() == ErrorCode::SYSCALL => StreamError::Truncated,
        None => StreamError::Tls { step, detail: e.to_string() },
    }
}

fn is_unexpected_eof(stack: &openssl::error::ErrorStack) -> bool {
    // SSL_R_UNEXPECTED_EOF_WHILE_READING
    stack.errors().first().is_some_and(|e| e.reason_code() == 294 && e.library_code() == 20)
}

/// The error of a failed handshake: a reason noted by a callback goes before the library's text.
pub(super) fn handshake_error(step: &'static str, conn: &Connection, e: &SslError) -> TlsError {
    if let Some(why) = conn.learned().refusal.clone() {
        return why;
    }
    if matches!(e.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE) {
        return TlsError::TimedOut { step };
    }
    if let Some(stack) = e.ssl_error().filter(|s| !s.errors().is_empty()) {
        return TlsError::library(step, stack);
    }
    match e.io_error() {
        Some(io) if io.kind() != io::ErrorKind::UnexpectedEof => {
            TlsError::Library { step: step.to_string(), detail: error_text(io) }
        }
        _ => TlsError::ClosedByPeer { step },
    }
}

#[cfg(test)]
impl TlsStream {
    /// Send close_notify and nothing else.
    pub fn close_notify_only(&mut self) {
        let _ = self.stream.shutdown();
    }
}

//! An encrypted connection: blocking reads and writes with a time limit, over the plain socket.
//!
//! The one mechanism for time limits is the socket's own receive and send timeout, set from a
//! deadline before each system call. After close_notify, an error or shutdown the stream is dead for
//! good: nothing is read from the socket again, in clear or otherwise.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openssl::ssl::{Error as SslError, ErrorCode, ShutdownResult, SslRef, SslStream};
use openssl::x509::X509VerifyResult;

use bstr::BString;

use super::certificate::Cert;
use super::connection::Connection;
use super::error::{StreamError, TlsError, stack_text};
use super::facts::TlsFacts;
use super::session::SavedSession;

/// The socket under a stream. `TcpStream` serves for any stream socket: only recv, send and the two
/// timeouts are used.
pub(super) struct FdIo {
    sock: TcpStream,
    deadline: Option<Instant>,
    read_limit: Option<Duration>,
    write_limit: Option<Duration>,
}

impl FdIo {
    pub fn new(fd: OwnedFd) -> io::Result<FdIo> {
        let sock = TcpStream::from(fd);
        sock.set_nonblocking(false)?;
        sock.set_read_timeout(None)?;
        sock.set_write_timeout(None)?;
        Ok(FdIo { sock, deadline: None, read_limit: None, write_limit: None })
    }

    /// Limit what follows, counted from now.
    pub fn set_deadline(&mut self, limit: Option<Duration>) {
        self.deadline = limit.and_then(|l| Instant::now().checked_add(l));
    }

    /// Time left; an error when there is none. Rounded up to a millisecond, so that it never becomes
    /// the "no timeout" of the socket option.
    fn left(&self) -> io::Result<Option<Duration>> {
        let Some(end) = self.deadline else { return Ok(None) };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Some(left.max(Duration::from_millis(1))))
    }
}

impl Read for FdIo {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let limit = self.left()?;
            if limit != self.read_limit {
                self.sock.set_read_timeout(limit)?;
                self.read_limit = limit;
            }
            match self.sock.read(buf) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

impl Write for FdIo {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        loop {
            let limit = self.left()?;
            if limit != self.write_limit {
                self.sock.set_write_timeout(limit)?;
                self.write_limit = limit;
            }
            match self.sock.write(buf) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Channel bindings for authenticators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// RFC 5929: first Finished message (up to TLS 1.2).
    TlsUnique,
    /// RFC 9266: exported key material (TLS 1.3).
    TlsExporter,
}

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
        let _ = self.stream.get_ref().sock.shutdown(Shutdown::Both);
    }

    /// End our half in order (close_notify, then TCP FIN) but leave the peer's half to be read.
    pub fn close_write(&mut self) -> Result<(), StreamError> {
        if self.state != State::Open {
            return Err(StreamError::Closed);
        }
        self.stream.get_mut().set_deadline(Some(Duration::from_secs(5)));
        match self.stream.shutdown() {
            Ok(_) => {
                let _ = self.stream.get_ref().sock.shutdown(Shutdown::Write);
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

    /// Bytes of a channel binding; None when not defined for this version.
    pub fn channel_binding(&self, kind: ChannelBinding) -> Option<Vec<u8>> {
        channel_binding(self.stream.ssl(), kind)
    }

    /// The binding that fits the version in use.
    pub fn best_channel_binding(&self) -> Option<(ChannelBinding, Vec<u8>)> {
        [ChannelBinding::TlsUnique, ChannelBinding::TlsExporter].into_iter().find_map(|k| self.channel_binding(k).map(|b| (k, b)))
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
        self.stream.get_ref().sock.as_fd()
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

fn channel_binding(ssl: &SslRef, kind: ChannelBinding) -> Option<Vec<u8>> {
    let tls13 = ssl.version_str() == "TLSv1.3";
    match kind {
        ChannelBinding::TlsUnique if !tls13 => {
            // The first Finished is the client's, in a resumed session the server's.
            let ours_first = ssl.is_server() == ssl.session_reused();
            let mut buf = [0u8; 64];
            let n = if ours_first { ssl.finished(&mut buf) } else { ssl.peer_finished(&mut buf) };
            buf.get(..n).filter(|b| !b.is_empty()).map(<[u8]>::to_vec)
        }
        ChannelBinding::TlsExporter if tls13 => {
            let mut buf = [0u8; 32];
            ssl.export_keying_material(&mut buf, "EXPORTER-Channel-Binding", Some(b"")).ok()?;
            Some(buf.to_vec())
        }
        _ => None,
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
        Some(io) => StreamError::Io(io::Error::new(io.kind(), io.to_string())),
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
            TlsError::Library { step: step.to_string(), detail: io.to_string() }
        }
        _ => TlsError::ClosedByPeer { step },
    }
}

impl TlsFacts {
    /// Everything the SSL object and the callbacks know.
    pub(super) fn gather(conn: &Connection, ssl: &SslRef) -> TlsFacts {
        let learned = conn.learned();
        let mut f = TlsFacts {
            resumption: learned.resumption,
            ocsp: learned.ocsp,
            sni: learned.sni.clone(),
            verified: learned.verified,
            verify_error: learned.verify_failed.clone(),
            ..TlsFacts::default()
        };
        if ssl.is_init_finished() {
            f.version = ssl.version_str().replacen("TLSv", "TLS", 1);
            if let Some(c) = ssl.current_cipher() {
                f.bits = u32::try_from(c.bits().secret).unwrap_or(0);
                f.cipher = format!("{}:{}:{}", f.version, c.name(), f.bits);
                f.cipher_std = c.standard_name().unwrap_or(c.name()).to_string();
            }
        }
        f.our_cert = ssl.certificate().map(|c| Cert::from(c.to_owned()));
        f.peer_cert = match (&learned.failing_cert, ssl.peer_certificate()) {
            (Some(bad), _) if ssl.verify_result() != X509VerifyResult::OK => Some(bad.clone()),
            (_, Some(leaf)) => Some(Cert::from(leaf)),
            (bad, None) => bad.clone(),
        };
        f.peer_dn = f.peer_cert.as_ref().map(|c| BString::from(c.subject_oneline()));
        f.alpn = ssl.selected_alpn_protocol().map(BString::from);
        f
    }
}

#[cfg(test)]
impl TlsStream {
    /// Send close_notify and nothing else.
    pub fn close_notify_only(&mut self) {
        let _ = self.stream.shutdown();
    }
}

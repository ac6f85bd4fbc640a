//! The line to an SMTP peer: one owned reader, one owned writer, clear or encrypted.
//!
//! Everything that a peer sends goes through this one value: command lines, message data and BDAT chunks look at
//! [`Wire::unread`] and take what they have used with [`Wire::consume`]; nothing is ever put back. Turning on TLS
//! throws away what was read in clear and not yet used. After the peer's close_notify, an error, or a time-out the line
//! is dead and stays so: there is no way back to clear text. Output is collected and written when the program is about
//! to wait for input, or when somebody says [`Wire::flush`].
//! Used by the smtp_in and receive rooms, through `ctx.session.wire`; ACL delays and callouts only flush.

use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use super::tls_stream::Encrypted;
use crate::odmr::Line;
use crate::sys::{fd, poll};
use crate::tls_openssl::TlsStream;

/// How much is read at a time.
const READ_SIZE: usize = 16 * 1024;
/// Output beyond this is written at once.
const WRITE_LIMIT: usize = 8 * 1024;

/// An encrypted stream, as the wire needs it.
pub trait Secure: Send {
    /// Reads; 0 is the peer's close_notify or the end of the connection. `TimedOut` when the deadline passes.
    fn read(&mut self, buf: &mut [u8], deadline: Option<Instant>) -> io::Result<usize>;
    /// Writes everything.
    fn write_all(&mut self, buf: &[u8], deadline: Option<Instant>) -> io::Result<()>;
    /// Decrypted data lies ready.
    fn pending(&self) -> bool;
    /// Sends close_notify and closes the socket; without waiting for the peer's unless `wait`.
    fn close(&mut self, wait: bool);
    /// The socket beneath, for polling.
    fn socket(&self) -> BorrowedFd<'_>;
    /// The stream itself, for another owner.
    fn into_stream(self: Box<Self>) -> Box<TlsStream>;
}

/// Why there is no more input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputEnd {
    /// The peer has closed, or the file has ended.
    Eof,
    /// Nothing came in time.
    TimedOut,
    /// A read failed: the text of the error.
    Failed(String),
    /// SIGTERM or such while waiting.
    Terminated(i32),
}

enum Channel {
    /// Clear text: a socket (both the same) or standard input and output. `None`: nothing is sent (batched SMTP).
    Clear { input: OwnedFd, output: Option<OwnedFd> },
    /// TLS.
    Secure(Box<dyn Secure>),
    /// Closed for good.
    Dead,
}

/// The line to the peer.
pub struct Wire {
    channel: Channel,
    input: Vec<u8>,
    taken: usize,
    end: Option<InputEnd>,
    output: Vec<u8>,
    write_failed: Option<String>,
    /// How long to wait for input and for the peer to take output; `None` is for ever.
    pub timeout: Option<Duration>,
    /// The input is a socket.
    socket: bool,
    /// Lines taken so far, for batched SMTP's error texts.
    pub lines_read: u64,
}

impl Wire {
    /// A line over a socket.
    pub fn socket(socket: OwnedFd) -> io::Result<Self> {
        let output = fd::duplicate(socket.as_fd())?;
        Ok(Self::new(Channel::Clear { input: socket, output: Some(output) }, true))
    }

    /// A line over standard input and output, or other descriptors; without output for batched SMTP.
    pub fn files(input: OwnedFd, output: Option<OwnedFd>) -> Self {
        let socket = fd::is_socket(input.as_fd());
        Self::new(Channel::Clear { input, output }, socket)
    }

    /// A line over TLS that has begun already: the connection was somebody else's before.
    pub fn secure(stream: TlsStream) -> Self {
        Self::new(Channel::Secure(Box::new(Encrypted(stream))), true)
    }

    fn new(channel: Channel, socket: bool) -> Self {
        Wire {
            channel,
            input: Vec::new(),
            taken: 0,
            end: None,
            output: Vec::new(),
            write_failed: None,
            timeout: None,
            socket,
            lines_read: 0,
        }
    }

    /// What has come and not been taken.
    pub fn unread(&self) -> &[u8] {
        self.input.get(self.taken..).unwrap_or_default()
    }

    /// Takes `n` bytes of [`Self::unread`].
    pub fn consume(&mut self, n: usize) {
        let n = n.min(self.unread().len());
        self.lines_read += self.unread().iter().take(n).filter(|c| **c == b'\n').count() as u64;
        self.taken += n;
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
        }
    }

    /// True when the line is encrypted now.
    pub fn is_secure(&self) -> bool {
        matches!(self.channel, Channel::Secure(_))
    }

    /// True when nothing more will ever come.
    pub fn is_dead(&self) -> bool {
        self.end.is_some() || matches!(self.channel, Channel::Dead)
    }

    /// True when the other end is a socket (synchronization checks make sense only then).
    pub fn is_socket(&self) -> bool {
        self.socket
    }

    fn deadline(&self) -> Option<Instant> {
        self.timeout.and_then(|t| Instant::now().checked_add(t))
    }

    /// Waits for more input and adds it to [`Self::unread`]. Output goes out first.
    pub fn fill(&mut self) -> Result<(), InputEnd> {
        if let Some(end) = &self.end {
            return Err(end.clone());
        }
        self.flush();
        if self.taken > 0 {
            self.input.drain(..self.taken);
            self.taken = 0;
        }
        let deadline = self.deadline();
        let ready = self.wait(deadline);
        if matches!(ready, Ok(false)) {
            self.end = Some(InputEnd::TimedOut);
            return Err(InputEnd::TimedOut);
        }
        let had = self.input.len();
        self.input.resize(had + READ_SIZE, 0);
        let target = self.input.get_mut(had..).unwrap_or_default();
        let got = match &mut self.channel {
            Channel::Clear { input, .. } if ready.is_ok() => fd::read_ready(input.as_fd(), target, deadline),
            Channel::Clear { input, .. } => fd::read_deadline(input.as_fd(), target, deadline),
            Channel::Secure(tls) => tls.read(target, deadline),
            Channel::Dead => Ok(0),
        };
        let n = got.as_ref().map_or(0, |n| *n);
        self.input.truncate(had + n);
        let end = match got {
            Ok(0) => InputEnd::Eof,
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => InputEnd::TimedOut,
            Err(e) => InputEnd::Failed(crate::sys::error_text(&e)),
        };
        self.end = Some(end.clone());
        Err(end)
    }

    /// Waits until there is something to read. Thousands of sessions may wait at a time: one that waits has no buffer, and
    /// after a second no more of a stack than it needs.
    fn wait(&mut self, deadline: Option<Instant>) -> io::Result<bool> {
        if self.input.is_empty() {
            self.input = Vec::new();
        }
        let socket = match &self.channel {
            Channel::Clear { input, .. } => input.as_fd(),
            Channel::Secure(tls) if !tls.pending() => tls.socket(),
            Channel::Secure(_) | Channel::Dead => return Ok(true),
        };
        let soon = Instant::now() + Duration::from_secs(1);
        if deadline.is_none_or(|d| d > soon) {
            if poll::wait_readable(socket, Some(soon))? {
                return Ok(true);
            }
            crate::sys::stack::release_unused();
        }
        poll::wait_readable(socket, deadline)
    }

    /// Goes on after a time-out: input may still come.
    pub fn forgive_timeout(&mut self) {
        if self.end == Some(InputEnd::TimedOut) {
            self.end = None;
        }
    }

    /// The next byte, waiting for it if there is none.
    pub fn next_byte(&mut self) -> Result<u8, InputEnd> {
        loop {
            if let Some(c) = self.unread().first().copied() {
                self.consume(1);
                return Ok(c);
            }
            self.fill()?;
        }
    }

    /// Has the peer sent something that nobody asked for yet? The end of the connection does not count.
    pub fn input_waiting(&mut self) -> bool {
        if !self.unread().is_empty() {
            return true;
        }
        if self.end.is_some() {
            return false;
        }
        let ready = match &self.channel {
            Channel::Clear { input, .. } => poll::readable_now(input.as_fd()).unwrap_or(false),
            Channel::Secure(tls) => tls.pending() || poll::readable_now(tls.socket()).unwrap_or(false),
            Channel::Dead => false,
        };
        if !ready {
            return false;
        }
        let kept = self.timeout.replace(Duration::from_millis(10));
        let got = self.fill();
        self.timeout = kept;
        if got == Err(InputEnd::TimedOut) {
            // Only a TLS record without data (a session ticket's answer, an alert that is no close): go on as before.
            self.end = None;
        }
        !self.unread().is_empty()
    }

    /// Waits until `deadline`; true at once if the peer has closed its connection.
    pub fn peer_has_gone(&mut self, deadline: Instant) -> bool {
        let Some(socket) = self.descriptor().filter(|_| self.socket) else {
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
            return false;
        };
        let mut watch = [poll::Watch { read: false, ..poll::Watch::read(socket) }];
        match poll::poll(&mut watch, Some(deadline)) {
            Ok(n) => n > 0 && watch[0].hangup,
            Err(_) => true,
        }
    }

    /// Adds to the output.
    pub fn send(&mut self, text: &[u8]) {
        if matches!(self.channel, Channel::Clear { output: None, .. } | Channel::Dead) {
            return;
        }
        self.output.extend_from_slice(text);
        if self.output.len() > WRITE_LIMIT {
            self.flush();
        }
    }

    /// Writes what has been collected. A failure is kept, and makes the line dead for input as well.
    pub fn flush(&mut self) {
        if self.output.is_empty() {
            return;
        }
        let out = std::mem::take(&mut self.output);
        if self.write_failed.is_some() {
            return;
        }
        let deadline = self.deadline();
        let done = match &mut self.channel {
            Channel::Clear { output: Some(o), .. } => fd::write_all_deadline(o.as_fd(), &out, deadline),
            Channel::Secure(tls) => tls.write_all(&out, deadline),
            Channel::Clear { output: None, .. } | Channel::Dead => Ok(()),
        };
        if let Err(e) = done {
            self.write_failed = Some(crate::sys::error_text(&e));
        }
    }

    /// Before TLS begins: output goes out, and input that was read in clear is thrown away. Gives how many bytes that were.
    pub fn discard_clear_input(&mut self) -> usize {
        self.flush();
        let n = self.unread().len();
        self.input.clear();
        self.taken = 0;
        n
    }

    /// Hands out the socket for the TLS handshake; the line is dead until [`Self::secured`].
    pub fn take_socket(&mut self) -> Option<OwnedFd> {
        self.discard_clear_input();
        match std::mem::replace(&mut self.channel, Channel::Dead) {
            Channel::Clear { input, .. } => Some(input),
            other => {
                self.channel = other;
                None
            }
        }
    }

    /// Gives the connection away for good (ATRN): from now on the peer is the server. What has come unasked is dropped.
    pub fn take_line(&mut self) -> Option<Line> {
        self.discard_clear_input();
        self.end.get_or_insert(InputEnd::Eof);
        match std::mem::replace(&mut self.channel, Channel::Dead) {
            Channel::Clear { input, .. } => Some(Line::Clear(input)),
            Channel::Secure(tls) => Some(Line::Secure(tls.into_stream())),
            Channel::Dead => None,
        }
    }

    /// The handshake is done.
    pub fn secured(&mut self, tls: Box<dyn Secure>) {
        self.input.clear();
        self.taken = 0;
        self.output.clear();
        self.channel = Channel::Secure(tls);
    }

    /// The handshake failed, but the socket is to be read and written in clear again only to say so.
    pub fn clear_again(&mut self, socket: OwnedFd) -> io::Result<()> {
        let output = fd::duplicate(socket.as_fd())?;
        self.channel = Channel::Clear { input: socket, output: Some(output) };
        Ok(())
    }

    /// Closes the line, in good order where there is TLS. Nothing can be read or written afterwards.
    pub fn close(&mut self) {
        self.flush();
        if let Channel::Secure(tls) = &mut self.channel {
            tls.close(false);
        }
        self.channel = Channel::Dead;
        self.end.get_or_insert(InputEnd::Eof);
        self.input.clear();
        self.taken = 0;
    }

    /// The input descriptor, for facts about the socket and for waiting.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.channel {
            Channel::Clear { input, .. } => Some(input.as_fd()),
            Channel::Secure(tls) => Some(tls.socket()),
            Channel::Dead => None,
        }
    }
}

/// Where a session keeps its line. A copy of a session has none: a line has one owner.
#[derive(Default)]
pub struct WireSlot(Option<Box<Wire>>);

impl WireSlot {
    /// A session's line.
    pub fn new(wire: Wire) -> Self {
        WireSlot(Some(Box::new(wire)))
    }
    /// True if there is a line.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

impl Clone for WireSlot {
    fn clone(&self) -> Self {
        WireSlot(None)
    }
}

impl std::fmt::Debug for WireSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "WireSlot(open)" } else { "WireSlot(none)" })
    }
}

impl Deref for WireSlot {
    type Target = Option<Box<Wire>>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for WireSlot {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn reads_takes_and_ends() {
        let (r, w) = fd::pipe().unwrap();
        let mut w = std::fs::File::from(w);
        w.write_all(b"abc").unwrap();
        let mut wire = Wire::files(r, None);
        wire.fill().unwrap();
        assert_eq!(wire.unread(), b"abc");
        wire.consume(2);
        assert_eq!(wire.next_byte(), Ok(b'c'));
        assert!(!wire.input_waiting());
        drop(w);
        assert_eq!(wire.fill(), Err(InputEnd::Eof));
        assert!(wire.is_dead());
    }
}

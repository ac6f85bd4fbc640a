//! The plain socket under an encrypted stream, with time limits. The one mechanism for them is the
//! socket's own receive and send timeout, set from a deadline before each system call. Used by
//! `stream`, `server` and `client` only.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// No limit that is ever set.
const UNKNOWN: Option<Duration> = Some(Duration::ZERO);
/// Longer limits may be overrun by that much: then one setting serves for many calls.
const GRAIN: Duration = Duration::from_secs(1);

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
        // Whatever the socket has is replaced before the first use.
        Ok(FdIo { sock, deadline: None, read_limit: UNKNOWN, write_limit: UNKNOWN })
    }

    /// Limit what follows, counted from now. A limit of zero means "what is there already", for which
    /// two milliseconds are given, since a record takes more than one system call.
    pub fn set_deadline(&mut self, limit: Option<Duration>) {
        self.deadline = limit.and_then(|l| Instant::now().checked_add(l.max(Duration::from_millis(2))));
    }

    /// Close the TCP connection in these directions.
    pub fn close(&self, how: Shutdown) -> io::Result<()> {
        self.sock.shutdown(how)
    }

    /// Time left; an error when there is none. Rounded up to a millisecond, so that it never becomes
    /// the "no timeout" of the socket option.
    fn left(&self) -> io::Result<Option<Duration>> {
        let Some(end) = self.deadline else { return Ok(None) };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if left > GRAIN * 10 {
            return Ok(Some(Duration::from_secs(left.as_secs()) + GRAIN));
        }
        Ok(Some(left.max(Duration::from_millis(1))))
    }
}

impl AsFd for FdIo {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sock.as_fd()
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

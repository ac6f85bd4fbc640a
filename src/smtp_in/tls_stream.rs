//! The encrypted stream of `crate::tls_openssl`, as the wire wants it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::wire::Secure;
use crate::tls_openssl::{StreamError, TlsStream};

/// See the module.
pub struct Encrypted(pub TlsStream);

fn left(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|d| d.saturating_duration_since(Instant::now()))
}

impl Secure for Encrypted {
    fn read(&mut self, buf: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        match self.0.read_some(buf, left(deadline)) {
            // A peer that just drops the TCP connection has gone like any other.
            Err(StreamError::Truncated | StreamError::Closed) => Ok(0),
            other => other.map_err(io::Error::from),
        }
    }
    fn write_all(&mut self, buf: &[u8], deadline: Option<Instant>) -> io::Result<()> {
        self.0.write_all_timed(buf, left(deadline)).map_err(io::Error::from)
    }
    fn pending(&self) -> bool {
        self.0.pending() > 0
    }
    fn close(&mut self, wait: bool) {
        self.0.shutdown(wait.then_some(Duration::from_secs(2)));
    }
    fn socket(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
    fn into_stream(self: Box<Self>) -> Box<TlsStream> {
        Box::new(self.0)
    }
}

//! A connection to a scanner: a Unix socket or TCP, with one deadline for all that is said on it.
//!
//! Whatever the other end sends is bounded: a line, a block, an answer. Nothing here knows a protocol.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use crate::context::Context;
use crate::dns::dial::{DialError, dial};
use crate::sys::{error_text, fd, net, unix};
use crate::text::Text;

/// No answer of a scanner is longer.
pub const MAX_ANSWER: usize = 256 << 10;

/// Where a scanner is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A socket's path.
    Unix(BString),
    /// A host, and the ports to try.
    Tcp(BString, RangeInclusive<u16>),
}

/// Why words are no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPlace {
    /// A host stands alone.
    NoPort,
    /// The port is none.
    Port,
}

impl Place {
    /// The place that the first words of a server's specification name: a path, or host and port.
    pub fn take(words: &mut impl Iterator<Item = BString>) -> Result<Place, BadPlace> {
        let first = words.next().unwrap_or_default();
        if first.starts_with(b"/") {
            return Ok(Place::Unix(first));
        }
        let ports = words.next().ok_or(BadPlace::NoPort)?;
        let (low, high) = ports.split_once_str("-").unwrap_or((&ports, &ports));
        let number = |s: &[u8]| s.to_str().ok().and_then(|s| s.parse::<u16>().ok());
        match (number(low), number(high)) {
            (Some(low), Some(high)) if low <= high => Ok(Place::Tcp(first, low..=high)),
            _ => Err(BadPlace::Port),
        }
    }

    /// A place and nothing else.
    pub fn read(text: &[u8]) -> Option<Place> {
        let mut words = text.fields().map(BString::from);
        let place = Place::take(&mut words).ok()?;
        words.next().is_none().then_some(place)
    }
}

/// A connection.
pub struct Link {
    fd: OwnedFd,
    deadline: Instant,
    unread: Vec<u8>,
    /// The other end: a path, or `[ip]:port`.
    pub peer: BString,
}

impl Link {
    /// Connects, and sets `$callout_address`; once more after `retry`, if that is given.
    pub fn open(ctx: &mut Context, place: &Place, time: Duration, retry: Option<Duration>) -> Result<Link, String> {
        match (Link::once(ctx, place, time), retry) {
            (Err(_), Some(pause)) => {
                std::thread::sleep(pause);
                Link::once(ctx, place, time)
            }
            (result, _) => result,
        }
    }

    fn once(ctx: &mut Context, place: &Place, time: Duration) -> Result<Link, String> {
        #[cfg(feature = "fuzzing")]
        return fuzzed().ok_or_else(|| format!("{} {place:?} {time:?}", ctx.message.id));
        #[cfg(not(feature = "fuzzing"))]
        Link::reach(ctx, place, time)
    }

    #[cfg_attr(feature = "fuzzing", allow(dead_code))]
    fn reach(ctx: &mut Context, place: &Place, time: Duration) -> Result<Link, String> {
        let deadline = Instant::now() + time;
        let named = |a: &SocketAddr| BString::from(format!("[{}]:{}", a.ip(), a.port()));
        let mut peer = None;
        let result = match place {
            Place::Unix(path) => {
                peer = Some(path.clone());
                unix::connect(unix::Kind::Stream, path, Some(time))
                    .map_err(|e| format!("unable to connect to UNIX socket ({path}): {}", error_text(&e)))
            }
            Place::Tcp(host, ports) => match dial(&ctx.services.dns, host, ports.clone(), time) {
                Ok((fd, to)) => {
                    peer = Some(named(&to));
                    Ok(fd)
                }
                Err(DialError::NoAddress) => Err(format!("no IP address found for host {host}")),
                Err(DialError::Failed(to, e)) => {
                    peer = Some(named(&to));
                    Err(format!("failed to connect to any address for {host}: {}", error_text(&e)))
                }
            },
        };
        ctx.address.callout_address = peer.clone().map(Text::clean);
        Ok(Link { fd: result?, deadline, unread: Vec::new(), peer: peer.unwrap_or_default() })
    }

    /// Sends all of it.
    pub fn send(&mut self, data: &[u8]) -> io::Result<()> {
        fd::write_all_deadline(self.fd.as_fd(), data, Some(self.deadline))
    }

    /// Sends a file from where it stands to its end.
    pub fn send_file(&mut self, file: &mut impl Read) -> io::Result<()> {
        let mut block = vec![0; 64 << 10];
        loop {
            match file.read(&mut block)? {
                0 => return Ok(()),
                n => self.send(block.get(..n).unwrap_or_default())?,
            }
        }
    }

    /// Nothing more will be sent: the other end sees the end.
    pub fn end_sending(&self) {
        // One that has gone already is noticed when reading.
        let _ = net::shutdown(self.fd.as_fd(), true);
    }

    /// Takes in what comes next; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut block = [0; 8192];
        let n = fd::read_deadline(self.fd.as_fd(), &mut block, Some(self.deadline))?;
        self.unread.extend_from_slice(block.get(..n).unwrap_or_default());
        Ok(n > 0)
    }

    /// What comes next, as the kernel gives it; empty at the end.
    pub fn some(&mut self) -> io::Result<Vec<u8>> {
        if self.unread.is_empty() {
            self.fill()?;
        }
        Ok(std::mem::take(&mut self.unread))
    }

    /// A line without its end; `None` at the end. What stands at the end without a line end is a line if `partial`.
    pub fn line(&mut self, partial: bool) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = self.unread.find_byte(b'\n') {
                let mut line: Vec<u8> = self.unread.drain(..=at).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            if self.unread.len() > MAX_ANSWER {
                return Err(too_long());
            }
            if !self.fill()? {
                let rest = std::mem::take(&mut self.unread);
                return Ok((partial && !rest.is_empty()).then_some(rest));
            }
        }
    }

    /// Just so many bytes.
    pub fn exact(&mut self, n: usize) -> io::Result<Vec<u8>> {
        if n > MAX_ANSWER {
            return Err(too_long());
        }
        while self.unread.len() < n {
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.unread.drain(..n).collect())
    }

    /// A number of four bytes, the high one first.
    pub fn number(&mut self) -> io::Result<u32> {
        let four = self.exact(4)?;
        Ok(four.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
    }

    /// All that comes until the other end closes.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.fill()? {
            if self.unread.len() > MAX_ANSWER {
                return Err(too_long());
            }
        }
        Ok(std::mem::take(&mut self.unread))
    }
}

fn too_long() -> io::Error {
    io::Error::other("answer is too long")
}

/// For log lines: a time-out is the connection's, as the reference has it.
pub fn why(e: &io::Error) -> String {
    if e.kind() == io::ErrorKind::TimedOut { "Connection timed out".into() } else { error_text(e) }
}

#[cfg(feature = "fuzzing")]
thread_local! {
    /// What the next peer says, and the other end of the connection to the last one.
    static ANSWER: std::cell::RefCell<(Vec<u8>, Option<OwnedFd>)> = const { std::cell::RefCell::new((Vec::new(), None)) };
}

/// While fuzzing, this is what every peer says.
#[cfg(feature = "fuzzing")]
pub(super) fn answer_with(data: &[u8]) {
    ANSWER.set((data.to_vec(), None));
}

#[cfg(feature = "fuzzing")]
fn fuzzed() -> Option<Link> {
    use std::io::Write;
    let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().ok()?;
    ANSWER.with_borrow_mut(|(data, kept)| {
        theirs.write_all(data.get(..64 << 10).unwrap_or(data)).ok()?;
        theirs.shutdown(std::net::Shutdown::Write).ok()?;
        *kept = Some(theirs.into());
        Some(Link { fd: ours.into(), deadline: Instant::now() + Duration::from_secs(5), unread: Vec::new(), peer: "/x".into() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn places() {
        assert_eq!(Place::read(b"/run/x.sock"), Some(Place::Unix("/run/x.sock".into())));
        assert_eq!(Place::read(b"h.ex 10-12"), Some(Place::Tcp("h.ex".into(), 10..=12)));
        assert_eq!(Place::read(b"::1 783"), Some(Place::Tcp("::1".into(), 783..=783)));
        for bad in ["", "h", "h x", "h 1 2", "h 70000", "h 5-4", "h -"] {
            assert_eq!(Place::read(bad.as_bytes()), None, "{bad}");
        }
    }

    fn link(ms: u64) -> (Link, UnixStream) {
        let (a, b) = UnixStream::pair().unwrap();
        let deadline = Instant::now() + Duration::from_millis(ms);
        (Link { fd: a.into(), deadline, unread: Vec::new(), peer: "x".into() }, b)
    }

    #[test]
    fn reading() {
        use std::io::Write;
        let (mut l, mut b) = link(2000);
        b.write_all(b"one\r\ntwo\n\0\0\x01\x02abcrest").unwrap();
        assert_eq!(l.line(false).unwrap().unwrap(), b"one");
        assert_eq!(l.line(false).unwrap().unwrap(), b"two");
        assert_eq!(l.number().unwrap(), 258);
        assert_eq!(l.exact(3).unwrap(), b"abc");
        drop(b);
        assert!(l.exact(5).is_err());
        assert_eq!(l.line(true).unwrap().unwrap(), b"rest");
        assert_eq!(l.line(true).unwrap(), None);
    }

    #[test]
    fn bounded() {
        use std::io::Write;
        let (mut l, mut b) = link(50);
        assert_eq!(l.line(false).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (mut m, _keep) = link(2000);
        assert!(m.exact(usize::MAX).is_err());
        let writer = std::thread::spawn(move || {
            let _ = (0..2000).try_for_each(|_| b.write_all(&[b'x'; 1000]));
        });
        l.deadline = Instant::now() + Duration::from_secs(5);
        assert!(l.line(true).is_err());
        drop(l);
        writer.join().unwrap();
    }
}

//! File locks: fcntl regions and flock, each with an optional deadline.
//!
//! Classic fcntl locks ([`fcntl`]) belong to the process: two threads of one process do not exclude
//! each other, and closing *any* descriptor of the file drops them. That is what mail readers and
//! the reference use on mailboxes and spool files. [`ofd`] locks belong to the open file and conflict
//! with classic ones, also within one process; threads use those.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Shared or exclusive, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Shared,
    Exclusive,
    Unlock,
}

/// Which bytes: from `start`, `len` bytes (0: to the end, wherever that moves to).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    pub start: i64,
    pub len: i64,
}

impl Region {
    /// The whole file.
    pub const WHOLE: Self = Self { start: 0, len: 0 };
}

/// How long to wait for somebody else's lock.
#[derive(Debug, Clone, Copy)]
pub enum Wait {
    /// Not at all: `WouldBlock`.
    No,
    /// For as long as it takes.
    Forever,
    /// Until then: `TimedOut`.
    Until(Instant),
}

impl Wait {
    /// Up to this long from now; zero is [`Wait::No`].
    pub fn for_duration(d: Duration) -> Self {
        if d.is_zero() { Self::No } else { Self::Until(Instant::now() + d) }
    }
}

/// A classic fcntl lock of the process.
pub fn fcntl(fd: BorrowedFd<'_>, kind: Kind, region: Region, wait: Wait) -> io::Result<()> {
    region_lock(fd, kind, region, wait, libc::F_SETLK, libc::F_SETLKW)
}

/// An open-file-description lock.
pub fn ofd(fd: BorrowedFd<'_>, kind: Kind, region: Region, wait: Wait) -> io::Result<()> {
    region_lock(fd, kind, region, wait, libc::F_OFD_SETLK, libc::F_OFD_SETLKW)
}

fn region_lock(fd: BorrowedFd<'_>, kind: Kind, region: Region, wait: Wait, now: i32, block: i32) -> io::Result<()> {
    let typ = match kind {
        Kind::Shared => libc::F_RDLCK,
        Kind::Exclusive => libc::F_WRLCK,
        Kind::Unlock => libc::F_UNLCK,
    };
    // SAFETY: flock is plain integers; zero is valid (l_pid must be 0 for OFD locks).
    let mut l: libc::flock = unsafe { std::mem::zeroed() };
    l.l_type = typ as libc::c_short;
    l.l_whence = libc::SEEK_SET as libc::c_short;
    l.l_start = region.start;
    l.l_len = region.len;
    // SAFETY: l is valid for the call.
    waiting(wait, |blocking| check(unsafe { libc::fcntl(fd.as_raw_fd(), if blocking { block } else { now }, &l) }).map(drop))
}

/// flock(2) on the whole file.
pub fn flock(fd: BorrowedFd<'_>, kind: Kind, wait: Wait) -> io::Result<()> {
    let op = match kind {
        Kind::Shared => libc::LOCK_SH,
        Kind::Exclusive => libc::LOCK_EX,
        Kind::Unlock => libc::LOCK_UN,
    };
    waiting(wait, |blocking| {
        let op = if blocking { op } else { op | libc::LOCK_NB };
        // SAFETY: integers only.
        check(unsafe { libc::flock(fd.as_raw_fd(), op) }).map(drop)
    })
}

/// With a deadline it tries again and again with short sleeps: an alarm signal would hit any thread.
fn waiting(wait: Wait, mut attempt: impl FnMut(bool) -> io::Result<()>) -> io::Result<()> {
    let deadline = match wait {
        Wait::Forever => return super::retry(|| attempt(true)),
        Wait::No => None,
        Wait::Until(t) => Some(t),
    };
    let mut pause = Duration::from_millis(1);
    loop {
        let busy = match attempt(false) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => e,
            Err(e) => return Err(e),
        };
        let Some(deadline) = deadline else {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, busy));
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn exclusive_means_exclusive() {
        let path = std::env::temp_dir().join(format!("oxim-lock-{}", std::process::id()));
        let a = std::fs::File::create(&path).unwrap();
        let b = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        let soon = || Wait::for_duration(Duration::from_millis(30));
        ofd(a.as_fd(), Kind::Exclusive, Region::WHOLE, Wait::No).unwrap();
        let e = ofd(b.as_fd(), Kind::Exclusive, Region::WHOLE, soon()).unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::TimedOut);
        let e = fcntl(b.as_fd(), Kind::Exclusive, Region { start: 0, len: 18 }, Wait::No).unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::WouldBlock);
        ofd(a.as_fd(), Kind::Unlock, Region::WHOLE, Wait::No).unwrap();
        fcntl(b.as_fd(), Kind::Exclusive, Region::WHOLE, Wait::No).unwrap();
        flock(a.as_fd(), Kind::Exclusive, Wait::No).unwrap();
        assert_eq!(flock(b.as_fd(), Kind::Shared, soon()).unwrap_err().kind(), io::ErrorKind::TimedOut);
        std::fs::remove_file(path).unwrap();
    }
}

//! poll(2) with deadlines. Interrupting signals are absorbed unless the name says otherwise.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Instant;

/// One descriptor to watch, and what was seen on it.
#[derive(Debug)]
pub struct Watch<'a> {
    pub fd: BorrowedFd<'a>,
    /// Wanted.
    pub read: bool,
    /// Wanted.
    pub write: bool,
    /// Seen: data, end of file, or an error that a read would report.
    pub readable: bool,
    /// Seen: room, or an error that a write would report.
    pub writable: bool,
    /// Seen: the other end has gone, or an error.
    pub hangup: bool,
}

impl<'a> Watch<'a> {
    /// Watches for reading.
    pub fn read(fd: BorrowedFd<'a>) -> Self {
        Self { fd, read: true, write: false, readable: false, writable: false, hangup: false }
    }
    /// Watches for writing.
    pub fn write(fd: BorrowedFd<'a>) -> Self {
        Self { fd, read: false, write: true, readable: false, writable: false, hangup: false }
    }
}

/// Waits until something is seen or the deadline passes; returns how many descriptors have news (0:
/// deadline). `Interrupted` is returned to the caller.
pub fn poll_interruptible(watches: &mut [Watch<'_>], deadline: Option<Instant>) -> io::Result<usize> {
    let mut fds: Vec<libc::pollfd> = watches
        .iter()
        .map(|w| libc::pollfd {
            fd: w.fd.as_raw_fd(),
            events: if w.read { libc::POLLIN } else { 0 } | if w.write { libc::POLLOUT } else { 0 },
            revents: 0,
        })
        .collect();
    // SAFETY: pointer and length of one array.
    let n = check(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms(deadline)) })?;
    for (w, p) in watches.iter_mut().zip(&fds) {
        let bad = p.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0;
        w.readable = p.revents & libc::POLLIN != 0 || (bad && w.read);
        w.writable = p.revents & libc::POLLOUT != 0 || (bad && w.write);
        w.hangup = bad;
    }
    Ok(n as usize)
}

/// As [`poll_interruptible`], going on after signals.
pub fn poll(watches: &mut [Watch<'_>], deadline: Option<Instant>) -> io::Result<usize> {
    loop {
        match poll_interruptible(watches, deadline) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) if deadline.is_some_and(|d| Instant::now() < d) => continue,
            other => return other,
        }
    }
}

/// poll(2)'s milliseconds for a deadline, rounded up; -1 without one.
fn timeout_ms(deadline: Option<Instant>) -> libc::c_int {
    match deadline {
        None => -1,
        Some(d) => {
            let left = d.saturating_duration_since(Instant::now());
            left.as_micros().div_ceil(1000).min(i32::MAX as u128) as libc::c_int
        }
    }
}

/// True when reading would not block; false when the deadline passed first.
pub fn wait_readable(fd: BorrowedFd<'_>, deadline: Option<Instant>) -> io::Result<bool> {
    poll(&mut [Watch::read(fd)], deadline).map(|n| n > 0)
}

/// True when writing would not block; false when the deadline passed first.
pub fn wait_writable(fd: BorrowedFd<'_>, deadline: Option<Instant>) -> io::Result<bool> {
    poll(&mut [Watch::write(fd)], deadline).map(|n| n > 0)
}

/// Is there something to read now (data or end of file)?
pub fn readable_now(fd: BorrowedFd<'_>) -> io::Result<bool> {
    wait_readable(fd, Some(Instant::now()))
}

/// Waits with these signals let in only while waiting (ppoll), so that none slips by between a test
/// of a flag and the wait. `Interrupted` if one came.
pub fn ppoll(watches: &mut [Watch<'_>], deadline: Option<Instant>, mask: &super::signal::Mask) -> io::Result<usize> {
    let mut fds: Vec<libc::pollfd> = watches
        .iter()
        .map(|w| libc::pollfd {
            fd: w.fd.as_raw_fd(),
            events: if w.read { libc::POLLIN } else { 0 } | if w.write { libc::POLLOUT } else { 0 },
            revents: 0,
        })
        .collect();
    let ts = deadline.map(|d| {
        let left = d.saturating_duration_since(Instant::now());
        libc::timespec { tv_sec: left.as_secs().min(i64::MAX as u64) as i64, tv_nsec: i64::from(left.subsec_nanos()) }
    });
    let ts_ptr = ts.as_ref().map_or(std::ptr::null(), |t| t as *const _);
    // SAFETY: array with its length, timespec or null, a valid signal set.
    let n = check(unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, ts_ptr, mask.raw()) })?;
    for (w, p) in watches.iter_mut().zip(&fds) {
        let bad = p.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0;
        w.readable = p.revents & libc::POLLIN != 0 || (bad && w.read);
        w.writable = p.revents & libc::POLLOUT != 0 || (bad && w.write);
        w.hangup = bad;
    }
    Ok(n as usize)
}

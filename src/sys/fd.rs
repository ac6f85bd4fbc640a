//! Descriptors: pipes, /dev/null, non-blocking mode, terminals, plain reads and writes with deadlines.

use super::{check, check_size, retry};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Instant;

/// A pipe: read end, write end, both close-on-exec.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: both are new and ours.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// /dev/null for reading and writing.
pub fn dev_null() -> io::Result<OwnedFd> {
    Ok(std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?.into())
}

/// Makes sure that 0, 1 and 2 are open (onto /dev/null where not): the first act of a setuid program.
pub fn ensure_standard_descriptors() -> io::Result<()> {
    for fd in 0..3 {
        // SAFETY: F_GETFD only asks.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            // SAFETY: a constant path; the lowest free number is fd, since the lower ones are open.
            check(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) })?;
        }
    }
    Ok(())
}

/// Standard input as a borrowed descriptor.
pub fn stdin() -> BorrowedFd<'static> {
    standard(0)
}
/// Standard output as a borrowed descriptor.
pub fn stdout() -> BorrowedFd<'static> {
    standard(1)
}
/// Standard error as a borrowed descriptor.
pub fn stderr() -> BorrowedFd<'static> {
    standard(2)
}
fn standard(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: 0 to 2 are kept open for the whole life of the process (ensure_standard_descriptors).
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// True if this number is an open descriptor.
pub fn is_open(fd: RawFd) -> bool {
    // SAFETY: F_GETFD only asks.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

/// A second descriptor for the same open file, close-on-exec, numbered 3 or more.
pub fn duplicate(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC gives a new descriptor.
    let new = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Is it a terminal?
pub fn isatty(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: only asks.
    unsafe { libc::isatty(fd.as_raw_fd()) == 1 }
}

/// Sets or clears O_NONBLOCK.
pub fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    // SAFETY: integers only.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    let new = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    if new != flags {
        // SAFETY: integers only.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, new) })?;
    }
    Ok(())
}

/// One read(2), begun again after signals. 0 is end of file.
pub fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length of one buffer.
    retry(|| check_size(unsafe { libc::read(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) }))
}

/// One write(2), begun again after signals.
pub fn write(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length of one buffer.
    retry(|| check_size(unsafe { libc::write(fd.as_raw_fd(), buf.as_ptr().cast(), buf.len()) }))
}

/// Reads from a descriptor that was just seen to be readable; waits all the same if that was not so.
pub fn read_ready(fd: BorrowedFd<'_>, buf: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
    match read(fd, buf) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => read_deadline(fd, buf, deadline),
        other => other,
    }
}

/// Reads when there is something, at the latest at the deadline (`TimedOut`).
pub fn read_deadline(fd: BorrowedFd<'_>, buf: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
    loop {
        if !super::poll::wait_readable(fd, deadline)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match read(fd, buf) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
            other => return other,
        }
    }
}

/// Writes all of it before the deadline (`TimedOut`). A reader that has gone gives `BrokenPipe`.
///
/// The descriptor should be non-blocking (sockets: MSG_DONTWAIT is used); on a blocking pipe the
/// write itself may take longer than the deadline.
pub fn write_all_deadline(fd: BorrowedFd<'_>, mut buf: &[u8], deadline: Option<Instant>) -> io::Result<()> {
    let mut socket = true;
    while !buf.is_empty() {
        // A socket mostly takes it at once, and says so if it does not.
        let sent = if socket {
            // SAFETY: pointer and length of one buffer.
            retry(|| {
                check_size(unsafe {
                    libc::send(fd.as_raw_fd(), buf.as_ptr().cast(), buf.len(), libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
                })
            })
        } else {
            write(fd, buf)
        };
        match sent {
            Ok(n) => buf = buf.get(n..).unwrap_or_default(),
            Err(e) if e.raw_os_error() == Some(libc::ENOTSOCK) => socket = false,
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(e),
            Err(_) => {}
        }
        if !buf.is_empty() && !super::poll::wait_writable(fd, deadline)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    Ok(())
}

/// Reads up to `limit` bytes until end of file or the deadline; the flag says that the limit cut it.
pub fn read_to_end_deadline(fd: BorrowedFd<'_>, limit: usize, deadline: Option<Instant>) -> io::Result<(Vec<u8>, bool)> {
    let mut out = Vec::new();
    let mut buf = [0u8; 8192];
    loop {
        match read_deadline(fd, &mut buf, deadline)? {
            0 => return Ok((out, false)),
            n => {
                let room = limit.saturating_sub(out.len());
                out.extend_from_slice(&buf[..n.min(room)]);
                if n > room {
                    return Ok((out, true));
                }
            }
        }
    }
}

/// What a descriptor refers to, told by its first use: a socket or something else.
pub fn is_socket(fd: BorrowedFd<'_>) -> bool {
    super::file::fstat(fd.as_fd()).is_ok_and(|s| s.mode & libc::S_IFMT == libc::S_IFSOCK)
}

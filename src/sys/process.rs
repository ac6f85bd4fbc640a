//! Processes: fork, wait, kill, sessions and groups, umask.
//!
//! Anybody may call it. It never execs ([`super::exec`], [`super::spawn`]) and never changes user
//! ([`super::ids`]).

use super::{check, retry};
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A process id as the kernel counts them.
pub type Pid = i32;

/// Which of the two processes returned from [`fork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// We are the new process. It must end by [`exit_now`] or exec, not by returning from `main`,
    /// unless it is meant to go on as the program (daemon).
    Child,
    /// We are the old one; the child has this id.
    Parent(Pid),
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitStatus {
    /// It called exit with this value (0 to 255).
    Exited(i32),
    /// A signal ended it.
    Signaled { signal: i32, core: bool },
    /// It is stopped, not ended.
    Stopped(i32),
    /// It goes on after a stop.
    Continued,
}

impl WaitStatus {
    /// Decodes the integer that wait(2) gives.
    pub fn from_raw(status: i32) -> Self {
        if libc::WIFEXITED(status) {
            Self::Exited(libc::WEXITSTATUS(status))
        } else if libc::WIFSIGNALED(status) {
            Self::Signaled { signal: libc::WTERMSIG(status), core: libc::WCOREDUMP(status) }
        } else if libc::WIFSTOPPED(status) {
            Self::Stopped(libc::WSTOPSIG(status))
        } else {
            Self::Continued
        }
    }

    /// The integer in wait(2)'s form (exit value times 256, or the signal).
    pub fn to_raw(self) -> i32 {
        match self {
            Self::Exited(code) => (code & 0xff) << 8,
            Self::Signaled { signal, core } => (signal & 0x7f) | if core { 0x80 } else { 0 },
            Self::Stopped(signal) => ((signal & 0xff) << 8) | 0x7f,
            Self::Continued => 0xffff,
        }
    }

    /// True for exit(0).
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// Makes a second process.
///
/// In a process with several threads the child may only do async-signal-safe work until it execs
/// (a lock of the allocator or the logger may be held by a thread that no longer exists); such
/// callers want [`super::spawn`].
pub fn fork() -> io::Result<Fork> {
    // SAFETY: the child of a single-threaded process is a full copy; the doc comment says what
    // callers with threads must keep to.
    match check(unsafe { libc::fork() })? {
        0 => {
            GENERATION.fetch_add(1, Ordering::Relaxed);
            Ok(Fork::Child)
        }
        pid => Ok(Fork::Parent(pid)),
    }
}

/// How many forks lie between the program's start and this process: what has been opened under another number was opened by
/// another process. Asked for each lookup, so without a system call.
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Ends this process at once, running neither destructors nor atexit handlers (for forked children).
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes any value and does not return.
    unsafe { libc::_exit(code) }
}

/// This process.
pub fn getpid() -> Pid {
    // SAFETY: cannot fail.
    unsafe { libc::getpid() }
}

/// The number of this thread; in a process with only one, that of the process.
pub fn thread_id() -> Pid {
    // SAFETY: no preconditions.
    unsafe { libc::gettid() }
}

/// The parent of this process.
pub fn getppid() -> Pid {
    // SAFETY: cannot fail.
    unsafe { libc::getppid() }
}

/// waitpid(2): `pid` -1 is any child; `block` false returns `None` if none has ended yet.
/// No child at all is `ECHILD`.
pub fn waitpid(pid: Pid, block: bool) -> io::Result<Option<(Pid, WaitStatus)>> {
    let mut status = 0;
    let flags = if block { 0 } else { libc::WNOHANG };
    // SAFETY: status is a valid place for the result.
    let got = retry(|| check(unsafe { libc::waitpid(pid, &mut status, flags) }))?;
    Ok((got != 0).then(|| (got, WaitStatus::from_raw(status))))
}

/// Waits for this child, however long it takes.
pub fn wait(pid: Pid) -> io::Result<WaitStatus> {
    loop {
        if let Some((_, status)) = waitpid(pid, true)? {
            return Ok(status);
        }
    }
}

/// Waits for this child until the deadline; `None` means that it still runs then.
pub fn wait_until(pid: Pid, deadline: Instant) -> io::Result<Option<WaitStatus>> {
    let pidfd = pidfd_open(pid).ok();
    loop {
        if let Some((_, status)) = waitpid(pid, false)? {
            return Ok(Some(status));
        }
        let now = Instant::now();
        if now >= deadline {
            return Ok(None);
        }
        match &pidfd {
            Some(fd) => {
                super::poll::wait_readable(fd.as_fd(), Some(deadline))?;
            }
            None => std::thread::sleep((deadline - now).min(Duration::from_millis(10))),
        }
    }
}

/// A descriptor that becomes readable when the process ends (Linux 5.3), for poll.
pub fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// kill(2): a negative `pid` is a process group, signal 0 only asks whether the process exists. 0, which would be everybody in
/// our own group, is refused: it is always the number of a process that is not there.
pub fn kill(pid: Pid, signal: i32) -> io::Result<()> {
    if pid == 0 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: integers only.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// True if the process exists (even if we may not signal it).
pub fn exists(pid: Pid) -> bool {
    match kill(pid, 0) {
        Ok(()) => true,
        Err(e) => e.raw_os_error() == Some(libc::EPERM),
    }
}

/// Starts a new session and leaves the terminal.
pub fn setsid() -> io::Result<()> {
    // SAFETY: no arguments.
    check(unsafe { libc::setsid() }).map(drop)
}

/// Puts `pid` (0: this process) into the group `group` (0: one of its own).
pub fn setpgid(pid: Pid, group: Pid) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::setpgid(pid, group) }).map(drop)
}

/// The process group of this process.
pub fn getpgrp() -> Pid {
    // SAFETY: cannot fail.
    unsafe { libc::getpgrp() }
}

/// Sets the umask and returns the old one.
pub fn umask(mask: u32) -> u32 {
    // SAFETY: cannot fail.
    unsafe { libc::umask(mask as libc::mode_t) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_round_trip() {
        for raw in [0, 256, 65 * 256, 9, 11 | 0x80] {
            assert_eq!(WaitStatus::from_raw(raw).to_raw(), raw);
        }
        assert!(WaitStatus::from_raw(0).success());
    }

    #[test]
    fn nobody_signals_their_own_group() {
        assert!(kill(0, 0).is_err());
        assert!(exists(getpid()) && !exists(0));
    }
}

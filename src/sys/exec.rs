//! Replacing this process by another program, with exactly descriptors 0, 1 and 2.
//!
//! For a process that is single-threaded or freshly forked. Everything else uses [`super::spawn`].

use super::{check, cstr};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Arguments in the form execve wants, prepared before a fork so that the child allocates nothing.
pub struct ExecArgs {
    path: CString,
    _argv: Vec<CString>,
    _envp: Vec<CString>,
    argv_ptrs: Vec<*const libc::c_char>,
    envp_ptrs: Vec<*const libc::c_char>,
}

impl ExecArgs {
    /// `argv[0]` included; `envp` as `NAME=value`. NUL bytes are refused.
    pub fn new<A: AsRef<[u8]>, E: AsRef<[u8]>>(path: &[u8], argv: &[A], envp: &[E]) -> io::Result<Self> {
        let argv = argv.iter().map(|a| cstr(a.as_ref())).collect::<io::Result<Vec<_>>>()?;
        let envp = envp.iter().map(|e| cstr(e.as_ref())).collect::<io::Result<Vec<_>>>()?;
        let ptrs = |v: &[CString]| {
            let mut p: Vec<_> = v.iter().map(|s| s.as_ptr()).collect();
            p.push(std::ptr::null());
            p
        };
        Ok(Self { path: cstr(path)?, argv_ptrs: ptrs(&argv), envp_ptrs: ptrs(&envp), _argv: argv, _envp: envp })
    }

    /// execve(2) after: default SIGPIPE, no blocked signals, descriptors from 3 up closed on exec.
    /// Returns only on failure. Async-signal-safe.
    pub fn exec(&self) -> io::Error {
        reset_signals();
        mark_close_on_exec(3);
        // SAFETY: path and both pointer arrays are NUL-terminated and live in self.
        unsafe { libc::execve(self.path.as_ptr(), self.argv_ptrs.as_ptr(), self.envp_ptrs.as_ptr()) };
        io::Error::last_os_error()
    }
}

/// Execs at once; see [`ExecArgs::exec`].
pub fn exec<A: AsRef<[u8]>, E: AsRef<[u8]>>(path: &[u8], argv: &[A], envp: &[E]) -> io::Error {
    match ExecArgs::new(path, argv, envp) {
        Ok(args) => args.exec(),
        Err(e) => e,
    }
}

/// This process's environment as `NAME=value` strings.
pub fn current_environment() -> Vec<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    std::env::vars_os()
        .map(|(k, v)| {
            let mut s = k.into_vec();
            s.push(b'=');
            s.extend(v.into_vec());
            s
        })
        .collect()
}

/// Default action for SIGPIPE (Rust ignores it) and for the signals we may catch; nothing blocked.
pub(crate) fn reset_signals() {
    const CAUGHT: [libc::c_int; 9] = [
        libc::SIGPIPE,
        libc::SIGALRM,
        libc::SIGCHLD,
        libc::SIGHUP,
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGUSR1,
        libc::SIGUSR2,
    ];
    for sig in CAUGHT {
        // SAFETY: SIG_DFL for a valid signal number.
        unsafe { libc::signal(sig, libc::SIG_DFL) };
    }
    // SAFETY: an empty set on the stack; SIG_SETMASK with it unblocks all.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::pthread_sigmask(libc::SIG_SETMASK, &set, std::ptr::null_mut());
    }
}

/// Marks every descriptor from `first` up to be closed at exec.
pub(crate) fn mark_close_on_exec(first: u32) {
    // SAFETY: close_range takes integers; CLOEXEC closes nothing now.
    let r = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if r != 0 {
        for fd in first as RawFd..4096 {
            // SAFETY: fcntl on a number that may not be open fails harmlessly.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}

/// Closes every descriptor from `first` (at least 3) up, for a daemon that detaches.
///
/// Only for the start of a process, before it owns any `OwnedFd` at or above `first`.
pub fn close_from(first: u32) -> io::Result<()> {
    let first = first.max(3);
    // SAFETY: closing descriptors nobody in this process owns, as the caller promises.
    let r = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if r != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes `target` (0, 1 or 2 as a rule) a copy of `source`, surviving exec.
pub fn dup_onto(source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    if source.as_raw_fd() == target {
        // SAFETY: clearing FD_CLOEXEC on an open descriptor.
        return check(unsafe { libc::fcntl(target, libc::F_SETFD, 0) }).map(drop);
    }
    // SAFETY: both are descriptor numbers.
    check(unsafe { libc::dup2(source.as_raw_fd(), target) }).map(drop)
}

//! Signals: flags set by handlers, masks, waiting for signals, alarms.
//!
//! A handler does one async-signal-safe thing: it sets a flag and, if asked, writes a byte into a pipe.
//! The flags are the one table of statics that signal handling cannot do without.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

pub use libc::{
    SIGABRT, SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU,
    SIGXFSZ,
};

const COUNT: usize = 65;
static SEEN: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];
/// Descriptor to write the signal's number to; -1 for none. Set once per process that wants it.
static WAKE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note(signal: libc::c_int) {
    if let Some(flag) = SEEN.get(signal as usize) {
        flag.store(true, Ordering::SeqCst);
    }
    let fd = WAKE.load(Ordering::Relaxed);
    if fd >= 0 {
        let byte = signal as u8;
        // SAFETY: a one byte write (async-signal-safe); errno is kept for the interrupted code.
        unsafe {
            let saved = *libc::__errno_location();
            libc::write(fd, (&raw const byte).cast(), 1);
            *libc::__errno_location() = saved;
        }
    }
}

pub(crate) fn install(signal: i32, handler: libc::sighandler_t, flags: i32) -> io::Result<()> {
    // SAFETY: sigaction is plain; the handler is one of ours or SIG_DFL/SIG_IGN.
    unsafe {
        let mut a: libc::sigaction = std::mem::zeroed();
        a.sa_sigaction = handler;
        a.sa_flags = flags;
        libc::sigemptyset(&mut a.sa_mask);
        check(libc::sigaction(signal, &a, std::ptr::null_mut())).map(drop)
    }
}

/// Catches a signal: from now on [`taken`] and [`pending`] tell of it. With `restart` false, blocking
/// calls return `Interrupted` when it comes (if they are not of the kind that begin again).
pub fn catch(signal: i32, restart: bool) -> io::Result<()> {
    let handler: extern "C" fn(libc::c_int) = note;
    install(signal, handler as libc::sighandler_t, if restart { libc::SA_RESTART } else { 0 })
}

/// Ignores a signal.
pub fn ignore(signal: i32) -> io::Result<()> {
    install(signal, libc::SIG_IGN, 0)
}

/// Gives a signal its default action.
pub fn default(signal: i32) -> io::Result<()> {
    install(signal, libc::SIG_DFL, 0)
}

/// Has it come since the last [`taken`]?
pub fn pending(signal: i32) -> bool {
    SEEN.get(signal as usize).is_some_and(|f| f.load(Ordering::SeqCst))
}

/// As [`pending`], and forgets it.
pub fn taken(signal: i32) -> bool {
    SEEN.get(signal as usize).is_some_and(|f| f.swap(false, Ordering::SeqCst))
}

/// Every caught signal also writes its number as one byte here (the write end of a non-blocking pipe),
/// so that a poll loop wakes. The descriptor must stay open; `None` ends it.
pub fn wake_through(fd: Option<BorrowedFd<'static>>) {
    WAKE.store(fd.map_or(-1, |f| f.as_raw_fd()), Ordering::SeqCst);
}

/// Makes a non-blocking pipe for [`wake_through`] that lives as long as the process; returns the end to
/// poll and read.
pub fn wake_pipe() -> io::Result<OwnedFd> {
    use std::os::fd::{AsFd, IntoRawFd};
    let (r, w) = super::fd::pipe()?;
    super::fd::set_nonblocking(r.as_fd(), true)?;
    super::fd::set_nonblocking(w.as_fd(), true)?;
    let raw = w.into_raw_fd(); // leaked on purpose: the handler may write at any time
    WAKE.store(raw, Ordering::SeqCst);
    Ok(r)
}

/// A set of signals.
#[derive(Clone, Copy)]
pub struct Mask(libc::sigset_t);

impl Mask {
    /// No signal.
    pub fn empty() -> Self {
        // SAFETY: sigemptyset initialises the set.
        unsafe {
            let mut s = std::mem::zeroed();
            libc::sigemptyset(&mut s);
            Self(s)
        }
    }
    /// These signals (invalid numbers are left out).
    pub fn of(signals: &[i32]) -> Self {
        let mut m = Self::empty();
        for s in signals {
            // SAFETY: an initialised set.
            unsafe { libc::sigaddset(&mut m.0, *s) };
        }
        m
    }
    pub(crate) fn raw(&self) -> *const libc::sigset_t {
        &self.0
    }
}

fn change(how: libc::c_int, set: &Mask) -> Mask {
    let mut old = Mask::empty();
    // SAFETY: two valid sets; it cannot fail for a valid `how`.
    unsafe { libc::pthread_sigmask(how, &set.0, &mut old.0) };
    old
}

/// Blocks these signals for this thread; returns the mask before.
pub fn block(signals: &[i32]) -> Mask {
    change(libc::SIG_BLOCK, &Mask::of(signals))
}
/// Blocks everything for this thread; returns the mask before.
pub fn block_all() -> Mask {
    let mut all = Mask::empty();
    // SAFETY: an initialised set.
    unsafe { libc::sigfillset(&mut all.0) };
    change(libc::SIG_SETMASK, &all)
}
/// Sets the mask of this thread back.
pub fn restore(mask: &Mask) {
    change(libc::SIG_SETMASK, mask);
}

/// Waits for one of these (blocked) signals, at most this long; `None` when time is up.
pub fn wait(signals: &[i32], timeout: Option<Duration>) -> io::Result<Option<i32>> {
    let set = Mask::of(signals);
    let ts =
        timeout.map(|t| libc::timespec { tv_sec: t.as_secs().min(i64::MAX as u64) as i64, tv_nsec: i64::from(t.subsec_nanos()) });
    let ts_ptr = ts.as_ref().map_or(std::ptr::null(), |t| t as *const _);
    // SAFETY: a valid set and a timespec or null.
    match check(unsafe { libc::sigtimedwait(&set.0, std::ptr::null_mut(), ts_ptr) }) {
        Ok(s) => Ok(Some(s)),
        Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => Ok(None),
        Err(e) => Err(e),
    }
}

/// A descriptor that gives these (blocked) signals to poll and [`read_signal`].
pub fn signalfd(signals: &[i32]) -> io::Result<OwnedFd> {
    let set = Mask::of(signals);
    // SAFETY: a valid set; -1 makes a new descriptor.
    let fd = check(unsafe { libc::signalfd(-1, &set.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) })?;
    // SAFETY: new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// SIGALRM after this many seconds (0: never).
pub fn alarm(seconds: u32) {
    // SAFETY: integer only.
    unsafe { libc::alarm(seconds) };
}

/// The name of a signal without "SIG" ("KILL"), or its number.
pub fn name(signal: i32) -> String {
    let known = match signal {
        libc::SIGHUP => "HUP",
        libc::SIGINT => "INT",
        libc::SIGQUIT => "QUIT",
        libc::SIGILL => "ILL",
        libc::SIGABRT => "ABRT",
        libc::SIGBUS => "BUS",
        libc::SIGFPE => "FPE",
        libc::SIGKILL => "KILL",
        libc::SIGSEGV => "SEGV",
        libc::SIGPIPE => "PIPE",
        libc::SIGALRM => "ALRM",
        libc::SIGTERM => "TERM",
        libc::SIGUSR1 => "USR1",
        libc::SIGUSR2 => "USR2",
        libc::SIGXCPU => "XCPU",
        libc::SIGXFSZ => "XFSZ",
        n => return n.to_string(),
    };
    known.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags() {
        catch(SIGUSR2, true).unwrap();
        assert!(!taken(SIGUSR2));
        super::super::process::kill(super::super::process::getpid(), SIGUSR2).unwrap();
        for _ in 0..100 {
            if pending(SIGUSR2) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(taken(SIGUSR2));
        assert!(!taken(SIGUSR2));
    }
}

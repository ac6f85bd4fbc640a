//! What this process is doing, for `exiwhat`: a short text kept where a SIGUSR1 handler can reach it,
//! and the handler, which appends one line "pid text" to the process log.
//!
//! The handler may run at any point of the program, so it only makes system calls. It opens the log
//! without following links; a process with root's effective id does so as the exim user (for its own
//! thread only), since the directory is the exim user's (CVE-2020-28007).

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

const SIZE: usize = 512;
static TEXT: [AtomicU8; SIZE] = [const { AtomicU8::new(0) }; SIZE];
static LENGTH: AtomicUsize = AtomicUsize::new(0);
static LOG: OnceLock<Target> = OnceLock::new();

struct Target {
    path: std::ffi::CString,
    uid: u32,
    gid: u32,
}

/// Says what this process does now (cut at about 500 bytes). `text` is without pid and newline.
///
/// In a process that serves several connections, the owner of the process joins their texts with
/// newlines; each line is written with the pid before it.
pub fn set(text: &[u8]) {
    // Length 0 while the text changes: a handler in between writes nothing rather than a mixture.
    LENGTH.store(0, Ordering::SeqCst);
    let n = text.len().min(SIZE);
    for (cell, b) in TEXT.iter().zip(text) {
        cell.store(*b, Ordering::Relaxed);
    }
    LENGTH.store(n, Ordering::SeqCst);
}

/// The text set last.
pub fn get() -> Vec<u8> {
    let n = LENGTH.load(Ordering::SeqCst).min(SIZE);
    TEXT.iter().take(n).map(|c| c.load(Ordering::Relaxed)).collect()
}

/// Installs the SIGUSR1 handler. `uid`/`gid`: the exim user, as whom a root process opens the log.
/// The path counts only the first time in a process.
pub fn install(log: &std::path::Path, uid: u32, gid: u32) -> io::Result<()> {
    let path = super::cstr(log.as_os_str().as_bytes())?;
    let _ = LOG.set(Target { path, uid, gid });
    let handler: extern "C" fn(libc::c_int) = report;
    super::signal::install(libc::SIGUSR1, handler as libc::sighandler_t, libc::SA_RESTART)
}

extern "C" fn report(_signal: libc::c_int) {
    let Some(target) = LOG.get() else { return };
    let length = LENGTH.load(Ordering::SeqCst).min(SIZE);
    // SAFETY: only system calls (raw ones where glibc would synchronise threads), on buffers of our
    // own stack; errno is kept for the interrupted code.
    unsafe {
        let saved = *libc::__errno_location();
        let root = libc::geteuid() == 0 && target.uid != 0;
        let keep = u32::MAX;
        if root {
            libc::syscall(libc::SYS_setresgid, keep, target.gid, keep);
            libc::syscall(libc::SYS_setresuid, keep, target.uid, keep);
        }
        let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let fd = libc::open(target.path.as_ptr(), flags, 0o640);
        if root {
            libc::syscall(libc::SYS_setresuid, keep, 0, keep);
            libc::syscall(libc::SYS_setresgid, keep, 0, keep);
        }
        if fd >= 0 {
            let mut line = [0u8; SIZE + 16];
            let mut used = 0;
            let mut begin = true;
            for cell in TEXT.iter().take(length) {
                if begin {
                    used = put_pid(&mut line, used, libc::getpid());
                }
                let b = cell.load(Ordering::Relaxed);
                if let Some(place) = line.get_mut(used) {
                    *place = b;
                    used += 1;
                }
                begin = b == b'\n';
            }
            if length > 0 && !begin {
                let at = used.min(line.len() - 1);
                line[at] = b'\n';
                used = at + 1;
            }
            libc::write(fd, line.as_ptr().cast(), used.min(line.len()));
            libc::close(fd);
        }
        *libc::__errno_location() = saved;
    }
}

/// "%5d " of the pid at `at`; returns the new end. No allocation.
fn put_pid(line: &mut [u8], mut at: usize, pid: i32) -> usize {
    let mut digits = [b' '; 12];
    let mut i = digits.len();
    let mut rest = pid.unsigned_abs();
    while rest > 0 && i > 0 {
        i -= 1;
        digits[i] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let from = i.min(digits.len() - 5);
    for b in digits[from..].iter().chain(b" ") {
        if let Some(place) = line.get_mut(at) {
            *place = *b;
            at += 1;
        }
    }
    at
}

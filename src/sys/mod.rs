//! The unsafe floor: every system call and C library call that Rust's own library does not offer.
//!
//! Each file wraps one concern and gives safe functions; nothing here knows of mail, of the
//! configuration or of logs. All rooms may call it; it calls none of them. File names are byte
//! strings (`&[u8]`), file descriptors are `OwnedFd`/`BorrowedFd` and always close-on-exec, errors
//! are `std::io::Error` carrying the errno unless a file says otherwise.

pub mod addrinfo;
pub mod brightmail;
pub mod crypt;
pub mod cyrus_sasl;
pub mod dl;
pub mod env;
pub mod exec;
pub mod fd;
pub mod file;
pub mod frames;
pub mod gsasl;
pub mod gssapi;
pub mod iconv;
pub mod ids;
pub mod iface;
pub mod ldap;
pub mod limits;
pub mod local_scan;
pub mod lock;
pub mod memory;
pub mod mysql;
pub mod net;
pub mod nis;
pub mod pam;
pub mod pcre;
pub mod pgsql;
pub mod poll;
pub mod process;
pub mod procinfo;
pub mod shm;
pub mod signal;
pub mod sockopt;
pub mod spawn;
pub mod sqlite;
pub mod stack;
pub mod syslog;
pub mod system;
pub mod time;
pub mod unix;
pub mod users;

use std::ffi::CString;
use std::io;

/// Turns a `-1` result of a system call into the errno it left.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// As [`check`], for calls that return a size.
pub(crate) fn check_size(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Runs a system call again for as long as it is interrupted by a signal.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => return other,
        }
    }
}

/// A C string of these bytes; a NUL within is `InvalidInput` (never silently cut).
pub(crate) fn cstr(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "NUL byte in a name"))
}

/// The text the C library has for an errno, such as "No such file or directory" (no "(os error 2)").
pub fn strerror(errno: i32) -> String {
    let mut buf = [0u8; 256];
    // SAFETY: the buffer and its size belong together; strerror_r writes a NUL-terminated text.
    let rc = unsafe { libc::strerror_r(errno, buf.as_mut_ptr().cast(), buf.len()) };
    let end = buf.iter().position(|b| *b == 0).unwrap_or(buf.len());
    if rc != 0 || end == 0 {
        return format!("Unknown error {errno}");
    }
    String::from_utf8_lossy(&buf[..end]).into_owned()
}

/// The plain text of an I/O error: [`strerror`] if it carries an errno, else its own message.
pub fn error_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => strerror(errno),
        None => error.to_string(),
    }
}

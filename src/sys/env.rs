//! Changing this process's environment. Only while it has one thread: reading the environment in
//! another thread at the same time is undefined in C.

use super::{check, cstr};
use std::io;

/// Sets a variable. Names with `=` or NUL are `InvalidInput`.
pub fn set(name: &[u8], value: &[u8]) -> io::Result<()> {
    if name.is_empty() || name.contains(&b'=') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let (n, v) = (cstr(name)?, cstr(value)?);
    // SAFETY: valid C strings; single-threaded by contract.
    check(unsafe { libc::setenv(n.as_ptr(), v.as_ptr(), 1) }).map(drop)
}

/// Removes a variable.
pub fn remove(name: &[u8]) -> io::Result<()> {
    let n = cstr(name)?;
    // SAFETY: valid C string; single-threaded by contract.
    check(unsafe { libc::unsetenv(n.as_ptr()) }).map(drop)
}

/// Removes everything.
pub fn clear() {
    // SAFETY: single-threaded by contract.
    unsafe { libc::clearenv() };
}

/// Keeps only these `NAME=value` entries, in this order (`keep_environment`, `add_environment`).
pub fn replace(entries: &[Vec<u8>]) -> io::Result<()> {
    clear();
    for e in entries {
        if let Some(at) = e.iter().position(|b| *b == b'=') {
            set(&e[..at], &e[at + 1..])?;
        }
    }
    Ok(())
}

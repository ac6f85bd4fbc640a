//! A block of memory that forked children share: 64-bit atomics, all zero at first.
//!
//! The daemon makes it before it forks its workers; it lasts until the last process has gone.

use super::check;
use std::io;
use std::ops::Deref;
use std::sync::atomic::AtomicU64;

/// Shared counters; use as a slice of `AtomicU64`.
#[derive(Debug)]
pub struct SharedWords {
    base: *mut AtomicU64,
    count: usize,
}

// SAFETY: the memory holds only atomics and stays mapped for the life of the value.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// `count` words (at least one, at most 2^24).
    pub fn new(count: usize) -> io::Result<Self> {
        if count == 0 || count > 1 << 24 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let bytes = count * size_of::<AtomicU64>();
        // SAFETY: a fresh anonymous mapping; the result is checked.
        let p = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if p == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { base: p.cast(), count })
    }
}

impl Deref for SharedWords {
    type Target = [AtomicU64];
    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: the mapping holds `count` zero-initialised, page-aligned words.
        unsafe { std::slice::from_raw_parts(self.base, self.count) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: our mapping, released once.
        let _ = check(unsafe { libc::munmap(self.base.cast(), self.count * size_of::<AtomicU64>()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn shared_with_child() {
        let s = SharedWords::new(4).unwrap();
        match super::super::process::fork().unwrap() {
            super::super::process::Fork::Child => {
                s[2].fetch_add(7, Ordering::SeqCst);
                super::super::process::exit_now(0);
            }
            super::super::process::Fork::Parent(pid) => {
                assert!(super::super::process::wait(pid).unwrap().success());
                assert_eq!(s[2].load(Ordering::SeqCst), 7);
            }
        }
    }
}

//! MBX mailboxes, as the c-client library has them: a header of 2048 bytes, a line with the size before each message,
//! and locks that let others read while we append (manual section 26.3).

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use bstr::BString;

use super::locks::Locks;
use crate::sys::file::{self, Flags, Stat, fchmod, fstat};
use crate::sys::lock::Kind;
use crate::sys::time;

/// Bytes of the header.
pub(super) const HEADER: usize = 2048;

/// Where the locks are, by the rules of c-client.
const DIRECTORY: &[u8] = b"/tmp";

/// Keywords that the header has room for, each on a line of its own.
const KEYWORDS: usize = 30;

/// The header of a new mailbox: its name for this moment (UIDVALIDITY), the last message's number (none), no keywords.
pub(super) fn header() -> Vec<u8> {
    let mut out = format!("*mbx*\r\n{:08x}00000000\r\n", time::unix_time() as u32).into_bytes();
    out.extend_from_slice("\r\n".repeat(KEYWORDS).as_bytes());
    out.resize(HEADER, 0);
    out
}

/// Appends a message that has been written elsewhere, after the line that says how long it is. Gives that line's length.
pub(super) fn append(mut mailbox: &File, message: &File) -> io::Result<usize> {
    let size = fstat(message.as_fd())?.size;
    let date = time::strftime(b"%d-%b-%Y %H:%M:%S %z", time::unix_time(), true)?;
    let line = [date.as_slice(), format!(",{size};000000000000-00000000\r\n").as_bytes()].concat();
    mailbox.write_all(&line)?;
    let mut from = message;
    io::Seek::rewind(&mut from)?;
    io::copy(&mut from, &mut mailbox).map(|_| line.len())
}

/// A file in /tmp that stands for the mailbox, locked: who reads or appends holds it, and a shared lock of the mailbox.
#[derive(Debug)]
pub(super) struct MbxLock {
    /// Held open for its lock.
    _fd: OwnedFd,
    name: BString,
}

impl MbxLock {
    /// Locks it; `None`: somebody else has it, or the file is not one that may be used.
    pub(super) fn take(mailbox: &Stat, mode: u32, locks: &Locks) -> Option<Self> {
        let name = BString::from(format!(".{:x}.{:x}", mailbox.dev, mailbox.ino));
        let path = BString::from([DIRECTORY, b"/", &name].concat());
        // The directory is everybody's: what is there must be a plain file that has no other name.
        let plain = |s: &Stat| s.is_file() && s.nlink == 1;
        match file::lstat(&path) {
            Ok(s) if !plain(&s) => return None,
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return None,
        }
        let fd = file::open(&path, Flags::READ_WRITE | Flags::CREATE | Flags::NOFOLLOW, mode).ok()?;
        let opened = fstat(fd.as_fd()).ok().filter(plain)?;
        // Not ours: whose it is has set the mode.
        let _ = fchmod(fd.as_fd(), mode);
        if !locks.take(fd.as_fd(), Kind::Exclusive) {
            return None;
        }
        // The one that had it may have removed it while we waited.
        file::lstat(&path).ok().filter(|s| s.same_file(&opened))?;
        Some(MbxLock { _fd: fd, name })
    }

    /// Removes the file, if nobody else has the mailbox open.
    pub(super) fn release(self, mailbox: &File, locks: &Locks) {
        if locks.without_waiting().take(mailbox.as_fd(), Kind::Exclusive)
            && let Ok(dir) = file::Dir::open(DIRECTORY)
        {
            let _ = dir.unlink(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_what_c_client_reads() {
        let h = header();
        assert_eq!(h.len(), 2048);
        assert!(h.starts_with(b"*mbx*\r\n"));
        assert_eq!(h[15..25], *b"00000000\r\n");
        assert_eq!(h.iter().filter(|c| **c == b'\n').count(), 2 + 30);
    }
}

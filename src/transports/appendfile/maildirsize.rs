//! The `maildirsize` file: what a maildir holds, kept by the maildir++ rules (manual section 26.7).
//!
//! The first line is the quota (`1000S,20C`), each other one what came or went: bytes and files.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use bstr::{BString, ByteSlice};

use super::usage::Usage;
use crate::sys::file::{Dir, Flags, fchmod, fstat};
use crate::sys::time;

const NAME: &[u8] = b"maildirsize";

/// A file of so many bytes is made anew: adding its lines up is to be quick.
const MAX_SIZE: u64 = 5120;

/// Over quota, what an older file says is checked by counting, seconds.
const OLD: i64 = 15 * 60;

/// Only its owner reads it.
const MODE: u32 = 0o600;

/// The file of one maildir, open.
#[derive(Debug)]
pub(super) struct SizeFile {
    file: File,
    /// The sum of its lines.
    pub(super) usage: Usage,
    /// It says no more than a count made just now.
    pub(super) fresh: bool,
}

/// Bytes and files allowed, as the file shows them; 0: no limit.
pub(super) type Quota = (u64, u64);

impl SizeFile {
    /// Opens the file of the maildir at `path`; makes it by counting if it is absent, too long, malformed, or for
    /// another quota.
    pub(super) fn open(path: &[u8], quota: Quota, count: &dyn Fn() -> Usage) -> io::Result<Self> {
        let dir = Dir::open(path)?;
        let flags = Flags::READ_WRITE | Flags::APPEND | Flags::NOFOLLOW;
        let mut file = match dir.open_at(NAME, flags, 0) {
            Ok(fd) => File::from(fd),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Self::make(&dir, quota, count),
            Err(e) => return Err(e),
        };
        let mut text = Vec::new();
        (&mut file).take(MAX_SIZE).read_to_end(&mut text)?;
        let old = fstat(file.as_fd()).map(|s| s.mtime.0 + OLD < time::unix_time()).unwrap_or(true);
        match read(&text) {
            Some((given, usage, lines)) if given == quota && (text.len() as u64) < MAX_SIZE => {
                Ok(SizeFile { file, usage, fresh: lines <= 1 && !old })
            }
            _ => Self::make(&dir, quota, count),
        }
    }

    /// Counts, and writes a new file.
    pub(super) fn remake(path: &[u8], quota: Quota, count: &dyn Fn() -> Usage) -> io::Result<Self> {
        Self::make(&Dir::open(path)?, quota, count)
    }

    fn make(dir: &Dir, quota: Quota, count: &dyn Fn() -> Usage) -> io::Result<Self> {
        let usage = count();
        let now = time::now();
        let temporary = BString::from(format!("tmp/{}.H{}P{}.maildirsize", now.sec, now.usec, std::process::id()));
        let flags = Flags::READ_WRITE | Flags::APPEND | Flags::CREATE | Flags::EXCLUSIVE | Flags::NOFOLLOW;
        let mut file = File::from(dir.open_at(&temporary, flags, MODE)?);
        let _ = fchmod(file.as_fd(), MODE);
        let text = format!("{}S,{}C\n{} {}\n", quota.0, quota.1, usage.bytes, usage.files);
        if let Err(e) = file.write_all(text.as_bytes()).and_then(|()| dir.rename(&temporary, dir, NAME)) {
            let _ = dir.unlink(&temporary);
            return Err(e);
        }
        // Somebody changed the maildir in the meantime: the next one shall count again.
        if count().newest > usage.newest {
            let _ = dir.unlink(NAME);
        }
        Ok(SizeFile { file, usage, fresh: true })
    }

    /// Notes a message. Trouble with that does not undo the delivery: the next count puts it right.
    pub(super) fn add(&mut self, bytes: u64) {
        let _ = self.file.write_all(format!("{bytes} 1\n").as_bytes());
    }
}

/// The quota, the sum and the number of lines; `None` if that is no such file.
fn read(text: &[u8]) -> Option<(Quota, Usage, usize)> {
    let mut lines = text.strip_suffix(b"\n")?.split_str("\n");
    let mut quota = (0, 0);
    for item in lines.next()?.split_str(",") {
        let item = item.to_str().ok()?.trim();
        let (number, unit) = item.split_at_checked(item.len().checked_sub(1)?)?;
        match unit {
            "S" => quota.0 = number.parse().ok()?,
            "C" => quota.1 = number.parse().ok()?,
            _ => return None,
        }
    }
    let (mut bytes, mut files, mut count) = (0i64, 0i64, 0);
    for line in lines {
        let mut numbers = line.to_str().ok()?.split_ascii_whitespace().map(|n| n.parse::<i64>().ok());
        bytes = bytes.checked_add(numbers.next()??)?;
        files = files.checked_add(numbers.next()??)?;
        count += 1;
    }
    let usage = Usage { bytes: u64::try_from(bytes).ok()?, files: u64::try_from(files).ok()?, newest: 0 };
    (count > 0).then_some((quota, usage, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads() {
        let got = |t: &str| read(t.as_bytes()).map(|(q, u, n)| (q, u.bytes, u.files, n));
        assert_eq!(got("500S,2C\n400 3\n-100 -1\n"), Some(((500, 2), 300, 2, 2)));
        assert_eq!(got("2C,500S\n   0     0\n"), Some(((500, 2), 0, 0, 1)));
        for bad in
            ["", "\n", "junk\n", "500S\n", "500S,2C\n1\n", "1S\n5 5", "1S\n1 -1\n", "1S\n1 1\n\n", "99999999999999999999S\n1 1\n"]
        {
            assert_eq!(got(bad), None, "{bad:?}");
        }
    }
}

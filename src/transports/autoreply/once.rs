//! Who has had an answer already: the `once` file, a hints data base or (with `once_file_size`) a plain file.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use bstr::{BString, ByteSlice};

use super::{AutoreplyOptions, Failure};
use crate::hints::records::Once;
use crate::hints::{self, HintsDb, Mode, SqliteStore};
use crate::sys::file::{self, Flags};
use crate::sys::lock::{self, Kind, Wait};
use crate::sys::time::unix_time;
use crate::text::Text;

/// Size of a time stamp in the plain file, bytes.
const STAMP: usize = 8;

/// The open file.
pub(super) enum Record {
    /// A data base.
    Hints(Mutex<Box<dyn HintsDb>>),
    /// A plain file of limited size: time stamps and addresses, each address with a NUL at its end.
    Plain { path: BString, entries: Vec<(i64, BString)>, size: usize, mode: u32 },
}

impl Record {
    pub(super) fn open(path: &Text, o: &AutoreplyOptions, transport: &BString) -> Result<Record, Failure> {
        let size = usize::try_from(o.once_file_size.0).unwrap_or(0);
        if size > 0 {
            let entries = match open_plain(path, o.mode.0) {
                Ok(fd) => read_plain(fd),
                Err(e) => {
                    let text = format!(
                        "Failed to open \"once\" file {path} when sending message from {transport} transport: {}",
                        crate::sys::error_text(&e)
                    );
                    return Err(Failure::defer(e.raw_os_error().unwrap_or(0), text));
                }
            };
            return Ok(Record::Plain { path: path.as_bytes().into(), entries, size, mode: o.mode.0 });
        }
        // One without a slash lies in the directory that the transport runs in.
        let file = std::path::Path::new(".").join(path.to_path_lossy());
        let failed = |errno: i32, reason: &str| {
            Failure::defer(
                errno,
                format!("Failed to open hintsdb file {path} when sending message from {transport} transport: {reason}"),
            )
        };
        if file.is_dir() {
            return Err(failed(libc::EISDIR, &crate::sys::strerror(libc::EISDIR)));
        }
        match SqliteStore::open_path(&file, Mode::Write, o.mode.0) {
            Ok(Some(db)) => Ok(Record::Hints(Mutex::new(db))),
            Ok(None) => Err(failed(0, "no such file")),
            Err(hints::HintsError::Open { reason, .. } | hints::HintsError::Access { reason, .. }) => Err(failed(0, &reason)),
        }
    }

    /// Has the address had an answer, and is it too early for another? `repeat` in seconds; 0: never again.
    pub(super) fn answered(&self, to: &[u8], repeat: i64, transport: &BString) -> Result<bool, Failure> {
        let then = match self {
            Record::Plain { entries, .. } => entries.iter().find(|(_, a)| a == to).map(|(t, _)| *t),
            Record::Hints(db) => {
                let mut db = db.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                hints::get::<Once>(db.as_mut(), to)
                    .map_err(|e| Failure::defer(0, format!("{e} when sending message from {transport} transport")))?
                    .map(|r| r.time_stamp)
            }
        };
        Ok(then.is_some_and(|t| repeat <= 0 || unix_time() - t < repeat))
    }

    /// Notes that it has. Losing the note means a second answer, no more.
    pub(super) fn note(&self, to: &[u8]) {
        match self {
            Record::Hints(db) => {
                let mut db = db.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let _ = hints::put(db.as_mut(), to, &Once);
            }
            Record::Plain { path, entries, size, mode } => {
                let mut all: Vec<(i64, BString)> = entries.iter().filter(|(_, a)| a != to).cloned().collect();
                all.push((unix_time(), to.into()));
                while all.len() > 1 && all.iter().map(|(_, a)| a.len() + 1 + STAMP).sum::<usize>() > *size {
                    all.remove(0);
                }
                let mut out = Vec::new();
                for (t, a) in &all {
                    out.extend_from_slice(&t.to_le_bytes());
                    out.extend_from_slice(a);
                    out.push(0);
                }
                if let Ok(fd) = open_plain(path, *mode) {
                    let mut f = File::from(fd);
                    if f.set_len(0).is_ok() {
                        let _ = f.write_all(&out);
                    }
                }
            }
        }
    }
}

/// Opened and locked.
fn open_plain(path: &[u8], mode: u32) -> std::io::Result<OwnedFd> {
    use std::os::fd::AsFd;
    let fd = file::open(path, Flags::READ_WRITE | Flags::CREATE | Flags::NOFOLLOW, mode)?;
    lock::flock(fd.as_fd(), Kind::Exclusive, Wait::Forever)?;
    Ok(fd)
}

fn read_plain(fd: OwnedFd) -> Vec<(i64, BString)> {
    let mut bytes = Vec::new();
    let _ = File::from(fd).take(16 << 20).read_to_end(&mut bytes);
    let mut out = Vec::new();
    let mut rest: &[u8] = &bytes;
    while let Some((stamp, tail)) = rest.split_at_checked(STAMP) {
        let Some(end) = tail.find_byte(0) else { break };
        let Ok(stamp) = <[u8; STAMP]>::try_from(stamp) else { break };
        out.push((i64::from_le_bytes(stamp), tail[..end].into()));
        rest = &tail[end + 1..];
    }
    out
}

//! What the spool has of a message, as `message` reads it: from the spool, or from the file that `--freeze` has written.
//!
//! A file begins with `MAGIC`; each message is a line of numbers, and the parts that they are the lengths of.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bstr::ByteSlice;

const MAGIC: &[u8] = b"exipick messages 1\n";

/// Bytes of a file that are read.
const MAX_FILE: u64 = 4 << 30;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub directory: PathBuf,
    pub id: String,
    /// The -H file.
    pub header: Vec<u8>,
    /// The -J file, or nothing.
    pub journal: Vec<u8>,
    /// Bytes of the -D file.
    pub data: u64,
}

impl Stored {
    /// `None`: there is none (any more).
    pub(super) fn read(directory: &Path, id: String) -> Option<Self> {
        let path = |suffix: &str| directory.join(format!("{id}{suffix}"));
        let header = std::fs::read(path("-H")).ok()?;
        let data = std::fs::metadata(path("-D")).map_or(0, |m| m.len());
        let journal = std::fs::read(path("-J")).unwrap_or_default();
        Some(Stored { directory: directory.to_path_buf(), id, header, journal, data })
    }
}

/// Header lines of others' mail are in it: nobody else may read it.
pub(super) fn freeze<'s>(path: &str, all: impl Iterator<Item = &'s Stored>) -> Result<(), String> {
    let mut text = MAGIC.to_vec();
    for m in all {
        let parts = [m.directory.as_os_str().as_bytes(), m.id.as_bytes(), &m.header, &m.journal];
        for p in parts {
            text.extend_from_slice(format!("{} ", p.len()).as_bytes());
        }
        text.extend_from_slice(format!("{}\n", m.data).as_bytes());
        parts.iter().for_each(|p| text.extend_from_slice(p));
    }
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        // One that was there before keeps its mode else.
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(&text)
    };
    write().map_err(|e| format!("cannot write {path}: {}", crate::sys::error_text(&e)))
}

pub(super) fn thaw(path: &str) -> Result<Vec<Stored>, String> {
    let mut text = Vec::new();
    std::fs::File::open(path)
        .and_then(|f| std::io::Read::read_to_end(&mut std::io::Read::take(f, MAX_FILE), &mut text))
        .map_err(|e| format!("cannot read {path}: {}", crate::sys::error_text(&e)))?;
    parse(&text).ok_or_else(|| format!("{path} is not what --freeze writes"))
}

fn parse(text: &[u8]) -> Option<Vec<Stored>> {
    let mut rest = text.strip_prefix(MAGIC)?;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (line, after) = rest.split_once_str("\n")?;
        let numbers: Vec<u64> = line.to_str().ok()?.split(' ').map(|n| n.parse().ok()).collect::<Option<_>>()?;
        let [directory, id, header, journal, data] = *numbers.as_slice() else { return None };
        rest = after;
        let mut part = |length: u64| {
            let (part, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            rest = after;
            Some(part)
        };
        let (directory, id) = (part(directory)?, part(id)?);
        if !crate::spool::is_message_id(id) {
            return None;
        }
        all.push(Stored {
            directory: PathBuf::from(std::ffi::OsStr::from_bytes(directory)),
            id: id.to_str().ok()?.to_string(),
            header: part(header)?.to_vec(),
            journal: part(journal)?.to_vec(),
            data,
        });
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frozen_and_thawed() {
        let m = |id: &str, header: &[u8]| Stored {
            directory: "/spool/input".into(),
            id: id.into(),
            header: header.into(),
            journal: b"a@b\n".to_vec(),
            data: 7,
        };
        let all = [m("1xVEkY-0008Ep-2o", b"a\n\xff"), m("1xVEkY-00000008Ep3-2o00", b"")];
        let path = std::env::temp_dir().join(format!("exipick.{}", std::process::id()));
        let name = path.to_str().unwrap();
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        freeze(name, all.iter()).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(thaw(name).as_deref(), Ok(&all[..]));
        let _ = std::fs::remove_file(&path);
        assert!(thaw(name).is_err());
        let bad: [&[u8]; 6] =
            [b"", b"x", b"1 1 1 1 1\n", b"99999999999999999999 1 1 1 1\n", b"1 16 9 0 0\n/1xVEkY-0008Ep-2o", b"1 2 0 0 0\n/xy"];
        assert_eq!(parse(MAGIC), Some(Vec::new()));
        for rest in bad {
            assert_eq!(parse(&[MAGIC, rest].concat()).is_some(), rest.is_empty(), "{rest:?}");
        }
    }
}

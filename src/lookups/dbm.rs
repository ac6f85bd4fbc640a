//! `dbm`, `dbmnz`, `dbmjz`: files that `exim_dbmbuild` makes.
//!
//! The format is the SQLite one that the reference uses with USE_SQLITE: a table `tblblob (ky BLOB PRIMARY KEY, dat BLOB)`.
//! Files of Berkeley DB and GDBM are recognized and refused with their name.

use std::path::Path;

use bstr::ByteSlice;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::check::{open_failed, open_file};
use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;

#[derive(Clone, Copy)]
enum Kind {
    WithNul,
    WithoutNul,
    Joined,
}

/// One of the three types.
pub struct Dbm {
    name: &'static str,
    kind: Kind,
}

/// The key has a NUL at its end.
pub static DBM: Dbm = Dbm { name: "dbm", kind: Kind::WithNul };
/// It has not.
pub static DBMNZ: Dbm = Dbm { name: "dbmnz", kind: Kind::WithoutNul };
/// It is a list, joined with NULs.
pub static DBMJZ: Dbm = Dbm { name: "dbmjz", kind: Kind::Joined };

impl Driver for Dbm {
    fn name(&self) -> &'static str {
        self.name
    }
    fn style(&self) -> Style {
        Style::File
    }
    fn open(&self, _: &mut Context, name: &[u8]) -> Result<Box<dyn Handle>, String> {
        let shown = name.as_bstr();
        let what = format!("{shown} as a dbm file");
        let fd = open_file(name, "dbm lookup", self.name)?;
        let mut magic = [0u8; 16];
        let file = std::fs::File::from(fd);
        let read = std::os::unix::fs::FileExt::read_at(&file, &mut magic, 0).map_err(|e| open_failed(&what, &e))?;
        if read > 0 && !magic.starts_with(b"SQLite format 3") {
            return Err(format!("failed to open {what}: {}", other_format(&magic)));
        }
        let path = Path::new(std::ffi::OsStr::from_bytes(name));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(|e| format!("failed to open {what}: {e}"))?;
        Ok(Box::new(Open { db, kind: self.kind }))
    }
}

use std::os::unix::ffi::OsStrExt;

fn other_format(magic: &[u8; 16]) -> &'static str {
    let at = |i: usize| u32::from_le_bytes([magic[i], magic[i + 1], magic[i + 2], magic[i + 3]]);
    match (at(12), at(0)) {
        (0x061561 | 0x053162 | 0x61150600 | 0x62310500, _) => {
            "it is a Berkeley DB file, reading which is not implemented: make it again with exim_dbmbuild"
        }
        (_, 0x13579ace..=0x13579ad0) => "it is a GDBM file, reading which is not implemented: make it again with exim_dbmbuild",
        _ => "unknown file format",
    }
}

struct Open {
    db: Connection,
    kind: Kind,
}

impl Handle for Open {
    fn find(&mut self, _: &mut Context, ask: &Ask<'_>) -> Answer {
        let key = match self.kind {
            Kind::WithoutNul => ask.key.to_vec(),
            Kind::WithNul => [&ask.key[..], b"\0"].concat(),
            Kind::Joined => {
                let parts: Vec<_> = crate::parse::list::items(ask.key).collect();
                if parts.is_empty() {
                    return Answer::Defer("empty list key".into());
                }
                bstr::join(b"\0", parts)
            }
        };
        let found = self.db.query_row("SELECT dat FROM tblblob WHERE ky = ?1", [key], |row| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Text(t) | rusqlite::types::ValueRef::Blob(t) => t.to_vec(),
                _ => Vec::new(),
            })
        });
        match found.optional() {
            Ok(Some(mut data)) => {
                // Data are C strings.
                if data.last() == Some(&0) {
                    data.pop();
                }
                Answer::Found(data, Keep::Always)
            }
            Ok(None) => Answer::NotFound(Keep::Always),
            Err(e) => Answer::Defer(format!("{}: {e}", ask.file.as_bstr())),
        }
    }
}

//! `dbm`, `dbmnz`, `dbmjz`: files that `exim_dbmbuild` makes.
//!
//! The format is the SQLite one that the reference uses with USE_SQLITE: a table `tblblob (ky BLOB PRIMARY KEY, dat BLOB)`.
//! Files of Berkeley DB are read too ([`super::berkeley`]); those of GDBM are recognized and refused with their name.

use std::path::Path;

use bstr::ByteSlice;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::berkeley;
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
        if berkeley::is_ours(&magic) {
            let reader = berkeley::Reader::new(file).map_err(|e| format!("failed to open {what}: {e}"))?;
            return Ok(Box::new(Open { store: Store::Berkeley(reader), kind: self.kind }));
        }
        if read > 0 && !magic.starts_with(b"SQLite format 3") {
            return Err(format!("failed to open {what}: {}", other_format(&magic)));
        }
        let path = Path::new(std::ffi::OsStr::from_bytes(name));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(|e| format!("failed to open {what}: {e}"))?;
        Ok(Box::new(Open { store: Store::Sqlite(db), kind: self.kind }))
    }
}

use std::os::unix::ffi::OsStrExt;

fn other_format(magic: &[u8; 16]) -> &'static str {
    match u32::from_le_bytes([magic[0], magic[1], magic[2], magic[3]]) {
        0x13579ace..=0x13579ad0 => "it is a GDBM file, reading which is not implemented: make it again with exim_dbmbuild",
        _ => "unknown file format",
    }
}

/// What the data are kept in.
enum Store {
    Sqlite(Connection),
    Berkeley(berkeley::Reader<std::fs::File>),
}

impl Store {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        match self {
            Store::Sqlite(db) => db
                .query_row("SELECT dat FROM tblblob WHERE ky = ?1", [key], |row| {
                    Ok(match row.get_ref(0)? {
                        ValueRef::Text(t) | ValueRef::Blob(t) => t.to_vec(),
                        _ => Vec::new(),
                    })
                })
                .optional()
                .map_err(|e| e.to_string()),
            Store::Berkeley(reader) => reader.get(key).map_err(String::from),
        }
    }
}

struct Open {
    store: Store,
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
        match self.store.get(&key) {
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

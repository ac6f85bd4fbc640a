//! Hints: what the program remembers between messages to work better, and could lose without harm.
//!
//! Retry times, messages waiting for a host, callout results, rates, TLS sessions. A [`HintsStore`]
//! opens data bases by name; a [`HintsDb`] reads and writes byte strings under keys; [`get`] and [`put`]
//! do so for the typed records of [`records`]. The embedded store is SQLite ([`SqliteStore`]).
//!
//! What is read is not trusted: a record that does not decode is treated as absent (CVE-2025-67896).
//! A data base that does not exist is "nothing known" for a reader, not an error. Nothing here logs.

mod codec;
pub mod records;
pub mod serialize;
mod sqlite;
mod traced;
pub mod wait;

pub use codec::{Hint, Stamped};
pub use sqlite::SqliteStore;
pub use traced::open_traced;

use std::fmt;

/// What a data base is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reading: an absent data base gives `None`.
    Read,
    /// Reading and writing: made if absent.
    Write,
}

/// What went wrong with a data base. Callers log it and go on without the hint.
#[derive(Debug)]
pub enum HintsError {
    /// It could not be opened or made: what, and why.
    Open { path: String, reason: String },
    /// An operation on an open one failed.
    Access { name: String, reason: String },
}

impl fmt::Display for HintsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, reason } => write!(f, "failed to open DB file {path}: {reason}"),
            Self::Access { name, reason } => write!(f, "hints database {name}: {reason}"),
        }
    }
}

impl std::error::Error for HintsError {}

/// The result of everything here.
pub type Result<T> = std::result::Result<T, HintsError>;

/// Opens data bases: one value for the process, shared by its threads.
pub trait HintsStore: Send + Sync {
    /// Opens `name` (`retry`, `wait-TRANSPORT`, ...), without slashes. `None`: absent, in [`Mode::Read`].
    fn open(&self, name: &str, mode: Mode) -> Result<Option<Box<dyn HintsDb>>>;

    /// Lets go of what is kept open. To be called before a fork whose child goes on as this program.
    fn close_idle(&self);
}

/// An open data base. It belongs to one thread; drop it soon. Single operations are atomic; several are
/// one after [`HintsDb::begin`].
pub trait HintsDb: Send {
    /// The bytes under a key.
    fn read(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// Writes or replaces.
    fn write(&mut self, key: &[u8], data: &[u8]) -> Result<()>;
    /// Removes; true if it was there.
    fn delete(&mut self, key: &[u8]) -> Result<bool>;
    /// The first key after `after` in byte order (from the first one: `None`), with its data. A walk may
    /// write and delete on its way.
    fn next(&mut self, after: Option<&[u8]>) -> Result<Option<(Vec<u8>, Vec<u8>)>>;
    /// Begins a transaction and excludes other writers until [`HintsDb::commit`] or
    /// [`HintsDb::rollback`]; dropping the value rolls back.
    fn begin(&mut self) -> Result<()>;
    /// Makes the transaction's changes last. Without a transaction it does nothing.
    fn commit(&mut self) -> Result<()>;
    /// Undoes the transaction's changes. Without a transaction it does nothing.
    fn rollback(&mut self) -> Result<()>;
}

/// Opens a data base of the context, with its debug output.
pub fn open(ctx: &crate::context::Context, name: &str, mode: Mode) -> Result<Option<Box<dyn HintsDb>>> {
    open_traced(ctx.services.hints.as_ref(), &ctx.run, name, mode)
}

/// A typed record under a key, with the time of its last writing. One of another kind, or malformed, is
/// `None`.
pub fn get<T: Hint>(db: &mut dyn HintsDb, key: &[u8]) -> Result<Option<Stamped<T>>> {
    Ok(db.read(key)?.as_deref().and_then(codec::decode))
}

/// Writes a typed record with the present time.
pub fn put<T: Hint>(db: &mut dyn HintsDb, key: &[u8], record: &T) -> Result<()> {
    put_at(db, key, record, crate::sys::time::unix_time())
}

/// Writes a typed record with a given time stamp (seconds since 1970).
pub fn put_at<T: Hint>(db: &mut dyn HintsDb, key: &[u8], record: &T, time_stamp: i64) -> Result<()> {
    db.write(key, &codec::encode(record, time_stamp))
}

/// Decodes the data that [`HintsDb::next`] or [`HintsDb::read`] gave.
pub fn decode<T: Hint>(data: &[u8]) -> Option<Stamped<T>> {
    codec::decode(data)
}

/// The time stamp of any record of ours, whatever its kind.
pub fn time_stamp(data: &[u8]) -> Option<i64> {
    codec::time_stamp(data)
}

/// Runs `work` in a transaction: committed if it is `Ok`, else rolled back.
pub fn transaction<T>(db: &mut dyn HintsDb, work: impl FnOnce(&mut dyn HintsDb) -> Result<T>) -> Result<T> {
    db.begin()?;
    match work(db) {
        Ok(value) => {
            db.commit()?;
            Ok(value)
        }
        Err(e) => {
            db.rollback()?;
            Err(e)
        }
    }
}

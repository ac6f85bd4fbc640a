//! The spool: -H, -D and -J files, message ids, locks, and the list of the queue (manual chapter 56).
//!
//! The files are exactly the reference's, so that each program can take over the other's queue. Reception
//! writes them, delivery reads and removes them, queue listing reads -H. All names are reached from an open
//! directory, never through links. Nothing here decides what happens to a message.

pub mod base62;
mod data;
mod error;
mod header_file;
mod header_line;
pub mod id;
mod journal;
mod queue;
mod read;
mod read_var;
mod scan;
mod spare;
mod sweep;
pub mod tree;
mod write;

#[cfg(test)]
mod tests;

pub use data::DataFile;
pub use error::SpoolError;
pub use header_file::{commit, replace_header, write_header};
pub use header_line::{kind as header_kind, letter as header_letter};
pub use id::{is_message_id, new_message_id};
pub use journal::Journal;
pub use queue::{Place, Queue, Spool};
pub use read::{parse_header_file, read_header};
pub use scan::{Found, message_exists, scan};
pub use spare::Given;
pub use sweep::sweep;
pub use write::format_header_file;

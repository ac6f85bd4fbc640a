//! The list of messages on a queue.

use bstr::BString;

use super::queue::Queue;
use super::{SpoolError, id};

/// A message on the queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its id.
    pub id: BString,
    /// The letter of the sub-directory that it lies in.
    pub letter: Option<u8>,
}

/// Sub-directories that a split spool may have.
const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// All messages of a queue, in the order of directories; within one as the file system gives them.
pub fn scan(queue: &Queue) -> Result<Vec<Found>, SpoolError> {
    let mut out = Vec::new();
    let names = queue.input().list().map_err(SpoolError::io("read the spool directory"))?;
    let mut letters = Vec::new();
    for name in names {
        match name.as_slice() {
            [l] if LETTERS.contains(l) => letters.push(*l),
            n => out.extend(id::of_file_name(n, b"-H").map(|i| Found { id: i.into(), letter: None })),
        }
    }
    letters.sort_unstable();
    for l in letters {
        let Ok(place) = queue.existing(Some(l)) else { continue };
        let names = place.dir.list().map_err(SpoolError::io("read the spool directory"))?;
        out.extend(names.iter().filter_map(|n| id::of_file_name(n, b"-H")).map(|i| Found { id: i.into(), letter: Some(l) }));
    }
    Ok(out)
}

/// Is the message on that queue?
pub fn message_exists(spool: &super::Spool, queue_name: &[u8], id: &[u8]) -> bool {
    spool.queue(queue_name).is_ok_and(|q| q.place_of(id).is_ok())
}

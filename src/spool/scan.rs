//! The list of messages on a queue.

use bstr::BString;

use super::queue::{Place, Queue};
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

/// The directories of a queue's messages: the queue's own, and those of a split spool.
pub(super) fn places(queue: &Queue) -> Result<Vec<Place>, SpoolError> {
    let names = queue.input().list().map_err(SpoolError::io("read the spool directory"))?;
    Ok(places_among(queue, &names))
}

fn places_among(queue: &Queue, names: &[BString]) -> Vec<Place> {
    let mut letters: Vec<Option<u8>> = vec![None];
    letters.extend(names.iter().filter_map(|n| match n.as_slice() {
        [l] if LETTERS.contains(l) => Some(Some(*l)),
        _ => None,
    }));
    letters.sort_unstable();
    letters.into_iter().filter_map(|l| queue.existing(l).ok()).collect()
}

/// All messages of a queue, in the order of directories; within one as the file system gives them.
pub fn scan(queue: &Queue) -> Result<Vec<Found>, SpoolError> {
    let mut out = Vec::new();
    let mut take = |names: &[BString], letter| {
        out.extend(names.iter().filter_map(|n| id::of_file_name(n, b"-H")).map(|i| Found { id: i.into(), letter }));
    };
    let failed = || SpoolError::io("read the spool directory");
    let names = queue.input().list().map_err(failed())?;
    take(&names, None);
    for place in places_among(queue, &names).iter().filter(|p| p.letter.is_some()) {
        take(&place.dir.list().map_err(failed())?, place.letter);
    }
    Ok(out)
}

/// Is the message on that queue?
pub fn message_exists(spool: &super::Spool, queue_name: &[u8], id: &[u8]) -> bool {
    spool.queue(queue_name).is_ok_and(|q| q.place_of(id).is_ok())
}

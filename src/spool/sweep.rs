//! Files that no message belongs to: a -D without -H, a -J with neither.
//!
//! Who sends a message gets its 250 when -H is there, and a message ends when -H goes. What a sudden end of the program or of the
//! machine has left before the one or after the other is nobody's mail. It is removed when it is old, and no process has it
//! locked; a queue run looks for it. The reference leaves such files for ever.

use std::collections::HashSet;

use bstr::BString;

use super::queue::{Place, Queue};
use super::{DataFile, SpoolError, id, scan};

/// Younger files are left alone, seconds: an administrator may have taken -H away for a moment, and another program may hold no
/// lock.
const OLD: i64 = 24 * 60 * 60;

/// Removes them from a queue. Gives the names of the files.
pub fn sweep(queue: &Queue, now: i64) -> Result<Vec<BString>, SpoolError> {
    let mut gone = Vec::new();
    for place in scan::places(queue)? {
        let mut names = place.dir.list().map_err(SpoolError::io("read the spool directory"))?;
        names.sort_unstable();
        let whole: HashSet<&[u8]> = names.iter().filter_map(|n| id::of_file_name(n, b"-H")).collect();
        let stray = |name, suffix| id::of_file_name(name, suffix).filter(|id| !whole.contains(id));
        let old = |name: &BString| is_old(&place, name, now);
        let data = names.iter().filter(|n| stray(n, b"-D").is_some_and(|id| old(n) && remove_data(queue, &place, id)));
        gone.extend(data.cloned());
        let journals = names.iter().filter(|n| stray(n, b"-J").is_some_and(|id| old(n) && remove_journal(queue, &place, id, n)));
        gone.extend(journals.cloned());
    }
    Ok(gone)
}

fn is_old(place: &Place, name: &BString, now: i64) -> bool {
    place.dir.stat_at(name).is_ok_and(|s| s.is_file() && now.saturating_sub(s.mtime.0) > OLD)
}

/// Is it certain that there is no -H, here or in the other place that the message may have?
fn has_no_header(queue: &Queue, id: &[u8]) -> bool {
    let name = [id, b"-H"].concat();
    queue.letters_for(id).into_iter().all(|letter| match queue.existing(letter) {
        Ok(place) => absent(&place, &name),
        Err(e) => e.kind() == std::io::ErrorKind::NotFound,
    })
}

fn absent(place: &Place, name: &[u8]) -> bool {
    place.dir.stat_at(name).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
}

/// Looks again while it holds the lock that everybody has who works on the message.
fn remove_data(queue: &Queue, place: &Place, id: &[u8]) -> bool {
    let Ok(data) = DataFile::open_locked(queue, id) else { return false };
    let nobodys = data.place().letter == place.letter && has_no_header(queue, id);
    if nobodys {
        data.unlink();
    }
    nobodys
}

fn remove_journal(queue: &Queue, place: &Place, id: &[u8], name: &[u8]) -> bool {
    let data = [id, b"-D"].concat();
    has_no_header(queue, id) && absent(place, &data) && place.dir.unlink(name).is_ok()
}

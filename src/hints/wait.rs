//! The `wait-TRANSPORT` data bases: which messages wait for which host.
//!
//! At most [`PER_RECORD`] ids are in a host's record; when it is full it moves to `HOST:n` and a new
//! one begins, whose sequence says how many such continuation records there are.

use super::records::Waiting;
use super::{HintsDb, Result, get, put, transaction};
use bstr::{BStr, BString, ByteSlice};

/// Ids in one record.
pub const PER_RECORD: usize = 50;
/// More continuation records than this are not believed.
const MAX_SEQUENCE: u32 = 10_000;

fn continuation(host: &[u8], n: u32) -> Vec<u8> {
    [host, b":", n.to_string().as_bytes()].concat()
}

fn load(db: &mut dyn HintsDb, key: &[u8]) -> Result<Option<Waiting>> {
    Ok(get::<Waiting>(db, key)?.map(|s| s.record).filter(|w| w.sequence <= MAX_SEQUENCE))
}

/// Adds a message to a host's list, unless it is there. The host's name is used in lower case.
pub fn add(db: &mut dyn HintsDb, host: &[u8], id: &BStr) -> Result<()> {
    let host = host.to_ascii_lowercase();
    transaction(db, |db| {
        let mut record = load(db, &host)?.unwrap_or_default();
        if record.ids.iter().any(|i| i == id) {
            return Ok(());
        }
        for n in (0..record.sequence).rev() {
            if load(db, &continuation(&host, n))?.is_some_and(|w| w.ids.iter().any(|i| i == id)) {
                return Ok(());
            }
        }
        if record.ids.len() >= PER_RECORD {
            put(db, &continuation(&host, record.sequence), &record)?;
            record = Waiting { sequence: record.sequence.saturating_add(1), ids: Vec::new() };
        }
        record.ids.push(id.into());
        put(db, &host, &record)
    })
}

/// All ids waiting for a host, the newest record's first.
pub fn list(db: &mut dyn HintsDb, host: &[u8]) -> Result<Vec<BString>> {
    let host = host.to_ascii_lowercase();
    let Some(record) = load(db, &host)? else { return Ok(Vec::new()) };
    let mut ids = record.ids;
    for n in (0..record.sequence).rev() {
        if let Some(more) = load(db, &continuation(&host, n))? {
            ids.extend(more.ids);
        }
    }
    Ok(ids)
}

/// What to do with an id on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Leave it for another time.
    Keep,
    /// The message is gone: forget it.
    Drop,
    /// This is the one: take it off and stop looking.
    Take,
}

/// Looks for a message to send over an open connection. `choose` is asked for each id, the oldest of
/// the newest record first; the list is written back without what was dropped or taken, and without `own`,
/// the message in hand. Gives the id taken, and whether more are waiting.
pub fn take(
    db: &mut dyn HintsDb,
    host: &[u8],
    own: &BStr,
    mut choose: impl FnMut(&BStr) -> Choice,
) -> Result<Option<(BString, bool)>> {
    let host = host.to_ascii_lowercase();
    transaction(db, |db| {
        let Some(newest) = load(db, &host)? else { return Ok(None) };
        // From the newest record back. Emptied ones are removed; since the host's own record must not
        // be empty while there are older ones, the newest that is left takes its place at the end.
        let mut taken = None;
        let mut left = Vec::new();
        let sequence = newest.sequence;
        let mut records = vec![newest.ids];
        for n in (0..sequence).rev() {
            records.push(load(db, &continuation(&host, n))?.map(|w| w.ids).unwrap_or_default());
        }
        let mut changed = false;
        for mut ids in records {
            let before = ids.len();
            ids.retain(|id| id != own);
            sift(&mut ids, &mut taken, &mut choose);
            changed |= ids.len() != before || ids.is_empty();
            if !ids.is_empty() {
                left.push(ids);
            }
        }
        let more = !left.is_empty();
        if changed {
            for n in 0..sequence {
                db.delete(&continuation(&host, n))?;
            }
            let count = u32::try_from(left.len().saturating_sub(1)).unwrap_or(0);
            let mut left = left.into_iter();
            match left.next() {
                None => {
                    db.delete(&host)?;
                }
                Some(ids) => {
                    put(db, &host, &Waiting { sequence: count, ids })?;
                    for (n, ids) in (0..count).rev().zip(left) {
                        put(db, &continuation(&host, n), &Waiting { sequence: n, ids })?;
                    }
                }
            }
        }
        Ok(taken.map(|id| (id, more)))
    })
}

/// Applies the choices to the ids of one record.
fn sift(ids: &mut Vec<BString>, taken: &mut Option<BString>, choose: &mut impl FnMut(&BStr) -> Choice) {
    ids.retain(|id| {
        if taken.is_some() {
            return true;
        }
        match choose(id.as_bstr()) {
            Choice::Keep => true,
            Choice::Drop => false,
            Choice::Take => {
                *taken = Some(id.clone());
                false
            }
        }
    });
}

//! Serializations in the `misc` data base: at most so many at a time do a thing (`serialize_hosts`,
//! `max_parallel`, `smtp_etrn_serialize`).
//!
//! A record that has not been touched for six hours is left over from a crash and does not count.

use super::records::Serialize;
use super::{HintsDb, Result, get, put, transaction};

const STALE: i64 = 6 * 3600;

/// Takes a place under `key` if fewer than `limit` are taken; false: there is none.
pub fn start(db: &mut dyn HintsDb, key: &[u8], limit: u32) -> Result<bool> {
    transaction(db, |db| {
        let now = crate::sys::time::unix_time();
        let count = match get::<Serialize>(db, key)? {
            Some(s) if now.saturating_sub(s.time_stamp) < STALE => s.record.count,
            _ => 0,
        };
        if count >= limit {
            return Ok(false);
        }
        put(db, key, &Serialize { count: count + 1 })?;
        Ok(true)
    })
}

/// Gives a place back.
pub fn end(db: &mut dyn HintsDb, key: &[u8]) -> Result<()> {
    transaction(db, |db| match get::<Serialize>(db, key)? {
        Some(s) if s.record.count > 1 => put(db, key, &Serialize { count: s.record.count - 1 }),
        Some(_) => db.delete(key).map(drop),
        None => Ok(()),
    })
}

/// Takes the lock `key` in the `misc` data base, which up to `limit` processes may have. Trouble with the hints counts as having it.
pub fn take(store: &dyn super::HintsStore, key: &[u8], limit: u32) -> bool {
    match store.open("misc", super::Mode::Write) {
        Ok(Some(mut db)) => start(db.as_mut(), key, limit).unwrap_or(true),
        _ => true,
    }
}

/// Gives it back.
pub fn give_back(store: &dyn super::HintsStore, key: &[u8]) {
    if let Ok(Some(mut db)) = store.open("misc", super::Mode::Write) {
        let _ = end(db.as_mut(), key);
    }
}

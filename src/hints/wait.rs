//! The `wait-TRANSPORT` data bases: which messages wait for which host.
//!
//! A record for each message and host, under `HOST ID`, which holds nothing but its time: to note a message, to find the next
//! one and to forget it takes as long with a hundred thousand of them as with one. A host's messages stand in the order of
//! their ids, which is that of their ages.

use super::records::Waiting;
use super::{HintsDb, Result, get, put, transaction};
use bstr::{BStr, BString, ByteSlice};

/// The host's name is used in lower case.
fn key(host: &[u8], id: &[u8]) -> Vec<u8> {
    [&host.to_ascii_lowercase(), &b" "[..], id].concat()
}

/// Host and message of a key; `None`: it is none of ours. The id will be a file name.
pub fn parts(key: &[u8]) -> Option<(&BStr, &BStr)> {
    let at = key.rfind_byte(b' ')?;
    let (host, id) = (&key[..at], &key[at + 1..]);
    crate::spool::is_message_id(id).then(|| (host.as_bstr(), id.as_bstr()))
}

/// Notes that a message waits for a host.
pub fn add(db: &mut dyn HintsDb, host: &[u8], id: &BStr) -> Result<()> {
    let key = key(host, id);
    // Most runs note again what an earlier one has noted.
    if db.read(&key)?.is_none() {
        put(db, &key, &Waiting)?;
    }
    Ok(())
}

/// The host's next message whose key comes after this one.
fn after(db: &mut dyn HintsDb, host: &[u8], last: &[u8]) -> Result<Option<Vec<u8>>> {
    Ok(db.next(Some(last))?.map(|(key, _)| key).filter(|k| k.starts_with(host) && k.get(host.len()) == Some(&b' ')))
}

/// The first host that messages wait for, or the one after a host, in the order of their names.
pub fn next_host(db: &mut dyn HintsDb, last: Option<&BString>) -> Result<Option<BString>> {
    let mut last = last.map(|host| key(host, b"\xff"));
    while let Some((key, _)) = db.next(last.as_deref())? {
        if let Some((host, _)) = parts(&key) {
            return Ok(Some(host.into()));
        }
        last = Some(key);
    }
    Ok(None)
}

/// All ids waiting for a host.
pub fn list(db: &mut dyn HintsDb, host: &[u8]) -> Result<Vec<BString>> {
    let host = host.to_ascii_lowercase();
    let mut ids = Vec::new();
    let mut last = key(&host, b"");
    while let Some(k) = after(db, &host, &last)? {
        ids.extend(parts(&k).map(|(_, id)| id.into()));
        last = k;
    }
    Ok(ids)
}

/// Since when the message has been noted, if it is.
pub fn since(db: &mut dyn HintsDb, host: &[u8], id: &BStr) -> Result<Option<i64>> {
    Ok(get::<Waiting>(db, &key(host, id))?.map(|r| r.time_stamp))
}

/// The message does not wait for the host any more.
pub fn remove(db: &mut dyn HintsDb, host: &[u8], id: &BStr) -> Result<()> {
    db.delete(&key(host, id)).map(drop)
}

/// Forgets all that wait for a host; how many that were.
pub fn forget(db: &mut dyn HintsDb, host: &[u8]) -> Result<usize> {
    transaction(db, |db| {
        let ids = list(db, host)?;
        for id in &ids {
            remove(db, host, id.as_bstr())?;
        }
        Ok(ids.len())
    })
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

/// Looks for a message to send over an open connection. `choose` is asked for each id, the oldest first; what it drops or takes
/// is removed, and so is `own`, the message in hand. Gives the id taken, and whether more are waiting.
pub fn take(
    db: &mut dyn HintsDb,
    host: &[u8],
    own: &BStr,
    mut choose: impl FnMut(&BStr) -> Choice,
) -> Result<Option<(BString, bool)>> {
    let host = host.to_ascii_lowercase();
    let start = key(&host, b"");
    // Mostly nothing waits; to see that takes no lock.
    if after(db, &host, &start)?.is_none() {
        return Ok(None);
    }
    transaction(db, |db| {
        remove(db, &host, own)?;
        let (mut last, mut kept) = (start, false);
        while let Some(k) = after(db, &host, &last)? {
            let choice = parts(&k).map_or(Choice::Drop, |(_, id)| choose(id));
            if choice == Choice::Keep {
                kept = true;
            } else {
                db.delete(&k)?;
            }
            if let (Choice::Take, Some((_, id))) = (choice, parts(&k)) {
                let more = kept || after(db, &host, &k)?.is_some();
                return Ok(Some((id.into(), more)));
            }
            last = k;
        }
        Ok(None)
    })
}

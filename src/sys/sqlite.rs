//! Statements for SQLite as bytes: they need not be UTF-8, as rusqlite wants them.

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use libc::{c_char, c_int};
use rusqlite::{Connection, ffi};

/// Takes a row: names of columns, and values as SQLite writes them, `None` for NULL.
pub type Row<'a> = &'a mut dyn FnMut(&[Vec<u8>], Vec<Option<Vec<u8>>>) -> Result<(), String>;

/// Runs all statements. The error is SQLite's text, or what `row` said.
pub fn run(connection: &Connection, mut sql: &[u8], row: Row<'_>) -> Result<(), String> {
    // What comes after it would be another statement, or none.
    if sql.contains(&0) {
        return Err("the query has a zero byte in it".into());
    }
    // SAFETY: the connection outlives the call, and nobody else uses its handle meanwhile.
    let db = unsafe { connection.handle() };
    let failed = || {
        // SAFETY: a live handle; the text lives until the next call.
        let text = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(db)) };
        Err(text.to_string_lossy().into_owned())
    };
    while !sql.is_empty() {
        let (mut raw, mut tail) = (null_mut(), null());
        let length = c_int::try_from(sql.len()).map_err(|_| "the query is too long")?;
        // SAFETY: the text with its length, places for the statement and for where the next one begins.
        if unsafe { ffi::sqlite3_prepare_v2(db, sql.as_ptr().cast(), length, &mut raw, &mut tail) } != ffi::SQLITE_OK {
            return failed();
        }
        let used = (tail as usize).saturating_sub(sql.as_ptr() as usize);
        sql = sql.get(used.max(1)..).unwrap_or_default();
        // White space and comments are no statement.
        if raw.is_null() {
            continue;
        }
        let statement = Statement(raw);
        let names = statement.names();
        loop {
            // SAFETY: a live statement.
            match unsafe { ffi::sqlite3_step(statement.0) } {
                ffi::SQLITE_ROW => row(&names, (0..statement.columns()).map(|n| statement.value(n)).collect())?,
                ffi::SQLITE_DONE => break,
                _ => return failed(),
            }
        }
    }
    Ok(())
}

/// A prepared statement.
struct Statement(*mut ffi::sqlite3_stmt);

impl Statement {
    fn columns(&self) -> c_int {
        // SAFETY: a live statement.
        unsafe { ffi::sqlite3_column_count(self.0) }
    }

    fn names(&self) -> Vec<Vec<u8>> {
        let name = |n| {
            // SAFETY: a live statement and one of its columns; the name is null or a C string.
            unsafe {
                let name: *const c_char = ffi::sqlite3_column_name(self.0, n);
                if name.is_null() { Vec::new() } else { CStr::from_ptr(name).to_bytes().to_vec() }
            }
        };
        (0..self.columns()).map(name).collect()
    }

    /// A value of the row in hand.
    fn value(&self, n: c_int) -> Option<Vec<u8>> {
        // SAFETY: a live statement with a row and one of its columns; the text has the length that is asked for after it.
        unsafe {
            let text = ffi::sqlite3_column_text(self.0, n);
            let length = usize::try_from(ffi::sqlite3_column_bytes(self.0, n)).unwrap_or(0);
            (!text.is_null()).then(|| std::slice::from_raw_parts(text, length).to_vec())
        }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: it is ours and is not used any more.
        unsafe { ffi::sqlite3_finalize(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(sql: &[u8]) -> Result<Vec<Vec<Option<Vec<u8>>>>, String> {
        let db = Connection::open_in_memory().unwrap();
        let mut out = Vec::new();
        run(&db, sql, &mut |_, values| {
            out.push(values);
            Ok(())
        })
        .map(|()| out)
    }

    #[test]
    fn statements() {
        let some = |t: &[u8]| Some(t.to_vec());
        assert_eq!(
            all(b"select 1, 'a', null; ; select 2.0 -- x\n").unwrap(),
            [vec![some(b"1"), some(b"a"), None], vec![some(b"2.0")]]
        );
        assert_eq!(all(b"select '\xff\xe4'").unwrap(), [[some(b"\xff\xe4")]]);
        assert_eq!(all(b"").unwrap().len(), 0);
        assert_eq!(all(b"/* */ ;;").unwrap().len(), 0);
        for bad in [&b"selec"[..], b"select 1\0; select 2", b"select 'x", b"select 1; nonsense", b"select \xff("] {
            assert!(all(bad).is_err());
        }
    }
}

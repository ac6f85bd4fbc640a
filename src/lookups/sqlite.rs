//! `sqlite`: queries to SQLite files (manual section 9.13).

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use bstr::ByteSlice;
use rusqlite::Connection;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;

use super::check::name_value;
use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;
use crate::log;

/// The type.
pub struct Sqlite;

impl Driver for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }
    fn style(&self) -> Style {
        Style::FileQuery
    }
    fn open(&self, ctx: &mut Context, file: &[u8]) -> Result<Box<dyn Handle>, String> {
        let default = ctx.config.main.sqlite_dbfile.raw().unwrap_or_default();
        let name = if file.is_empty() { default } else { file };
        if !name.starts_with(b"/") {
            return Err("absolute file name expected for \"sqlite\" lookup".into());
        }
        let path = Path::new(std::ffi::OsStr::from_bytes(name));
        let db = Connection::open(path).map_err(|e| format!("Error opening database: {}", text(&e)))?;
        let seconds = u64::try_from(ctx.config.main.sqlite_lock_timeout.0).unwrap_or(5);
        db.busy_timeout(Duration::from_secs(seconds)).map_err(|e| format!("Error opening database: {}", text(&e)))?;
        Ok(Box::new(Open { db }))
    }
    fn quote(&self, text: &[u8], option: Option<&[u8]>) -> Option<Option<Vec<u8>>> {
        Some(option.is_none().then(|| super::quote::sqlite(text)))
    }
}

struct Open {
    db: Connection,
}

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        match self.run(ask.key) {
            Ok(Some(data)) => Answer::Found(data, Keep::Always),
            // What gives no rows may have been an update.
            Ok(None) => Answer::NotFound(Keep::ForgetAll),
            // As in the reference a statement that fails finds nothing.
            Err(e) => {
                log::hdebug!(ctx, LOOKUP, "sqlite3_exec failed: {}", text(&e));
                Answer::NotFound(Keep::ForgetAll)
            }
        }
    }
}

impl Open {
    // All statements of the query; rows are joined by newlines.
    fn run(&self, query: &[u8]) -> rusqlite::Result<Option<Vec<u8>>> {
        let Ok(sql) = query.to_str() else {
            return Err(rusqlite::Error::InvalidParameterName("query is not valid UTF-8".into()));
        };
        let mut result: Option<Vec<u8>> = None;
        let mut batch = rusqlite::Batch::new(&self.db, sql);
        while let Some(mut statement) = batch.next()? {
            let names: Vec<Vec<u8>> = statement.column_names().iter().map(|n| n.as_bytes().to_vec()).collect();
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                let out = match &mut result {
                    Some(out) => {
                        out.push(b'\n');
                        out
                    }
                    none => none.insert(Vec::new()),
                };
                for (i, name) in names.iter().enumerate() {
                    let value = show(row.get_ref(i)?);
                    if names.len() == 1 {
                        out.extend_from_slice(&value);
                    } else {
                        name_value(out, name, &value);
                    }
                }
            }
        }
        Ok(result)
    }
}

fn show(value: ValueRef<'_>) -> Vec<u8> {
    match value {
        ValueRef::Null => b"<NULL>".to_vec(),
        ValueRef::Integer(i) => i.to_string().into_bytes(),
        // SQLite writes 15 significant digits and always a point.
        ValueRef::Real(r) => {
            let s = r.to_string();
            if s.contains(['.', 'e', 'i', 'N']) { s.into_bytes() } else { format!("{s}.0").into_bytes() }
        }
        ValueRef::Text(t) | ValueRef::Blob(t) => t.to_vec(),
    }
}

fn text(e: &rusqlite::Error) -> String {
    match e {
        rusqlite::Error::SqliteFailure(_, Some(m)) => m.clone(),
        rusqlite::Error::SqliteFailure(code, None) => code.to_string(),
        e => e.to_string(),
    }
}

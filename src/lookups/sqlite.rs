//! `sqlite`: queries to SQLite files (manual section 9.13).

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::check::name_value;
use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use super::server_list::MAX_ANSWER;
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
                log::hdebug!(ctx, LOOKUP, "sqlite3_exec failed: {e}");
                Answer::NotFound(Keep::ForgetAll)
            }
        }
    }
}

impl Open {
    // All statements of the query; rows are joined by newlines.
    fn run(&self, query: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let mut result: Option<Vec<u8>> = None;
        crate::sys::sqlite::run(&self.db, query, &mut |names, values| {
            let out = match &mut result {
                Some(out) => {
                    out.push(b'\n');
                    out
                }
                none => none.insert(Vec::new()),
            };
            for (name, value) in names.iter().zip(&values) {
                let value = value.as_deref().unwrap_or(b"<NULL>");
                if names.len() == 1 {
                    out.extend_from_slice(value);
                } else {
                    name_value(out, name, value);
                }
            }
            if out.len() > MAX_ANSWER { Err("the answer is too long".into()) } else { Ok(()) }
        })?;
        Ok(result)
    }
}

fn text(e: &rusqlite::Error) -> String {
    match e {
        rusqlite::Error::SqliteFailure(_, Some(m)) => m.clone(),
        rusqlite::Error::SqliteFailure(code, None) => code.to_string(),
        e => e.to_string(),
    }
}

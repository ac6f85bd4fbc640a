//! `exim_tidydb SPOOL NAME`: removes old records of a hints data base, and messages that are gone (manual section 54.13).

use std::path::Path;

use bstr::{BStr, BString, ByteSlice};

use super::support::open_hints;
use crate::hints::{self, HintsDb, Mode, wait};

/// Records are kept for so long, seconds.
const DEFAULT_AGE: i64 = 30 * 24 * 60 * 60;

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let mut o = getopts::Options::new();
    o.optopt("t", "", "remove records that are older than this (default 30d)", "TIME").optflag("h", "help", "this text");
    let usage = o.usage("Usage: exim_tidydb [-t <time>] <spool-directory> <database-name>");
    let m = match o.parse(args) {
        Ok(m) if m.opt_present("h") => {
            print!("{usage}");
            return 0;
        }
        Ok(m) if m.free.len() == 2 => m,
        Ok(_) => {
            eprint!("{usage}");
            return 1;
        }
        Err(e) => {
            eprint!("exim_tidydb: {e}\n{usage}");
            return 1;
        }
    };
    let age = match m.opt_str("t").map(|t| crate::config::values::parse_interval(t.as_bytes())) {
        None => DEFAULT_AGE,
        Some(Some(t)) => t,
        Some(None) => {
            eprint!("exim_tidydb: bad time value after -t\n{usage}");
            return 1;
        }
    };
    let (spool, name) = (&m.free[0], &m.free[1]);
    println!("Tidying Exim hints database {spool}/db/{name}");
    let result = open_hints("exim_tidydb", spool, name, Mode::Write).and_then(|mut db| {
        hints::transaction(db.as_mut(), |db| tidy(db, Path::new(spool), name, age)).map_err(|e| e.to_string())
    });
    match result {
        Ok(()) => {
            println!("Tidying complete");
            0
        }
        Err(e) => {
            println!("** {e}");
            1
        }
    }
}

fn tidy(db: &mut dyn HintsDb, spool: &Path, name: &str, age: i64) -> hints::Result<()> {
    let oldest = crate::sys::time::unix_time() - age;
    if name.starts_with("wait-") {
        return tidy_waiting(db, spool, oldest);
    }
    let mut after: Option<Vec<u8>> = None;
    while let Some((key, data)) = db.next(after.as_deref())? {
        let shown = key.as_bstr();
        if hints::time_stamp(&data).is_none_or(|t| t < oldest) {
            println!("deleted {shown} (too old)");
            db.delete(&key)?;
        } else if name == "retry"
            && let Some(id) = message_of(shown).filter(|id| !exists(spool, id))
        {
            println!("deleted {shown} (no message {id})");
            db.delete(&key)?;
        }
        after = Some(key);
    }
    Ok(())
}

/// Takes messages that are gone, and those noted long ago, out of the lists of waiting ones.
fn tidy_waiting(db: &mut dyn HintsDb, spool: &Path, oldest: i64) -> hints::Result<()> {
    let mut host: Option<BString> = None;
    while let Some(next) = wait::next_host(db, host.as_ref())? {
        let mut left = false;
        for id in wait::list(db, &next)? {
            let old = wait::since(db, &next, id.as_bstr())?.is_none_or(|t| t < oldest);
            if old || !exists(spool, id.as_bstr()) {
                println!("deleted {id} from {next}{}", if old { " (too old)" } else { "" });
                wait::remove(db, &next, id.as_bstr())?;
            } else {
                left = true;
            }
        }
        if !left {
            println!("deleted {next} (empty)");
        }
        host = Some(next);
    }
    Ok(())
}

/// The message that a retry record is about: its key ends with an id.
fn message_of(key: &BStr) -> Option<&BStr> {
    let (_, last) = key.rsplit_once_str(":")?;
    crate::spool::is_message_id(last).then(|| last.as_bstr())
}

/// Is there such a message on any of the queues? Named queues are directories beside `input`.
fn exists(spool: &Path, id: &BStr) -> bool {
    let file = BString::from([id.as_bytes(), b"-H"].concat()).to_string();
    let in_queue = |input: &Path| {
        input.join(&file).exists()
            || std::fs::read_dir(input).is_ok_and(|mut d| d.any(|e| e.is_ok_and(|e| e.path().join(&file).exists())))
    };
    in_queue(&spool.join("input"))
        || std::fs::read_dir(spool).is_ok_and(|mut d| d.any(|e| e.is_ok_and(|e| in_queue(&e.path().join("input")))))
}

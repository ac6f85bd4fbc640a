//! `exim_dumpdb SPOOL NAME`: prints a hints data base (manual section 54.11).

use std::path::Path;

use bstr::{BStr, BString, ByteSlice};

use super::support::show_time;
use crate::hints::records::{
    CalloutAddress, CalloutDomain, EhloResponse, Ratelimit, RatelimitUnique, Retry, Seen, Serialize, TlsSession,
};
use crate::hints::{self, HintsDb, HintsStore, Mode, SqliteStore, wait};

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let (_, args) = super::support::Exim::from_arguments(args);
    let mut options = getopts::Options::new();
    options.optflag("z", "", "times in UTC").optflag("k", "", "keys only").optflag("L", "", "the file of a dbm lookup").optflag(
        "h",
        "help",
        "this text",
    );
    let usage =
        options.usage("Usage: exim_dumpdb [-z] [-k] <spool-directory> <database-name>\n       exim_dumpdb -L [-k] <file>");
    let matches = match options.parse(&args) {
        Ok(m) if m.opt_present("h") => {
            print!("{usage}");
            return 0;
        }
        Ok(m) if m.opt_present("L") && m.free.len() == 1 => return lookup_file(&m.free[0], m.opt_present("k")),
        Ok(m) if m.free.len() == 2 && !m.opt_present("L") => m,
        _ => {
            eprint!("{usage}");
            return 1;
        }
    };
    let (spool, name) = (&matches.free[0], &matches.free[1]);
    if name.contains('/') {
        eprintln!("exim_dumpdb: \"{name}\" is not the name of a hints database");
        return 1;
    }
    let store = SqliteStore::new(Path::new(spool), crate::sys::ids::geteuid(), crate::sys::ids::getegid());
    let mut db = match store.open(name, Mode::Read) {
        Ok(Some(db)) => db,
        Ok(None) => {
            println!("** Failed to open hintsdb {spool}/db/{name}: No such file or directory");
            return 1;
        }
        Err(e) => {
            println!("** {e}");
            return 1;
        }
    };
    let (utc, keys) = (matches.opt_present("z"), matches.opt_present("k"));
    let result = if name.starts_with("wait-") { dump_waiting(db.as_mut(), keys) } else { dump(db.as_mut(), name, keys, utc) };
    match result {
        Ok(()) => 0,
        Err(e) => {
            println!("** {e}");
            1
        }
    }
}

fn dump(db: &mut dyn HintsDb, name: &str, keys: bool, utc: bool) -> hints::Result<()> {
    let mut last: Option<Vec<u8>> = None;
    while let Some((key, data)) = db.next(last.as_deref())? {
        if keys {
            println!("  {}", key.as_bstr());
        } else {
            show(name, key.as_bstr(), &data, utc);
        }
        last = Some(key);
    }
    Ok(())
}

/// A line for each host, with the messages that wait for it.
fn dump_waiting(db: &mut dyn HintsDb, keys: bool) -> hints::Result<()> {
    let mut host: Option<BString> = None;
    while let Some(next) = wait::next_host(db, host.as_ref())? {
        match keys {
            true => println!("  {next}"),
            false => show_waiting(next.as_bstr(), &wait::list(db, &next)?),
        }
        host = Some(next);
    }
    Ok(())
}

/// A host and its messages.
pub fn show_waiting(host: &BStr, ids: &[BString]) {
    println!("{host} {}", bstr::join(" ", ids).as_bstr());
}

/// `-L`: keys and data of a file for `dbm` lookups, without the NULs at their ends.
fn lookup_file(path: &str, keys_only: bool) -> i32 {
    use rusqlite::{Connection, OpenFlags};
    let list = || -> rusqlite::Result<()> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut query = db.prepare("SELECT ky, dat FROM tblblob")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (key, data): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let bare = |b: &[u8]| BStr::new(b.strip_suffix(b"\0").unwrap_or(b)).to_string();
            if keys_only {
                println!("{}", bare(&key));
            } else {
                println!("{}\t{}", bare(&key), bare(&data));
            }
        }
        Ok(())
    };
    match list() {
        Ok(()) => 0,
        Err(e) => {
            println!("** Failed to open lookup file {path}: {e}");
            1
        }
    }
}

/// Prints one record; what cannot be read is named.
pub fn show(name: &str, key: &BStr, data: &[u8], utc: bool) {
    let time = |t: i64| show_time(t, utc);
    let shown = match name {
        "retry" => hints::decode::<Retry>(data).map(|r| {
            let r = r.record;
            println!("  {key} {} {} {}", r.basic_errno, r.more_errno, r.text);
            println!("{}  {}  {} {}", time(r.first_failed), time(r.last_try), time(r.next_try), if r.expired { "*" } else { "" });
        }),
        "callout" => callout(key, data, utc),
        "ratelimit" => hints::decode::<RatelimitUnique>(data)
            .map(|r| (r.time_stamp, r.record.limit))
            .or_else(|| hints::decode::<Ratelimit>(data).map(|r| (r.time_stamp, r.record)))
            .map(|(stamp, r)| println!("{}.{:06} rate: {:10.3} key: {key}", time(stamp), r.time_usec, r.rate)),
        "seen" => hints::decode::<Seen>(data).map(|r| println!("{key}\t{}", time(r.time_stamp))),
        "tls" => {
            hints::decode::<TlsSession>(data).map(|r| println!("  {} {key} {} bytes", time(r.time_stamp), r.record.session.len()))
        }
        "misc" => hints::decode::<Serialize>(data)
            .map(|r| {
                println!("{} {key}", time(r.time_stamp));
                if key.starts_with(b"etrn-") {
                    println!("serialize etrn: {} running", r.record.count);
                } else {
                    println!("serialize {key}: {} running", r.record.count);
                }
            })
            .or_else(|| {
                hints::decode::<EhloResponse>(data).map(|r| {
                    let e = r.record;
                    println!("{} {key}", time(r.time_stamp));
                    println!(
                        "helo/ehlo {} clr {:04x}/{:04x} cry {:04x}/{:04x} lim {:05}/{:05}/{:05}",
                        key.strip_suffix(b".EHLO").unwrap_or(key).as_bstr(),
                        e.clear_features,
                        e.clear_auths,
                        e.crypted_features,
                        e.crypted_auths,
                        e.limit_mail,
                        e.limit_rcpt,
                        e.limit_rcptdom
                    );
                })
            }),
        _ => None,
    };
    if shown.is_none() {
        println!("**** Malformed or unknown record: {key}");
    }
}

fn callout(key: &BStr, data: &[u8], utc: bool) -> Option<()> {
    if let Some(r) = hints::decode::<CalloutDomain>(data) {
        println!(
            "{} {key} callout={} postmaster={} random={}",
            show_time(r.time_stamp, utc),
            r.record.result.name(),
            r.record.postmaster_result.name(),
            r.record.random_result.name()
        );
        return Some(());
    }
    let r = hints::decode::<CalloutAddress>(data)?;
    println!("{} {key} callout={}", show_time(r.time_stamp, utc), r.record.result.name());
    Some(())
}

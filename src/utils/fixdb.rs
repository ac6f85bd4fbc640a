//! `exim_fixdb SPOOL NAME`: changes a hints data base by hand (manual section 54.14).

use std::io::{BufRead, Write};

use bstr::{BStr, BString, ByteSlice};

use super::dumpdb;
use super::support::{open_hints, show_time};
use crate::hints::records::Retry;
use crate::hints::{self, HintsDb, Mode, wait};
use crate::sys::time::{self, Tm};

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let mut o = getopts::Options::new();
    o.optflag("z", "", "times in UTC").optflag("h", "help", "this text");
    let usage = o.usage("Usage: exim_fixdb [-z] <spool-directory> <database-name>");
    let m = match o.parse(args) {
        Ok(m) if m.opt_present("h") => {
            print!("{usage}");
            return 0;
        }
        Ok(m) if m.free.len() == 2 => m,
        _ => {
            eprint!("{usage}");
            return 1;
        }
    };
    let utc = m.opt_present("z");
    let (spool, name) = (&m.free[0], &m.free[1]);
    println!("Modifying Exim hints database {spool}/db/{name}");
    match open_hints("exim_fixdb", spool, name, Mode::Write)
        .and_then(|mut db| session(db.as_mut(), name, utc).map_err(|e| e.to_string()))
    {
        Ok(()) => 0,
        Err(e) => {
            println!("** {e}");
            1
        }
    }
}

/// Commands until the input ends or `q`.
fn session(db: &mut dyn HintsDb, name: &str, utc: bool) -> hints::Result<()> {
    let mut key: Option<BString> = None;
    let mut input = std::io::stdin().lock();
    loop {
        print!("> ");
        let _ = std::io::stdout().flush();
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            println!();
            return Ok(());
        }
        let text = line.trim();
        let command = key.as_ref().and_then(|k| Command::parse(text).map(|c| (k.clone(), c)));
        match command {
            _ if text.is_empty() => {}
            _ if text == b"q" => return Ok(()),
            Some((k, Command::Delete)) => {
                let gone = if is_waiting(name) { wait::forget(db, &k)? > 0 } else { db.delete(&k)? };
                println!("{}", if gone { "deleted" } else { "not found" });
                key = None;
                continue;
            }
            Some((k, Command::Field(n, value))) => set_field(db, name, k.as_bstr(), n, &value, utc)?,
            None => key = Some(text.into()),
        }
        if let Some(k) = &key {
            show(db, name, k.as_bstr(), utc)?;
        }
    }
}

/// Is it a data base of waiting messages? The keys that people know there are names of hosts.
fn is_waiting(name: &str) -> bool {
    name.starts_with("wait-")
}

enum Command {
    Delete,
    Field(u32, String),
}

impl Command {
    fn parse(text: &[u8]) -> Option<Self> {
        if text == b"d" {
            return Some(Command::Delete);
        }
        let text = text.to_str().ok()?;
        let (number, value) = text.split_once(' ')?;
        Some(Command::Field(number.parse().ok()?, value.trim().to_string()))
    }
}

fn show(db: &mut dyn HintsDb, name: &str, key: &BStr, utc: bool) -> hints::Result<()> {
    if is_waiting(name) {
        match wait::list(db, key)?.as_slice() {
            [] => println!("record {key} not found"),
            ids => dumpdb::show_waiting(key, ids),
        }
        return Ok(());
    }
    let Some(data) = db.read(key)? else {
        println!("record {key} not found");
        return Ok(());
    };
    let Some(r) = (name == "retry").then(|| hints::decode::<Retry>(&data)).flatten() else {
        dumpdb::show(name, key, &data, utc);
        return Ok(());
    };
    println!("{}", show_time(r.time_stamp, utc));
    let r = r.record;
    println!("0 error number: {} {}", r.basic_errno, r.text);
    println!("1 extra data:   {}", r.more_errno);
    println!("2 first failed: {}", show_time(r.first_failed, utc));
    println!("3 last try:     {}", show_time(r.last_try, utc));
    println!("4 next try:     {}", show_time(r.next_try, utc));
    println!("5 expired:      {}", if r.expired { "yes" } else { "no" });
    Ok(())
}

fn set_field(db: &mut dyn HintsDb, name: &str, key: &BStr, field: u32, value: &str, utc: bool) -> hints::Result<()> {
    if name != "retry" {
        println!("Can't change contents of this database");
        return Ok(());
    }
    let Some(stamped) = hints::get::<Retry>(db, key)? else { return Ok(()) };
    let mut r = stamped.record;
    let number = value.split_whitespace().next().and_then(|n| n.parse::<i32>().ok());
    let done = match field {
        0 => {
            if let Some((_, text)) = value.split_once(' ') {
                r.text = text.trim().into();
            }
            number.map(|n| r.basic_errno = n)
        }
        1 => number.map(|n| r.more_errno = n),
        2 => parse_time(value, utc).map(|t| r.first_failed = t),
        3 => parse_time(value, utc).map(|t| r.last_try = t),
        4 => parse_time(value, utc).map(|t| r.next_try = t),
        5 => ["no", "yes"].iter().position(|w| *w == value).map(|n| r.expired = n == 1),
        _ => {
            println!("unknown field number");
            return Ok(());
        }
    };
    if done.is_none() {
        println!("bad value for field {field}");
        return Ok(());
    }
    hints::put_at(db, key, &r, stamped.time_stamp)
}

/// Pairs of digits for year, month, day, hour and minute; colons may be between them. What is left out is as it is now.
fn parse_time(text: &str, utc: bool) -> Option<i64> {
    let digits: Vec<u8> = text.bytes().filter(|c| *c != b':').collect();
    if digits.is_empty() || digits.len() > 10 || digits.len() % 2 == 1 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let pairs: Vec<i32> = digits.chunks(2).map(|p| i32::from(p[0] - b'0') * 10 + i32::from(p[1] - b'0')).collect();
    let now = time::unix_time();
    let mut tm: Tm = if utc { time::gmtime(now) } else { time::localtime(now) }?;
    // The last pairs are given, the first ones may be missing.
    let mut given = pairs.into_iter().rev();
    tm.second = 0;
    if let Some(v) = given.next() {
        tm.minute = v;
    }
    if let Some(v) = given.next() {
        tm.hour = v;
    }
    if let Some(v) = given.next() {
        tm.day = v;
    }
    if let Some(v) = given.next() {
        tm.month = v;
    }
    if let Some(v) = given.next() {
        tm.year = if v < 90 { 2000 + v } else { 1900 + v };
    }
    if utc { time::timegm(&tm) } else { time::mktime(&tm) }
}

//! `exipick`: picks messages of the queue by conditions on Exim's variables (manual section 54.5, and `--help`).
//!
//! The spool is read directly: no program is run for a message. `stored` is what it has of one, `message` knows the variables,
//! `criteria` are the conditions, `show` prints.

mod criteria;
mod message;
mod options;
mod show;
mod stored;

use std::cmp::Ordering;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;

use super::support::Exim;
use criteria::{Criterion, Value};
use message::{Picked, Reader};
use options::Wanted;
use stored::Stored;

/// See the module.
pub fn run(args: &[String]) -> i32 {
    if args.iter().any(|a| matches!(a.as_str(), "--help" | "--man" | "-h")) {
        print!("{}", options::HELP);
        return 0;
    }
    match work(args) {
        Ok(()) => 0,
        Err(e) => {
            eprintln!("exipick: {e}");
            1
        }
    }
}

fn work(args: &[String]) -> Result<(), String> {
    let args: Vec<String> = args.iter().map(|a| if a == "--config" { "-C".into() } else { a.clone() }).collect();
    let (exim, args) = Exim::from_arguments(&args);
    let w = options::parse(&args)?;
    let criteria: Vec<Criterion> = w.criteria.iter().map(|c| Criterion::parse(c, w.caseful)).collect::<Result<_, _>>()?;
    if w.show_rules {
        criteria.iter().for_each(|c| println!("{c}"));
    }
    let mut reader = Reader::new(&w.charset);
    let mut all = 0;
    let mut picked = Vec::new();
    let stored: Box<dyn Iterator<Item = Stored>> = match &w.thaw {
        Some(path) => Box::new(stored::thaw(path)?.into_iter()),
        // One that is gone meanwhile is passed over.
        None => Box::new(messages(&input_directory(&exim, &w)?)?.into_iter().filter_map(|(d, id)| Stored::read(&d, id))),
    };
    for stored in stored {
        // So is one that cannot be read.
        let Some(mut m) = reader.read(stored) else { continue };
        all += 1;
        let mut holds = |c: &Criterion| {
            let result = holds(c, &w, &mut reader, &mut m);
            if w.show_tests {
                println!("{} {c} => {}", m.id(), u8::from(result));
            }
            result != w.negated
        };
        let fits = match w.any {
            false => criteria.iter().all(&mut holds),
            true => criteria.is_empty() || criteria.iter().any(&mut holds),
        };
        if fits {
            for v in &w.show {
                for name in v.names(&reader) {
                    let value = reader.text(&mut m, &name);
                    if v.shows(&name, &value) {
                        m.shown.push((name, value));
                    }
                }
            }
            m.keys = w.sort.iter().map(|n| reader.text(&mut m, n)).collect();
            picked.push(m);
        }
    }
    order(&w, &mut picked);
    if let Some(path) = &w.freeze {
        stored::freeze(path, picked.iter().map(|p| &p.stored))?;
    }
    show::all(&w, &picked, all);
    Ok(())
}

/// Does it hold of the message? A list of addresses: of each, or with `--or` of any.
fn holds(c: &Criterion, w: &Wanted, reader: &mut Reader, m: &mut Picked) -> bool {
    match reader.value(m, &c.variable) {
        Value::Text(text) => c.holds(&text),
        Value::Each(list) if w.any => list.iter().any(|a| c.holds(a)),
        Value::Each(list) => !list.is_empty() && list.iter().all(|a| c.holds(a)),
    }
}

fn order(w: &Wanted, picked: &mut [Picked]) {
    if w.random {
        // Any order will do that is another one next time.
        let seed = crate::sys::time::now().usec.unsigned_abs();
        picked.sort_by_key(|p| p.id().bytes().fold(seed, |h, b| h.wrapping_mul(0x0100_0000_01b3) ^ u64::from(b)));
        return;
    }
    if !w.unsorted || !w.sort.is_empty() {
        picked.sort_by(|a, b| a.id().cmp(b.id()));
    }
    if !w.sort.is_empty() {
        picked.sort_by(|a, b| {
            let pairs = a.keys.iter().zip(&b.keys);
            pairs.map(|(a, b)| compare(a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
        });
    }
    if w.reverse {
        picked.reverse();
    }
}

fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let number = |text: &[u8]| text.to_str().ok()?.parse::<f64>().ok();
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    }
}

/// Where the queue is: `--input-dir` under `--queue` under `--spool`, unless one of them is a whole path.
fn input_directory(exim: &Exim, w: &Wanted) -> Result<PathBuf, String> {
    if w.input.starts_with('/') {
        return Ok(PathBuf::from(&w.input));
    }
    let spool = match &w.spool {
        Some(s) => s.clone(),
        None => match exim.option("spool_directory")? {
            s if s.is_empty() => crate::build_options::SPOOL_DIRECTORY.to_string(),
            s => s,
        },
    };
    Ok(Path::new(&spool).join(w.queue.as_deref().unwrap_or_default()).join(&w.input))
}

/// Directory and id of each message, those of a split spool too.
fn messages(input: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let unreadable = |e: std::io::Error| format!("cannot read {}: {}", input.display(), crate::sys::error_text(&e));
    let mut found = Vec::new();
    let mut take = |directory: &Path| -> std::io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let name = entry?.file_name();
            if let Some(id) = crate::spool::id::of_file_name(name.as_bytes(), b"-H") {
                found.push((directory.to_path_buf(), String::from_utf8_lossy(id).into_owned()));
            }
        }
        Ok(())
    };
    match take(input) {
        // A queue that nothing has come to yet.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && input.parent().is_some_and(Path::exists) => return Ok(found),
        other => other.map_err(unreadable)?,
    }
    for entry in std::fs::read_dir(input).map_err(unreadable)?.flatten() {
        if entry.file_name().len() == 1 && entry.file_type().is_ok_and(|t| t.is_dir()) {
            take(&entry.path()).map_err(unreadable)?;
        }
    }
    Ok(found)
}

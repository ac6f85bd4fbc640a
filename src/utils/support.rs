//! What several utilities need.

use std::path::Path;
use std::process::Command;

use crate::hints::{HintsDb, HintsStore, Mode, SqliteStore};

/// `07-Mar-2000 12:21:52`, in local time or UTC.
pub fn show_time(t: i64, utc: bool) -> String {
    crate::sys::time::strftime(b"%d-%b-%Y %H:%M:%S", t, !utc)
        .map(|s| String::from_utf8_lossy(&s).into_owned())
        .unwrap_or_default()
}

/// Takes options that the test suite passes to everything (`-DEXIM_PATH=path`, `-C file`) out of the arguments.
pub struct Exim {
    /// The program to ask.
    pub path: String,
    /// `-C file`, and macros.
    pub options: Vec<String>,
}

impl Exim {
    /// The options found, and the other arguments.
    pub fn from_arguments(args: &[String]) -> (Self, Vec<String>) {
        let mut exim = Exim { path: own_path(), options: Vec::new() };
        let mut rest = Vec::new();
        let mut it = args.iter();
        while let Some(a) = it.next() {
            if let Some(path) = a.strip_prefix("-DEXIM_PATH=") {
                exim.path = main_program(path);
                exim.options.push(a.clone());
            } else if a.starts_with("-D") {
                exim.options.push(a.clone());
            } else if a == "-C" {
                exim.options.push(a.clone());
                exim.options.extend(it.next().cloned());
            } else {
                rest.push(a.clone());
            }
        }
        (exim, rest)
    }

    /// What the program prints when it is called with these arguments. The error is for people.
    pub fn ask(&self, args: &[&str]) -> Result<String, String> {
        self.ask_both(args).map(|(out, _)| out)
    }

    /// Its standard output and its standard error.
    pub fn ask_both(&self, args: &[&str]) -> Result<(String, String), String> {
        let out = Command::new(&self.path)
            .args(&self.options)
            .args(args)
            .output()
            .map_err(|e| format!("cannot run {}: {e}", self.path))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((text(&out.stdout), text(&out.stderr)))
    }

    /// A main option's value.
    pub fn option(&self, name: &str) -> Result<String, String> {
        let text = self.ask(&["-bP", name])?;
        Ok(value_of(&text, name).unwrap_or_default())
    }
}

/// The value of `name = value` in what `-bP` printed.
pub fn value_of(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|l| l.starts_with(name))?;
    line.split_once('=').map(|(_, v)| v.trim().to_string())
}

/// The program itself, where the path is that of a utility.
fn main_program(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((directory, name)) if super::names().any(|n| n == name) => format!("{directory}/exim"),
        _ => path.to_string(),
    }
}

/// `exim` in the directory of this program.
fn own_path() -> String {
    std::env::current_exe()
        .ok()
        .and_then(|p| p.parent().map(|d| d.join("exim").to_string_lossy().into_owned()))
        .unwrap_or_else(|| "exim".into())
}

/// One message of the list that `exim -bp` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueEntry {
    /// `5m`, `25h`, `2d`
    pub age: String,
    /// `1.2K`
    pub size: String,
    pub id: String,
    /// With its angle brackets.
    pub sender: String,
    pub frozen: bool,
    /// With `D ` before those that have been delivered.
    pub recipients: Vec<String>,
}

/// Reads such a list. What does not look like it is skipped.
pub fn parse_queue(text: &str) -> Vec<QueueEntry> {
    let mut out: Vec<QueueEntry> = Vec::new();
    for line in text.lines() {
        if line.starts_with("        ") {
            if let Some(e) = out.last_mut() {
                e.recipients.push(line.trim().to_string());
            }
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let [age, size, id, rest @ ..] = words.as_slice() else { continue };
        let Some(sender) = rest.iter().find(|w| w.starts_with('<')) else { continue };
        if crate::spool::is_message_id(id.as_bytes()) {
            out.push(QueueEntry {
                age: (*age).into(),
                size: (*size).into(),
                id: (*id).into(),
                sender: (*sender).into(),
                frozen: line.contains("*** frozen ***"),
                recipients: Vec::new(),
            });
        }
    }
    out
}

/// `5m`, `3h`, `2d` in seconds.
pub fn seconds_of_age(text: &str) -> i64 {
    let units = [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let Some((n, factor)) = units.iter().find_map(|(unit, f)| text.strip_suffix(unit).map(|n| (n, *f))) else { return 0 };
    n.parse::<i64>().unwrap_or(0).saturating_mul(factor)
}

/// `1.2K`, `15M`, `300` in bytes.
pub fn size_of(text: &str) -> u64 {
    let (n, factor) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 1024.0),
        Some(b'M') => (&text[..text.len() - 1], 1024.0 * 1024.0),
        Some(b'G') => (&text[..text.len() - 1], 1024.0 * 1024.0 * 1024.0),
        _ => (text, 1.0),
    };
    (n.parse::<f64>().unwrap_or(0.0) * factor) as u64
}

/// A number of bytes as people read it: `9999`, `976KB`, `15MB`.
pub fn rounded(bytes: u64) -> String {
    let in_units = |unit: u64| (bytes + unit / 2) / unit;
    match bytes {
        0..10_000 => bytes.to_string(),
        10_000..10_000_000 => format!("{}KB", in_units(1 << 10)),
        10_000_000..10_000_000_000 => format!("{}MB", in_units(1 << 20)),
        _ => format!("{}GB", in_units(1 << 30)),
    }
}

/// Opens a hints data base by the arguments of a utility. The error is for people.
pub fn open_hints(program: &str, spool: &str, name: &str, mode: Mode) -> Result<Box<dyn HintsDb>, String> {
    if name.contains('/') || name.is_empty() {
        return Err(format!("{program}: \"{name}\" is not the name of a hints database"));
    }
    let absent = || format!("Failed to open hintsdb {spool}/db/{name}: No such file or directory");
    if !Path::new(spool).join("db").join(name).exists() {
        return Err(absent());
    }
    // What root writes, Exim could not write to later.
    let owner = crate::sys::file::stat(format!("{spool}/db").as_bytes()).map_err(|_| absent())?;
    if mode == Mode::Write && crate::sys::ids::geteuid() == 0 && owner.uid != 0 {
        crate::sys::ids::become_user(owner.uid, owner.gid, None).map_err(|e| e.to_string())?;
    }
    let store = SqliteStore::new(Path::new(spool), crate::sys::ids::geteuid(), crate::sys::ids::getegid());
    store.open(name, mode).map_err(|e| e.to_string())?.ok_or_else(absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let text = " 5m  1.2K 1xV1NN-0004j2-1y <a@b>\n          x@y\n        D z@y\n\n2d 300 1xV1NN-000000004j2-1yAA (joe) <> *** frozen ***\n";
        let got = parse_queue(text);
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].recipients, ["x@y", "D z@y"]);
        assert!(got[1].frozen && got[1].sender == "<>");
        assert_eq!(parse_queue("no list\n\n        x"), []);
        assert_eq!(
            (seconds_of_age("3h"), seconds_of_age("é"), size_of("1.2K"), rounded(10_000_099)),
            (10_800, 0, 1228, "10MB".into())
        );
    }
}

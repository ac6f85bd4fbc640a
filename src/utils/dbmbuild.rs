//! `exim_dbmbuild`: makes a file for `dbm` lookups from one for `lsearch` lookups (manual section 54.9).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use rusqlite::Connection;

/// Bytes of a line with its newline, and of an entry with its continuation lines.
const MAX_LINE: usize = 19_999;
const MAX_ENTRY: usize = 99_999;

const USAGE: &str = "usage: exim_dbmbuild [-nolc] [-nozero] [-lastdup] [-noduperr] [-nowarn] <source file> <dbm base name>";

/// What the options say.
#[derive(Default)]
struct Options {
    keep_case: bool,
    no_zero: bool,
    last_duplicate: bool,
    no_duplicate_error: bool,
    no_warnings: bool,
}

/// The entries, as they go into the file.
#[derive(Default)]
struct Entries {
    all: BTreeMap<Vec<u8>, Vec<u8>>,
    duplicates: usize,
}

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let mut o = Options::default();
    let mut files = args;
    while let Some((first, rest)) = files.split_first().filter(|(f, _)| f.starts_with('-') && f.len() > 1) {
        match first.as_str() {
            "-nolc" => o.keep_case = true,
            "-nozero" => o.no_zero = true,
            "-lastdup" => o.last_duplicate = true,
            "-noduperr" => o.no_duplicate_error = true,
            "-nowarn" => o.no_warnings = true,
            "--help" => {
                println!("{USAGE}");
                return 0;
            }
            _ => break,
        }
        files = rest;
    }
    let [source, target] = files else {
        println!("{USAGE}");
        return 1;
    };
    if source == target {
        println!("exim_dbmbuild: input and output filenames are the same");
        return 1;
    }
    let input: Box<dyn Read> = if source == "-" {
        Box::new(std::io::stdin())
    } else {
        match std::fs::File::open(source) {
            Ok(f) => Box::new(f),
            Err(e) => {
                println!("exim_dbmbuild: unable to open {source}: {}", crate::sys::error_text(&e));
                return 1;
            }
        }
    };
    let entries = match read(&mut BufReader::new(input), &o) {
        Ok(entries) => entries,
        Err(e) => {
            println!("{e}\ndbmbuild abandoned");
            return 2;
        }
    };
    if let Err(e) = write(Path::new(target), &entries) {
        println!("exim_dbmbuild: {e}");
        return 2;
    }
    println!("{} entr{} written", entries.all.len(), if entries.all.len() == 1 { "y" } else { "ies" });
    if entries.duplicates > 0 {
        println!("{} duplicate key {}", entries.duplicates, if entries.duplicates == 1 { "" } else { "s" });
        return i32::from(!o.no_duplicate_error);
    }
    0
}

/// Reads keys with their data; lines that begin with white space go on with the data before.
fn read(input: &mut dyn BufRead, o: &Options) -> Result<Entries, String> {
    let mut entries = Entries::default();
    let mut current: Option<(Vec<u8>, Vec<u8>)> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = MAX_LINE as u64 + 1;
        let n = input.take(limit).read_until(b'\n', &mut line).map_err(|e| format!("read error: {e}"))?;
        if n == 0 {
            break;
        }
        if n > MAX_LINE {
            return Err(format!("Overlong line read: max permitted length is {MAX_LINE}"));
        }
        let text = line.trim_ascii_end();
        if text.is_empty() || text.starts_with(b"#") {
            continue;
        }
        if text[0].is_ascii_whitespace() {
            match &mut current {
                None => eprintln!("Unexpected continuation line ignored\n{}", String::from_utf8_lossy(text)),
                Some((_, data)) => {
                    data.push(b' ');
                    data.extend_from_slice(text.trim_ascii_start());
                    if data.len() > MAX_ENTRY {
                        return Err(format!("Continued set of lines is too long: max permitted length is {MAX_ENTRY}"));
                    }
                }
            }
            continue;
        }
        if let Some((key, data)) = current.take() {
            entries.add(key, data, o);
        }
        let (mut key, data) = split(text);
        if !o.keep_case {
            key.make_ascii_lowercase();
        }
        current = Some((key, data.to_vec()));
    }
    if let Some((key, data)) = current.take() {
        entries.add(key, data, o);
    }
    Ok(entries)
}

/// The key, perhaps quoted, and what follows it and perhaps a colon.
fn split(line: &[u8]) -> (Vec<u8>, &[u8]) {
    let (key, rest) = if line.starts_with(b"\"") {
        let (key, rest) = crate::config::lines::quoted(line);
        (key.into(), rest)
    } else {
        let end = line.iter().position(|c| *c == b':' || c.is_ascii_whitespace()).unwrap_or(line.len());
        (line[..end].to_vec(), &line[end..])
    };
    let rest = rest.trim_ascii_start();
    (key, rest.strip_prefix(b":").unwrap_or(rest).trim_ascii())
}

impl Entries {
    fn add(&mut self, mut key: Vec<u8>, mut data: Vec<u8>, o: &Options) {
        let shown = String::from_utf8_lossy(&key).into_owned();
        if !o.no_zero {
            key.push(0);
            data.push(0);
        }
        if self.all.contains_key(&key) {
            self.duplicates += 1;
            if !o.no_warnings {
                eprintln!("** Duplicate key \"{shown}\"");
            }
            if !o.last_duplicate {
                return;
            }
        }
        self.all.insert(key, data);
    }
}

/// Writes the file under another name first.
fn write(target: &Path, entries: &Entries) -> Result<(), String> {
    let temporary = target.with_file_name(format!(
        "{}.dbmbuild_temp",
        target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    ));
    let failed = |what: &str, e: &dyn std::fmt::Display| format!("unable to {what} {}: {e}", temporary.display());
    let _ = std::fs::remove_file(&temporary);
    let fill = || -> rusqlite::Result<()> {
        let mut db = Connection::open(&temporary)?;
        let transaction = db.transaction()?;
        transaction.execute("CREATE TABLE tblblob (ky BLOB PRIMARY KEY, dat BLOB)", [])?;
        {
            let mut insert = transaction.prepare("INSERT INTO tblblob (ky, dat) VALUES (?1, ?2)")?;
            for (key, data) in &entries.all {
                insert.execute((key, data))?;
            }
        }
        transaction.commit()
    };
    fill().map_err(|e| failed("create", &e))?;
    std::fs::rename(&temporary, target).map_err(|e| failed("rename", &crate::sys::error_text(&e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        let text = b"A: 1\n# no\n\"x \\\"y\\\":\" : 2\nc\n  more\n\ta:b\na 3\n";
        let got = read(&mut &text[..], &Options { no_zero: true, no_warnings: true, ..Options::default() }).unwrap();
        let all: Vec<(&[u8], &[u8])> = got.all.iter().map(|(k, d)| (k.as_slice(), d.as_slice())).collect();
        assert_eq!(all, [(&b"a"[..], &b"1"[..]), (b"c", b" more a:b"), (b"x \"y\":", b"2")]);
        assert_eq!(got.duplicates, 1);
        assert!(read(&mut vec![b'x'; 30_000].as_slice(), &Options::default()).is_err());
    }
}

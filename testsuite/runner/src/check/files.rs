//! Delivered messages and message logs: many files, whose names differ from run to run too.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{fs, io};

use regex::bytes::Regex;

use super::{Check, Compared};
use crate::facts;
use crate::munge::Kind;

macro_rules! pattern {
    ($name:ident, $pattern:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($pattern).expect("a pattern"));
    };
}

pattern!(MAILDIR_NAME, r"(?-u)\d+\.[^.]+\.");
pattern!(NUMBERED, r"(?-u)^(\d+)\.H(\d+)");
pattern!(MESSAGE_ID, r"(?-u)[[:alnum:]]{6}-(?:[[:alnum:]]{11}-[[:alnum:]]{4}|[[:alnum:]]{6}-[[:alnum:]]{2})");

impl Check<'_> {
    pub(super) fn mail(&mut self) -> io::Result<()> {
        let mut left = self.snapshot("mail", true)?;
        let mut counter = 0;
        let root = self.top.join("test-mail");
        for path in walk(&root)? {
            let relative = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
            if ["oncelog", "oncelog.dir", "oncelog.pag", "oncelog.db"].contains(&&*relative) {
                continue;
            }
            let name = mail_name(&relative, &mut counter);
            let saved = format!("mail/{}.{name}", self.number);
            // The class of a file goes by its path, whatever it holds.
            let kind = match relative {
                _ if relative.contains("stdout") => Kind::Stdout,
                _ if relative.contains("stderr") => Kind::Stderr,
                _ if relative.contains("log") => Kind::OtherLog,
                _ => Kind::Mail,
            };
            self.single(saved, &path, kind, &mut left);
        }
        self.missing(left);
        Ok(())
    }

    pub(super) fn message_logs(&mut self) -> io::Result<()> {
        let mut left = self.snapshot("msglog", false)?;
        for path in walk(&self.top.join("spool/msglog"))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let known = |found: &regex::bytes::Captures| self.cache.known(&found[0]).cloned().unwrap_or(found[0].to_vec());
            let name = MESSAGE_ID.replace_all(name.as_bytes(), known).into_owned();
            let name = String::from_utf8_lossy(&name).into_owned();
            let saved = format!("msglog/{}.{name}", self.number);
            self.single(saved, &path, Kind::OtherLog, &mut left);
        }
        self.missing(left);
        Ok(())
    }

    fn single(&mut self, saved: String, path: &Path, kind: Kind, left: &mut BTreeSet<PathBuf>) {
        for path in self.saved_files(&saved) {
            left.remove(&path);
        }
        let raw = fs::read(path).unwrap_or_default();
        let munged = self.munger.munge(&raw, kind, self.flags, &mut self.cache);
        let expected = self.expected(&saved);
        self.results.push(Compared { name: saved, expected, got: Some(munged.lines) });
    }

    fn missing(&mut self, left: BTreeSet<PathBuf>) {
        for path in left {
            let name = path.strip_prefix(self.corpus).unwrap_or(&path).display().to_string();
            // An expected file that is there, though empty, is missed nonetheless.
            let expected = Some(super::split_lines(&fs::read(&path).unwrap_or_default()));
            let got = Some(vec![b"(no such file)".to_vec()]);
            self.results.push(Compared { name, expected, got });
        }
    }

    /// The expected files of this test in a directory.
    fn snapshot(&self, directory: &str, deep: bool) -> io::Result<BTreeSet<PathBuf>> {
        let prefix = format!("{}.", self.number);
        let mut files = BTreeSet::new();
        let Ok(entries) = fs::read_dir(self.corpus.join(directory)) else {
            return Ok(files);
        };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.starts_with(&prefix) {
                continue;
            }
            if path.is_file() {
                files.insert(path);
            } else if deep {
                files.extend(walk(&path)?);
            }
        }
        Ok(files)
    }
}

/// The regular files below a directory, in the order in which they are compared.
fn walk(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(Vec::new());
    };
    let mut names: Vec<OsString> = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort_by(|a, b| {
        let (a, b) = (a.as_encoded_bytes(), b.as_encoded_bytes());
        match (numbers(a), numbers(b)) {
            (Some(x), Some(y)) => x.cmp(&y),
            _ => a.cmp(b),
        }
    });
    let mut files = Vec::new();
    for name in names {
        let path = directory.join(name);
        let kind = fs::symlink_metadata(&path)?.file_type();
        if kind.is_dir() {
            files.extend(walk(&path)?);
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// The time and microseconds of `digits.Hdigits...`.
fn numbers(name: &[u8]) -> Option<(u64, u64)> {
    let found = NUMBERED.captures(name)?;
    let number = |n: usize| std::str::from_utf8(&found[n]).ok()?.parse().ok();
    Some((number(1)?, number(2)?))
}

/// The name of a mailbox file, without what differs from run to run.
fn mail_name(relative: &str, counter: &mut u32) -> String {
    let name = match relative.strip_prefix(facts::CALLER) {
        Some("") => "CALLER".to_string(),
        Some(rest) if rest.starts_with('/') => format!("CALLER{}", &rest[1..]),
        _ => relative.to_string(),
    };
    if !MAILDIR_NAME.is_match(name.as_bytes()) {
        return name;
    }
    *counter += 1;
    let number = format!("{counter}.");
    let name = MAILDIR_NAME.replace_all(name.as_bytes(), number.as_bytes());
    String::from_utf8_lossy(&name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_mailboxes() {
        let mut counter = 0;
        let mut name = |relative| mail_name(relative, &mut counter);
        assert_eq!(name("oximtest"), "CALLER");
        assert_eq!(name("oximtest/inbox"), "CALLERinbox");
        assert_eq!(name("oximtester"), "oximtester");
        assert_eq!(name("new/1234.H55P66.the.host"), "new/1.the.host");
        assert_eq!(name("new/1235.H55P66.the.host"), "new/2.the.host");
    }

    #[test]
    fn maildir_names_are_ordered_by_number() {
        assert_eq!(numbers(b"12.H7P1.x"), Some((12, 7)));
        assert!(numbers(b"9.H10P1.x") < numbers(b"10.H2P1.x"));
        assert_eq!(numbers(b"x12.H7"), None);
    }
}

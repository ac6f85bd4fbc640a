//! What is kept of a failing test, for those who look for the cause.
//!
//! `diff` (all the differences), `reason`, and by the name of each compared file `*.expected` and
//! `*.got`; `raw/` is what the test left: outputs, logs, mailboxes, spool, configuration.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use crate::check::{Compared, diff};
use crate::template::{copy_tree, remove};

pub fn keep(place: &Path, top: &Path, results: &[Compared], reason: &str) -> io::Result<()> {
    remove(place)?;
    fs::create_dir_all(place.join("raw"))?;
    fs::write(place.join("reason"), format!("{reason}\n"))?;
    let mut differences = String::new();
    for compared in results {
        let file = |suffix: &str| place.join(format!("{}.{suffix}", compared.name.replace('/', "-")));
        let nothing = Vec::new();
        let expected = compared.expected.as_ref().unwrap_or(&nothing);
        let got = compared.got.as_ref().unwrap_or(&nothing);
        if expected.is_empty() && got.is_empty() {
            continue;
        }
        fs::write(file("expected"), joined(expected))?;
        fs::write(file("got"), joined(got))?;
        if !compared.equal() {
            let _ = write!(differences, "{}", diff::unified(&compared.name, expected, got));
        }
    }
    fs::write(place.join("diff"), differences)?;
    for entry in fs::read_dir(top)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let target = place.join("raw").join(&name);
        if name.starts_with("test-") && entry.file_type()?.is_file() {
            fs::copy(entry.path(), target)?;
        } else if name.starts_with("test-") || name == "spool" {
            copy_tree(&entry.path(), &target, &|_| Ok(()))?;
        }
    }
    Ok(())
}

fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect()
}

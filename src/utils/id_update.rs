//! `exim_id_update`: changes the ids of the messages in a spool directory between the form of Exim 4.97 and later
//! (23 characters) and the older one (16), so that the other release can deliver what is queued.
//!
//! Exim must not be running. Hints are left alone: what they know of a message by its old id is forgotten.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::spool::base62;

const USAGE: &str = "Usage: exim_id_update [-n] [-v] -u|-d <spool directory>/input ...\n\n    \
    -u  upgrade: ids become long ones\n    -d  downgrade: ids become short ones\n    \
    -n  change nothing, only say what would be done\n    -v  say what is done";

/// Microseconds in one count of the last part of a short id.
const SHORT_UNIT: u64 = 500;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToLong,
    ToShort,
}

struct Update {
    direction: Direction,
    pretend: bool,
    verbose: bool,
    done: u64,
    failed: u64,
}

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let mut o = getopts::Options::new();
    o.optflag("u", "", "").optflag("d", "", "").optflag("n", "", "").optflag("v", "", "").optflag("h", "help", "");
    let m = match o.parse(args) {
        Ok(m) if m.opt_present("h") => {
            println!("{USAGE}");
            return 0;
        }
        Ok(m) if m.opt_present("u") != m.opt_present("d") && !m.free.is_empty() => m,
        _ => {
            eprintln!("{USAGE}");
            return 1;
        }
    };
    let direction = if m.opt_present("u") { Direction::ToLong } else { Direction::ToShort };
    let mut update = Update { direction, pretend: m.opt_present("n"), verbose: m.opt_present("v"), done: 0, failed: 0 };
    for input in &m.free {
        if let Err(e) = update.queue(Path::new(input)) {
            eprintln!("exim_id_update: {input}: {}", crate::sys::error_text(&e));
            update.failed += 1;
        }
    }
    if update.verbose || update.pretend {
        println!(
            "{} message{} {}",
            update.done,
            if update.done == 1 { "" } else { "s" },
            if update.pretend { "to change" } else { "changed" }
        );
    }
    i32::from(update.failed > 0)
}

impl Update {
    /// The files of a queue: of `input` itself, and of its sub-directories of one letter.
    fn queue(&mut self, input: &Path) -> io::Result<()> {
        self.directory(input, &sibling(input, "msglog"))?;
        for entry in fs::read_dir(input)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.len() == 1 && entry.file_type()?.is_dir() {
                self.directory(&entry.path(), &sibling(input, "msglog").join(&name))?;
            }
        }
        Ok(())
    }

    fn directory(&mut self, input: &Path, msglog: &Path) -> io::Result<()> {
        let mut ids: Vec<String> = fs::read_dir(input)?
            .flatten()
            .filter_map(|e| e.file_name().to_str()?.strip_suffix("-H").map(str::to_string))
            .filter(|id| crate::spool::is_message_id(id.as_bytes()))
            .collect();
        ids.sort();
        for id in ids {
            let Some(new) = changed(&id, self.direction) else { continue };
            if self.pretend || self.verbose {
                println!("{id} -> {new}");
            }
            let result = if self.pretend { Ok(()) } else { message(input, msglog, &id, &new) };
            match result {
                Ok(()) => self.done += 1,
                Err(e) => {
                    eprintln!("exim_id_update: {id}: {}", crate::sys::error_text(&e));
                    self.failed += 1;
                }
            }
        }
        Ok(())
    }
}

fn sibling(input: &Path, name: &str) -> std::path::PathBuf {
    input.parent().unwrap_or(Path::new("/")).join(name)
}

/// The id in the other form; `None` if it has that already.
fn changed(id: &str, direction: Direction) -> Option<String> {
    let parts: Vec<&str> = id.split('-').collect();
    let [seconds, pid, fraction] = parts.as_slice() else { return None };
    let (pid, fraction) = match (direction, pid.len()) {
        (Direction::ToLong, 6) => (
            base62::encode(base62::decode(pid.as_bytes())?, 11),
            base62::encode(base62::decode(fraction.as_bytes())? * SHORT_UNIT, 4),
        ),
        (Direction::ToShort, 11) => (
            base62::encode(base62::decode(pid.as_bytes())?, 6),
            base62::encode(base62::decode(fraction.as_bytes())? / SHORT_UNIT, 2),
        ),
        _ => return None,
    };
    Some(format!("{seconds}-{}-{}", String::from_utf8_lossy(&pid), String::from_utf8_lossy(&fraction)))
}

/// Writes the files under the new id, the -H file, which makes the message exist, last; then removes the old ones.
fn message(input: &Path, msglog: &Path, id: &str, new: &str) -> io::Result<()> {
    let path = |id: &str, suffix: &str| input.join(format!("{id}-{suffix}"));
    if path(new, "D").exists() || path(new, "H").exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("there is a message {new} already")));
    }
    // A journal is part of the message as long as it is there.
    let result = (|| {
        rewrite(&path(id, "D"), &path(new, "D"), id, new)?;
        if path(id, "J").exists() {
            copy(&path(id, "J"), &path(new, "J"), &fs::read(path(id, "J"))?)?;
        }
        rewrite(&path(id, "H"), &path(new, "H"), id, new)?;
        fs::File::open(input)?.sync_all()
    })();
    if let Err(e) = result {
        for suffix in ["H", "J", "D"] {
            let _ = fs::remove_file(path(new, suffix));
        }
        return Err(e);
    }
    for suffix in ["H", "D", "J"] {
        match fs::remove_file(path(id, suffix)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    match fs::rename(msglog.join(id), msglog.join(new)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Copies a spool file, whose first line is its own name.
fn rewrite(from: &Path, to: &Path, id: &str, new: &str) -> io::Result<()> {
    let text = fs::read(from)?;
    let suffix = from.to_str().and_then(|p| p.rsplit('-').next()).unwrap_or_default().to_string();
    let rest = text
        .strip_prefix(format!("{id}-{suffix}\n").as_bytes())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{} does not begin with its name", from.display())))?;
    copy(from, to, &[format!("{new}-{suffix}\n").as_bytes(), rest].concat())
}

/// Writes a file with the owner and mode of another.
fn copy(from: &Path, to: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
    let like = fs::symlink_metadata(from)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(like.mode() & 0o777).open(to)?;
    file.write_all(bytes)?;
    file.set_permissions(like.permissions())?;
    chown(to, Some(like.uid()), Some(like.gid()))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let (long, short) = ("1vwAAA-00000000Aa1-0Y12", "1vwAAA-000Aa1-GG");
        let down = changed(long, Direction::ToShort).unwrap();
        assert_eq!((down.len(), &down[..13]), (16, "1vwAAA-000Aa1"));
        assert_eq!(changed(&changed(short, Direction::ToLong).unwrap(), Direction::ToShort).as_deref(), Some(short));
        assert_eq!(changed(long, Direction::ToLong), None);
        assert_eq!(changed(short, Direction::ToShort), None);
    }
}

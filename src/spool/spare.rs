//! Spare files: -D and -H of messages that are gone, kept for messages that come.
//!
//! Making and removing files is a large part of what a message costs: the file system looks for an inode that nobody used
//! lately, and gives blocks back, of which a disk mounted with `discard` is told at once. The processes of a daemon therefore
//! keep some files of finished messages in a directory of their own and put them in the place of new ones. Which are there
//! stands in memory that the daemon's processes share; no other process takes part. The directory, `spare` in the spool, is made
//! with the first file and goes with the daemon; what a daemon that was killed has left, the next one removes.
//!
//! A file is given only with one name, our owner and mode, and its lock free: then nobody else has it in hand. It is written
//! from its start and cut off where the new contents end, not before: blocks that stay need not be found again. It gets its
//! name on the queue as any other file does, and with the same syncs.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, OnceLock};

use super::queue::{FILE_MODE, open_dir};
use crate::sys::file::{Dir, Flags, fstat, ftruncate};
use crate::sys::lock::{self, Kind, Region, Wait};
use crate::sys::shm::SharedWords;

/// How many are kept of each part.
const SLOTS: usize = 64;
/// Larger files are removed: they would only keep disk space.
const MAX_SIZE: i64 = 64 << 10;

/// Where they lie, in the spool directory.
const DIRECTORY: &[u8] = b"spare";

/// States of a slot.
const EMPTY: u64 = 0;
const BUSY: u64 = 1;
const FULL: u64 = 2;

/// What the words of a part begin with: where to look first for a file, and for room; then come its slots.
const TAKE: usize = 0;
const GIVE: usize = 1;
const FIRST: usize = 2;

/// What a file has been, and becomes again. Its new contents are then about as long as the old: a sync that finds the length
/// unchanged needs no entry in the file system's journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// -D
    Data,
    /// -H
    Header,
}

impl Part {
    /// Of the file with this name; `None`: it is neither.
    fn of(name: &[u8]) -> Option<Self> {
        match name {
            [.., b'-', b'D'] => Some(Part::Data),
            [.., b'-', b'H'] => Some(Part::Header),
            _ => None,
        }
    }

    /// Where its words begin.
    fn base(self) -> usize {
        self as usize * (FIRST + SLOTS)
    }
}

/// The spare files of a daemon.
#[derive(Debug)]
pub struct Spares {
    /// The spool directory.
    root: Dir,
    dir: OnceLock<Dir>,
    /// What our names begin with: another daemon that is still ending has others.
    prefix: String,
    owner: (u32, u32),
    words: SharedWords,
}

impl Spares {
    /// None yet, in this spool directory.
    pub fn new(root: Dir, owner: (u32, u32)) -> io::Result<Self> {
        remove(&root);
        let now = crate::sys::time::now();
        let prefix = format!("{}.{}.{}", std::process::id(), now.sec, now.usec);
        Ok(Spares { root, dir: OnceLock::new(), prefix, owner, words: SharedWords::new(2 * (FIRST + SLOTS))? })
    }

    /// The directory; made when it is not there.
    fn dir(&self) -> io::Result<&Dir> {
        if let Some(dir) = self.dir.get() {
            return Ok(dir);
        }
        let dir = open_dir(&self.root, DIRECTORY, self.owner)?;
        Ok(self.dir.get_or_init(|| dir))
    }

    /// The daemon ends: what is kept goes.
    pub fn end(&self) {
        remove(&self.root);
    }

    fn name(&self, slot: usize) -> Vec<u8> {
        format!("{}.{slot}", self.prefix).into_bytes()
    }

    fn set(&self, slot: usize, state: u64) {
        self.words[slot].store(state, SeqCst);
    }

    /// Claims the next slot in that state, in the order in which they were used: the place of its word.
    fn claim(&self, part: Part, state: u64, cursor: usize) -> Option<usize> {
        let cursor = &self.words[part.base() + cursor];
        let start = cursor.load(SeqCst) as usize;
        let slot = |n| part.base() + FIRST + (start + n) % SLOTS;
        let n = (0..SLOTS).find(|n| self.words[slot(*n)].compare_exchange(state, BUSY, SeqCst, SeqCst).is_ok())?;
        cursor.store(((start + n + 1) % SLOTS) as u64, SeqCst);
        Some(slot(n))
    }

    /// A spare file, open and locked over `locked` bytes; `None`: there is none.
    pub fn take(self: &Arc<Self>, part: Part, locked: i64) -> Option<Spare> {
        // A delivery process that is about to end may still have one or the other; then the next will do.
        (0..3).find_map(|_| self.try_take(self.claim(part, FULL, TAKE)?, locked))
    }

    fn try_take(self: &Arc<Self>, slot: usize, locked: i64) -> Option<Spare> {
        let open = || -> io::Result<(File, i64)> {
            let fd = self.dir()?.open_at(&self.name(slot), Flags::READ_WRITE, 0)?;
            lock::ofd(fd.as_fd(), Kind::Exclusive, Region { start: 0, len: locked }, Wait::No)?;
            let s = fstat(fd.as_fd())?;
            let ours = s.is_file() && s.nlink == 1 && (s.uid, s.gid) == self.owner && s.permissions() == FILE_MODE;
            if !ours || s.size > MAX_SIZE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            Ok((File::from(fd), s.size))
        };
        match open() {
            Ok((file, size)) => Some(Spare { spares: self.clone(), slot, file: Some(file), size }),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.set(slot, FULL);
                None
            }
            Err(_) => {
                let _ = self.dir().and_then(|dir| dir.unlink(&self.name(slot)));
                self.set(slot, EMPTY);
                None
            }
        }
    }

    /// Takes a file of the queue that is to go: it loses its name there. Nobody is given it before the value that comes back is
    /// dropped, which must be after the last descriptor of it. `None`: it is to be removed, there is no room for it.
    pub fn give(self: &Arc<Self>, from: &Dir, name: &[u8]) -> Option<Given> {
        let part = Part::of(name)?;
        let s = from.stat_at(name).ok()?;
        if !s.is_file() || s.nlink != 1 || s.size > MAX_SIZE {
            return None;
        }
        let slot = self.claim(part, EMPTY, GIVE)?;
        if self.dir().and_then(|dir| from.rename(name, dir, &self.name(slot))).is_err() {
            self.set(slot, EMPTY);
            return None;
        }
        Some(Given { spares: self.clone(), slot })
    }
}

/// Removes the directory and all that is in it.
fn remove(root: &Dir) {
    let Ok(dir) = root.open_dir(DIRECTORY) else { return };
    for name in dir.list().unwrap_or_default() {
        let _ = dir.unlink(&name);
    }
    let _ = root.rmdir(DIRECTORY);
}

/// A file that is going to be a new one. Dropped without a name, it is removed.
#[derive(Debug)]
pub struct Spare {
    spares: Arc<Spares>,
    slot: usize,
    file: Option<File>,
    size: i64,
}

impl Spare {
    /// The file, to be written from its start.
    pub fn file(&mut self) -> io::Result<&mut File> {
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// How long it is from its earlier life.
    pub fn size(&self) -> i64 {
        self.size
    }

    /// Cuts it off after `len` bytes.
    pub fn cut(&self, len: i64) -> io::Result<()> {
        match &self.file {
            Some(file) if self.size > len => ftruncate(file.as_fd(), len),
            _ => Ok(()),
        }
    }

    /// Gives it a name on a queue: one that is not taken, if `new`.
    pub fn place(mut self, to: &Dir, name: &[u8], new: bool) -> io::Result<File> {
        let (dir, old) = (self.spares.dir()?, self.spares.name(self.slot));
        if new {
            dir.rename_new(&old, to, name)?;
        } else {
            dir.rename(&old, to, name)?;
        }
        self.spares.set(self.slot, EMPTY);
        self.file.take().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = self.spares.dir().and_then(|dir| dir.unlink(&self.spares.name(self.slot)));
            self.spares.set(self.slot, EMPTY);
        }
    }
}

/// A file that has become spare; see [`Spares::give`].
#[derive(Debug)]
pub struct Given {
    spares: Arc<Spares>,
    slot: usize,
}

impl Drop for Given {
    fn drop(&mut self) {
        self.spares.set(self.slot, FULL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn scratch(name: &str) -> (Dir, Arc<Spares>) {
        let path = std::env::temp_dir().join(format!("oxim-spare-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        let open = || Dir::open(path.to_str().unwrap().as_bytes()).unwrap();
        let owner = (crate::sys::ids::geteuid(), crate::sys::ids::getegid());
        (open(), Arc::new(Spares::new(open(), owner).unwrap()))
    }

    fn make(dir: &Dir, name: &[u8], text: &[u8]) {
        let fd = dir.open_at(name, Flags::READ_WRITE | Flags::CREATE | Flags::EXCLUSIVE, FILE_MODE).unwrap();
        crate::sys::file::fchmod(fd.as_fd(), FILE_MODE).unwrap();
        File::from(fd).write_all(text).unwrap();
    }

    #[test]
    fn a_file_lives_twice() {
        let (dir, spares) = scratch("twice");
        make(&dir, b"a-D", b"long contents");
        drop(spares.give(&dir, b"a-D"));
        assert!(dir.stat_at(b"a-D").is_err());
        let mut s = spares.take(Part::Data, 4).unwrap();
        s.file().unwrap().write_all(b"short").unwrap();
        s.cut(5).unwrap();
        drop(s.place(&dir, b"b-D", true).unwrap());
        assert_eq!(dir.stat_at(b"b-D").unwrap().size, 5);
        assert!(spares.take(Part::Data, 4).is_none());
    }

    #[test]
    fn what_somebody_else_has_is_not_given() {
        let (dir, spares) = scratch("else");
        make(&dir, b"a-D", b"x");
        dir.link(b"a-D", &dir, b"other").unwrap();
        assert!(spares.give(&dir, b"a-D").is_none(), "it has another name");
        make(&dir, b"b-D", b"x");
        let held = dir.open_at(b"b-D", Flags::READ_WRITE, 0).unwrap();
        lock::ofd(held.as_fd(), Kind::Exclusive, Region { start: 0, len: 4 }, Wait::No).unwrap();
        let given = spares.give(&dir, b"b-D").unwrap();
        assert!(spares.take(Part::Data, 4).is_none(), "its owner has not done with it");
        drop(given);
        assert!(spares.take(Part::Data, 4).is_none(), "it is locked");
        drop(held);
        assert!(spares.take(Part::Data, 4).is_some(), "it was kept all the same");
        make(&dir, b"c-D", b"x");
        make(&dir, b"taken", b"y");
        drop(spares.give(&dir, b"c-D"));
        assert!(spares.take(Part::Data, 4).unwrap().place(&dir, b"taken", true).is_err(), "never over another message");
    }
}

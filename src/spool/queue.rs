//! The directories of the spool: the default queue, named queues, split ones.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bstr::BString;

use super::SpoolError;
use super::spare::{Given, Part, Spare, Spares};
use crate::config::Config;
use crate::sys::file::Dir;

/// Mode of spool directories.
pub const DIRECTORY_MODE: u32 = 0o750;
/// Mode of spool files.
pub const FILE_MODE: u32 = 0o640;

/// The spool of one configuration, with its directories open. Shared by the threads of a process.
#[derive(Debug)]
pub struct Spool {
    root: BString,
    split: bool,
    owner: (u32, u32),
    spares: Option<Arc<Spares>>,
    queues: Mutex<HashMap<BString, Arc<Queue>>>,
}

/// One queue: where its messages and their logs lie.
#[derive(Debug)]
pub struct Queue {
    /// Its name; empty is the default queue.
    pub name: BString,
    base: Arc<Dir>,
    input: Arc<Dir>,
    split: bool,
    owner: (u32, u32),
    spares: Option<Arc<Spares>>,
    letters: Mutex<HashMap<u8, Arc<Dir>>>,
    /// The path of the input directory, for variables and messages.
    input_path: BString,
}

/// The directory of one message.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory, open.
    pub dir: Arc<Dir>,
    /// Its path.
    pub path: BString,
    /// The letter of a split spool.
    pub letter: Option<u8>,
    /// The uid and gid that files must have.
    pub owner: (u32, u32),
    spares: Option<Arc<Spares>>,
}

impl Spool {
    /// The spool that the configuration names. Nothing is opened before it is needed.
    pub fn new(config: &Config) -> Self {
        Spool {
            root: config.site.spool_directory.clone(),
            split: config.main.split_spool_directory,
            owner: (config.site.exim_uid, config.site.exim_gid),
            spares: None,
            queues: Mutex::default(),
        }
    }

    /// The same for a daemon, whose processes keep files of finished messages for new ones.
    pub fn with_spares(config: &Config) -> Result<Self, SpoolError> {
        let mut spool = Spool::new(config);
        let root = spool.open_root().map_err(SpoolError::io("open the spool directory"))?;
        let failed = SpoolError::io("get memory for the list of spare files");
        spool.spares = Some(Arc::new(Spares::new(root, spool.owner).map_err(failed)?));
        Ok(spool)
    }

    /// The daemon ends, and what it has kept goes.
    pub fn drop_spares(&self) {
        if let Some(spares) = &self.spares {
            spares.end();
        }
    }

    fn open_root(&self) -> io::Result<Dir> {
        match Dir::open(&self.root) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                make_path(&self.root)?;
                let dir = Dir::open(&self.root)?;
                own(&dir, self.owner)?;
                Ok(dir)
            }
            other => other,
        }
    }

    /// Opens (and makes) the directories of a queue.
    pub fn queue(&self, name: &[u8]) -> Result<Arc<Queue>, SpoolError> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(q) = queues.get(name) {
            return Ok(q.clone());
        }
        let open = |_: ()| -> io::Result<Queue> {
            if name.contains(&b'/') || name == b".." || name == b"." {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "bad queue name"));
            }
            let root = self.open_root()?;
            let mut input_path = self.root.clone();
            let base = if name.is_empty() {
                root
            } else {
                input_path.push(b'/');
                input_path.extend_from_slice(name);
                open_dir(&root, name, self.owner)?
            };
            input_path.extend_from_slice(b"/input");
            let input = open_dir(&base, b"input", self.owner)?;
            Ok(Queue {
                name: name.into(),
                base: Arc::new(base),
                input: Arc::new(input),
                split: self.split,
                owner: self.owner,
                spares: self.spares.clone(),
                letters: Mutex::default(),
                input_path,
            })
        };
        let queue = Arc::new(open(()).map_err(SpoolError::io("open the spool directory"))?);
        queues.insert(name.into(), queue.clone());
        Ok(queue)
    }
}

fn make_path(path: &[u8]) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(std::ffi::OsStr::from_bytes(path))
}

/// Files and directories made by root must belong to the Exim user.
fn own(dir: &Dir, owner: (u32, u32)) -> io::Result<()> {
    use std::os::fd::AsFd;
    if crate::sys::ids::geteuid() == 0 {
        crate::sys::file::fchown(dir.as_fd(), Some(owner.0), Some(owner.1))?;
    }
    Ok(())
}

pub(super) fn open_dir(parent: &Dir, name: &[u8], owner: (u32, u32)) -> io::Result<Dir> {
    match parent.open_dir(name) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let dir = parent.open_or_make_dir(name, DIRECTORY_MODE)?;
            own(&dir, owner)?;
            Ok(dir)
        }
        other => other,
    }
}

impl Place {
    /// A spare file, locked over that many bytes, if there is one.
    pub(super) fn spare(&self, part: Part, locked: usize) -> Option<Spare> {
        self.spares.as_ref()?.take(part, i64::try_from(locked).ok()?)
    }

    /// Removes a file of a message that is done with, or keeps it for another message: that, once the value that comes back is
    /// dropped, and no descriptor of the file may be left then.
    pub fn discard(&self, name: &[u8]) -> io::Result<Option<Given>> {
        match self.spares.as_ref().and_then(|s| s.give(&self.dir, name)) {
            Some(given) => Ok(Some(given)),
            None => self.dir.unlink(name).map(|()| None),
        }
    }
}

impl Queue {
    /// Where a new message of this id goes.
    pub fn place_new(&self, id: &[u8]) -> Result<Place, SpoolError> {
        let letter = if self.split { id.get(5).copied() } else { None };
        self.place(letter).map_err(SpoolError::io("open the spool directory"))
    }

    /// Where the message with this id is: the split directory is tried first if the spool is split, else last.
    pub fn place_of(&self, id: &[u8]) -> Result<Place, SpoolError> {
        let mut name = BString::from(id);
        name.extend_from_slice(b"-H");
        for letter in self.letters_for(id) {
            if let Ok(place) = self.existing(letter)
                && place.dir.stat_at(&name).is_ok()
            {
                return Ok(place);
            }
        }
        Err(SpoolError::NotFound)
    }

    /// The places that may hold a message: with splitting the letter's directory first.
    pub fn letters_for(&self, id: &[u8]) -> [Option<u8>; 2] {
        let letter = id.get(5).copied();
        if self.split { [letter, None] } else { [None, letter] }
    }

    /// The place for a letter if that directory exists.
    pub fn existing(&self, letter: Option<u8>) -> io::Result<Place> {
        match letter {
            None => self.place(None),
            Some(l) => {
                let dir = Arc::new(self.input.open_dir(&[l])?);
                Ok(self.with(dir, Some(l)))
            }
        }
    }

    /// The place for a letter; its directory is made.
    fn place(&self, letter: Option<u8>) -> io::Result<Place> {
        let Some(l) = letter else { return Ok(self.with(self.input.clone(), None)) };
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = match letters.get(&l) {
            Some(dir) => dir.clone(),
            None => {
                let dir = Arc::new(open_dir(&self.input, &[l], self.owner)?);
                letters.insert(l, dir.clone());
                dir
            }
        };
        Ok(self.with(dir, letter))
    }

    fn with(&self, dir: Arc<Dir>, letter: Option<u8>) -> Place {
        let mut path = self.input_path.clone();
        if let Some(l) = letter {
            path.extend_from_slice(&[b'/', l]);
        }
        Place { dir, path, letter, owner: self.owner, spares: self.spares.clone() }
    }

    /// The open input directory.
    pub fn input(&self) -> &Arc<Dir> {
        &self.input
    }

    /// A directory beside `input`, made if missing: `msglog`, `Finput`...
    pub fn beside(&self, name: &[u8], letter: Option<u8>) -> Result<Dir, SpoolError> {
        let dir = open_dir(&self.base, name, self.owner).map_err(SpoolError::io("open the spool directory"))?;
        match letter {
            Some(l) => open_dir(&dir, &[l], self.owner).map_err(SpoolError::io("open the spool directory")),
            None => Ok(dir),
        }
    }

    /// Removes the files of a message: its log, -D, -H and -J, here and in the other place it may have.
    pub fn remove(&self, id: &[u8]) -> Result<(), SpoolError> {
        for letter in self.letters_for(id) {
            let Ok(place) = self.existing(letter) else { continue };
            if let Ok(dir) = self.beside(b"msglog", letter) {
                let _ = dir.unlink(id);
            }
            for suffix in [b"-D", b"-H", b"-J"] {
                match place.dir.unlink(&[id, suffix].concat()) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(SpoolError::Io("remove a spool file", e)),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

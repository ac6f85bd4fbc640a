//! The -J file: addresses that this delivery run has finished, before -H can say so.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

use bstr::{BString, ByteSlice};

use super::SpoolError;
use super::queue::{FILE_MODE, Place};
use crate::sys::file::{Flags, fchown, fdatasync};

/// Longest address in the journal, bytes.
const MAX_LINE: usize = 500;
/// Most bytes that are read from a journal.
const MAX_SIZE: u64 = 64 << 20;

/// An open journal, always appended to.
#[derive(Debug)]
pub struct Journal {
    file: File,
    place: Place,
    name: BString,
}

impl Journal {
    /// Opens the journal of a message, making it if there is none; and gives the addresses already in it. A last line
    /// without newline was being written when the machine died: it is not believed.
    pub fn open(place: &Place, id: &[u8]) -> Result<(Self, Vec<BString>), SpoolError> {
        let name = BString::from([id, b"-J"].concat());
        let fd = place
            .dir
            .open_at(&name, Flags::READ_WRITE | Flags::APPEND | Flags::CREATE, FILE_MODE)
            .map_err(SpoolError::io("open the journal file"))?;
        if crate::sys::ids::geteuid() == 0 {
            fchown(fd.as_fd(), Some(place.owner.0), Some(place.owner.1))
                .map_err(SpoolError::io("set owner of the journal file"))?;
        }
        let mut file = File::from(fd);
        let mut text = Vec::new();
        (&mut file).take(MAX_SIZE).read_to_end(&mut text).map_err(SpoolError::io("read the journal file"))?;
        let end = text.rfind_byte(b'\n').map_or(0, |i| i + 1);
        let done = text[..end].lines().filter(|l| !l.is_empty()).map(BString::from).collect();
        Ok((Journal { file, place: place.clone(), name }, done))
    }

    /// The addresses in the journal of a message, if it has one; nothing is made.
    pub fn read(place: &Place, id: &[u8]) -> Result<Vec<BString>, SpoolError> {
        let name = [id, b"-J"].concat();
        match place.dir.stat_at(&name) {
            Err(_) => Ok(Vec::new()),
            Ok(_) => Ok(Journal::open(place, id)?.1),
        }
    }

    /// Notes finished addresses, in one write.
    pub fn note<'a>(&mut self, addresses: impl IntoIterator<Item = &'a [u8]>) -> Result<(), SpoolError> {
        let mut text = Vec::new();
        for a in addresses {
            text.extend(a.iter().take(MAX_LINE).map(|c| if *c == b'\n' { b' ' } else { *c }));
            text.push(b'\n');
        }
        self.file.write_all(&text).map_err(SpoolError::io("write the journal file"))
    }

    /// Makes what was noted durable.
    pub fn sync(&self) -> Result<(), SpoolError> {
        fdatasync(self.file.as_fd()).map_err(SpoolError::io("sync the journal file"))
    }

    /// A second handle on the same journal, for another thread or process.
    pub fn try_clone(&self) -> Result<Self, SpoolError> {
        let file = self.file.try_clone().map_err(SpoolError::io("open the journal file"))?;
        Ok(Journal { file, place: self.place.clone(), name: self.name.clone() })
    }

    /// Removes it, once -H says the same.
    pub fn remove(self) -> Result<(), SpoolError> {
        self.place.dir.unlink(&self.name).map_err(SpoolError::io("remove the journal file"))
    }
}

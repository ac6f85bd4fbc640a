//! The -D file: the body of a message, and the lock of its owner.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::sync::Arc;

use bstr::BString;

use super::queue::{FILE_MODE, Place, Queue};
use super::spare::Part;
use super::{SpoolError, id};
use crate::sys::file::{Flags, fchmod, fchown, fdatasync};
use crate::sys::lock::{self, Kind, Region, Wait};

/// An open -D file with the lock on its first line: whoever has it owns the message.
///
/// The lock is of the open file (OFD), so that threads have locks of their own; it excludes the process locks of
/// the reference all the same.
#[derive(Debug)]
pub struct DataFile {
    file: File,
    place: Place,
    id: BString,
    /// How long a file was that had been another message's: what is beyond the new end must go.
    before: i64,
}

impl DataFile {
    /// Makes the -D file of a new message, locked, with its first line written; the position is at the body.
    pub fn create(queue: &Arc<Queue>, id: &[u8]) -> Result<Self, SpoolError> {
        use std::io::Write;
        let place = queue.place_new(id)?;
        let name = [id, b"-D"].concat();
        let first = [&name, &b"\n"[..]].concat();
        if let Some(mut spare) = place.spare(Part::Data, first.len()) {
            let before = spare.size();
            let failed = SpoolError::io("write spool data file");
            spare.file().and_then(|f| f.write_all(&first)).map_err(failed)?;
            let file = spare.place(&place.dir, &name, true).map_err(SpoolError::io("create spool data file"))?;
            return Ok(DataFile { file, place, id: id.into(), before });
        }
        let fd = place
            .dir
            .open_at(&name, Flags::READ_WRITE | Flags::CREATE | Flags::EXCLUSIVE, FILE_MODE)
            .map_err(SpoolError::io("create spool data file"))?;
        if crate::sys::ids::geteuid() == 0 {
            fchown(fd.as_fd(), Some(place.owner.0), Some(place.owner.1))
                .map_err(SpoolError::io("set owner of spool data file"))?;
        }
        fchmod(fd.as_fd(), FILE_MODE).map_err(SpoolError::io("set mode of spool data file"))?;
        lock_first_line(&fd, id).map_err(|_| SpoolError::Locked)?;
        let mut file = File::from(fd);
        file.write_all(&first).map_err(SpoolError::io("write spool data file"))?;
        Ok(DataFile { file, place, id: id.into(), before: 0 })
    }

    /// Opens and locks the -D file of a message on the queue.
    pub fn open_locked(queue: &Queue, id: &[u8]) -> Result<Self, SpoolError> {
        let name = [id, b"-D"].concat();
        for letter in queue.letters_for(id) {
            let Ok(place) = queue.existing(letter) else { continue };
            let fd = match place.dir.open_at(&name, Flags::READ_WRITE | Flags::APPEND, 0) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(SpoolError::io("open spool data file"))?,
            };
            match lock_first_line(&fd, id) {
                Ok(()) => {}
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied) => {
                    return Err(SpoolError::Locked);
                }
                Err(e) => return Err(SpoolError::Io("lock spool data file", e)),
            }
            // It may have been removed by its last owner between our opening and our locking it.
            if place.dir.stat_at(&name).is_err() {
                return Err(SpoolError::NotFound);
            }
            return Ok(DataFile { file: File::from(fd), place, id: id.into(), before: 0 });
        }
        Err(SpoolError::NotFound)
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The directory that it lies in.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its full path.
    pub fn path(&self) -> BString {
        let mut p = self.place.path.clone();
        p.push(b'/');
        p.extend_from_slice(&self.id);
        p.extend_from_slice(b"-D");
        p
    }

    /// Where the body begins, in bytes.
    pub fn body_start(&self) -> u64 {
        self.id.len() as u64 + 3
    }

    /// Puts the position at the body, after checking the first line.
    pub fn rewind(&mut self) -> Result<(), SpoolError> {
        self.file.seek(SeekFrom::Start(0)).map_err(SpoolError::io("read spool data file"))?;
        let mut first = vec![0; self.id.len() + 3];
        self.file.read_exact(&mut first).map_err(|_| SpoolError::Data("it is shorter than its first line"))?;
        let expected = [&self.id, &b"-D\n"[..]].concat();
        // A queue whose ids were converted to the other form keeps first lines of the new length; see exim_id_update.
        if first != expected || !id::is_message_id(&self.id) {
            return Err(SpoolError::Data("its first line is not its name"));
        }
        Ok(())
    }

    /// Bytes of the body.
    pub fn body_size(&self) -> Result<u64, SpoolError> {
        let len = self.file.metadata().map_err(SpoolError::io("read spool data file"))?.len();
        Ok(len.saturating_sub(self.body_start()))
    }

    /// The body has been written: the file ends here, whatever it held before, and can begin its way to the disk.
    pub fn written(&mut self) -> Result<(), SpoolError> {
        if self.before > 0 {
            let failed = || SpoolError::io("cut off spool data file");
            let end = i64::try_from(self.file.stream_position().map_err(failed())?).unwrap_or(i64::MAX);
            if std::mem::take(&mut self.before) > end {
                crate::sys::file::ftruncate(self.file.as_fd(), end).map_err(failed())?;
            }
        }
        crate::sys::file::start_writing(self.file.as_fd());
        Ok(())
    }

    /// Makes the contents durable (its directory entry becomes so with that of -H).
    pub fn sync(&self) -> Result<(), SpoolError> {
        fdatasync(self.file.as_fd()).map_err(SpoolError::io("sync spool data file"))
    }

    /// Removes the file of a message that is not accepted after all.
    pub fn abandon(self) {
        self.unlink();
    }

    /// The same, but what is in the file can still be read.
    pub fn unlink(&self) {
        let _ = self.place.dir.unlink(&[&self.id, &b"-D"[..]].concat());
    }
}

fn lock_first_line(fd: &impl AsFd, id: &[u8]) -> io::Result<()> {
    lock::ofd(fd.as_fd(), Kind::Exclusive, Region { start: 0, len: id.len() as i64 + 3 }, Wait::No)
}

//! -H as a file: written under a name that is not on the queue, made durable, then given its name.
//!
//! Reception makes a message the queue's with [`commit`]; whoever changes a message on the queue uses the others.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::mpsc;

use super::queue::{FILE_MODE, Place};
use super::spare::{Part, Spare};
use super::write::format_header_file;
use super::{DataFile, SpoolError};
use crate::context::Context;
use crate::sys::file::{Flags, fchmod, fchown, fdatasync, fsync, start_writing};

/// A new message becomes ours: -D and -H are durable, and after them the names of both, when this comes back. Gives the size of
/// the message's header, in bytes, deleted lines not counted.
///
/// Both files are on their way to the disk before the first is waited for, and where this process has threads they are waited for
/// at the same time: a file system with a journal then needs one entry for both, and a disk one order to empty its cache.
pub fn commit(ctx: &Context, data: &DataFile) -> Result<u64, SpoolError> {
    let (mut file, size) = Unplaced::write(ctx, data.place())?;
    file.start_writing();
    sync_both(ctx, &mut file, data)?;
    file.place(&ctx.message.id)?;
    sync_directory(data.place())?;
    Ok(size)
}

fn sync_both(ctx: &Context, file: &mut Unplaced<'_>, data: &DataFile) -> Result<(), SpoolError> {
    let (tell, told) = mpsc::sync_channel(1);
    if let Some(threads) = &ctx.services.threads
        && let Ok(copy) = data.file().try_clone()
    {
        let work = move || {
            let result = fdatasync(copy.as_fd());
            // The lock lasts as long as any descriptor: whoever is told may have the message delivered.
            drop(copy);
            let _ = tell.send(result);
        };
        let _ = threads.run(Box::new(work));
    } else {
        drop(tell);
    }
    let result = file.sync();
    // Nothing comes where no thread could do it.
    match told.recv() {
        Ok(synced) => synced.map_err(SpoolError::io("sync spool data file"))?,
        Err(_) => data.sync()?,
    }
    result
}

/// Writes -H to `place` once more: a new file, synced, renamed into place, directory synced. Gives the same size.
pub fn write_header(ctx: &Context, place: &Place) -> Result<u64, SpoolError> {
    let size = replace_header(ctx, place)?;
    sync_directory(place)?;
    Ok(size)
}

/// The same, but if the machine fails soon the -H of before may be there again: for what may as well be lost.
pub fn replace_header(ctx: &Context, place: &Place) -> Result<u64, SpoolError> {
    let (mut file, size) = Unplaced::write(ctx, place)?;
    file.sync()?;
    file.place(&ctx.message.id)?;
    Ok(size)
}

fn sync_directory(place: &Place) -> Result<(), SpoolError> {
    place.dir.sync().map_err(SpoolError::io("sync the spool directory"))
}

/// A -H that does not have its name yet. Dropped without one, it is removed.
enum Unplaced<'p> {
    /// The file of a message that is gone.
    Spare(Spare, &'p Place),
    New(New<'p>),
}

impl<'p> Unplaced<'p> {
    /// The present state of the message.
    fn write(ctx: &Context, place: &'p Place) -> Result<(Self, u64), SpoolError> {
        let (bytes, size) = format_header_file(ctx);
        let failed = SpoolError::io("write spool header file");
        if let Some(mut spare) = place.spare(Part::Header, bytes.len()) {
            spare.file().and_then(|f| f.write_all(&bytes)).and_then(|()| spare.cut(bytes.len() as i64)).map_err(failed)?;
            return Ok((Unplaced::Spare(spare, place), size));
        }
        let mut new = New::create(place, &ctx.message.id)?;
        fchmod(new.file.as_fd(), FILE_MODE).map_err(SpoolError::io("set mode of spool header file"))?;
        new.file.write_all(&bytes).map_err(failed)?;
        Ok((Unplaced::New(new), size))
    }

    /// Sees to it that the contents are on their way to the disk.
    fn start_writing(&mut self) {
        match self {
            Unplaced::Spare(spare, _) => {
                if let Ok(file) = spare.file() {
                    start_writing(file.as_fd());
                }
            }
            Unplaced::New(new) => start_writing(new.file.as_fd()),
        }
    }

    /// Makes the contents durable.
    fn sync(&mut self) -> Result<(), SpoolError> {
        match self {
            // Owner and mode were made durable with its first message.
            Unplaced::Spare(spare, _) => spare.file().and_then(|f| fdatasync(f.as_fd())),
            Unplaced::New(new) => fsync(new.file.as_fd()),
        }
        .map_err(SpoolError::io("sync spool header file"))
    }

    /// Gives it its name, also if another -H has that.
    fn place(self, id: &[u8]) -> Result<(), SpoolError> {
        let name = [id, b"-H"].concat();
        match self {
            Unplaced::Spare(spare, place) => spare.place(&place.dir, &name, false).map(drop),
            Unplaced::New(new) => new.place(&name),
        }
        .map_err(SpoolError::io("rename spool header file"))
    }
}

/// A file that has no earlier life.
struct New<'p> {
    file: File,
    place: &'p Place,
    /// Empty: it has another name.
    temporary: Vec<u8>,
}

impl<'p> New<'p> {
    fn create(place: &'p Place, id: &[u8]) -> Result<Self, SpoolError> {
        let temporary = [b"hdr.", id].concat();
        let open = || place.dir.open_at(&temporary, Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, FILE_MODE);
        let fd = match open() {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                place.dir.unlink(&temporary).map_err(SpoolError::io("remove an old temporary header file"))?;
                open()
            }
            other => other,
        }
        .map_err(SpoolError::io("create spool header file"))?;
        let new = New { file: File::from(fd), place, temporary };
        if crate::sys::ids::geteuid() == 0 {
            let (uid, gid) = place.owner;
            fchown(new.file.as_fd(), Some(uid), Some(gid)).map_err(SpoolError::io("set owner of spool header file"))?;
        }
        Ok(new)
    }

    fn place(mut self, name: &[u8]) -> io::Result<()> {
        self.place.dir.rename(&self.temporary, &self.place.dir, name)?;
        self.temporary.clear();
        Ok(())
    }
}

impl Drop for New<'_> {
    fn drop(&mut self) {
        if !self.temporary.is_empty() {
            let _ = self.place.dir.unlink(&self.temporary);
        }
    }
}

//! Delivery into a mailbox file: opened with care, locked, appended to, synced; cut back if anything fails.

use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};

use bstr::ByteSlice;

use super::locks::Locks;
use super::mbx::{self, MbxLock};
use super::quota::{LastRead, Limits};
use super::{Appendfile, AppendfileOptions, Failure, comsat, lockfile, place};
use crate::context::Context;
use crate::deliver::local::LocalJob;
use crate::retry::errors;
use crate::sys::file::{self, FileType, Flags, Stat, fchmod, fstat, fsync, ftruncate, futimes};
use crate::sys::lock::Kind;

/// How often a file may come and go while it is being opened.
const MAX_RACES: u32 = 10;

/// Appends the message to the mailbox at `path`. True: it has grown past the threshold for warnings.
pub(super) fn deliver(
    t: &Appendfile,
    ctx: &mut Context,
    job: &LocalJob<'_>,
    path: &[u8],
    quota: &Limits,
) -> Result<bool, Failure> {
    let o = &t.options;
    let parent = &path[..path.rfind_byte(b'/').unwrap_or(0)];
    if file::lstat(path).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
        if !place::may_create(t, job, path) && file::stat(parent).is_ok() {
            return Err(place::not_below_home(
                "mailbox",
                path,
                " does not exist, but creation outside the home directory is not permitted",
            ));
        }
        // A directory that may not be made shows in the error for the lock file.
        let absent = || file::stat(parent).is_err_and(|e| e.kind() == ErrorKind::NotFound);
        if !parent.is_empty() && o.create_directory && absent() && place::may_create(t, job, path) {
            place::make_directories(o, parent, path)?;
        }
    }
    let _lock_file = if o.use_lockfile { Some(lockfile::make(ctx, o, path)?) } else { None };
    let locks = Locks::of(o);
    let opened = locks.retry(|| open_and_lock(t, job, path, &locks))?;
    let Some(Mailbox { mut file, before, mbx }) = opened else {
        let text = format!("failed to lock mailbox {} (fcntl/flock)", path.as_bstr());
        return Err(Failure::defer(errors::LOCK_FAILED, text));
    };
    if before.file_type() == FileType::Fifo {
        return t.write_all(ctx, job, &file).map(|()| false);
    }
    let size = u64::try_from(before.size).unwrap_or(0);
    let mut account = quota.of_file(size);
    account.check(path, LastRead::AccessOf(path))?;
    file.seek(SeekFrom::End(0)).map_err(|e| Failure::io(&e, format!("seek error in {}", path.as_bstr())))?;
    let written = append(t, ctx, job, &file, size)
        .and_then(|()| fsync(file.as_fd()).map_err(|e| Failure::io(&e, format!("failed to fsync {}", path.as_bstr()))));
    let result = match written {
        Ok(()) => {
            // Mail readers tell new mail by a mailbox that was written after it was read.
            let after = fstat(file.as_fd()).unwrap_or(before);
            let _ = futimes(file.as_fd(), before.atime, after.mtime);
            if o.notify_comsat {
                comsat::notify(ctx.address.local_part.as_deref().unwrap_or_default(), size);
            }
            Ok(account.add(u64::try_from(after.size - before.size).unwrap_or(0)))
        }
        Err(failure) => {
            let _ = ftruncate(file.as_fd(), before.size);
            let _ = futimes(file.as_fd(), before.atime, before.mtime);
            Err(quota.explain(failure, path))
        }
    };
    if let Some(lock) = mbx {
        lock.release(&file, &locks);
    }
    result
}

/// Writes the message to the end of the mailbox, which has `size` bytes.
fn append(t: &Appendfile, ctx: &mut Context, job: &LocalJob<'_>, mut file: &File, size: u64) -> Result<(), Failure> {
    if !t.options.mbx_format {
        return t.write_all(ctx, job, file);
    }
    // How long the message is must be known before it: it is written elsewhere first.
    let failed = |what: &'static str| move |e: std::io::Error| Failure::io(&e, what);
    let temporary = file::temporary(b"/tmp").map(File::from).map_err(failed("while setting up temporary file"))?;
    t.write_all(ctx, job, &temporary)?;
    if size == 0 {
        file.write_all(&mbx::header()).map_err(failed("while writing to MBX file"))?;
    }
    let before =
        if size == 0 { mbx::HEADER } else { 0 } + mbx::append(file, &temporary).map_err(failed("while writing to MBX file"))?;
    job.sent.set(job.sent.get().saturating_add(before as u64));
    Ok(())
}

/// A mailbox that is open and locked.
struct Mailbox {
    file: File,
    before: Stat,
    mbx: Option<MbxLock>,
}

/// Opens (or makes) the file and locks it; `None` if somebody else has it.
fn open_and_lock(t: &Appendfile, job: &LocalJob<'_>, path: &[u8], locks: &Locks) -> Result<Option<Mailbox>, Failure> {
    let o = &t.options;
    let (fd, stat) = open(o, job, path, t.mode(job))?;
    if stat.file_type() == FileType::Fifo {
        return Ok(Some(Mailbox { file: File::from(fd), before: stat, mbx: None }));
    }
    let kind = if o.use_mbx_lock { Kind::Shared } else { Kind::Exclusive };
    if !locks.take(fd.as_fd(), kind) {
        return Ok(None);
    }
    let mbx = match o.use_mbx_lock.then(|| MbxLock::take(&stat, o.lockfile_mode.0, locks)) {
        Some(None) => return Ok(None),
        other => other.flatten(),
    };
    // The size may have grown while we waited.
    let before = fstat(fd.as_fd()).unwrap_or(stat);
    Ok(Some(Mailbox { file: File::from(fd), before, mbx }))
}

/// Opens the file: what was looked at must be what is opened, and it must be the recipient's.
/// The mode, and is it forced on an existing file?
type Mode = (u32, bool);

fn open(o: &AppendfileOptions, job: &LocalJob<'_>, path: &[u8], mode: Mode) -> Result<(OwnedFd, Stat), Failure> {
    for _ in 0..MAX_RACES {
        let opened = match file::lstat(path) {
            Ok(looked) => open_existing(o, job, path, &looked, mode)?,
            Err(e) if e.kind() == ErrorKind::NotFound => make(o, path, mode.0, &e)?,
            Err(e) => return Err(Failure::io(&e, format!("while checking mailbox {}", path.as_bstr()))),
        };
        if let Some(opened) = opened {
            return Ok(opened);
        }
    }
    let text = format!("mailbox {} is being created and deleted all the time", path.as_bstr());
    Err(Failure { freeze: true, ..Failure::defer(errors::EXIST_RACE, text) })
}

/// Makes the file; `None` if it is there by now.
fn make(o: &AppendfileOptions, path: &[u8], mode: u32, absent: &std::io::Error) -> Result<Option<(OwnedFd, Stat)>, Failure> {
    let shown = path.as_bstr();
    if o.file_must_exist {
        return Err(Failure::io(absent, format!("mailbox {shown} does not exist, but file_must_exist is set")));
    }
    let flags = Flags::READ_WRITE | Flags::APPEND | Flags::CREATE | Flags::EXCLUSIVE | Flags::NOFOLLOW;
    let fd = match file::open(path, flags, mode) {
        Ok(fd) => fd,
        Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(None),
        Err(e) => return Err(Failure::io(&e, format!("while creating mailbox {shown}"))),
    };
    let _ = fchmod(fd.as_fd(), mode);
    let stat = fstat(fd.as_fd()).map_err(|e| Failure::io(&e, format!("while fstat()ing opened mailbox {shown}")))?;
    Ok(Some((fd, stat)))
}

/// Opens a file that was there a moment ago; `None` if it is not any longer.
fn open_existing(
    o: &AppendfileOptions,
    job: &LocalJob<'_>,
    path: &[u8],
    looked: &Stat,
    (wanted, forced): Mode,
) -> Result<Option<(OwnedFd, Stat)>, Failure> {
    let shown = path.as_bstr();
    let stat_error = |e: std::io::Error| Failure::io(&e, format!("while checking mailbox {shown}"));
    let mut before = *looked;
    if looked.is_link() {
        if !o.allow_symlink {
            return Err(Failure::defer(errors::NOT_REGULAR, format!("mailbox {shown} is not a regular file")));
        }
        // In a directory where all may make links, the link must be the recipient's, too.
        check_owner(job, o, path, looked)?;
        before = match file::stat(path) {
            Ok(s) => s,
            Err(e) if e.kind() == ErrorKind::NotFound => return make_behind_link(o, path, wanted).map(Some),
            Err(e) => return Err(stat_error(e)),
        };
    }
    // A second name could be somebody else's file. (A directory has several anyway, and does not do either.)
    if before.nlink > 1 {
        return Err(Failure::defer(errors::NOT_REGULAR, format!("mailbox {shown} has too many links ({})", before.nlink)));
    }
    let fifo = before.file_type() == FileType::Fifo;
    if !before.is_file() && !(fifo && o.allow_fifo) {
        let what = if o.allow_fifo { " (or named pipe)" } else { "" };
        return Err(Failure::defer(errors::NOT_REGULAR, format!("mailbox {shown} is not a regular file{what}")));
    }
    check_owner(job, o, path, &before)?;
    let mode = before.permissions() & 0o7777;
    // Bits that the file has too many are taken off; it must have all the others.
    let narrower = before.is_file() && (mode | wanted) != mode && !forced;
    if narrower && o.mode_fail_narrower {
        return Err(Failure::defer(
            errors::BAD_MODE,
            format!("mailbox {shown} has the wrong mode {mode:o} ({wanted:o} expected)"),
        ));
    }
    let mut flags = if fifo { Flags::WRITE | Flags::NONBLOCK } else { Flags::READ_WRITE | Flags::APPEND };
    if !o.allow_symlink {
        flags = flags | Flags::NOFOLLOW;
    }
    let fd = match file::open(path, flags, 0) {
        Ok(fd) => fd,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) if fifo => {
            let text = format!("while opening named pipe {shown} (could mean no process is reading it)");
            return Err(Failure::io(&e, text));
        }
        Err(e) => return Err(Failure::io(&e, format!("while opening mailbox {shown}"))),
    };
    let opened = fstat(fd.as_fd()).map_err(stat_error)?;
    if !opened.same_file(&before) || opened.uid != before.uid || opened.gid != before.gid {
        let text = format!("opened mailbox {shown} inode number changed from {} to {}", before.ino, opened.ino);
        return Err(Failure { freeze: true, ..Failure::defer(errors::INODE_CHANGED, text) });
    }
    if before.is_file() && mode != wanted && !narrower {
        let _ = fchmod(fd.as_fd(), wanted);
    }
    Ok(Some((fd, opened)))
}

fn check_owner(job: &LocalJob<'_>, o: &AppendfileOptions, path: &[u8], stat: &Stat) -> Result<(), Failure> {
    let wrong = |what: &str, got: u32, wanted: u32| {
        let text = format!("mailbox {} has wrong {what} ({got} != {wanted})", path.as_bstr());
        Err(Failure::defer(errors::BAD_OWNER, text))
    };
    if o.check_owner && stat.uid != job.uid {
        return wrong("uid", stat.uid, job.uid);
    }
    if o.check_group && stat.gid != job.gid {
        return wrong("gid", stat.gid, job.gid);
    }
    Ok(())
}

/// A link to a file that is not there: making the file follows it.
fn make_behind_link(o: &AppendfileOptions, path: &[u8], mode: u32) -> Result<(OwnedFd, Stat), Failure> {
    let shown = path.as_bstr();
    if o.file_must_exist {
        let text = format!("mailbox {shown} does not exist, but file_must_exist is set");
        return Err(Failure::defer(libc::ENOENT, text));
    }
    let flags = Flags::READ_WRITE | Flags::APPEND | Flags::CREATE;
    let fd = file::open(path, flags, mode).map_err(|e| Failure::io(&e, format!("while creating mailbox {shown}")))?;
    let _ = fchmod(fd.as_fd(), mode);
    let stat = fstat(fd.as_fd()).map_err(|e| Failure::io(&e, format!("while fstat()ing opened mailbox {shown}")))?;
    Ok((fd, stat))
}

//! Delivery into a mailbox file: opened with care, locked, appended to, synced; cut back if anything fails.

use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use bstr::ByteSlice;

use super::quota::Limits;
use super::{Appendfile, AppendfileOptions, Failure, lockfile, place};
use crate::context::Context;
use crate::deliver::local::LocalJob;
use crate::retry::errors;
use crate::sys::file::{self, FileType, Flags, Stat, fchmod, fstat, fsync, ftruncate, futimes};
use crate::sys::lock::{self, Kind, Region, Wait};

/// Appends the message to the mailbox at `path`.
pub(super) fn deliver(t: &Appendfile, ctx: &mut Context, job: &LocalJob<'_>, path: &[u8], quota: &Limits) -> Result<(), Failure> {
    let o = &t.options;
    let parent = &path[..path.rfind_byte(b'/').unwrap_or(0)];
    if file::lstat(path).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
        if !place::may_create(job, o, path) && file::stat(parent).is_ok() {
            return Err(place::not_below_home(
                "mailbox",
                path,
                " does not exist, but creation outside the home directory is not permitted",
            ));
        }
        // A directory that may not be made shows in the error for the lock file.
        let absent = || file::stat(parent).is_err_and(|e| e.kind() == ErrorKind::NotFound);
        if !parent.is_empty() && o.create_directory && absent() && place::may_create(job, o, path) {
            place::make_directories(o, parent, path)?;
        }
    }
    let _lock_file = if o.use_lockfile { Some(lockfile::make(ctx, o, path)?) } else { None };
    let (fd, before) = open_and_lock(job, o, path)?;
    if before.file_type() == FileType::Fifo {
        let file = File::from(fd);
        return t.write_all(ctx, job, &file);
    }
    let size = u64::try_from(before.size).unwrap_or(0);
    quota.check_file(ctx, path, size)?;
    let mut file = File::from(fd);
    file.seek(SeekFrom::End(0)).map_err(|e| Failure::io(&e, format!("seek error in {}", path.as_bstr())))?;
    let written = t
        .write_all(ctx, job, &file)
        .and_then(|()| fsync(file.as_fd()).map_err(|e| Failure::io(&e, format!("failed to fsync {}", path.as_bstr()))));
    match written {
        Ok(()) => Ok(()),
        Err(failure) => {
            let _ = ftruncate(file.as_fd(), before.size);
            let _ = futimes(file.as_fd(), before.atime, before.mtime);
            Err(quota.explain(failure, path))
        }
    }
}

/// Opens (or makes) the file and locks it, as often as `lock_retries` says.
fn open_and_lock(job: &LocalJob<'_>, o: &AppendfileOptions, path: &[u8]) -> Result<(OwnedFd, Stat), Failure> {
    let retries = u64::try_from(o.lock_retries.0).unwrap_or(0).max(1);
    for attempt in 0..retries {
        let (fd, stat) = open(job, o, path)?;
        if stat.file_type() == FileType::Fifo || locked(o, &fd) {
            // The size may have grown while we waited.
            let stat = fstat(fd.as_fd()).unwrap_or(stat);
            return Ok((fd, stat));
        }
        drop(fd);
        if attempt + 1 < retries {
            std::thread::sleep(Duration::from_secs(u64::try_from(o.lock_interval.0).unwrap_or(1)));
        }
    }
    Err(Failure::defer(errors::LOCK_FAILED, format!("failed to lock mailbox {} (fcntl/flock)", path.as_bstr())))
}

fn locked(o: &AppendfileOptions, fd: &OwnedFd) -> bool {
    let wait = |seconds: i64| Wait::for_duration(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    if o.use_fcntl_lock && lock::fcntl(fd.as_fd(), Kind::Exclusive, Region::WHOLE, wait(o.lock_fcntl_timeout.0)).is_err() {
        return false;
    }
    !o.use_flock_lock || lock::flock(fd.as_fd(), Kind::Exclusive, wait(o.lock_flock_timeout.0)).is_ok()
}

/// Opens the file: what was looked at must be what is opened, and it must be the recipient's.
fn open(job: &LocalJob<'_>, o: &AppendfileOptions, path: &[u8]) -> Result<(OwnedFd, Stat), Failure> {
    let shown = path.as_bstr();
    let looked = match file::lstat(path) {
        Ok(s) => s,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            if o.file_must_exist {
                return Err(Failure::io(&e, format!("mailbox {shown} does not exist, but file_must_exist is set")));
            }
            let flags = Flags::READ_WRITE | Flags::APPEND | Flags::CREATE | Flags::EXCLUSIVE | Flags::NOFOLLOW;
            return match file::open(path, flags, job.mode(o.mode.0)) {
                Ok(fd) => {
                    let _ = fchmod(fd.as_fd(), job.mode(o.mode.0));
                    let stat =
                        fstat(fd.as_fd()).map_err(|e| Failure::io(&e, format!("while fstat()ing opened mailbox {shown}")))?;
                    Ok((fd, stat))
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => open_existing(job, o, path),
                Err(e) => Err(Failure::io(&e, format!("while creating mailbox {shown}"))),
            };
        }
        Err(e) => return Err(Failure::io(&e, format!("while checking mailbox {shown}"))),
    };
    if looked.is_link() && !o.allow_symlink {
        return Err(Failure::defer(errors::NOT_REGULAR, format!("mailbox {shown} is a symbolic link")));
    }
    open_existing(job, o, path)
}

fn open_existing(job: &LocalJob<'_>, o: &AppendfileOptions, path: &[u8]) -> Result<(OwnedFd, Stat), Failure> {
    let shown = path.as_bstr();
    let stat_error = |e: std::io::Error| Failure::io(&e, format!("while checking mailbox {shown}"));
    let before = if o.allow_symlink { file::stat(path) } else { file::lstat(path) }.map_err(stat_error)?;
    let fifo = before.file_type() == FileType::Fifo;
    if !before.is_file() && !(fifo && o.allow_fifo) {
        let what = if o.allow_fifo { " (or named pipe)" } else { "" };
        return Err(Failure::defer(errors::NOT_REGULAR, format!("mailbox {shown} is not a regular file{what}")));
    }
    // A second name could be somebody else's file.
    if before.is_file() && before.nlink > 1 {
        return Err(Failure::defer(errors::NOT_REGULAR, format!("mailbox {shown} has too many links ({})", before.nlink)));
    }
    if o.check_owner && before.uid != job.uid {
        return Err(Failure::defer(errors::BAD_OWNER, format!("mailbox {shown} has wrong uid ({} != {})", before.uid, job.uid)));
    }
    if o.check_group && before.gid != job.gid {
        return Err(Failure::defer(errors::BAD_OWNER, format!("mailbox {shown} has wrong gid ({} != {})", before.gid, job.gid)));
    }
    let mode = before.permissions() & 0o7777;
    if before.is_file() && mode != job.mode(o.mode.0) && o.mode_fail_narrower && (mode | job.mode(o.mode.0)) != mode {
        return Err(Failure::defer(
            errors::BAD_MODE,
            format!("mailbox {shown} has the wrong mode {mode:o} ({:o} expected)", job.mode(o.mode.0)),
        ));
    }
    let mut flags = if fifo { Flags::WRITE | Flags::NONBLOCK } else { Flags::READ_WRITE | Flags::APPEND };
    if !o.allow_symlink {
        flags = flags | Flags::NOFOLLOW;
    }
    let fd = file::open(path, flags, 0).map_err(|e| {
        if fifo {
            Failure::io(&e, format!("while opening named pipe {shown} (could mean no process is reading it)"))
        } else {
            Failure::io(&e, format!("while opening mailbox {shown}"))
        }
    })?;
    let opened = fstat(fd.as_fd()).map_err(stat_error)?;
    if !opened.same_file(&before) || opened.uid != before.uid || opened.gid != before.gid {
        return Err(Failure::defer(
            errors::INODE_CHANGED,
            format!("opened mailbox {shown} inode number changed from {} to {}", before.ino, opened.ino),
        ));
    }
    if before.is_file() && mode != job.mode(o.mode.0) {
        let _ = fchmod(fd.as_fd(), job.mode(o.mode.0));
    }
    Ok((fd, opened))
}

//! The `.lock` file of a mailbox (manual section 26.4): made under another name and linked, which works on NFS too.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::{AppendfileOptions, Failure};
use crate::context::Context;
use crate::retry::errors;
use crate::sys::file::{Dir, Flags, fchmod, fstat};
use crate::sys::{ids, time};

/// A lock file that is ours; removed when dropped.
#[derive(Debug)]
pub struct LockFile {
    dir: Dir,
    name: BString,
}

impl Drop for LockFile {
    fn drop(&mut self) {
        let _ = self.dir.unlink(&self.name);
    }
}

/// Makes the lock file of the mailbox at `path`, waiting for another's to go away.
pub fn make(ctx: &Context, o: &AppendfileOptions, path: &[u8]) -> Result<LockFile, Failure> {
    let slash = path.iter().rposition(|c| *c == b'/').unwrap_or(0);
    let (directory, leaf) = (&path[..slash.max(1)], &path[slash + 1..]);
    let lock = BString::from([leaf, b".lock"].concat());
    let post = BString::from(format!(
        "{lock}.{}.{:08x}.{:08x}",
        ctx.config.site.primary_hostname,
        time::unix_time() as u32,
        std::process::id()
    ));
    let full = |name: &BString| format!("{}{name}", path[..=slash].as_bstr());
    let whom = || format!("(euid={} egid={})", ids::geteuid(), ids::getegid());
    let open_error = |e: &std::io::Error| Failure::io(e, format!("creating lock file hitching post {} {}", full(&post), whom()));
    let dir = Dir::open(directory).map_err(|e| open_error(&e))?;
    let retries = u64::try_from(o.lock_retries.0).unwrap_or(0).max(1);
    for attempt in 0..retries {
        let fd = match dir.open_at(&post, Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, o.lockfile_mode.0) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                let _ = dir.unlink(&post);
                dir.open_at(&post, Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, o.lockfile_mode.0)
            }
            other => other,
        }
        .map_err(|e| open_error(&e))?;
        let _ = fchmod(fd.as_fd(), o.lockfile_mode.0);
        // Over NFS the link may be made although the call fails: the count of links tells.
        let linked = dir.link(&post, &dir, &lock);
        let links = fstat(fd.as_fd()).map(|s| s.nlink).unwrap_or(0);
        let _ = dir.unlink(&post);
        if linked.is_ok() || links == 2 {
            return Ok(LockFile { dir, name: lock });
        }
        if let Err(e) = &linked
            && e.kind() != ErrorKind::AlreadyExists
        {
            return Err(Failure::io(e, format!("creating lock file {} {}", full(&lock), whom())));
        }
        // A forgotten one is removed, if it is older than the limit.
        if o.lockfile_timeout.0 > 0
            && let Ok(stat) = dir.stat_at(&lock)
            && stat.ctime.0 + o.lockfile_timeout.0 < time::unix_time()
        {
            let _ = dir.unlink(&lock);
            continue;
        }
        if attempt + 1 < retries {
            std::thread::sleep(Duration::from_secs(u64::try_from(o.lock_interval.0).unwrap_or(1)));
        }
    }
    Err(Failure::defer(errors::LOCK_FAILED, format!("failed to lock mailbox {} (lock file)", BString::from(path))))
}

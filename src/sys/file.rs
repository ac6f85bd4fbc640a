//! Files reached from an open directory, without following links: what a privileged process may do in
//! directories that others can write. Also space on file systems, and syncing.
//!
//! Every descriptor is close-on-exec. [`Dir::open_at`] never follows a link in the last component;
//! use one [`Dir`] per level so that no component can be one.

use super::{check, cstr, retry};
use bstr::BString;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// How to open; combine with `|`. Close-on-exec and no-controlling-terminal are always added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(i32);

impl Flags {
    pub const READ: Self = Self(libc::O_RDONLY);
    pub const WRITE: Self = Self(libc::O_WRONLY);
    pub const READ_WRITE: Self = Self(libc::O_RDWR);
    pub const CREATE: Self = Self(libc::O_CREAT);
    /// With CREATE: fail if it exists.
    pub const EXCLUSIVE: Self = Self(libc::O_EXCL);
    pub const TRUNCATE: Self = Self(libc::O_TRUNC);
    pub const APPEND: Self = Self(libc::O_APPEND);
    pub const NONBLOCK: Self = Self(libc::O_NONBLOCK);
    pub const DIRECTORY: Self = Self(libc::O_DIRECTORY);
    /// Fail with ELOOP if the last component is a symbolic link.
    pub const NOFOLLOW: Self = Self(libc::O_NOFOLLOW);
    /// Only a handle on the name, for fstat and *at calls.
    pub const PATH: Self = Self(libc::O_PATH);
}

impl std::ops::BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What kind of thing a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    Regular,
    Directory,
    Link,
    Fifo,
    Socket,
    CharDevice,
    BlockDevice,
    Unknown,
}

/// The facts about a file. Times are seconds and nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    /// Type and permission bits as in C.
    pub mode: u32,
    pub nlink: u64,
    pub uid: u32,
    pub gid: u32,
    pub size: i64,
    /// 512-byte blocks in use.
    pub blocks: i64,
    pub atime: (i64, i64),
    pub mtime: (i64, i64),
    pub ctime: (i64, i64),
}

impl Stat {
    fn from_raw(s: &libc::stat) -> Self {
        Self {
            dev: s.st_dev,
            ino: s.st_ino,
            mode: s.st_mode,
            nlink: s.st_nlink,
            uid: s.st_uid,
            gid: s.st_gid,
            size: s.st_size,
            blocks: s.st_blocks,
            atime: (s.st_atime, s.st_atime_nsec),
            mtime: (s.st_mtime, s.st_mtime_nsec),
            ctime: (s.st_ctime, s.st_ctime_nsec),
        }
    }

    /// What it is.
    pub fn file_type(&self) -> FileType {
        match self.mode & libc::S_IFMT {
            libc::S_IFREG => FileType::Regular,
            libc::S_IFDIR => FileType::Directory,
            libc::S_IFLNK => FileType::Link,
            libc::S_IFIFO => FileType::Fifo,
            libc::S_IFSOCK => FileType::Socket,
            libc::S_IFCHR => FileType::CharDevice,
            libc::S_IFBLK => FileType::BlockDevice,
            _ => FileType::Unknown,
        }
    }
    pub fn is_file(&self) -> bool {
        self.file_type() == FileType::Regular
    }
    pub fn is_dir(&self) -> bool {
        self.file_type() == FileType::Directory
    }
    pub fn is_link(&self) -> bool {
        self.file_type() == FileType::Link
    }
    /// Permission bits including setuid, setgid and sticky (07777).
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }
    /// The same file on the same device?
    pub fn same_file(&self, other: &Self) -> bool {
        self.dev == other.dev && self.ino == other.ino
    }
}

fn stat_with(call: impl Fn(*mut libc::stat) -> libc::c_int) -> io::Result<Stat> {
    // SAFETY: stat is plain integers; zero is valid.
    let mut s: libc::stat = unsafe { std::mem::zeroed() };
    retry(|| check(call(&mut s)))?;
    Ok(Stat::from_raw(&s))
}

/// stat(2), following links.
pub fn stat(path: &[u8]) -> io::Result<Stat> {
    let path = cstr(path)?;
    // SAFETY: valid C string and result place.
    stat_with(|s| unsafe { libc::stat(path.as_ptr(), s) })
}

/// lstat(2), not following.
pub fn lstat(path: &[u8]) -> io::Result<Stat> {
    let path = cstr(path)?;
    // SAFETY: valid C string and result place.
    stat_with(|s| unsafe { libc::lstat(path.as_ptr(), s) })
}

/// fstat(2).
pub fn fstat(fd: BorrowedFd<'_>) -> io::Result<Stat> {
    // SAFETY: valid result place.
    stat_with(|s| unsafe { libc::fstat(fd.as_raw_fd(), s) })
}

/// open(2) by path. `mode` counts with CREATE (and umask).
pub fn open(path: &[u8], flags: Flags, mode: u32) -> io::Result<OwnedFd> {
    open_raw(libc::AT_FDCWD, path, flags, mode)
}

fn open_raw(dir: i32, path: &[u8], flags: Flags, mode: u32) -> io::Result<OwnedFd> {
    let path = cstr(path)?;
    let flags = flags.0 | libc::O_CLOEXEC | libc::O_NOCTTY;
    // SAFETY: valid C string; the descriptor is new.
    let fd = retry(|| check(unsafe { libc::openat(dir, path.as_ptr(), flags, mode as libc::c_uint) }))?;
    // SAFETY: new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// fchown(2). `None` leaves that id.
pub fn fchown(fd: BorrowedFd<'_>, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let (u, g) = (uid.unwrap_or(u32::MAX), gid.unwrap_or(u32::MAX));
    // SAFETY: integers only.
    check(unsafe { libc::fchown(fd.as_raw_fd(), u, g) }).map(drop)
}

/// fchmod(2).
pub fn fchmod(fd: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::fchmod(fd.as_raw_fd(), mode as libc::mode_t) }).map(drop)
}

/// Data and attributes to the disk. For a directory: its entries.
pub fn fsync(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: integer only.
    retry(|| check(unsafe { libc::fsync(fd.as_raw_fd()) })).map(drop)
}

/// Data (and the size) to the disk.
pub fn fdatasync(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: integer only.
    retry(|| check(unsafe { libc::fdatasync(fd.as_raw_fd()) })).map(drop)
}

/// Starts writing what the file has in memory to the disk, and does not wait for it (sync_file_range(2)): a hint, so that it cannot
/// fail. Nothing is durable before a sync.
pub fn start_writing(fd: BorrowedFd<'_>) {
    // SAFETY: integers only.
    let _ = unsafe { libc::sync_file_range(fd.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}

/// ftruncate(2).
pub fn ftruncate(fd: BorrowedFd<'_>, size: i64) -> io::Result<()> {
    // SAFETY: integers only.
    retry(|| check(unsafe { libc::ftruncate(fd.as_raw_fd(), size) })).map(drop)
}

/// Sets access and modification time (seconds since 1970; the second number is microseconds).
pub fn futimes(fd: BorrowedFd<'_>, atime: (i64, i64), mtime: (i64, i64)) -> io::Result<()> {
    let t = [
        libc::timespec { tv_sec: atime.0, tv_nsec: atime.1 * 1000 },
        libc::timespec { tv_sec: mtime.0, tv_nsec: mtime.1 * 1000 },
    ];
    // SAFETY: two timespecs.
    check(unsafe { libc::futimens(fd.as_raw_fd(), t.as_ptr()) }).map(drop)
}

/// Room on a file system.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// Bytes that an ordinary user can still write.
    pub free_bytes: u64,
    /// Inodes that an ordinary user can still use, `None` where the file system does not count them.
    pub free_inodes: Option<u64>,
}

/// statvfs(3) of the file system that holds `path`.
pub fn space(path: &[u8]) -> io::Result<Space> {
    let path = cstr(path)?;
    // SAFETY: plain integers.
    let mut v: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: valid C string and result place.
    retry(|| check(unsafe { libc::statvfs(path.as_ptr(), &mut v) }))?;
    let unit = if v.f_frsize > 0 { v.f_frsize } else { v.f_bsize };
    Ok(Space {
        free_bytes: v.f_bavail.saturating_mul(unit),
        free_inodes: (v.f_files > 0 && v.f_files != u64::MAX).then_some(v.f_favail),
    })
}

/// An open directory.
#[derive(Debug)]
pub struct Dir(OwnedFd);

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Dir {
    /// Opens a directory by path (links followed: for paths that only root or we can change).
    pub fn open(path: &[u8]) -> io::Result<Self> {
        open(path, Flags::READ | Flags::DIRECTORY, 0).map(Self)
    }

    /// Opens a directory in this one, not through a link.
    pub fn open_dir(&self, name: &[u8]) -> io::Result<Self> {
        open_raw(self.raw(), name, Flags::READ | Flags::DIRECTORY | Flags::NOFOLLOW, 0).map(Self)
    }

    /// Opens a directory in this one, making it with exactly `mode` first if it does not exist.
    pub fn open_or_make_dir(&self, name: &[u8], mode: u32) -> io::Result<Self> {
        match self.open_dir(name) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        match self.mkdir(name, mode) {
            Ok(()) => {
                let dir = self.open_dir(name)?;
                fchmod(dir.as_fd(), mode)?; // umask does not apply
                Ok(dir)
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => self.open_dir(name),
            Err(e) => Err(e),
        }
    }

    fn raw(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// openat(2) with NOFOLLOW.
    pub fn open_at(&self, name: &[u8], flags: Flags, mode: u32) -> io::Result<OwnedFd> {
        open_raw(self.raw(), name, flags | Flags::NOFOLLOW, mode)
    }

    /// fstatat(2), not following.
    pub fn stat_at(&self, name: &[u8]) -> io::Result<Stat> {
        let name = cstr(name)?;
        // SAFETY: valid C string and result place.
        stat_with(|s| unsafe { libc::fstatat(self.raw(), name.as_ptr(), s, libc::AT_SYMLINK_NOFOLLOW) })
    }

    /// unlinkat(2) of a file.
    pub fn unlink(&self, name: &[u8]) -> io::Result<()> {
        let name = cstr(name)?;
        // SAFETY: valid C string.
        check(unsafe { libc::unlinkat(self.raw(), name.as_ptr(), 0) }).map(drop)
    }

    /// unlinkat(2) of a directory.
    pub fn rmdir(&self, name: &[u8]) -> io::Result<()> {
        let name = cstr(name)?;
        // SAFETY: valid C string.
        check(unsafe { libc::unlinkat(self.raw(), name.as_ptr(), libc::AT_REMOVEDIR) }).map(drop)
    }

    /// mkdirat(2); umask applies.
    pub fn mkdir(&self, name: &[u8], mode: u32) -> io::Result<()> {
        let name = cstr(name)?;
        // SAFETY: valid C string.
        check(unsafe { libc::mkdirat(self.raw(), name.as_ptr(), mode as libc::mode_t) }).map(drop)
    }

    /// linkat(2): `old` here becomes also `new` in `to`.
    pub fn link(&self, old: &[u8], to: &Dir, new: &[u8]) -> io::Result<()> {
        let (old, new) = (cstr(old)?, cstr(new)?);
        // SAFETY: valid C strings.
        check(unsafe { libc::linkat(self.raw(), old.as_ptr(), to.raw(), new.as_ptr(), 0) }).map(drop)
    }

    /// renameat(2): `old` here becomes `new` in `to`.
    pub fn rename(&self, old: &[u8], to: &Dir, new: &[u8]) -> io::Result<()> {
        let (old, new) = (cstr(old)?, cstr(new)?);
        // SAFETY: valid C strings.
        check(unsafe { libc::renameat(self.raw(), old.as_ptr(), to.raw(), new.as_ptr()) }).map(drop)
    }

    /// renameat2(2) that fails if `new` exists.
    pub fn rename_new(&self, old: &[u8], to: &Dir, new: &[u8]) -> io::Result<()> {
        let (old, new) = (cstr(old)?, cstr(new)?);
        // SAFETY: valid C strings.
        check(unsafe { libc::renameat2(self.raw(), old.as_ptr(), to.raw(), new.as_ptr(), libc::RENAME_NOREPLACE) }).map(drop)
    }

    /// readlinkat(2).
    pub fn read_link(&self, name: &[u8]) -> io::Result<BString> {
        let name = cstr(name)?;
        let mut buf = vec![0u8; libc::PATH_MAX as usize];
        // SAFETY: valid C string, buffer with its length.
        let n = super::check_size(unsafe { libc::readlinkat(self.raw(), name.as_ptr(), buf.as_mut_ptr().cast(), buf.len()) })?;
        buf.truncate(n);
        Ok(buf.into())
    }

    /// Makes the entries durable.
    pub fn sync(&self) -> io::Result<()> {
        fsync(self.as_fd())
    }

    /// All names but `.` and `..`, in the file system's order.
    pub fn list(&self) -> io::Result<Vec<BString>> {
        // A descriptor of its own, since fdopendir takes it and its position over.
        let fd = open_raw(self.raw(), b".", Flags::READ | Flags::DIRECTORY, 0)?;
        // SAFETY: the descriptor is handed over to the stream, which closes it.
        let stream = unsafe { libc::fdopendir(std::os::fd::IntoRawFd::into_raw_fd(fd)) };
        if stream.is_null() {
            return Err(io::Error::last_os_error());
        }
        let mut names = Vec::new();
        let result = loop {
            // SAFETY: errno is this thread's; the stream is open; the entry is valid until the next call.
            let entry = unsafe {
                *libc::__errno_location() = 0;
                libc::readdir(stream)
            };
            if entry.is_null() {
                let e = io::Error::last_os_error();
                break if e.raw_os_error() == Some(0) { Ok(names) } else { Err(e) };
            }
            // SAFETY: d_name is NUL-terminated.
            let name = unsafe { CStr::from_ptr((*entry).d_name.as_ptr()) }.to_bytes();
            if name != b"." && name != b".." {
                names.push(name.into());
            }
        };
        // SAFETY: opened above, closed once.
        unsafe { libc::closedir(stream) };
        result
    }
}

/// access(2) with the *effective* ids (faccessat AT_EACCESS): may we read / write / execute it?
pub fn accessible(path: &[u8], read: bool, write: bool, execute: bool) -> io::Result<()> {
    let path = cstr(path)?;
    let mode = if read { libc::R_OK } else { 0 } | if write { libc::W_OK } else { 0 } | if execute { libc::X_OK } else { 0 };
    // SAFETY: valid C string.
    check(unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_EACCESS) }).map(drop)
}

/// chown(2) by path, following links. Prefer [`fchown`].
pub fn chown(path: &[u8], uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let path = cstr(path)?;
    let (u, g) = (uid.unwrap_or(u32::MAX), gid.unwrap_or(u32::MAX));
    // SAFETY: valid C string.
    check(unsafe { libc::chown(path.as_ptr(), u, g) }).map(drop)
}

/// mkfifo(3).
pub fn mkfifo(path: &[u8], mode: u32) -> io::Result<()> {
    let path = cstr(path)?;
    // SAFETY: valid C string.
    check(unsafe { libc::mkfifo(path.as_ptr(), mode as libc::mode_t) }).map(drop)
}

/// A file with no name that is gone when closed (O_TMPFILE where possible, else memory).
pub fn temporary(directory: &[u8]) -> io::Result<OwnedFd> {
    match open_raw(libc::AT_FDCWD, directory, Flags(libc::O_TMPFILE | libc::O_RDWR), 0o600) {
        Ok(fd) => Ok(fd),
        Err(_) => {
            // SAFETY: a constant name; the descriptor is new.
            let fd = check(unsafe { libc::memfd_create(c"oxim".as_ptr(), libc::MFD_CLOEXEC) })?;
            // SAFETY: new and ours.
            Ok(unsafe { OwnedFd::from_raw_fd(fd) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_work() {
        let base = std::env::temp_dir();
        let base = Dir::open(std::os::unix::ffi::OsStrExt::as_bytes(base.as_os_str())).unwrap();
        let name = format!("oxim-dir-{}", std::process::id()).into_bytes();
        let d = base.open_or_make_dir(&name, 0o750).unwrap();
        assert_eq!(fstat(d.as_fd()).unwrap().permissions(), 0o750);
        let f = d.open_at(b"a", Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, 0o640).unwrap();
        fsync(f.as_fd()).unwrap();
        d.link(b"a", &d, b"b").unwrap();
        d.rename(b"b", &d, b"c").unwrap();
        d.sync().unwrap();
        let mut l = d.list().unwrap();
        l.sort();
        assert_eq!(l, ["a", "c"]);
        assert_eq!(d.stat_at(b"a").unwrap().nlink, 2);
        d.unlink(b"a").unwrap();
        d.unlink(b"c").unwrap();
        base.rmdir(&name).unwrap();
        assert!(space(b"/tmp").unwrap().free_bytes > 0);
    }
}

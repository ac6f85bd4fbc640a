//! The open log files of a process: opened as the exim user, never through links, kept open, and opened again when
//! the name has been given to another file or the date stamp has changed.
//!
//! Only `log::write` calls it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use bstr::{BString, ByteSlice};

use super::settings::{Settings, file_name};
use crate::build_options as build;
use crate::sys::file::{self, Flags};
use crate::sys::ids;

/// Which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `mainlog`
    Main,
    /// `rejectlog`
    Reject,
    /// `paniclog`
    Panic,
}

impl Kind {
    /// What `%s` becomes.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Main => "main",
            Kind::Reject => "reject",
            Kind::Panic => "panic",
        }
    }
}

/// One open log file.
#[derive(Debug)]
struct Open {
    name: BString,
    fd: OwnedFd,
    dev_ino: (u64, u64),
}

/// The files that a process has open.
#[derive(Debug, Default)]
pub struct Files {
    open: [Option<Open>; 3],
}

impl Files {
    /// Writes one entry, whole. The error is (file name, what went wrong while opening or writing).
    pub fn write(&mut self, kind: Kind, settings: &Settings, entry: &[u8], now: i64) -> Result<(), (BString, io::Error)> {
        self.open(kind, settings, now)?;
        let slot = &mut self.open[kind as usize];
        let Some(open) = slot.as_ref() else { return Ok(()) };
        let mut rest = entry;
        while !rest.is_empty() {
            match crate::sys::fd::write(open.fd.as_fd(), rest) {
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(e) => {
                    let name = open.name.clone();
                    *slot = None;
                    return Err((name, e));
                }
            }
        }
        Ok(())
    }

    /// Opens the file of that kind, unless the right one is open. A process that has become a user goes on with the one that it
    /// holds.
    pub fn open(&mut self, kind: Kind, settings: &Settings, now: i64) -> Result<(), (BString, io::Error)> {
        let Some(pattern) = &settings.pattern else { return Ok(()) };
        let name = file_name(pattern, kind.name(), now);
        let slot = &mut self.open[kind as usize];
        let right = |o: &Open| o.name == name && file::lstat(&name).is_ok_and(|s| (s.dev, s.ino) == o.dev_ino);
        if slot.as_ref().is_some_and(right) {
            return Ok(());
        }
        let opened = open_as_exim(&name, settings).and_then(|fd| Ok((file::fstat(fd.as_fd())?, fd)));
        match opened {
            Ok((stat, fd)) => *slot = Some(Open { name, dev_ino: (stat.dev, stat.ino), fd }),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied && slot.is_some() => {}
            Err(e) => return Err((name, e)),
        }
        Ok(())
    }
}

/// Opens with the ids of the exim user: root never opens a name in a directory that exim owns (CVE-2020-28007).
pub fn open_as_exim(name: &BString, settings: &Settings) -> io::Result<OwnedFd> {
    let _as_exim = if ids::geteuid() == 0 && settings.uid != 0 {
        Some(ids::EffectiveGuard::become_effective(settings.uid, settings.gid)?)
    } else {
        None
    };
    open_log(name)
}

/// Opens or makes a log file, with its directory if that is missing.
fn open_log(name: &BString) -> io::Result<OwnedFd> {
    let flags = Flags::WRITE | Flags::APPEND | Flags::CREATE | Flags::NOFOLLOW;
    let fd = match file::open(name, flags, build::LOG_MODE) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if let Some(slash) = name.rfind_byte(b'/') {
                make_directories(name.get(..slash).unwrap_or_default())?;
            }
            file::open(name, flags, build::LOG_MODE)?
        }
        other => other?,
    };
    let stat = file::fstat(fd.as_fd())?;
    // A second name for the file may be somebody's trap.
    if stat.is_file() && stat.nlink > 1 {
        return Err(io::Error::from_raw_os_error(libc::EMLINK));
    }
    // The umask has no say in the mode of a log file.
    if stat.is_file() && stat.size == 0 && stat.permissions() != build::LOG_MODE {
        let _ = file::fchmod(fd.as_fd(), build::LOG_MODE);
    }
    Ok(fd)
}

fn make_directories(path: &[u8]) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(build::LOG_DIRECTORY_MODE)
        .create(std::path::Path::new(std::ffi::OsStr::from_bytes(path)))
}

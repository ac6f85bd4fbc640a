//! What can go wrong with spool files.

use std::fmt;
use std::io;

/// A spool file could not be used.
#[derive(Debug)]
pub enum SpoolError {
    /// The -D file is locked: another process is handling the message.
    Locked,
    /// There is no such file.
    NotFound,
    /// A system call failed; what was being done.
    Io(&'static str, io::Error),
    /// The envelope part of -H is broken; which thing.
    Envelope(&'static str),
    /// The header part of -H is broken; which thing.
    Header(&'static str),
    /// The -D file is broken.
    Data(&'static str),
}

impl SpoolError {
    /// Attaches what was being done.
    pub fn io(what: &'static str) -> impl FnOnce(io::Error) -> SpoolError {
        move |e| if e.kind() == io::ErrorKind::NotFound { SpoolError::NotFound } else { SpoolError::Io(what, e) }
    }

    /// True for a file that is there but cannot be understood.
    pub fn is_format(&self) -> bool {
        matches!(self, SpoolError::Envelope(_) | SpoolError::Header(_) | SpoolError::Data(_))
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpoolError::Locked => f.write_str("Spool file is locked (another process is handling this message)"),
            SpoolError::NotFound => f.write_str("No such file or directory"),
            SpoolError::Io(what, e) => write!(f, "failed to {what}: {}", crate::sys::error_text(e)),
            SpoolError::Envelope(what) => write!(f, "Format error in spool file: {what}"),
            SpoolError::Header(what) => write!(f, "Format error in spool file header: {what}"),
            SpoolError::Data(what) => write!(f, "Format error in spool data file: {what}"),
        }
    }
}

impl std::error::Error for SpoolError {}

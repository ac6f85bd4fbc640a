//! Where redirection data come from: the `data` option, or a file that is checked and read as its user.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use bstr::ByteSlice;

use super::{RedirectOptions, needs_child};
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::parse::forward::MAX_FILE;
use crate::parse::list::items;
use crate::retry::errors;
use crate::route::Address;
use crate::routers::RouterInstance;
use crate::sys::file::{self, Flags};
use crate::sys::process::{Fork, exit_now, fork, wait};
use crate::sys::{fd, ids, users};
use crate::text::Text;

/// Redirection data.
pub struct Source {
    /// The text.
    pub text: Text,
}

/// Why there is no usable data: for a defer.
pub struct SourceError {
    /// Number for the log.
    pub errno: i32,
    /// Text.
    pub message: String,
}

impl From<String> for SourceError {
    fn from(message: String) -> Self {
        SourceError { errno: errors::UNKNOWN, message }
    }
}

/// The data; `None`: the router declines.
pub fn find(
    ctx: &mut Context,
    router: &RouterInstance,
    o: &RedirectOptions,
    addr: &Address,
) -> Result<Option<Source>, SourceError> {
    if let Some(t) = o.data.get() {
        return match expand::expand(ctx, t) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Ok(Some(Source { text })),
            Err(ExpandError::Forced(_)) => Ok(None),
            Err(e) => Err(format!("failed to expand \"{}\": {e}", t.raw().as_bstr()).into()),
        };
    }
    let Some(t) = o.file.get() else { return Ok(None) };
    let name = match expand::expand(ctx, t) {
        Ok(name) => name,
        Err(ExpandError::Forced(_)) => return Ok(None),
        Err(e) => return Err(format!("failed to expand \"{}\": {e}", t.raw().as_bstr()).into()),
    };
    if name.is_tainted() {
        return Err(SourceError {
            errno: errors::TAINT,
            message: format!("Tainted filename '{name}' for redirection in {} router not permitted", router.name),
        });
    }
    if name.first() != Some(&b'/') {
        return Err(format!("\"{name}\" is not an absolute path").into());
    }
    let text = match (addr.uid, addr.gid) {
        (Some(uid), Some(gid)) if needs_child(uid) => {
            let answer = in_child(uid, gid, || encode(read_checked(o, addr, &name)))?;
            decode(&answer)?
        }
        _ => read_checked(o, addr, &name)?,
    };
    Ok(text.map(|text| Source { text: Text::clean(text) }))
}

/// Opens the file, checks whose it is, and reads it; `None` if it is not there.
fn read_checked(o: &RedirectOptions, addr: &Address, name: &[u8]) -> Result<Option<Vec<u8>>, SourceError> {
    let shown = name.as_bstr();
    let opened = match file::open(name, Flags::READ | Flags::NONBLOCK, 0) {
        Ok(f) => f,
        Err(e) => {
            return match e.kind() {
                ErrorKind::NotFound => match parent_is_there(name) {
                    Ok(()) => Ok(None),
                    Err(_) if o.ignore_enotdir => Ok(None),
                    Err(message) => Err(message.into()),
                },
                ErrorKind::NotADirectory if o.ignore_enotdir => Ok(None),
                ErrorKind::PermissionDenied if o.ignore_eacces => Ok(None),
                _ => Err(SourceError {
                    errno: errors::BAD_REDIRECT,
                    message: format!("failed to open {shown}: {}", crate::sys::error_text(&e)),
                }),
            };
        }
    };
    let stat = file::fstat(opened.as_fd()).map_err(|e| format!("failed to stat {shown}: {}", crate::sys::error_text(&e)))?;
    if !stat.is_file() {
        return Err(SourceError { errno: errors::UNKNOWN, message: format!("{shown} is not a regular file") });
    }
    let extra = stat.permissions() & o.modemask.0;
    if extra != 0 {
        return Err(SourceError {
            errno: errors::BAD_MODE,
            message: format!("bad mode (0{:o}) for {shown}: 0{extra:o} bit(s) unexpected", stat.mode),
        });
    }
    let owner_ok = !o.check_owner
        || addr.uid == Some(stat.uid)
        || stat.uid == 0 && addr.uid.is_none()
        || listed(o.owners.raw(), |n| users::user_by_name(n).ok().flatten().map(|u| u.uid), stat.uid);
    if !owner_ok {
        return Err(SourceError { errno: errors::BAD_OWNER, message: format!("bad owner for {shown}") });
    }
    let group_ok = !o.check_group
        || addr.gid == Some(stat.gid)
        || listed(o.owngroups.raw(), |n| users::group_by_name(n).ok().flatten().map(|g| g.gid), stat.gid);
    if !group_ok {
        return Err(SourceError { errno: errors::BAD_OWNER, message: format!("bad group for {shown}") });
    }
    read_all(opened, name).map(Some).map_err(|message| SourceError { errno: errors::BAD_REDIRECT, message })
}

fn read_all(opened: OwnedFd, name: &[u8]) -> Result<Vec<u8>, String> {
    let shown = name.as_bstr();
    let mut text = Vec::new();
    File::from(opened)
        .take(MAX_FILE + 1)
        .read_to_end(&mut text)
        .map_err(|e| format!("error while reading {shown}: {}", crate::sys::error_text(&e)))?;
    if text.len() as u64 > MAX_FILE {
        return Err(format!("{shown} is too large (max {MAX_FILE})"));
    }
    Ok(text)
}

/// Reads a file of the administrator: nobody asks whose it is. The error is the reason.
pub fn read_plain(name: &[u8]) -> Result<Vec<u8>, String> {
    let shown = name.as_bstr();
    let opened = file::open(name, Flags::READ | Flags::NONBLOCK, 0).map_err(|e| match e.kind() {
        ErrorKind::NotFound => format!("{shown} does not exist"),
        _ => crate::expand::items::open_failed(&shown.to_string(), &e),
    })?;
    let stat = file::fstat(opened.as_fd()).map_err(|e| format!("failed to stat {shown}: {}", crate::sys::error_text(&e)))?;
    if !stat.is_file() {
        return Err(format!("{shown} is not a regular file"));
    }
    read_all(opened, name)
}

fn listed(list: Option<&[u8]>, find: impl Fn(&[u8]) -> Option<u32>, id: u32) -> bool {
    list.is_some_and(|l| items(l).any(|item| item.to_str().ok().and_then(|n| n.parse().ok()).or_else(|| find(&item)) == Some(id)))
}

/// A file that is not there is an answer only if its directory is: an unmounted home must not look like "no .forward".
fn parent_is_there(name: &[u8]) -> Result<(), String> {
    let Some(slash) = name.rfind_byte(b'/').filter(|s| *s > 0) else { return Ok(()) };
    let mut directory = name[..slash].to_vec();
    directory.extend_from_slice(b"/.");
    match file::stat(&directory) {
        Ok(_) => Ok(()),
        Err(e) => Err(format!("failed to stat {} ({})", directory.as_bstr(), crate::sys::error_text(&e))),
    }
}

/// Runs a function in a child with other ids and gives back what it returned.
pub fn in_child(uid: u32, gid: u32, work: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, String> {
    let (read_end, write_end) = fd::pipe().map_err(|e| format!("creation of pipe failed: {e}"))?;
    match fork().map_err(|e| format!("fork failed: {e}"))? {
        Fork::Child => {
            drop(read_end);
            if ids::become_user(uid, gid, None).is_err() {
                exit_now(1);
            }
            let bytes = work();
            let done = File::from(write_end).write_all(&bytes).is_ok();
            exit_now(if done { 0 } else { 1 });
        }
        Fork::Parent(pid) => {
            drop(write_end);
            let mut bytes = Vec::new();
            let read = File::from(read_end).take(MAX_FILE * 64).read_to_end(&mut bytes);
            let status = wait(pid).map_err(|e| format!("wait failed: {e}"))?;
            if read.is_err() || !status.success() {
                return Err(format!("process of uid {uid} that reads redirection data failed"));
            }
            Ok(bytes)
        }
    }
}

/// Results cross the pipe as: `N` nothing; `T` and the text; `E`, the number, newline, message.
fn encode(result: Result<Option<Vec<u8>>, SourceError>) -> Vec<u8> {
    match result {
        Ok(None) => b"N".to_vec(),
        Ok(Some(text)) => [&b"T"[..], &text].concat(),
        Err(e) => format!("E{}\n{}", e.errno, e.message).into_bytes(),
    }
}

fn decode(bytes: &[u8]) -> Result<Option<Vec<u8>>, SourceError> {
    match bytes.split_first() {
        Some((b'N', _)) => Ok(None),
        Some((b'T', text)) => Ok(Some(text.to_vec())),
        Some((b'E', rest)) => {
            let end = rest.find_byte(b'\n').unwrap_or(rest.len());
            let errno = rest[..end].to_str().ok().and_then(|n| n.parse().ok()).unwrap_or(errors::UNKNOWN);
            Err(SourceError { errno, message: rest.get(end + 1..).unwrap_or_default().to_str_lossy().into_owned() })
        }
        _ => Err("process that reads redirection data said nothing".to_string().into()),
    }
}

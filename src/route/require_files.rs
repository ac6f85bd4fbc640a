//! The `require_files` precondition (manual chapter 15): files that must, or must not, exist, perhaps for a user.

use std::io::ErrorKind;

use bstr::ByteSlice;

use crate::config::Config;
use crate::context::Context;
use crate::expand::{self, ExpandError, Template};
use crate::parse::list::items;
use crate::sys::process::{Fork, exit_now, fork, wait};
use crate::sys::{file, ids, users};

/// Does every item hold? The error is for a defer.
pub fn check(ctx: &mut Context, list: &Template) -> Result<bool, String> {
    let expanded = match expand::expand(ctx, list) {
        Ok(t) => t,
        Err(ExpandError::Forced(_)) => return Ok(true),
        Err(e) => return Err(format!("failed to expand \"{}\" for require_files: {e}", list.raw().as_bstr())),
    };
    let mut user: Option<(u32, u32)> = None;
    for item in items(&expanded) {
        let (must_exist, name) = match item.strip_prefix(b"!") {
            Some(n) => (false, n.trim()),
            None => (true, item.as_slice()),
        };
        // `+` asks that EACCES counts as absent.
        let (eacces_is_absent, name) = match name.strip_prefix(b"+") {
            Some(n) => (true, n.trim()),
            None => (false, name),
        };
        if name.is_empty() {
            continue;
        }
        if name.first() != Some(&b'/') {
            if name.contains(&b'/') {
                return Err(format!("require_files: \"{}\" is not absolute", name.as_bstr()));
            }
            user = Some(ids_of(&ctx.config, name)?);
            continue;
        }
        let found = match user {
            None => exists(name),
            Some((uid, gid)) => exists_for(name, uid, gid)?,
        };
        let exists = match found {
            Found::Yes => true,
            Found::No => false,
            Found::Denied if eacces_is_absent => false,
            Found::Denied => return Err(format!("require_files: error for {}: Permission denied", name.as_bstr())),
            Found::Error(errno) => {
                return Err(format!("require_files: error for {}: {}", name.as_bstr(), crate::sys::strerror(errno)));
            }
        };
        if exists != must_exist {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `user` or `user,group` (names or numbers) as ids.
fn ids_of(config: &Config, spec: &[u8]) -> Result<(u32, u32), String> {
    let (user, group) = match spec.find_byte(b',') {
        Some(i) => (spec[..i].trim(), Some(spec[i + 1..].trim())),
        None => (spec, None),
    };
    let (uid, default_gid) = match number(user) {
        Some(n) => (n, None),
        None => match config.user_by_name(user) {
            Ok(Some(u)) => (u.uid, Some(u.gid)),
            _ => return Err(format!("user \"{}\" for require_files not found", user.as_bstr())),
        },
    };
    let gid = match group {
        None => default_gid.unwrap_or(ids::getegid()),
        Some(g) => match number(g) {
            Some(n) => n,
            None => match users::group_by_name(g) {
                Ok(Some(g)) => g.gid,
                _ => return Err(format!("group \"{}\" for require_files not found", g.as_bstr())),
            },
        },
    };
    Ok((uid, gid))
}

fn number(s: &[u8]) -> Option<u32> {
    s.to_str().ok()?.parse().ok()
}

enum Found {
    Yes,
    No,
    Denied,
    Error(i32),
}

fn exists(name: &[u8]) -> Found {
    match file::stat(name) {
        Ok(_) => Found::Yes,
        Err(e) => match e.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Found::No,
            ErrorKind::PermissionDenied => Found::Denied,
            _ => Found::Error(e.raw_os_error().unwrap_or(0)),
        },
    }
}

/// The same as another user: in a child, since ids belong to the process.
fn exists_for(name: &[u8], uid: u32, gid: u32) -> Result<Found, String> {
    if ids::geteuid() != 0 && ids::getuid() != 0 {
        return Ok(exists(name));
    }
    match fork().map_err(|e| format!("require_files: fork failed: {e}"))? {
        Fork::Child => {
            if ids::become_user(uid, gid, None).is_err() {
                exit_now(3);
            }
            exit_now(match exists(name) {
                Found::Yes => 0,
                Found::No => 1,
                Found::Denied => 2,
                Found::Error(_) => 3,
            });
        }
        Fork::Parent(pid) => match wait(pid).map_err(|e| format!("require_files: wait failed: {e}"))?.to_raw() >> 8 {
            0 => Ok(Found::Yes),
            1 => Ok(Found::No),
            2 => Ok(Found::Denied),
            _ => Err(format!("require_files: error for {}", name.as_bstr())),
        },
    }
}

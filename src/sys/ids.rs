//! User and group ids of this process. Every failure is returned: a process that could not give up
//! root must not go on (CVE-2011-0017).
//!
//! glibc applies these to all threads of the process, so a process that becomes a user is forked
//! from one without other threads first.

use super::{check, cstr};
use std::io;

/// A user id.
pub type Uid = u32;
/// A group id.
pub type Gid = u32;

/// Real user id.
pub fn getuid() -> Uid {
    // SAFETY: cannot fail (as the next five).
    unsafe { libc::getuid() }
}
/// Effective user id.
pub fn geteuid() -> Uid {
    // SAFETY: cannot fail.
    unsafe { libc::geteuid() }
}
/// Real group id.
pub fn getgid() -> Gid {
    // SAFETY: cannot fail.
    unsafe { libc::getgid() }
}
/// Effective group id.
pub fn getegid() -> Gid {
    // SAFETY: cannot fail.
    unsafe { libc::getegid() }
}

/// Supplementary groups of this process.
pub fn getgroups() -> io::Result<Vec<Gid>> {
    // SAFETY: size 0 only asks for the count.
    let count = check(unsafe { libc::getgroups(0, std::ptr::null_mut()) })?;
    let mut list = vec![0 as libc::gid_t; count as usize];
    // SAFETY: the list has room for `count` ids.
    let got = check(unsafe { libc::getgroups(count, list.as_mut_ptr()) })?;
    list.truncate(got as usize);
    Ok(list)
}

/// Replaces the supplementary groups.
pub fn setgroups(groups: &[Gid]) -> io::Result<()> {
    // SAFETY: pointer and length belong together.
    check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) }).map(drop)
}

/// Supplementary groups from the group data base for a user, plus `gid`.
pub fn initgroups(user: &[u8], gid: Gid) -> io::Result<()> {
    let user = cstr(user)?;
    // SAFETY: a valid C string.
    check(unsafe { libc::initgroups(user.as_ptr(), gid) }).map(drop)
}

/// setuid(2): for root all three ids, for good. Verified afterwards.
pub fn setuid(uid: Uid) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::setuid(uid) })?;
    if getuid() == uid && geteuid() == uid { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

/// setgid(2): for root all three ids. Verified afterwards.
pub fn setgid(gid: Gid) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::setgid(gid) })?;
    if getgid() == gid && getegid() == gid { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

/// Changes only the effective user id (to be changed back).
pub fn seteuid(uid: Uid) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::seteuid(uid) }).map(drop)
}

/// Changes only the effective group id.
pub fn setegid(gid: Gid) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::setegid(gid) }).map(drop)
}

/// Sets real, effective and saved user id.
pub fn setresuid(real: Uid, effective: Uid, saved: Uid) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::setresuid(real, effective, saved) }).map(drop)
}

/// Sets real, effective and saved group id.
pub fn setresgid(real: Gid, effective: Gid, saved: Gid) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::setresgid(real, effective, saved) }).map(drop)
}

/// Which step of [`become_user`] failed.
#[derive(Debug)]
pub enum BecomeError {
    /// setgid(gid)
    Gid(io::Error),
    /// initgroups or setgroups
    Groups(io::Error),
    /// setuid(uid)
    Uid(io::Error),
}

impl std::fmt::Display for BecomeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (step, e) = match self {
            Self::Gid(e) => ("setgid", e),
            Self::Groups(e) => ("initgroups", e),
            Self::Uid(e) => ("setuid", e),
        };
        write!(f, "{step} failed: {}", super::error_text(e))
    }
}
impl std::error::Error for BecomeError {}

/// Becomes a user for good: group, supplementary groups (those of the user when `initgroups_for`
/// names one, else just `gid`), then user; checks that root cannot be had back.
/// Without root it succeeds only if nothing would change.
pub fn become_user(uid: Uid, gid: Gid, initgroups_for: Option<&[u8]>) -> Result<(), BecomeError> {
    match initgroups_for {
        Some(user) if geteuid() == 0 => initgroups(user, gid).map_err(BecomeError::Groups)?,
        Some(_) => {}
        None => return become_with_groups(uid, gid, &[gid]),
    }
    become_ids(uid, gid)
}

/// The same, with these supplementary groups.
pub fn become_with_groups(uid: Uid, gid: Gid, groups: &[Gid]) -> Result<(), BecomeError> {
    if geteuid() == 0 {
        setgroups(groups).map_err(BecomeError::Groups)?;
    }
    become_ids(uid, gid)
}

fn become_ids(uid: Uid, gid: Gid) -> Result<(), BecomeError> {
    if geteuid() == 0 {
        setresgid(gid, gid, gid).map_err(BecomeError::Gid)?;
        setresuid(uid, uid, uid).map_err(BecomeError::Uid)?;
        if uid != 0 && setuid(0).is_ok() {
            return Err(BecomeError::Uid(io::Error::from_raw_os_error(libc::EPERM)));
        }
        return Ok(());
    }
    if getegid() != gid || getgid() != gid {
        setgid(gid).map_err(BecomeError::Gid)?;
    }
    if geteuid() != uid || getuid() != uid {
        setuid(uid).map_err(BecomeError::Uid)?;
    }
    Ok(())
}

/// Another effective user for a while; dropping it gives the old ids back, and if that fails the
/// process aborts (it must not go on under the wrong identity). Only for single-threaded processes.
#[derive(Debug)]
pub struct EffectiveGuard {
    uid: Uid,
    gid: Gid,
}

impl EffectiveGuard {
    /// Changes the effective ids.
    pub fn become_effective(uid: Uid, gid: Gid) -> io::Result<Self> {
        let old = Self { uid: geteuid(), gid: getegid() };
        setegid(gid)?;
        if let Err(e) = seteuid(uid) {
            if setegid(old.gid).is_err() {
                std::process::abort();
            }
            std::mem::forget(old);
            return Err(e);
        }
        Ok(old)
    }
}

impl Drop for EffectiveGuard {
    fn drop(&mut self) {
        if seteuid(self.uid).is_err() || setegid(self.gid).is_err() {
            std::process::abort();
        }
    }
}

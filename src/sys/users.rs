//! The user and group data bases (getpwnam and relatives, in their reentrant forms).
//!
//! `Ok(None)` is "no such user"; an `Err` is a data base that could not be asked (NIS, LDAP down),
//! which callers treat as a temporary failure.

use super::cstr;
use bstr::BString;
use std::ffi::CStr;
use std::io;

/// One entry of the user data base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: BString,
    pub uid: u32,
    pub gid: u32,
    /// The comment field with the full name, as it is ("&" not replaced).
    pub gecos: BString,
    pub home: BString,
    pub shell: BString,
    pub password: BString,
}

/// One entry of the group data base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: BString,
    pub gid: u32,
    pub members: Vec<BString>,
}

/// Copies a C string that may be null.
///
/// # Safety
/// `p` must be null or point to a NUL-terminated string.
unsafe fn copy(p: *const libc::c_char) -> BString {
    if p.is_null() {
        return BString::default();
    }
    // SAFETY: by the caller's contract.
    unsafe { CStr::from_ptr(p) }.to_bytes().into()
}

const MAX_BUFFER: usize = 1 << 20;

/// Runs a `get*_r` function with a buffer that grows for as long as it says ERANGE.
fn with_buffer<T>(mut call: impl FnMut(&mut [libc::c_char]) -> (i32, Option<T>)) -> io::Result<Option<T>> {
    let mut size = 4096;
    loop {
        let mut buf = vec![0 as libc::c_char; size];
        match call(&mut buf) {
            (0, found) => return Ok(found),
            (libc::ERANGE, _) if size < MAX_BUFFER => size *= 4,
            (libc::EINTR, _) => {}
            // Several C libraries use these for "not found" (getpwnam_r(3)).
            (libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM, _) => return Ok(None),
            (errno, _) => return Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

fn user_of(
    mut get: impl FnMut(*mut libc::passwd, &mut [libc::c_char], *mut *mut libc::passwd) -> i32,
) -> io::Result<Option<User>> {
    with_buffer(|buf| {
        // SAFETY: passwd is pointers and integers; all zero is a valid value.
        let mut pw: libc::passwd = unsafe { std::mem::zeroed() };
        let mut result = std::ptr::null_mut();
        let rc = get(&mut pw, buf, &mut result);
        if rc != 0 || result.is_null() {
            return (rc, None);
        }
        // SAFETY: on success the fields point to strings in `buf`, which is still alive.
        let user = unsafe {
            User {
                name: copy(pw.pw_name),
                uid: pw.pw_uid,
                gid: pw.pw_gid,
                gecos: copy(pw.pw_gecos),
                home: copy(pw.pw_dir),
                shell: copy(pw.pw_shell),
                password: copy(pw.pw_passwd),
            }
        };
        (0, Some(user))
    })
}

/// The user of this login name. A name with a NUL byte does not exist.
pub fn user_by_name(name: &[u8]) -> io::Result<Option<User>> {
    let Ok(name) = cstr(name) else {
        return Ok(None);
    };
    // SAFETY: all pointers are valid for the call, the buffer's length is its own.
    user_of(|pw, buf, res| unsafe { libc::getpwnam_r(name.as_ptr(), pw, buf.as_mut_ptr(), buf.len(), res) })
}

/// The (first) user of this number.
pub fn user_by_id(uid: u32) -> io::Result<Option<User>> {
    // SAFETY: as above.
    user_of(|pw, buf, res| unsafe { libc::getpwuid_r(uid, pw, buf.as_mut_ptr(), buf.len(), res) })
}

fn group_of(
    mut get: impl FnMut(*mut libc::group, &mut [libc::c_char], *mut *mut libc::group) -> i32,
) -> io::Result<Option<Group>> {
    with_buffer(|buf| {
        // SAFETY: group is pointers and integers; all zero is a valid value.
        let mut gr: libc::group = unsafe { std::mem::zeroed() };
        let mut result = std::ptr::null_mut();
        let rc = get(&mut gr, buf, &mut result);
        if rc != 0 || result.is_null() {
            return (rc, None);
        }
        let mut members = Vec::new();
        // SAFETY: on success the fields point into `buf`; gr_mem is a null-terminated array.
        let group = unsafe {
            let mut m = gr.gr_mem;
            while !m.is_null() && !(*m).is_null() {
                members.push(copy(*m));
                m = m.add(1);
            }
            Group { name: copy(gr.gr_name), gid: gr.gr_gid, members }
        };
        (0, Some(group))
    })
}

/// The group of this name.
pub fn group_by_name(name: &[u8]) -> io::Result<Option<Group>> {
    let Ok(name) = cstr(name) else {
        return Ok(None);
    };
    // SAFETY: as in user_by_name.
    group_of(|gr, buf, res| unsafe { libc::getgrnam_r(name.as_ptr(), gr, buf.as_mut_ptr(), buf.len(), res) })
}

/// The group of this number.
pub fn group_by_id(gid: u32) -> io::Result<Option<Group>> {
    // SAFETY: as in user_by_name.
    group_of(|gr, buf, res| unsafe { libc::getgrgid_r(gid, gr, buf.as_mut_ptr(), buf.len(), res) })
}

/// All groups a user is in, `gid` included: what initgroups would set.
pub fn group_list(user: &[u8], gid: u32) -> io::Result<Vec<u32>> {
    let user = cstr(user)?;
    let mut size: libc::c_int = 64;
    loop {
        let mut list = vec![0 as libc::gid_t; size as usize];
        let mut count = size;
        // SAFETY: `count` says how many ids fit into the list.
        let rc = unsafe { libc::getgrouplist(user.as_ptr(), gid, list.as_mut_ptr(), &mut count) };
        if rc >= 0 {
            list.truncate(count.max(0) as usize);
            return Ok(list);
        }
        if size >= 65536 {
            return Err(io::Error::from_raw_os_error(libc::ERANGE));
        }
        size = count.max(size * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_exists() {
        let u = user_by_name(b"root").unwrap().unwrap();
        assert_eq!(u.uid, 0);
        assert_eq!(user_by_id(0).unwrap().unwrap().name, "root");
        assert!(user_by_name(b"no such user \0").unwrap().is_none());
        assert!(user_by_name(b"surely-not-a-user-here").unwrap().is_none());
        assert!(group_list(b"root", 0).unwrap().contains(&0));
    }
}

//! A limit for each read and write of the library. Its own time-outs are for the beginning of a message only: a server that stops
//! in the middle of one would be waited for without end.

use std::time::Duration;

use libc::{c_int, c_void, timeval};

use super::{Handle, loaded, time};

type Add = unsafe extern "C" fn(Handle, Handle, Handle, Handle, *const Limit) -> c_int;
type Remove = unsafe extern "C" fn(Handle, Handle, *const Limit);

/// `struct ldap_conncb`, and after it what is ours.
#[repr(C)]
pub(super) struct Limit {
    add: Add,
    remove: Remove,
    argument: *mut c_void,
    time: timeval,
}

/// LBER_SB_OPT_GET_FD
const GET_FD: c_int = 1;

impl Limit {
    pub(super) fn new(patience: Duration) -> Box<Self> {
        Box::new(Limit { add: connected, remove: closed, argument: std::ptr::null_mut(), time: time(patience) })
    }
}

/// The library has connected a socket, also one of a referral.
unsafe extern "C" fn connected(_: Handle, socket: Handle, _: Handle, _: Handle, limit: *const Limit) -> c_int {
    let Ok(f) = loaded() else { return -1 };
    let mut fd: c_int = -1;
    // SAFETY: the library gives its socket and the address that it was given, which lives as long as the connection.
    unsafe {
        if (f.ber_sockbuf_ctrl)(socket, GET_FD, (&raw mut fd).cast()) == 1 {
            let size = size_of::<timeval>() as libc::socklen_t;
            for option in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
                libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const (*limit).time).cast(), size);
            }
        }
    }
    0
}

unsafe extern "C" fn closed(_: Handle, _: Handle, _: *const Limit) {}

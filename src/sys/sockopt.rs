//! Socket options, one function for each.

use super::check;
use super::net::Family;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

fn set<T>(fd: BorrowedFd<'_>, level: i32, name: i32, value: &T) -> io::Result<()> {
    // SAFETY: the value and its size belong together; the kernel copies it.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (value as *const T).cast(), size_of::<T>() as libc::socklen_t) })
        .map(drop)
}

fn get_int(fd: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<i32> {
    let mut v: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the place and its size belong together.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, (&raw mut v).cast(), &mut len) })?;
    Ok(v)
}

/// TCP_NODELAY
pub fn nodelay(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    set(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, &i32::from(on))
}
/// SO_KEEPALIVE
pub fn keepalive(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    set(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, &i32::from(on))
}
/// SO_REUSEADDR
pub fn reuse_address(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    set(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, &i32::from(on))
}
/// IPV6_V6ONLY
pub fn v6_only(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    set(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &i32::from(on))
}
/// TCP_FASTOPEN on a listening socket: the number of pending requests allowed.
pub fn fast_open_server(fd: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    set(fd, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, &backlog)
}
/// TCP_FASTOPEN_CONNECT: connect returns at once and the first write goes with the SYN.
pub fn fast_open_connect(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    set(fd, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, &i32::from(on))
}
/// SO_LINGER
pub fn linger(fd: BorrowedFd<'_>, time: Option<Duration>) -> io::Result<()> {
    let l = libc::linger {
        l_onoff: i32::from(time.is_some()),
        l_linger: time.map_or(0, |t| t.as_secs().min(i32::MAX as u64) as i32),
    };
    set(fd, libc::SOL_SOCKET, libc::SO_LINGER, &l)
}

/// The socket's family; `None` if it is not IP.
pub fn family(fd: BorrowedFd<'_>) -> io::Result<Option<Family>> {
    Ok(match get_int(fd, libc::SOL_SOCKET, libc::SO_DOMAIN)? {
        libc::AF_INET => Some(Family::V4),
        libc::AF_INET6 => Some(Family::V6),
        _ => None,
    })
}

/// The whole TOS byte (IPv4) or traffic class (IPv6), the DSCP being its upper six bits.
pub fn set_tos(fd: BorrowedFd<'_>, tos: u8) -> io::Result<()> {
    let v = i32::from(tos);
    match family(fd)? {
        Some(Family::V4) => set(fd, libc::IPPROTO_IP, libc::IP_TOS, &v),
        Some(Family::V6) => set(fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &v),
        None => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    }
}

/// The TOS byte or traffic class set on the socket.
pub fn tos(fd: BorrowedFd<'_>) -> io::Result<u8> {
    let v = match family(fd)? {
        Some(Family::V4) => get_int(fd, libc::IPPROTO_IP, libc::IP_TOS)?,
        Some(Family::V6) => get_int(fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS)?,
        None => return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    };
    Ok((v & 0xff) as u8)
}

/// The pending error of a socket (an errno, 0 for none), which is thereby cleared.
pub fn take_error(fd: BorrowedFd<'_>) -> io::Result<i32> {
    get_int(fd, libc::SOL_SOCKET, libc::SO_ERROR)
}

/// IP options the peer sent with its connection (source routing and such); empty if none.
pub fn ip_options(fd: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut buf = vec![0u8; 64];
    let mut len = buf.len() as libc::socklen_t;
    // SAFETY: the buffer and its size belong together.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), libc::IPPROTO_IP, libc::IP_OPTIONS, buf.as_mut_ptr().cast(), &mut len) })?;
    buf.truncate(len as usize);
    Ok(buf)
}

/// What became of TCP fast open on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpState {
    /// Data in our SYN was acknowledged (client), or data came in the peer's SYN (server).
    pub syn_data: bool,
    /// Kernel's tcpi_state (1 is ESTABLISHED).
    pub state: u8,
    /// Bytes or segments sent and not yet acknowledged.
    pub unacked: u32,
    /// TCP Fast Open was asked for, but there was no cookie for the host.
    pub cookie_missing: bool,
}

/// TCP_INFO.
pub fn tcp_state(fd: BorrowedFd<'_>) -> io::Result<TcpState> {
    const TCPI_OPT_SYN_DATA: u8 = 32;
    /// tcpi_fastopen_client_fail, two bits above the lowest of the eighth byte; 1 is TFO_COOKIE_UNAVAILABLE.
    const CLIENT_FAIL: usize = 7;
    // SAFETY: tcp_info is plain integers; zero is valid.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the place and its size belong together.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &mut len) })?;
    // SAFETY: a byte within the struct, which libc does not name.
    let fail = unsafe { (&raw const info).cast::<u8>().add(CLIENT_FAIL).read() };
    Ok(TcpState {
        syn_data: info.tcpi_options & TCPI_OPT_SYN_DATA != 0,
        state: info.tcpi_state,
        unacked: info.tcpi_unacked,
        cookie_missing: (fail >> 1) & 3 == 1,
    })
}

/// Did the peer of a connection that has just been accepted use TCP Fast Open? `true`: with data. Without data that shows
/// only while its acknowledgement is still on the way.
pub fn fast_opened(fd: BorrowedFd<'_>) -> Option<bool> {
    const SYN_RECV: u8 = 3;
    let state = tcp_state(fd).ok()?;
    if state.syn_data { Some(true) } else { (state.state == SYN_RECV).then_some(false) }
}

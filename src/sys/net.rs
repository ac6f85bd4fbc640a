//! TCP and UDP sockets over IPv4 and IPv6: make, bind, listen, accept, connect, addresses.
//!
//! Options are in [`super::sockopt`], Unix sockets in [`super::unix`].

use super::{check, check_size, retry};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(ip: &IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }
    pub(crate) fn raw(self) -> libc::c_int {
        match self {
            Self::V4 => libc::AF_INET,
            Self::V6 => libc::AF_INET6,
        }
    }
}

/// A C socket address with its length.
pub(crate) struct RawAddr {
    storage: libc::sockaddr_storage,
    len: libc::socklen_t,
}

impl RawAddr {
    pub(crate) fn empty() -> Self {
        // SAFETY: sockaddr_storage is plain bytes; zero is valid (AF_UNSPEC).
        Self { storage: unsafe { std::mem::zeroed() }, len: size_of::<libc::sockaddr_storage>() as libc::socklen_t }
    }

    pub(crate) fn new(addr: &SocketAddr) -> Self {
        let mut raw = Self::empty();
        match addr {
            SocketAddr::V4(a) => {
                let s = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: a.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(a.ip().octets()) },
                    sin_zero: [0; 8],
                };
                // SAFETY: sockaddr_storage is large and aligned enough for every address form.
                unsafe { (&raw mut raw.storage).cast::<libc::sockaddr_in>().write(s) };
                raw.len = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            SocketAddr::V6(a) => {
                let s = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: a.port().to_be(),
                    sin6_flowinfo: a.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: a.ip().octets() },
                    sin6_scope_id: a.scope_id(),
                };
                // SAFETY: as above.
                unsafe { (&raw mut raw.storage).cast::<libc::sockaddr_in6>().write(s) };
                raw.len = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
        }
        raw
    }

    pub(crate) fn ptr(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }
    pub(crate) fn len(&self) -> libc::socklen_t {
        self.len
    }

    /// `None` for other families (a Unix socket).
    pub(crate) fn decode(&self) -> Option<SocketAddr> {
        // SAFETY: ptr() points to a whole sockaddr_storage.
        unsafe { decode(self.ptr()) }
    }
}

/// Reads an AF_INET or AF_INET6 address.
///
/// # Safety
/// `p` must point to a complete address of the family that it names.
pub(crate) unsafe fn decode(p: *const libc::sockaddr) -> Option<SocketAddr> {
    // SAFETY: by the caller's contract.
    unsafe {
        match i32::from((*p).sa_family) {
            libc::AF_INET => {
                let s = p.cast::<libc::sockaddr_in>().read_unaligned();
                let ip = Ipv4Addr::from(s.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddrV4::new(ip, u16::from_be(s.sin_port)).into())
            }
            libc::AF_INET6 => {
                let s = p.cast::<libc::sockaddr_in6>().read_unaligned();
                let ip = Ipv6Addr::from(s.sin6_addr.s6_addr);
                Some(SocketAddrV6::new(ip, u16::from_be(s.sin6_port), s.sin6_flowinfo, s.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

/// A new TCP socket.
pub fn tcp_socket(family: Family) -> io::Result<OwnedFd> {
    socket(family.raw(), libc::SOCK_STREAM)
}

/// A new UDP socket.
pub fn udp_socket(family: Family) -> io::Result<OwnedFd> {
    socket(family.raw(), libc::SOCK_DGRAM)
}

pub(crate) fn socket(domain: libc::c_int, kind: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: integers; the descriptor is new.
    let fd = check(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// bind(2).
pub fn bind(fd: BorrowedFd<'_>, addr: &SocketAddr) -> io::Result<()> {
    let a = RawAddr::new(addr);
    // SAFETY: address and its length.
    check(unsafe { libc::bind(fd.as_raw_fd(), a.ptr(), a.len()) }).map(drop)
}

/// listen(2).
pub fn listen(fd: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

/// One connection and its peer. `Interrupted` and `WouldBlock` are the caller's to handle.
pub fn accept(fd: BorrowedFd<'_>) -> io::Result<(OwnedFd, SocketAddr)> {
    let mut a = RawAddr::empty();
    // SAFETY: storage with its length.
    let new = check(unsafe { libc::accept4(fd.as_raw_fd(), (&raw mut a.storage).cast(), &mut a.len, libc::SOCK_CLOEXEC) })?;
    // SAFETY: new and ours.
    let new = unsafe { OwnedFd::from_raw_fd(new) };
    let peer = a.decode().ok_or(io::ErrorKind::InvalidData)?;
    Ok((new, peer))
}

/// Connects within `timeout` (`None`: the kernel's own limit). `TimedOut` when it passes.
/// The socket is blocking afterwards.
pub fn connect(fd: BorrowedFd<'_>, addr: &SocketAddr, timeout: Option<Duration>) -> io::Result<()> {
    let a = RawAddr::new(addr);
    let deadline = timeout.map(|t| Instant::now() + t);
    connect_raw(fd, deadline, |raw| {
        // SAFETY: address and its length.
        unsafe { libc::connect(raw, a.ptr(), a.len()) }
    })
}

pub(crate) fn connect_raw(fd: BorrowedFd<'_>, deadline: Option<Instant>, call: impl Fn(i32) -> i32) -> io::Result<()> {
    super::fd::set_nonblocking(fd, true)?;
    let result = match check(call(fd.as_raw_fd())) {
        Ok(_) => Ok(()),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => finish_connect(fd, deadline),
        Err(e) => Err(e),
    };
    super::fd::set_nonblocking(fd, false)?;
    result
}

fn finish_connect(fd: BorrowedFd<'_>, deadline: Option<Instant>) -> io::Result<()> {
    if !super::poll::wait_writable(fd, deadline)? {
        return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
    }
    match super::sockopt::take_error(fd)? {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Connects with TCP Fast Open but without data. The result says whether the kernel had a cookie for the host; if not,
/// one was asked for, and the connection was made as always.
pub fn connect_fast_open(fd: BorrowedFd<'_>, addr: &SocketAddr, timeout: Option<Duration>) -> io::Result<bool> {
    let a = RawAddr::new(addr);
    let deadline = timeout.map(|t| Instant::now() + t);
    super::fd::set_nonblocking(fd, true)?;
    let flags = libc::MSG_FASTOPEN | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: no data; the address with its length.
    let sent = check_size(unsafe { libc::sendto(fd.as_raw_fd(), std::ptr::null(), 0, flags, a.ptr(), a.len()) });
    let result = match sent {
        Ok(_) => finish_connect(fd, deadline),
        Err(e) => match e.raw_os_error() {
            Some(libc::EINPROGRESS) => finish_connect(fd, deadline),
            // The kernel does not do it.
            Some(libc::EOPNOTSUPP | libc::ENOTCONN | libc::EPIPE) => return connect(fd, addr, timeout).map(|()| false),
            _ => Err(e),
        },
    };
    super::fd::set_nonblocking(fd, false)?;
    result?;
    Ok(super::sockopt::tcp_state(fd).is_ok_and(|s| !s.cookie_missing))
}

/// Our end's address; `None` if it is no IP socket.
pub fn local_address(fd: BorrowedFd<'_>) -> io::Result<Option<SocketAddr>> {
    let mut a = RawAddr::empty();
    // SAFETY: storage with its length.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut a.storage).cast(), &mut a.len) })?;
    Ok(a.decode())
}

/// The other end's address; `None` if it is no IP socket. `NotConnected`/ENOTSOCK are errors.
pub fn peer_address(fd: BorrowedFd<'_>) -> io::Result<Option<SocketAddr>> {
    let mut a = RawAddr::empty();
    // SAFETY: storage with its length.
    check(unsafe { libc::getpeername(fd.as_raw_fd(), (&raw mut a.storage).cast(), &mut a.len) })?;
    Ok(a.decode())
}

/// Closes the writing half (`write`) or both.
pub fn shutdown(fd: BorrowedFd<'_>, write_only: bool) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), if write_only { libc::SHUT_WR } else { libc::SHUT_RDWR }) }).map(drop)
}

/// Looks at what has come without taking it; `WouldBlock` if nothing has, 0 at the end.
pub fn peek(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    // SAFETY: buffer with its length.
    retry(|| check_size(unsafe { libc::recv(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), flags) }))
}

/// Sends with MSG_NOSIGNAL; `more` says that further data follows at once (MSG_MORE).
pub fn send(fd: BorrowedFd<'_>, buf: &[u8], more: bool) -> io::Result<usize> {
    let flags = libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
    // SAFETY: buffer with its length.
    retry(|| check_size(unsafe { libc::send(fd.as_raw_fd(), buf.as_ptr().cast(), buf.len(), flags) }))
}

/// Receives what has come (blocks as the socket does).
pub fn recv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: buffer with its length.
    retry(|| check_size(unsafe { libc::recv(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), 0) }))
}

/// True if the kernel has this family at all.
pub fn family_available(family: Family) -> bool {
    udp_socket(family).is_ok_and(|s| s.as_fd().as_raw_fd() >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback() {
        let l = tcp_socket(Family::V4).unwrap();
        bind(l.as_fd(), &"127.0.0.1:0".parse().unwrap()).unwrap();
        listen(l.as_fd(), 5).unwrap();
        let addr = local_address(l.as_fd()).unwrap().unwrap();
        let c = tcp_socket(Family::V4).unwrap();
        connect(c.as_fd(), &addr, Some(Duration::from_secs(5))).unwrap();
        let (s, peer) = accept(l.as_fd()).unwrap();
        assert_eq!(Some(peer), local_address(c.as_fd()).unwrap());
        assert_eq!(peer_address(c.as_fd()).unwrap(), Some(addr));
        assert_eq!(peek(s.as_fd(), &mut [0; 4]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        send(c.as_fd(), b"x", false).unwrap();
        assert!(super::super::poll::wait_readable(s.as_fd(), Some(Instant::now() + Duration::from_secs(5))).unwrap());
        assert_eq!(peek(s.as_fd(), &mut [0; 4]).unwrap(), 1);
        drop(l);
        let c2 = tcp_socket(Family::V4).unwrap();
        let e = connect(c2.as_fd(), &addr, Some(Duration::from_secs(5))).unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::ConnectionRefused);
    }
}

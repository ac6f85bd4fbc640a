//! Unix domain sockets: stream and seqpacket, pairs, paths and abstract names, passing descriptors,
//! and who is at the other end.

use super::{check, check_size, retry};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// The kind of socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Stream,
    /// Connected, keeps record boundaries.
    SeqPacket,
    Datagram,
}

impl Kind {
    fn raw(self) -> libc::c_int {
        match self {
            Self::Stream => libc::SOCK_STREAM,
            Self::SeqPacket => libc::SOCK_SEQPACKET,
            Self::Datagram => libc::SOCK_DGRAM,
        }
    }
}

/// Two connected sockets.
pub fn pair(kind: Kind) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind.raw() | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr()) })?;
    // SAFETY: both are new and ours.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// A new unconnected socket.
pub fn socket(kind: Kind) -> io::Result<OwnedFd> {
    super::net::socket(libc::AF_UNIX, kind.raw())
}

/// An address: a path, or with a leading NUL or `@` an abstract name (Linux). At most 107 bytes.
fn address(path: &[u8]) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: plain bytes; zero is valid.
    let mut a: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    a.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let is_abstract = matches!(path.first(), Some(0 | b'@'));
    if path.is_empty() || path.len() >= a.sun_path.len() || path.iter().skip(1).any(|b| *b == 0) {
        return Err(io::Error::from_raw_os_error(if path.len() >= a.sun_path.len() { libc::ENAMETOOLONG } else { libc::EINVAL }));
    }
    for (to, from) in a.sun_path.iter_mut().zip(path) {
        *to = *from as libc::c_char;
    }
    if is_abstract {
        a.sun_path[0] = 0;
    }
    let base = std::mem::offset_of!(libc::sockaddr_un, sun_path);
    let len = base + path.len() + usize::from(!is_abstract);
    Ok((a, len as libc::socklen_t))
}

/// bind(2); see the crate's file rules: the caller removes a stale path first.
pub fn bind(fd: BorrowedFd<'_>, path: &[u8]) -> io::Result<()> {
    let (a, len) = address(path)?;
    // SAFETY: address and length.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const a).cast(), len) }).map(drop)
}

/// Connects a new socket of this kind within the timeout.
pub fn connect(kind: Kind, path: &[u8], timeout: Option<Duration>) -> io::Result<OwnedFd> {
    let (a, len) = address(path)?;
    let fd = socket(kind)?;
    let deadline = timeout.map(|t| Instant::now() + t);
    super::net::connect_raw(fd.as_fd(), deadline, |raw| {
        // SAFETY: address and length.
        unsafe { libc::connect(raw, (&raw const a).cast(), len) }
    })?;
    Ok(fd)
}

/// Accepts on a listening Unix socket.
pub fn accept(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: null address means "do not tell".
    let new = check(unsafe { libc::accept4(fd.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC) })?;
    // SAFETY: new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Who connected (or made the pair).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
}

/// SO_PEERCRED.
pub fn peer_credentials(fd: BorrowedFd<'_>) -> io::Result<Peer> {
    let mut c = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: place and size belong together.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut c).cast(), &mut len) })?;
    Ok(Peer { pid: c.pid, uid: c.uid, gid: c.gid })
}

/// Most descriptors in one message.
const MAX_FDS: usize = 4;

#[repr(C, align(8))]
struct Control([u8; 64]);

/// Sends a record, with up to four descriptors along. `WouldBlock` on a full non-blocking socket.
pub fn send(fd: BorrowedFd<'_>, data: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    if fds.len() > MAX_FDS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let raw: Vec<libc::c_int> = fds.iter().map(|f| f.as_raw_fd()).collect();
    let mut iov = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    let mut control = Control([0; 64]);
    // SAFETY: msghdr is plain; the control buffer is aligned and holds one header with four
    // descriptors (16 + 16 bytes); the kernel only reads.
    let n = unsafe {
        let mut msg: libc::msghdr = std::mem::zeroed();
        msg.msg_iov = &mut iov;
        msg.msg_iovlen = 1;
        if !raw.is_empty() {
            let bytes = size_of_val(raw.as_slice());
            msg.msg_control = control.0.as_mut_ptr().cast();
            msg.msg_controllen = libc::CMSG_SPACE(bytes as u32) as _;
            let c = libc::CMSG_FIRSTHDR(&msg);
            (*c).cmsg_level = libc::SOL_SOCKET;
            (*c).cmsg_type = libc::SCM_RIGHTS;
            (*c).cmsg_len = libc::CMSG_LEN(bytes as u32) as _;
            std::ptr::copy_nonoverlapping(raw.as_ptr().cast::<u8>(), libc::CMSG_DATA(c), bytes);
        }
        retry(|| check_size(libc::sendmsg(fd.as_raw_fd(), &msg, libc::MSG_NOSIGNAL)))?
    };
    if n == data.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Receives one record into `buf` (0 bytes: the other end is closed) and the descriptors with it.
/// A record longer than `buf` is `InvalidData`.
pub fn recv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut iov = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    let mut control = Control([0; 64]);
    let mut fds = Vec::new();
    // SAFETY: buffers with their lengths; control headers are walked with the C library's macros and
    // descriptors in SCM_RIGHTS are new and ours.
    let (n, cut) = unsafe {
        let mut msg: libc::msghdr = std::mem::zeroed();
        msg.msg_iov = &mut iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control.0.as_mut_ptr().cast();
        msg.msg_controllen = control.0.len() as _;
        let n = retry(|| check_size(libc::recvmsg(fd.as_raw_fd(), &mut msg, libc::MSG_CMSG_CLOEXEC)))?;
        let mut c = libc::CMSG_FIRSTHDR(&msg);
        while !c.is_null() {
            if (*c).cmsg_level == libc::SOL_SOCKET && (*c).cmsg_type == libc::SCM_RIGHTS {
                let bytes = ((*c).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                let data = libc::CMSG_DATA(c).cast::<libc::c_int>();
                for i in 0..bytes / size_of::<libc::c_int>() {
                    fds.push(OwnedFd::from_raw_fd(data.add(i).read_unaligned()));
                }
            }
            c = libc::CMSG_NXTHDR(&msg, c);
        }
        (n, msg.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0)
    };
    if cut { Err(io::ErrorKind::InvalidData.into()) } else { Ok((n, fds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_descriptors() {
        let (a, b) = pair(Kind::SeqPacket).unwrap();
        let (r, w) = super::super::fd::pipe().unwrap();
        send(a.as_fd(), b"first", &[w.as_fd()]).unwrap();
        send(a.as_fd(), b"second", &[]).unwrap();
        drop(w);
        let mut buf = [0; 32];
        let (n, fds) = recv(b.as_fd(), &mut buf).unwrap();
        assert_eq!((&buf[..n], fds.len()), (&b"first"[..], 1));
        super::super::fd::write(fds[0].as_fd(), b"through").unwrap();
        drop(fds);
        let (out, _) = super::super::fd::read_to_end_deadline(r.as_fd(), 100, None).unwrap();
        assert_eq!(out, b"through");
        assert_eq!(recv(b.as_fd(), &mut buf).unwrap().0, 6);
        assert_eq!(peer_credentials(a.as_fd()).unwrap().pid, super::super::process::getpid());
        drop(a);
        assert_eq!(recv(b.as_fd(), &mut buf).unwrap().0, 0);
    }
}

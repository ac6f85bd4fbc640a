//! The one place with `unsafe`: namespaces, mounts, interfaces, users, signals, sockets.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::io::{self, Error};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Who a command runs as.
#[derive(Clone, Debug)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

fn cstring(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).expect("a path without NUL")
}

// --- Namespaces and mounts ---

/// A mount namespace of our own, from which nothing propagates to the host.
pub fn unshare_mounts() -> io::Result<()> {
    // SAFETY: plain system call without pointers.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    mount("none", "/", "", libc::MS_REC | libc::MS_PRIVATE, "")
}

/// Network, host name, IPC and (for the children) process ids of our own.
pub fn unshare_world() -> io::Result<()> {
    let flags = libc::CLONE_NEWNET | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWPID;
    // SAFETY: plain system call without pointers.
    check(unsafe { libc::unshare(flags) })?;
    Ok(())
}

fn mount(source: impl AsRef<Path>, target: impl AsRef<Path>, kind: &str, flags: libc::c_ulong, data: &str) -> io::Result<()> {
    let (source, target) = (cstring(source), cstring(target));
    let (kind, data) = (cstring(kind), cstring(data));
    // SAFETY: all four strings are NUL-terminated and outlive the call.
    check(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast()) })?;
    Ok(())
}

pub fn mount_tmpfs(target: impl AsRef<Path>, mode: &str) -> io::Result<()> {
    mount("tmpfs", target, "tmpfs", 0, &format!("mode={mode}"))
}

/// A directory that can be written to without changing it: what is new is in `upper`.
pub fn mount_overlay(lower: &str, upper: &Path, work: &Path) -> io::Result<()> {
    let data = format!("lowerdir={lower},upperdir={},workdir={}", upper.display(), work.display());
    mount("overlay", lower, "overlay", 0, &data)
}

pub fn mount_proc() -> io::Result<()> {
    mount("proc", "/proc", "proc", 0, "")
}

pub fn bind_mount(source: impl AsRef<Path>, target: impl AsRef<Path>) -> io::Result<()> {
    mount(source, target, "", libc::MS_BIND | libc::MS_REC, "")
}

pub fn set_host_name(name: &str) -> io::Result<()> {
    // SAFETY: pointer and length describe `name`.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })?;
    Ok(())
}

// --- Network interfaces ---

fn interface_request(name: &str) -> libc::ifreq {
    // SAFETY: an all-zero ifreq is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

fn control_socket(family: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is new and owned by nobody else.
    unsafe {
        let fd = check(libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

pub fn loopback_up() -> io::Result<()> {
    let socket = control_socket(libc::AF_INET)?;
    let mut request = interface_request("lo");
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request is a complete ifreq with the flags set.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) })?;
    Ok(())
}

/// Give the alias `lo:1` an address.
pub fn add_ipv4(address: Ipv4Addr) -> io::Result<()> {
    let socket = control_socket(libc::AF_INET)?;
    for (what, value) in [(libc::SIOCSIFADDR, address), (libc::SIOCSIFNETMASK, Ipv4Addr::new(255, 255, 255, 255))] {
        let mut request = interface_request("lo:1");
        let (storage, _) = raw_address(SocketAddr::new(value.into(), 0));
        // SAFETY: sockaddr_storage starts with the sockaddr_in just written.
        request.ifr_ifru.ifru_addr = unsafe { *std::ptr::from_ref(&storage).cast() };
        // SAFETY: the request is a complete ifreq with an IPv4 address.
        check(unsafe { libc::ioctl(socket.as_raw_fd(), what, &request) })?;
    }
    Ok(())
}

#[repr(C)]
struct Ipv6Request {
    address: libc::in6_addr,
    prefix: u32,
    interface: libc::c_int,
}

pub fn add_ipv6(address: Ipv6Addr) -> io::Result<()> {
    let socket = control_socket(libc::AF_INET6)?;
    let mut named = interface_request("lo");
    // SAFETY: SIOCGIFINDEX fills in ifru_ifindex, which is then read.
    let interface = unsafe {
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFINDEX, &mut named))?;
        named.ifr_ifru.ifru_ifindex
    };
    let request = Ipv6Request { address: libc::in6_addr { s6_addr: address.octets() }, prefix: 128, interface };
    // SAFETY: the request has the layout of the kernel's in6_ifreq.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFADDR, &request) })?;
    Ok(())
}

// --- Users, processes and signals ---

pub fn effective_uid() -> u32 {
    // SAFETY: cannot fail.
    unsafe { libc::geteuid() }
}

/// Real and effective user and group ids.
pub fn ids() -> (u32, u32, u32, u32) {
    // SAFETY: none of them can fail.
    unsafe { (libc::getuid(), libc::getgid(), libc::geteuid(), libc::getegid()) }
}

pub fn umask(mask: u32) {
    // SAFETY: cannot fail.
    unsafe { libc::umask(mask) };
}

/// Which of the three steps of becoming somebody else failed.
pub enum Refused {
    Groups(Error),
    Group(Error),
    User(Error),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        match refused {
            Refused::Groups(e) | Refused::Group(e) | Refused::User(e) => e,
        }
    }
}

pub fn become_user(who: &Identity) -> Result<(), Refused> {
    // SAFETY: pointer and length describe the vector of groups.
    unsafe {
        check(libc::setgroups(who.groups.len(), who.groups.as_ptr())).map_err(Refused::Groups)?;
        check(libc::setresgid(who.gid, who.gid, who.gid)).map_err(Refused::Group)?;
        check(libc::setresuid(who.uid, who.uid, who.uid)).map_err(Refused::User)?;
    }
    Ok(())
}

/// Let the command run as this user.
pub fn run_as(command: &mut Command, who: &Identity) {
    let who = who.clone();
    // SAFETY: only system calls that are safe between fork and exec.
    unsafe {
        command.pre_exec(move || {
            become_user(&who)?;
            Ok(())
        });
    }
}

/// Let the command be killed when the thread that started it dies.
pub fn die_with_parent(command: &mut Command) {
    // SAFETY: prctl is safe between fork and exec.
    unsafe {
        command.pre_exec(|| {
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            Ok(())
        });
    }
}

pub fn kill(pid: i32, signal: i32) -> bool {
    // SAFETY: plain system call.
    unsafe { libc::kill(pid, signal) == 0 }
}

/// Wait for any child: its pid and status, or nothing when there is none left.
pub fn wait_any() -> Option<(i32, ExitStatus)> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is a valid place for the result.
        let pid = unsafe { libc::waitpid(-1, &mut status, 0) };
        if pid > 0 {
            return Some((pid, ExitStatus::from_raw(status)));
        }
        if Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return None;
        }
    }
}

/// Wait for a child at most this long; nothing when it is still running then.
pub fn wait_for(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    // SAFETY: pidfd_open makes a new descriptor, which is owned from here on.
    let pidfd = unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, child.id() as libc::pid_t, 0);
        OwnedFd::from_raw_fd(check(fd as libc::c_int)?)
    };
    if wait_readable(&[pidfd.as_raw_fd()], limit)?.is_none() {
        return Ok(None);
    }
    child.wait().map(Some)
}

// --- Descriptors ---

/// The index of the first descriptor that can be read, or nothing after the time limit.
pub fn wait_readable(fds: &[RawFd], limit: Duration) -> io::Result<Option<usize>> {
    poll(fds, libc::POLLIN, limit)
}

fn poll(fds: &[RawFd], events: libc::c_short, limit: Duration) -> io::Result<Option<usize>> {
    let end = Instant::now() + limit;
    let mut polled: Vec<libc::pollfd> = fds.iter().map(|&fd| libc::pollfd { fd, events, revents: 0 }).collect();
    loop {
        let left = end.saturating_duration_since(Instant::now()).as_millis();
        let left = left.min(i32::MAX as u128) as libc::c_int;
        // SAFETY: pointer and length describe `polled`.
        let count = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as u64, left) };
        match check(count) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(polled.iter().position(|p| p.revents != 0)),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Descriptor flags, status flags and file status, as the `fd` helper prints them.
pub fn descriptor(fd: RawFd) -> Option<(i32, i32)> {
    // SAFETY: fcntl without pointers; a closed descriptor gives an error.
    unsafe {
        let options = check(libc::fcntl(fd, libc::F_GETFD)).ok()?;
        let status = check(libc::fcntl(fd, libc::F_GETFL)).ok()?;
        Some((options, status))
    }
}

/// Keep what the runner was started with from the tests: they are to see 0, 1 and 2 only.
pub fn close_inherited_on_exec() -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC as libc::c_int;
    // SAFETY: plain system call; descriptors stay open in this process.
    check(unsafe { libc::close_range(3, libc::c_uint::MAX, flags) })?;
    Ok(())
}

pub fn is_terminal(fd: RawFd) -> bool {
    // SAFETY: any number may be asked about.
    unsafe { libc::isatty(fd) == 1 }
}

/// Mode, uid, gid and size of an open descriptor.
pub fn file_status(fd: RawFd) -> Option<(u32, u32, u32, i64)> {
    // SAFETY: an all-zero stat is valid, and fstat fills it in.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        check(libc::fstat(fd, &mut stat)).ok()?;
        Some((stat.st_mode, stat.st_uid, stat.st_gid, stat.st_size))
    }
}

// --- Sockets that the standard library cannot make ---

fn raw_address(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: sockaddr_storage is large and aligned enough for both kinds, and zero is valid.
    unsafe {
        let mut storage: libc::sockaddr_storage = std::mem::zeroed();
        let place = std::ptr::from_mut(&mut storage);
        let size = match address {
            SocketAddr::V4(v4) => {
                let to = &mut *place.cast::<libc::sockaddr_in>();
                to.sin_family = libc::AF_INET as libc::sa_family_t;
                to.sin_port = v4.port().to_be();
                to.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                let to = &mut *place.cast::<libc::sockaddr_in6>();
                to.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                to.sin6_port = v6.port().to_be();
                to.sin6_addr.s6_addr = v6.ip().octets();
                to.sin6_scope_id = v6.scope_id();
                size_of::<libc::sockaddr_in6>()
            }
        };
        (storage, size as libc::socklen_t)
    }
}

fn stream_socket(address: IpAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: the descriptor is new and owned by nobody else.
    unsafe {
        let fd = check(libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

fn set_option(fd: &OwnedFd, level: i32, name: i32, value: libc::c_int) -> io::Result<()> {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: pointer and size describe `value`.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, std::ptr::from_ref(&value).cast(), size) })?;
    Ok(())
}

fn bind(fd: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let (raw, size) = raw_address(address);
    // SAFETY: `raw` holds a socket address of `size` bytes.
    check(unsafe { libc::bind(fd.as_raw_fd(), std::ptr::from_ref(&raw).cast(), size) })?;
    Ok(())
}

/// A listening socket; an IPv6 one takes IPv6 only.
pub fn listen(address: SocketAddr, fast_open: bool) -> io::Result<TcpListener> {
    let fd = stream_socket(address.ip())?;
    set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if address.is_ipv6() {
        set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    bind(&fd, address)?;
    if fast_open {
        set_option(&fd, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, 5)?;
    }
    // SAFETY: plain system call on our descriptor.
    check(unsafe { libc::listen(fd.as_raw_fd(), 10) })?;
    Ok(TcpListener::from(fd))
}

/// Why a connection could not be made.
pub enum Unconnected {
    Socket(Error),
    Bind(Error),
    Connect(Error),
}

/// Connect, from the given local address if there is one, within the time limit.
pub fn connect(to: SocketAddr, from: Option<IpAddr>, limit: Duration) -> Result<TcpStream, Unconnected> {
    let fd = stream_socket(to.ip()).map_err(Unconnected::Socket)?;
    if let Some(from) = from.filter(|from| from.is_ipv4() == to.is_ipv4()) {
        bind(&fd, SocketAddr::new(from, 0)).map_err(Unconnected::Bind)?;
    }
    let (raw, size) = raw_address(to);
    let stream = TcpStream::from(fd);
    let connected = || -> io::Result<()> {
        stream.set_nonblocking(true)?;
        // SAFETY: `raw` holds a socket address of `size` bytes.
        let result = check(unsafe { libc::connect(stream.as_raw_fd(), std::ptr::from_ref(&raw).cast(), size) });
        if let Err(e) = result {
            if e.raw_os_error() != Some(libc::EINPROGRESS) {
                return Err(e);
            }
            if poll(&[stream.as_raw_fd()], libc::POLLOUT, limit)?.is_none() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if let Some(e) = stream.take_error()? {
                return Err(e);
            }
        }
        stream.set_nonblocking(false)
    };
    connected().map_err(Unconnected::Connect)?;
    Ok(stream)
}

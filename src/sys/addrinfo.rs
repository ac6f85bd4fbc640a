//! Host names by the system's own means (getaddrinfo, getnameinfo): /etc/hosts, nsswitch and DNS.

use super::net::{Family, RawAddr};
use bstr::BString;
use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Why there is no answer.
#[derive(Debug)]
pub enum LookupError {
    /// The name does not exist.
    NotFound,
    /// It exists, but not with such an address.
    NoData,
    /// Try again later.
    Again,
    /// Anything else.
    Fail(String),
}

/// Addresses of a name, and its canonical name (the name itself if the system has none).
#[derive(Debug, Clone)]
pub struct Found {
    pub canonical: BString,
    /// In the system's order, no duplicates.
    pub addresses: Vec<IpAddr>,
}

fn lookup_error(code: i32) -> LookupError {
    match code {
        libc::EAI_NONAME => LookupError::NotFound,
        libc::EAI_NODATA => LookupError::NoData,
        libc::EAI_AGAIN => LookupError::Again,
        libc::EAI_SYSTEM => LookupError::Fail(super::error_text(&io::Error::last_os_error())),
        code => {
            // SAFETY: gai_strerror returns a constant C string for every code.
            let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
            LookupError::Fail(text.to_string_lossy().into_owned())
        }
    }
}

/// Addresses of one family (`None`: both) for a name.
pub fn by_name(name: &[u8], family: Option<Family>) -> Result<Found, LookupError> {
    let Ok(cname) = super::cstr(name) else {
        return Err(LookupError::NotFound);
    };
    // SAFETY: addrinfo is integers and pointers; zero is valid as hints.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = family.map_or(libc::AF_UNSPEC, Family::raw);
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_flags = libc::AI_CANONNAME;
    let mut head = std::ptr::null_mut();
    // SAFETY: valid C string and hints; head receives a list that freeaddrinfo releases.
    let rc = unsafe { libc::getaddrinfo(cname.as_ptr(), std::ptr::null(), &hints, &mut head) };
    if rc != 0 {
        return Err(lookup_error(rc));
    }
    let mut found = Found { canonical: name.into(), addresses: Vec::new() };
    let mut p = head;
    while !p.is_null() {
        // SAFETY: list entries are valid until freeaddrinfo.
        unsafe {
            let i = &*p;
            if !i.ai_canonname.is_null() {
                found.canonical = CStr::from_ptr(i.ai_canonname).to_bytes().into();
            }
            if !i.ai_addr.is_null()
                && let Some(a) = super::net::decode(i.ai_addr)
                && !found.addresses.contains(&a.ip())
            {
                found.addresses.push(a.ip());
            }
            p = i.ai_next;
        }
    }
    // SAFETY: from getaddrinfo, released once.
    unsafe { libc::freeaddrinfo(head) };
    if found.addresses.is_empty() { Err(LookupError::NoData) } else { Ok(found) }
}

/// The name of an address by the system's means (`host_lookup_order = byaddr`).
pub fn by_address(ip: IpAddr) -> Result<BString, LookupError> {
    let a = RawAddr::new(&SocketAddr::new(ip, 0));
    let mut host = [0 as libc::c_char; 1025];
    // SAFETY: address with length, buffer with length, no service wanted.
    let rc = unsafe {
        libc::getnameinfo(
            a.ptr(),
            a.len(),
            host.as_mut_ptr(),
            host.len() as libc::socklen_t,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if rc != 0 {
        return Err(lookup_error(rc));
    }
    // SAFETY: getnameinfo wrote a NUL-terminated name.
    Ok(unsafe { CStr::from_ptr(host.as_ptr()) }.to_bytes().into())
}

/// The port of a service name (`smtp`) for `tcp` or `udp`, from /etc/services; numbers pass through.
pub fn service_port(name: &[u8], protocol: &str) -> Option<u16> {
    if let Some(port) = std::str::from_utf8(name).ok().and_then(|s| s.parse().ok()) {
        return Some(port);
    }
    // getservbyname's result is static; reading the file ourselves is simpler than locking around it.
    let text = std::fs::read("/etc/services").ok()?;
    for line in text.split(|b| *b == b'\n') {
        let line = line.split(|b| *b == b'#').next().unwrap_or_default();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
        let (Some(first), Some(port)) = (words.next(), words.next()) else {
            continue;
        };
        if first != name && !words.any(|w| w == name) {
            continue;
        }
        let mut parts = port.split(|b| *b == b'/');
        if let (Some(p), Some(proto)) = (parts.next(), parts.next())
            && proto == protocol.as_bytes()
        {
            return std::str::from_utf8(p).ok()?.parse().ok();
        }
    }
    None
}

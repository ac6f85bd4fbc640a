//! The addresses of this host's network interfaces (getifaddrs).

use super::check;
use bstr::BString;
use std::ffi::CStr;
use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One address of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub name: BString,
    pub address: IpAddr,
    /// For IPv6 link-local addresses: the interface's index; else 0.
    pub scope: u32,
    /// The interface is up.
    pub up: bool,
    pub loopback: bool,
}

/// All IPv4 and IPv6 addresses of all interfaces, in the kernel's order.
pub fn list() -> io::Result<Vec<Interface>> {
    let mut head = std::ptr::null_mut();
    // SAFETY: head receives a list that freeifaddrs releases below.
    check(unsafe { libc::getifaddrs(&mut head) })?;
    let mut found = Vec::new();
    let mut p = head;
    while !p.is_null() {
        // SAFETY: list entries are valid until freeifaddrs; ifa_addr may be null, else a whole address.
        unsafe {
            let i = &*p;
            p = i.ifa_next;
            if i.ifa_addr.is_null() {
                continue;
            }
            let Some(addr) = super::net::decode(i.ifa_addr) else {
                continue;
            };
            let scope = match addr {
                std::net::SocketAddr::V6(a) => a.scope_id(),
                std::net::SocketAddr::V4(_) => 0,
            };
            found.push(Interface {
                name: CStr::from_ptr(i.ifa_name).to_bytes().into(),
                address: addr.ip(),
                scope,
                up: i.ifa_flags & libc::IFF_UP as u32 != 0,
                loopback: i.ifa_flags & libc::IFF_LOOPBACK as u32 != 0,
            });
        }
    }
    // SAFETY: head came from getifaddrs and is released once.
    unsafe { libc::freeifaddrs(head) };
    Ok(found)
}

/// How long a list is believed.
const FRESH: Duration = Duration::from_secs(5);

/// The addresses of the interfaces that are up, as they were a few seconds ago at most: every host of every message is compared
/// with them. Shared by the threads of a process.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Option<(Instant, Vec<IpAddr>)>>);

impl Recent {
    /// The addresses.
    pub fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, list)) = known.as_ref()
            && since.elapsed() < FRESH
        {
            return Ok(list.clone());
        }
        let list: Vec<IpAddr> = list()?.into_iter().filter(|i| i.up).map(|i| i.address).collect();
        *known = Some((Instant::now(), list.clone()));
        Ok(list)
    }
}

/// The number of an interface (for `%scope` suffixes of IPv6 addresses).
pub fn index_of(name: &[u8]) -> Option<u32> {
    let name = super::cstr(name).ok()?;
    // SAFETY: a valid C string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => None,
        n => Some(n),
    }
}

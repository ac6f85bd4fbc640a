//! TCP connections to small services by host name or address: `${readsocket}`, the content scanners.
//!
//! The addresses are tried in their order, and for each all the ports; the first that answers is taken. SMTP does not
//! come here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use bstr::ByteSlice;

use super::{ByName, Family, Resolver};
use crate::sys::net;

/// Why there is no connection.
#[derive(Debug)]
pub enum DialError {
    /// The host has no address.
    NoAddress,
    /// None could be connected to; the last one tried, and what was wrong with it.
    Failed(SocketAddr, io::Error),
}

/// The addresses of a host: itself, if it is one; IPv6 before IPv4 otherwise.
pub fn addresses(dns: &Resolver, host: &[u8]) -> Vec<IpAddr> {
    let literal = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host);
    if let Some(ip) = literal.to_str().ok().and_then(|h| h.parse().ok()) {
        return vec![ip];
    }
    let mut found = Vec::new();
    for family in [Family::V6, Family::V4] {
        if let ByName::Found { addresses, .. } = dns.host_by_name(host, family) {
            found.extend(addresses);
        }
    }
    found
}

/// Connects; each attempt has the whole of `timeout`.
pub fn dial(
    dns: &Resolver,
    host: &[u8],
    ports: RangeInclusive<u16>,
    timeout: Duration,
) -> Result<(OwnedFd, SocketAddr), DialError> {
    let mut last = DialError::NoAddress;
    for ip in addresses(dns, host) {
        for port in ports.clone() {
            let to = SocketAddr::new(ip, port);
            let attempt = net::tcp_socket(Family::of(&ip)).and_then(|s| net::connect(s.as_fd(), &to, Some(timeout)).map(|()| s));
            match attempt {
                Ok(socket) => return Ok((socket, to)),
                Err(e) => last = DialError::Failed(to, e),
            }
        }
    }
    Err(last)
}

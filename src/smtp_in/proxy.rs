//! The PROXY protocol (hosts_proxy), versions 1 and 2: a load balancer in front of us says who the client is.
//!
//! Only hosts in hosts_proxy are read this way, before anything else of the session. A header that is bad or late leaves
//! a session in which only QUIT works.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bstr::ByteSlice;

use super::host_is_in;
use super::server::Server;
use super::wire::{InputEnd, Wire};
use crate::context::Context;
use crate::context::session::{HostName, Proxy};
use crate::log;
use crate::text::Text;

const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest version 1 line.
const V1_MAX: usize = 107;

/// Two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub source: (IpAddr, u16),
    /// What it connected to.
    pub destination: (IpAddr, u16),
}

/// Is a header to be read from this host?
pub fn expected(ctx: &mut Context) -> bool {
    let option = ctx.config.main.hosts_proxy.clone();
    option.is_set() && ctx.session.host_address.is_some() && host_is_in(ctx, "hosts_proxy", &option)
}

/// Reads the header and changes the session. False: bad, or not in time.
pub fn read(ctx: &mut Context, server: &mut Server) -> bool {
    let limit = u64::try_from(ctx.config.main.proxy_protocol_timeout.0).unwrap_or(3);
    let Some(wire) = ctx.session.wire.as_mut() else { return false };
    let kept = wire.timeout.replace(Duration::from_secs(limit));
    let result = take(wire);
    wire.timeout = kept;
    // A header that did not come is no end of the connection.
    wire.forgive_timeout();
    match result {
        Ok(None) => true,
        Ok(Some(ends)) => {
            apply(ctx, ends, server);
            true
        }
        Err(why) => {
            // What has come is no command either.
            let n = wire.unread().len();
            wire.consume(n);
            log::hdebug!(ctx, RECEIVE, "Failure to extract proxied host, only QUIT allowed: {why}");
            false
        }
    }
}

fn apply(ctx: &mut Context, ends: Ends, server: &mut Server) {
    let s = &mut ctx.session;
    s.proxy = Some(Proxy {
        local_address: s.host_address.clone().unwrap_or_default(),
        local_port: s.host_port,
        external_address: Text::tainted(ends.destination.0.to_string()),
        external_port: ends.destination.1,
    });
    s.host_ip = Some(ends.source.0);
    s.host_address = Some(Text::tainted(ends.source.0.to_string()));
    s.host_port = ends.source.1;
    s.host_name = HostName::Unknown;
    s.host_aliases.clear();
    ctx.services.lists = Default::default();
    let _ = server;
    // The client's name was not looked up when the connection was made.
    crate::matching::host_name_lookup(ctx);
}

/// Takes one header from the line: `None` for LOCAL and UNKNOWN.
pub(crate) fn take(wire: &mut Wire) -> Result<Option<Ends>, String> {
    let end = |e: InputEnd| format!("{e:?}");
    loop {
        let have = wire.unread();
        let v2 = have.len().min(V2_SIGNATURE.len());
        if have.get(..v2) == V2_SIGNATURE.get(..v2) && !have.is_empty() {
            if let Some((used, ends)) = version_2(have)? {
                wire.consume(used);
                return Ok(ends);
            }
        } else if have.starts_with(b"PROXY") || (b"PROXY".starts_with(have) && have.len() < 5) {
            if let Some(at) = have.find(b"\n") {
                let line = have.get(..at).unwrap_or_default().to_vec();
                wire.consume(at + 1);
                return version_1(&line);
            }
            if have.len() > V1_MAX {
                return Err("line too long".into());
            }
        } else {
            return Err("no PROXY header".into());
        }
        wire.fill().map_err(end)?;
    }
}

fn version_1(line: &[u8]) -> Result<Option<Ends>, String> {
    let line = line.strip_suffix(b"\r").ok_or("line does not end in CRLF")?;
    if line.len() > V1_MAX {
        return Err("line too long".into());
    }
    let words: Vec<&str> = line.to_str().map_err(|_| "not ASCII")?.split(' ').collect();
    if words.get(..2) == Some(&["PROXY", "UNKNOWN"]) {
        return Ok(None);
    }
    let [_, family, source, destination, sport, dport] = words.as_slice() else { return Err("wrong number of fields".into()) };
    let address = |s: &str| -> Result<IpAddr, String> {
        let ip: IpAddr = s.parse().map_err(|_| format!("bad address {s}"))?;
        let fits = match *family {
            "TCP4" => ip.is_ipv4(),
            "TCP6" => ip.is_ipv6(),
            _ => false,
        };
        if fits { Ok(ip) } else { Err(format!("address {s} is not of family {family}")) }
    };
    let port = |s: &str| s.parse::<u16>().map_err(|_| format!("bad port {s}"));
    Ok(Some(Ends { source: (address(source)?, port(sport)?), destination: (address(destination)?, port(dport)?) }))
}

/// `None` while more is needed; else how long the header is, and what it says.
fn version_2(have: &[u8]) -> Result<Option<(usize, Option<Ends>)>, String> {
    let Some(head) = have.get(..16) else { return Ok(None) };
    let (command, family) = (head[12], head[13]);
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if command >> 4 != 2 {
        return Err(format!("unknown version {}", command >> 4));
    }
    if length > 1024 {
        return Err("header too long".into());
    }
    let Some(body) = have.get(16..16 + length) else { return Ok(None) };
    let used = 16 + length;
    let short = || "header too short".to_string();
    let port = |at: usize| -> Result<u16, String> {
        Ok(u16::from_be_bytes(body.get(at..at + 2).and_then(|b| b.try_into().ok()).ok_or_else(short)?))
    };
    let ends = match (command & 0xf, family) {
        (0, _) => None,
        (1, 0x11) => {
            let ip = |at: usize| -> Result<IpAddr, String> {
                let b: [u8; 4] = body.get(at..at + 4).and_then(|b| b.try_into().ok()).ok_or_else(short)?;
                Ok(Ipv4Addr::from(b).into())
            };
            Some(Ends { source: (ip(0)?, port(8)?), destination: (ip(4)?, port(10)?) })
        }
        (1, 0x21) => {
            let ip = |at: usize| -> Result<IpAddr, String> {
                let b: [u8; 16] = body.get(at..at + 16).and_then(|b| b.try_into().ok()).ok_or_else(short)?;
                Ok(Ipv6Addr::from(b).into())
            };
            Some(Ends { source: (ip(0)?, port(32)?), destination: (ip(16)?, port(34)?) })
        }
        (1, f) => return Err(format!("unsupported family {f:#x}")),
        (c, _) => return Err(format!("unsupported command {c}")),
    };
    Ok(Some((used, ends)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let e = version_1(b"PROXY TCP4 127.0.0.2 127.42.42.42 64000 25\r").unwrap().unwrap();
        assert_eq!((e.source.1, e.destination.1), (64000, 25));
        assert!(version_1(b"PROXY TCP6 127.0.0.2 127.42.42.42 64000 25\r").is_err());
        assert!(version_1(b"PROXY TCP4 127.0.0.2 127.42.42.42 640000 25\r").is_err());
        let mut v2 = V2_SIGNATURE.to_vec();
        v2.extend_from_slice(&[0x21, 0x11, 0, 12, 127, 0, 0, 2, 127, 42, 42, 42, 0xc2, 0x95, 4, 1]);
        let (used, ends) = version_2(&v2).unwrap().unwrap();
        assert_eq!((used, ends.unwrap().source.1), (28, 0xc295));
        for n in 0..v2.len() {
            assert_eq!(version_2(&v2[..n]).unwrap(), None);
        }
        v2[15] = 4;
        assert!(version_2(&v2).is_err());
    }
}

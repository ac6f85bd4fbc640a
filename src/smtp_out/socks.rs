//! SOCKS5 proxies (option `socks_proxy`; RFC 1928, RFC 1929).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::connect::{ConnectError, Connected, How, Target, prepared};
use crate::context::Context;
use crate::parse::list::{items, items_with};
use crate::sys::{fd, net};

/// One proxy of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its address.
    pub ip: IpAddr,
    /// `port=`
    pub port: u16,
    /// `auth=name`
    pub with_name: bool,
    /// `name=`
    pub name: BString,
    /// `pass=`
    pub pass: BString,
    /// `tmo=`, seconds.
    pub timeout: u64,
    /// `pri=`: lower ones are tried first.
    pub priority: i32,
    /// `weight=`: share among those of one priority.
    pub weight: u32,
}

/// Reads the expanded option: a list of proxies, each a blank-separated list of an address and settings.
pub fn parse(value: &[u8]) -> Result<Vec<Proxy>, String> {
    let mut out = Vec::new();
    for item in items(value) {
        let mut words = items_with(&item, b' ').filter(|w| !w.is_empty());
        let Some(first) = words.next() else { continue };
        let ip = first
            .to_str()
            .ok()
            .and_then(|s| s.parse().ok())
            .ok_or_else(|| format!("bad proxy address \"{first}\" in socks_proxy"))?;
        let mut p =
            Proxy { ip, port: 1080, with_name: false, name: "".into(), pass: "".into(), timeout: 5, priority: 1, weight: 1 };
        for word in words {
            let bad = || format!("bad setting \"{word}\" in socks_proxy");
            let (name, v) = word.split_once_str("=").ok_or_else(bad)?;
            let text = v.to_str().map_err(|_| bad())?;
            match name {
                b"auth" => p.with_name = v == b"name",
                b"name" => p.name = v.into(),
                b"pass" => p.pass = v.into(),
                b"port" => p.port = text.parse().map_err(|_| bad())?,
                b"tmo" => {
                    p.timeout = u64::try_from(crate::config::values::parse_interval(v).ok_or_else(bad)?).map_err(|_| bad())?
                }
                b"pri" => p.priority = text.parse().map_err(|_| bad())?,
                b"weight" => p.weight = text.parse().map_err(|_| bad())?,
                _ => return Err(bad()),
            }
        }
        out.push(p);
    }
    Ok(out)
}

/// The order in which proxies are tried: by priority, at random by weight within one.
fn order(ctx: &Context, proxies: &[Proxy]) -> Vec<Proxy> {
    let mut random = ctx.services.random.clone();
    let mut left = proxies.to_vec();
    let mut out = Vec::new();
    while let Some(best) = left.iter().map(|p| p.priority).min() {
        let total: u32 = left.iter().filter(|p| p.priority == best).map(|p| p.weight).sum();
        let mut pick = random.below(total.max(1));
        let at = left
            .iter()
            .position(|p| {
                if p.priority != best {
                    return false;
                }
                if pick < p.weight.max(1) {
                    return true;
                }
                pick -= p.weight;
                false
            })
            .or_else(|| left.iter().position(|p| p.priority == best));
        match at {
            Some(n) => out.push(left.remove(n)),
            None => break,
        }
    }
    out
}

/// Connects through the first proxy that can be reached.
pub(super) fn connect(ctx: &Context, to: &Target<'_>, how: &How) -> Result<Connected, ConnectError> {
    let mut last = ConnectError::Proxy("no usable socks proxy".into());
    for p in order(ctx, &how.proxies) {
        match through(ctx, to, how, &p) {
            Ok(c) => return Ok(c),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn through(ctx: &Context, to: &Target<'_>, how: &How, p: &Proxy) -> Result<Connected, ConnectError> {
    let proxy_error = |m: String| ConnectError::Proxy(format!("proxy session: {m}"));
    let limit = Duration::from_secs(p.timeout.max(1));
    let socket = prepared(ctx, p.ip, how).map_err(ConnectError::System)?;
    net::connect(socket.as_fd(), &SocketAddr::new(p.ip, p.port), Some(limit)).map_err(ConnectError::System)?;
    let deadline = Some(Instant::now() + limit);
    let write = |bytes: &[u8]| fd::write_all_deadline(socket.as_fd(), bytes, deadline);
    let read = |n: usize| -> io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(n);
        while out.len() < n {
            let mut block = vec![0; n - out.len()];
            match fd::read_deadline(socket.as_fd(), &mut block, deadline)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                got => out.extend_from_slice(block.get(..got).unwrap_or_default()),
            }
        }
        Ok(out)
    };
    let io_error = |e: io::Error| proxy_error(crate::sys::error_text(&e));
    let method = if p.with_name { 2 } else { 0 };
    write(&[5, 1, method]).map_err(io_error)?;
    if read(2).map_err(io_error)? != [5, method] {
        return Err(proxy_error("bad initial response".into()));
    }
    if p.with_name {
        let (Ok(name), Ok(pass)) = (u8::try_from(p.name.len()), u8::try_from(p.pass.len())) else {
            return Err(proxy_error("name or password too long".into()));
        };
        write(&[&[1, name][..], &p.name, &[pass], &p.pass].concat()).map_err(io_error)?;
        if read(2).map_err(io_error)? != [1, 0] {
            return Err(proxy_error("authentication failed".into()));
        }
    }
    let mut request = vec![5, 1, 0];
    match to.ip {
        IpAddr::V4(a) => {
            request.push(1);
            request.extend_from_slice(&a.octets());
        }
        IpAddr::V6(a) => {
            request.push(4);
            request.extend_from_slice(&a.octets());
        }
    }
    request.extend_from_slice(&to.port.to_be_bytes());
    write(&request).map_err(io_error)?;
    let head = read(4).map_err(io_error)?;
    let (version, code, kind) = (head.first(), head.get(1).copied().unwrap_or(255), head.get(3));
    if version != Some(&5) {
        return Err(proxy_error("bad response to connect".into()));
    }
    if code != 0 {
        return Err(proxy_error(reason(code).into()));
    }
    let size = match kind {
        Some(1) => 4,
        Some(4) => 16,
        _ => return Err(proxy_error("bad address type in response".into())),
    };
    let bound = read(size + 2).map_err(io_error)?;
    let port = u16::from_be_bytes([bound.get(size).copied().unwrap_or(0), bound.get(size + 1).copied().unwrap_or(0)]);
    let outer = match <[u8; 4]>::try_from(bound.get(..size).unwrap_or_default()) {
        Ok(v4) => Some(IpAddr::from(v4)),
        Err(_) => <[u8; 16]>::try_from(bound.get(..size).unwrap_or_default()).ok().map(IpAddr::from),
    };
    let local = net::local_address(socket.as_fd()).ok().flatten();
    Ok(Connected { socket, local, proxy: outer.map(|ip| SocketAddr::new(ip, port)) })
}

/// Words for the codes of RFC 1928.
fn reason(code: u8) -> &'static str {
    match code {
        1 => "general SOCKS server failure",
        2 => "connection not allowed by ruleset",
        3 => "Network unreachable",
        4 => "Host unreachable",
        5 => "Connection refused",
        6 => "TTL expired",
        7 => "Command not supported",
        8 => "Address type not supported",
        _ => "unknown error code",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let p = parse(b"127.0.0.1 port=1081 auth=name name=me pass=x : 10.0.0.1 pri=2").unwrap();
        assert_eq!((p.len(), p[0].port, p[0].with_name, p[1].priority), (2, 1081, true, 2));
        assert!(parse(b"nowhere").is_err());
        assert!(parse(b"127.0.0.1 port=x").is_err());
    }
}

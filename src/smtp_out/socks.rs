//! SOCKS5 proxies (option `socks_proxy`; RFC 1928, RFC 1929).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::connect::{self, ConnectError, Connected, FastOpen, How, ProxyEnds, Target};
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
    /// `pri=`: higher ones are tried first.
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
                b"auth" => {
                    p.with_name = match v {
                        b"name" => true,
                        b"none" => false,
                        _ => return Err(bad()),
                    }
                }
                b"name" => p.name = v.into(),
                b"pass" => p.pass = v.into(),
                b"port" => p.port = text.parse().map_err(|_| bad())?,
                b"tmo" => {
                    p.timeout = u64::try_from(crate::config::values::parse_interval(v).ok_or_else(bad)?).map_err(|_| bad())?
                }
                b"pri" => p.priority = text.parse().map_err(|_| bad())?,
                b"weight" => p.weight = text.parse::<u32>().map_err(|_| bad())?.min(1 << 16),
                _ => return Err(bad()),
            }
        }
        out.push(p);
    }
    Ok(out)
}

/// The order in which proxies are tried: the highest priority first, at random by weight within one.
fn order(proxies: &[Proxy], mut random: impl FnMut(u32) -> u32) -> Vec<Proxy> {
    let mut left = proxies.to_vec();
    let mut out = Vec::new();
    while let Some(best) = left.iter().map(|p| p.priority).max() {
        let equals = || left.iter().enumerate().filter(|(_, p)| p.priority == best);
        let total = equals().fold(0u32, |n, (_, p)| n.saturating_add(p.weight));
        let mut pick = random(total.max(1));
        let mut chosen = None;
        for (n, p) in equals() {
            chosen = Some(n);
            if pick < p.weight {
                break;
            }
            pick -= p.weight;
        }
        match chosen {
            Some(n) => out.push(left.remove(n)),
            None => break,
        }
    }
    out
}

/// Connects through the first proxy that responds. `connect_timeout` is for all attempts together.
pub(super) fn connect(ctx: &mut Context, to: &Target<'_>, how: &How) -> Result<Connected, ConnectError> {
    let overall = how.timeout.map(|t| Instant::now() + t);
    let mut random = ctx.services.random.clone();
    let mut last = ConnectError::Proxy("no usable socks proxy".into());
    for p in order(&how.proxies, |n| random.below(n)) {
        let mut limit = Duration::from_secs(p.timeout.max(1));
        if let Some(end) = overall {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            limit = limit.min(left);
        }
        match through(ctx, to, how, &p, limit) {
            Ok(c) => return Ok(c),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn through(ctx: &mut Context, to: &Target<'_>, how: &How, p: &Proxy, limit: Duration) -> Result<Connected, ConnectError> {
    let near = SocketAddr::new(p.ip, p.port);
    connect::event(ctx, how, Some(near))?;
    let proxy_error = |m: String| ConnectError::Proxy(format!("proxy session: {m}"));
    let via = how.interface.map_or(String::new(), |i| format!(" from {i}"));
    connect::say(
        ctx,
        format!("Connecting to {} [{}]:{}{via} via proxy [{}]:{} ...", to.name.as_bstr(), to.ip, to.port, p.ip, p.port),
    );
    // We speak first, whoever does so with the server.
    let with_data = How { fast_open: if how.fast_open == FastOpen::No { FastOpen::No } else { FastOpen::Data }, ..how.clone() };
    let (socket, fast_open) = connect::attempt(ctx, &near, &with_data, Some(limit)).map_err(|e| {
        connect::say(ctx, format!(" sock_connect failed: {}", crate::sys::error_text(&e)));
        ConnectError::System(e)
    })?;
    connect::say(ctx, "connected");
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
    let proxy = Some(ProxyEnds { near, far: outer.map(|ip| SocketAddr::new(ip, port)) });
    Ok(Connected { socket, local, proxy, fast_open })
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
        assert!(parse(b"").unwrap().is_empty());
        assert!(parse(b"127.0.0.1 auth=kerberos").is_err());
        assert!(parse(b"nowhere").is_err());
        assert!(parse(b"127.0.0.1 port=x").is_err());
    }

    #[test]
    fn the_order_of_trial() {
        let p = parse(b"10.0.0.1 : 10.0.0.2 pri=2 weight=3 : 10.0.0.3 pri=2 : 10.0.0.4 weight=0").unwrap();
        let tried = |pick: u32| -> Vec<u8> {
            let last = |p: Proxy| match p.ip {
                IpAddr::V4(a) => a.octets()[3],
                IpAddr::V6(_) => 0,
            };
            order(&p, |n| pick.min(n - 1)).into_iter().map(last).collect()
        };
        assert_eq!(tried(0), [2, 3, 1, 4]);
        assert_eq!(tried(3), [3, 2, 1, 4]);
        assert_eq!(order(&p, |n| n - 1).len(), 4);
    }
}

//! Where to listen: `local_interfaces`, `daemon_smtp_ports`, `tls_on_connect_ports`, `-oX` (manual chapter 13).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bstr::{BString, ByteSlice};

use super::sockets::Listener;
use crate::context::Context;
use crate::parse::list::items;

/// An address and port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address; unspecified is all of a family.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// TLS begins with the connection.
    pub tls: bool,
}

/// The endpoints; the error names the option.
pub fn endpoints(ctx: &Context, given: Option<&[u8]>) -> Result<Vec<Endpoint>, String> {
    let main = &ctx.config.main;
    let mut port_list: Vec<u8> = main.daemon_smtp_ports.raw().unwrap_or(b"smtp").to_vec();
    let mut address_list: Vec<u8> =
        main.local_interfaces.raw().unwrap_or(if main.disable_ipv6 { b"0.0.0.0" } else { b"<; ::0 ; 0.0.0.0" }).to_vec();
    if let Some(list) = given {
        let all: Vec<BString> = items(list).filter(|i| !i.is_empty()).collect();
        let (addresses, ports): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|i| i.contains(&b'.') || i.contains(&b':') || i.starts_with(b"["));
        if !ports.is_empty() {
            port_list = bstr::join(":", ports);
        }
        if !addresses.is_empty() {
            address_list = [b"<\n", bstr::join("\n", addresses).as_slice()].concat();
        }
    }
    let default_ports = items(&port_list)
        .filter(|p| !p.is_empty())
        .map(|p| port(&p).ok_or_else(|| no_port(&p)))
        .collect::<Result<Vec<u16>, String>>()?;
    let tls_ports = items(main.tls_on_connect_ports.raw().unwrap_or_default())
        .filter(|p| !p.is_empty())
        .map(|p| port(&p).ok_or_else(|| no_port(&p)))
        .collect::<Result<Vec<u16>, String>>()?;
    let mut out = Vec::new();
    for item in items(&address_list) {
        if item.is_empty() {
            continue;
        }
        let (address, own_port) = split(&item).ok_or_else(|| format!("invalid IP address \"{item}\" in local_interfaces"))?;
        if address.is_ipv6() && main.disable_ipv6 {
            continue;
        }
        for p in own_port.map_or(default_ports.clone(), |p| vec![p]) {
            let endpoint = Endpoint { address, port: p, tls: tls_ports.contains(&p) };
            if !out.contains(&endpoint) {
                out.push(endpoint);
            }
        }
    }
    Ok(out)
}

fn no_port(p: &BString) -> String {
    format!("TCP port \"{p}\" not found")
}

/// A port by number or service name.
fn port(s: &[u8]) -> Option<u16> {
    match s.to_str().ok()?.parse() {
        Ok(n) => Some(n),
        Err(_) => crate::sys::addrinfo::service_port(s, "tcp"),
    }
}

/// `address`, `address.port` (IPv4), `[address]:port`, `[address]`.
fn split(item: &[u8]) -> Option<(IpAddr, Option<u16>)> {
    let ip = |s: &[u8]| -> Option<IpAddr> {
        match s {
            b"::0" | b"::" => Some(Ipv6Addr::UNSPECIFIED.into()),
            b"0.0.0.0" => Some(Ipv4Addr::UNSPECIFIED.into()),
            _ => s.to_str().ok()?.parse().ok(),
        }
    };
    if let Some(rest) = item.strip_prefix(b"[") {
        let end = rest.find_byte(b']')?;
        let address = ip(&rest[..end])?;
        return match rest.get(end + 1..)? {
            b"" => Some((address, None)),
            p => Some((address, Some(port(p.strip_prefix(b":").or(p.strip_prefix(b"."))?)?))),
        };
    }
    if let Some(address) = ip(item) {
        return Some((address, None));
    }
    let dot = item.rfind_byte(b'.')?;
    Some((ip(&item[..dot])?, Some(port(&item[dot + 1..])?)))
}

/// `listening for SMTP on port 25 (IPv6 and IPv4) and for SMTPS on port 465`.
pub fn describe(ctx: &Context, listeners: &[Listener]) -> String {
    let _ = ctx;
    if listeners.is_empty() {
        return "not listening for SMTP".into();
    }
    let part = |tls: bool| -> Option<String> {
        let mut done: Vec<Endpoint> = Vec::new();
        let mut out = String::new();
        let all: Vec<&Listener> = listeners.iter().filter(|l| l.endpoint.tls == tls).collect();
        for l in &all {
            let e = l.endpoint;
            if done.contains(&e) {
                continue;
            }
            if e.address.is_unspecified() {
                let same: Vec<Endpoint> =
                    all.iter().map(|l| l.endpoint).filter(|o| o.address.is_unspecified() && o.port == e.port).collect();
                let (v6, v4) =
                    (same.iter().any(|o| o.address.is_ipv6()) || l.both, same.iter().any(|o| o.address.is_ipv4()) || l.both);
                let families = match (v6, v4) {
                    (true, true) => "IPv6 and IPv4",
                    (true, false) => "IPv6",
                    _ => "IPv4",
                };
                out.push_str(&format!(" port {} ({families})", e.port));
                done.extend(same);
            } else {
                let same: Vec<Endpoint> = all.iter().map(|l| l.endpoint).filter(|o| o.address == e.address).collect();
                let ports: Vec<String> = same.iter().map(|o| o.port.to_string()).collect();
                if ports.len() > 1 {
                    out.push_str(&format!(" [{}]:{{{}}}", e.address, ports.join(",")));
                } else {
                    out.push_str(&format!(" [{}]:{}", e.address, e.port));
                }
                done.extend(same);
            }
        }
        (!out.is_empty()).then_some(out)
    };
    match (part(false), part(true)) {
        (Some(clear), Some(tls)) => format!("listening for SMTP on{clear} and for SMTPS on{tls}"),
        (Some(clear), None) => format!("listening for SMTP on{clear}"),
        (None, Some(tls)) => format!("listening for SMTPS on{tls}"),
        (None, None) => "not listening for SMTP".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_interfaces() {
        assert_eq!(split(b"127.0.0.1.25"), Some(("127.0.0.1".parse().unwrap(), Some(25))));
        assert_eq!(split(b"[::1]:26"), Some(("::1".parse().unwrap(), Some(26))));
        assert_eq!(split(b"::0"), Some((Ipv6Addr::UNSPECIFIED.into(), None)));
        assert_eq!(split(b"x"), None);
    }
}

//! How the sending host is written: `$sender_fullhost`, `$sender_rcvhost`, and the `H=... U=...` of log lines.
//!
//! Made anew from the session each time they are wanted, so that they can never be stale. Pure functions.

use std::net::IpAddr;

use bstr::{BString, ByteSlice};

use super::Context;
use super::session::HostName;
use crate::log::{Selector, selected};

/// `[1.2.3.4]`, or `[1.2.3.4]:25` when the log is to have ports.
fn bracketed(ctx: &Context) -> Option<BString> {
    let s = &ctx.session;
    let address = s.host_address.as_ref()?;
    let mut out = BString::from("[");
    out.extend_from_slice(address);
    out.push(b']');
    if s.host_port > 0 && selected(ctx, Selector::IncomingPort) && port_logged(ctx, s.host_port) {
        out.extend_from_slice(format!(":{}", s.host_port).as_bytes());
    }
    Some(out)
}

/// `log_ports`: may that port be in log lines?
pub fn port_logged(ctx: &Context, port: u16) -> bool {
    let list = ctx.config.main.log_ports.raw().unwrap_or(b"*");
    let mut result = false;
    for item in crate::parse::list::items(list) {
        let (wanted, item) = item.strip_prefix(b"!").map_or((true, &item[..]), |rest| (false, rest.trim_ascii()));
        if item == b"*" || item.to_str().ok().and_then(|n| n.parse().ok()) == Some(port) {
            return wanted;
        }
        // After a list of exceptions everything else is meant.
        result = !wanted;
    }
    result
}

/// An address literal `[...]` of HELO that is the peer's own address says nothing new.
fn helo_is_own_literal(helo: &[u8], ip: Option<IpAddr>, address: &[u8]) -> bool {
    let Some(inner) = helo.strip_prefix(b"[") else { return false };
    let inner = inner.strip_suffix(b"]").unwrap_or(inner);
    let inner = match inner.get(..5) {
        Some(p) if p.eq_ignore_ascii_case(b"ipv6:") || p.eq_ignore_ascii_case(b"ipv4:") => &inner[5..],
        _ => inner,
    };
    if inner == address {
        return true;
    }
    match (inner.to_str().ok().and_then(|t| t.parse::<IpAddr>().ok()), ip) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// Name, HELO and address of the peer, as far as known; `None` when the message does not come from a host.
pub fn sender_fullhost(ctx: &Context) -> Option<BString> {
    let s = &ctx.session;
    let address = bracketed(ctx)?;
    let mut out = BString::default();
    let helo = s.helo_name.as_ref();
    match &s.host_name {
        HostName::Found(name) => {
            out.extend_from_slice(name);
            if let Some(helo) = helo
                && !helo_is_own_literal(helo, s.host_ip, s.host_address.as_deref().unwrap_or_default())
                && !helo.eq_ignore_ascii_case(name)
            {
                out.extend_from_slice(b" (");
                out.extend_from_slice(helo);
                out.push(b')');
            }
            out.push(b' ');
        }
        _ => {
            if let Some(helo) = helo {
                out.push(b'(');
                out.extend_from_slice(helo);
                out.extend_from_slice(b") ");
            }
        }
    }
    out.extend_from_slice(&address);
    Some(out)
}

/// What the Received: header says of the peer.
pub fn sender_rcvhost(ctx: &Context) -> Option<BString> {
    let s = &ctx.session;
    let address = bracketed(ctx)?;
    let helo = s.helo_name.as_ref().filter(|h| !helo_is_own_literal(h, s.host_ip, s.host_address.as_deref().unwrap_or_default()));
    let ident = s.ident.as_ref();
    let mut out = BString::default();
    match &s.host_name {
        HostName::Found(name) => {
            let helo = helo.filter(|h| !h.eq_ignore_ascii_case(name));
            out.extend_from_slice(name);
            out.extend_from_slice(if helo.is_some() && ident.is_some() { b"\n\t(" } else { b" (" });
            out.extend_from_slice(&address);
            if let Some(h) = helo {
                out.extend_from_slice(b" helo=");
                out.extend_from_slice(h);
            }
            if let Some(i) = ident {
                out.extend_from_slice(b" ident=");
                out.extend_from_slice(i);
            }
            out.push(b')');
        }
        _ => {
            let (addr, port) = match address.find(b"]:") {
                Some(at) => (&address[..at + 1], address.get(at + 2..)),
                None => (address.as_slice(), None),
            };
            out.extend_from_slice(addr);
            let mut facts: Vec<Vec<u8>> = Vec::new();
            if let Some(p) = port {
                facts.push([b"port=", p].concat());
            }
            if let Some(h) = helo {
                facts.push([b"helo=", h.as_bytes()].concat());
            }
            if let Some(i) = ident {
                facts.push([b"ident=", i.as_bytes()].concat());
            }
            if !facts.is_empty() {
                out.extend_from_slice(b" (");
                out.extend_from_slice(&bstr::join(b" ", &facts));
                out.push(b')');
            }
        }
    }
    Some(out)
}

/// Who it is, for log lines: `H=name [ip] I=[ip]:port U=ident Ci=id`, or `U=login` for local input. `flags` gives the `H=`/`U=`
/// in front of the first item.
pub fn host_and_ident(ctx: &Context, flags: bool) -> BString {
    let s = &ctx.session;
    let mut out = BString::default();
    match sender_fullhost(ctx) {
        None => {
            if flags {
                out.extend_from_slice(b"U=");
            }
            match &s.ident {
                Some(i) => out.extend_from_slice(i),
                None => out.extend_from_slice(b"UNKNOWN"),
            }
        }
        Some(host) => {
            if flags {
                out.extend_from_slice(b"H=");
            }
            out.extend_from_slice(&host);
            if selected(ctx, Selector::IncomingInterface)
                && let Some(i) = &s.interface_address
            {
                own_end(ctx, &mut out, i);
            }
            if let Some(i) = &s.ident {
                out.extend_from_slice(b" U=");
                out.extend_from_slice(i);
            }
        }
    }
    if selected(ctx, Selector::ConnectionId) && !s.connection_id.is_empty() {
        out.extend_from_slice(b" Ci=");
        out.extend_from_slice(&s.connection_id);
    }
    out
}

/// ` I=[address]:port`
fn own_end(ctx: &Context, out: &mut BString, address: &[u8]) {
    let port = ctx.session.interface_port;
    out.extend_from_slice(b" I=[");
    out.extend_from_slice(address);
    out.push(b']');
    if port_logged(ctx, port) {
        out.extend_from_slice(format!(":{port}").as_bytes());
    }
}

/// The beginning of connection lines: `SMTP connection [Ci=...] from ...`.
pub fn connection_info(ctx: &Context) -> BString {
    let s = &ctx.session;
    let mut out = BString::from("SMTP connection ");
    if selected(ctx, Selector::ConnectionId) && !s.connection_id.is_empty() {
        out.extend_from_slice(b"Ci=");
        out.extend_from_slice(&s.connection_id);
        out.push(b' ');
    }
    out.extend_from_slice(b"from ");
    let host = sender_fullhost(ctx);
    match (&host, ctx.run.host_checking, s.host_unknown || s.sender_host_notsocket) {
        (Some(h), true, _) => out.extend_from_slice(h),
        (_, _, true) | (None, _, _) => out.extend_from_slice(s.ident.as_deref().unwrap_or(b"UNKNOWN")),
        (Some(h), false, false) => {
            out.extend_from_slice(h);
            if s.via_inetd {
                out.extend_from_slice(b" (via inetd)");
            } else if selected(ctx, Selector::IncomingInterface)
                && let Some(i) = &s.interface_address
            {
                own_end(ctx, &mut out, i);
            }
        }
    }
    out
}

//! Options that are worked out before a connection is made: the port and our own address.

use std::net::IpAddr;

use bstr::ByteSlice;

use crate::config::options::Str;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::parse::list::items;

/// `port`: the number, or the name of a service. `owner` is `x transport`.
pub fn port(ctx: &mut Context, value: &Str, default: u16, owner: &str) -> Result<u16, String> {
    let Some(t) = value.get() else { return Ok(default) };
    let text = expand::expand(ctx, t)
        .map_err(|e| format!("failed to expand \"{}\" (\"port\" option) for {owner}: {e}", t.raw().as_bstr()))?;
    if text.first().is_some_and(u8::is_ascii_digit) {
        return text.to_str().ok().and_then(|s| s.parse().ok()).ok_or_else(|| format!("invalid port number for {owner}: {text}"));
    }
    // The default is not looked up for every message.
    if text.as_bytes() == b"smtp" {
        return Ok(25);
    }
    match crate::sys::addrinfo::service_port(&text, "tcp") {
        Some(p) => Ok(p),
        None => Err(format!("TCP port \"{text}\" is not defined for {owner}")),
    }
}

/// `interface`: the first address of the list that is of the peer's family.
pub fn interface(ctx: &mut Context, value: &Str, peer: Option<IpAddr>, owner: &str) -> Result<Option<IpAddr>, String> {
    let Some(t) = value.get() else { return Ok(None) };
    let text = match expand::expand(ctx, t) {
        Ok(text) => text,
        Err(ExpandError::Forced(_)) => return Ok(None),
        Err(e) => return Err(format!("failed to expand \"interface\" option for {owner}: {e}")),
    };
    for item in items(&text) {
        let Some(ip) = item.to_str().ok().and_then(|s| s.parse::<IpAddr>().ok()) else {
            return Err(format!("\"{item}\" is not a valid IP address for the \"interface\" option for {owner}"));
        };
        if peer.is_none_or(|p| p.is_ipv4() == ip.is_ipv4()) {
            return Ok(Some(ip));
        }
    }
    Ok(None)
}

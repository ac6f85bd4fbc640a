//! Operators on IP addresses: `ipv6norm`, `ipv6denorm`, `mask`, `reverse_ip`. Results are made anew and clean.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bstr::ByteSlice;

use crate::context::Context;
use crate::expand::{ExpandError, failed};
use crate::text::Text;

/// Reads an address as the reference does: no leading zeros in IPv4, a zone after `%` is ignored.
pub fn read(s: &[u8]) -> Option<IpAddr> {
    let s = match s.find_byte(b'%') {
        Some(n) if s.contains(&b':') => s.get(..n)?,
        _ => s,
    };
    s.to_str().ok()?.parse().ok()
}

fn as_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Lower-case groups without leading zeros; the longest run of zero groups (the first of equals, one group too) is `::`.
pub fn compressed(v6: Ipv6Addr) -> String {
    let g = v6.segments();
    let (mut best, mut best_len) = (0, 0);
    let mut i = 0;
    while i < 8 {
        let len = g.iter().skip(i).take_while(|x| **x == 0).count();
        if len > best_len {
            (best, best_len) = (i, len);
        }
        i += len.max(1);
    }
    if best_len == 0 {
        return joined(&g, ":", |out, x| write!(out, "{x:x}"));
    }
    let part = |part: Option<&[u16]>| joined(part.unwrap_or_default(), ":", |out, x| write!(out, "{x:x}"));
    part(g.get(..best)) + "::" + &part(g.get(best + best_len..))
}

fn joined<T: Copy>(parts: &[T], separator: &str, mut one: impl FnMut(&mut String, T) -> fmt::Result) -> String {
    let mut out = String::with_capacity(4 * parts.len());
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            out.push_str(separator);
        }
        // Writing to a string does not fail.
        let _ = one(&mut out, *part);
    }
    out
}

/// Eight groups of four digits.
fn full(v6: Ipv6Addr, separator: &str) -> String {
    joined(&v6.segments(), separator, |out, x| write!(out, "{x:04x}"))
}

/// `${ipv6norm:}`
pub fn norm(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    match read(&s) {
        Some(ip) => Ok(Text::clean(compressed(as_v6(ip)))),
        None => failed(format!("\"{s}\" is not an IP address")),
    }
}

/// `${ipv6denorm:}`
pub fn denorm(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    match read(&s) {
        Some(ip) => Ok(Text::clean(full(as_v6(ip), ":"))),
        None => failed(format!("\"{s}\" is not an IP address")),
    }
}

/// `${mask:}`, `${mask_n:}`
pub fn mask(_: &mut Context, _: &str, arg: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let not_address = || format!("\"{s}\" is not an IP address");
    let (address, bits) = match s.find_byte(b'/') {
        Some(n) => (s.get(..n).unwrap_or_default(), s.get(n + 1..)),
        None => (s.as_bytes(), None),
    };
    let Some(ip) = read(address) else { return failed(not_address()) };
    let Some(bits) = bits else { return failed(format!("missing mask value in \"{s}\"")) };
    if !bits.iter().all(u8::is_ascii_digit) {
        return failed(not_address());
    }
    let n = bits.iter().fold(0u32, |n, d| n.saturating_mul(10).saturating_add(u32::from(d - b'0')));
    let max = if ip.is_ipv4() { 32 } else { 128 };
    if n > max {
        return failed(format!("mask value too big in \"{s}\""));
    }
    let shown = match ip {
        IpAddr::V4(v4) => {
            let keep = u32::MAX.checked_shl(32 - n).unwrap_or(0);
            Ipv4Addr::from(u32::from(v4) & keep).to_string()
        }
        IpAddr::V6(v6) => {
            let keep = u128::MAX.checked_shl(128 - n).unwrap_or(0);
            let v6 = Ipv6Addr::from(u128::from(v6) & keep);
            if arg == Some(b"n") { compressed(v6) } else { full(v6, ".") }
        }
    };
    Ok(Text::clean(format!("{shown}/{n}")))
}

/// `${reverse_ip:}`; a mask is passed over.
pub fn reverse(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let (address, mask) = s.split_once_str("/").unwrap_or((&s, b""));
    let address = if mask.iter().all(u8::is_ascii_digit) { read(address) } else { None };
    let reversed = match address {
        Some(IpAddr::V4(v4)) => {
            let mut octets = v4.octets();
            octets.reverse();
            joined(&octets, ".", |out, n| write!(out, "{n}"))
        }
        Some(IpAddr::V6(v6)) => {
            let mut octets = v6.octets();
            octets.reverse();
            joined(&octets.map(|b| (b & 15, b >> 4)), ".", |out, (low, high)| write!(out, "{low:x}.{high:x}"))
        }
        None => return failed(format!("reverse_ip() not given an IP address [{s}]")),
    };
    Ok(Text::clean(reversed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression() {
        let c = |s: &str| compressed(s.parse().unwrap());
        assert_eq!(c("1:0:0:2:0:0:0:3"), "1:0:0:2::3");
        assert_eq!(c("1:0:0:2:3:0:0:4"), "1::2:3:0:0:4");
        assert_eq!(c("1:2:3:4:5:6:0:8"), "1:2:3:4:5:6::8");
        assert_eq!(c("::ffff:1.2.3.4"), "::ffff:102:304");
        assert_eq!(c("::"), "::");
    }
}

//! IP addresses and networks as they stand in lists.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bstr::ByteSlice;

/// An address in the usual form. A zone (`%eth0`) is allowed for IPv6 and ignored.
pub fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    let text = text.to_str().ok()?;
    let bare = match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() && zone.bytes().all(|c| c.is_ascii_alphanumeric()) => {
            return address.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
        }
        Some(_) => return None,
        None => text,
    };
    bare.parse().ok()
}

/// `::ffff:1.2.3.4` is 1.2.3.4 everywhere in lists.
pub fn unmapped(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        v4 => v4,
    }
}

/// An address with an optional mask, `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The address, as written.
    pub address: IpAddr,
    /// Bits of the mask: all without one.
    pub bits: u8,
}

impl Network {
    /// `None` if it is none; so is a mask that is too long.
    pub fn parse(text: &[u8]) -> Option<Network> {
        let (address, mask) = match text.find_byte(b'/') {
            Some(i) => (text.get(..i)?, Some(text.get(i + 1..)?)),
            None => (text, None),
        };
        let address = parse_ip(address)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match mask {
            None => most,
            Some(m) if !m.is_empty() && m.len() <= 3 && m.iter().all(u8::is_ascii_digit) => m.to_str().ok()?.parse().ok()?,
            Some(_) => return None,
        };
        (bits <= most).then_some(Network { address, bits })
    }

    /// Is the address in it? An IPv4 address is never in an IPv6 network.
    pub fn contains(&self, ip: IpAddr) -> bool {
        mask(self.address, self.bits) == mask(ip, self.bits) && self.address.is_ipv4() == ip.is_ipv4()
    }
}

/// The address with all but its first `bits` bits cleared.
pub fn mask(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(a) => {
            let m = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(a) & m))
        }
        IpAddr::V6(a) => {
            let m = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(a) & m))
        }
    }
}

/// The key of a lookup by address: masked if `bits` is given, then with the mask after it; IPv6 addresses as eight groups
/// with `separator` between.
pub fn lookup_key(ip: IpAddr, bits: Option<u8>, separator: char) -> String {
    let masked = bits.map_or(ip, |b| mask(ip, b));
    let text = match masked {
        IpAddr::V4(a) => a.to_string(),
        IpAddr::V6(a) => a.segments().map(|g| format!("{g:04x}")).join(&separator.to_string()),
    };
    match bits {
        Some(b) => format!("{text}/{b}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let ip = |s: &str| parse_ip(s.as_bytes()).unwrap();
        let n = Network::parse(b"10.1.0.0/16").unwrap();
        assert!(n.contains(ip("10.1.255.3")) && !n.contains(ip("10.2.0.0")));
        assert!(Network::parse(b"0.0.0.0/0").unwrap().contains(ip("1.2.3.4")));
        assert!(!Network::parse(b"::/0").unwrap().contains(ip("1.2.3.4")));
        assert!(Network::parse(b"5f03:1200::/20").unwrap().contains(ip("5f03:1200:836f::1")));
        assert_eq!(Network::parse(b"10.1.0.0/33"), None);
        assert_eq!(Network::parse(b"10.1.0"), None);
        assert_eq!(Network::parse(b"10.1.0.0/"), None);
        assert_eq!(lookup_key(ip("192.168.34.9"), Some(24), '.'), "192.168.34.0/24");
        assert_eq!(lookup_key(ip("5f03::1"), None, '.'), "5f03.0000.0000.0000.0000.0000.0000.0001");
        assert!(parse_ip(b"fe80::1%eth0").is_some() && parse_ip(b"1.2.3.4%x").is_none());
    }
}

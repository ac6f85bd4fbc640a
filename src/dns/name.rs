//! Domain names between their text form and hickory's; names for reverse lookups.

use bstr::BString;
use hickory_proto::rr::Name;
use std::net::IpAddr;

/// The text form: labels with dots between, no final dot, the root as "". Bytes that mean something in
/// text are escaped: `\.` `\\` `\"` `\;` `\(` `\)` `\@` `\$`, and what is not printable ASCII as `\DDD`.
pub(super) fn to_text(name: &Name) -> BString {
    let mut out = Vec::new();
    for (i, label) in name.iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        for &b in label {
            match b {
                b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => out.extend_from_slice(&[b'\\', b]),
                0x21..=0x7e => out.push(b),
                _ => out.extend_from_slice(format!("\\{b:03}").as_bytes()),
            }
        }
    }
    out.into()
}

/// The name of a text form, one final dot allowed. `None`: an empty label, one over 63 bytes, or a name
/// over 255 bytes.
pub(super) fn from_text(text: &[u8]) -> Option<Name> {
    let mut labels: Vec<Vec<u8>> = Vec::new();
    let mut label = Vec::new();
    let mut bytes = text.iter().copied().peekable();
    while let Some(b) = bytes.next() {
        match b {
            b'.' if bytes.peek().is_none() => break,
            b'.' => labels.push(std::mem::take(&mut label)),
            b'\\' => {
                let next = bytes.next()?;
                if next.is_ascii_digit() {
                    let (d2, d3) = (bytes.next()?, bytes.next()?);
                    let text = [next, d2, d3];
                    label.push(std::str::from_utf8(&text).ok()?.parse().ok()?);
                } else {
                    label.push(next);
                }
            }
            b => label.push(b),
        }
    }
    if !label.is_empty() || !labels.is_empty() {
        labels.push(label);
    }
    if labels.iter().any(|l| l.is_empty() || l.len() > 63) {
        return None;
    }
    let mut name = Name::from_labels(labels.iter().map(Vec::as_slice)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The address's octets or nibbles, last first, with dots between and after none: `4.3.2.1`.
pub fn reverse_labels(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|o| [o & 15, o >> 4]);
            nibbles.map(|n| format!("{n:x}")).collect::<Vec<_>>().join(".")
        }
    }
}

/// The name to ask for the PTR records of an address.
pub fn reverse_name(ip: IpAddr) -> String {
    let suffix = if ip.is_ipv4() { "in-addr.arpa" } else { "ip6.arpa" };
    format!("{}.{suffix}", reverse_labels(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms() {
        for t in ["example.com", "_25._tcp.mx", r"a\.b.c", r"sp\032ace.x", r"\255.x", ""] {
            assert_eq!(to_text(&from_text(t.as_bytes()).unwrap()), t);
        }
        assert_eq!(to_text(&from_text(b"example.com.").unwrap()), "example.com");
        assert_eq!(to_text(&from_text(b"UpperCase.Ex").unwrap()), "UpperCase.Ex");
        for bad in [&b"a..b"[..], b".a", br"a\", br"a\999", &[b'x'; 64], &[b"abc.".as_slice(); 70].concat()] {
            assert!(from_text(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn reversed() {
        assert_eq!(reverse_name("1.2.3.4".parse().unwrap()), "4.3.2.1.in-addr.arpa");
        let six = reverse_name("2001:db8::1".parse().unwrap());
        assert!(six.starts_with("1.0.0.0.0.0.") && six.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"), "{six}");
    }
}

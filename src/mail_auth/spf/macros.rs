//! Macros of SPF records and explanations (RFC 7208 7).

use std::net::IpAddr;

use bstr::{BString, ByteSlice};

use crate::expand::split::dequote;

/// What macros may stand for.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    /// `s`, with a local part.
    pub sender: &'a [u8],
    /// `d`
    pub domain: &'a [u8],
    /// `i`, `c`, `v`
    pub ip: IpAddr,
    /// `h`
    pub helo: &'a [u8],
    /// `r`
    pub receiver: &'a [u8],
    /// `t`
    pub now: i64,
}

enum Piece<'a> {
    Text(&'a [u8]),
    /// Letter, labels to keep (0 is all), reversed, delimiters.
    Macro(u8, usize, bool, &'a [u8]),
}

/// Cuts the first piece off; `None` if it is not a correct one.
fn piece<'a>(text: &mut &'a [u8]) -> Option<Piece<'a>> {
    let s = *text;
    if s.first() != Some(&b'%') {
        let end = s.find_byte(b'%').unwrap_or(s.len());
        *text = &s[end..];
        return Some(Piece::Text(&s[..end]));
    }
    let simple: &[u8] = match s.get(1)? {
        b'%' => b"%",
        b'_' => b" ",
        b'-' => b"%20",
        b'{' => {
            let end = s.find_byte(b'}')?;
            *text = &s[end + 1..];
            return inside(&s[2..end]);
        }
        _ => return None,
    };
    *text = &s[2..];
    Some(Piece::Text(simple))
}

fn inside(s: &[u8]) -> Option<Piece<'_>> {
    let letter = *s.first().filter(|c| b"slodiphcrtv".contains(&c.to_ascii_lowercase()))?;
    let digits = s[1..].iter().take_while(|c| c.is_ascii_digit()).count();
    let keep = match &s[1..1 + digits] {
        b"" => 0,
        n => n.to_str().ok()?.parse::<usize>().ok().filter(|n| *n > 0)?,
    };
    let rest = &s[1 + digits..];
    let reversed = rest.first().is_some_and(|c| matches!(c, b'r' | b'R'));
    let delimiters = &rest[usize::from(reversed)..];
    delimiters.iter().all(|c| b".-+,/_=".contains(c)).then_some(Piece::Macro(letter, keep, reversed, delimiters))
}

/// Is it a correct macro string (for a record: letters that only explanations have are refused)?
pub fn is_macro_string(mut text: &[u8]) -> bool {
    if !text.iter().all(u8::is_ascii_graphic) {
        return false;
    }
    while !text.is_empty() {
        match piece(&mut text) {
            Some(Piece::Macro(b'c' | b'r' | b't' | b'C' | b'R' | b'T', ..)) | None => return false,
            Some(_) => {}
        }
    }
    true
}

/// Expands; `validated` gives the validated name for `p`. `None`: it is not correct.
pub fn expand(mut text: &[u8], v: &Values<'_>, validated: &mut dyn FnMut() -> BString) -> Option<BString> {
    let mut out = Vec::new();
    while !text.is_empty() {
        match piece(&mut text)? {
            Piece::Text(t) => out.extend_from_slice(t),
            Piece::Macro(letter, keep, reversed, delimiters) => {
                let value = value(letter.to_ascii_lowercase(), v, validated)?;
                let shaped = transform(&value, keep, reversed, delimiters);
                if letter.is_ascii_uppercase() {
                    out.extend_from_slice(url_escape(&shaped).as_bytes());
                } else {
                    out.extend_from_slice(&shaped);
                }
            }
        }
    }
    Some(out.into())
}

fn value(letter: u8, v: &Values<'_>, validated: &mut dyn FnMut() -> BString) -> Option<Vec<u8>> {
    let at = v.sender.rfind_byte(b'@')?;
    Some(match letter {
        b's' => v.sender.to_vec(),
        // Quotes are how it is written, not what it is.
        b'l' if v.sender.first() == Some(&b'"') => dequote(&v.sender[..at]).0,
        b'l' => v.sender[..at].to_vec(),
        b'o' => v.sender[at + 1..].to_vec(),
        b'd' => v.domain.to_vec(),
        b'i' => match v.ip {
            IpAddr::V4(a) => a.to_string().into_bytes(),
            IpAddr::V6(a) => {
                let nibbles: Vec<String> = format!("{:032X}", a.to_bits()).chars().map(String::from).collect();
                nibbles.join(".").into_bytes()
            }
        },
        b'p' => validated().into(),
        b'v' => {
            if v.ip.is_ipv4() {
                b"in-addr".to_vec()
            } else {
                b"ip6".to_vec()
            }
        }
        b'h' => v.helo.to_vec(),
        b'c' => v.ip.to_string().into_bytes(),
        b'r' => v.receiver.to_vec(),
        b't' => v.now.to_string().into_bytes(),
        _ => return None,
    })
}

fn transform(value: &[u8], keep: usize, reversed: bool, delimiters: &[u8]) -> Vec<u8> {
    if keep == 0 && !reversed && delimiters.is_empty() {
        return value.to_vec();
    }
    let delimiters = if delimiters.is_empty() { b"." } else { delimiters };
    let mut parts: Vec<&[u8]> = value.split(|c| delimiters.contains(c)).collect();
    if reversed {
        parts.reverse();
    }
    if keep > 0 && keep < parts.len() {
        parts.drain(..parts.len() - keep);
    }
    bstr::join(".", parts)
}

fn url_escape(text: &[u8]) -> String {
    text.iter()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || b"-._~".contains(c) => char::from(*c).to_string(),
            c => format!("%{c:02X}"),
        })
        .collect()
}

/// A domain that is too long loses labels on the left.
pub fn fit(domain: BString) -> BString {
    let mut d = domain.strip_suffix(b".").unwrap_or(&domain);
    while d.len() > 253 {
        match d.find_byte(b'.') {
            Some(dot) => d = &d[dot + 1..],
            None => break,
        }
    }
    d.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7208_7_4() {
        let v = Values {
            sender: b"strong-bad@email.example.com",
            domain: b"email.example.com",
            ip: "192.0.2.3".parse().unwrap(),
            helo: b"h",
            receiver: b"r",
            now: 7,
        };
        let six = Values { ip: "2001:db8::cb01".parse().unwrap(), ..v.clone() };
        let e = |s: &str, v: &Values<'_>| expand(s.as_bytes(), v, &mut || "unknown".into()).map(|b| b.to_string());
        for (text, is) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l-}", "strong.bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{S}%%%_%-", "strong-bad%40email.example.com% %20"),
        ] {
            assert_eq!(e(text, &v).as_deref(), Some(is));
        }
        let nibbles = "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6";
        assert_eq!(e("%{ir}.%{v}", &six).as_deref(), Some(nibbles));
        for bad in ["%", "%x", "%{", "%{z}", "%{d0}", "%{d99999999999999999999}", "%{d!}"] {
            assert_eq!(e(bad, &v), None, "{bad}");
        }
        assert!(!is_macro_string(b"%{t}"));
    }

    #[test]
    fn long_names() {
        let long = BString::from(vec!["abcdefgh"; 40].join("."));
        assert!(fit(long).len() <= 253);
    }
}

//! `mailto:` URIs (RFC 6068) as they stand in notifications. Pure functions.

use bstr::{BString, ByteSlice};

use crate::parse::{Rules, extract_address};

/// What one asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailto {
    /// Recipients.
    pub to: Vec<BString>,
    /// `subject`
    pub subject: Option<BString>,
    /// `body`
    pub body: Option<BString>,
}

/// Reads one; `None`: it is none, or names nobody. Header fields that a notification must set itself are passed over, as RFC
/// 5436 (2.4) wants it.
pub fn parse(uri: &[u8]) -> Option<Mailto> {
    let rest = uri.get(..7).filter(|s| s.eq_ignore_ascii_case(b"mailto:")).and(uri.get(7..))?;
    let (to, fields) = rest.split_once_str("?").unwrap_or((rest, b""));
    let mut m = Mailto::default();
    add(&mut m.to, to)?;
    for field in fields.split_str("&").filter(|f| !f.is_empty()) {
        let (name, value) = field.split_once_str("=")?;
        match decoded(name)?.to_ascii_lowercase().as_slice() {
            b"to" | b"cc" => add(&mut m.to, value)?,
            b"subject" => m.subject = Some(one_line(decoded(value)?)),
            b"body" => m.body = Some(decoded(value)?.replace("\r\n", "\n").into()),
            _ => {}
        }
    }
    (!m.to.is_empty()).then_some(m)
}

/// Adds the addresses of a list.
fn add(to: &mut Vec<BString>, list: &[u8]) -> Option<()> {
    for one in list.split_str(",").filter(|a| !a.is_empty()) {
        let found = extract_address(&mut Rules::default(), &decoded(one)?).ok()?;
        if !found.is_qualified() {
            return None;
        }
        to.push(found.address);
    }
    Some(())
}

/// Without line breaks: it goes into a header line.
pub fn one_line(text: BString) -> BString {
    text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ").into()
}

/// Percent signs are undone.
fn decoded(text: &[u8]) -> Option<BString> {
    let mut out = BString::default();
    let mut rest = text;
    while let Some((c, tail)) = rest.split_first() {
        rest = tail;
        if *c == b'%' {
            let digits = tail.get(..2)?.to_str().ok().filter(|d| d.chars().all(|c| c.is_ascii_hexdigit()))?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail.get(2..)?;
        } else {
            out.push(*c);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        let m = parse(b"MAILTO:a@b,c%40d?subject=x%20y%0Az&Body=1%0d%0a2&from=e@f").unwrap();
        assert_eq!(m.to, ["a@b", "c@d"]);
        assert_eq!(m.subject, Some("x y z".into()));
        assert_eq!(m.body, Some("1\n2".into()));
        for bad in ["mailto:", "xmpp:a@b", "mailto:a", "mailto:a@b?x", "mailto:a%zz@b", "mailto:a@b?subject=%4"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
}

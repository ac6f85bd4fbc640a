//! Lists of tags, `name=value; name=value`: DKIM signatures and key records, ARC sets, DMARC records (RFC 6376 3.2).
//!
//! What comes in is hostile: the number of tags is limited, and a tag that is given twice spoils the list.

use bstr::ByteSlice;

/// More tags than anybody has use for.
pub const MAX_TAGS: usize = 64;

/// Why a list cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagError {
    /// More than [`MAX_TAGS`].
    TooMany,
    /// A tag without `=`, or without a name.
    Syntax,
    /// The same tag twice.
    Duplicate,
}

/// The tags in their order.
#[derive(Clone, Debug, Default)]
pub struct Tags<'a>(Vec<(&'a [u8], &'a [u8])>);

/// White space as it stands in folded header lines.
pub fn is_white(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\r' | b'\n')
}

fn trim(s: &[u8]) -> &[u8] {
    s.trim_with(|c| matches!(c, ' ' | '\t' | '\r' | '\n'))
}

impl<'a> Tags<'a> {
    /// Reads a list.
    pub fn parse(text: &'a [u8]) -> Result<Self, TagError> {
        let mut tags: Vec<(&[u8], &[u8])> = Vec::new();
        // One semicolon too many is nothing, as in the reference.
        for part in text.split(|c| *c == b';').map(trim).filter(|p| !p.is_empty()) {
            let at = part.find_byte(b'=').ok_or(TagError::Syntax)?;
            let (name, value) = (trim(&part[..at]), trim(&part[at + 1..]));
            if name.is_empty() {
                return Err(TagError::Syntax);
            }
            if tags.iter().any(|(n, _)| *n == name) {
                return Err(TagError::Duplicate);
            }
            if tags.len() >= MAX_TAGS {
                return Err(TagError::TooMany);
            }
            tags.push((name, value));
        }
        Ok(Tags(tags))
    }

    /// The value of a tag, without white space around it.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|(n, _)| *n == name.as_bytes()).map(|(_, v)| *v)
    }

    /// The same without any white space in it.
    pub fn compact(&self, name: &str) -> Option<Vec<u8>> {
        self.get(name).map(|v| v.iter().copied().filter(|c| !is_white(*c)).collect())
    }

    /// A number of at most 12 digits.
    pub fn number(&self, name: &str) -> Option<Result<u64, TagError>> {
        self.get(name).map(|v| {
            let digits = (1..=12).contains(&v.len()) && v.iter().all(u8::is_ascii_digit);
            v.to_str().ok().filter(|_| digits).and_then(|s| s.parse().ok()).ok_or(TagError::Syntax)
        })
    }
}

/// `=41` in a value (`n=`, `z=`) is A.
pub fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text.get(at) {
        let hex = text.get(at + 1..at + 3).filter(|_| *c == b'=');
        match hex.and_then(|h| data_encoding::HEXUPPER_PERMISSIVE.decode(h).ok()) {
            Some(byte) => {
                out.extend_from_slice(&byte);
                at += 3;
            }
            None => {
                out.push(*c);
                at += 1;
            }
        }
    }
    out
}

/// Base64 with white space anywhere in it.
pub fn base64(value: &[u8]) -> Option<Vec<u8>> {
    let compact: Vec<u8> = value.iter().copied().filter(|c| !is_white(*c)).collect();
    data_encoding::BASE64.decode(&compact).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let t = Tags::parse(b" v=1; a = rsa-sha256 ;\r\n\tb=ab\r\n cd==;").unwrap();
        assert_eq!(t.get("a"), Some(&b"rsa-sha256"[..]));
        assert_eq!(t.compact("b").unwrap(), b"abcd==");
        assert!(t.get("x").is_none());
        assert!(Tags::parse(b"").unwrap().get("").is_none());
    }

    #[test]
    fn hostile_lists() {
        assert_eq!(Tags::parse(b"a=1; a=2").unwrap_err(), TagError::Duplicate);
        assert_eq!(Tags::parse(b"; a=1;; b=2; ;").unwrap().get("b"), Some(&b"2"[..]));
        assert_eq!(Tags::parse(b"abc").unwrap_err(), TagError::Syntax);
        assert_eq!(Tags::parse(b"=1").unwrap_err(), TagError::Syntax);
        let many: Vec<u8> = (0..1000).flat_map(|i| format!("t{i}=1;").into_bytes()).collect();
        assert_eq!(Tags::parse(&many).unwrap_err(), TagError::TooMany);
        let t = Tags::parse(b"l=99999999999999999999; x=-1; t=12").unwrap();
        assert_eq!(t.number("l"), Some(Err(TagError::Syntax)));
        assert_eq!(t.number("x"), Some(Err(TagError::Syntax)));
        assert_eq!(t.number("t"), Some(Ok(12)));
    }
}

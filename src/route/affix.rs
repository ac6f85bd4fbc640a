//! Prefixes and suffixes of local parts (manual: `local_part_prefix`, `local_part_suffix`).

use bstr::ByteSlice;

use crate::parse::list::items;

/// What an affix option found: the whole affix, and the part that a `*` stood for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affix<'a> {
    /// The affix as it stands in the local part.
    pub text: &'a [u8],
    /// The variable part of it.
    pub variable: &'a [u8],
}

/// Looks for one of the prefixes of a list at the start of a local part. `*` may begin an item: any text that ends
/// with the rest of the item, the longest such.
pub fn prefix<'a>(list: &[u8], local_part: &'a [u8]) -> Option<Affix<'a>> {
    for item in items(list) {
        if let Some(fixed) = item.strip_prefix(b"*") {
            // The variable part may be anything; the fixed part is looked for from the right.
            for start in (0..=local_part.len().saturating_sub(fixed.len())).rev() {
                let end = start + fixed.len();
                if local_part.get(start..end).is_some_and(|p| p.eq_ignore_ascii_case(fixed)) {
                    return Some(Affix { text: &local_part[..end], variable: &local_part[..start] });
                }
            }
        } else if local_part.get(..item.len()).is_some_and(|p| p.eq_ignore_ascii_case(&item)) {
            return Some(Affix { text: &local_part[..item.len()], variable: b"" });
        }
    }
    None
}

/// Looks for one of the suffixes of a list at the end of a local part. `*` may end an item.
pub fn suffix<'a>(list: &[u8], local_part: &'a [u8]) -> Option<Affix<'a>> {
    for item in items(list) {
        if let Some(fixed) = item.strip_suffix(b"*") {
            let lower = local_part.to_ascii_lowercase();
            if let Some(start) = lower.find(fixed.to_ascii_lowercase()) {
                return Some(Affix { text: &local_part[start..], variable: &local_part[start + fixed.len()..] });
            }
        } else if local_part.len() > item.len() {
            let start = local_part.len() - item.len();
            if local_part[start..].eq_ignore_ascii_case(&item) {
                return Some(Affix { text: &local_part[start..], variable: b"" });
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affixes() {
        assert_eq!(prefix(b"real-", b"real-joe").unwrap().text, b"real-");
        let a = prefix(b"*-", b"a-b-joe").unwrap();
        assert_eq!((a.text, a.variable), (&b"a-b-"[..], &b"a-b"[..]));
        let a = suffix(b"-* : +*", b"joe-a-b").unwrap();
        assert_eq!((a.text, a.variable), (&b"-a-b"[..], &b"a-b"[..]));
        assert_eq!(suffix(b"-request", b"list-REQUEST").unwrap().text, b"-REQUEST");
        assert_eq!(prefix(b"x-", b"joe"), None);
    }
}

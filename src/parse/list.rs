//! Splitting of lists (manual section 6.21): colon-separated, or with the separator that `<x` at the start gives.
//!
//! Everything that reads a configured or expanded list splits it here.

use crate::parse::Space as _;
use std::borrow::Cow;

use bstr::BString;

/// The items of a list, without surrounding white space; a doubled separator within an item stands for itself.
pub fn items(list: &[u8]) -> Items<'_> {
    items_with(list, b':')
}

/// The same, with another default separator; `<x` still changes it.
pub fn items_with(list: &[u8], default: u8) -> Items<'_> {
    let trimmed = list.skip_space();
    match trimmed {
        [b'<', sep, rest @ ..] if sep.is_ascii_punctuation() || sep.is_ascii_control() => Items { rest: Some(rest), sep: *sep },
        // `<\n` and other escapes are already characters here.
        _ if trimmed.is_empty() => Items { rest: None, sep: default },
        _ => Items { rest: Some(trimmed), sep: default },
    }
}

/// See [`items`].
#[derive(Clone, Debug)]
pub struct Items<'a> {
    rest: Option<&'a [u8]>,
    sep: u8,
}

impl Items<'_> {
    /// The separator in force.
    pub fn separator(&self) -> u8 {
        self.sep
    }

    /// What no item has been made of yet, as it stands; `None`: the list is at its end.
    pub fn rest(&self) -> Option<&[u8]> {
        self.rest
    }
}

impl Iterator for Items<'_> {
    type Item = BString;

    fn next(&mut self) -> Option<BString> {
        self.next_piece().map(|piece| piece.into_owned().into())
    }
}

impl<'a> Items<'a> {
    /// The next item, copied only if it has a doubled separator.
    pub fn next_piece(&mut self) -> Option<Cow<'a, [u8]>> {
        let mut rest = self.rest?;
        while let [c, tail @ ..] = rest
            && super::is_space(*c)
            && *c != self.sep
        {
            rest = tail;
        }
        if rest.is_empty() {
            self.rest = None;
            return None;
        }
        let mut out: Cow<'a, [u8]> = Cow::Borrowed(&[]);
        loop {
            let Some(end) = rest.iter().position(|c| *c == self.sep) else {
                add(&mut out, rest);
                self.rest = None;
                break;
            };
            // A control character as separator cannot be doubled.
            if rest.get(end + 1) == Some(&self.sep) && !self.sep.is_ascii_control() {
                add(&mut out, &rest[..=end]);
                rest = &rest[end + 2..];
                continue;
            }
            add(&mut out, &rest[..end]);
            self.rest = Some(&rest[end + 1..]);
            break;
        }
        let len = trimmed(&out).len();
        match &mut out {
            Cow::Borrowed(piece) => *piece = &piece[..len],
            Cow::Owned(piece) => piece.truncate(len),
        }
        Some(out)
    }
}

fn add<'a>(out: &mut Cow<'a, [u8]>, piece: &'a [u8]) {
    if out.is_empty() {
        *out = Cow::Borrowed(piece);
    } else {
        out.to_mut().extend_from_slice(piece);
    }
}

/// White space at the end goes, unless a backslash stands before it.
fn trimmed(mut item: &[u8]) -> &[u8] {
    while let [before @ .., c] = item {
        if !super::is_space(*c) || before.last() == Some(&b'\\') {
            break;
        }
        item = before;
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting() {
        let all = |s: &str| items(s.as_bytes()).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(all("a : b:c"), ["a", "b", "c"]);
        assert_eq!(all("<; ::1 ; x"), ["::1", "x"]);
        assert_eq!(all("a::b : c"), ["a:b", "c"]);
        assert_eq!(all("a:"), ["a"]);
        assert_eq!(all(": a"), ["", "a"]);
        assert_eq!(all(" : "), [""]);
        assert_eq!(all("<\n a b\n c"), ["a b", "c"]);
        assert!(all("").is_empty());
    }
}

//! Exim lists (manual 6.21): items separated by colons, or by what `<x` at the start says.
//!
//! Any module that reads a list may use this. Items keep the taint of their list. Nothing is expanded here.

use crate::text::Text;

/// Reads the items of a list one by one.
pub struct Items<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
    /// Newline separators and such end an item without being doubled.
    special: bool,
}

/// White space, as the reference's lists see it.
fn space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

impl<'a> Items<'a> {
    /// The items of `list`.
    pub fn new(list: &'a [u8]) -> Self {
        Self::with_default(list, b':')
    }

    /// The items of `list`, with another default separator.
    pub fn with_default(list: &'a [u8], default: u8) -> Self {
        let skip = list.iter().take_while(|c| space(**c)).count();
        let trimmed = list.get(skip..).unwrap_or_default();
        let (separator, rest) = match trimmed {
            [b'<', c, rest @ ..] if c.is_ascii_punctuation() || c.is_ascii_control() => (*c, rest),
            _ => (default, trimmed),
        };
        // A separator that is white space itself does not count as space to be skipped.
        let special = separator.is_ascii_control();
        let skip = rest.iter().take_while(|c| space(**c) && (!special || **c != separator)).count();
        let rest = rest.get(skip..).unwrap_or_default();
        Items { rest: if rest.is_empty() { None } else { Some(rest) }, separator, special }
    }

    /// The separator in use.
    pub fn separator(&self) -> u8 {
        self.separator
    }
}

impl Iterator for Items<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let rest = self.rest?;
        let sep = self.separator;
        let skip = rest.iter().take_while(|c| space(**c) && (!self.special || **c != sep)).count();
        let mut rest = rest.get(skip..).unwrap_or_default();
        if rest.is_empty() {
            self.rest = None;
            return None;
        }
        let mut item = Vec::new();
        // A leading doubled separator stands for an empty item only in lists of control characters.
        loop {
            match rest {
                [] => {
                    self.rest = None;
                    break;
                }
                [c, d, tail @ ..] if *c == sep && *d == sep && !self.special => {
                    item.push(sep);
                    rest = tail;
                }
                [c, tail @ ..] if *c == sep => {
                    self.rest = if tail.is_empty() { None } else { Some(tail) };
                    break;
                }
                [c, tail @ ..] => {
                    item.push(*c);
                    rest = tail;
                }
            }
        }
        while item.last().is_some_and(|c| space(*c)) {
            item.pop();
        }
        Some(item)
    }
}

/// The items, with the list's taint.
pub fn split_text(list: &Text) -> Vec<Text> {
    Items::new(list).map(|i| list.piece(i)).collect()
}

/// Appends an item to a list that is being made: separators within it are doubled, and `first` says that
/// nothing stands before it.
pub fn append(out: &mut Text, separator: u8, item: &Text, first: &mut bool) {
    if !*first {
        out.push_bytes(&[separator]);
    }
    let mut bytes = Vec::with_capacity(item.as_bytes().len());
    let empty = item.as_bytes().is_empty();
    if item.as_bytes().first() == Some(&separator) && !*first {
        // Otherwise the doubled separator would join the one before it.
        bytes.push(b' ');
    }
    for c in item.iter() {
        bytes.push(*c);
        if *c == separator {
            bytes.push(*c);
        }
    }
    if empty && *first {
        // An empty first item needs something, or the list would begin later.
        bytes.push(b' ');
    }
    *first = false;
    out.push_with(&bytes, item.taint());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(s: &str) -> Vec<String> {
        Items::new(s.as_bytes()).map(|i| String::from_utf8_lossy(&i).into_owned()).collect()
    }

    #[test]
    fn lists() {
        assert_eq!(items("a:b:c"), ["a", "b", "c"]);
        assert_eq!(items("a : b : : c"), ["a", "b", "", "c"]);
        assert_eq!(items("a::b: c:"), ["a:b", "c"]);
        assert_eq!(items("<; a:b;c"), ["a:b", "c"]);
        assert_eq!(items(":"), [""]);
        assert_eq!(items(":a:"), ["", "a"]);
        assert_eq!(items(""), Vec::<String>::new());
        assert_eq!(items("<\n a\n\nb"), ["a", "", "b"]);
    }
}

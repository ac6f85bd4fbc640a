//! Byte strings that know whether they came from outside.
//!
//! Every value that an expansion, a lookup, a header or a peer gives is a [`Text`]. File names, commands,
//! and queries are built only from untainted text; the modules that open files or run programs check
//! [`Text::is_tainted`] and refuse with the reference's messages. This module knows nothing of Exim.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use bstr::{BStr, BString, ByteSlice};

/// Where the bytes of a string came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taint {
    /// From the configuration, from the program itself, or from a trusted lookup.
    #[default]
    Clean,
    /// Tainted, but quoted by the quoting operator of the lookup type with this index, and so usable in its queries.
    Quoted(u8),
    /// From a peer, a message, the environment, or a file that others write.
    Tainted,
}

impl Taint {
    /// The taint of a string made of two parts.
    #[must_use]
    pub fn join(self, other: Taint) -> Taint {
        match (self, other) {
            (Taint::Clean, t) | (t, Taint::Clean) => t,
            (Taint::Quoted(a), Taint::Quoted(b)) if a == b => self,
            _ => Taint::Tainted,
        }
    }
}

/// A byte string and its taint.
#[derive(Clone, Default)]
pub struct Text {
    bytes: BString,
    taint: Taint,
}

// Two strings with the same bytes are equal, and the same key, whatever their taint.
impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Text) -> std::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

impl std::hash::Hash for Text {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl Text {
    /// An empty, untainted string.
    pub const fn new() -> Self {
        Text { bytes: BString::new(Vec::new()), taint: Taint::Clean }
    }

    /// A string of our own.
    pub fn clean(bytes: impl Into<Vec<u8>>) -> Self {
        Text { bytes: BString::new(bytes.into()), taint: Taint::Clean }
    }

    /// A string from outside.
    pub fn tainted(bytes: impl Into<Vec<u8>>) -> Self {
        Text { bytes: BString::new(bytes.into()), taint: Taint::Tainted }
    }

    /// A string with a given taint.
    pub fn with_taint(bytes: impl Into<Vec<u8>>, taint: Taint) -> Self {
        Text { bytes: BString::new(bytes.into()), taint }
    }

    /// True unless the string is clean; a quoted one counts as tainted everywhere but in its own lookup.
    pub fn is_tainted(&self) -> bool {
        self.taint != Taint::Clean
    }

    /// The taint itself.
    pub fn taint(&self) -> Taint {
        self.taint
    }

    /// Makes the taint what `taint` says, joined with what it was.
    pub fn add_taint(&mut self, taint: Taint) {
        self.taint = self.taint.join(taint);
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, as something that can be displayed.
    pub fn as_bstr(&self) -> &BStr {
        self.bytes.as_bstr()
    }

    /// Gives up the taint; for values that are only stored or sent.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into()
    }

    /// A piece of this string, with its taint.
    pub fn piece(&self, bytes: impl Into<Vec<u8>>) -> Text {
        Text::with_taint(bytes, self.taint)
    }

    /// Appends bytes of our own.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a string; the whole takes its taint too.
    pub fn push(&mut self, other: &Text) {
        self.bytes.extend_from_slice(&other.bytes);
        self.taint = self.taint.join(other.taint);
    }

    /// Appends bytes with a taint.
    pub fn push_with(&mut self, bytes: &[u8], taint: Taint) {
        self.bytes.extend_from_slice(bytes);
        self.taint = self.taint.join(taint);
    }

    /// Cuts the string to `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// The string in ASCII lower case, as Exim lowers domains and local parts.
    #[must_use]
    pub fn to_lower(&self) -> Text {
        Text::with_taint(self.bytes.to_ascii_lowercase(), self.taint)
    }

    /// For messages to people: invalid UTF-8 is replaced.
    pub fn display(&self) -> Cow<'_, str> {
        self.bytes.to_str_lossy()
    }
}

impl Deref for Text {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.bytes, self.taint)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.bytes.as_bstr(), f)
    }
}

/// Literals of the program are clean.
impl From<&'static str> for Text {
    fn from(s: &'static str) -> Self {
        Text::clean(s)
    }
}

impl PartialEq<[u8]> for Text {
    fn eq(&self, other: &[u8]) -> bool {
        self.bytes == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.bytes == other.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taint_joins() {
        let mut t = Text::clean("a");
        t.push(&Text::tainted("b"));
        assert!(t.is_tainted());
        assert_eq!(t, "ab");
        assert_eq!(Taint::Quoted(1).join(Taint::Quoted(1)), Taint::Quoted(1));
        assert_eq!(Taint::Quoted(1).join(Taint::Quoted(2)), Taint::Tainted);
        assert_eq!(Taint::Clean.join(Taint::Quoted(2)), Taint::Quoted(2));
    }
}

//! Byte strings that know whether they came from outside.
//!
//! Every value that an expansion, a lookup, a header or a peer gives is a [`Text`]. File names, commands,
//! and queries are built only from untainted text; the modules that open files or run programs check
//! [`Text::is_tainted`] and refuse with the reference's messages. This module knows nothing of Exim.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use bstr::{BStr, BString, ByteSlice};
use smallvec::SmallVec;

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

/// Bytes that need no memory of their own while they are few, as most values are.
pub type Bytes = SmallVec<[u8; 24]>;

/// What the bytes of a [`Text`] are made from.
pub trait IntoBytes {
    /// The bytes; those of a long vector are not copied.
    fn into_bytes(self) -> Bytes;
}

/// A byte string and its taint.
#[derive(Default)]
pub struct Text {
    bytes: Bytes,
    taint: Taint,
}

impl Clone for Text {
    fn clone(&self) -> Text {
        Text { bytes: Bytes::from_slice(&self.bytes), taint: self.taint }
    }
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
        Text { bytes: Bytes::new_const(), taint: Taint::Clean }
    }

    /// A string of our own.
    pub fn clean(bytes: impl IntoBytes) -> Self {
        Text { bytes: bytes.into_bytes(), taint: Taint::Clean }
    }

    /// A string from outside.
    pub fn tainted(bytes: impl IntoBytes) -> Self {
        Text { bytes: bytes.into_bytes(), taint: Taint::Tainted }
    }

    /// A string with a given taint.
    pub fn with_taint(bytes: impl IntoBytes, taint: Taint) -> Self {
        Text { bytes: bytes.into_bytes(), taint }
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
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, as something that can be displayed.
    pub fn as_bstr(&self) -> &BStr {
        self.bytes.as_bstr()
    }

    /// Gives up the taint; for values that are only stored or sent.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_vec()
    }

    /// A piece of this string, with its taint.
    pub fn piece(&self, bytes: impl IntoBytes) -> Text {
        Text::with_taint(bytes, self.taint)
    }

    /// Appends bytes of our own.
    #[inline]
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        match bytes {
            [] => {}
            [one] => self.bytes.push(*one),
            _ if self.bytes.is_empty() && !self.bytes.spilled() => self.bytes = Bytes::from_slice(bytes),
            _ => self.bytes.extend_from_slice(bytes),
        }
    }

    /// Appends a string; the whole takes its taint too.
    #[inline]
    pub fn push(&mut self, other: &Text) {
        self.push_bytes(&other.bytes);
        self.taint = self.taint.join(other.taint);
    }

    /// Appends a string that is not needed any more: it is not copied when it comes first.
    pub fn take(&mut self, other: Text) {
        if self.bytes.is_empty() {
            let taint = self.taint.join(other.taint);
            *self = other;
            self.taint = taint;
        } else {
            self.push(&other);
        }
    }

    /// Appends bytes with a taint.
    pub fn push_with(&mut self, bytes: &[u8], taint: Taint) {
        self.push_bytes(bytes);
        self.taint = self.taint.join(taint);
    }

    /// Cuts the string to `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// The string in ASCII lower case, as Exim lowers domains and local parts.
    #[must_use]
    pub fn to_lower(&self) -> Text {
        let mut lower = self.clone();
        lower.bytes.make_ascii_lowercase();
        lower
    }

    /// The string in ASCII upper case.
    #[must_use]
    pub fn to_upper(&self) -> Text {
        let mut upper = self.clone();
        upper.bytes.make_ascii_uppercase();
        upper
    }

    /// For messages to people: invalid UTF-8 is replaced.
    pub fn display(&self) -> Cow<'_, str> {
        self.bytes.to_str_lossy()
    }
}

impl Deref for Text {
    type Target = [u8];
    #[inline]
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
        write!(f, "{:?}/{:?}", self.as_bstr(), self.taint)
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
        self.as_bytes() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

macro_rules! copied {
    ($($t:ty),*) => { $(impl IntoBytes for $t {
        fn into_bytes(self) -> Bytes {
            Bytes::from_slice(self.as_ref())
        }
    })* };
}

macro_rules! taken {
    ($($t:ty),*) => { $(impl IntoBytes for $t {
        fn into_bytes(self) -> Bytes {
            Bytes::from_vec(self.into())
        }
    })* };
}

copied!(&[u8], &str, &String, &Vec<u8>, &BStr, &BString, &Text);
taken!(Vec<u8>, String, BString, Cow<'_, [u8]>);

impl<const N: usize> IntoBytes for &[u8; N] {
    fn into_bytes(self) -> Bytes {
        Bytes::from_slice(self)
    }
}

impl<const N: usize> IntoBytes for [u8; N] {
    fn into_bytes(self) -> Bytes {
        Bytes::from_slice(&self)
    }
}

impl IntoBytes for Bytes {
    fn into_bytes(self) -> Bytes {
        self
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

//! Fields in a pipe: how a process that works as somebody else hands its results to the one that started it.
//!
//! Delivery processes and the readers of users' redirection files use it. What comes out of the pipe was written by a
//! process of another user: every length is checked, and results that are cut off are none.

use bstr::BString;

use crate::text::{Taint, Text};

/// Longest string, bytes.
const MAX: usize = 1 << 20;
/// Most items of a list.
const MAX_ITEMS: i64 = 100_000;
/// What stands at the end.
const END: i64 = 0x4f78_696d;

/// The writing side.
#[derive(Default)]
pub struct Out(Vec<u8>);

impl Out {
    /// A number.
    pub fn num(&mut self, n: i64) {
        self.0.extend_from_slice(&n.to_be_bytes());
    }
    /// The number of items that follow.
    pub fn count(&mut self, n: usize) {
        self.num(i64::try_from(n).unwrap_or(0));
    }
    /// A string.
    pub fn bytes(&mut self, b: &[u8]) {
        let b = b.get(..MAX).unwrap_or(b);
        self.count(b.len());
        self.0.extend_from_slice(b);
    }
    /// A string with its taint, or none.
    pub fn text(&mut self, t: Option<&Text>) {
        self.num(match t.map(Text::taint) {
            None => 0,
            Some(Taint::Clean) => 1,
            Some(_) => 2,
        });
        if let Some(t) = t {
            self.bytes(t);
        }
    }
    /// All of it.
    pub fn finish(mut self) -> Vec<u8> {
        self.num(END);
        self.0
    }
}

/// The reading side. `None`: this is not what was agreed upon.
pub struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    /// Reads from the start.
    pub fn new(bytes: &'a [u8]) -> Self {
        In(bytes)
    }
    /// A number.
    pub fn num(&mut self) -> Option<i64> {
        let (head, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(i64::from_be_bytes(*head))
    }
    /// The number of items that follow.
    pub fn count(&mut self) -> Option<i64> {
        self.num().filter(|n| (0..=MAX_ITEMS).contains(n))
    }
    /// A string.
    pub fn bytes(&mut self) -> Option<BString> {
        let n = usize::try_from(self.num()?).ok().filter(|n| *n <= MAX)?;
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head.into())
    }
    /// A string with its taint, or none.
    pub fn text(&mut self) -> Option<Option<Text>> {
        Some(match self.num()? {
            0 => None,
            1 => Some(Text::clean(self.bytes()?)),
            _ => Some(Text::tainted(self.bytes()?)),
        })
    }
    /// Nothing may be left.
    pub fn end(&mut self) -> Option<()> {
        (self.num()? == END && self.0.is_empty()).then_some(())
    }
}

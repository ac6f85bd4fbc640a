//! Looks at a body while it streams past, once for all hashes that signatures ask for.
//!
//! Fed by `receive::body` on the way to the spool, and by signing from the spool file.

use bstr::ByteSlice;

use super::body_hash::BodyHash;
use super::canon::Canon;
use super::key::Hash;

/// A line of this many bytes (without its end) or more stops signing and verification, as in the reference.
const LONG_LINE: usize = 16_382;

/// A body's hash, and the length of its canonical form; `None` if the library has no such hash.
pub type Hashed = Option<(Vec<u8>, u64)>;

/// How lines end in what is fed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ends {
    /// LF; a CR is a byte like others.
    #[default]
    Lf,
    /// CRLF.
    Crlf,
}

/// The hashes of one body.
#[derive(Clone, Debug, Default)]
pub struct BodyWatch {
    hashes: Vec<BodyHash>,
    ends: Ends,
    /// A CR that may be half of a line end.
    cr: bool,
    line: usize,
    long_line: bool,
}

impl BodyWatch {
    /// How lines end from here on.
    pub fn set_ends(&mut self, ends: Ends) {
        self.ends = ends;
    }

    /// Asks for a hash; gives its number. Equal ones are made once.
    pub fn want(&mut self, canon: Canon, hash: Hash, limit: Option<u64>) -> usize {
        if let Some(n) = self.hashes.iter().position(|h| h.is(canon, hash, limit)) {
            return n;
        }
        self.hashes.push(BodyHash::new(canon, hash, limit));
        self.hashes.len() - 1
    }

    /// Asks for one hash of a header section, which is here in canonical form, and the body (DomainKeys).
    pub fn want_after(&mut self, canon: Canon, hash: Hash, header: &[u8]) -> usize {
        self.hashes.push(BodyHash::after(canon, hash, header));
        self.hashes.len() - 1
    }

    /// Takes a piece.
    pub fn feed(&mut self, data: &[u8]) {
        let mut rest = data;
        while let Some(end) = rest.find_byte(b'\n') {
            self.text(&rest[..end]);
            // A CR that is still held was half of this line end.
            self.cr = false;
            self.line = 0;
            self.hashes.iter_mut().for_each(BodyHash::line_end);
            rest = &rest[end + 1..];
        }
        self.text(rest);
    }

    /// A line without its LF, or a piece of one.
    fn text(&mut self, text: &[u8]) {
        if text.is_empty() || self.long_line {
            return;
        }
        if std::mem::take(&mut self.cr) {
            self.in_line(b"\r");
        }
        match text.strip_suffix(b"\r").filter(|_| self.ends == Ends::Crlf) {
            Some(text) => {
                self.in_line(text);
                self.cr = true;
            }
            None => self.in_line(text),
        }
    }

    fn in_line(&mut self, text: &[u8]) {
        self.line += text.len();
        self.long_line |= self.line >= LONG_LINE;
        self.hashes.iter_mut().for_each(|h| h.text(text));
    }

    /// The end: hashes and canonical lengths in the order of [`BodyWatch::want`]. `None`: a line was too long.
    pub fn finish(mut self) -> Option<Vec<Hashed>> {
        if std::mem::take(&mut self.cr) {
            self.in_line(b"\r");
        }
        (!self.long_line).then(|| self.hashes.into_iter().map(BodyHash::finish).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(ends: Ends, text: &[u8], cut: usize) -> Option<Vec<Hashed>> {
        let mut w = BodyWatch::default();
        w.set_ends(ends);
        assert_eq!(w.want(Canon::Simple, Hash::Sha256, None), 0);
        assert_eq!(w.want(Canon::Relaxed, Hash::Sha256, None), 1);
        assert_eq!(w.want(Canon::Simple, Hash::Sha256, None), 0);
        w.feed(&text[..cut]);
        w.feed(&text[cut..]);
        w.finish()
    }

    #[test]
    fn both_line_ends() {
        for cut in 0..=10 {
            assert_eq!(watch(Ends::Crlf, b"a \r\nb\rc\r\n\r\n\r", cut), watch(Ends::Lf, b"a \nb\rc\n\n\r", 3));
        }
    }

    #[test]
    fn long_lines() {
        assert!(watch(Ends::Lf, &[b'a'; LONG_LINE - 1], 9).is_some());
        assert!(watch(Ends::Lf, &[b'a'; LONG_LINE], 9).is_none());
        assert!(watch(Ends::Lf, &[&[b'a'; 9000][..], b"\n", &[b'b'; 9000]].concat(), 9).is_some());
    }
}

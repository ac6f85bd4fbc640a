//! The hash of one body in one canonical form (RFC 6376 3.4.3, 3.4.4, RFC 4870 3.4.2), made while the body streams past.
//!
//! `body_watch` cuts the stream into lines and feeds every hash that is wanted; a body is never held. What a line needs is
//! seen by one pass without branches, which the compiler turns into vector instructions: most lines are copied as they are.

use openssl::hash::Hasher;

use super::canon::Canon;
use super::key::Hash;

/// Bytes that are hashed at a time.
const BLOCK: usize = 16 * 1024;

/// A body hash in the making.
#[derive(Clone)]
pub struct BodyHash {
    canon: Canon,
    /// `l=`: no more of the canonical form is hashed.
    limit: Option<u64>,
    hash: Hash,
    hasher: Option<Hasher>,
    /// Bytes of the canonical form that have left `buffer`.
    flushed: u64,
    /// Line ends that count only if something follows.
    line_ends: u64,
    /// White space that counts only if something follows in its line.
    gap: bool,
    /// Something other than the body was hashed before it.
    after: bool,
    /// Canonical form that is still to be hashed.
    buffer: Vec<u8>,
}

impl std::fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BodyHash({}/{}/{:?})", self.hash.name(), self.canon.name(), self.limit)
    }
}

impl BodyHash {
    /// Nothing fed yet.
    pub fn new(canon: Canon, hash: Hash, limit: Option<u64>) -> Self {
        let hasher = Hasher::new(hash.digest()).ok();
        let buffer = Vec::with_capacity(BLOCK + BLOCK / 8);
        BodyHash { canon, limit, hash, hasher, flushed: 0, line_ends: 0, gap: false, after: false, buffer }
    }

    /// A hash that begins with a header section in canonical form, to be fed with the body below it.
    pub fn after(canon: Canon, hash: Hash, header: &[u8]) -> Self {
        let mut h = BodyHash::new(canon, hash, None);
        h.after = true;
        h.buffer.extend_from_slice(header.strip_suffix(b"\r\n").unwrap_or(header));
        // The last line's end, and the empty line: they count only if the body has something.
        h.line_ends = 2;
        h
    }

    /// Is it this one's hash?
    pub fn is(&self, canon: Canon, hash: Hash, limit: Option<u64>) -> bool {
        !self.after && (self.canon, self.hash, self.limit) == (canon, hash, limit)
    }

    /// Takes a line, or a piece of one, without its end.
    pub fn text(&mut self, text: &[u8]) {
        match self.canon {
            Canon::Simple if text.is_empty() => return,
            Canon::Simple => {
                self.held();
                self.buffer.extend_from_slice(text);
            }
            Canon::Relaxed => self.words(text),
            Canon::NoFws => {
                let mut rest = text.iter().copied().filter(|c| !matches!(c, b' ' | b'\t' | b'\r')).peekable();
                if rest.peek().is_none() {
                    return;
                }
                self.held();
                self.buffer.extend(rest);
            }
        }
        if self.buffer.len() >= BLOCK {
            self.flush();
        }
    }

    /// Takes the end of a line.
    pub fn line_end(&mut self) {
        self.line_ends += 1;
        self.gap = false;
    }

    fn words(&mut self, text: &[u8]) {
        let is_text = |c: &u8| !is_blank(*c);
        let Some(start) = text.iter().position(is_text) else {
            self.gap |= !text.is_empty();
            return;
        };
        let end = text.iter().rposition(is_text).map_or(text.len(), |i| i + 1);
        self.gap |= start > 0;
        self.held();
        let inner = text.get(start..end).unwrap_or_default();
        if has_odd_gaps(inner) {
            squeeze(inner, &mut self.buffer);
        } else {
            self.buffer.extend_from_slice(inner);
        }
        self.gap = end < text.len();
    }

    /// Puts out what was held back, since more follows.
    fn held(&mut self) {
        for _ in 0..std::mem::take(&mut self.line_ends) {
            self.buffer.extend_from_slice(b"\r\n");
            // Somebody's body may be a gigabyte of line ends.
            if self.buffer.len() >= BLOCK {
                self.flush();
            }
        }
        if std::mem::take(&mut self.gap) {
            self.buffer.push(b' ');
        }
    }

    fn flush(&mut self) {
        let room = self.limit.map_or(u64::MAX, |l| l.saturating_sub(self.flushed));
        let take = usize::try_from(room).unwrap_or(usize::MAX).min(self.buffer.len());
        if let Some(h) = self.hasher.as_mut()
            && h.update(&self.buffer[..take]).is_err()
        {
            self.hasher = None;
        }
        self.flushed += self.buffer.len() as u64;
        self.buffer.clear();
    }

    /// The end of the body: its hash, and the length of its canonical form. `None`: the library has no such hash.
    pub fn finish(mut self) -> Option<(Vec<u8>, u64)> {
        if self.canon == Canon::Simple || self.flushed > 0 || !self.buffer.is_empty() {
            self.buffer.extend_from_slice(b"\r\n");
        }
        self.flush();
        let hash = self.hasher.as_mut()?.finish().ok()?;
        Some((hash.to_vec(), self.flushed))
    }
}

fn is_blank(c: u8) -> bool {
    c == b' ' || c == b'\t'
}

/// Is there a tab, or a blank after another?
fn has_odd_gaps(text: &[u8]) -> bool {
    let pairs = text.iter().zip(text.get(1..).unwrap_or_default());
    pairs.fold(0, |odd, (a, b)| odd | u8::from(*b == b'\t') | (u8::from(*a == b' ') & u8::from(*b == b' '))) != 0
}

/// Adds `text` with one blank for each run of white space.
fn squeeze(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + text.len(), 0);
    let (mut end, mut before) = (start, 0);
    for &c in text {
        let c = if c == b'\t' { b' ' } else { c };
        // A further blank is overwritten by what follows.
        if let Some(place) = out.get_mut(end) {
            *place = c;
        }
        end += usize::from(c != b' ' || before != b' ');
        before = c;
    }
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

    use super::*;
    use crate::mail_auth::body_watch::{BodyWatch, Ends, Hashed};

    fn watch(canon: Canon, limit: Option<u64>, pieces: &[&[u8]]) -> Hashed {
        let mut w = BodyWatch::default();
        w.set_ends(Ends::Lf);
        w.want(canon, Hash::Sha256, limit);
        pieces.iter().for_each(|p| w.feed(p));
        w.finish().unwrap().remove(0)
    }

    fn body(canon: Canon, text: &[u8], limit: Option<u64>) -> (Vec<u8>, u64) {
        let whole = watch(canon, limit, &[text]);
        for cut in 0..=text.len() {
            assert_eq!(watch(canon, limit, &[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
        whole.unwrap()
    }

    fn is(canon: Canon, text: &[u8], form: &[u8]) {
        assert_eq!(body(canon, text, None), (openssl::sha::sha256(form).to_vec(), form.len() as u64), "{:?}", text.as_bstr());
    }

    #[test]
    fn rfc_6376_3_4_5() {
        is(Canon::Relaxed, b" C \nD \t E\n\n\n", b" C\r\nD E\r\n");
        is(Canon::Simple, b" C \nD \t E\n\n\n", b" C \r\nD \t E\r\n");
    }

    #[test]
    fn ends_of_bodies() {
        is(Canon::Simple, b"", b"\r\n");
        is(Canon::Simple, b"\n\n", b"\r\n");
        is(Canon::Relaxed, b"", b"");
        is(Canon::Relaxed, b" \n\t\n", b"");
        is(Canon::Relaxed, b"\n\na", b"\r\n\r\na\r\n");
        is(Canon::Relaxed, b"a  \t b\tc d \n", b"a b c d\r\n");
        is(Canon::Simple, b"a\n \n", b"a\r\n \r\n");
        is(Canon::Simple, b"a\rb\r\n", b"a\rb\r\r\n");
    }

    #[test]
    fn many_line_ends() {
        let text = [&[b'\n'; 40_000][..], b"x"].concat();
        let form = [b"\r\n".repeat(40_000), b"x\r\n".to_vec()].concat();
        assert_eq!(watch(Canon::Simple, None, &[&text]), Some((openssl::sha::sha256(&form).to_vec(), form.len() as u64)));
    }

    #[test]
    fn header_and_body() {
        let hash = |canon: Canon, body: &[u8]| {
            let mut w = BodyWatch::default();
            w.want_after(canon, Hash::Sha1, b"A: b\r\n");
            w.feed(body);
            w.finish().unwrap().remove(0).unwrap().0
        };
        let is = |form: &[u8]| openssl::sha::sha1(form).to_vec();
        assert_eq!(hash(Canon::Simple, b""), is(b"A: b\r\n"));
        assert_eq!(hash(Canon::Simple, b"\n\n"), is(b"A: b\r\n"));
        assert_eq!(hash(Canon::Simple, b"\nx \n\n"), is(b"A: b\r\n\r\n\r\nx \r\n"));
        assert_eq!(hash(Canon::NoFws, b" \nx y\t\rz\n \n"), is(b"A: b\r\n\r\n\r\nxyz\r\n"));
    }

    #[test]
    fn limits() {
        assert_eq!(body(Canon::Simple, b"abcdef\nx\n", Some(3)), (openssl::sha::sha256(b"abc").to_vec(), 11));
        assert_eq!(body(Canon::Relaxed, b"a  b\nx\n", Some(4)), (openssl::sha::sha256(b"a b\r").to_vec(), 8));
        assert_eq!(body(Canon::Simple, b"abc", Some(0)).0, openssl::sha::sha256(b""));
    }
}

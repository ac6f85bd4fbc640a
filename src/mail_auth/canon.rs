//! Canonical forms of header lines and bodies (RFC 6376 3.4, RFC 4870 3.4), for DKIM, ARC and DomainKeys.
//!
//! Bodies are never held: [`BodyHash`] takes them in pieces of any size. Header lines come as they stand in the spool,
//! with LF line ends.

use bstr::ByteSlice;
use openssl::hash::Hasher;

use super::key::Hash;
use super::tags::is_white;

/// The two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canon {
    /// Nothing changed but the end of the body.
    Simple,
    /// White space does not matter.
    Relaxed,
    /// There is no white space (DomainKeys).
    NoFws,
}

impl Canon {
    /// As it is written in `c=`.
    pub fn name(self) -> &'static str {
        match self {
            Canon::Simple => "simple",
            Canon::Relaxed => "relaxed",
            Canon::NoFws => "nofws",
        }
    }

    /// By that name, of those that DKIM has.
    pub fn from_name(name: &[u8]) -> Option<Canon> {
        [Canon::Simple, Canon::Relaxed].into_iter().find(|c| c.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The form of a whole header line (LF line ends, with or without the last one), with CRLF at its end if `ended`.
    pub fn header(self, line: &[u8], ended: bool) -> Vec<u8> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut out = match self {
            Canon::Simple => line.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
            Canon::Relaxed => relaxed_header(line),
            Canon::NoFws => line.iter().copied().filter(|c| !is_white(*c)).collect(),
        };
        if ended {
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

fn relaxed_header(line: &[u8]) -> Vec<u8> {
    let colon = line.find_byte(b':').unwrap_or(line.len());
    let mut out = line[..colon].trim_end().to_ascii_lowercase();
    let Some(value) = line.get(colon + 1..) else { return out };
    out.push(b':');
    let mut gap = false;
    let start = out.len();
    for c in value {
        if is_white(*c) {
            gap = true;
            continue;
        }
        if gap && out.len() > start {
            out.push(b' ');
        }
        gap = false;
        out.push(*c);
    }
    out
}

/// A body hash in the making.
#[derive(Clone)]
pub struct BodyHash {
    canon: Canon,
    /// `l=`
    limit: Option<u64>,
    hash: Hash,
    hasher: Option<Hasher>,
    /// Bytes of the canonical form so far.
    length: u64,
    /// Line ends that count only if something follows.
    line_ends: u64,
    /// White space that counts only if something follows in its line.
    gap: bool,
    /// Something other than the body was hashed before it.
    after: bool,
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
        BodyHash {
            canon,
            limit,
            hash,
            hasher,
            length: 0,
            line_ends: 0,
            gap: false,
            after: false,
            buffer: Vec::with_capacity(4096),
        }
    }

    /// A hash that begins with a header section in canonical form, to be fed with the body below it.
    pub fn after(canon: Canon, hash: Hash, header: &[u8]) -> Self {
        let mut h = BodyHash::new(canon, hash, None);
        h.after = true;
        h.put(header.strip_suffix(b"\r\n").unwrap_or(header));
        // The last line's end, and the empty line: they count only if the body has something.
        h.line_ends = 2;
        h
    }

    /// Is it this one's hash?
    pub fn is(&self, canon: Canon, hash: Hash, limit: Option<u64>) -> bool {
        !self.after && (self.canon, self.hash, self.limit) == (canon, hash, limit)
    }

    /// Takes a piece, with LF line ends.
    pub fn feed(&mut self, data: &[u8]) {
        match self.canon {
            Canon::Simple => self.feed_lines(data),
            Canon::Relaxed => self.feed_words(data, |c| matches!(c, b' ' | b'\t'), true),
            Canon::NoFws => self.feed_words(data, |c| matches!(c, b' ' | b'\t' | b'\r'), false),
        }
    }

    fn feed_lines(&mut self, mut data: &[u8]) {
        while let Some(first) = data.first() {
            if *first == b'\n' {
                self.line_ends += 1;
                data = &data[1..];
                continue;
            }
            let (line, rest) = data.split_at(data.find_byte(b'\n').unwrap_or(data.len()));
            self.held();
            self.put(line);
            data = rest;
        }
    }

    /// Words are short: byte by byte is faster than looking for their ends. `gaps`: white space counts as one blank.
    #[inline]
    fn feed_words(&mut self, data: &[u8], white: impl Fn(u8) -> bool, gaps: bool) {
        for &c in data {
            if c == b'\n' {
                self.line_ends += 1;
                self.gap = false;
            } else if white(c) {
                self.gap = gaps;
            } else {
                if self.gap || self.line_ends > 0 {
                    self.held();
                }
                if self.limit.is_some() {
                    self.put(&[c]);
                    continue;
                }
                self.length += 1;
                self.buffer.push(c);
                if self.buffer.len() >= 4096 {
                    self.flush();
                }
            }
        }
    }

    /// Puts out what was held back, since more follows.
    fn held(&mut self) {
        for _ in 0..std::mem::take(&mut self.line_ends) {
            self.put(b"\r\n");
        }
        if std::mem::take(&mut self.gap) {
            self.put(b" ");
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let room = self.limit.map_or(u64::MAX, |l| l.saturating_sub(self.length));
        let take = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        self.length += bytes.len() as u64;
        self.buffer.extend_from_slice(&bytes[..take]);
        if self.buffer.len() >= 4096 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Some(h) = self.hasher.as_mut()
            && h.update(&self.buffer).is_err()
        {
            self.hasher = None;
        }
        self.buffer.clear();
    }

    /// The end of the body: its hash, and the length of its canonical form. `None`: the library has no such hash.
    pub fn finish(mut self) -> Option<(Vec<u8>, u64)> {
        if self.length > 0 || self.canon == Canon::Simple {
            self.put(b"\r\n");
        }
        self.flush();
        let hash = self.hasher.as_mut()?.finish().ok()?;
        Some((hash.to_vec(), self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(canon: Canon, text: &[u8], limit: Option<u64>) -> (Vec<u8>, u64) {
        let mut whole = None;
        for cut in 0..=text.len() {
            let mut h = BodyHash::new(canon, Hash::Sha256, limit);
            h.feed(&text[..cut]);
            h.feed(&text[cut..]);
            let result = h.finish().unwrap();
            assert_eq!(*whole.get_or_insert(result.clone()), result, "cut at {cut}");
        }
        whole.unwrap()
    }

    fn is(canon: Canon, text: &[u8], form: &[u8]) {
        assert_eq!(body(canon, text, None), (openssl::sha::sha256(form).to_vec(), form.len() as u64), "{:?}", text.as_bstr());
    }

    #[test]
    fn rfc_6376_3_4_5() {
        let headers = [&b"A: X\n"[..], b"B : Y\t\n\tZ  \n"];
        let all = |c: Canon| headers.iter().flat_map(|h| c.header(h, true)).collect::<Vec<u8>>();
        assert_eq!(all(Canon::Relaxed), b"a:X\r\nb:Y Z\r\n");
        assert_eq!(all(Canon::Simple), b"A: X\r\nB : Y\t\r\n\tZ  \r\n");
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
        is(Canon::Simple, b"a\n \n", b"a\r\n \r\n");
        is(Canon::Simple, b"a\rb\r\n", b"a\rb\r\r\n");
    }

    #[test]
    fn header_and_body() {
        let hash = |canon: Canon, body: &[u8]| {
            let mut h = BodyHash::after(canon, Hash::Sha1, b"A: b\r\n");
            h.feed(body);
            h.finish().unwrap().0
        };
        let is = |form: &[u8]| openssl::sha::sha1(form).to_vec();
        assert_eq!(hash(Canon::Simple, b""), is(b"A: b\r\n"));
        assert_eq!(hash(Canon::Simple, b"\n\n"), is(b"A: b\r\n"));
        assert_eq!(hash(Canon::Simple, b"\nx \n\n"), is(b"A: b\r\n\r\n\r\nx \r\n"));
        assert_eq!(hash(Canon::NoFws, b" \nx y\t\rz\n \n"), is(b"A: b\r\n\r\n\r\nxyz\r\n"));
    }

    #[test]
    fn limits() {
        assert_eq!(body(Canon::Simple, b"abcdef\nx\n", Some(3)).0, openssl::sha::sha256(b"abc"));
        assert_eq!(body(Canon::Simple, b"abcdef\nx\n", Some(3)).1, 11);
        assert_eq!(body(Canon::Simple, b"abc", Some(0)).0, openssl::sha::sha256(b""));
    }
}

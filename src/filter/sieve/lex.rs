//! White space, words, strings and numbers of Sieve scripts. A pure function of the bytes.

use bstr::{BString, ByteSlice};

/// A mistake: the message without the line.
pub type Mistake = String;

/// A place in the script.
#[derive(Clone, Copy, Debug)]
pub struct Lex<'a> {
    text: &'a [u8],
    at: usize,
    /// The number of the line, for messages.
    pub line: u32,
    /// `require "encoded-character"`
    pub encoded: bool,
}

impl<'a> Lex<'a> {
    /// At the start.
    pub fn new(text: &'a [u8]) -> Self {
        Lex { text, at: 0, line: 1, encoded: false }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn go(&mut self, n: usize) {
        let passed = self.rest().get(..n).unwrap_or_default();
        self.line += u32::try_from(passed.iter().filter(|c| **c == b'\n').count()).unwrap_or(0);
        self.at += passed.len();
    }

    /// Is nothing left?
    pub fn is_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Goes past white space and comments.
    pub fn skip(&mut self) -> Result<(), Mistake> {
        loop {
            let n = match self.rest() {
                [b' ' | b'\t' | b'\n' | b'\r', ..] => 1,
                [b'#', rest @ ..] => rest.find_byte(b'\n').ok_or("missing end of comment")? + 2,
                [b'/', b'*', rest @ ..] => rest.find(b"*/").ok_or("missing end of comment")? + 4,
                _ => return Ok(()),
            };
            self.go(n);
        }
    }

    /// Takes a word (without regard to case), if it comes next.
    pub fn word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let ends = |c: &u8| !(c.is_ascii_alphanumeric() || *c == b'_');
        let yes = rest.get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word.as_bytes()))
            && rest.get(word.len()).is_none_or(ends);
        if yes {
            self.go(word.len());
        }
        yes
    }

    /// Takes a single sign.
    pub fn sign(&mut self, c: u8) -> bool {
        let yes = self.rest().first() == Some(&c);
        if yes {
            self.go(1);
        }
        yes
    }

    /// A string, if one comes next.
    pub fn string(&mut self) -> Result<Option<BString>, Mistake> {
        let raw = match self.rest() {
            [b'"', rest @ ..] => {
                let Some((text, n)) = quoted(rest) else {
                    self.go(rest.len() + 1);
                    return Err("missing end of string".into());
                };
                self.go(n + 1);
                text
            }
            rest if rest.get(..5).is_some_and(|w| w.eq_ignore_ascii_case(b"text:")) => {
                self.go(5);
                self.multi_line()?
            }
            _ => return Ok(None),
        };
        if self.encoded { decoded(&raw).map(Some) } else { Ok(Some(raw)) }
    }

    /// The lines up to a dot.
    fn multi_line(&mut self) -> Result<BString, Mistake> {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\r', ..] => self.go(1),
                [b'#', rest @ ..] => self.go(rest.find_byte(b'\n').ok_or("missing end of comment")? + 1),
                [b'\n', ..] => {
                    self.go(1);
                    break;
                }
                _ => return Err("syntax error".into()),
            }
        }
        let mut out = BString::default();
        loop {
            let rest = self.rest();
            let end = rest.find_byte(b'\n').ok_or("missing end of multi line string")?;
            let line = rest.get(..end).unwrap_or_default();
            self.go(end + 1);
            let bare = line.strip_suffix(b"\r").unwrap_or(line);
            if bare == b"." {
                return Ok(out);
            }
            out.extend_from_slice(line.strip_prefix(b".").filter(|_| line.starts_with(b"..")).unwrap_or(line));
            out.push(b'\n');
        }
    }

    /// A string, or a list of them in brackets, if one comes next.
    pub fn strings(&mut self) -> Result<Option<Vec<BString>>, Mistake> {
        let before = *self;
        if !self.sign(b'[') {
            return Ok(self.string()?.map(|s| vec![s]));
        }
        let mut out = Vec::new();
        self.skip()?;
        if self.sign(b']') {
            return Ok(Some(out));
        }
        loop {
            self.skip()?;
            let Some(s) = self.string()? else {
                *self = before;
                return Ok(None);
            };
            out.push(s);
            self.skip()?;
            if self.sign(b']') {
                return Ok(Some(out));
            }
            if !self.sign(b',') {
                *self = before;
                return Ok(None);
            }
        }
    }

    /// A number, if one comes next.
    pub fn number(&mut self) -> Result<Option<u64>, Mistake> {
        let digits = self.rest().iter().take_while(|c| c.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(None);
        }
        let out_of_range = || "Numerical result out of range".to_string();
        let text = self.rest().get(..digits).unwrap_or_default();
        let value: u64 = text.to_str().ok().and_then(|t| t.parse().ok()).ok_or_else(out_of_range)?;
        self.go(digits);
        let factor: u64 = match self.rest().first() {
            Some(b'k' | b'K') => 1 << 10,
            Some(b'm' | b'M') => 1 << 20,
            Some(b'g' | b'G') => 1 << 30,
            _ => return Ok(Some(value)),
        };
        self.go(1);
        value.checked_mul(factor).map(Some).ok_or_else(out_of_range)
    }
}

/// The content of a quoted string, and its length with the closing quote.
fn quoted(rest: &[u8]) -> Option<(BString, usize)> {
    let mut out = BString::default();
    let mut bytes = rest.iter().enumerate();
    while let Some((i, &c)) = bytes.next() {
        match c {
            b'"' => return Some((out, i + 1)),
            b'\\' => out.push(*bytes.next()?.1),
            _ => out.push(c),
        }
    }
    None
}

/// `${hex:41 42}` and `${unicode:e9}` (RFC 5228, 2.4.2.4). What has another form stays as it is.
fn decoded(text: &[u8]) -> Result<BString, Mistake> {
    let mut out = BString::default();
    let mut rest = text;
    while let Some(start) = rest.find(b"${") {
        let (before, from) = rest.split_at(start);
        out.extend_from_slice(before);
        let inner = from.get(2..).unwrap_or_default();
        match inner.find_byte(b'}').map(|end| inner.split_at(end)) {
            Some((body, tail)) => match encoded_characters(body)? {
                Some(bytes) => {
                    out.extend_from_slice(&bytes);
                    rest = tail.get(1..).unwrap_or_default();
                }
                None => {
                    out.extend_from_slice(b"${");
                    rest = inner;
                }
            },
            None => {
                out.extend_from_slice(from);
                rest = b"";
            }
        }
    }
    out.extend_from_slice(rest);
    Ok(out)
}

fn encoded_characters(body: &[u8]) -> Result<Option<Vec<u8>>, Mistake> {
    let after = |word: &[u8]| body.get(..word.len()).filter(|w| w.eq_ignore_ascii_case(word)).and(body.get(word.len()..));
    let (digits, unicode) = match (after(b"hex:"), after(b"unicode:")) {
        (Some(d), _) => (d, false),
        (_, Some(d)) => (d, true),
        _ => return Ok(None),
    };
    let mut out = Vec::new();
    let mut any = false;
    for word in digits.fields() {
        let number = |w: &[u8]| {
            let s = w.to_str().ok().filter(|s| s.chars().all(|c| c.is_ascii_hexdigit()))?;
            (s.len() <= if unicode { 8 } else { 2 }).then(|| u32::from_str_radix(s, 16).ok()).flatten()
        };
        let Some(n) = number(word) else { return Ok(None) };
        any = true;
        if unicode {
            let c = char::from_u32(n).ok_or("unicode character out of range")?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            out.push(u8::try_from(n).unwrap_or(0));
        }
    }
    Ok(any.then_some(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str, encoded: bool) -> Result<Option<BString>, Mistake> {
        Lex { encoded, ..Lex::new(text.as_bytes()) }.string()
    }

    #[test]
    fn strings() {
        assert_eq!(string("\"a\\\"b\\\\\\0\" x", false), Ok(Some("a\"b\\0".into())));
        assert_eq!(string("text: # c\na\n..b\n.\n", false), Ok(Some("a\n.b\n".into())));
        assert_eq!(string("text:\na\n", false), Err("missing end of multi line string".into()));
        assert_eq!(string("\"${hex: 41 42}${Unicode:e9}${hex:zz}${\"", true), Ok(Some("AB\u{e9}${hex:zz}${".into())));
        assert_eq!(string("\"${hex:41}\"", false), Ok(Some("${hex:41}".into())));
        assert!(string("\"${unicode:d800}\"", true).is_err());
        assert_eq!(string("\"a\\", false), Err("missing end of string".into()));
    }

    #[test]
    fn numbers_and_space() {
        let mut l = Lex::new(b" /* a\n*/ # b\n 4K 99999999999999999999");
        l.skip().unwrap();
        assert_eq!(l.line, 3);
        assert_eq!(l.number(), Ok(Some(4096)));
        l.skip().unwrap();
        assert!(l.number().is_err());
        assert!(Lex::new(b"18446744073709551615G").number().is_err());
        assert!(Lex::new(b"/* ").skip().is_err());
    }
}

//! The words and strings of an Exim filter file. A pure function of the bytes.
//!
//! Words end at white space, in conditions also at parentheses; `#` at the start of a word begins a comment.

use bstr::ByteSlice;

use crate::parse::is_space;

/// The longest word or string, bytes (before expansion).
const MAX: usize = 1024;

/// What ends a word, besides white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Nothing else.
    Space,
    /// `(` and `)`.
    Brackets,
}

/// A place in the file.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    text: &'a [u8],
    at: usize,
    /// The number of the line, for messages.
    pub line: u32,
}

impl<'a> Words<'a> {
    /// At the first word.
    pub fn new(text: &'a [u8]) -> Result<Self, String> {
        if let Some(zero) = text.find_byte(0) {
            let line = 1 + text.iter().take(zero).filter(|c| **c == b'\n').count();
            return Err(format!("binary zero in line {line} of filter file"));
        }
        let mut words = Words { text, at: 0, line: 1 };
        words.skip();
        Ok(words)
    }

    /// The byte that comes next; 0 at the end.
    pub fn next(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Goes past one byte, and to what follows it.
    pub fn pass(&mut self) {
        self.bump();
        self.skip();
    }

    fn bump(&mut self) -> u8 {
        let c = self.next();
        if self.at < self.text.len() {
            self.at += 1;
            self.line += u32::from(c == b'\n');
        }
        c
    }

    /// Goes past white space and comments.
    fn skip(&mut self) {
        loop {
            let c = self.next();
            if is_space(c) {
                self.bump();
            } else if c == b'#' {
                while !matches!(self.next(), b'\n' | 0) {
                    self.bump();
                }
            } else {
                return;
            }
        }
    }

    /// The next word, quotes not looked at. Empty at the end.
    pub fn word(&mut self, ends: Ends) -> Result<&'a [u8], String> {
        let begin = self.at;
        loop {
            let c = self.next();
            if c == 0 || is_space(c) || (ends == Ends::Brackets && matches!(c, b'(' | b')')) {
                break;
            }
            self.at += 1;
        }
        let word = self.text.get(begin..self.at).unwrap_or_default();
        if word.len() >= MAX {
            return Err(self.too_long("word"));
        }
        self.skip();
        Ok(word)
    }

    /// Takes the next word if it is the right one. The reference counts the lines that it looks over twice; messages
    /// that people have seen for years count on it.
    pub fn take_if(&mut self, ends: Ends, right: impl FnOnce(&[u8]) -> bool) -> Result<bool, String> {
        let mut ahead = *self;
        let yes = right(ahead.word(ends)?);
        self.line = ahead.line;
        if yes {
            *self = ahead;
        }
        Ok(yes)
    }

    /// The next word or quoted string.
    pub fn item(&mut self, ends: Ends) -> Result<Vec<u8>, String> {
        if self.next() == b'"' { self.quoted() } else { self.word(ends).map(<[u8]>::to_vec) }
    }

    fn quoted(&mut self) -> Result<Vec<u8>, String> {
        let first_line = self.line;
        self.bump();
        let mut out = Vec::new();
        loop {
            match self.next() {
                b'"' => break,
                0 | b'\n' => return Err(format!("quote missing at end of string in line {first_line}")),
                b'\\' => {
                    self.bump();
                    if let Some(c) = self.escape() {
                        out.push(c);
                    }
                }
                c => {
                    self.at += 1;
                    out.push(c);
                }
            }
            if out.len() >= MAX {
                return Err(self.too_long("string"));
            }
        }
        self.bump();
        self.skip();
        Ok(out)
    }

    /// What stands after a backslash; `None` for a continued line.
    fn escape(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blanks = rest.iter().take_while(|c| matches!(c, b' ' | b'\t')).count();
        if rest.get(blanks) == Some(&b'\n') {
            self.at += blanks;
            self.bump();
            while matches!(self.next(), b' ' | b'\t') {
                self.at += 1;
            }
            return None;
        }
        let (value, used) = match *rest {
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [b'x', ref digits @ ..] => {
                let (value, n) = number(digits, 16, 2);
                (value, n + 1)
            }
            [b'0'..=b'7', ..] => number(rest, 8, 3),
            [c, ..] => (c, 1),
            [] => return None,
        };
        self.at += used;
        Some(value)
    }

    fn too_long(&self, what: &str) -> String {
        format!("{what} is too long in line {} of filter file (max = {MAX} chars)", self.line)
    }
}

/// The value of the digits (its low eight bits), and how many they are.
fn number(text: &[u8], radix: u32, max: usize) -> (u8, usize) {
    let digits = text.iter().take(max).map_while(|c| char::from(*c).to_digit(radix));
    let (value, n) = digits.fold((0u32, 0), |(v, n), d| (v * radix + d, n + 1));
    (u8::try_from(value & 0xff).unwrap_or(0), n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> Vec<String> {
        let mut words = Words::new(text.as_bytes()).unwrap();
        let mut out = Vec::new();
        while words.next() != 0 {
            match words.item(Ends::Space) {
                Ok(i) => out.push(String::from_utf8_lossy(&i).into_owned()),
                Err(e) => {
                    out.push(e);
                    break;
                }
            }
        }
        out
    }

    #[test]
    fn words_and_strings() {
        assert_eq!(items("# Exim filter\n a#b  #c\n\"d e\\n\\x41\\1012\\\"\" f"), ["a#b", "d e\nAA2\"", "f"]);
        assert_eq!(items("\"a\\  \n   b\"c"), ["ab", "c"]);
        assert_eq!(items("\n\"a\nb\""), ["quote missing at end of string in line 2"]);
        assert_eq!(items("\"\\"), ["quote missing at end of string in line 1"]);
        assert!(items(&"x".repeat(2000))[0].starts_with("word is too long in line 1"));
        assert!(Words::new(b"a\n\0").is_err());
    }

    #[test]
    fn brackets() {
        let mut words = Words::new(b"a(b)").unwrap();
        assert_eq!(words.word(Ends::Brackets).unwrap(), b"a");
        assert_eq!(words.next(), b'(');
        assert_eq!(words.word(Ends::Space).unwrap(), b"(b)");
    }
}

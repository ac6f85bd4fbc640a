//! Phrases (RFC 5322): the name before an address, quoted where it must be.

use bstr::BString;

use super::is_space;
use super::rfc2047::quote_2047;

/// Makes a valid phrase of `phrase`: 8-bit and control characters give RFC 2047 words in `charset`
/// (`headers_charset`); special characters are put into quotes; quoted strings and comments stay.
pub fn fix_phrase(phrase: &[u8], charset: &[u8]) -> BString {
    let begin = phrase.iter().position(|c| !is_space(*c)).unwrap_or(phrase.len());
    let phrase = phrase.get(begin..).unwrap_or_default();
    if phrase.iter().any(|c| (*c < 32 && *c != b'\t') || *c > 126) {
        return quote_2047(phrase, charset, false);
    }
    let mut f = Fixer { text: phrase, at: 0, out: Vec::with_capacity(phrase.len() + 2), quoted: false };
    while let Some(c) = f.next() {
        match c {
            b'"' => f.quoted_string(),
            b'(' => f.comment(),
            b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'\\' | b'.' | b'[' | b']' if f.quoted => f.quote_word(c),
            b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'\\' | b'.' | b'[' | b']' => f.quote_all(c),
            _ => f.out.push(c),
        }
    }
    f.out.into()
}

struct Fixer<'a> {
    text: &'a [u8],
    at: usize,
    out: Vec<u8>,
    // A quoted string has been passed, so no quote may be put at the very beginning any more.
    quoted: bool,
}

impl Fixer<'_> {
    fn next(&mut self) -> Option<u8> {
        let c = self.text.get(self.at).copied()?;
        self.at += 1;
        Some(c)
    }

    fn quoted_string(&mut self) {
        self.out.push(b'"');
        while let Some(c) = self.next() {
            if c == b'"' {
                break;
            }
            self.out.push(c);
            if c == b'\\' {
                let escaped = self.next();
                self.out.extend(escaped);
            }
        }
        self.out.push(b'"');
        self.quoted = true;
    }

    fn comment(&mut self) {
        self.out.push(b'(');
        let mut level = 1;
        while level > 0 {
            let Some(c) = self.next() else { break };
            self.out.push(c);
            match c {
                b'(' => level += 1,
                b')' => level -= 1,
                b'\\' => {
                    let escaped = self.next();
                    self.out.extend(escaped);
                }
                b'"' => self.quoted = true,
                _ => {}
            }
        }
    }

    // Puts quotes round the word that a special character stands in.
    fn quote_word(&mut self, special: u8) {
        let begin = self.out.iter().rposition(|c| matches!(c, b' ' | b'"' | b')')).map_or(0, |i| i + 1);
        self.out.insert(begin, b'"');
        self.out.push(special);
        while let Some(c) = self.next() {
            if matches!(c, b' ' | b'"' | b'(') {
                self.at -= 1;
                break;
            }
            self.out.push(c);
        }
        self.out.push(b'"');
    }

    // Puts quotes round all that came so far and what follows, as far as a quote or a comment with quotes.
    fn quote_all(&mut self, special: u8) {
        self.out.insert(0, b'"');
        self.out.push(special);
        let mut escaped = special == b'\\';
        self.quoted = true;
        while let Some(c) = self.next() {
            if escaped {
                escaped = false;
            } else if c == b'\\' {
                escaped = true;
            } else if c == b'"' || (c == b'(' && self.comment_has_quote()) {
                self.at -= 1;
                let spaces = self.out.iter().rev().take_while(|c| **c == b' ').count();
                self.out.insert(self.out.len() - spaces, b'"');
                return;
            }
            self.out.push(c);
        }
        self.out.push(b'"');
    }

    // Is there an unescaped quote in the comment that has just begun?
    fn comment_has_quote(&self) -> bool {
        let mut level = 1;
        let mut rest = self.text.iter().skip(self.at);
        while let Some(c) = rest.next() {
            match c {
                b'(' => level += 1,
                b')' => {
                    level -= 1;
                    if level == 0 {
                        return false;
                    }
                }
                b'\\' => {
                    rest.next();
                }
                b'"' => return true,
                _ => {}
            }
        }
        false
    }
}

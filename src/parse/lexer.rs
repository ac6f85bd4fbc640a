//! The words that addresses are made of: comments, local parts, domains, source routes.
//!
//! Used by the address parser and by whatever parses other structured header fields. A [`Lexer`] walks over
//! the bytes and never beyond their end; a NUL byte ends the text, as it did in the reference.

use super::{Rules, is_space};

/// A walk over a text.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a [u8],
    /// Where we are.
    pub at: usize,
    /// Where the last run of white space and comments began: the end of the word before it.
    pub word_end: usize,
}

impl<'a> Lexer<'a> {
    /// Begins at the start of the text.
    pub fn new(text: &'a [u8]) -> Self {
        let end = text.iter().position(|c| *c == 0).unwrap_or(text.len());
        Lexer { text: text.get(..end).unwrap_or_default(), at: 0, word_end: 0 }
    }

    /// The next byte, 0 at the end.
    pub fn peek(&self) -> u8 {
        self.peek_at(0)
    }

    /// The byte `n` places ahead, 0 beyond the end.
    pub fn peek_at(&self, n: usize) -> u8 {
        self.text.get(self.at + n).copied().unwrap_or(0)
    }

    /// Moves on by one byte and gives it.
    pub fn bump(&mut self) -> u8 {
        let c = self.peek();
        if self.at < self.text.len() {
            self.at += 1;
        }
        c
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// What has been passed.
    pub fn passed(&self) -> &'a [u8] {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// Skips white space and comments, which may be nested and have quoted pairs.
    pub fn skip_comment(&mut self) {
        self.word_end = self.at;
        loop {
            while is_space(self.peek()) {
                self.at += 1;
            }
            if self.peek() != b'(' {
                return;
            }
            self.at += 1;
            let mut level = 1;
            while level > 0 {
                match self.bump() {
                    0 => return,
                    b'(' => level += 1,
                    b')' => level -= 1,
                    b'\\' => {
                        self.bump();
                    }
                    _ => {}
                }
            }
        }
    }

    /// Reads words separated by dots (atoms with quoted pairs, or quoted strings) into `out`; comments go.
    /// Several dots together are kept. With `allow_null` nothing at all is no error.
    pub fn local_part(&mut self, out: &mut Vec<u8>, allow_null: bool) -> Result<(), String> {
        let begin = out.len();
        loop {
            self.skip_comment();
            let word = out.len();
            if self.peek() == b'"' {
                out.push(self.bump());
                loop {
                    let c = self.bump();
                    match c {
                        0 => return Err("unmatched doublequote in local part".into()),
                        b'"' => break out.push(c),
                        b'\\' if self.peek() != 0 => out.extend_from_slice(&[c, self.bump()]),
                        _ => out.push(c),
                    }
                }
            } else {
                while self.peek() == b'\\' || is_atom(self.peek()) {
                    let c = self.bump();
                    out.push(c);
                    if c == b'\\' && self.peek() != 0 {
                        out.push(self.bump());
                    }
                }
            }
            self.skip_comment();
            if out.len() == word && self.peek() != b'.' {
                if word == begin && !allow_null {
                    return Err("missing or malformed local part".into());
                }
                return Ok(());
            }
            if self.peek() != b'.' {
                return Ok(());
            }
            while self.peek() == b'.' {
                out.push(self.bump());
            }
        }
    }

    /// Reads a domain or a domain literal into `out`.
    pub fn domain(&mut self, rules: &Rules, out: &mut Vec<u8>) -> Result<(), String> {
        let begin = out.len();
        self.skip_comment();
        if self.peek() == b'[' {
            return self.literal(rules, out);
        }
        loop {
            let label = out.len();
            if self.peek() != b'-' {
                self.label(rules, out)?;
            }
            if out.len() == label {
                if rules.strip_trailing_dot && label > begin && self.peek() != b'.' {
                    out.pop();
                    return Ok(());
                }
                return Err("domain missing or malformed".into());
            }
            self.skip_comment();
            if self.peek() != b'.' {
                return Ok(());
            }
            out.push(self.bump());
            self.skip_comment();
        }
    }

    fn label(&mut self, rules: &Rules, out: &mut Vec<u8>) -> Result<(), String> {
        loop {
            let c = self.peek();
            if c.is_ascii_alphanumeric() || c == b'-' {
                out.push(self.bump());
            } else if c >= 0x80 && rules.allow_utf8_domains {
                let len = utf8_char(self.rest()).ok_or("invalid UTF-8 byte sequence")?;
                for _ in 0..len {
                    out.push(self.bump());
                }
            } else {
                return Ok(());
            }
        }
    }

    // The content is checked for being an address only when a router sees it.
    fn literal(&mut self, rules: &Rules, out: &mut Vec<u8>) -> Result<(), String> {
        out.push(self.bump());
        if self.rest().get(..5).is_some_and(|p| p.eq_ignore_ascii_case(b"IPv6:") || p.eq_ignore_ascii_case(b"IPv4:")) {
            for _ in 0..5 {
                out.push(self.bump());
            }
        }
        while matches!(self.peek(), b'.' | b':') || self.peek().is_ascii_hexdigit() {
            out.push(self.bump());
        }
        if self.peek() != b']' {
            return Err("malformed domain literal".into());
        }
        out.push(self.bump());
        if !rules.allow_domain_literals {
            return Err("domain literals not allowed".into());
        }
        self.skip_comment();
        Ok(())
    }

    /// Passes over a source route, `@one,@two:`; it is ignored (RFC 1123, 5.2.6).
    pub fn source_route(&mut self, rules: &Rules) -> Result<(), String> {
        let mut commas = false;
        while self.peek() == b'@' {
            self.bump();
            self.domain(rules, &mut Vec::new())?;
            if self.peek() != b',' {
                break;
            }
            commas = true;
            while self.peek() == b',' {
                self.bump();
                self.skip_comment();
            }
        }
        if self.peek() == b':' {
            self.bump();
            self.skip_comment();
            return Ok(());
        }
        // Without comma and colon it is more likely that the local part was forgotten.
        Err(if commas { "colon expected after route list" } else { "no local part" }.into())
    }
}

/// May it stand in an atom? All but white space, controls and the specials of RFC 5322.
pub fn is_atom(c: u8) -> bool {
    c >= 0x80 || (c.is_ascii_graphic() && !b"()<>@,;:\\\".[]".contains(&c))
}

/// Length of the UTF-8 character (not ASCII) that the text begins with.
fn utf8_char(text: &[u8]) -> Option<usize> {
    match bstr::decode_utf8(text) {
        (Some(_), len) => Some(len),
        (None, _) => None,
    }
}

//! Parses strings to be expanded (manual 11.1 to 11.6). Called by [`Template`](super::Template) only.
//!
//! It never panics and never looks at any state: a string has one tree. The messages of syntax errors are the
//! reference's. Nesting is limited.

use bstr::{BString, ByteSlice};

use super::tree::{Body, Broken, HeaderForm, Node, Step};
use super::variables::VarRef;
use super::{items, operators, variables};
use crate::text::Bytes;

/// How deep braces may be nested.
pub(super) const MAX_NESTING: u32 = 200;

/// Names are cut at this length; none is that long.
const MAX_NAME: usize = 255;

/// The state of a parse.
pub struct Parser<'a> {
    pub(super) src: &'a [u8],
    pub(super) pos: usize,
    /// A header name ran over a closing brace.
    pub(super) malformed_header: bool,
    /// Dollars are special.
    pub(super) honour_dollar: bool,
    /// In a string that the reference parses before it evaluates it (`map` and such): some messages differ.
    pub(super) skipping: bool,
    pub(super) depth: u32,
}

/// Parses a whole string.
pub fn parse(src: &[u8]) -> Body {
    let mut p = Parser { src, pos: 0, malformed_header: false, honour_dollar: true, skipping: false, depth: 0 };
    p.body(false)
}

/// Bytes that may be something else than text.
static SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    table[b'\\' as usize] = true;
    table[b'}' as usize] = true;
    table[b'$' as usize] = true;
    table
};

fn is_name_char(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_'
}

impl<'a> Parser<'a> {
    /// The byte here; 0 at the end.
    pub(super) fn peek(&self) -> u8 {
        self.src.get(self.pos).copied().unwrap_or(0)
    }

    /// The byte `n` ahead; 0 at the end.
    fn ahead(&self, n: usize) -> u8 {
        self.src.get(self.pos.saturating_add(n)).copied().unwrap_or(0)
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.src.get(self.pos..).unwrap_or_default()
    }

    /// Skips white space.
    pub(super) fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c) {
            self.pos += 1;
        }
    }

    /// Takes this byte if it is here.
    pub(super) fn take(&mut self, c: u8) -> bool {
        let found = self.pos < self.src.len() && self.peek() == c;
        self.pos += usize::from(found);
        found
    }

    /// Takes a name: letters, digits, underscores and the bytes of `more`.
    pub(super) fn name(&mut self, more: &[u8]) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().take_while(|c| is_name_char(**c) || more.contains(c)).count();
        self.pos += len;
        rest.get(..len.min(MAX_NAME)).unwrap_or_default()
    }

    /// A message that a header name without its colon may have caused.
    pub(super) fn curly(&self, message: impl Into<String>) -> String {
        if self.malformed_header {
            "missing or misplaced { or } - could be header name not terminated by colon".into()
        } else {
            message.into()
        }
    }

    /// Parses to the end, or to the closing brace (which is left) if `braced`.
    pub(super) fn body(&mut self, braced: bool) -> Body {
        let mut body = Body::default();
        let mut text: Vec<u8> = Vec::new();
        self.depth += 1;
        let result = if self.depth > MAX_NESTING {
            Err(Broken { before: Vec::new(), error: "expansion nested too deeply".into() })
        } else {
            self.nodes(braced, &mut body, &mut text)
        };
        self.depth -= 1;
        if !text.is_empty() {
            body.nodes.push(Node::Literal(Bytes::from_vec(text)));
        }
        if let Err(broken) = result {
            body.nodes.push(Node::Broken(Box::new(broken)));
        }
        body
    }

    fn nodes(&mut self, braced: bool, body: &mut Body, text: &mut Vec<u8>) -> Result<(), Broken> {
        let fail = |error: String| Err(Broken { before: Vec::new(), error });
        loop {
            if self.pos >= self.src.len() {
                if !braced {
                    return Ok(());
                }
                let more = if self.malformed_header { " - could be header name not terminated by colon" } else { "" };
                return fail(format!("missing }} at end of string{more}"));
            }
            match self.peek() {
                b'\\' => {
                    if self.pos + 1 >= self.src.len() {
                        return fail("\\ at end of string".into());
                    }
                    if self.ahead(1) == b'N' {
                        self.pos += 2;
                        let rest = self.rest();
                        let len = rest.find(b"\\N").unwrap_or(rest.len());
                        text.extend_from_slice(rest.get(..len).unwrap_or_default());
                        self.pos = (self.pos + len + 2).min(self.src.len());
                    } else {
                        let (c, used) = escape(self.src.get(self.pos + 1..).unwrap_or_default());
                        text.push(c);
                        self.pos += 1 + used;
                    }
                }
                b'}' if braced => return Ok(()),
                b'$' if self.honour_dollar => {
                    self.pos += 1;
                    if !text.is_empty() {
                        body.nodes.push(Node::Literal(Bytes::from_vec(std::mem::take(text))));
                    }
                    let node = self.dollar()?;
                    body.nodes.push(node);
                }
                _ => {
                    let rest = self.rest();
                    let (mut len, mut next) = (1, None);
                    while let Some(c) = rest.get(len) {
                        if SPECIAL[usize::from(*c)]
                            && (*c == b'\\' || (*c == b'}' && braced) || (*c == b'$' && self.honour_dollar))
                        {
                            next = Some(*c);
                            break;
                        }
                        len += 1;
                    }
                    let plain = rest.get(..len).unwrap_or_default();
                    self.pos += len;
                    if next != Some(b'\\') && text.is_empty() {
                        // The usual case: a text without escapes.
                        body.nodes.push(Node::Literal(Bytes::from_slice(plain)));
                    } else {
                        text.extend_from_slice(plain);
                    }
                }
            }
        }
    }

    /// After a dollar.
    fn dollar(&mut self) -> Result<Node, Broken> {
        let fail = |error: String| Err(Broken { before: Vec::new(), error });
        let c = self.peek();
        if c.is_ascii_alphabetic() {
            if let Some((form, name)) = self.header_name() {
                return Ok(Node::Header(form, name));
            }
            let name = self.name(b"");
            return match variables::resolve(name) {
                Some(v) => Ok(Node::Variable(v)),
                None => fail(variables::unknown(format!("unknown variable name \"{}\"", name.as_bstr()), name)),
            };
        }
        if c.is_ascii_digit() {
            return Ok(Node::Variable(VarRef::Numeric(self.number())));
        }
        if c != b'{' {
            return fail("$ not followed by letter, digit, or {".into());
        }
        self.pos += 1;
        if self.peek().is_ascii_digit() {
            let n = self.number();
            return if self.take(b'}') { Ok(Node::Variable(VarRef::Numeric(n))) } else { fail("} expected after number".into()) };
        }
        if !self.peek().is_ascii_alphabetic() {
            return fail("letter or digit expected after ${".into());
        }
        let name = self.name(b"-");
        if let Some(def) = items::find(name) {
            return self.item(def);
        }
        match self.peek() {
            b':' if self.pos < self.src.len() => self.operator(name),
            b'}' => {
                self.pos += 1;
                match variables::resolve(name) {
                    Some(v) => Ok(Node::Variable(v)),
                    None => fail(variables::unknown(format!("unknown variable in \"${{{}}}\"", name.as_bstr()), name)),
                }
            }
            _ => fail(format!("\"${{{}\" is not a known operator (or a }} is missing in a variable reference)", name.as_bstr())),
        }
    }

    fn number(&mut self) -> usize {
        let rest = self.rest();
        let len = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        self.pos += len;
        rest.get(..len).and_then(|d| d.to_str().ok()).and_then(|d| d.parse().ok()).unwrap_or(usize::MAX)
    }

    /// `h_name:` and friends, if that is what stands here (also after `def:`).
    pub(super) fn header_name(&mut self) -> Option<(HeaderForm, BString)> {
        let rest = self.rest();
        let (form, tail) = match rest.first()? {
            b'r' => (HeaderForm::Raw, rest.get(1..)?),
            b'b' => (HeaderForm::Basic, rest.get(1..)?),
            b'l' => (HeaderForm::List, rest.get(1..)?),
            _ => (HeaderForm::Decoded, rest),
        };
        let name = tail.strip_prefix(b"header_").or_else(|| tail.strip_prefix(b"h_"))?;
        let len = name.iter().take_while(|c| c.is_ascii_graphic() && **c != b':').count();
        let (name, after) = name.split_at(len);
        if name.contains(&b'}') {
            self.malformed_header = true;
        }
        self.pos = self.src.len() - after.len();
        if after.first() == Some(&b':') {
            self.pos += 1;
        }
        Some((form, name.into()))
    }

    /// After `${name`, at the colon.
    fn operator(&mut self, name: &'a [u8]) -> Result<Node, Broken> {
        self.pos += 1;
        let found = operators::find(name);
        if let Ok((def, arg)) = &found
            && def.cert.is_some()
            && let Some(slot) = self.certificate()
        {
            return Ok(Node::CertOperator(def, arg.map(Into::into), slot));
        }
        let body = self.body(true);
        if let Some(error) = body.error().map(str::to_owned) {
            return Err(Broken { before: vec![Step::Body(body)], error });
        }
        self.pos += 1;
        match found {
            Ok((def, arg)) => Ok(Node::Operator(def, arg.map(Into::into), Box::new(body))),
            Err(error) => Err(Broken { before: vec![Step::Body(body)], error }),
        }
    }

    /// `$variable}` with a variable that is a certificate.
    pub(super) fn certificate(&mut self) -> Option<variables::CertSlot> {
        let rest = self.rest().strip_prefix(b"$")?;
        let len = rest.iter().take_while(|c| is_name_char(**c)).count();
        let (name, after) = rest.split_at(len);
        if after.first() != Some(&b'}') {
            return None;
        }
        let Some(VarRef::Table(def)) = variables::resolve(name) else { return None };
        let slot = def.certificate()?;
        self.pos += len + 2;
        Some(slot)
    }
}

/// What a backslash makes of the bytes after it: the byte, and how many were used. `s` should not be empty.
pub fn escape(s: &[u8]) -> (u8, usize) {
    let c = s.first().copied().unwrap_or(b'\\');
    match c {
        b'0'..=b'7' => {
            let digits = s.iter().take(3).take_while(|d| (b'0'..=b'7').contains(d)).count();
            let n = s.iter().take(digits).fold(0u32, |n, d| n * 8 + u32::from(d - b'0'));
            ((n & 0xff) as u8, digits)
        }
        b'b' => (8, 1),
        b'f' => (12, 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'v' => (11, 1),
        b'x' => {
            let digits = s.iter().skip(1).take(2).take_while(|d| d.is_ascii_hexdigit()).count();
            let n = s.iter().skip(1).take(digits).fold(0u32, |n, d| n * 16 + char::from(*d).to_digit(16).unwrap_or(0));
            if digits == 0 { (b'x', 1) } else { ((n & 0xff) as u8, 1 + digits) }
        }
        c => (c, usize::from(!s.is_empty())),
    }
}

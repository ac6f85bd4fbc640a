//! The header section of an incoming message: lines, their continuations, limits, and where it ends.
//!
//! Bare CRs and (after a first line that ended in CRLF) bare LFs within header lines never end them: white space is put
//! after the line break (manual 47.2).

use bstr::BString;

use super::input::{End, Input};
use crate::context::Context;

/// What to read, and how much at most.
pub struct Limits {
    /// header_maxsize, bytes.
    pub section: u64,
    /// header_line_maxsize, bytes; 0 is none.
    pub line: u64,
    /// A line with only a dot ends the message.
    pub dot_ends: bool,
    /// SMTP: the dot at the start of a longer line is dropped.
    pub smtp: bool,
    /// The header must have CRLF (BDAT).
    pub must_crlf: bool,
}

/// How the section ended, when it was in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// An empty line, or the first line of the body.
    BodyFollows,
    /// The dot that ends the message.
    Dot,
    /// The end of the input after a whole line (an error for SMTP).
    Input,
    /// The same within a line, or before there was any.
    InputCut,
}

impl Ended {
    /// There is no more.
    pub fn by_input(self) -> bool {
        matches!(self, Ended::Input | Ended::InputCut)
    }
}

/// A header section.
#[derive(Debug)]
pub struct Section {
    /// Header lines with their newlines.
    pub lines: Vec<BString>,
    /// A line that was read but is the first of the body.
    pub first_body_line: Option<BString>,
    /// How it ended.
    pub ended: Ended,
    /// The first line ended in CRLF.
    pub crlf: Option<bool>,
    /// Bytes, with LF line ends, the empty line included.
    pub size: u64,
    /// Lines, the empty line included.
    pub line_count: u64,
    /// NUL bytes in the first body line.
    pub zeros: u64,
    /// The longest line.
    pub longest: u64,
    /// A bare LF ended the section where lines end with CRLF: a space stands for it, and the body begins with that.
    pub space: bool,
    /// The "From " line that came first, if such lines are looked for.
    pub from_line: Option<BString>,
}

/// Why a section cannot be used. The lines so far are in the section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// header_maxsize.
    TooLong,
    /// header_line_maxsize.
    LineTooLong,
    /// BDAT with bare LF.
    NotCrlf,
    /// The input ended.
    Input(End),
}

/// Does the line begin with a field name and a colon? There may be white space between them, a folded line's too. Bytes
/// with the top bit set are let pass: `verify = header_names_ascii` is for those. A name of no bytes is one, too: the lines
/// after it would else be shown as text by us, and taken for the header's by others.
pub fn is_header(line: &[u8]) -> bool {
    let name = line.iter().take_while(|c| **c > b' ' && !matches!(**c, 0x7f | b':')).count();
    let white = line.iter().skip(name).take_while(|c| c.is_ascii_whitespace() || **c == 0x0b).count();
    (name > 0 || white == 0) && line.get(name + white) == Some(&b':')
}

/// Reads the section. `from_line` says whether the first line is a "From " line.
pub fn read(
    ctx: &mut Context,
    input: &mut Input<'_>,
    limits: &Limits,
    from_line: &mut dyn FnMut(&mut Context, &[u8]) -> bool,
) -> (Section, Result<(), Trouble>) {
    let section = Section {
        lines: Vec::new(),
        first_body_line: None,
        ended: Ended::BodyFollows,
        crlf: None,
        size: 0,
        line_count: 0,
        zeros: 0,
        longest: 0,
        space: false,
        from_line: None,
    };
    let mut r = Reader { section, pushed: None, limits, text: Vec::new(), line_start: 0, zeros: 0, first: true };
    let result = r.run(ctx, input, from_line);
    if matches!(result, Err(Trouble::TooLong | Trouble::LineTooLong | Trouble::NotCrlf)) && !r.text.is_empty() {
        let text = std::mem::take(&mut r.text);
        r.section.lines.push(text.into());
    }
    r.section.space = r.pushed.is_some();
    (r.section, result)
}

impl Section {
    /// The lines that lie within the first `limit` bytes (0: all): a message that is too big is told of with these.
    pub fn within(&self, limit: u64) -> &[BString] {
        let mut size = 0;
        let mut fits = |line: &BString| {
            size += line.len() as u64;
            size <= limit
        };
        let all = limit == 0 || self.size <= limit;
        let n = if all { self.lines.len() } else { self.lines.iter().take_while(|line| fits(line)).count() };
        self.lines.get(..n).unwrap_or_default()
    }

    /// How the rest of the message is to be read, after `trouble` or after the whole section.
    pub fn rest(&self, trouble: Option<&Trouble>) -> Rest {
        let line_start = !self.space && matches!(trouble, None | Some(Trouble::LineTooLong | Trouble::NotCrlf));
        Rest { crlf: self.crlf, line_start }
    }
}

/// The state in which the rest of a message that is given up is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// How lines end.
    pub crlf: Option<bool>,
    /// Is the next byte the first of a line?
    pub line_start: bool,
}

struct Reader<'l> {
    section: Section,
    /// A space that stands for a bare line end.
    pushed: Option<u8>,
    limits: &'l Limits,
    text: Vec<u8>,
    line_start: usize,
    zeros: u64,
    first: bool,
}

/// One byte, or the end of the input.
type Byte = Option<u8>;

impl Reader<'_> {
    fn next(&mut self, ctx: &mut Context, input: &mut Input<'_>) -> Result<Byte, Trouble> {
        if let Some(c) = self.pushed.take() {
            return Ok(Some(c));
        }
        let got = input.next(ctx);
        ended(got, input.is_chunked())
    }

    fn peek(&mut self, ctx: &mut Context, input: &mut Input<'_>) -> Result<Byte, Trouble> {
        if let Some(c) = self.pushed {
            return Ok(Some(c));
        }
        let got = input.peek(ctx);
        ended(got, input.is_chunked())
    }

    fn put(&mut self, c: u8) -> Result<(), Trouble> {
        self.zeros += u64::from(c == 0);
        self.text.push(c);
        self.section.size += 1;
        if self.section.size >= self.limits.section { Err(Trouble::TooLong) } else { Ok(()) }
    }

    fn run(
        &mut self,
        ctx: &mut Context,
        input: &mut Input<'_>,
        from_line: &mut dyn FnMut(&mut Context, &[u8]) -> bool,
    ) -> Result<(), Trouble> {
        loop {
            let c = self.next(ctx, input)?;
            let c = match c {
                Some(b'.') if self.limits.dot_ends && self.text.is_empty() => match self.after_dot(ctx, input)? {
                    None => return Ok(()),
                    Some(c) => Some(c),
                },
                other => other,
            };
            let at_end = match c {
                None => {
                    self.section.ended = Ended::InputCut;
                    if self.text.is_empty() {
                        return Ok(());
                    }
                    true
                }
                Some(b'\n') => {
                    if *self.section.crlf.get_or_insert(false) {
                        self.pushed = Some(b' ');
                    }
                    false
                }
                Some(b'\r') => {
                    if self.peek(ctx, input)? == Some(b'\n') {
                        self.next(ctx, input)?;
                        self.section.crlf.get_or_insert(true);
                        false
                    } else {
                        self.put(b'\n')?;
                        self.put(b' ')?;
                        continue;
                    }
                }
                Some(c) => {
                    self.put(c)?;
                    continue;
                }
            };
            // The end of a line.
            let length = self.text.len().saturating_sub(self.line_start) as u64;
            self.section.longest = self.section.longest.max(length);
            self.section.line_count += 1;
            self.text.push(b'\n');
            self.section.size += 1;
            self.line_start = self.text.len();
            if self.text.len() == 1 {
                self.text.clear();
                self.section.ended = Ended::BodyFollows;
                return Ok(());
            }
            if !at_end {
                match self.peek(ctx, input) {
                    Ok(Some(c @ (b' ' | b'\t'))) => {
                        self.next(ctx, input)?;
                        self.put(c)?;
                        continue;
                    }
                    Ok(None) => self.section.ended = Ended::Input,
                    Ok(Some(_)) => {}
                    Err(e) => return Err(e),
                }
            }
            if self.limits.line > 0 && self.text.len() as u64 > self.limits.line {
                return Err(Trouble::LineTooLong);
            }
            if self.limits.must_crlf && self.section.crlf != Some(true) {
                return Err(Trouble::NotCrlf);
            }
            let text = std::mem::take(&mut self.text);
            let zeros = std::mem::take(&mut self.zeros);
            self.line_start = 0;
            let taken = self.take_line(ctx, text, zeros, from_line);
            if self.section.ended.by_input() || !taken {
                return Ok(());
            }
        }
    }

    /// Takes a complete line; false if it belongs to the body.
    fn take_line(
        &mut self,
        ctx: &mut Context,
        mut text: Vec<u8>,
        zeros: u64,
        from_line: &mut dyn FnMut(&mut Context, &[u8]) -> bool,
    ) -> bool {
        if std::mem::replace(&mut self.first, false) && from_line(ctx, &text) {
            self.section.from_line = Some(text.into());
            return true;
        }
        if !is_header(&text) {
            self.section.first_body_line = Some(text.into());
            self.section.zeros = zeros;
            return false;
        }
        for c in text.iter_mut().filter(|c| **c == 0) {
            *c = b'?';
        }
        trim_white_lines(&mut text);
        self.section.lines.push(text.into());
        true
    }

    /// After a dot at the start of a line: the end of the message (`None`), or the byte that follows the dot.
    fn after_dot(&mut self, ctx: &mut Context, input: &mut Input<'_>) -> Result<Byte, Trouble> {
        let mut c = self.next(ctx, input)?;
        if c == Some(b'\n') && self.section.crlf == Some(true) {
            c = Some(b' ');
        } else if c == Some(b'\r') && self.peek(ctx, input)? == Some(b'\n') {
            self.next(ctx, input)?;
            c = Some(b'\n');
        }
        match c {
            None | Some(b'\n') => {
                self.section.ended = if c.is_none() && self.limits.smtp { Ended::InputCut } else { Ended::Dot };
                Ok(None)
            }
            Some(c) => {
                if !self.limits.smtp {
                    self.put(b'.')?;
                }
                Ok(Some(c))
            }
        }
    }
}

/// Drops continuation lines of nothing but white space from the end of a header line.
fn trim_white_lines(text: &mut Vec<u8>) {
    while let Some(at) = text.get(..text.len().saturating_sub(1)).and_then(|t| t.iter().rposition(|c| *c == b'\n')) {
        if text.get(at..).is_some_and(|last| !last.iter().all(u8::is_ascii_whitespace)) {
            return;
        }
        text.truncate(at + 1);
    }
}

/// The end of a file and of the last chunk are ends of the message; anything else is trouble. (Where chunks are due, the
/// end of the input is the end of the connection.)
fn ended(got: Result<u8, End>, chunked: bool) -> Result<Byte, Trouble> {
    match got {
        Ok(c) => Ok(Some(c)),
        Err(End::LastChunk) => Ok(None),
        Err(End::Eof) if !chunked => Ok(None),
        Err(e) => Err(Trouble::Input(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Run;
    use crate::receive::input::FileInput;
    use bstr::ByteSlice as _;
    use std::sync::Arc;

    fn section(text: &[u8]) -> (Section, Result<(), Trouble>) {
        let mut ctx = Context::for_tests(Arc::default(), Arc::new(Run::default()));
        let mut input = Input::File(FileInput::bytes(text.to_vec()));
        let limits = Limits { section: 200, line: 100, dot_ends: true, smtp: false, must_crlf: false };
        read(&mut ctx, &mut input, &limits, &mut |_, l| l.starts_with(b"From "))
    }

    #[test]
    fn lines_within_a_limit() {
        let (s, _) = section(b"A: b\n c\nX: y\n\nbody");
        let lines = |limit| s.within(limit).len();
        assert_eq!([lines(0), lines(1), lines(7), lines(8), lines(12), lines(13), lines(999)], [2, 0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn sections() {
        let (s, r) = section(b"From me\nA: b\n c\nX:\ry\nnot a header\nmore");
        assert_eq!(r, Ok(()));
        assert_eq!(s.lines, [BString::from("A: b\n c\n"), "X:\n y\n".into()]);
        assert_eq!(s.first_body_line.unwrap(), "not a header\n");
        assert!(s.from_line.is_some());
        let (s, _) = section(b"A: b\r\nC: d\nE: f\r\n\r\n");
        assert_eq!(s.lines, [BString::from("A: b\n"), "C: d\n E: f\n".into()]);
        let (s, _) = section(b"A: b\n.\nrest");
        assert_eq!((s.ended, s.lines.len()), (Ended::Dot, 1));
        // Continuation lines of white space count only before others.
        let (s, _) = section(b"A: b\n \n c\nB: \n \n\t \nC: d\n\n");
        assert_eq!(s.lines, [BString::from("A: b\n \n c\n"), "B: \n".into(), "C: d\n".into()]);
        // A bare LF does not make a dot the first byte of a line where lines end with CRLF.
        let (s, _) = section(b"A: b\r\n\n.\r\nrest");
        assert_eq!((s.ended, s.space, s.rest(None).line_start), (Ended::BodyFollows, true, false));
        assert_eq!(section(&[b'a'; 300]).1, Err(Trouble::TooLong));
        assert_eq!(section(&[&[b'a'; 120][..], b"\n"].concat()).1, Err(Trouble::LineTooLong));
        assert_eq!(section(b"").0.ended, Ended::InputCut);
        assert_eq!(section(b"A: b\nC").0.ended, Ended::InputCut);
        assert_eq!(section(b"A: b\nnone\n").0.ended, Ended::Input);
    }

    #[test]
    fn names() {
        for name in [&b"A: b\n"[..], b"A\t : b\n", b"A\n : b\n", b"A\xfcB: c\n", b"!#: x\n", b": b\n"] {
            assert!(is_header(name), "{}", name.as_bstr());
        }
        for name in [&b" : b\n"[..], b" A: b\n", b"A b: c\n", b"A\x7f: c\n", b"A\n", b""] {
            assert!(!is_header(name), "{}", name.as_bstr());
        }
    }
}

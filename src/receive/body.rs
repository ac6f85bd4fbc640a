//! The body of a message on its way into the spool: line ends, dots, the end of the message, counts.
//!
//! Three state machines, for DATA, for BDAT, and for local input. Each is fed pieces of input of any size, gives the
//! same result wherever the pieces are cut, and says how much it has used; what follows the end of the message is left.

use super::sink::Sink;

/// What feeding did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// Bytes used of the input.
    pub used: usize,
    /// The end of the message was among them.
    pub ended: bool,
}

/// Bytes that every state machine must look at one by one; others are passed on in runs.
fn special(c: u8) -> bool {
    matches!(c, b'\r' | b'\n' | 0)
}

fn run_length(input: &[u8]) -> usize {
    input.iter().position(|c| special(*c)).unwrap_or(input.len())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LineStart,
    Middle,
    /// After a CR, which is not written.
    Cr,
    /// After a dot at the start of a line, which is not written.
    Dot,
    /// After dot and CR.
    DotCr,
}

/// DATA over SMTP. With strict line ends (the first header line ended in CRLF) only CRLF ends lines, and only CRLF dot
/// CRLF the message; a bare LF becomes a space. Otherwise LF will do (local scripts talk to `-bs` like that); which
/// of the two holds is fixed before the body begins (CVE-2023-51766).
#[derive(Debug)]
pub struct Data {
    state: State,
    strict: Option<bool>,
}

impl Data {
    /// At the start of the body. `crlf`: how the first header line ended; `None` if no line has ended yet.
    pub fn new(crlf: Option<bool>) -> Self {
        Data { state: State::LineStart, strict: crlf }
    }

    /// The input begins in the middle of a line.
    pub fn not_at_line_start(&mut self) {
        self.state = State::Middle;
    }

    /// Feeds a piece.
    pub fn feed(&mut self, input: &[u8], sink: &mut Sink<'_>) -> Fed {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            if self.state == State::Middle {
                let n = run_length(input.get(at..).unwrap_or_default());
                if n > 0 {
                    sink.put_run(input.get(at..at + n).unwrap_or_default());
                    at += n;
                    continue;
                }
            }
            at += 1;
            if byte == 0 {
                sink.zeros += 1;
            }
            let after_cr = matches!(self.state, State::Cr | State::DotCr);
            let byte = match byte {
                b'\n' if *self.strict.get_or_insert(after_cr) && !after_cr => b' ',
                other => other,
            };
            match (self.state, byte) {
                (State::LineStart, b'.') => self.state = State::Dot,
                (State::LineStart | State::Middle, b'\r') => self.state = State::Cr,
                (State::LineStart | State::Middle, b'\n') => {
                    sink.put(b'\n');
                    self.state = State::LineStart;
                }
                (State::LineStart | State::Middle, c) => {
                    sink.put(c);
                    self.state = State::Middle;
                }
                (State::Cr, b'\n') => {
                    sink.put(b'\n');
                    self.state = State::LineStart;
                }
                // A bare CR ends a line, but no dot after it means anything.
                (State::Cr, b'\r') => sink.put(b'\n'),
                (State::Cr, c) => {
                    sink.put(b'\n');
                    sink.put(c);
                    self.state = State::Middle;
                }
                (State::Dot, b'\n') => return Fed { used: at, ended: true },
                (State::Dot, b'\r') => self.state = State::DotCr,
                (State::Dot, c) => {
                    sink.put(c);
                    self.state = State::Middle;
                }
                (State::DotCr, b'\n') => return Fed { used: at, ended: true },
                (State::DotCr, c) => {
                    sink.put(b'\n');
                    if c == b'\r' {
                        self.state = State::Cr;
                    } else {
                        sink.put(c);
                        self.state = State::Middle;
                    }
                }
            }
        }
        Fed { used: at, ended: false }
    }
}

/// BDAT: no dots, the end is known by counting. Lines are stored with LF; the last one gets an end if it has none.
#[derive(Debug, Default)]
pub struct Chunked {
    cr: bool,
}

impl Chunked {
    /// Feeds a piece; all of it is used.
    pub fn feed(&mut self, input: &[u8], sink: &mut Sink<'_>) -> Fed {
        let mut at = 0;
        while let Some(&c) = input.get(at) {
            if self.cr {
                self.cr = false;
                sink.put(b'\n');
                if c == b'\n' {
                    at += 1;
                    continue;
                }
            }
            let n = run_length(input.get(at..).unwrap_or_default());
            if n > 0 {
                sink.put_run(input.get(at..at + n).unwrap_or_default());
                at += n;
                continue;
            }
            at += 1;
            match c {
                b'\r' => self.cr = true,
                _ => {
                    sink.zeros += u64::from(c == 0);
                    sink.put(c);
                }
            }
        }
        Fed { used: input.len(), ended: false }
    }

    /// The last chunk has been fed. Gives how many bytes were added to end the last line.
    pub fn finish(&mut self, sink: &mut Sink<'_>) {
        if std::mem::take(&mut self.cr) || sink.last != b'\n' {
            sink.put(b'\n');
        }
    }
}

/// BDAT kept as it came (`spool_wireformat`): the file has CRLF.
#[derive(Debug, Default)]
pub struct Wireformat {
    last: u8,
    any: bool,
}

impl Wireformat {
    /// Feeds a piece; all of it is used.
    pub fn feed(&mut self, input: &[u8], sink: &mut Sink<'_>) -> Fed {
        for c in input {
            sink.zeros += u64::from(*c == 0);
            sink.put(*c);
        }
        if let Some(l) = input.last() {
            self.last = *l;
            self.any = true;
        }
        Fed { used: input.len(), ended: false }
    }

    /// The last chunk has been fed.
    pub fn finish(&mut self, sink: &mut Sink<'_>) {
        if self.any && self.last != b'\n' {
            sink.put_line(if self.last == b'\r' { b"\n" } else { b"\r\n" });
        }
    }
}

/// Local input: LF, CRLF and bare CR all end lines. A dot alone on a line ends the message unless `-i` was given.
#[derive(Debug)]
pub struct Local {
    state: State,
    dot_ends: bool,
}

impl Local {
    /// At the start of the body.
    pub fn new(dot_ends: bool) -> Self {
        Local { state: State::LineStart, dot_ends }
    }

    /// Feeds a piece.
    pub fn feed(&mut self, input: &[u8], sink: &mut Sink<'_>) -> Fed {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            if self.state == State::Middle {
                let n = run_length(input.get(at..).unwrap_or_default());
                if n > 0 {
                    sink.put_run(input.get(at..at + n).unwrap_or_default());
                    at += n;
                    continue;
                }
            }
            at += 1;
            sink.zeros += u64::from(byte == 0);
            match (self.state, byte) {
                (State::LineStart, b'.') if self.dot_ends => self.state = State::Dot,
                (State::LineStart | State::Middle, b'\r') => self.state = State::Cr,
                (State::LineStart | State::Middle | State::Cr, b'\n') => {
                    sink.put(b'\n');
                    self.state = State::LineStart;
                }
                (State::LineStart | State::Middle, c) => {
                    sink.put(c);
                    self.state = State::Middle;
                }
                (State::Cr, b'\r') => sink.put(b'\n'),
                (State::Cr, c) => {
                    sink.put(b'\n');
                    sink.put(c);
                    self.state = State::Middle;
                }
                (State::Dot | State::DotCr, b'\n') => {
                    self.state = State::LineStart;
                    return Fed { used: at, ended: true };
                }
                (State::Dot, b'\r') => self.state = State::DotCr,
                (State::Dot, c) => {
                    sink.put(b'.');
                    sink.put(c);
                    self.state = State::Middle;
                }
                (State::DotCr, c) => {
                    sink.put(b'.');
                    sink.put(b'\n');
                    if c == b'\r' {
                        self.state = State::Cr;
                    } else {
                        sink.put(c);
                        self.state = State::Middle;
                    }
                }
            }
        }
        Fed { used: at, ended: false }
    }

    /// End of file.
    pub fn finish(&mut self, sink: &mut Sink<'_>) {
        match self.state {
            State::LineStart => {}
            State::Middle | State::Cr => sink.put(b'\n'),
            State::Dot | State::DotCr => sink.put_line(b".\n"),
        }
        self.state = State::LineStart;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(input: &[u8], crlf: Option<bool>) -> (Vec<u8>, usize, bool) {
        let mut whole = None;
        // The same result wherever the input is cut.
        for cut in 0..=input.len() {
            let mut out = Vec::new();
            let mut sink = Sink::new(&mut out);
            let mut d = Data::new(crlf);
            let a = d.feed(&input[..cut], &mut sink);
            let (used, ended) = if a.ended {
                (a.used, true)
            } else {
                let b = d.feed(&input[cut..], &mut sink);
                (cut + b.used, b.ended)
            };
            sink.flush();
            let result = (out, used, ended);
            assert_eq!(*whole.get_or_insert(result.clone()), result, "cut at {cut}");
        }
        whole.unwrap()
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_strict_message() {
        let strict = Some(true);
        assert_eq!(data(b"a\r\n..b\r\n.\r\nQUIT", strict), (b"a\n.b\n".to_vec(), 11, true));
        for smuggled in [&b"a\n.\nb\r\n"[..], b"a\r\n.\nb\r\n", b"a\n.\r\nb\r\n", b"a\r.\r\nb\r\n", b"a\r\n.\rb\r\n", b"\0.\r\n"]
        {
            assert!(!data(smuggled, strict).2, "{smuggled:?}");
        }
        assert_eq!(data(b"a\nb\r\n.\r\n", strict).0, b"a b\n");
    }

    #[test]
    fn the_first_line_end_decides_if_the_header_had_none() {
        for smuggled in [&b"aaa\r\n\r\nb\n.\nMAIL\r\n"[..], b"aaa\r\n\nb\n.\r\nMAIL\r\n", b"aaa\r\n.\nMAIL\r\n"] {
            assert!(!data(smuggled, None).2, "{smuggled:?}");
        }
        assert_eq!(data(b"aaa\r\n.\r\nQUIT", None), (b"aaa\n".to_vec(), 8, true));
    }

    #[test]
    fn lf_is_enough_for_those_who_began_with_it() {
        assert_eq!(data(b"a\n.\nrest", Some(false)), (b"a\n".to_vec(), 4, true));
        assert_eq!(data(b".\nrest", None), (b"".to_vec(), 2, true));
        assert!(!data(b"a\r.\rb", Some(false)).2);
    }

    #[test]
    fn chunks_and_local_input() {
        let mut out = Vec::new();
        let mut sink = Sink::new(&mut out);
        let mut c = Chunked::default();
        c.feed(b"a\r", &mut sink);
        c.feed(b"\n.\r\nb\rc", &mut sink);
        c.finish(&mut sink);
        sink.flush();
        assert_eq!((sink.lines, sink.size), (4, 8));
        assert_eq!(out, b"a\n.\nb\nc\n");

        let mut out = Vec::new();
        let mut sink = Sink::new(&mut out);
        let mut l = Local::new(true);
        assert!(!l.feed(b"x\n.y\n.\rz\n.", &mut sink).ended);
        l.finish(&mut sink);
        sink.flush();
        assert_eq!(out, b"x\n.y\n.\nz\n.\n");
        let mut sink = Sink::nowhere();
        let mut l = Local::new(true);
        assert!(l.feed(b"x\n.\n", &mut sink).ended);
        l.finish(&mut sink);
        assert_eq!(sink.size, 2);
        assert!(!Local::new(false).feed(b"x\n.\n", &mut sink).ended);
    }
}

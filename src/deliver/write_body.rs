//! Line ends, dot-stuffing and `check_string`: what happens to the bytes of a message on their way out.
//!
//! Used by [`super::transport_write`], and by the scanners for [`copy_plain`]. Pure stream transformations; they never see
//! a whole message.

use std::io::{self, Read, Write};

use bstr::ByteSlice;

use super::transport_write::Output;

/// Bytes gathered before they are put out.
const BUFFER: usize = 16 * 1024;

/// Takes text with LF line ends; writes it with the wanted ones, and with strings at the beginning of lines replaced.
pub(super) struct Converter<'a> {
    out: &'a mut dyn Output,
    buffer: Vec<u8>,
    crlf: bool,
    check: Option<(&'a [u8], &'a [u8])>,
    /// How much of the check string has been seen; `None`: not at the beginning of a line.
    matched: Option<usize>,
    bytes: u64,
    lines: u64,
}

impl<'a> Converter<'a> {
    /// At the beginning of a line.
    pub(super) fn new(out: &'a mut dyn Output, crlf: bool, check: Option<(&'a [u8], &'a [u8])>) -> Self {
        let check = check.filter(|c| !c.0.is_empty());
        Converter { out, buffer: Vec::with_capacity(BUFFER + 1024), crlf, check, matched: Some(0), bytes: 0, lines: 0 }
    }

    /// Bytes and lines put out so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
    /// See `bytes`.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Nothing of a line is pending.
    pub(super) fn at_line_start(&self) -> bool {
        self.matched == Some(0)
    }

    /// Takes some bytes.
    pub(super) fn write(&mut self, mut data: &[u8]) -> io::Result<()> {
        while let Some(first) = data.first() {
            if let (Some(seen), Some((check, escape))) = (self.matched, self.check) {
                if *first == check[seen] {
                    data = &data[1..];
                    if seen + 1 == check.len() {
                        self.push(escape)?;
                        self.matched = None;
                        if check.ends_with(b"\n") {
                            self.matched = Some(0);
                        }
                    } else {
                        self.matched = Some(seen + 1);
                    }
                    continue;
                }
                self.push(&check[..seen])?;
            }
            self.matched = None;
            match data.find_byte(b'\n') {
                Some(end) => {
                    self.push(&data[..end])?;
                    self.push(if self.crlf { b"\r\n" } else { b"\n" })?;
                    self.lines += 1;
                    self.matched = Some(0);
                    data = &data[end + 1..];
                }
                None => {
                    self.push(data)?;
                    data = &[];
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        if bytes.len() > BUFFER {
            self.flush()?;
            return self.out.put(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.out.put(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Puts out what is left.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if let (Some(seen), Some((check, _))) = (self.matched, self.check)
            && seen > 0
        {
            self.push(&check[..seen])?;
            self.matched = None;
        }
        self.flush()
    }
}

/// Turns the body as it is in the spool into text with LF line ends. For SMTP it also makes sure that no CR can be
/// taken for a line end before a lone dot (SMTP smuggling, CVE-2023-51766): such a CR becomes a blank.
pub(super) struct Normaliser {
    wireformat: bool,
    guard: bool,
    /// CR, or CR and dot, that wait for what follows.
    held: &'static [u8],
}

impl Normaliser {
    /// `wireformat`: CRLF are line ends. `guard`: the output is dot-stuffed.
    pub(super) fn new(wireformat: bool, guard: bool) -> Self {
        Normaliser { wireformat, guard, held: b"" }
    }

    /// Takes a block.
    pub(super) fn feed(&mut self, mut data: &[u8], out: &mut Converter<'_>) -> io::Result<()> {
        if !self.wireformat && !self.guard {
            return out.write(data);
        }
        while let Some(first) = data.first() {
            match (self.held, first) {
                (b"", _) => {
                    let end = data.find_byte(b'\r').unwrap_or(data.len());
                    out.write(&data[..end])?;
                    data = &data[end..];
                    if !data.is_empty() {
                        self.held = b"\r";
                        data = &data[1..];
                    }
                    continue;
                }
                (b"\r", b'\n') if self.wireformat => {
                    out.write(b"\n")?;
                    self.held = b"";
                    data = &data[1..];
                }
                (b"\r", b'.') if self.guard => {
                    self.held = b"\r.";
                    data = &data[1..];
                }
                (b"\r.", b'\r' | b'\n') => {
                    out.write(b" .")?;
                    self.held = b"";
                }
                // CR LF in the other spool format is a line end after a CR that belongs to the line.
                (held, _) => {
                    out.write(held)?;
                    self.held = b"";
                }
            }
        }
        Ok(())
    }

    /// Puts out what is held.
    pub(super) fn finish(&mut self, out: &mut Converter<'_>) -> io::Result<()> {
        let held: &[u8] = if self.guard && self.held == b"\r." { b" ." } else { self.held };
        self.held = b"";
        out.write(held)
    }
}

/// Copies a body out of the spool, with LF line ends and nothing else changed: what content scanners get.
pub fn copy_plain(from: &mut impl Read, to: &mut dyn Write, wireformat: bool) -> io::Result<()> {
    struct ToWriter<'a>(&'a mut dyn Write);
    impl Output for ToWriter<'_> {
        fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.0.write_all(bytes)
        }
    }
    let mut to = ToWriter(to);
    let mut out = Converter::new(&mut to, false, None);
    let mut normaliser = Normaliser::new(wireformat, false);
    let mut block = vec![0; 64 << 10];
    loop {
        match from.read(&mut block)? {
            0 => break,
            n => normaliser.feed(block.get(..n).unwrap_or_default(), &mut out)?,
        }
    }
    normaliser.finish(&mut out)?;
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(blocks: &[&[u8]], crlf: bool, check: Option<(&[u8], &[u8])>, wire: bool, guard: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let mut c = Converter::new(&mut out, crlf, check);
        let mut n = Normaliser::new(wire, guard);
        for b in blocks {
            n.feed(b, &mut c).unwrap();
        }
        n.finish(&mut c).unwrap();
        c.finish().unwrap();
        out
    }

    #[test]
    fn from_lines_and_dots() {
        let from: Option<(&[u8], &[u8])> = Some((b"From ", b">From "));
        assert_eq!(run(&[b"From a\nxFrom b\nFro", b"m c\nFrom"], false, from, false, false), b">From a\nxFrom b\n>From c\nFrom");
        let dots: Option<(&[u8], &[u8])> = Some((b".", b".."));
        assert_eq!(run(&[b".\n..\na.\n", b"."], true, dots, false, true), b"..\r\n...\r\na.\r\n..");
    }

    #[test]
    fn smuggling() {
        let dots: Option<(&[u8], &[u8])> = Some((b".", b".."));
        // Every form of a line end followed by a lone dot is either stuffed or no line end any more.
        assert_eq!(run(&[b"a\n.\nb"], true, dots, true, true), b"a\r\n..\r\nb");
        assert_eq!(run(&[b"a\r\n.\r\nb"], true, dots, true, true), b"a\r\n..\r\nb");
        assert_eq!(run(&[b"a\r", b".", b"\r\nb"], true, dots, true, true), b"a .\r\nb");
        assert_eq!(run(&[b"a\r.b\rc"], true, dots, true, true), b"a\r.b\rc");
        assert_eq!(run(&[b"a\r."], true, dots, false, true), b"a .");
    }

    #[test]
    fn wire_to_unix() {
        assert_eq!(run(&[b"a\r", b"\nb\r\n\rc"], false, None, true, false), b"a\nb\n\rc");
    }
}

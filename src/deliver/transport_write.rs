//! The one writer of a message: to a file, a pipe, a socket, or into a bounce, for all transports.
//!
//! Transports make a [`WriteSpec`] and give an [`Output`]; prefixes, suffixes and locks are theirs. Header lines are
//! put together in memory first (that needs expansions), then the body is streamed from the -D file. Nothing here
//! knows of SMTP replies or of mailboxes.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use bstr::{BString, ByteSlice};

use super::write_body::{Converter, Normaliser};
use super::{write_filter, write_headers};
use crate::context::Context;
use crate::route::Address;
use crate::text::Text;
use crate::transports::TransportInstance;

/// Bytes read from the -D file at a time.
const BLOCK: usize = 64 * 1024;
/// What dot-stuffing does at the beginning of a line.
const DOTS: (&[u8], &[u8]) = (b".", b"..");

/// Where the message goes.
pub trait Output {
    /// Writes all of it.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A file or pipe.
pub struct FileOutput<'a>(pub &'a File);

impl Output for FileOutput<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut f = self.0;
        f.write_all(bytes)
    }
}

/// Counts what goes through.
pub struct Counted<'a>(pub &'a mut dyn Output, pub &'a Cell<u64>);

impl Output for Counted<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.put(bytes)?;
        self.1.set(self.1.get().saturating_add(bytes.len() as u64));
        Ok(())
    }
}

impl Output for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// A transport filter: its command, prepared by the transport, and the time limit on its output in seconds.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Program and arguments.
    pub argv: Vec<BString>,
    /// Environment, `NAME=value`.
    pub environment: Vec<BString>,
    /// Seconds; 0 is no limit.
    pub timeout: u64,
    /// Wait before the first write, milliseconds (test harness).
    pub test_delay_ms: u64,
}

/// How the message is to be written.
#[derive(Clone, Debug, Default)]
pub struct WriteSpec<'a> {
    /// The transport whose generic options apply (`headers_add`, `headers_remove`, `headers_rewrite`).
    pub transport: Option<&'a TransportInstance>,
    /// The addresses that it is delivered to: header changes are those of the first, `Envelope-to:` has all.
    pub addresses: &'a [Address],
    /// For `Return-path:`.
    pub return_path: Option<&'a Text>,
    /// Lines end with CRLF.
    pub crlf: bool,
    /// Dots at the beginning of lines are doubled and the message ends with a line of one dot (implies `escape_headers`).
    pub dots: bool,
    /// A line that begins with the first string gets the second instead.
    pub check: Option<(&'a [u8], &'a [u8])>,
    /// Header lines are checked for it too.
    pub escape_headers: bool,
    /// No header lines.
    pub no_headers: bool,
    /// No body.
    pub no_body: bool,
    /// Add `Return-path:`.
    pub add_return_path: bool,
    /// Add `Envelope-to:`.
    pub add_envelope_to: bool,
    /// Add `Delivery-date:`.
    pub add_delivery_date: bool,
    /// Further header lines, with newlines, at the end.
    pub extra_headers: &'a [u8],
    /// At most so many bytes of the body; 0 is all.
    pub body_limit: u64,
    /// The command that the message goes through.
    pub filter: Option<Filter>,
}

impl<'a> WriteSpec<'a> {
    /// What is changed at the beginning of lines.
    fn checked(&self) -> Option<(&'a [u8], &'a [u8])> {
        if self.dots { Some(DOTS) } else { self.check }
    }

    /// What the generic options of a transport ask for.
    pub fn of_transport(transport: &'a TransportInstance, addresses: &'a [Address]) -> Self {
        let g = &transport.generic;
        WriteSpec {
            transport: Some(transport),
            addresses,
            return_path: addresses.first().and_then(|a| a.return_path.as_ref()),
            no_headers: g.body_only,
            no_body: g.headers_only,
            add_return_path: g.return_path_add,
            add_envelope_to: g.envelope_to_add,
            add_delivery_date: g.delivery_date_add,
            ..WriteSpec::default()
        }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes put out.
    pub bytes: u64,
    /// Lines put out.
    pub lines: u64,
}

/// Why it was not.
#[derive(Debug)]
pub enum WriteError {
    /// The output gave an error.
    Output(io::Error),
    /// The -D file could not be read.
    Spool(io::Error),
    /// An expansion for the header failed (`retry::errors::HEADER_FAIL`).
    Header(String),
    /// The filter could not be run, failed, or took too long (`retry::errors::FILTER_FAIL`).
    Filter(String),
    /// The filter's output did not come in time.
    FilterTimeout,
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WriteError::Output(e) | WriteError::Spool(e) => f.write_str(&crate::sys::error_text(e)),
            WriteError::Header(m) | WriteError::Filter(m) => f.write_str(m),
            WriteError::FilterTimeout => f.write_str("transport filter timed out"),
        }
    }
}

impl std::error::Error for WriteError {}

/// Writes the message of the context. `data` is its open -D file; its position is not used or changed.
pub fn write_message(ctx: &mut Context, spec: &WriteSpec<'_>, data: &File, out: &mut dyn Output) -> Result<Written, WriteError> {
    prepare(ctx, spec, data)?.write(spec, out)
}

/// A message that is ready to be written: its header is there, and it has been through the filter. Who signs looks at
/// it first.
pub struct Prepared<'a> {
    header: Vec<u8>,
    data: &'a File,
    /// The filter's output, header and body.
    filtered: Option<File>,
    start: u64,
    limit: u64,
    wireformat: bool,
}

/// Puts the header together, and runs the filter.
pub fn prepare<'a>(ctx: &mut Context, spec: &WriteSpec<'_>, data: &'a File) -> Result<Prepared<'a>, WriteError> {
    let header = if spec.no_headers { Vec::new() } else { header_section(ctx, spec)? };
    let mut message = Prepared {
        header,
        data,
        filtered: None,
        start: if spec.no_body { u64::MAX } else { ctx.message.id.len() as u64 + 3 },
        limit: if spec.body_limit == 0 { u64::MAX } else { spec.body_limit },
        wireformat: ctx.message.wireformat,
    };
    if let Some(filter) = &spec.filter {
        let output = write_filter::run(filter, &message.header, &message.body())?;
        message =
            Prepared { header: Vec::new(), filtered: Some(output), start: 0, limit: u64::MAX, wireformat: false, ..message };
    }
    Ok(message)
}

/// Most bytes of a header section that comes back from a filter.
const MAX_HEADER: u64 = 1 << 20;

impl Prepared<'_> {
    fn body(&self) -> Body<'_> {
        Body {
            data: self.filtered.as_ref().unwrap_or(self.data),
            start: self.start,
            limit: self.limit,
            wireformat: self.wireformat,
        }
    }

    /// Writes it.
    pub fn write(&self, spec: &WriteSpec<'_>, out: &mut dyn Output) -> Result<Written, WriteError> {
        let mut written = self.write_header(spec, out)?;
        let body = self.write_body(spec, out)?;
        written.bytes += body.bytes;
        written.lines += body.lines;
        Ok(written)
    }

    /// Writes the header section and the empty line.
    pub fn write_header(&self, spec: &WriteSpec<'_>, out: &mut dyn Output) -> Result<Written, WriteError> {
        let escape = if spec.dots || spec.escape_headers { spec.checked() } else { None };
        let mut c = Converter::new(out, spec.crlf, escape);
        c.write(&self.header).map_err(WriteError::Output)?;
        c.finish().map_err(WriteError::Output)?;
        Ok(Written { bytes: c.bytes(), lines: c.lines() })
    }

    /// Writes the body, and the dot at the end.
    pub fn write_body(&self, spec: &WriteSpec<'_>, out: &mut dyn Output) -> Result<Written, WriteError> {
        write_body(spec, &self.body(), out)
    }

    /// The header as it will be written, and how many bytes the body will be.
    pub fn parts(&self, spec: &WriteSpec<'_>) -> Result<(Vec<u8>, u64), WriteError> {
        let mut header = Vec::with_capacity(self.header.len() + 256);
        self.write_header(spec, &mut Seen(&mut |b| header.extend_from_slice(b)))?;
        Ok((header, self.write_body(spec, &mut Count)?.bytes))
    }

    /// The header lines, each with its continuation lines and LF line ends. What a filter gave back is taken apart
    /// into header and body first.
    pub fn header_lines(&mut self) -> Result<Vec<BString>, WriteError> {
        if self.filtered.is_some() && self.header.is_empty() {
            let mut start = Vec::new();
            let body = Body { limit: MAX_HEADER, ..self.body() };
            body.each(|block| {
                start.extend_from_slice(block);
                Ok(())
            })?;
            let end = start.find(b"\n\n").map_or(0, |n| n + 2);
            start.truncate(end);
            self.start += end as u64;
            self.header = start;
        }
        Ok(header_lines(&self.header))
    }

    /// Shows the body, with LF line ends, as it will be sent: `dots` is the specification's.
    pub fn each_body(&self, dots: bool, see: &mut dyn FnMut(&[u8])) -> Result<(), WriteError> {
        let mut out = Seen(see);
        let mut c = Converter::new(&mut out, false, None);
        let mut n = Normaliser::new(self.wireformat, dots);
        self.body().each(|block| n.feed(block, &mut c).map_err(WriteError::Output))?;
        n.finish(&mut c).and_then(|()| c.finish()).map_err(WriteError::Output)
    }

    /// Puts lines (LF line ends) before the header section.
    pub fn add_first(&mut self, lines: &[u8]) {
        self.header.splice(0..0, lines.iter().copied());
    }
}

/// Takes a header section (LF line ends) apart into its lines, each with its continuation lines.
pub fn header_lines(header: &[u8]) -> Vec<BString> {
    let mut lines: Vec<BString> = Vec::new();
    for line in header.lines_with_terminator().filter(|l| *l != b"\n") {
        match lines.last_mut() {
            Some(last) if matches!(line.first(), Some(b' ' | b'\t')) => last.extend_from_slice(line),
            _ => lines.push(line.into()),
        }
    }
    lines
}

/// An output that only shows what comes.
struct Seen<'s>(&'s mut dyn FnMut(&[u8]));

impl Output for Seen<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        (self.0)(bytes);
        Ok(())
    }
}

/// The header section of the message of the context, with LF line ends, and the empty line after it.
pub fn header_section(ctx: &mut Context, spec: &WriteSpec<'_>) -> Result<Vec<u8>, WriteError> {
    let mut header = write_headers::assemble(ctx, spec)?;
    header.push(b'\n');
    Ok(header)
}

/// Text in pieces, for DATA of SMTP: CRLF line ends, dots doubled. For messages that are passed on while they come in.
pub struct Stuffed<'a> {
    converter: Converter<'a>,
    normaliser: Normaliser,
}

impl<'a> Stuffed<'a> {
    /// At the beginning of a line.
    pub fn new(out: &'a mut dyn Output) -> Self {
        Stuffed { converter: Converter::new(out, true, Some(DOTS)), normaliser: Normaliser::new(false, true) }
    }
    /// Takes text with LF line ends.
    pub fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.normaliser.feed(text, &mut self.converter)
    }
    /// Puts out what is left, with a line end if the last line has none.
    pub fn finish(&mut self) -> io::Result<()> {
        self.normaliser.finish(&mut self.converter)?;
        if !self.converter.at_line_start() {
            self.converter.write(b"\n")?;
        }
        self.converter.finish()
    }
}

/// An output that only counts: the sum is the converter's.
struct Count;

impl Output for Count {
    fn put(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

fn write_body(spec: &WriteSpec<'_>, body: &Body<'_>, out: &mut dyn Output) -> Result<Written, WriteError> {
    let check = spec.checked();
    let mut written = Written::default();
    if body.start != u64::MAX {
        let raw = if body.wireformat { spec.crlf && check.is_none() } else { !spec.crlf && check.is_none() };
        if raw && !spec.dots {
            let n = body.copy(out)?;
            written.bytes += n.bytes;
            written.lines += n.lines;
        } else {
            let mut c = Converter::new(out, spec.crlf, check);
            let mut n = Normaliser::new(body.wireformat, spec.dots);
            body.each(|block| n.feed(block, &mut c).map_err(WriteError::Output))?;
            n.finish(&mut c).map_err(WriteError::Output)?;
            if spec.dots && !c.at_line_start() {
                c.write(b"\n").map_err(WriteError::Output)?;
            }
            c.finish().map_err(WriteError::Output)?;
            written.bytes += c.bytes();
            written.lines += c.lines();
        }
    }
    if spec.dots {
        let end: &[u8] = if spec.crlf { b".\r\n" } else { b".\n" };
        out.put(end).map_err(WriteError::Output)?;
        written.bytes += end.len() as u64;
        written.lines += 1;
    }
    Ok(written)
}

/// The body of the message (or a filter's output): a part of a file.
pub(super) struct Body<'a> {
    pub(super) data: &'a File,
    /// Where it begins; `u64::MAX`: there is none to be written.
    pub(super) start: u64,
    /// Most bytes of it.
    pub(super) limit: u64,
    /// Its lines end with CRLF.
    pub(super) wireformat: bool,
}

impl Body<'_> {
    /// Hands out the bytes as they are in the file, in blocks.
    pub(super) fn each(&self, mut take: impl FnMut(&[u8]) -> Result<(), WriteError>) -> Result<(), WriteError> {
        if self.start == u64::MAX {
            return Ok(());
        }
        let mut block = vec![0; BLOCK];
        let mut at = self.start;
        let mut left = self.limit;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            let n = match self.data.read_at(&mut block[..want], at) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(WriteError::Spool(e)),
            };
            if n == 0 {
                break;
            }
            take(&block[..n])?;
            at += n as u64;
            left -= n as u64;
        }
        Ok(())
    }

    /// Copies the bytes unchanged.
    fn copy(&self, out: &mut dyn Output) -> Result<Written, WriteError> {
        let mut written = Written::default();
        self.each(|block| {
            out.put(block).map_err(WriteError::Output)?;
            written.bytes += block.len() as u64;
            written.lines += bytecount(block);
            Ok(())
        })?;
        Ok(written)
    }
}

fn bytecount(block: &[u8]) -> u64 {
    block.iter().filter(|c| **c == b'\n').count() as u64
}

//! The MIME ACLs (manual 45.4): each part of the message in turn, containers first, then each message attached to it in the
//! same way. A part is known by where its raw text stands in the message's scan form; nothing of it is kept in memory.
//!
//! Boundaries of all multiparts around a part end it, so that one that is never closed hides nothing.

pub mod decode;
mod encoding;
mod header;
mod raw;

use std::collections::VecDeque;
use std::fs::File;

use bstr::{BString, ByteSlice};

use super::mbox;
use crate::acl::{self, AclResult, Verdict, Where};
use crate::context::Context;
use crate::expand::Template;
use crate::log::{self, Which};
use crate::receive::kinds;
use crate::sys::file::Flags;
use crate::text::Text;
use encoding::Anomaly;
use header::Header;
use raw::{Piece, Reader};

/// A message with more parts, or parts nested deeper, is refused: each costs a run of the ACL, a copy, or both.
const MAX_PARTS: u32 = 10_000;
const MAX_DEPTH: usize = 100;

/// What `$mime_...` say.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The part in hand.
    pub part: Option<Part>,
    /// `$mime_part_count`; none before the first part.
    pub count: Option<u32>,
    /// The directory of the last file that got a number for a name, and the number after that.
    numbered: (BString, u32),
}

/// One part.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// What its header says.
    pub header: Header,
    /// `$mime_is_coverletter`
    pub cover_letter: bool,
    /// `$mime_is_rfc822`: it belongs to an attached message.
    pub attached: bool,
    /// What was wrong with its encoding.
    pub anomaly: Option<Anomaly>,
    /// `$mime_decoded_filename`
    pub decoded: Option<BString>,
    /// `$mime_content_size`
    pub decoded_kb: u64,
    /// The file in the message's scan directory, and where in it the part's text begins.
    file: BString,
    start: u64,
    /// What ends it.
    pub(super) boundaries: Vec<BString>,
}

/// Does a container's first part count as the cover letter, or do all, or none?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cover {
    All,
    First,
    None,
}

/// Why the walk over the parts ends early.
enum Stop {
    Acl(Box<AclResult>),
    Failed(String),
    TooMany,
}

/// What ends a part.
#[derive(Clone, Copy)]
enum Edge {
    /// The boundary of that number, and whether it is a closing one.
    Boundary(usize, bool),
    End,
}

struct Walk<'a> {
    list: &'a Template,
    file: BString,
    reader: Reader,
    boundaries: Vec<BString>,
    attached: bool,
    /// Messages attached to this one.
    found: Vec<Part>,
    parts: &'a mut u32,
    last: Option<AclResult>,
}

/// Runs the MIME ACL for each part of the message in hand.
pub fn mime_acl(ctx: &mut Context, list: &Template) -> AclResult {
    let accepted = AclResult { verdict: Verdict::Ok, user_message: None, log_message: None };
    ctx.message.scan.mime = State::default();
    if !ctx.message.headers.iter().any(|h| h.kind != crate::context::HeaderKind::Old && is_content_type(&h.text)) {
        return accepted;
    }
    let result = all(ctx, list);
    ctx.message.scan.mime.part = None;
    match result {
        Ok(last) => last.unwrap_or(accepted),
        Err(Stop::Acl(result)) => *result,
        Err(Stop::TooMany) => AclResult {
            verdict: Verdict::Fail,
            user_message: Some(Text::clean("message has too many MIME parts")),
            log_message: Some(Text::clean("message has too many MIME parts")),
        },
        Err(Stop::Failed(text)) => {
            super::panic_log(ctx, format!("mime acl: {text}").as_bytes());
            AclResult { verdict: Verdict::Defer, user_message: None, log_message: None }
        }
    }
}

fn is_content_type(line: &[u8]) -> bool {
    kinds::name_of(line).eq_ignore_ascii_case(b"content-type")
}

/// The message, and then those attached to it.
fn all(ctx: &mut Context, list: &Template) -> Result<Option<AclResult>, Stop> {
    mbox::get(ctx).map_err(Stop::Failed)?;
    let mut parts = 0;
    let name = BString::from([&ctx.message.id[..], b".eml"].concat());
    let (mut last, found) = message(ctx, list, name, false, &mut parts)?;
    let count = ctx.message.scan.mime.count;
    let mut waiting: VecDeque<(Part, usize)> = found.into_iter().map(|p| (p, 1)).collect();
    let mut number = 0;
    while let Some((part, depth)) = waiting.pop_front() {
        if depth > MAX_DEPTH {
            return Err(Stop::TooMany);
        }
        let Ok(name) = decode::attached(ctx, &part, number) else {
            let text = "MIME acl condition warning - could not decode RFC822 MIME part to file.";
            log::write(ctx, None, Which::MAIN, text.as_bytes());
            return Err(Stop::Failed("an attached message could not be read".into()));
        };
        number += 1;
        ctx.message.scan.mime.count = None;
        let (result, found) = message(ctx, list, name, true, &mut parts)?;
        last = result.or(last);
        waiting.extend(found.into_iter().map(|p| (p, depth + 1)));
    }
    // The counter of the message itself stays.
    ctx.message.scan.mime.count = count;
    Ok(last)
}

/// One message: its parts, and which of them are messages.
fn message(
    ctx: &mut Context,
    list: &Template,
    file: BString,
    attached: bool,
    parts: &mut u32,
) -> Result<(Option<AclResult>, Vec<Part>), Stop> {
    let open = || Reader::new(File::from(mbox::directory(ctx)?.open_at(&file, Flags::READ, 0).map_err(io)?), 0).map_err(io);
    let reader = open().map_err(Stop::Failed)?;
    let mut walk = Walk { list, file, reader, boundaries: Vec::new(), attached, found: Vec::new(), parts, last: None };
    walk.part(ctx, true)?;
    Ok((walk.last, walk.found))
}

fn io(e: std::io::Error) -> String {
    format!("failed to read the message: {}", crate::sys::error_text(&e))
}

impl Walk<'_> {
    /// One part, from its header on, with all in it. Gives what ends it.
    fn part(&mut self, ctx: &mut Context, cover_letter: bool) -> Result<Edge, Stop> {
        *self.parts += 1;
        if *self.parts > MAX_PARTS || self.boundaries.len() > MAX_DEPTH {
            return Err(Stop::TooMany);
        }
        let (header, cut) = header::read(&mut self.reader, &self.boundaries).map_err(|e| Stop::Failed(io(e)))?;
        // A part whose header is cut short has no text.
        let start = self.reader.position();
        let part = Part {
            header,
            cover_letter,
            attached: self.attached,
            file: self.file.clone(),
            start,
            boundaries: self.boundaries.clone(),
            ..Part::default()
        };
        let mime = &mut ctx.message.scan.mime;
        mime.count = Some(mime.count.map_or(0, |n| n + 1));
        mime.part = Some(part.clone());
        self.run_acl(ctx)?;
        match cut {
            Some(Piece::Boundary(n, closing)) => return Ok(Edge::Boundary(n, closing)),
            Some(_) => return Ok(Edge::End),
            None => {}
        }
        if part.header.is_multipart() && !part.header.boundary.is_empty() {
            return self.parts_of(ctx, part);
        }
        if part.header.content_type == "message/rfc822" {
            self.found.push(part);
        }
        self.skip()
    }

    /// The parts of a container.
    fn parts_of(&mut self, ctx: &mut Context, container: Part) -> Result<Edge, Stop> {
        let content_type = &container.header.content_type;
        let mut cover = match (container.cover_letter, content_type.as_slice()) {
            (false, _) => Cover::None,
            (true, b"multipart/alternative" | b"multipart/related") => Cover::All,
            (true, _) => Cover::First,
        };
        let own = self.boundaries.len();
        self.boundaries.push(container.header.boundary);
        let mut edge = self.skip()?;
        while let Edge::Boundary(n, false) = edge
            && n == own
        {
            edge = self.part(ctx, cover != Cover::None)?;
            if cover == Cover::First {
                cover = Cover::None;
            }
        }
        self.boundaries.truncate(own);
        match edge {
            // After the closing boundary comes an epilogue, which ends where the container ends.
            Edge::Boundary(n, _) if n == own => self.skip(),
            outer => Ok(outer),
        }
    }

    /// Goes on to what ends the part.
    fn skip(&mut self) -> Result<Edge, Stop> {
        loop {
            match self.reader.next(&self.boundaries).map_err(|e| Stop::Failed(io(e)))? {
                Piece::Text(_) => {}
                Piece::Boundary(n, closing) => return Ok(Edge::Boundary(n, closing)),
                Piece::End => return Ok(Edge::End),
            }
        }
    }

    fn run_acl(&mut self, ctx: &mut Context) -> Result<(), Stop> {
        let result = acl::check(ctx, Where::Mime, None, self.list);
        if result.verdict != Verdict::Ok {
            return Err(Stop::Acl(Box::new(result)));
        }
        self.last = Some(result);
        Ok(())
    }
}

/// The lines of the raw text of the part in hand, for `regex`.
pub(super) fn raw_lines(ctx: &Context, mut each: impl FnMut(&[u8]) -> bool) -> Option<Result<(), String>> {
    let part = ctx.message.scan.mime.part.as_ref()?;
    let mut read = || {
        let mut reader = decode::open(ctx, part)?;
        while let Piece::Text(text) = reader.next(&part.boundaries).map_err(io)? {
            if !each(&text) {
                break;
            }
        }
        Ok(())
    };
    Some(read())
}

/// The lines of a whole file.
pub(super) fn file_lines(file: File, each: &mut impl FnMut(&[u8]) -> bool) -> Result<(), String> {
    let mut reader = Reader::new(file, 0).map_err(io)?;
    while let Piece::Text(text) = reader.next(&[]).map_err(io)? {
        if !each(&text) {
            break;
        }
    }
    Ok(())
}

/// A `$mime_...` variable that the part in hand gives.
pub fn variable(ctx: &Context, value: impl FnOnce(&Part) -> &[u8]) -> Option<Text> {
    Some(ctx.message.scan.mime.part.as_ref().map_or_else(Text::new, |p| Text::tainted(value(p).as_bytes())))
}

/// A flag of the part in hand, as `0` or `1`.
pub fn flag(ctx: &Context, value: impl FnOnce(&Part) -> bool) -> Option<Text> {
    let on = ctx.message.scan.mime.part.as_ref().is_some_and(value);
    Some(Text::clean(if on { "1" } else { "0" }))
}

/// The header of a part, for fuzzing.
#[cfg(feature = "fuzzing")]
pub fn fuzz_header(data: &[u8]) -> Option<Header> {
    use std::io::Write;
    let mut file = File::from(crate::sys::file::temporary(b"/tmp").ok()?);
    file.write_all(data).ok()?;
    header::read(&mut Reader::new(file, 0).ok()?, &["b".into()]).ok().map(|(h, _)| h)
}

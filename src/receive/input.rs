//! Where a message's bytes come from: DATA or BDAT over the session's line, or a file (standard input, a generated
//! message).
//!
//! One interface: look at [`Input::unread`], take with [`Input::consume`], ask for more with [`Input::fill`]. A chunked
//! message is one stream here; the commands between its chunks are handled in `fill`.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::headers::Rest;
use crate::context::Context;
use crate::smtp_in::Server;
use crate::smtp_in::data::{Chunk, NextChunk};
use crate::smtp_in::wire::InputEnd;
use crate::sys::fd;

/// Why there are no more bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// End of file; for SMTP it means that the peer has gone.
    Eof,
    /// The last chunk has been read: the end of the message.
    LastChunk,
    /// The message was given up by the peer between chunks (already answered).
    Abandoned,
    /// The session is over (already answered).
    SessionOver,
    /// The same, for the peer's mistakes: logged as well.
    Dropped,
    /// Nothing came in time.
    TimedOut,
    /// A read failed.
    Failed(String),
    /// A signal ends the session.
    Terminated(i32),
}

impl From<InputEnd> for End {
    fn from(e: InputEnd) -> End {
        match e {
            InputEnd::Eof => End::Eof,
            InputEnd::TimedOut => End::TimedOut,
            InputEnd::Failed(f) => End::Failed(f),
            InputEnd::Terminated(s) => End::Terminated(s),
        }
    }
}

/// A file, or bytes that are there already.
#[derive(Debug)]
pub struct FileInput {
    file: Option<OwnedFd>,
    data: Vec<u8>,
    taken: usize,
    timeout: Option<Duration>,
}

impl FileInput {
    /// Reads a descriptor; `timeout` is `receive_timeout`.
    pub fn file(file: OwnedFd, timeout: Option<Duration>) -> Self {
        FileInput { file: Some(file), data: Vec::new(), taken: 0, timeout }
    }

    /// Gives these bytes.
    pub fn bytes(data: Vec<u8>) -> Self {
        FileInput { file: None, data, taken: 0, timeout: None }
    }

    fn fill(&mut self) -> Result<(), End> {
        let Some(file) = &self.file else { return Err(End::Eof) };
        self.data.drain(..self.taken);
        self.taken = 0;
        let had = self.data.len();
        self.data.resize(had + 32 * 1024, 0);
        let deadline = self.timeout.and_then(|t| Instant::now().checked_add(t));
        let got = fd::read_deadline(file.as_fd(), self.data.get_mut(had..).unwrap_or_default(), deadline);
        self.data.truncate(had + got.as_ref().map_or(0, |n| *n));
        match got {
            Ok(0) => Err(End::Eof),
            Ok(_) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => Err(End::TimedOut),
            Err(e) => Err(End::Failed(crate::sys::error_text(&e))),
        }
    }
}

/// The source of one message.
pub enum Input<'s> {
    /// DATA: the session's line as it is. The server answers.
    Data(&'s mut Server),
    /// BDAT.
    Chunks {
        /// It answers the commands between chunks.
        server: &'s mut Server,
        /// The chunk in hand.
        chunk: Chunk,
    },
    /// Not SMTP.
    File(FileInput),
}

impl Input<'_> {
    /// The server, for SMTP.
    pub fn server(&mut self) -> Option<&mut Server> {
        match self {
            Input::Data(server) | Input::Chunks { server, .. } => Some(server),
            Input::File(_) => None,
        }
    }

    /// Is it BDAT?
    pub fn is_chunked(&self) -> bool {
        matches!(self, Input::Chunks { .. })
    }

    /// What is there and not taken.
    pub fn unread<'a>(&'a self, ctx: &'a Context) -> &'a [u8] {
        match self {
            Input::File(f) => f.data.get(f.taken..).unwrap_or_default(),
            Input::Data(_) => ctx.session.wire.as_ref().map(|w| w.unread()).unwrap_or_default(),
            Input::Chunks { chunk, .. } => {
                let all = ctx.session.wire.as_ref().map(|w| w.unread()).unwrap_or_default();
                all.get(..usize::try_from(chunk.left).unwrap_or(usize::MAX)).unwrap_or(all)
            }
        }
    }

    /// Takes `n` bytes.
    pub fn consume(&mut self, ctx: &mut Context, n: usize) {
        match self {
            Input::File(f) => f.taken = (f.taken + n).min(f.data.len()),
            Input::Data(_) => {
                if let Some(w) = ctx.session.wire.as_mut() {
                    w.consume(n);
                }
            }
            Input::Chunks { chunk, .. } => {
                if let Some(w) = ctx.session.wire.as_mut() {
                    w.consume(n);
                }
                chunk.left = chunk.left.saturating_sub(n as u64);
            }
        }
    }

    /// Waits for more than there is.
    pub fn fill(&mut self, ctx: &mut Context) -> Result<(), End> {
        match self {
            Input::File(f) => f.fill(),
            Input::Data(_) => line(ctx),
            Input::Chunks { server, chunk } => {
                while chunk.left == 0 {
                    if chunk.last {
                        return Err(End::LastChunk);
                    }
                    match server.next_chunk(ctx, *chunk) {
                        NextChunk::More(next) => *chunk = next,
                        NextChunk::Abandoned => return Err(End::Abandoned),
                        NextChunk::Dropped => return Err(End::Dropped),
                        NextChunk::Ended(None) => return Err(End::SessionOver),
                        NextChunk::Ended(Some(end)) => return Err(end.into()),
                    }
                    if !ctx.session.wire.as_ref().is_none_or(|w| w.unread().is_empty()) && chunk.left > 0 {
                        return Ok(());
                    }
                }
                line(ctx)
            }
        }
    }

    /// The next byte, left where it is.
    pub fn peek(&mut self, ctx: &mut Context) -> Result<u8, End> {
        loop {
            if let Some(c) = self.unread(ctx).first() {
                return Ok(*c);
            }
            self.fill(ctx)?;
        }
    }

    /// The next byte, taken.
    pub fn next(&mut self, ctx: &mut Context) -> Result<u8, End> {
        let c = self.peek(ctx)?;
        self.consume(ctx, 1);
        Ok(c)
    }

    /// Reads the rest of the message and drops it, so that the answer to it is not taken for that of another command.
    pub fn swallow(&mut self, ctx: &mut Context, rest: Rest) -> Result<(), End> {
        match self {
            Input::File(_) => Ok(()),
            Input::Chunks { .. } => loop {
                let n = self.unread(ctx).len();
                self.consume(ctx, n);
                match self.fill(ctx) {
                    Ok(()) => {}
                    Err(End::LastChunk) => return Ok(()),
                    Err(e) => return Err(e),
                }
            },
            Input::Data(_) => {
                let mut body = super::body::Data::new(rest.crlf);
                if !rest.line_start {
                    body.not_at_line_start();
                }
                loop {
                    let mut sink = super::sink::Sink::nowhere();
                    let fed = body.feed(self.unread(ctx), &mut sink);
                    self.consume(ctx, fed.used);
                    if fed.ended {
                        return Ok(());
                    }
                    self.fill(ctx)?;
                }
            }
        }
    }
}

fn line(ctx: &mut Context) -> Result<(), End> {
    match ctx.session.wire.as_mut() {
        Some(w) => w.fill().map_err(End::from),
        None => Err(End::Eof),
    }
}

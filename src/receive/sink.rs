//! Where the body of a message goes, and what is counted on the way. The state machines of `body` write to it.

use std::io::{self, Write};

use crate::mail_auth::BodyWatch;

/// Where the body goes, and what is counted on the way.
pub struct Sink<'f> {
    out: Option<&'f mut dyn Write>,
    /// Sees what is written.
    watch: Option<&'f mut BodyWatch>,
    /// A write has failed.
    pub error: Option<io::Error>,
    /// Lines.
    pub lines: u64,
    /// NUL bytes.
    pub zeros: u64,
    /// Bytes written.
    pub size: u64,
    /// The longest line, in bytes without its end.
    pub longest: u64,
    line: u64,
    /// Written bytes that are not yet handed on.
    buffer: Vec<u8>,
    /// The last byte.
    pub(super) last: u8,
}

impl<'f> Sink<'f> {
    /// Writes to `out`.
    pub fn new(out: &'f mut dyn Write) -> Self {
        Sink { out: Some(out), ..Self::nowhere() }
    }

    /// Shows what is written to `watch` too.
    pub fn watched(self, watch: Option<&'f mut BodyWatch>) -> Self {
        Sink { watch, ..self }
    }

    /// Only counts.
    pub fn nowhere() -> Sink<'f> {
        Sink {
            out: None,
            watch: None,
            error: None,
            lines: 0,
            zeros: 0,
            size: 0,
            longest: 0,
            line: 0,
            buffer: Vec::new(),
            last: b'\n',
        }
    }

    pub(super) fn put(&mut self, c: u8) {
        self.size += 1;
        self.last = c;
        if c == b'\n' {
            self.longest = self.longest.max(self.line);
            self.line = 0;
            self.lines += 1;
        } else {
            self.line += 1;
        }
        if self.out.is_some() {
            self.buffer.push(c);
            if self.buffer.len() >= 64 * 1024 {
                self.flush();
            }
        }
    }

    /// Writes bytes that are a run within a line.
    pub(super) fn put_run(&mut self, run: &[u8]) {
        let Some(last) = run.last() else { return };
        self.size += run.len() as u64;
        self.line += run.len() as u64;
        self.last = *last;
        if self.out.is_some() {
            self.buffer.extend_from_slice(run);
            if self.buffer.len() >= 64 * 1024 {
                self.flush();
            }
        }
    }

    /// Adds text that was read as a header line but is the first line of the body.
    pub fn put_line(&mut self, line: &[u8]) {
        for c in line {
            self.put(*c);
        }
    }

    /// From here on only counts.
    pub fn stop_writing(&mut self) {
        self.out = None;
        self.buffer = Vec::new();
    }

    /// Hands everything on.
    pub fn flush(&mut self) {
        if let Some(watch) = self.watch.as_mut() {
            watch.feed(&self.buffer);
        }
        if self.error.is_none()
            && let Some(out) = self.out.as_mut()
            && let Err(e) = out.write_all(&self.buffer)
        {
            self.error = Some(e);
        }
        self.buffer.clear();
    }
}

//! `$message_body` and `$message_body_end`: read from the data file of the message when they are asked for.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::{VarDef, v};
use crate::context::{BodySource, Context};
use crate::sys::file;
use crate::text::Text;

/// This group.
pub static VARIABLES: &[VarDef] = &[v("message_body", |c| body(c, false)), v("message_body_end", |c| body(c, true))];

/// Reads both now, for a process that will not be able to open the data file later.
pub fn keep(ctx: &mut Context) {
    for (name, end) in [("message_body", false), ("message_body_end", true)] {
        if let Some(text) = body(ctx, end) {
            ctx.scratch.named.insert(name, text);
        }
    }
}

/// Forgets what `keep` has read.
pub fn forget(ctx: &mut Context) {
    for name in ["message_body", "message_body_end"] {
        ctx.scratch.named.remove(name);
    }
}

/// Takes both from a body that is in no file.
pub fn keep_bytes(ctx: &mut Context, body: &[u8]) {
    let visible = usize::try_from(ctx.config.main.message_body_visible.0).unwrap_or(0).min(body.len());
    let (head, tail) = (body.get(..visible), body.get(body.len() - visible..));
    for (name, part) in [("message_body", head), ("message_body_end", tail)] {
        let text = Text::tainted(printable(ctx, part.unwrap_or_default().to_vec()));
        ctx.scratch.named.insert(name, text);
    }
}

/// Newlines and zero bytes as spaces.
fn printable(ctx: &Context, mut data: Vec<u8>) -> Vec<u8> {
    for c in &mut data {
        if *c == 0 || (*c == b'\n' && !ctx.config.main.message_body_newlines) {
            *c = b' ';
        }
    }
    data
}

/// The data file's own first line: the message id, `-D` and a newline.
const MAX_FIRST_LINE: usize = 64;

fn body(ctx: &Context, end: bool) -> Option<Text> {
    let kept = if end { "message_body_end" } else { "message_body" };
    if let Some(text) = ctx.scratch.named.get(kept) {
        return Some(text.clone());
    }
    let visible = usize::try_from(ctx.config.main.message_body_visible.0).unwrap_or(0);
    let data = Body::open(ctx.message.body.as_ref()?).and_then(|b| b.piece(visible, end));
    Some(Text::tainted(printable(ctx, data.ok()?)))
}

/// The body in a data file, read without moving the file's position, which others may share.
pub struct Body {
    file: Arc<File>,
    /// Where the body begins.
    first: u64,
    /// Where the next read is.
    at: u64,
}

impl Body {
    /// To be read from where the body begins.
    pub fn open(source: &BodySource) -> io::Result<Self> {
        let file = match source {
            BodySource::Path(path) => Arc::new(File::from(file::open(path, file::Flags::READ, 0)?)),
            BodySource::Open(f) => f.clone(),
        };
        let head = read_at(&file, 0, MAX_FIRST_LINE)?;
        let first = head.iter().position(|c| *c == b'\n').map_or(0, |n| n + 1) as u64;
        Ok(Body { file, first, at: first })
    }

    /// Where the body begins in the file.
    pub fn start(&self) -> u64 {
        self.first
    }

    /// The first bytes of it, or the last.
    fn piece(&self, visible: usize, end: bool) -> io::Result<Vec<u8>> {
        let size = self.file.metadata()?.len();
        let wanted = size.saturating_sub(self.first).min(visible as u64);
        read_at(&self.file, if end { size - wanted } else { self.first }, usize::try_from(wanted).unwrap_or(usize::MAX))
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

fn read_at(f: &File, start: u64, wanted: usize) -> io::Result<Vec<u8>> {
    let mut data = vec![0; wanted];
    let mut got = 0;
    while let Some(rest) = data.get_mut(got..).filter(|r| !r.is_empty()) {
        match f.read_at(rest, start + got as u64)? {
            0 => break,
            n => got += n,
        }
    }
    data.truncate(got);
    Ok(data)
}

//! `$message_body` and `$message_body_end`: read from the data file of the message when they are asked for.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;

use super::{VarDef, v};
use crate::context::Context;
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
    let path = ctx.message.data_path.as_ref()?;
    let visible = usize::try_from(ctx.config.main.message_body_visible.0).unwrap_or(0);
    let data = read(path, visible, end).ok()?;
    Some(Text::tainted(printable(ctx, data)))
}

/// Opens a data file, to be read from where the body begins.
pub fn open(path: &[u8]) -> std::io::Result<File> {
    let fd: OwnedFd = file::open(path, file::Flags::READ, 0)?;
    let mut f = File::from(fd);
    let mut head = [0u8; MAX_FIRST_LINE];
    let mut got = 0;
    while got < head.len() {
        match f.read(head.get_mut(got..).unwrap_or_default())? {
            0 => break,
            n => got += n,
        }
    }
    let first = head.iter().take(got).position(|c| *c == b'\n').map_or(0, |n| n + 1) as u64;
    f.seek(SeekFrom::Start(first))?;
    Ok(f)
}

/// Where the body begins in a data file.
pub fn start(path: &[u8]) -> std::io::Result<u64> {
    open(path)?.stream_position()
}

fn read(path: &[u8], visible: usize, end: bool) -> std::io::Result<Vec<u8>> {
    let mut f = open(path)?;
    let first = f.stream_position()?;
    let size = f.seek(SeekFrom::End(0))?;
    let body = size.saturating_sub(first);
    let wanted = body.min(visible as u64);
    let start = if end { size - wanted } else { first };
    f.seek(SeekFrom::Start(start))?;
    let mut data = Vec::new();
    f.take(wanted).read_to_end(&mut data)?;
    Ok(data)
}

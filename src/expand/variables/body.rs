//! `$message_body` and `$message_body_end`: read from the data file of the message when they are asked for.

use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;

use super::{VarDef, v};
use crate::context::Context;
use crate::sys::file;
use crate::text::Text;

/// This group.
pub static VARIABLES: &[VarDef] = &[v("message_body", |c| body(c, false)), v("message_body_end", |c| body(c, true))];

/// The data file's own first line: the message id, `-D` and a newline.
const MAX_FIRST_LINE: usize = 64;

fn body(ctx: &Context, end: bool) -> Option<Text> {
    let path = ctx.message.data_path.as_ref()?;
    let visible = usize::try_from(ctx.config.main.message_body_visible.0).unwrap_or(0);
    let mut data = read(path, visible, end).ok()?;
    for c in &mut data {
        if *c == 0 || (*c == b'\n' && !ctx.config.main.message_body_newlines) {
            *c = b' ';
        }
    }
    Some(Text::tainted(data))
}

fn read(path: &[u8], visible: usize, end: bool) -> std::io::Result<Vec<u8>> {
    let fd: OwnedFd = file::open(path, file::Flags::READ, 0)?;
    let mut f = std::fs::File::from(fd);
    let mut head = [0u8; MAX_FIRST_LINE];
    let mut got = 0;
    while got < head.len() {
        match f.read(head.get_mut(got..).unwrap_or_default())? {
            0 => break,
            n => got += n,
        }
    }
    let first = head.iter().take(got).position(|c| *c == b'\n').map_or(0, |n| n + 1) as u64;
    let size = f.seek(SeekFrom::End(0))?;
    let body = size.saturating_sub(first);
    let wanted = body.min(visible as u64);
    let start = if end { size - wanted } else { first };
    f.seek(SeekFrom::Start(start))?;
    let mut data = Vec::new();
    f.take(wanted).read_to_end(&mut data)?;
    Ok(data)
}

//! The `decode` condition: the part in hand, decoded into a file.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::Part;
use super::encoding::Decoder;
use super::raw::{Piece, Reader};
use crate::acl::Verdict;
use crate::context::Context;
use crate::scan::{mbox, panic_log};
use crate::sys::error_text;
use crate::sys::file::{Dir, Flags};
use crate::text::Text;

/// As scanners want to read it.
const FILE_MODE: u32 = 0o640;
/// Attached messages are in files whose names begin so.
const ATTACHED: &[u8] = b"__rfc822_";
/// Names with larger numbers are not tried.
const MAX_NUMBER: u32 = 100_000;

/// The condition: false for `0` and `false`; a file that cannot be written defers.
pub fn test(ctx: &mut Context, arg: &Text) -> Verdict {
    let name = arg.trim();
    if name == b"0" || name == b"false" {
        return Verdict::Fail;
    }
    let Some(part) = ctx.message.scan.mime.part.clone() else { return Verdict::Fail };
    match place(ctx, arg, name).and_then(|(directory, name, path)| write(ctx, &part, &directory, &name, path)) {
        Ok(()) => Verdict::Ok,
        Err(text) => {
            panic_log(ctx, format!("decode acl condition: {text}").as_bytes());
            Verdict::Defer
        }
    }
}

/// The directory, the name in it (empty: the next free number), and the directory's path with a slash at its end.
fn place(ctx: &Context, arg: &Text, name: &[u8]) -> Result<(Arc<Dir>, BString, BString), String> {
    let default = |name: &[u8]| {
        let directory = mbox::directory(ctx)?;
        let path = [&ctx.message.scan.mbox.as_ref().map(|m| m.directory.clone()).unwrap_or_default()[..], b"/"].concat();
        Ok((directory, BString::from(name), BString::from(path)))
    };
    if name.is_empty() || name == b"default" {
        return default(b"");
    }
    let shown = name.as_bstr();
    if !name.starts_with(b"/") {
        // A bare name stays in the message's own directory, and so may be what the message proposes; but not the name of
        // what others still read there.
        let taken = name.ends_with(b".eml") || name.starts_with(ATTACHED);
        if name.contains(&b'/') || name == b".." || name == b"." || taken {
            return Err(format!("\"{shown}\" is no file name that can be used"));
        }
        return default(name);
    }
    if arg.is_tainted() {
        return Err(format!("Tainted filename '{arg}'"));
    }
    if let Ok(directory) = Dir::open(name) {
        return Ok((Arc::new(directory), BString::default(), [name.trim_end_with(|c| c == '/'), b"/"].concat().into()));
    }
    let (path, name) = name.rsplit_once_str("/").unwrap_or((b"", name));
    let path: BString = [path, b"/"].concat().into();
    let directory = Dir::open(&path).map_err(|e| format!("failed to open {path}: {}", error_text(&e)))?;
    Ok((Arc::new(directory), name.into(), path))
}

/// Makes a file with the next free number. Those of earlier parts are not tried again: that would take the time of all parts
/// squared.
fn numbered(ctx: &mut Context, directory: &Dir, path: &BString) -> std::io::Result<(BString, OwnedFd)> {
    let (last, next) = &ctx.message.scan.mime.numbered;
    let first = if last == path { *next } else { 0 };
    for n in first..MAX_NUMBER {
        let name = BString::from(format!("{}-{n:05}", ctx.message.id));
        match directory.open_at(&name, Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, FILE_MODE) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
            result => {
                ctx.message.scan.mime.numbered = (path.clone(), n + 1);
                return result.map(|fd| (name, fd));
            }
        }
    }
    Err(std::io::ErrorKind::AlreadyExists.into())
}

fn write(ctx: &mut Context, part: &Part, directory: &Dir, name: &[u8], path: BString) -> Result<(), String> {
    let shown = BString::from([&path[..], name].concat());
    let failed = |e: std::io::Error| format!("failed to write {shown}: {}", error_text(&e));
    let (name, fd) = if name.is_empty() {
        numbered(ctx, directory, &path).map_err(failed)?
    } else {
        let flags = Flags::WRITE | Flags::CREATE | Flags::TRUNCATE;
        (BString::from(name), directory.open_at(name, flags, FILE_MODE).map_err(failed)?)
    };
    crate::sys::file::fchmod(fd.as_fd(), FILE_MODE).map_err(failed)?;
    let mut reader = open(ctx, part)?;
    let mut file = BufWriter::new(File::from(fd));
    let mut decoder = Decoder::new(&part.header.encoding);
    let mut size = 0u64;
    let mut out = Vec::new();
    let anomaly = loop {
        let piece = reader.next(&part.boundaries).map_err(failed)?;
        let anomaly = match &piece {
            Piece::Text(text) => {
                decoder.feed(text, &mut out);
                None
            }
            _ => Some(decoder.finish(&mut out)),
        };
        file.write_all(&out).map_err(failed)?;
        size += out.len() as u64;
        out.clear();
        if let Some(anomaly) = anomaly {
            break anomaly;
        }
    };
    file.flush().map_err(failed)?;
    if let Some(part) = &mut ctx.message.scan.mime.part {
        part.decoded = Some([&path[..], &name].concat().into());
        part.decoded_kb = size.div_ceil(1024);
        part.anomaly = anomaly;
    }
    Ok(())
}

/// The part's raw text, from after its header.
pub(super) fn open(ctx: &Context, part: &Part) -> Result<Reader, String> {
    let file = mbox::directory(ctx)?.open_at(&part.file, Flags::READ, 0).map(File::from);
    file.and_then(|f| Reader::new(f, part.start)).map_err(|e| format!("failed to open {}: {}", part.file, error_text(&e)))
}

/// The beginning of the decoded part, which is decoded first if that has not been done.
pub(in crate::scan) fn content(ctx: &mut Context, limit: u64) -> Option<Vec<u8>> {
    if ctx.message.scan.mime.part.as_ref()?.decoded.is_none() && test(ctx, &Text::clean("default")) != Verdict::Ok {
        return None;
    }
    let path = ctx.message.scan.mime.part.as_ref()?.decoded.clone()?;
    let fd = crate::sys::file::open(&path, Flags::READ, 0).ok()?;
    let mut out = Vec::new();
    File::from(fd).take(limit).read_to_end(&mut out).ok()?;
    Some(out)
}

/// Writes an attached message into a file of its own beside the message, and gives its name.
pub(super) fn attached(ctx: &mut Context, part: &Part, n: usize) -> Result<BString, String> {
    let name = BString::from([ATTACHED, format!("{n:05}").as_bytes()].concat());
    let before = ctx.message.scan.mime.part.replace(part.clone());
    let directory = mbox::directory(ctx)?;
    let result = write(ctx, part, &directory, &name, BString::default());
    ctx.message.scan.mime.part = before;
    result.map(|()| name)
}

//! The message in scan form: `<spool_directory>/scan/<id>/<id>.eml`, made when the first scanner needs it, used by all,
//! removed with all that lies beside it when the last ACL of the message has run.
//!
//! All names are reached from an open directory and never through links, since scanners may write there too.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use crate::context::{Context, HeaderKind};
use crate::deliver::copy_plain;
use crate::expand::expand_once;
use crate::expand::variables::body::Body;
use crate::log::hdebug;
use crate::sys::file::{self, Dir, FileType, Flags};

const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;
/// The first line is as in an mbox file.
const FROM_LINE: &str = "From ${if def:return_path{$return_path}{MAILER-DAEMON}} ${tod_bsdinbox}";

/// Where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mbox {
    /// The directory's path.
    pub directory: BString,
    /// The file's path.
    pub path: BString,
    /// Its size.
    pub size: u64,
    /// It is to be written again.
    stale: bool,
}

/// The message in scan form, made if it does not exist. The error says what could not be done.
pub fn get(ctx: &mut Context) -> Result<Mbox, String> {
    match ctx.message.scan.mbox.as_ref().filter(|m| !m.stale) {
        Some(mbox) => Ok(mbox.clone()),
        None => make(ctx, None),
    }
}

/// A file in the place of header and body, as the scan form of a message that there is not.
pub fn of_file(ctx: &mut Context, content: File) -> Result<Mbox, String> {
    make(ctx, Some(content))
}

fn make(ctx: &mut Context, content: Option<File>) -> Result<Mbox, String> {
    ctx.message.scan.directory = None;
    let directory = directory(ctx)?;
    ctx.message.scan.directory = Some(directory.clone());
    let name = file_name(ctx);
    let spool = ctx.config.main.spool_directory.raw().unwrap_or_default();
    let path = bstr::join("/", [spool, b"scan", &ctx.message.id]);
    let mut mbox = Mbox { path: bstr::join("/", [&path[..], &name]).into(), directory: path.into(), size: 0, stale: false };
    let flags = Flags::WRITE | Flags::CREATE | Flags::TRUNCATE;
    let failed = |e: std::io::Error| format!("scan file creation error: {}: {}", mbox.path, crate::sys::error_text(&e));
    let fd = directory.open_at(&name, flags, FILE_MODE).map_err(failed)?;
    file::fchmod(fd.as_fd(), FILE_MODE).map_err(failed)?;
    let start = envelope(ctx)?;
    // From here on there is something to remove.
    ctx.message.scan.mbox = Some(mbox.clone());
    match write(ctx, File::from(fd), &start, content) {
        Ok(size) => mbox.size = size,
        Err(e) => {
            let text = failed(e);
            let _ = directory.unlink(&name);
            ctx.message.scan.mbox = Some(Mbox { stale: true, ..mbox });
            return Err(text);
        }
    }
    ctx.message.scan.mbox = Some(mbox.clone());
    Ok(mbox)
}

/// Opens it for reading.
pub fn open(ctx: &mut Context) -> Result<File, String> {
    let mbox = get(ctx)?;
    let fd = directory(ctx)?.open_at(&file_name(ctx), Flags::READ, 0);
    fd.map(File::from).map_err(|e| format!("cannot open {}: {}", mbox.path, crate::sys::error_text(&e)))
}

/// For fuzzing: this is the scan form.
#[cfg(feature = "fuzzing")]
pub fn fuzz(ctx: &mut Context, data: &[u8]) -> Result<BString, String> {
    let mbox = get(ctx)?;
    std::fs::write(mbox.path.to_str_lossy().as_ref(), data).map_err(|e| e.to_string())?;
    Ok(mbox.path)
}

/// A header line has been added: the next scanner is to see it.
pub fn make_anew(ctx: &mut Context) {
    if let Some(mbox) = &mut ctx.message.scan.mbox {
        mbox.stale = true;
    }
}

/// Removes the directory and all files in it, unless they are to be kept.
pub fn remove(ctx: &mut Context) {
    ctx.message.scan.directory = None;
    if ctx.message.scan.mbox.take().is_none() || ctx.message.scan.keep {
        return;
    }
    let spool = ctx.config.main.spool_directory.raw().unwrap_or_default();
    let Ok(scan) = Dir::open(spool).and_then(|d| d.open_dir(b"scan")) else { return };
    let Ok(directory) = scan.open_dir(&ctx.message.id) else { return };
    let shown = bstr::join("/", [spool, b"scan", &ctx.message.id]);
    for name in directory.list().unwrap_or_default() {
        hdebug!(ctx, ACL, "unspool_mbox(): unlinking '{}/{name}'", shown.as_bstr());
        let is_directory = directory.stat_at(&name).is_ok_and(|s| s.file_type() == FileType::Directory);
        // A scanner may have unpacked something: one level of directories goes too.
        if is_directory && let Ok(inner) = directory.open_dir(&name) {
            inner.list().unwrap_or_default().iter().for_each(|n| drop(inner.unlink(n)));
        }
        let _ = if is_directory { directory.rmdir(&name) } else { directory.unlink(&name) };
    }
    let _ = scan.rmdir(&ctx.message.id);
}

/// The message's own directory below `scan`.
pub fn directory(ctx: &Context) -> Result<Arc<Dir>, String> {
    if let Some(open) = &ctx.message.scan.directory {
        return Ok(open.clone());
    }
    let spool = ctx.config.main.spool_directory.raw().unwrap_or_default();
    Dir::open(spool)
        .and_then(|d| d.open_or_make_dir(b"scan", DIRECTORY_MODE))
        .and_then(|d| d.open_or_make_dir(&ctx.message.id, DIRECTORY_MODE))
        .map(Arc::new)
        .map_err(|e| {
            format!("scan directory creation error: {}/scan/{}: {}", spool.as_bstr(), ctx.message.id, crate::sys::error_text(&e))
        })
}

fn file_name(ctx: &Context) -> BString {
    [&ctx.message.id[..], b".eml"].concat().into()
}

/// What stands before the header: the `From ` line and the envelope.
fn envelope(ctx: &mut Context) -> Result<Vec<u8>, String> {
    let mut out = expand_once(ctx, FROM_LINE.as_bytes()).map_err(|e| e.to_string())?.into_bytes();
    out.extend_from_slice(b"\nX-Envelope-From: <");
    out.extend_from_slice(ctx.message.sender.as_deref().unwrap_or_default());
    out.extend_from_slice(b">\n");
    if !ctx.message.recipients.is_empty() {
        let all: Vec<&[u8]> = ctx.message.recipients.iter().map(|r| r.address.as_bytes()).collect();
        out.extend_from_slice(b"X-Envelope-To: ");
        out.extend_from_slice(&bstr::join(", ", all));
        out.push(b'\n');
    }
    Ok(out)
}

fn write(ctx: &Context, file: File, start: &[u8], content: Option<File>) -> std::io::Result<u64> {
    let mut out = BufWriter::new(file);
    out.write_all(start)?;
    for h in ctx.message.headers.iter().filter(|h| h.kind != HeaderKind::Old) {
        out.write_all(&h.text)?;
    }
    out.write_all(b"\n")?;
    if let Some(mut given) = content {
        std::io::copy(&mut given, &mut out)?;
    } else if let Some(source) = &ctx.message.body {
        let mut data = Body::open(source)?;
        copy_plain(&mut data, &mut out, ctx.message.wireformat)?;
    }
    out.flush()?;
    Ok(file::fstat(out.get_ref().as_fd())?.size.unsigned_abs())
}

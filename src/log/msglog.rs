//! Message logs: the file for each message under `msglog`, with a line for everything that happened to it.
//!
//! Reception and delivery write here; the delivery code removes or moves the file when the message is done.

use std::os::fd::{AsFd, OwnedFd};

use bstr::BString;

use super::{Selector, stamp};
use crate::build_options as build;
use crate::context::Context;
use crate::sys::file::{Dir, Flags};

/// Opens (and makes, if need be) the message log of the message in hand for appending. `Ok(None)` when
/// `message_logs` is off.
pub fn open(ctx: &Context) -> std::io::Result<Option<MessageLog>> {
    if !ctx.config.main.message_logs || ctx.message.id.is_empty() {
        return Ok(None);
    }
    let dir = directory(ctx)?;
    let flags = Flags::WRITE | Flags::APPEND | Flags::CREATE | Flags::NOFOLLOW;
    let fd = dir.open_at(&ctx.message.id, flags, build::SPOOL_MODE)?;
    if crate::sys::ids::geteuid() == 0 {
        let site = &ctx.config.site;
        crate::sys::file::fchown(fd.as_fd(), Some(site.exim_uid), Some(site.exim_gid))?;
    }
    Ok(Some(MessageLog { fd }))
}

/// The directory that holds it: `[queue/]msglog[/x]` in the spool directory.
pub fn directory(ctx: &Context) -> std::io::Result<Dir> {
    let mut dir = Dir::open(&ctx.config.site.spool_directory)?;
    if !ctx.message.queue_name.is_empty() {
        dir = dir.open_or_make_dir(&ctx.message.queue_name, build::SPOOL_DIRECTORY_MODE)?;
    }
    dir = dir.open_or_make_dir(b"msglog", build::MSGLOG_DIRECTORY_MODE)?;
    if let Some(letter) = ctx.message.subdir {
        dir = dir.open_or_make_dir(&[letter], build::MSGLOG_DIRECTORY_MODE)?;
    }
    Ok(dir)
}

/// An open message log.
#[derive(Debug)]
pub struct MessageLog {
    fd: OwnedFd,
}

impl MessageLog {
    /// Appends one line, with a timestamp before it. Trouble is not reported: the main log has the same facts.
    pub fn write(&self, ctx: &Context, text: &[u8]) {
        let log = &ctx.config.site.log;
        let time = stamp::log_time(crate::sys::time::now(), log.selectors.has(Selector::Millisec), log.with_zone);
        let mut line = BString::from(time);
        line.push(b' ');
        line.extend_from_slice(text);
        self.write_plain(&line);
    }

    /// Appends one line as it is.
    pub fn write_plain(&self, text: &[u8]) {
        let line = [text, b"\n"].concat();
        let mut rest: &[u8] = &line;
        while !rest.is_empty() {
            match crate::sys::fd::write(self.fd.as_fd(), rest) {
                Ok(n) if n > 0 => rest = rest.get(n..).unwrap_or_default(),
                _ => return,
            }
        }
    }
}

/// Opens, writes and closes in one go, for those who have just one line.
pub fn append(ctx: &Context, text: &[u8]) {
    if let Ok(Some(log)) = open(ctx) {
        log.write(ctx, text);
    }
}

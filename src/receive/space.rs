//! Is there room in the spool and log partitions (check_spool_space and its three sisters)?

use bstr::{BString, ByteSlice};

use crate::context::Context;
use crate::log::{self, Which};

/// True when a message of `size` bytes may be taken in. A shortage is logged.
pub fn enough(ctx: &Context, size: u64) -> bool {
    let m = &ctx.config.main;
    let positive = |n: i64| u64::try_from(n).unwrap_or(0);
    let spool = ctx.config.site.spool_directory.clone();
    let (space, inodes) = (positive(m.check_spool_space.0), positive(m.check_spool_inodes.0));
    if (space > 0 || inodes > 0 || size > 0) && !check(ctx, "spool", &spool, space.saturating_add(size), inodes) {
        return false;
    }
    let (space, inodes) = (positive(m.check_log_space.0), positive(m.check_log_inodes.0));
    match log_directory(ctx) {
        Some(dir) if space > 0 || inodes > 0 => check(ctx, "log", &dir, space, inodes),
        _ => true,
    }
}

fn check(ctx: &Context, name: &str, dir: &BString, needed: u64, inodes: u64) -> bool {
    let mut place = dir.as_slice();
    let found = loop {
        match crate::sys::file::space(place) {
            Ok(s) => break s,
            // The directory is made with the first message: the one above it tells as much.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && place.len() > 1 => {
                let end = place.rfind_byte(b'/').unwrap_or(0);
                place = place.get(..end.max(1)).unwrap_or(b"/");
            }
            Err(e) => {
                let why = crate::sys::error_text(&e);
                let line = format!("cannot accept message: failed to stat {name} directory {dir}: {why}");
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
                return false;
            }
        }
    };
    // File systems that do not count inodes have any number of them.
    let few = found.free_inodes.is_some_and(|n| n < inodes);
    if found.free_bytes / 1024 >= needed / 1024 && !few {
        return true;
    }
    let shown = found.free_inodes.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX));
    let line = format!("{name} directory space check failed: space={} inodes={shown}", found.free_bytes / 1024);
    log::write(ctx, None, Which::MAIN, line.as_bytes());
    false
}

/// The directory of the log files; `None` if there are none.
fn log_directory(ctx: &Context) -> Option<BString> {
    let pattern = ctx.config.site.log.pattern.as_ref()?;
    let at = pattern.rfind_byte(b'/')?;
    Some(pattern.get(..at)?.into())
}

//! Operators that fit nowhere else: `expand`, `stat`.

use crate::context::Context;
use crate::expand::{ExpandError, expand_untainted, failed, forbid};
use crate::sys::file::{FileType, stat as stat_file};
use crate::text::Text;

/// `${expand:}`
pub fn expand(ctx: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    expand_untainted(ctx, &s).map_err(|e| e.map(|m| format!("internal expansion of \"{s}\" failed: {m}")))
}

/// `${stat:}`
pub fn stat(ctx: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    if forbid::has(ctx, forbid::EXISTS) {
        return failed("Use of the stat() expansion is not permitted");
    }
    let st = match stat_file(&s) {
        Ok(st) => st,
        Err(e) => return failed(format!("stat({s}) failed: {}", crate::sys::error_text(&e))),
    };
    let kind = match st.file_type() {
        FileType::Directory => 'd',
        FileType::Link => 'l',
        FileType::CharDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        FileType::Regular => '-',
        FileType::Unknown => '?',
    };
    Ok(Text::clean(format!(
        "mode={:04o} smode={kind}{} inode={} device={} links={} uid={} gid={} size={} atime={} mtime={} ctime={}",
        st.mode,
        permissions(st.mode),
        st.ino,
        st.dev,
        st.nlink,
        st.uid,
        st.gid,
        st.size,
        st.atime.0,
        st.mtime.0,
        st.ctime.0
    )))
}

/// `rwxr-sr-x`
fn permissions(mode: u32) -> String {
    let mut out = String::new();
    for (shift, special, set, unset) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')] {
        let bits = mode >> shift;
        out.push(if bits & 4 != 0 { 'r' } else { '-' });
        out.push(if bits & 2 != 0 { 'w' } else { '-' });
        out.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => unset,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    out
}

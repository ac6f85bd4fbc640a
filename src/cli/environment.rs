//! `keep_environment` and `add_environment`: nothing else of the caller's environment reaches Exim or its children
//! (CVE-2016-1531).
//!
//! Called once, after the configuration has been read.

use bstr::ByteSlice;

use crate::config::ids::items;
use crate::context::Context;
use crate::log::{self, Which};
use crate::matching::{self, List, Match, Request, Subject};
use crate::sys::{env, exec};
use crate::text::Text;

/// Replaces the environment. `warn`: an administrator who has said nothing about it is told.
pub fn clean(ctx: &mut Context, warn: bool) -> Result<(), String> {
    // The list is not expanded: a `$` in it is a regular expression's.
    let keep = ctx.config.main.keep_environment.raw().map(Text::clean);
    let (m, any) = (&ctx.config.main, !exec::current_environment().is_empty());
    if warn && any && !m.keep_environment.is_set() && !m.add_environment.is_set() {
        log::write(ctx, None, Which::MAIN, b"Warning: purging the environment.\n Suggested action: use keep_environment.");
    }
    let mut kept: Vec<Vec<u8>> = Vec::new();
    if let Some(list) = keep.filter(|l| !l.is_empty()) {
        for entry in exec::current_environment() {
            let Some(equals) = entry.find_byte(b'=') else { continue };
            let name = Text::clean(entry.get(..equals).unwrap_or_default());
            let subject = Subject::String { text: &name, caseless: true };
            let request = Request { subject, list: List::Ready(&list), single: false, captures: false, label: None };
            if matching::test(ctx, &request, None) == Match::Yes {
                kept.push(entry);
            }
        }
    }
    for entry in items(ctx.config.main.add_environment.raw().unwrap_or_default()) {
        let Some(equals) = entry.find_byte(b'=') else {
            return Err(format!("malformed add_environment item \"{entry}\": '=' is missing"));
        };
        let name = entry.get(..=equals).unwrap_or_default();
        kept.retain(|k| !k.starts_with(name));
        kept.push(entry.into());
    }
    // TZ was set from the timezone option; TMPDIR is where this build wants temporary files.
    let zone = ctx.config.main.timezone.raw().unwrap_or_default();
    if !zone.is_empty() {
        kept.retain(|k| !k.starts_with(b"TZ="));
        kept.push([b"TZ=", zone].concat());
    }
    let tmp = crate::build_options::EXIM_TMPDIR;
    for entry in &mut kept {
        if entry.starts_with(b"TMPDIR=") && !tmp.is_empty() {
            *entry = [b"TMPDIR=", tmp.as_bytes()].concat();
        }
    }
    env::replace(&kept).map_err(|e| format!("failed to set the environment: {}", crate::sys::error_text(&e)))?;
    // The time zone is read again, from the environment that there is now.
    crate::sys::time::set_timezone(kept.iter().find_map(|k| k.strip_prefix(b"TZ=")))
        .map_err(|e| format!("failed to set the time zone: {}", crate::sys::error_text(&e)))
}

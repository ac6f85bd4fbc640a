//! Template files for bounces and warnings (manual chapter 50): items separated by lines of four stars, each expanded.

use std::collections::VecDeque;

use bstr::{BString, ByteSlice};

use crate::config::options::Str;
use crate::context::Context;
use crate::expand;
use crate::log::{self, Which};

/// Largest template, bytes.
const MAX: usize = 1 << 20;

/// The items of a template that are still to come.
#[derive(Default)]
pub(super) struct Items {
    name: &'static str,
    left: VecDeque<BString>,
}

impl Items {
    /// Opens the file that an option names. Without one, or if it cannot be read (which is logged), there are no items.
    pub(super) fn open(ctx: &mut Context, option: &Str, name: &'static str, what: &str) -> Items {
        let Some(t) = option.get().cloned() else { return Items::default() };
        let fail = |ctx: &Context, text: String| {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            Items::default()
        };
        let path = match expand::expand(ctx, &t) {
            Ok(p) => p,
            Err(e) => return fail(ctx, format!("Failed to expand {name}: {e}")),
        };
        // The reference ends these lines with an empty one.
        if path.is_empty() {
            return fail(ctx, format!("Failed to expand {name}: '{}'\n\n", t.raw().as_bstr()));
        }
        if !path.starts_with(b"/") {
            return fail(ctx, format!("{name} is not absolute after expansion: '{path}'\n\n"));
        }
        if path.is_tainted() {
            return fail(ctx, format!("{name} is not untainted after expansion: '{path}'\n\n"));
        }
        match std::fs::read(path.to_path_lossy()) {
            Ok(text) if text.len() <= MAX => {
                let mut left = VecDeque::new();
                let mut item = BString::default();
                for line in text.lines_with_terminator() {
                    if line.trim_end_with(|c| c == '\n' || c == '\r') == b"****" {
                        left.push_back(std::mem::take(&mut item));
                    } else {
                        item.extend_from_slice(line);
                    }
                }
                left.push_back(item);
                Items { name, left }
            }
            Ok(_) => fail(ctx, format!("{name} is too large")),
            Err(e) => fail(ctx, format!("Failed to open {path} for {what} message texts: {}", crate::sys::error_text(&e))),
        }
    }

    /// The next item, expanded; `None` if it is missing, empty, or does not expand (which is logged).
    pub(super) fn next(&mut self, ctx: &mut Context, which: &str) -> Option<BString> {
        let raw = self.left.pop_front().filter(|t| !t.is_empty())?;
        match expand::expand_once(ctx, &raw) {
            Ok(text) => Some(text.into_bytes().into()),
            Err(e) => {
                let text = format!("Failed to expand string from bounce_message_file or warn_message_file ({which}): {e}");
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
                None
            }
        }
    }

    /// There is a template.
    pub(super) fn exists(&self) -> bool {
        !self.name.is_empty()
    }
}

//! What `-d+expand` shows: each string that is not just text, and what became of it.
//!
//! The frame is the reference's; it also shows every part of a string, we show strings whole. Only `expand` calls it.

use super::{ExpandError, Template};
use crate::context::Context;
use crate::log::trace::{self, NOUTF8};
use crate::text::Text;

/// Before the evaluation.
pub fn begin(ctx: &mut Context, template: &Template) {
    line(ctx, "\u{256d}considering: ", "/considering: ", template.raw());
    ctx.scratch.debug_level += 1;
}

/// After it.
pub fn end(ctx: &mut Context, template: &Template, result: &Result<Text, ExpandError>) {
    ctx.scratch.debug_level = ctx.scratch.debug_level.saturating_sub(1);
    match result {
        Ok(text) => {
            line(ctx, "\u{251c}\u{2500}\u{2500}expanding: ", "|--expanding: ", template.raw());
            line(ctx, "\u{2570}\u{2500}\u{2500}\u{2500}\u{2500}\u{2500}result: ", "\\_____result: ", text);
        }
        Err(e) => {
            line(ctx, "\u{251c}failed to expand: ", "|failed to expand: ", template.raw());
            line(ctx, "\u{2570}\u{2500}\u{2500}\u{2500}error message: ", "\\___error message: ", e.message().as_bytes());
        }
    }
}

fn line(ctx: &Context, drawn: &str, plain: &str, text: &[u8]) {
    let lead = if ctx.run.debug & NOUTF8 == 0 { drawn } else { plain };
    trace::message(ctx, false, format_args!("{lead}{}", bstr::BStr::new(text)));
}

//! What reception asks of `crate::rewrite`, in one place.

use crate::context::{Context, HeaderKind};
use crate::text::Text;

pub use crate::rewrite::{qualify, smtp_time};

/// An envelope address, qualified if it must be, and rewritten by the global rules.
pub fn address(ctx: &mut Context, address: &Text, recipient: bool) -> Text {
    if address.is_empty() { address.clone() } else { crate::rewrite::envelope(ctx, address, recipient, true) }
}

/// Rewrites and qualifies all header lines but the first (our own Received:). The old form of a changed line stays,
/// marked as old.
pub fn headers(ctx: &mut Context) {
    let mut i = 1;
    while let Some(line) = ctx.message.headers.get(i).cloned() {
        i += 1;
        if line.kind == HeaderKind::Old {
            continue;
        }
        if let Some(new) = crate::rewrite::rewrite_header(ctx, &line, &ctx.config.clone().rewrite) {
            if let Some(place) = ctx.message.headers.get_mut(i - 1) {
                place.kind = HeaderKind::Old;
            }
            ctx.message.headers.insert(i, new);
            i += 1;
        }
    }
}

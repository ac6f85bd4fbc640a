//! What reception asks of `crate::rewrite`, in one place.

use bstr::BString;

use crate::context::{Context, Header, HeaderKind};
use crate::text::Text;

/// The argument of MAIL or RCPT after SMTP-time rewriting (flag `S`).
pub fn smtp_time(ctx: &mut Context, argument: &[u8]) -> BString {
    crate::rewrite::smtp_time(ctx, argument).into_bytes().into()
}

/// Adds qualify_recipient or qualify_domain.
pub fn qualify(ctx: &Context, address: &Text, recipient: bool) -> Text {
    let site = &ctx.config.site;
    let mut a = address.clone();
    a.push_bytes(b"@");
    a.push_bytes(if recipient { &site.qualify_recipient } else { &site.qualify_domain });
    a
}

/// An envelope address, qualified if it must be, and rewritten by the global rules.
pub fn address(ctx: &mut Context, address: &Text, recipient: bool) -> Text {
    let qualified = if address.is_empty() || address.contains(&b'@') { address.clone() } else { qualify(ctx, address, recipient) };
    crate::rewrite::envelope(ctx, &qualified, recipient, true)
}

/// Rewrites and qualifies all header lines but the first (our own Received:). The old form of a changed line stays,
/// marked as old.
pub fn headers(ctx: &mut Context) {
    let mut i = 1;
    while let Some(line) = ctx.message.headers.get(i).cloned() {
        i += 1;
        if !matches!(
            line.kind,
            HeaderKind::From | HeaderKind::To | HeaderKind::Cc | HeaderKind::Bcc | HeaderKind::ReplyTo | HeaderKind::Sender
        ) {
            continue;
        }
        if let Some(text) = crate::rewrite::header_line(ctx, &line) {
            let kind = line.kind;
            if let Some(place) = ctx.message.headers.get_mut(i - 1) {
                place.kind = HeaderKind::Old;
            }
            ctx.message.headers.insert(i, Header { kind, text });
            i += 1;
        }
    }
}

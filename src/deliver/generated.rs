//! Messages that the program makes itself: how they are handed in, and their common header lines.

use bstr::{BString, ByteSlice};

use crate::context::Context;
use crate::expand;
use crate::log::{self, Which};
use crate::receive::submit::{Generated, submit};
use crate::smtp_out::requiretls::{self, Wish};
use crate::text::Text;

/// Most ids in `References:`, without that of the message itself.
const MAX_REFERENCES: usize = 12;

/// Longest line (RFC 5322).
const MAX_LINE: usize = 998;

/// Hands in a message whose header names its recipients (`To:`, `Bcc:`), with an empty envelope sender. The error is the
/// exit value that a submission would have had.
pub(super) fn send(ctx: &mut Context, text: &[u8]) -> Result<(), i32> {
    send_as(ctx, text, false)
}

/// The same; `as_process`: the log names the user that this process runs as.
pub fn send_as(ctx: &mut Context, text: &[u8], as_process: bool) -> Result<(), i32> {
    let authenticated = ctx.config.main.bounce_sender_authentication.raw().map(|a| Text::clean(a.to_vec()));
    let message = Generated {
        text: text.to_vec(),
        as_process,
        reference: (!ctx.message.id.is_empty()).then(|| ctx.message.id.clone()),
        authenticated_sender: authenticated,
        requiretls: ctx.message.requiretls,
        ..Generated::default()
    };
    let result = submit(ctx, message).map(drop);
    if ctx.run.test_harness && !ctx.run.no_test_delays {
        crate::sys::time::sleep_ms(200);
    }
    result
}

/// The `From:` line of generated messages: `dsn_from`, or its default if that does not expand.
pub fn write_from(ctx: &mut Context, out: &mut Vec<u8>) {
    let config = ctx.config.clone();
    let text = match config.main.dsn_from.get().map(|t| expand::expand(ctx, t)) {
        Some(Ok(t)) => t,
        Some(Err(e)) => {
            log::write(
                ctx,
                None,
                Which::MAIN.and(Which::PANIC),
                format!("Failed to expand dsn_from (using default): {e}").as_bytes(),
            );
            default_from(ctx)
        }
        None => default_from(ctx),
    };
    out.extend_from_slice(b"From: ");
    out.extend_from_slice(&text);
    out.push(b'\n');
}

fn default_from(ctx: &Context) -> Text {
    Text::clean(format!("Mail Delivery System <Mailer-Daemon@{}>", ctx.config.site.qualify_domain))
}

/// The header lines of an answer that come from the message that it is about: `References:`, and the wish not to let TLS
/// hinder it, which goes for answers, too (RFC 8689, section 6).
pub fn from_original(ctx: &Context) -> BString {
    let mut lines = references(ctx);
    if requiretls::wish(ctx) == Wish::Relaxed {
        lines.extend_from_slice(requiretls::RELAXED_LINE);
    }
    lines
}

/// A `References:` line: the ids that the message refers to itself (the first and the last ones if there are many), and its
/// own. Empty if there are none.
fn references(ctx: &Context) -> BString {
    let value = |name: &[u8]| {
        ctx.message.headers.iter().find_map(|h| {
            let rest = h.text.get(name.len()..)?;
            (h.kind != crate::context::HeaderKind::Old && h.text[..name.len()].eq_ignore_ascii_case(name)).then_some(rest)
        })
    };
    let mut ids: Vec<&[u8]> = Vec::new();
    if let Some(text) = value(b"References:").or_else(|| value(b"In-Reply-To:")) {
        for id in message_ids(text) {
            if ids.len() == MAX_REFERENCES {
                ids.remove(1);
            }
            ids.push(id);
        }
    }
    // The id of a message that was sent again is the newer one.
    ids.extend(value(b"Resent-Message-ID:").or_else(|| value(b"Message-ID:")).and_then(|t| message_ids(t).next()));
    let length = |ids: &[&[u8]]| "References:".len() + ids.iter().map(|id| id.len() + 1).sum::<usize>();
    while ids.len() > 2 && length(&ids) > MAX_LINE {
        ids.remove(1);
    }
    if ids.is_empty() {
        return BString::default();
    }
    let mut line = BString::from("References:");
    for id in ids {
        line.push(b' ');
        line.extend_from_slice(id);
    }
    line.push(b'\n');
    line
}

/// The `<...>` in a text, without white space or further brackets in them.
fn message_ids(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find_byte(b'<')?;
            let tail = &rest[start..];
            let end = tail.find_byte(b'>')?;
            rest = &tail[end + 1..];
            let id = &tail[..=end];
            if id.len() > 2 && !id[1..].contains(&b'<') && !id.iter().any(u8::is_ascii_whitespace) {
                return Some(id);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let v: Vec<_> = message_ids(b" <a@b>\n <c d> text <e@f>").collect();
        assert_eq!(v, [&b"<a@b>"[..], b"<e@f>"]);
    }
}

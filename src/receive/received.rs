//! Our own Received: header line.

use bstr::{BString, ByteSlice};

use crate::context::{Context, HeaderKind};
use crate::expand;
use crate::log::{self, Which};

fn timestamp() -> String {
    log::stamp::full(crate::sys::time::now().sec)
}

/// Makes the line in the place that is kept for it. With just one recipient `$received_for` says who it is.
pub fn generate(ctx: &mut Context) {
    if let [one] = ctx.message.recipients.as_slice() {
        ctx.scratch.named.insert("received_for", one.address.clone());
    }
    let template = ctx.config.main.received_header_text.get().cloned();
    let text = template.as_ref().map(|t| expand::expand(ctx, t));
    ctx.scratch.named.remove("received_for");
    let text = match text {
        None => BString::default(),
        Some(Ok(t)) => BString::from(t.into_bytes()),
        Some(Err(e)) => {
            let raw = template.as_ref().map(|t| t.raw().as_bstr().to_string()).unwrap_or_default();
            let line = format!("Expansion of \"{raw}\" (received_header_text) failed: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            BString::default()
        }
    };
    let Some(place) = ctx.message.headers.first_mut() else { return };
    if text.is_empty() {
        place.kind = HeaderKind::Old;
        place.text = format!("Received: ; {}\n", timestamp()).into();
    } else {
        place.kind = HeaderKind::Received;
        place.text = text;
        place.text.extend_from_slice(format!(";\n\t{}\n", timestamp()).as_bytes());
    }
}

/// Brings the time in the line up to date: when reception was complete.
pub fn update(ctx: &mut Context) {
    let now = timestamp();
    // An ACL may have put lines before it.
    let Some(place) = ctx.message.headers.iter_mut().find(|h| h.text.starts_with(b"Received: ")) else { return };
    let end = place.text.len().saturating_sub(1);
    let start = end.saturating_sub(now.len());
    if let Some(old) = place.text.get_mut(start..end) {
        old.copy_from_slice(now.as_bytes());
    }
}

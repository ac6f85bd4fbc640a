//! Short messages to people about what the program does: frozen messages, errors in redirection data, quota warnings.

use bstr::ByteSlice;

use super::generated;
use crate::context::Context;
use crate::route::Address;

/// Tells somebody something, with a list of addresses and what is wrong with them.
pub fn tell_someone(ctx: &mut Context, who: &[u8], subject: &str, text: &[u8], addresses: &[&Address]) -> bool {
    let mut out = b"Auto-Submitted: auto-replied\n".to_vec();
    generated::write_from(ctx, &mut out);
    out.extend_from_slice(b"To: ");
    out.extend_from_slice(who);
    out.push(b'\n');
    out.extend_from_slice(&generated::from_original(ctx));
    out.extend_from_slice(format!("Subject: {subject}\n\n").as_bytes());
    out.extend_from_slice(text);
    if !addresses.is_empty() {
        out.extend_from_slice(b"\nThe following address(es) have yet to be delivered:\n");
        for a in addresses {
            out.extend_from_slice(b"  ");
            if let Some(p) = a.parent.as_ref().filter(|_| a.flags.hide_child) {
                out.extend_from_slice(&p.address);
            } else {
                out.extend_from_slice(&a.address);
                let top = &a.original().address;
                if a.parent.is_some() && !top.eq_ignore_ascii_case(&a.address) {
                    out.extend_from_slice(b" <");
                    out.extend_from_slice(top);
                    out.push(b'>');
                }
            }
            let f = &a.failure;
            if f.basic_errno > 0 {
                out.extend_from_slice(b": ");
                out.extend_from_slice(crate::sys::strerror(f.basic_errno).as_bytes());
            }
            if let Some(m) = &f.message {
                out.extend_from_slice(b": ");
                out.extend_from_slice(m);
            }
            out.push(b'\n');
        }
    }
    generated::send(ctx, &out).is_ok()
}

/// `quota_warn_message`: the transport has expanded it, header lines included.
pub(super) fn quota_warning(ctx: &mut Context, text: &[u8]) {
    let mut out = Vec::new();
    let header = text.find(b"\n\n").map_or(text, |i| &text[..=i]);
    // The text is the administrator's, who may have put blanks before the colon.
    let names = |l: &[u8]| l.split_once_str(":").map(|(name, _)| name.trim_end().to_ascii_lowercase());
    let has = |name: &[u8]| header.lines().any(|l| names(l).as_deref() == Some(name));
    if let Some(r) = ctx.config.main.errors_reply_to.raw()
        && !has(b"reply-to")
    {
        out.extend_from_slice(b"Reply-To: ");
        out.extend_from_slice(r);
        out.push(b'\n');
    }
    out.extend_from_slice(b"Auto-Submitted: auto-replied\n");
    if !has(b"from") {
        generated::write_from(ctx, &mut out);
    }
    out.extend_from_slice(text);
    // The mailbox is nearly full; that the owner is not told changes nothing for this delivery.
    let _ = generated::send_as(ctx, &out, true);
}

//! `syntax_errors_to`: the message that says what was wrong with redirection data that were used all the same.

use super::RedirectOptions;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::{self, Which};
use crate::parse::forward::SkippedError;
use crate::routers::RouterInstance;

use bstr::ByteSlice;

/// `syntax_errors_to`: tells somebody of the errors that were skipped. `some`: there were good addresses too.
pub fn mail_syntax_errors(ctx: &mut Context, router: &RouterInstance, o: &RedirectOptions, skipped: &[SkippedError], some: bool) {
    let Some(to) = o.syntax_errors_to.get().cloned() else { return };
    let to = match expand::expand(ctx, &to) {
        Ok(to) if !to.is_empty() => to,
        Ok(_) | Err(ExpandError::Forced(_)) => return,
        Err(e) => {
            let line = format!("{} router failed to expand \"{}\": {e}", router.name, to.raw().as_bstr());
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            return;
        }
    };
    let mut text = b"Auto-Submitted: auto-replied\n".to_vec();
    crate::deliver::generated::write_from(ctx, &mut text);
    text.extend_from_slice(format!("To: {to}\nSubject: error(s) in forwarding or filtering\n\n").as_bytes());
    text.extend_from_slice(&crate::deliver::generated::from_original(ctx));
    if let Some(t) = o.syntax_errors_text.get() {
        match expand::expand(ctx, t) {
            Ok(extra) => {
                text.extend_from_slice(&extra);
                text.extend_from_slice(b"\n\n");
            }
            Err(e) => {
                let line = format!("Failed to expand \"syntax_errors_text\" for {} router: {e}", router.name);
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            }
        }
    }
    text.extend_from_slice(format!("The {} router encountered the following error(s):\n\n", router.name).as_bytes());
    for e in skipped {
        if e.item.is_empty() {
            text.extend_from_slice(format!("  {}\n\n", e.message).as_bytes());
        } else {
            text.extend_from_slice(format!("  {} in the address\n  \"{}\"\n\n", e.message, e.item).as_bytes());
        }
    }
    let rest = if some { "Other addresses were processed normally.\n" } else { "No valid addresses were generated.\n" };
    text.extend_from_slice(rest.as_bytes());
    // The redirection goes on whether anybody hears of its errors or not.
    let _ = crate::deliver::generated::send_as(ctx, &text, true);
}

//! The "From " line at the start of a message (uucp_from_pattern, uucp_from_sender).

use bstr::ByteSlice;

use crate::context::Context;
use crate::expand;
use crate::log::{self, Which};
use crate::parse;
use crate::sys::pcre::{Options, Regex};
use crate::text::Text;

/// Is this line one, and allowed here? A trusted caller's gives the envelope sender.
pub fn take(ctx: &mut Context, line: &[u8], smtp: bool) -> bool {
    if smtp {
        let allowed = if ctx.session.host_address.is_some() {
            let option = ctx.config.main.ignore_fromline_hosts.clone();
            crate::smtp_in::host_is_in(ctx, "ignore_fromline_hosts", &option)
        } else {
            ctx.config.main.ignore_fromline_local
        };
        if !allowed {
            return false;
        }
    }
    let Some(pattern) = ctx.config.main.uucp_from_pattern.raw() else { return false };
    let regex = match Regex::new(pattern, Options::NONE) {
        Ok(r) => r,
        Err(e) => {
            let text = format!("uucp_from_pattern: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            return false;
        }
    };
    let Ok(Some(found)) = regex.find(line) else { return false };
    if ctx.session.caller.sender_forced || ctx.session.host_address.is_some() || smtp {
        return true;
    }
    let saved = std::mem::take(&mut ctx.scratch.numeric);
    ctx.scratch.numeric = (0..found.len()).map(|i| found.get(line, i).map(Text::tainted)).collect();
    let template = ctx.config.main.uucp_from_sender.get().cloned();
    let sender = template.as_ref().map(|t| expand::expand(ctx, t));
    ctx.scratch.numeric = saved;
    match sender {
        Some(Ok(text)) => set_sender(ctx, &text),
        Some(Err(e)) => {
            let raw = template.as_ref().map(|t| t.raw().as_bstr().to_string()).unwrap_or_default();
            let text = format!("expansion of \"{raw}\" failed after matching \"From \" line: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        }
        None => {}
    }
    true
}

fn set_sender(ctx: &mut Context, text: &[u8]) {
    let mut rules = parse::Rules::new(&ctx.config.main).with_null();
    let Ok(found) = parse::extract_address(&mut rules, text) else { return };
    let mut sender = Text::tainted(found.address.clone());
    if !found.is_qualified() && !sender.is_empty() {
        sender = super::rewriting::qualify(ctx, &sender, false);
    }
    if super::may_set_sender(ctx, &sender) {
        ctx.message.sender = Some(sender);
        if ctx.run.trusted {
            ctx.message.authenticated_sender = None;
            ctx.session.caller.name.clear();
            ctx.message.local = false;
        }
    }
}

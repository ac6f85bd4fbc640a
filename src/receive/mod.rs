//! Message intake (manual chapter 47): SMTP, local submission, and messages that the program makes itself.
//!
//! `pipeline.rs` is the way that all of them go; `smtp.rs` and `local.rs` are its two ends towards those who send. Called
//! by the sessions of `smtp_in`, by the command line, and by delivery (for bounces). It never delivers; it says in
//! [`Accepted`] when somebody should.

pub mod body;
pub mod checks;
mod commit;
pub mod extract;
pub mod fixup;
pub mod from_line;
pub mod headers;
pub mod input;
mod intake;
pub mod kinds;
pub mod local;
pub mod local_scan;
pub mod moan;
pub mod pipeline;
pub mod queueing;
pub mod received;
pub mod rewriting;
pub mod sink;
pub mod smtp;
pub mod space;
pub mod submit;

use bstr::{BString, ByteSlice};

pub use submit::{Generated, submit};

use crate::context::Context;
use crate::daemon::handoff::When;
use crate::expand;
use crate::log::{self, Which};
use crate::matching::Match;
use crate::text::Text;

/// A message that is safely on the queue.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its id.
    pub id: BString,
    /// When it is to be delivered; `None`: at the next queue run.
    pub delivery: Option<When>,
}

/// header_maxsize: bytes; the built-in limit is 1M.
pub fn header_maxsize(ctx: &Context) -> u64 {
    match u64::try_from(ctx.config.main.header_maxsize.0) {
        Ok(0) | Err(_) => 1024 * 1024,
        Ok(n) => n,
    }
}

/// message_size_limit, expanded; 0 is none. The error is a whole log line.
pub fn size_limit(ctx: &mut Context) -> Result<i64, String> {
    let Some(t) = ctx.config.main.message_size_limit.get().cloned() else { return Ok(0) };
    expand::expand_int(ctx, &t, true).map_err(|e| format!("unable to expand message_size_limit: {e}"))
}

/// recipients_max, expanded; 0 is none. A failure is logged.
pub fn recipients_max(ctx: &mut Context) -> i64 {
    let Some(t) = ctx.config.main.recipients_max.get().cloned() else { return 0 };
    match expand::expand_int(ctx, &t, true) {
        Ok(n) => n,
        Err(e) => {
            let line = format!("Expansion of recipients_max failed: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            0
        }
    }
}

/// May the caller put this sender into the envelope (trusted users; untrusted_set_sender)?
pub fn may_set_sender(ctx: &mut Context, sender: &Text) -> bool {
    if ctx.run.trusted {
        return true;
    }
    let Some(list) = ctx.config.main.untrusted_set_sender.get().cloned() else { return false };
    let whole = if sender.contains(&b'@') { sender.clone() } else { rewriting::qualify(ctx, sender, false) };
    crate::matching::match_address(ctx, &whole, &list, None) == Match::Yes
}

/// A local part as it must stand in an address: in quotes if it is not a dot-atom.
pub fn quote_local_part(local: &[u8]) -> Vec<u8> {
    let atom = |c: &u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(c) || *c >= 0x80;
    let plain = !local.is_empty() && local.split_str(b".").all(|p| !p.is_empty() && p.iter().all(atom));
    if plain {
        return local.to_vec();
    }
    let mut out = vec![b'"'];
    for c in local {
        if matches!(c, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*c);
    }
    out.push(b'"');
    out
}

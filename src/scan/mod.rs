//! Content scanning while a message is being received (manual chapter 45): the message in scan form, MIME parts, regular
//! expressions, malware and spam scanners, DCC, Brightmail.
//!
//! ACL conditions (`acl::condition`) and the reception (`receive::checks`) call it; all state belongs to the message
//! ([`State`], `ctx.message.scan`) and goes with it. Nothing here decides what becomes of a message: that is the ACLs'.

pub mod brightmail;
pub mod conditions;
pub mod dcc;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod link;
pub mod malware;
mod mbox;
pub mod mime;
pub mod regex;
pub mod spam;

use std::sync::Arc;

use bstr::BString;

use crate::context::Context;
use crate::log::{self, Which};
use crate::sys::file::Dir;

/// What is known of the message in hand.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The message in scan form, if it has been made.
    mbox: Option<mbox::Mbox>,
    /// Its directory, kept open: each part of the message is read and written there.
    directory: Option<Arc<Dir>>,
    /// `control = no_mbox_unspool`: it is kept.
    pub keep: bool,
    /// What the last malware scan found.
    pub malware: malware::State,
    /// What the last spam scan said, and for whom.
    pub spam: spam::State,
    /// The MIME part in hand.
    pub mime: mime::State,
    /// What DCC said.
    pub dcc: dcc::State,
    /// What Brightmail said.
    pub bmi: brightmail::State,
    /// Captures and expression of the last `regex` or `mime_regex` that matched.
    pub regex: regex::State,
}

/// All ACLs of the message have run: what was made for the scanners goes.
pub fn finish(ctx: &mut Context) {
    mbox::remove(ctx);
}

/// Writes a line about a scanner to the main and panic logs.
fn panic_log(ctx: &Context, text: &[u8]) {
    log::write(ctx, None, Which::MAIN.and(Which::PANIC), text);
}

/// The value of a main option: expanded if it begins with `$`, so that it may be another one each time.
fn option_value(ctx: &mut Context, name: &str, value: &crate::config::options::Str) -> Result<BString, String> {
    let Some(template) = value.get().cloned() else { return Ok(BString::default()) };
    if template.raw().first() != Some(&b'$') {
        return Ok(template.raw().into());
    }
    match crate::expand::expand(ctx, &template) {
        Ok(text) => Ok(text.into_bytes().into()),
        Err(e) => Err(format!("{name} starts with $, but expansion failed: {e}")),
    }
}

//! SPF, DKIM, DMARC, ARC, DomainKeys: who vouches for a message.
//!
//! `receive` calls [`begin_message`], [`MessageAuth::arriving`], [`message_received`] and [`arrival_fields`]; ACL
//! conditions, expansions and the smtp transport call the files of the mechanism that they are about. Keys, canonical
//! forms and tag lists, which several mechanisms share, lie beside this file. Nothing here refuses a message by itself.

mod body_watch;
mod canon;
pub mod dkim;
mod key;
mod tags;
pub mod variables;

use bstr::{BString, ByteSlice};

pub use body_watch::{BodyWatch, Ends, Hashed};

use crate::acl::AclResult;
use crate::context::Context;
use crate::deliver::transport_write::Prepared;
use crate::log::{self, Selector, Which};
use crate::text::Text;
use crate::transports::smtp::SmtpOptions;

/// What is known of one message.
#[derive(Clone, Debug, Default)]
pub struct MessageAuth {
    /// While the body arrives.
    pub arriving: Option<Box<Arriving>>,
    /// The signatures, and what the variables show of them.
    pub dkim: dkim::acl::State,
}

/// A message whose body is still to come.
#[derive(Clone, Debug, Default)]
pub struct Arriving {
    /// What looks at the body.
    pub watch: BodyWatch,
    dkim: dkim::verify::Incoming,
}

/// `$spf_...` of a session.
#[derive(Clone, Debug, Default)]
pub struct SpfFacts {}

/// The header section of an SMTP message is there, as it came: what of the body is to be looked at?
pub fn begin_message(ctx: &mut Context, lines: &[BString]) {
    ctx.message.auth.arriving = None;
    if ctx.message.dkim_disable_verify {
        return;
    }
    let mut watch = BodyWatch::default();
    let dkim = dkim::verify::begin(ctx, lines, &mut watch);
    ctx.message.auth.arriving = Some(Box::new(Arriving { watch, dkim }));
}

/// A whole SMTP message has been read: signatures are judged, acl_smtp_dkim runs.
pub fn message_received(ctx: &mut Context) -> Result<(), AclResult> {
    let Some(arriving) = ctx.message.auth.arriving.take() else { return Ok(()) };
    let Arriving { watch, dkim } = *arriving;
    let Some(bodies) = watch.finish() else {
        for line in
            ["DKIM: validation error: LONG_LINE", "DKIM: Error during validation, disabling signature verification: LONG_LINE"]
        {
            log::write(ctx, None, Which::MAIN, line.as_bytes());
        }
        return Ok(());
    };
    let judged = dkim::verify::finish(ctx, dkim, &bodies);
    dkim::acl::run(ctx, judged)
}

/// Signs a message on its way out: puts the signatures before its header. Gives what the delivery line shows of it.
/// `dots`: it is sent with DATA.
pub fn sign(
    ctx: &mut Context,
    options: &SmtpOptions,
    message: &mut Prepared<'_>,
    dots: bool,
) -> Result<BString, dkim::sign::Strict> {
    let mut watch = BodyWatch::default();
    let plan = dkim::sign::plan(ctx, options, &mut watch)?;
    if plan.is_empty() {
        return Ok(BString::default());
    }
    let used = BString::from(bstr::join(":", &plan.used));
    let made = message.header_lines().and_then(|lines| {
        message.each_body(dots, &mut |block| watch.feed(block))?;
        Ok(match watch.finish() {
            None => Err("LONG_LINE".to_string()),
            Some(bodies) => plan.sign(&lines, &bodies),
        })
    });
    match made.map_err(|e| e.to_string()).and_then(|m| m) {
        Ok(text) => message.add_first(&text.replace(b"\r\n", b"\n")),
        Err(why) => {
            let line = format!("DKIM: signing failed: {why}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            dkim::sign::failed(ctx, options, line)?;
        }
    }
    Ok(used)
}

/// `DKIM=... SPF... DMARC...` for the arrival line.
pub fn arrival_fields(ctx: &Context) -> Vec<u8> {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    if log::selected(ctx, Selector::Dkim)
        && let Some(domain) = ctx.message.auth.dkim.first_pass()
    {
        fields.push([b"DKIM=", domain.as_slice()].concat());
    }
    bstr::join(" ", fields)
}

/// The parts of `${authresults}` for which this room stands, each beginning with a semicolon.
pub fn auth_results(ctx: &mut Context) -> Vec<Text> {
    dkim::auth_results(&ctx.message.auth.dkim.judged)
}

/// Begins the SPF state of a connection; `None`: this build has no SPF.
pub fn spf_connection(_: &mut Context) -> Option<std::sync::Arc<SpfFacts>> {
    None
}

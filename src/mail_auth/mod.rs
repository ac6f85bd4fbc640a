//! SPF, DKIM, DMARC, ARC, DomainKeys, SRS: who vouches for a message.
//!
//! `receive` calls [`begin_message`], [`MessageAuth::arriving`], [`message_received`] and [`arrival_fields`]; ACL
//! conditions, expansions and the smtp transport call the files of the mechanism that they are about. Keys, canonical
//! forms and tag lists, which several mechanisms share, lie beside this file. Nothing here refuses a message by itself.

pub mod arc;
mod body_hash;
mod body_watch;
mod canon;
pub mod dkim;
pub mod dmarc;
pub mod domainkeys;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod key;
pub mod spf;
pub mod srs;
mod tags;
pub mod variables;

use bstr::{BString, ByteSlice};

pub use body_watch::{BodyWatch, Ends, Hashed};

use crate::acl::AclResult;
use crate::context::Context;
use crate::deliver::transport_write::{Prepared, header_lines};
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
    /// The ARC sets, and what `verify = arc` found of them.
    pub arc: arc::Facts,
    /// What DomainKeys says, if it was to be asked.
    pub domainkeys: Option<Box<domainkeys::Facts>>,
    /// `$dk_domain` and `$dk_selector` while a message is signed.
    pub dk_signing: Option<(Text, Text)>,
    /// What DMARC says, once it was asked.
    pub dmarc: Option<Box<dmarc::Facts>>,
    /// What SPF says of the sender, once it was asked.
    pub spf: Option<Box<spf::Facts>>,
}

/// A message whose body is still to come.
#[derive(Clone, Debug, Default)]
pub struct Arriving {
    /// What looks at the body.
    pub watch: BodyWatch,
    dkim: dkim::verify::Incoming,
    arc: Option<Box<arc::Incoming>>,
    domainkeys: Option<Box<domainkeys::verify::Incoming>>,
}

/// The header section of an SMTP message is there, as it came: what of the body is to be looked at?
pub fn begin_message(ctx: &mut Context, lines: &[BString]) {
    ctx.message.auth.arriving = None;
    let mut watch = BodyWatch::default();
    let arc = arc::begin(lines, &mut watch);
    let disabled = ctx.message.dkim_disable_verify;
    let domainkeys = ctx.message.dk_verify.then(|| Box::new(domainkeys::verify::begin(ctx, lines, &mut watch)));
    if disabled && arc.is_none() && domainkeys.is_none() {
        return;
    }
    let dkim = if disabled { Default::default() } else { dkim::verify::begin(ctx, lines, &mut watch) };
    ctx.message.auth.arriving = Some(Box::new(Arriving { watch, dkim, arc, domainkeys }));
}

/// A whole SMTP message has been read: signatures are judged, acl_smtp_dkim runs.
pub fn message_received(ctx: &mut Context) -> Result<(), AclResult> {
    let Some(arriving) = ctx.message.auth.arriving.take() else { return Ok(()) };
    let Arriving { watch, dkim, arc, domainkeys } = *arriving;
    ctx.message.auth.arc.incoming = arc;
    let bodies = watch.finish();
    if let Some(incoming) = domainkeys {
        ctx.message.auth.domainkeys = Some(Box::new(domainkeys::verify::finish(ctx, *incoming, bodies.as_deref())));
    }
    let Some(bodies) = bodies else {
        for line in
            ["DKIM: validation error: LONG_LINE", "DKIM: Error during validation, disabling signature verification: LONG_LINE"]
        {
            log::write(ctx, None, Which::MAIN, line.as_bytes());
        }
        return Ok(());
    };
    let judged = dkim::verify::finish(ctx, dkim, &bodies);
    ctx.message.auth.arc.bodies = bodies;
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
    let arc_plan = arc::sign::plan(ctx, options, &mut watch);
    if plan.is_empty() && arc_plan.is_none() && !domainkeys::sign::wanted(options) {
        return Ok(BString::default());
    }
    let used = BString::from(bstr::join(":", &plan.used));
    let lines = message.header_lines();
    let dk_plan = match &lines {
        Ok(lines) if domainkeys::sign::wanted(options) => domainkeys::sign::plan(ctx, options, lines, &mut watch)?,
        _ => None,
    };
    let read = lines.and_then(|lines| {
        message.each_body(dots, &mut |block| watch.feed(block))?;
        Ok((lines, watch.finish()))
    });
    let made = match read {
        Ok((lines, Some(bodies))) => plan.sign(&lines, &bodies).map(|text| (lines, bodies, text.replace(b"\r\n", b"\n"))),
        Ok((_, None)) => Err("LONG_LINE".to_string()),
        Err(e) => Err(e.to_string()),
    };
    let (lines, bodies, text) = match made {
        Ok(made) => made,
        Err(why) => {
            let line = format!("DKIM: signing failed: {why}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            if arc_plan.is_some() {
                arc::sign::no_body_hash(ctx);
            }
            if dk_plan.is_some() {
                domainkeys::sign::failed(ctx, options, &line)?;
            }
            dkim::sign::failed(ctx, options, line)?;
            return Ok(used);
        }
    };
    let text = match dk_plan.map(|plan| plan.sign(ctx, &bodies)) {
        Some(Ok(line)) => [line.replace(b"\r\n", b"\n"), text].concat(),
        Some(Err(why)) => {
            domainkeys::sign::failed(ctx, options, &why)?;
            text
        }
        None => text,
    };
    message.add_first(&text);
    if let Some(plan) = arc_plan {
        // A seal covers the new signatures too.
        let all: Vec<BString> = header_lines(&text).into_iter().chain(lines).collect();
        match plan.sign(ctx, &all, &bodies) {
            Ok(set) => message.add_first(&set),
            Err(why) => log::write(ctx, None, Which::MAIN.and(Which::PANIC), format!("ARC: signing failed: {why}").as_bytes()),
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
    let chain = ctx.message.auth.arc.chain.as_deref();
    if log::selected(ctx, Selector::Dkim) && chain.is_some_and(|c| c.state == arc::State::Pass) {
        fields.push(b"ARC".to_vec());
    }
    if let Some(f) = &ctx.message.auth.spf {
        if log::selected(ctx, Selector::SpfVerbose) {
            fields.push(format!("SPF={}", f.verdict.name()).into_bytes());
        } else if log::selected(ctx, Selector::Spf) && f.verdict == spf::Verdict::Pass {
            fields.push(b"SPF".to_vec());
        }
    }
    if let Some(f) = &ctx.message.auth.dmarc {
        if log::selected(ctx, Selector::DmarcVerbose) {
            fields.push(format!("DMARC={}", f.status.name()).into_bytes());
        } else if log::selected(ctx, Selector::Dmarc) && f.status == dmarc::Status::Accept {
            fields.push(b"DMARC".to_vec());
        }
    }
    bstr::join(" ", fields)
}

/// The parts of `${authresults}` for which this room stands, each beginning with a semicolon.
pub fn auth_results(ctx: &mut Context) -> Vec<Text> {
    let auth = &ctx.message.auth;
    let mut parts: Vec<Text> = auth.spf.as_deref().map(spf::auth_results).into_iter().collect();
    parts.extend(dkim::auth_results(&auth.dkim.judged));
    parts.extend(auth.domainkeys.as_deref().map(domainkeys::auth_results));
    parts.extend(auth.dmarc.as_deref().map(dmarc::auth_results));
    parts.extend(auth.arc.chain.as_deref().map(|c| arc::auth_results(ctx, c)));
    parts
}

//! The ACLs at the end of a message: DKIM, MIME, PRDR, DATA, or the non-SMTP ones; and the header lines that ACLs add and
//! remove.

use bstr::{BString, ByteSlice};

use super::input::Input;
use super::kinds;
use super::pipeline::Options;
use crate::acl::{self, AclResult, Verdict as Says, Where};
use crate::context::message::HeaderPlace;
use crate::context::{Context, Header, HeaderKind};
use crate::expand::Template;
use crate::log::{self, Which};
use crate::sys::pcre::{Options as PatternOptions, Regex};
use crate::text::Text;

/// What the ACLs said of a message that is accepted.
#[derive(Debug, Default)]
pub struct Verdict {
    /// All recipients were thrown away, by this ACL: `DATA ACL`.
    pub blackholed_by: Option<String>,
    /// ... with this text for the log.
    pub blackhole_message: Option<Text>,
    /// Text for the answer.
    pub user_message: Option<Text>,
    /// Who wants it frozen or queued, for the log, if it was no ACL.
    pub held_by: &'static str,
    /// PRDR: the answer for the whole message.
    pub prdr_reply: Option<String>,
}

/// An ACL refused the message.
#[derive(Debug)]
pub struct Refusal {
    /// Which one.
    pub place: Where,
    /// What it said.
    pub result: AclResult,
    /// PRDR: everybody has been answered; this is the last answer.
    pub reply: Option<String>,
    /// The log knows already (it was `local_scan()` that refused).
    pub logged: bool,
}

/// Runs what there is to run. The Received: line is in its place, the body in the spool.
pub fn run(ctx: &mut Context, input: &mut Input<'_>, options: &Options) -> Result<Verdict, Refusal> {
    let mut verdict = Verdict::default();
    if ctx.message.recipients.is_empty() {
        let by = input.server().and_then(|s| s.discard_note).unwrap_or("RCPT");
        verdict.blackholed_by = Some(format!("{by} ACL"));
        return Ok(verdict);
    }
    let result = if options.smtp && !options.batched { smtp(ctx, input, &mut verdict) } else { local(ctx, &mut verdict) };
    crate::scan::finish(ctx);
    result.map(|()| verdict)
}

fn refuse(place: Where, result: AclResult) -> Refusal {
    Refusal { place, result, reply: None, logged: false }
}

fn smtp(ctx: &mut Context, input: &mut Input<'_>, verdict: &mut Verdict) -> Result<(), Refusal> {
    let result = crate::mail_auth::message_received(ctx);
    add_headers(ctx);
    match result {
        Ok(()) => {}
        Err(r) if r.verdict == Says::Discard => discard(ctx, verdict, "DKIM ACL", r.log_message),
        Err(r) => return Err(refuse(Where::Dkim, r)),
    }
    if let Some(list) = ctx.config.main.acl_smtp_mime.get().cloned() {
        mime(ctx, Where::Mime, &list, verdict)?;
    }
    if ctx.message.prdr && ctx.message.recipients.len() > 1 && ctx.config.main.acl_smtp_data_prdr.is_set() {
        prdr(ctx, input, verdict)?;
    } else {
        ctx.message.prdr = false;
    }
    if let Some(list) = ctx.config.main.acl_smtp_data.get().cloned()
        && !ctx.message.recipients.is_empty()
    {
        let result = acl::check(ctx, Where::Data, None, &list);
        add_headers(ctx);
        match result.verdict {
            Says::Ok => verdict.user_message = result.user_message,
            Says::Discard => {
                discard(ctx, verdict, "DATA ACL", result.log_message);
                verdict.user_message = result.user_message;
            }
            _ => return Err(refuse(Where::Data, result)),
        }
    }
    Ok(())
}

fn discard(ctx: &mut Context, verdict: &mut Verdict, by: &str, message: Option<Text>) {
    ctx.message.recipients.clear();
    verdict.blackholed_by = Some(by.into());
    verdict.blackhole_message = message;
    crate::verify::cutthrough::end(ctx, "message discarded");
}

/// The MIME ACL, for each part.
fn mime(ctx: &mut Context, place: Where, list: &Template, verdict: &mut Verdict) -> Result<(), Refusal> {
    let result = crate::scan::mime::mime_acl(ctx, list);
    add_headers(ctx);
    match result.verdict {
        Says::Ok => Ok(()),
        Says::Discard => {
            discard(ctx, verdict, "MIME ACL", result.log_message);
            Ok(())
        }
        _ => Err(refuse(place, result)),
    }
}

fn local(ctx: &mut Context, verdict: &mut Verdict) -> Result<(), Refusal> {
    if let Some(list) = ctx.config.main.acl_not_smtp_mime.get().cloned() {
        mime(ctx, Where::NotSmtpMime, &list, verdict)?;
    }
    if let Some(list) = ctx.config.main.acl_not_smtp.get().cloned()
        && !ctx.message.recipients.is_empty()
    {
        let result = acl::check(ctx, Where::NotSmtp, None, &list);
        match result.verdict {
            Says::Ok => {}
            Says::Discard => discard(ctx, verdict, "non-SMTP ACL", result.log_message),
            _ => return Err(refuse(Where::NotSmtp, result)),
        }
        add_headers(ctx);
    }
    Ok(())
}

/// Each recipient's own answer.
fn prdr(ctx: &mut Context, input: &mut Input<'_>, verdict: &mut Verdict) -> Result<(), Refusal> {
    let Some(server) = input.server() else { return Ok(()) };
    let Some(list) = ctx.config.main.acl_smtp_data_prdr.get().cloned() else { return Ok(()) };
    server.reply(ctx, "353 PRDR content analysis beginning");
    let all = ctx.message.recipients.clone();
    let mut kept = Vec::new();
    let mut refused = 0usize;
    for r in &all {
        let result = acl::check(ctx, Where::Prdr, Some(&r.address), &list);
        let (code, word) = match result.verdict {
            Says::Ok | Says::Discard => ("250", "acceptance"),
            Says::Defer => ("450", "temporary refusal"),
            _ => ("550", "refusal"),
        };
        let mut text = Text::clean(format!("PRDR R=<{}> {word}", r.address));
        let logged = match (&result.log_message, &result.user_message) {
            (Some(m), _) | (None, Some(m)) => format!("PRDR {} {m}", r.address),
            _ => text.to_string(),
        };
        if let Some(m) = result.user_message {
            text = m;
        }
        server.user_message(ctx, code, &text);
        log::write(ctx, None, Which::MAIN, logged.as_bytes());
        match result.verdict {
            Says::Ok => kept.push(r.clone()),
            Says::Fail | Says::FailDrop => refused += 1,
            _ => {}
        }
    }
    let id = ctx.message.id.clone();
    let none = refused == all.len();
    let what = if none {
        "rejected for all recipients"
    } else if kept.len() == all.len() {
        "accepted"
    } else {
        "accepted for some recipients"
    };
    let reply = format!("{} id={id} message {what}", if none { "550" } else { "250" });
    let nobody = kept.is_empty();
    ctx.message.recipients = kept;
    if nobody {
        let result = AclResult { verdict: Says::Fail, user_message: None, log_message: None };
        return Err(Refusal { place: Where::Prdr, result, reply: Some(reply), logged: false });
    }
    verdict.prdr_reply = Some(reply);
    Ok(())
}

/// Puts in the header lines that ACLs have asked for, and takes out those that they removed.
pub fn add_headers(ctx: &mut Context) {
    let removed = std::mem::take(&mut ctx.message.acl_removed_headers);
    for item in &removed {
        // Lines that an ACL adds are put in after this, and so are never removed by it.
        for h in ctx.message.headers.iter_mut().skip(1).filter(|h| matches(&h.text, item)) {
            h.kind = HeaderKind::Old;
        }
    }
    for h in std::mem::take(&mut ctx.message.acl_added_headers) {
        let line = Header { kind: kinds::spool_kind(&h.text), text: h.text };
        let list = &mut ctx.message.headers;
        let at = match h.place {
            HeaderPlace::AtEnd => list.len(),
            HeaderPlace::AtStart => 0,
            // After the first block of Received: lines, or those and Resent- ones.
            HeaderPlace::AfterReceived => after_received(list, false),
            HeaderPlace::AtStartRfc => after_received(list, true),
        };
        list.insert(at, line);
    }
}

/// The place after the last of the first run of Received: lines; for `rfc`, before the first line that is no trace line.
fn after_received(list: &[Header], rfc: bool) -> usize {
    if rfc {
        let trace = |h: &Header| {
            h.kind == HeaderKind::Old || h.kind == HeaderKind::Received || kinds::is_resent(&h.text) || {
                matches!(kinds::classify(&h.text), kinds::Name::ReturnPath | kinds::Name::DeliveryDate | kinds::Name::EnvelopeTo)
            }
        };
        return list.iter().position(|h| !trace(h)).unwrap_or(list.len());
    }
    list.iter().rposition(|h| h.kind == HeaderKind::Received).map_or(1.min(list.len()), |i| i + 1)
}

/// Is it the line's name, or (beginning with `^`) a regular expression that matches the whole line?
fn matches(line: &BString, item: &[u8]) -> bool {
    if item.starts_with(b"^") {
        return Regex::new(item, PatternOptions::NONE).is_ok_and(|r| r.is_match(line));
    }
    kinds::name_of(line).eq_ignore_ascii_case(item.trim())
}

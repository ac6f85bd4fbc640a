//! What a callout says to one host: EHLO's extensions, MAIL and RCPT for a name that cannot be, for the address, for the postmaster.
//!
//! Called by `session`, which has the connection and knows the next host. Nothing is sent after the answer to RCPT.

use bstr::BString;

use super::super::hplain;
use super::session::{Asked, Plan, Step, prefixed, told};
use crate::acl::Where;
use crate::context::Context;
use crate::hints::records::CalloutResult;
use crate::log::{self, hdebug};
use crate::retry::errors;
use crate::route::HostItem;
use crate::smtp_out::{Client, Fault, Opened, Reply, Send, Trouble, in_hosts};
use crate::sys::time::unix_time;
use crate::text::Text;
use crate::transports::smtp::{International, international, on_the_wire};
use crate::verify::Outcome;

/// How one MAIL and RCPT went.
enum Answer {
    Accepted,
    /// RCPT was refused.
    Refused(Reply),
    /// MAIL was refused.
    MailRefused(Reply),
    Broken(Fault),
}

/// MAIL and RCPT: together, if the host likes that.
fn envelope(opened: &mut Opened, pipelined: bool, from: &[u8], parameters: &[u8], to: &[u8]) -> Answer {
    exchange(&mut opened.client, pipelined, from, parameters, to).unwrap_or_else(Answer::Broken)
}

fn exchange(client: &mut Client, pipelined: bool, from: &[u8], parameters: &[u8], to: &[u8]) -> Result<Answer, Fault> {
    let limit = client.command_timeout;
    client.mail(if pipelined { Send::Later } else { Send::Now }, from, parameters)?;
    let mail = client.command().to_owned();
    if pipelined {
        client.rcpt(Send::Now, to, b"")?;
    }
    let rcpt = client.command().to_owned();
    client.set_command(mail);
    let reply = client.read(limit)?;
    if !reply.is_ok() {
        if pipelined && client.read(limit).is_err() {
            client.wire().close();
        }
        return Ok(Answer::MailRefused(reply));
    }
    if pipelined {
        client.set_command(rcpt);
    } else {
        client.rcpt(Send::Now, to, b"")?;
    }
    let reply = client.read(limit)?;
    Ok(if reply.is_ok() { Answer::Accepted } else { Answer::Refused(reply) })
}

/// SMTPUTF8, ASCII forms, or neither. `Ok(None)`: SMTPUTF8 is needed and not there.
fn forms(ctx: &mut Context, plan: &Plan<'_>, opened: &Opened) -> Result<Option<International>, Trouble> {
    let plain = plan.from.is_ascii() && plan.routed.address.is_ascii();
    match international(ctx, plan.smtp, plain, opened.client.features.smtputf8) {
        Ok(i) => Ok(Some(i)),
        Err(t) if t.errno == errors::UTF8_FORWARD => Ok(None),
        Err(t) => Err(t),
    }
}

pub(super) fn converse(ctx: &mut Context, plan: &Plan<'_>, host: &HostItem, opened: &mut Opened, asked: &mut Asked) -> Step {
    let domain = &plan.routed.domain;
    asked.domain.result = match plan.old_domain {
        CalloutResult::RejectMailFromNull => CalloutResult::RejectMailFromNull,
        _ => CalloutResult::Accept,
    };
    let international = match forms(ctx, plan, opened) {
        Ok(i) => i,
        Err(t) => {
            asked.message = Some(prefixed(host, &t.message.unwrap_or_default()));
            return Step::NextHost;
        }
    };
    let Some(international) = international else {
        asked.message = Some(prefixed(host, b"response to \"EHLO\" did not include SMTPUTF8"));
        let text = match ctx.acl.running {
            Some(Where::Rcpt) => "533 no support for internationalised mailbox name",
            _ => "550 mailbox unavailable",
        };
        asked.user_message = Some(Text::clean(text));
        asked.domain.result = CalloutResult::Unknown;
        return Step::Done(Outcome::Fail);
    };
    let from = match on_the_wire(&plan.from, international.downconvert) {
        Ok(from) => from,
        Err(t) => {
            asked.message = t.message.map(Text::tainted);
            return Step::NextHost;
        }
    };
    let pipelined = opened.client.features.pipelining
        && !in_hosts(ctx, "hosts_avoid_pipelining", &plan.smtp.options.hosts_avoid_pipelining, host);
    if let Some(local) = &plan.random_local_part {
        let to = [local.as_bytes(), b"@", domain.as_bytes()].concat();
        asked.domain.random_stamp = unix_time();
        match envelope(opened, pipelined, &from, b"", &to) {
            Answer::Accepted => {
                asked.domain.random_result = CalloutResult::Accept;
                asked.why = Some("random");
                return Step::Done(Outcome::Ok);
            }
            Answer::Refused(r) if r.class() == b'5' => {
                asked.domain.random_result = CalloutResult::Reject;
                if opened.client.command_ok(b"RSET").is_err() {
                    hdebug!(ctx, VERIFY, "problem after random/rset/mfrom; reopen conn");
                    opened.client.close();
                    return Step::Again;
                }
            }
            Answer::Refused(r) => return refused(plan, host, opened, &r, asked),
            Answer::MailRefused(r) => return mail_refused(plan, host, opened, &r, asked),
            Answer::Broken(f) => return broken(ctx, host, opened, f, asked),
        }
    }
    let parameters = parameters(ctx, plan, opened, international);
    let to = match on_the_wire(&recipient_text(plan), international.downconvert) {
        Ok(to) => to,
        Err(t) => {
            asked.message = t.message.map(Text::tainted);
            return Step::NextHost;
        }
    };
    match envelope(opened, pipelined, &from, &parameters, &to) {
        Answer::Accepted => asked.address = CalloutResult::Accept,
        Answer::Refused(r) => {
            let step = refused(plan, host, opened, &r, asked);
            if r.class() == b'5' {
                asked.address = CalloutResult::Reject;
                asked.why = Some("recipient");
                // The answer about the postmaster is worth keeping even now: with it the next callout is one from the cache.
                if let Some(from) = &plan.postmaster_mailfrom {
                    postmaster_besides(ctx, plan, host, opened, pipelined, from, asked);
                }
            }
            return step;
        }
        Answer::MailRefused(r) => return mail_refused(plan, host, opened, &r, asked),
        Answer::Broken(f) => return broken(ctx, host, opened, f, asked),
    }
    match &plan.postmaster_mailfrom {
        Some(from) => postmaster(ctx, plan, host, opened, pipelined, from, asked),
        None => Step::Done(Outcome::Ok),
    }
}

/// Asks for the postmaster of a host that has refused the address, which stays refused whatever comes of it.
fn postmaster_besides(
    ctx: &mut Context,
    plan: &Plan<'_>,
    host: &HostItem,
    opened: &mut Opened,
    pipelined: bool,
    from: &[u8],
    asked: &mut Asked,
) {
    let (why, message, user_message) = (asked.why, asked.message.clone(), asked.user_message.clone());
    let _ = postmaster(ctx, plan, host, opened, pipelined, from, asked);
    if !asked.postmaster_failed {
        (asked.why, asked.message, asked.user_message) = (why, message, user_message);
    }
}

fn postmaster(
    ctx: &mut Context,
    plan: &Plan<'_>,
    host: &HostItem,
    opened: &mut Opened,
    pipelined: bool,
    from: &[u8],
    asked: &mut Asked,
) -> Step {
    hdebug!(ctx, V, "Cutthrough cancelled by presence of postmaster verify");
    if let Err(f) = opened.client.command_ok(b"RSET") {
        return broken(ctx, host, opened, f, asked);
    }
    let to = [b"postmaster@", plan.routed.domain.as_bytes()].concat();
    let mut answer = envelope(opened, pipelined, from, b"", &to);
    if plan.callout.fullpostmaster && matches!(answer, Answer::Refused(_)) {
        let limit = opened.client.command_timeout;
        answer = match opened.client.send(Send::Now, b"RCPT TO:<postmaster>").and_then(|_| opened.client.read(limit)) {
            Ok(r) if r.is_ok() => Answer::Accepted,
            Ok(r) => Answer::Refused(r),
            Err(f) => Answer::Broken(f),
        };
    }
    asked.domain.postmaster_stamp = unix_time();
    let reply = match answer {
        Answer::Accepted => {
            asked.domain.postmaster_result = CalloutResult::Accept;
            return Step::Done(Outcome::Ok);
        }
        Answer::Refused(r) | Answer::MailRefused(r) => r,
        Answer::Broken(f) => return broken(ctx, host, opened, f, asked),
    };
    if reply.class() == b'5' {
        asked.why = Some("postmaster");
        asked.postmaster_failed = true;
        asked.domain.postmaster_result = CalloutResult::Reject;
    }
    refused(plan, host, opened, &reply, asked)
}

/// A response other than 2xx to RCPT.
fn refused(plan: &Plan<'_>, host: &HostItem, opened: &Opened, reply: &Reply, asked: &mut Asked) -> Step {
    let trouble = opened.client.trouble(Fault::Refused(reply.clone()));
    asked.message = Some(prefixed(host, &trouble.message.clone().unwrap_or_default()));
    asked.user_message = Some(told(plan, host, opened.client.command(), &reply.text));
    if reply.class() == b'5' { Step::Done(Outcome::Fail) } else { Step::NextHost }
}

/// A response other than 2xx to MAIL.
fn mail_refused(plan: &Plan<'_>, host: &HostItem, opened: &Opened, reply: &Reply, asked: &mut Asked) -> Step {
    asked.why = Some("mail");
    let command = opened.client.command().to_owned();
    let mut text = BString::from("response to \"");
    text.extend_from_slice(&command);
    text.extend_from_slice(b"\" was: ");
    text.extend_from_slice(&log::escape::printing(&reply.text, false));
    asked.message = Some(prefixed(host, &text));
    asked.user_message = Some(told(plan, host, &command, &reply.text));
    if reply.class() != b'5' {
        return Step::NextHost;
    }
    asked.null_sender_failed = true;
    if plan.from.is_empty() {
        asked.domain.result = CalloutResult::RejectMailFromNull;
    }
    Step::Done(Outcome::Fail)
}

/// The connection, or the host's SMTP, is broken.
fn broken(ctx: &mut Context, host: &HostItem, opened: &mut Opened, fault: Fault, asked: &mut Asked) -> Step {
    if fault == Fault::TimedOut {
        hplain!(ctx, VERIFY, "SMTP timeout");
    }
    let trouble = opened.client.trouble(fault);
    let text = trouble.message.clone().unwrap_or_else(|| crate::sys::strerror(trouble.errno).into());
    asked.message = Some(prefixed(host, &text));
    opened.client.close();
    Step::NextHost
}

/// SIZE is worth saying only if the answer is not kept.
fn parameters(ctx: &Context, plan: &Plan<'_>, opened: &Opened, international: International) -> BString {
    let mut out = BString::default();
    let f = &opened.client.features;
    let addition = plan.smtp.options.size_addition.0;
    let size = if ctx.message.size > 0 { Some(ctx.message.size) } else { ctx.message.declared_size };
    if plan.options.recipient
        && plan.callout.no_cache
        && f.size.is_some()
        && let (Some(size), Ok(addition)) = (size.filter(|s| *s > 0), u64::try_from(addition))
    {
        out.extend_from_slice(format!(" SIZE={}", size.saturating_add(addition)).as_bytes());
    }
    if international.smtputf8 {
        out.extend_from_slice(b" SMTPUTF8");
    }
    out
}

/// The address for RCPT: without the affixes that routers took off, unless the transport says otherwise.
pub(super) fn recipient_text(plan: &Plan<'_>) -> BString {
    crate::transports::smtp::rcpt_address(plan.transport, plan.routed)
}

//! The moment a message becomes ours: -H and its directory entry are made durable, the arrival is logged, and what happens next is
//! decided.

use bstr::{BString, ByteSlice};

use super::fixup::Found;
use super::pipeline::{Done, Options, Stop, host_fields};
use super::{Accepted, checks, queueing};
use crate::context::message::{FakeResponse, notify};
use crate::context::{Context, HeaderKind};
use crate::log::{self, Selector, Which};
use crate::parse;
use crate::spool::DataFile;
use crate::text::Text;
use crate::verify::cutthrough::{self, Answer};

/// What the arrival line needs beside the message.
pub(super) struct Logged {
    pub(super) found: Found,
    pub(super) raw_recipients: Vec<BString>,
    pub(super) raw_sender: Text,
}

/// `control = fakereject` or `fakedefer`: the sender is told that the message was not taken, so no report may say later that it
/// was delivered (NOTIFY=SUCCESS).
fn no_success_reports_if_refused(ctx: &mut Context) {
    if ctx.message.fake_response == FakeResponse::Ok {
        return;
    }
    for r in ctx.message.recipients.iter_mut().filter(|r| r.dsn_flags & notify::SUCCESS != 0) {
        r.dsn_flags &= !notify::SUCCESS;
        if r.dsn_flags == 0 {
            r.dsn_flags = notify::NEVER;
        }
    }
}

/// Writes -H (unless nothing is to be kept) and the arrival line, and decides on the delivery.
pub(super) fn commit(
    ctx: &mut Context,
    options: &Options,
    data: DataFile,
    verdict: &checks::Verdict,
    logged: &Logged,
) -> Result<Done, Stop> {
    if ctx.message.freeze_requested {
        ctx.message.frozen = true;
        ctx.message.frozen_at = crate::sys::time::now().sec;
    }
    no_success_reports_if_refused(ctx);
    let kept = !ctx.run.host_checking && verdict.blackholed_by.is_none();
    let size = if kept {
        match crate::spool::commit(ctx, &data) {
            Ok(n) => n,
            Err(e) => {
                log::write(ctx, None, Which::MAIN, format!("Message abandoned: {e}").as_bytes());
                data.unlink();
                return Err(Stop::Write(e.to_string(), Box::new(data)));
            }
        }
    } else {
        ctx.message.headers.iter().filter(|h| h.kind != HeaderKind::Old).map(|h| h.text.len() as u64).sum()
    };
    ctx.message.size = size + ctx.message.body_size + 1;
    if kept && peer_gone(ctx, options) {
        let mut line = BString::from("SMTP connection lost after final dot");
        line.extend_from_slice(&host_fields(ctx));
        if let Some(p) = &ctx.session.received_protocol {
            line.extend_from_slice(b" P=");
            line.extend_from_slice(p);
        }
        log::write(ctx, None, Which::MAIN, &line);
        remove_files(ctx);
        return Err(Stop::GoneAtEnd);
    }
    let onward = if kept { cutthrough::finish(ctx) } else { Answer::None };
    if let Answer::Tell(text) = onward {
        remove_files(ctx);
        return Err(Stop::Onward(text));
    }
    ctx.message.subdir = data.place().letter;
    arrival(ctx, logged, kept, if verdict.held_by.is_empty() { "ACL" } else { verdict.held_by });
    if let Answer::Delivered = onward {
        log::write(ctx, None, Which::MAIN, b"Completed");
        remove_files(ctx);
        return Ok(Done::Gone);
    }
    if let Some(by) = &verdict.blackholed_by {
        data.abandon();
        let mut line = BString::from(format!("=> blackhole ({by} discarded recipients)"));
        if let Some(m) = &verdict.blackhole_message {
            line.extend_from_slice(b": ");
            line.extend_from_slice(m);
        }
        log::write(ctx, None, Which::MAIN, &line);
        log::write(ctx, None, Which::MAIN, b"Completed");
        return Ok(Done::Gone);
    }
    if !kept {
        data.abandon();
        return Ok(Done::Rehearsed);
    }
    let delivery = match onward {
        // The host has just put it off.
        Answer::Queued => None,
        _ => queueing::decide(ctx, options.mode, options.before + 1),
    };
    // Letting go of the data file opens the message to deliveries.
    drop(data);
    Ok(Done::Accepted(Accepted { id: ctx.message.id.clone(), delivery }))
}

/// The message is not to be kept after all.
fn remove_files(ctx: &Context) {
    if let Ok(queue) = ctx.services.spool.queue(&ctx.message.queue_name)
        && let Err(e) = queue.remove(&ctx.message.id)
    {
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes());
    }
}

/// Has the peer gone while it waited for the answer to its message? It would send it again.
fn peer_gone(ctx: &mut Context, options: &Options) -> bool {
    if !options.smtp || ctx.session.host_address.is_none() || ctx.session.sender_host_notsocket {
        return false;
    }
    let Some(wire) = ctx.session.wire.as_mut() else { return false };
    wire.is_socket() && !wire.input_waiting() && wire.is_dead()
}

/// The `<=` line, and the first lines of the message's own log.
fn arrival(ctx: &mut Context, logged: &Logged, kept: bool, held_by: &str) {
    let find = |kind: HeaderKind| ctx.message.headers.iter().find(|h| h.kind == kind).map(|h| h.text.clone());
    let id = find(HeaderKind::Id)
        .and_then(|t| parse::message_id::shown(t.get(t.find_byte(b':').map_or(0, |i| i + 1)..).unwrap_or_default()));
    let subject = log::selected(ctx, Selector::Subject)
        .then(|| {
            let h = ctx.message.headers.iter().find(|h| super::kinds::classify(&h.text) == super::kinds::Name::Subject)?;
            let value = h.text.get(h.text.find_byte(b':')? + 1..)?.trim();
            let charset = ctx.config.main.headers_charset.raw().unwrap_or(b"UTF-8").to_vec();
            parse::decode_2047(value, ctx.config.main.check_rfc2047_length, Some(&charset), None).ok().or(Some(value.into()))
        })
        .flatten();
    let mail_auth = crate::mail_auth::arrival_fields(ctx);
    let facts = log::arrival::Arrival {
        message_id: id.as_ref().map(|i| i.as_slice()),
        id_created: logged.found.id_created,
        subject: subject.as_ref().map(|t| t.as_slice()),
        mail_auth: &mail_auth,
        recipients: &logged.raw_recipients,
        raw_sender: Some(&logged.raw_sender),
    };
    let text = log::arrival::arrival(ctx, &facts);
    let refused = ctx.message.fake_response == FakeResponse::Fail;
    let flag: &[u8] = if refused { b"(= " } else { b"<= " };
    log::write(ctx, None, Which::MAIN, &[flag, text.as_slice()].concat());
    ctx.session.fast_open = None;
    let frozen = ctx.message.freeze_requested;
    let queued = ctx.message.queue_only;
    let queue = &ctx.message.queue_name;
    let waits = format!("no immediate delivery: queued{}{queue} by {held_by}", if queue.is_empty() { "" } else { " in " },);
    if frozen {
        log::write(ctx, None, Which::MAIN, format!("frozen by {held_by}").as_bytes());
    }
    if queued {
        log::write(ctx, Some(Selector::DelayDelivery), Which::MAIN, waits.as_bytes());
    }
    if kept && ctx.config.main.message_logs {
        // The message log does without the envelope.
        let text = log::arrival::arrival(ctx, &log::arrival::Arrival { recipients: &[], raw_sender: None, ..facts });
        log::msglog::append(ctx, &[b"Received from ", text.as_slice()].concat());
        if frozen {
            log::msglog::append(ctx, format!("frozen by {held_by}").as_bytes());
        }
        if queued {
            log::msglog::append(ctx, waits.as_bytes());
        }
    }
}

//! The reception of a message over SMTP: takes it in, and answers.

use super::Accepted;
use super::headers::{Rest, Trouble};
use super::input::Input;
use super::pipeline::{self, Done, Finished, Options, Stop};
use crate::context::Context;
use crate::context::message::FakeResponse;
use crate::context::names::connection_info;
use crate::context::session::Input as Kind;
use crate::log::{self, Selector, Which};
use crate::smtp_in::data::Chunk;
use crate::smtp_in::{Envelope, Next, Server, SessionEnd, report};
use crate::text::Text;

/// What has become of a message, for the session.
#[derive(Debug)]
pub enum Received {
    /// It is on the queue.
    Accepted(Accepted),
    /// It has been dealt with, and is not.
    Gone,
    /// It is not; the session goes on.
    Refused,
    /// The session is over, and how.
    Close(SessionEnd),
}

/// What `control = fakereject` and `fakedefer` say without a text of their own.
const FAKE_TEXT: &str = "Your message has been rejected but is being kept for evaluation.\n\
If it was a legitimate message, it may still be delivered to the target recipient(s).";

/// Receives the message that the envelope promises.
pub fn receive(ctx: &mut Context, server: &mut Server, envelope: Envelope) -> Received {
    let batched = ctx.session.input == Kind::BatchedSmtp;
    set_local_sender(ctx);
    if batched && let Some(list) = ctx.config.main.acl_not_smtp_start.get().cloned() {
        let _ = crate::acl::check(ctx, crate::acl::Where::NotSmtpStart, None, &list);
    }
    let options = Options {
        smtp: true,
        batched,
        dot_ends: true,
        extract: false,
        size_limit: server.size_limit,
        recipients_max: server.recipients_max,
        mode: ctx.session.queue_mode,
        before: server.accepted,
    };
    let chunk = envelope.chunk;
    let mut input = match chunk {
        Some(chunk) => Input::Chunks { server, chunk },
        None => Input::Data(server),
    };
    let result = pipeline::take(ctx, &mut input, &options);
    let chunk = match &input {
        Input::Chunks { chunk, .. } => Some(*chunk),
        _ => None,
    };
    match result {
        Ok(finished) => {
            drop(input);
            accepted(ctx, server, finished, chunk, batched)
        }
        Err(stop) => {
            let end = stopped(ctx, &mut input, stop, batched);
            ctx.message.id.clear();
            end
        }
    }
}

/// A local caller of `-bs` may set its own sender only if it is trusted or untrusted_set_sender says so.
fn set_local_sender(ctx: &mut Context) {
    let Some(real) = ctx.session.caller.real_sender.clone() else { return };
    let sender = ctx.message.sender.clone().unwrap_or_default();
    if !super::may_set_sender(ctx, &sender) {
        ctx.message.sender = Some(real);
        ctx.message.raw_sender = None;
    }
}

fn accepted(ctx: &mut Context, server: &mut Server, f: Finished, chunk: Option<Chunk>, batched: bool) -> Received {
    if !batched {
        let id = ctx.message.id.clone();
        let fake = match ctx.message.fake_response {
            FakeResponse::Ok => None,
            FakeResponse::Defer => Some("450"),
            FakeResponse::Fail => Some("550"),
        };
        if let Some(code) = fake {
            let text = ctx.message.fake_response_text.clone().unwrap_or_else(|| Text::clean(FAKE_TEXT));
            server.respond(ctx, code.as_bytes(), true, &text);
        } else if let Some(reply) = &f.prdr_reply {
            server.reply(ctx, reply);
        } else if let Some(m) = &f.user_message {
            server.user_message(ctx, "250", m);
        } else if let Some(c) = chunk {
            server.reply(ctx, format!("250- {} byte chunk, total {}\r\n250 OK id={id}", c.size, f.total));
        } else {
            server.reply(ctx, format!("250 OK id={id}"));
        }
        if ctx.run.host_checking {
            // For the person who tests: on the same stream as the answers.
            crate::smtp_in::answer::put(ctx, b"\n**** SMTP testing: that is not a real message id!\n\n");
        }
    }
    match f.done {
        Done::Accepted(a) => {
            server.accepted += 1;
            Received::Accepted(a)
        }
        // The session goes on as if the message were there.
        Done::Rehearsed => Received::Gone,
        Done::Gone => {
            ctx.message.id.clear();
            Received::Gone
        }
    }
}

/// Says why the message is not accepted.
fn stopped(ctx: &mut Context, input: &mut Input<'_>, stop: Stop, batched: bool) -> Received {
    let reply = |ctx: &mut Context, input: &mut Input<'_>, text: &str| {
        if let Some(server) = input.server() {
            if batched {
                server.batch_error = Some(text.into());
            } else {
                server.reply(ctx, text);
            }
        }
    };
    match stop {
        Stop::Lost(place) => {
            if place.is_empty() && batched {
                // The line that should have ended the message counts.
                if let Some(w) = ctx.session.wire.as_mut() {
                    w.lines_read += 1;
                }
            }
            let line = format!("{} lost while reading message data{place}", connection_info(ctx));
            log::write(ctx, Some(Selector::LostIncomingConnection), Which::MAIN, line.as_bytes());
            if let Some(server) = input.server() {
                server.not_quit(ctx, Some("connection-lost"), None);
            }
            reply(ctx, input, "421 Lost incoming connection");
            Received::Close(SessionEnd::Failed)
        }
        Stop::TimedOut => {
            let who = crate::context::names::sender_fullhost(ctx).unwrap_or_else(|| "local process".into());
            let line = format!(
                "SMTP data timeout (message abandoned) on connection from {who} F=<{}> D={}",
                ctx.message.sender.clone().unwrap_or_default(),
                report::duration(ctx)
            );
            log::write(ctx, Some(Selector::LostIncomingConnection), Which::MAIN, line.as_bytes());
            bomb_out(ctx, input, "data-timeout", "SMTP incoming data timeout", batched);
            Received::Close(SessionEnd::Broken)
        }
        Stop::Terminated(signal) => {
            let name = crate::sys::signal::name(signal);
            let line = format!("{} closed after {name}", connection_info(ctx));
            log::write(ctx, None, Which::MAIN, line.as_bytes());
            bomb_out(ctx, input, "signal-exit", "Service not available - SIGTERM or SIGINT received", batched);
            Received::Close(SessionEnd::Broken)
        }
        Stop::SessionOver => {
            let line = format!("{} lost while reading message data", connection_info(ctx));
            log::write(ctx, Some(Selector::LostIncomingConnection), Which::MAIN, line.as_bytes());
            Received::Close(SessionEnd::Failed)
        }
        Stop::Dropped => Received::Close(SessionEnd::Failed),
        Stop::Abandoned => Received::Refused,
        Stop::Header(trouble, rest) => {
            header_trouble(ctx, input, &trouble, rest);
            let text = match trouble {
                Trouble::TooLong => "552 Message header is ridiculously long",
                Trouble::LineTooLong => "552 A message header line is too long",
                _ => "552 Message header not CRLF terminated",
            };
            reply(ctx, input, text);
            Received::Refused
        }
        Stop::TooBig(_) => {
            reply(ctx, input, "552 Message size exceeds maximum permitted");
            Received::Refused
        }
        Stop::Io(true, ..) => {
            reply(ctx, input, "451 Error while reading input data");
            Received::Refused
        }
        Stop::Io(false, ..) => {
            reply(ctx, input, "451 Error while writing spool file");
            Received::Refused
        }
        Stop::Write(..) => {
            reply(ctx, input, "451 Error in writing spool file");
            Received::Refused
        }
        Stop::Acl(refusal, _) => {
            let Some(server) = input.server() else { return Received::Refused };
            if let Some(text) = &refusal.reply {
                server.reply(ctx, text);
                return Received::Refused;
            }
            if batched {
                let target = ctx.acl.log_reject_target.unwrap_or(Some(Which::MAIN.and(Which::REJECT)));
                if !refusal.logged {
                    super::local::log_acl(ctx, &refusal.result, target);
                }
                let text = refusal.result.user_message.unwrap_or_else(|| Text::clean("local configuration problem"));
                server.batch_error = Some(format!("550 {text}"));
                return Received::Refused;
            }
            if refusal.logged {
                let text = refusal.result.user_message.unwrap_or_default();
                let code: &[u8] = if refusal.result.verdict == crate::acl::Verdict::Fail { b"550" } else { b"451" };
                server.respond(ctx, code, true, &text);
                return Received::Refused;
            }
            match server.refuse(ctx, refusal.place, refusal.result) {
                Next::Close | Next::Break | Next::End => Received::Close(SessionEnd::Done),
                _ => Received::Refused,
            }
        }
        Stop::Onward(text) => {
            if let Some(server) = input.server() {
                // Several lines come with their code each; it is put before them again.
                let code = text.get(..3).unwrap_or_default().to_vec();
                let lines: Vec<_> = text.split(|c| *c == b'\n').map(|l| l.get(4..).unwrap_or_default()).collect();
                server.respond(ctx, &code, true, &lines.join(&b'\n'));
            }
            Received::Refused
        }
        Stop::GoneAtEnd => {
            if let Some(server) = input.server() {
                server.not_quit(ctx, Some("connection-lost"), None);
            }
            Received::Close(SessionEnd::Broken)
        }
        Stop::TooManyRecipients | Stop::BadRecipients(..) => {
            reply(ctx, input, "451 Internal error");
            Received::Refused
        }
    }
}

fn bomb_out(ctx: &mut Context, input: &mut Input<'_>, reason: &str, text: &str, batched: bool) {
    let Some(server) = input.server() else { return };
    if batched {
        server.batch_error = Some(format!("421 {text} - message abandoned"));
        return;
    }
    let text = format!("{} {text} - closing connection.", ctx.session.active_hostname);
    server.not_quit(ctx, Some(reason), Some(("421", &text)));
}

fn header_trouble(ctx: &mut Context, input: &mut Input<'_>, trouble: &Trouble, rest: Rest) {
    match trouble {
        Trouble::TooLong | Trouble::LineTooLong => {
            log_long_header(ctx, trouble == &Trouble::TooLong);
            pipeline::swallow(ctx, input, rest);
        }
        Trouble::NotCrlf => {
            let line = format!(
                "rejected from <{}>{}: Non-CRLF-terminated header, under CHUNKING: message abandoned",
                ctx.message.sender.clone().unwrap_or_default(),
                pipeline::host_fields(ctx)
            );
            log::write(ctx, Some(Selector::SizeReject), Which::MAIN.and(Which::REJECT), line.as_bytes());
            pipeline::swallow(ctx, input, rest);
        }
        Trouble::Input(_) => {}
    }
}

/// The log line about a header that is too long.
pub fn log_long_header(ctx: &Context, whole: bool) {
    let who = crate::context::names::sender_fullhost(ctx)
        .or_else(|| ctx.session.ident.as_ref().map(|i| i.to_vec().into()))
        .unwrap_or_default();
    let line = if whole {
        format!(
            "ridiculously long message header received from {who} (more than {} characters): message abandoned",
            super::header_maxsize(ctx)
        )
    } else {
        format!(
            "overlong message header line received from {who} (more than {} characters): message abandoned",
            ctx.config.main.header_line_maxsize.0
        )
    };
    log::write(ctx, None, Which::MAIN, line.as_bytes());
}

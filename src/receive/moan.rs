//! Telling the submitter of a local message that it cannot be accepted: by mail (`-oem`, `-oee`), or on standard error
//! (`-oep`). The program ends with the status that these functions give.

use bstr::BString;

use super::extract::Bad;
use super::input::{End, Input};
use super::local::Errors;
use super::submit::Generated;
use crate::context::{Context, Header};
use crate::daemon::handoff::When;
use crate::log::{self, Which};
use crate::spool::DataFile;
use crate::text::Text;

/// Exit status of a message without recipients that could not be told of.
pub const EXIT_NO_RECIPIENTS: i32 = 20;

/// What was wrong.
pub enum Fault<'a> {
    /// An address among the arguments.
    BadArgument(&'a Bad),
    /// Addresses in the header; `true`: others were good.
    BadAddresses(&'a [Bad], bool),
    /// No recipients.
    NoRecipients,
    /// No recipients are left after those of the command line were taken out.
    OnlyRemoved,
    /// Reading or writing failed.
    Io(String),
    /// header_maxsize.
    LongHeader,
    /// header_line_maxsize.
    LongHeaderLine,
    /// message_size_limit.
    TooBig(i64),
    /// recipients_max.
    TooMany(i64),
    /// The non-SMTP ACL, or whatever this names.
    Acl(&'static str, Text),
}

/// What can be shown of the message.
pub enum Rest<'a, 's> {
    /// Its body is in the spool.
    Spool(&'a mut DataFile),
    /// The rest is still to be read.
    Input(&'a mut Input<'s>, bool),
    /// Nothing.
    None,
}

/// Tells the submitter, as `-oe...` says, and gives the exit status.
pub fn give(ctx: &mut Context, errors: &Errors, fault: &Fault<'_>, headers: &[Header], rest: Rest<'_, '_>) -> i32 {
    if errors.to_sender {
        return if to_sender(ctx, fault, headers, rest) { errors.sender_status } else { 1 };
    }
    let text = match fault {
        Fault::Io(text) => text.clone(),
        Fault::LongHeader => {
            format!("message header longer than {} characters received: message not accepted", super::header_maxsize(ctx))
        }
        Fault::LongHeaderLine => format!(
            "message header line longer than {} characters received: message not accepted",
            ctx.config.main.header_line_maxsize.0
        ),
        Fault::TooBig(max) => format!("message rejected: message too big (max={max})"),
        Fault::TooMany(_) => "message rejected: too many recipients".to_string(),
        Fault::Acl(by, text) => format!("message rejected by {by}: {text}"),
        Fault::NoRecipients => "no recipients in message".into(),
        Fault::OnlyRemoved => "all -t recipients overridden by command line".into(),
        Fault::BadArgument(bad) => format!("bad recipient address \"{}\": {}", bad.text, bad.why),
        Fault::BadAddresses(bad, _) => {
            let mut text = format!("invalid address{}", if bad.len() > 1 { "es:\n" } else { ":" });
            for b in *bad {
                text.push_str(&format!("  {}: {}\n", b.text, b.why));
            }
            eprint!("exim: {text}");
            return 1;
        }
    };
    eprintln!("exim: {text}");
    1
}

/// Mails the sender, or logs what cannot be mailed.
fn to_sender(ctx: &mut Context, fault: &Fault<'_>, headers: &[Header], rest: Rest<'_, '_>) -> bool {
    let sender = ctx.message.sender.clone().unwrap_or_default();
    if !sender.is_empty() && !ctx.message.local_error {
        return mail(ctx, &sender, fault, headers, rest);
    }
    let mut line = BString::from("Error while reading message with no usable sender address");
    if let Some(r) = ctx.message.references_id.as_ref().or(ctx.session.caller.message_reference.as_ref()) {
        line.extend_from_slice(format!(" (R={r})").as_bytes());
    }
    let what = match fault {
        Fault::BadArgument(bad) => format!("at least one malformed recipient address: {} - {}", bad.text, bad.why),
        Fault::BadAddresses(bad, _) => match bad.first() {
            Some(b) => format!("at least one malformed recipient address: {} - {}", b.text, b.why),
            None => "at least one malformed recipient address".into(),
        },
        Fault::NoRecipients | Fault::OnlyRemoved => "no recipient addresses".into(),
        // Already logged.
        Fault::Io(_) => return false,
        Fault::LongHeader => {
            format!("excessively long message header section read (more than {} characters)", super::header_maxsize(ctx))
        }
        Fault::LongHeaderLine => {
            format!("excessively long message header line read (more than {} characters)", ctx.config.main.header_line_maxsize.0)
        }
        Fault::TooBig(max) => format!("message too big (limit set to {max})"),
        Fault::TooMany(max) => format!("too many recipients (max set to {max})"),
        Fault::Acl(by, text) => format!("rejected by {by}: {text}"),
    };
    line.extend_from_slice(b": ");
    line.extend_from_slice(what.as_bytes());
    log::write(ctx, None, Which::MAIN, &line);
    false
}

fn explanation(ctx: &Context, fault: &Fault<'_>) -> String {
    match fault {
        Fault::BadArgument(bad) => {
            let dot = if bad.text.ends_with(b".") { "\nRecipient addresses must not end with a '.' character.\n" } else { "" };
            format!(
                "Subject: Mail failure - malformed recipient address\n\n\
                 A message that you sent contained a recipient address that was incorrectly\nconstructed:\n\n  {}  {}\n{dot}\n\
                 The message has not been delivered to any recipients.\n",
                bad.text, bad.why
            )
        }
        Fault::BadAddresses(bad, others) => {
            let list: String = bad.iter().map(|b| format!("  {}: {}\n", b.text, b.why)).collect();
            format!(
                "Subject: Mail failure - malformed recipient address\n\n\
                 A message that you sent contained one or more recipient addresses that were\nincorrectly constructed:\n\n\
                 {list}\n{} {}",
                if bad.len() == 1 { "This address has been ignored." } else { "These addresses have been ignored." },
                if *others {
                    "The other addresses in the message were\nsyntactically valid and have been passed on for an attempt at delivery.\n"
                } else {
                    "There were no other addresses in your\nmessage, and so no attempt at delivery was possible.\n"
                }
            )
        }
        Fault::NoRecipients => "Subject: Mail failure - no recipient addresses\n\n\
             A message that you sent contained no recipient addresses, and therefore no\ndelivery could be attempted.\n"
            .into(),
        Fault::OnlyRemoved => "Subject: Mail failure - no recipient addresses\n\n\
             A message that you sent using the -t command line option contained no\n\
             addresses that were not also on the command line, and were therefore\n\
             suppressed. This left no recipient addresses, and so no delivery could\nbe attempted.\n"
            .into(),
        Fault::Io(text) => format!(
            "Subject: Mail failure - system failure\n\n\
             A system failure was encountered while processing a message that you sent,\n\
             so it has not been possible to deliver it. The error was:\n\n{text}\n"
        ),
        Fault::LongHeader => format!(
            "Subject: Mail failure - overlong header section\n\n\
             A message that you sent contained a header section that was excessively\n\
             long and could not be handled by the mail transmission software. The\n\
             message has not been delivered to any recipients.\n\nHeader section limit: {} characters\n",
            super::header_maxsize(ctx)
        ),
        Fault::LongHeaderLine => "Subject: Mail failure - overlong header line\n\n\
             A message that you sent contained a header line that was excessively\n\
             long and could not be handled by the mail transmission software. The\n\
             message has not been delivered to any recipients.\n"
            .into(),
        Fault::TooBig(_) => "Subject: Mail failure - message too big\n\n\
             A message that you sent was longer than the maximum size allowed on this\n\
             system. It was not delivered to any recipients.\n"
            .into(),
        Fault::TooMany(_) => "Subject: Mail failure - too many recipients\n\n\
             A message that you sent contained more recipients than allowed on this\n\
             system. It was not delivered to any recipients.\n"
            .into(),
        Fault::Acl(_, text) => format!(
            "Subject: Mail failure - rejected by local scanning code\n\n\
             A message that you sent was rejected by the local scanning code that\n\
             checks incoming messages on this system. The following error was given:\n\n  {text}\n"
        ),
    }
}

fn mail(ctx: &mut Context, to: &Text, fault: &Fault<'_>, headers: &[Header], rest: Rest<'_, '_>) -> bool {
    let mut out: Vec<u8> = Vec::new();
    let errors_reply_to = ctx.config.main.errors_reply_to.clone();
    if let Some(t) = errors_reply_to.get()
        && let Ok(v) = crate::expand::expand(ctx, t)
    {
        out.extend_from_slice(b"Reply-To: ");
        out.extend_from_slice(&v);
        out.push(b'\n');
    }
    out.extend_from_slice(b"Auto-Submitted: auto-replied\n");
    crate::deliver::generated::write_from(ctx, &mut out);
    out.extend_from_slice(b"To: ");
    out.extend_from_slice(to);
    out.push(b'\n');
    out.extend_from_slice(&crate::deliver::generated::from_original(ctx));
    out.extend_from_slice(explanation(ctx, fault).as_bytes());
    copy(ctx, &mut out, fault, headers, rest);
    let reference = (!ctx.message.id.is_empty()).then(|| ctx.message.id.clone());
    let held = matches!(fault, Fault::BadAddresses(_, true));
    let status = match super::submit::submit(ctx, Generated { text: out, reference, held, ..Generated::default() }) {
        Ok(accepted) => {
            ctx.session.complaint.waiting = accepted.filter(|a| held && a.delivery == Some(When::Background));
            0
        }
        Err(status) => status,
    };
    if status != 0 {
        log::write(ctx, None, Which::MAIN, format!("Child mail process returned status {status}").as_bytes());
    }
    status == 0
}

/// A copy of the message, as the bounce_return options allow.
fn copy(ctx: &mut Context, out: &mut Vec<u8>, fault: &Fault<'_>, headers: &[Header], mut rest: Rest<'_, '_>) {
    let config = ctx.config.clone();
    let m = &config.main;
    if !m.bounce_return_message {
        return;
    }
    let limit = usize::try_from(m.bounce_return_size_limit.0).unwrap_or(0);
    let body = read_rest(ctx, &mut rest, usize::try_from(m.bounce_return_linesize_limit.0).unwrap_or(998));
    if m.bounce_return_body && body.is_some() {
        out.extend_from_slice(b"\n------ This is a copy of your message, including all the headers. ------\n");
        if limit > 0 && body.as_ref().is_some_and(|b| b.len() > limit) {
            let (n, k) = if limit % 1024 == 0 { (limit / 1024, "K") } else { (limit, "") };
            out.extend_from_slice(format!("------ No more than {n}{k} characters of the body are included.\n").as_bytes());
        }
        out.push(b'\n');
    } else {
        out.extend_from_slice(
            b"\n------ This is a copy of the headers that were received before the error\n       was detected.\n\n",
        );
    }
    for h in headers {
        out.extend_from_slice(&h.text);
    }
    if !matches!(fault, Fault::LongHeader | Fault::LongHeaderLine) {
        out.push(b'\n');
    }
    if m.bounce_return_body
        && let Some(b) = body
    {
        let end = if limit > 0 { b.len().min(limit) } else { b.len() };
        out.extend_from_slice(b.get(..end).unwrap_or(&b));
    }
}

/// The body, long lines cut. A lone dot ends what comes from the input, if it ends a message there.
fn read_rest(ctx: &mut Context, rest: &mut Rest<'_, '_>, line_limit: usize) -> Option<Vec<u8>> {
    const MOST: usize = 32 << 20;
    let mut raw = Vec::new();
    let mut dot_ends = false;
    match rest {
        Rest::None => return None,
        Rest::Spool(data) => {
            use std::io::Read;
            data.rewind().ok()?;
            data.file().take(MOST as u64).read_to_end(&mut raw).ok()?;
        }
        Rest::Input(input, dot) => {
            dot_ends = *dot;
            while raw.len() < MOST {
                raw.extend_from_slice(input.unread(ctx));
                let n = input.unread(ctx).len();
                input.consume(ctx, n);
                match input.fill(ctx) {
                    Ok(()) => {}
                    Err(End::Eof) => break,
                    Err(_) => break,
                }
            }
        }
    }
    let mut out = Vec::with_capacity(raw.len());
    for line in raw.split_inclusive(|c| *c == b'\n') {
        if dot_ends && line == b".\n" {
            out.extend_from_slice(b".\n");
            break;
        }
        if line.len() > line_limit + 1 {
            out.extend_from_slice(line.get(..line_limit).unwrap_or(line));
            out.push(b'\n');
        } else {
            out.extend_from_slice(line);
        }
    }
    Some(out)
}

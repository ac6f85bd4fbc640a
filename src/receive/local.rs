//! Messages from standard input (`-bm`, `-t`): recipients from the command line, the sender already known.

use std::os::fd::OwnedFd;
use std::time::Duration;

use bstr::ByteSlice;

use super::extract::{Bad, Extracted};
use super::input::{FileInput, Input};
use super::moan::{self, Fault, Rest};
use super::pipeline::{self, Done, Options, Stop};
use super::{Accepted, headers::Trouble, queueing};
use crate::acl::{self, AclResult, Where};
use crate::context::{Context, Header, Recipient};
use crate::log::{self, Selector, Which};
use crate::parse;
use crate::spool::DataFile;
use crate::text::Text;

/// A "From " line is looked for in so many bytes.
const FROM_LINE: usize = 4096;

/// How errors are told (`-oee`, `-oem`, `-oep`, `-oeq`, `-oew`).
#[derive(Clone, Copy, Debug)]
pub struct Errors {
    /// By mail to the sender; else on standard error.
    pub to_sender: bool,
    /// The exit status after a mail was sent: 0 for `-oee`, else 1.
    pub sender_status: i32,
}

/// What was said of a message that was received all the same.
#[derive(Clone, Debug, Default)]
pub struct Complaint {
    /// The exit status.
    pub status: i32,
    /// The mail with it, to be delivered after the message.
    pub waiting: Option<Accepted>,
}

impl Default for Errors {
    fn default() -> Self {
        Errors { to_sender: true, sender_status: 1 }
    }
}

/// One local submission.
#[derive(Debug, Default)]
pub struct Submission {
    /// Recipients of the command line, as given; each argument may hold several, separated by commas.
    pub arguments: Vec<bstr::BString>,
    /// `-t`
    pub extract: bool,
    /// A dot on a line by itself ends the message (not with `-i`).
    pub dot_ends: bool,
    /// How errors are told.
    pub errors: Errors,
    /// `-od...`
    pub mode: queueing::Mode,
}

/// Where the message comes from.
#[derive(Debug)]
pub enum From {
    /// A descriptor, standard input as a rule.
    File(OwnedFd),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Receives one message. The envelope sender is in `ctx.message.sender`. `Ok(None)`: accepted, but thrown away by an ACL;
/// `Err`: not accepted, and told; the value is the exit status.
pub fn receive(ctx: &mut Context, submission: &Submission, from: From) -> Result<Option<Accepted>, i32> {
    let config = ctx.config.clone();
    let timeout = u64::try_from(config.main.receive_timeout.0).unwrap_or(0);
    let timeout = (timeout > 0).then(|| Duration::from_secs(timeout));
    let mut input = Input::File(match from {
        From::File(f) => FileInput::file(f, timeout),
        From::Bytes(b) => FileInput::bytes(b),
    });
    if ctx.session.received_protocol.is_none() {
        ctx.session.received_protocol = Some("local".into());
    }
    if ctx.session.connection_id.is_empty() {
        ctx.session.connection_id = crate::smtp_in::start::connection_id().into();
    }
    let size_limit = super::size_limit(ctx).map_err(|text| {
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        1
    })?;
    let recipients_max = super::recipients_max(ctx);
    take_arguments(ctx, submission, &mut input, recipients_max)?;
    if let Some(list) = config.main.acl_not_smtp_start.get().cloned() {
        let _ = acl::check(ctx, Where::NotSmtpStart, None, &list);
    }
    ctx.session.errors = submission.errors;
    let options = Options {
        smtp: false,
        batched: false,
        dot_ends: submission.dot_ends,
        extract: submission.extract,
        size_limit,
        recipients_max,
        mode: submission.mode,
        before: 0,
    };
    match pipeline::take(ctx, &mut input, &options) {
        Ok(f) => match f.done {
            Done::Accepted(a) => Ok(Some(a)),
            Done::Gone | Done::Rehearsed => Ok(None),
        },
        Err(stop) => Err(stopped(ctx, submission, &mut input, &options, stop)),
    }
}

/// Recipients of the command line.
fn take_arguments(ctx: &mut Context, submission: &Submission, input: &mut Input<'_>, max: i64) -> Result<(), i32> {
    let mut count = 0i64;
    for argument in &submission.arguments {
        let mut rest: &[u8] = argument.as_slice();
        rest = rest.trim_ascii_start();
        while !rest.is_empty() {
            let end = parse::find_address_end(rest, false);
            let piece = rest.get(..end).unwrap_or(rest);
            count += 1;
            if max > 0 && count > max && !submission.extract {
                let fault = Fault::TooMany(max);
                if submission.errors.to_sender {
                    let headers: [Header; 0] = [];
                    let rest = Rest::Input(input, submission.dot_ends);
                    return Err(moan::give(ctx, &submission.errors, &fault, &headers, rest));
                }
                eprintln!("exim: too many recipients");
                return Err(1);
            }
            let found = parse::extract_address(&mut parse::Rules::new(&ctx.config.main).with_utf8(), piece);
            let unqualified = "unqualified recipient address not allowed";
            let found = match found {
                Ok(f) if !f.is_qualified() && !ctx.session.allow_unqualified_recipient => Err(unqualified.to_string()),
                other => other,
            };
            match found {
                Ok(f) => {
                    ctx.message.smtputf8 |= !f.address.is_ascii();
                    ctx.message.recipients.push(Recipient::new(Text::tainted(f.address)));
                }
                Err(why) => {
                    let bad = Bad { text: piece.into(), why };
                    from_line(ctx, input);
                    let rest = Rest::Input(input, submission.dot_ends);
                    return Err(moan::give(ctx, &submission.errors, &Fault::BadArgument(&bad), &[], rest));
                }
            }
            rest = rest.get(end + 1..).unwrap_or_default().trim_ascii_start();
        }
    }
    Ok(())
}

/// Takes the "From " line off a message that is not going to be read otherwise: the sender is who is told.
fn from_line(ctx: &mut Context, input: &mut Input<'_>) {
    while !input.unread(ctx).contains(&b'\n') && input.unread(ctx).len() < FROM_LINE && input.fill(ctx).is_ok() {}
    let unread = input.unread(ctx);
    let Some(end) = unread.find_byte(b'\n') else { return };
    let line = unread.get(..=end).unwrap_or_default().to_vec();
    if super::from_line::take(ctx, &line, false) {
        input.consume(ctx, line.len());
    }
}

/// Some of the addresses that `-t` found were bad: the message goes on to the others.
pub fn tell_of_bad(ctx: &mut Context, bad: &[Bad], data: &mut DataFile) {
    let errors = ctx.session.errors;
    let headers = ctx.message.headers.clone();
    // That the sender has been told of it by mail is no failure.
    let errors = Errors { sender_status: 0, ..errors };
    ctx.session.complaint.status = moan::give(ctx, &errors, &Fault::BadAddresses(bad, true), &headers, Rest::Spool(data));
}

/// The log line of a refusal by the non-SMTP ACL.
pub fn log_acl(ctx: &Context, result: &AclResult, target: Option<Which>) {
    if let Some(which) = target {
        let line = format!(
            "F=<{}> rejected by non-SMTP ACL: {}",
            ctx.message.sender.clone().unwrap_or_default(),
            log::escape::printing(&result.log_message.clone().unwrap_or_default(), ctx.config.site.log.topbit)
        );
        log::write(ctx, None, which, line.as_bytes());
    }
}

fn stopped(ctx: &mut Context, submission: &Submission, input: &mut Input<'_>, options: &Options, stop: Stop) -> i32 {
    let errors = &submission.errors;
    let headers: Vec<Header> = ctx.message.headers.iter().filter(|h| !h.text.is_empty()).cloned().collect();
    match stop {
        Stop::Header(t, _) => {
            let whole = t == Trouble::TooLong;
            super::smtp::log_long_header(ctx, whole);
            let fault = if whole { Fault::LongHeader } else { Fault::LongHeaderLine };
            moan::give(ctx, errors, &fault, &headers, Rest::Input(input, options.dot_ends))
        }
        Stop::TooManyRecipients => {
            let fault = Fault::TooMany(options.recipients_max);
            moan::give(ctx, errors, &fault, &[], Rest::Input(input, options.dot_ends))
        }
        Stop::BadRecipients(Extracted { bad, removed }, mut data) => {
            let fault = if !bad.is_empty() {
                Fault::BadAddresses(&bad, false)
            } else if removed {
                Fault::OnlyRemoved
            } else {
                Fault::NoRecipients
            };
            if !errors.to_sender {
                return moan::give(ctx, errors, &fault, &headers, Rest::Spool(&mut data));
            }
            // The special status lets a program that sends generated mail see that nobody was addressed.
            let no_recipients = bad.is_empty();
            let status = moan::give(ctx, &Errors { sender_status: -1, ..*errors }, &fault, &headers, Rest::Spool(&mut data));
            match (status, no_recipients) {
                (-1, _) => errors.sender_status,
                (_, true) => moan::EXIT_NO_RECIPIENTS,
                (s, false) => s,
            }
        }
        Stop::TooBig(mut data) => moan::give(ctx, errors, &Fault::TooBig(options.size_limit), &headers, Rest::Spool(&mut data)),
        Stop::Io(_, text, data) => match data {
            Some(mut d) => moan::give(ctx, errors, &Fault::Io(text), &headers, Rest::Spool(&mut d)),
            None => moan::give(ctx, errors, &Fault::Io(text), &headers, Rest::None),
        },
        Stop::Write(text, mut data) => moan::give(ctx, errors, &Fault::Io(text), &headers, Rest::Spool(&mut data)),
        Stop::Acl(refusal, data) => {
            let target = ctx.acl.log_reject_target.unwrap_or(Some(Which::MAIN.and(Which::REJECT)));
            if !refusal.logged {
                log_acl(ctx, &refusal.result, target);
            }
            let text = refusal.result.user_message.unwrap_or_else(|| Text::clean("local configuration problem"));
            let by = if refusal.logged { "local_scan()" } else { "non-SMTP ACL" };
            match data {
                Some(mut d) => moan::give(ctx, errors, &Fault::Acl(by, text), &headers, Rest::Spool(&mut d)),
                None => moan::give(ctx, errors, &Fault::Acl(by, text), &headers, Rest::None),
            }
        }
        Stop::TimedOut => {
            let text = "timed out while reading local message";
            log::write(ctx, Some(Selector::LostIncomingConnection), Which::MAIN, text.as_bytes());
            eprintln!("exim: {text}");
            1
        }
        Stop::Terminated(signal) => {
            let text = format!("{} received - message abandoned", crate::sys::signal::name(signal));
            log::write(ctx, None, Which::MAIN, text.as_bytes());
            eprintln!("exim: {text}");
            1
        }
        Stop::Lost(_) | Stop::SessionOver | Stop::Dropped | Stop::Abandoned | Stop::GoneAtEnd | Stop::Onward(_) => 1,
    }
}

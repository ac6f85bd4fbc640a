//! `local_scan()` (manual chapter 46): a function in a shared object (`local_scan_path`, with `src/local_scan.h`), called
//! when the ACLs have accepted a message.
//!
//! It runs in a process of its own (`helper.rs`, by way of [`crate::foreign`]), so that a crash or an endless loop harms
//! nobody. That process asks for expansions, list matches and log lines over a socket; when it ends, the header
//! lines and recipients that it leaves become the message's.

pub mod helper;

use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::checks::{Refusal, Verdict};
use super::pipeline::Options;
use crate::acl::{AclResult, Verdict as Says, Where};
use crate::context::message::BodySource;
use crate::context::session::HostName;
use crate::context::{Context, Header, Recipient};
use crate::daemon::own_command;
use crate::expand::variables::body::Body;
use crate::expand::{ExpandError, Template, expand_once};
use crate::foreign::{Helper, Trouble};
use crate::log::{self, Which};
use crate::matching::{self, List, Match, Request, Subject};
use crate::parse::decode_2047;
use crate::rewrite;
use crate::spool;
use crate::sys::local_scan::{Message, Value};
use crate::sys::{error_text, frames};
use crate::text::Text;

/// Longest `$local_scan_data`.
const MAX_DATA: usize = 1000;

/// What the function returned, by the numbers of the header file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Returned {
    Accept,
    Freeze,
    Queue,
    Reject { temporary: bool, with_header: bool },
}

fn says(code: i32) -> Option<Returned> {
    Some(match code {
        0 => Returned::Accept,
        1 => Returned::Freeze,
        2 => Returned::Queue,
        3 | 4 => Returned::Reject { temporary: false, with_header: code == 3 },
        5 | 6 => Returned::Reject { temporary: true, with_header: code == 5 },
        _ => return None,
    })
}

/// How the process came to its end.
enum Ended {
    Answer {
        code: i32,
        text: Option<Vec<u8>>,
        message: Message,
    },
    /// This is to be logged.
    Failed(String),
}

/// Calls the function, if there is one.
pub fn run(ctx: &mut Context, options: &Options, verdict: &mut Verdict) -> Result<(), Refusal> {
    let Some(library) = ctx.config.main.local_scan_path.raw().filter(|p| !p.is_empty()).map(BString::from) else { return Ok(()) };
    crate::debug!(ctx, LOCAL_SCAN, "calling local_scan(); timeout={}", ctx.config.main.local_scan_timeout.0);
    let ended = match converse(ctx, options, &library) {
        Ok(ended) => ended,
        Err(text) => Ended::Failed(format!("local_scan() cannot be called: {text} - message temporarily rejected")),
    };
    let (code, text, message) = match ended {
        Ended::Answer { code, text, message } => (code, text, message),
        Ended::Failed(text) => {
            log::write(ctx, None, Which::MAIN.and(Which::REJECT), text.as_bytes());
            return Err(refusal(true, None));
        }
    };
    let text = text.filter(|t| !t.is_empty());
    let shown = text.as_deref().unwrap_or(b"NULL").as_bstr();
    crate::debug!(ctx, LOCAL_SCAN, "local_scan() returned {code} {shown}");
    let says = says(code).unwrap_or_else(|| {
        let line = format!("invalid return from local_scan() {code} treated as temporary rejection");
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
        Returned::Reject { temporary: true, with_header: true }
    });
    if let Returned::Reject { temporary, with_header } = says {
        log_rejection(ctx, temporary, with_header, text.as_deref());
        return Err(refusal(temporary, text));
    }
    keep(ctx, message);
    if let Some(text) = text {
        let one_line: Vec<u8> = text.iter().take(MAX_DATA).map(|c| if *c == b'\n' { b' ' } else { *c }).collect();
        ctx.message.local_scan_data = Some(Text::tainted(one_line));
    }
    match says {
        Returned::Freeze => {
            ctx.message.freeze_requested = true;
            verdict.held_by = "local_scan()";
        }
        Returned::Queue => {
            ctx.message.queue_only = true;
            verdict.held_by = "local_scan()";
        }
        _ => {}
    }
    if ctx.message.recipients.is_empty() && verdict.blackholed_by.is_none() {
        verdict.blackholed_by = Some("local_scan".into());
    }
    Ok(())
}

/// The peer is told this; the log has been.
fn refusal(temporary: bool, text: Option<Vec<u8>>) -> Refusal {
    let default = if temporary { "Temporary local problem" } else { "Administrative prohibition" };
    let user_message = Some(text.map_or_else(|| Text::clean(default), Text::tainted));
    let verdict = if temporary { Says::Defer } else { Says::Fail };
    Refusal { place: Where::Data, result: AclResult { verdict, user_message, log_message: None }, reply: None, logged: true }
}

fn log_rejection(ctx: &Context, temporary: bool, with_header: bool, text: Option<&[u8]>) {
    let mut line = crate::context::names::host_and_ident(ctx, true);
    line.extend_from_slice(b" F=<");
    line.extend_from_slice(ctx.message.sender.as_deref().unwrap_or_default());
    line.extend_from_slice(if temporary { b"> temporarily rejected by local_scan()" } else { b"> rejected by local_scan()" });
    if let Some(text) = text {
        line.extend_from_slice(b": ");
        line.extend_from_slice(&log::escape::printing(text, ctx.config.site.log.topbit));
    }
    log::write(ctx, None, if with_header { Which::MAIN.and(Which::REJECT) } else { Which::MAIN }, &line);
}

/// The message becomes what the function has made of it.
fn keep(ctx: &mut Context, message: Message) {
    let end = |mut text: Vec<u8>| {
        if !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        BString::from(text)
    };
    let kind = |letter, text: &BString| match letter {
        b' ' => super::kinds::spool_kind(text),
        letter => spool::header_kind(letter),
    };
    ctx.message.headers = message
        .headers
        .into_iter()
        .map(|(letter, text)| {
            let text = end(text);
            Header { kind: kind(letter, &text), text }
        })
        .collect();
    let mut before = std::mem::take(&mut ctx.message.recipients);
    for (address, errors_to) in message.recipients {
        // One that was there keeps what DSN commands said of it.
        let known = before.iter().position(|r| r.address.as_bytes() == address).map(|n| before.remove(n));
        let mut recipient = known.unwrap_or_else(|| Recipient::new(rewrite::qualify(ctx, &Text::tainted(address), true)));
        if let Some(errors_to) = errors_to {
            recipient.errors_to = Some(rewrite::qualify(ctx, &Text::tainted(errors_to), true));
        }
        ctx.message.recipients.push(recipient);
    }
}

/// Runs the process, and does what it asks for until it has an answer.
fn converse(ctx: &mut Context, options: &Options, library: &[u8]) -> Result<Ended, String> {
    let seconds = u64::try_from(ctx.config.main.local_scan_timeout.0).unwrap_or(0);
    let deadline = (seconds > 0).then(|| Instant::now() + Duration::from_secs(seconds));
    let helper = Helper::start(ctx, helper::FLAG, deadline)?;
    let text = request(ctx, options, library)?;
    let ended = helper.give(b'S', &text).and_then(|()| answers(ctx, &helper));
    Ok(ended.unwrap_or_else(|e| {
        Ended::Failed(match helper.trouble(&e) {
            Trouble::TimedOut => "local_scan() function timed out - message temporarily rejected".into(),
            Trouble::Crashed(signal) => {
                format!("local_scan() function crashed with signal {signal} - message temporarily rejected")
            }
            Trouble::Ended => "local_scan() function ended the process - message temporarily rejected".into(),
        })
    }))
}

/// All that the function gets.
fn request(ctx: &mut Context, options: &Options, library: &[u8]) -> Result<Vec<u8>, String> {
    let Some(source @ BodySource::Path(data)) = &ctx.message.body else { return Err("there is no data file".into()) };
    let (data, start) = (data.clone(), Body::open(source).map_err(|e| error_text(&e))?.start());
    let message = Message {
        headers: ctx.message.headers.iter().map(|h| (spool::header_letter(h.kind), h.text.to_vec())).collect(),
        recipients: ctx.message.recipients.iter().map(|r| (r.address.to_vec(), None)).collect(),
    };
    let variables = variables(ctx, options);
    Ok(frames::pack([
        library.to_vec(),
        data.to_vec(),
        start.to_string().into_bytes(),
        helper::write_variables(&variables),
        helper::write_message(&message),
    ]))
}

fn variables(ctx: &Context, options: &Options) -> Vec<(String, Value)> {
    let (s, m) = (&ctx.session, &ctx.message);
    let number = |n: u64| Value::Int(i32::try_from(n).unwrap_or(i32::MAX));
    let text = |t: Option<&[u8]>| Value::Text(t.map(<[u8]>::to_vec));
    let name = match &s.host_name {
        HostName::Found(name) => Some(name.as_bytes()),
        _ => None,
    };
    let own: Vec<Vec<u8>> = own_command(ctx, &[]).into_iter().skip(1).map(Into::into).collect();
    let debug = i32::from(ctx.run.verbose) | if ctx.run.debug & log::trace::LOCAL_SCAN != 0 { 2 } else { 0 };
    [
        ("body_linecount", number(m.body_linecount)),
        ("body_zerocount", number(m.body_zerocount)),
        ("debug_selector", Value::Int(debug)),
        ("headers_charset", text(ctx.config.main.headers_charset.raw())),
        ("host_checking", Value::Int(i32::from(ctx.run.host_checking))),
        ("interface_address", text(s.interface_address.as_deref())),
        ("interface_port", Value::Int(i32::from(s.interface_port))),
        ("local_scan_exim_path", text(Some(&ctx.run.exim_path))),
        ("local_scan_exim_options", text(Some(&own.join(&b"\n"[..])))),
        ("message_id", text(Some(&m.id))),
        ("received_protocol", text(s.received_protocol.as_deref().map(|p| p.as_ref()))),
        ("sender_address", text(Some(m.sender.as_deref().unwrap_or_default()))),
        ("sender_host_address", text(s.host_address.as_deref())),
        ("sender_host_authenticated", text(s.authenticated_by.as_ref().map(|a| a.as_ref()))),
        ("sender_host_name", text(name)),
        ("sender_host_port", Value::Int(i32::from(s.host_port))),
        ("smtp_input", Value::Int(i32::from(options.smtp))),
        ("smtp_batched_input", Value::Int(i32::from(options.batched))),
    ]
    .into_iter()
    .map(|(n, v)| (n.to_string(), v))
    .collect()
}

/// Answers questions until the outcome comes.
fn answers(ctx: &mut Context, helper: &Helper) -> std::io::Result<Ended> {
    loop {
        let (kind, text) = helper.take()?;
        let strings = frames::unpack(&text);
        let part = |n: usize| strings.get(n).map_or(&b""[..], |s| s.as_slice());
        let answer = match kind {
            b'X' => match expand_once(ctx, part(0)) {
                Ok(value) => Ok(value.into_bytes()),
                Err(ExpandError::Forced(m)) => Err(m.into_bytes()),
                Err(e) => Err(e.to_string().into_bytes()),
            },
            b'M' => Ok(matches(ctx, part(0), part(1), part(2), !part(3).is_empty()).to_string().into_bytes()),
            b'Q' => {
                let target = Some(part(2)).filter(|t| !t.is_empty());
                let zero = part(3).first().copied().filter(|c| *c != 0);
                decode_2047(part(0), !part(1).is_empty(), target, zero).map(Vec::from).map_err(String::into_bytes)
            }
            b'W' => {
                write(ctx, part(0), part(1));
                continue;
            }
            b'O' => {
                let code = part(0).to_str().ok().and_then(|c| c.parse().ok()).unwrap_or(-1);
                let text = frames::unpack(part(1)).into_iter().next();
                return Ok(Ended::Answer { code, text, message: helper::read_message(part(2)) });
            }
            b'E' => {
                let why = text.to_str_lossy();
                return Ok(Ended::Failed(format!("local_scan() cannot be called: {why} - message temporarily rejected")));
            }
            _ => return Err(std::io::Error::other("not understood")),
        };
        match answer {
            Ok(value) => helper.give(b'V', &value)?,
            Err(text) => helper.give(b'E', &text)?,
        }
    }
}

/// The `lss_match_...` functions: 0 OK, 1 DEFER, 2 FAIL. A host is its address and its name, each on a line.
fn matches(ctx: &mut Context, kind: &[u8], subject: &[u8], list: &[u8], caseless: bool) -> i32 {
    let (text, list) = (Text::tainted(subject), Template::new(list));
    let (address, name) = subject.split_once_str("\n").unwrap_or((subject, b""));
    let name = Text::tainted(name);
    let subject = match kind {
        b"d" => Subject::Domain(&text),
        b"l" if caseless => Subject::LocalPart(&text),
        b"l" => Subject::CasefulLocalPart(&text),
        b"a" => Subject::Address { address: &text, caseless },
        // Its name is looked up if it must be known.
        _ if ctx.session.host_address.as_deref() == Some(address) && name.is_empty() => Subject::SessionHost,
        _ => Subject::Host { name: &name, address: address.to_str().ok().and_then(|a| a.parse().ok()) },
    };
    match matching::test(ctx, &Request { subject, list: List::Expand(&list), single: false, captures: false, label: None }, None)
    {
        Match::Yes => 0,
        Match::No => 2,
        Match::Defer(_) => 1,
    }
}

fn write(ctx: &mut Context, place: &[u8], text: &[u8]) {
    let which = match place {
        b"L" => Which::MAIN,
        b"R" => Which::REJECT,
        b"P" => Which::PANIC,
        b"S" => {
            if let Some(wire) = ctx.session.wire.as_mut() {
                wire.send(text);
            }
            return;
        }
        _ => {
            if ctx.run.debug != 0 {
                log::trace::message(ctx, false, format_args!("{}", text.as_bstr()));
            }
            return;
        }
    };
    log::write(ctx, None, which, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        assert_eq!(says(1), Some(Returned::Freeze));
        assert_eq!(says(6), Some(Returned::Reject { temporary: true, with_header: false }));
        assert_eq!(says(7), None);
        assert_eq!(says(-1), None);
    }
}

//! `-bf` and `-bF`: what would a filter do with the message on standard input? Nothing is done; the answer is printed.
//!
//! The dispatcher calls it as the calling user: the file is opened with that user's rights, and so are any that the filter
//! names.

use std::fs::File;
use std::io::{Read as _, Write as _};

use bstr::BString;

use super::options::{Options, Refusal};
use super::parse::refuse;
use super::test_message;
use crate::context::{Context, Recipient};
use crate::filter::exim::{Allowed, Job};
use crate::filter::{End, FilterKind, exim, is_filter, sieve};
use crate::parse::forward::{ForwardEnd, ForwardItem, ForwardOptions, MAX_FILE, parse_forward_list};
use crate::parse::{Rules, extract_address};
use crate::sys::{error_text, file, users};
use crate::text::Text;

/// A file to be tested.
struct Subject {
    name: BString,
    file: File,
    system: bool,
}

/// Runs the tests: the system filter first, so that the user's sees what it has done.
pub fn run(ctx: &mut Context, o: &Options, system: Option<&BString>, user: Option<&BString>) -> Result<i32, Refusal> {
    let mut subjects = Vec::new();
    for (name, is_system) in [(system, true), (user, false)] {
        if let Some(name) = name {
            let fd = file::open(name, file::Flags::READ, 0)
                .map_err(|e| refuse(format!("failed to open {name}: {}", error_text(&e))))?;
            subjects.push(Subject { name: name.clone(), file: File::from(fd), system: is_system });
        }
    }
    // A file name without a slash means nothing in a filter.
    let _ = std::env::set_current_dir("/");
    // In a test anybody may be the sender.
    ctx.run = std::sync::Arc::new(crate::context::Run { trusted: true, ..(*ctx.run).clone() });
    let sender = ctx.message.sender.clone();
    let seen = test_message::from_stdin(ctx).map_err(refuse)?;
    if !seen.headers {
        say("Warning: no message headers read");
    }
    if o.sender.is_none() && ctx.message.sender != sender {
        say("Sender taken from \"From \" line");
    }
    envelope(ctx, o, seen.return_path);
    for mut s in subjects {
        let mut text = Vec::new();
        (&mut s.file)
            .take(MAX_FILE + 1)
            .read_to_end(&mut text)
            .map_err(|e| refuse(format!("error while reading {}: {}", s.name, error_text(&e))))?;
        if text.len() as u64 > MAX_FILE {
            return Err(refuse(format!("error while reading {}: the file is larger than {MAX_FILE} bytes", s.name)));
        }
        let good = match is_filter(&text) {
            _ if s.system => system_filter(ctx, &s.name, &text),
            Some(FilterKind::Exim) => {
                announce(&s.name, "Exim filter");
                let allowed = Allowed { log: true, ..Allowed::default() };
                exim_filter(ctx, &text, Job { allowed, prepend_home: true, testing: true, writes_log: false })
            }
            Some(FilterKind::Sieve) => {
                announce(&s.name, "Sieve filter");
                sieve_filter(ctx, &text)
            }
            None => forward_file(ctx, &s.name, &text),
        };
        if !good {
            return Ok(1);
        }
    }
    Ok(0)
}

fn say(text: impl AsRef<[u8]>) {
    let mut out = std::io::stdout().lock();
    // Nobody can be told when standard output has gone.
    let _ = out.write_all(text.as_ref()).and_then(|()| out.write_all(b"\n"));
}

fn announce(name: &BString, what: &str) {
    say(format!("Testing {what} file \"{name}\"\n"));
}

/// Makes up the envelope, and says what it is.
fn envelope(ctx: &mut Context, o: &Options, return_path: Option<BString>) {
    let sender = ctx.message.sender.clone().unwrap_or_default();
    if let Some(value) = return_path {
        let path = extract_address(&mut Rules::new(&ctx.config.main).with_null(), &value).map(|a| a.address).unwrap_or_default();
        say("Return-path taken from \"Return-path:\" header line");
        say(format!("Return-path = {}", if path.is_empty() { "<>".into() } else { path.clone() }));
        ctx.address.return_path = Some(Text::tainted(path));
    } else {
        say("Return-path copied from sender");
        ctx.address.return_path = Some(sender.clone());
    }
    let shown = if sender.is_empty() { Text::clean("<>") } else { sender };
    say([b"Sender      = ", shown.as_bytes()].concat());
    let local = Text::clean(o.filter_local_part.as_ref().unwrap_or(&ctx.run.login).to_vec());
    let domain = Text::clean(o.filter_domain.as_ref().unwrap_or(&ctx.config.site.qualify_domain).to_vec());
    let affix = |given: &Option<BString>| given.as_ref().filter(|a| !a.is_empty()).map(|a| Text::clean(a.to_vec()));
    let (prefix, suffix) = (affix(&o.filter_prefix), affix(&o.filter_suffix));
    let part = |t: &Option<Text>| t.as_deref().unwrap_or_default().to_vec();
    let address = [part(&prefix).as_slice(), &local, &part(&suffix), b"@", &domain].concat();
    say([b"Recipient   = ", address.as_slice()].concat());
    for (name, affix) in [("Prefix", &prefix), ("Suffix", &suffix)] {
        if let Some(text) = affix {
            say(format!("{name}    = {text}"));
        }
    }
    ctx.message.recipients = vec![Recipient::new(Text::clean(address))];
    ctx.message.first_delivery = true;
    let home = users::user_by_id(ctx.run.real_uid).ok().flatten().map(|u| Text::clean(u.home));
    let v = &mut ctx.address;
    (v.original_local_part, v.original_domain) = (Some(local.clone()), Some(domain.clone()));
    (v.local_part, v.domain) = (Some(local), Some(domain));
    (v.prefix, v.suffix, v.home) = (prefix, suffix, home);
}

fn system_filter(ctx: &mut Context, name: &BString, text: &[u8]) -> bool {
    announce(name, if is_filter(text) == Some(FilterKind::Sieve) { "Sieve filter" } else { "Exim filter" });
    let good = exim_filter(ctx, text, Job { allowed: Allowed::SYSTEM, prepend_home: false, testing: true, writes_log: false });
    ctx.scratch.filter_sn = ctx.scratch.filter_n;
    good
}

fn exim_filter(ctx: &mut Context, text: &[u8], job: Job) -> bool {
    let ended = |command: &str| say(format!("Filtering ended by \"{command}\"."));
    match exim::run(ctx, text, job).end {
        End::Delivered => {
            say("Filtering set up at least one significant delivery or other action.\nNo other deliveries will occur.")
        }
        End::NotDelivered => say("Filtering did not set up a significant delivery.\nNormal delivery will occur."),
        End::Defer(_) => ended("defer"),
        End::Fail(_) => ended("fail"),
        End::Freeze(_) => ended("freeze"),
        End::Error(message) => {
            say(format!("Filter error: {message}"));
            return false;
        }
    }
    true
}

fn sieve_filter(ctx: &mut Context, text: &[u8]) -> bool {
    let job = sieve::Job { inbox: Text::clean("inbox"), testing: true, ..sieve::Job::default() };
    let outcome = sieve::run(ctx, text, &job);
    say(match &outcome.mistake {
        Some(mistake) => format!("Sieve error: {mistake}"),
        None if outcome.implicit_keep => "Implicit keep".into(),
        None => "No implicit keep".into(),
    });
    true
}

/// A `.forward` file that is no filter.
fn forward_file(ctx: &mut Context, name: &BString, text: &[u8]) -> bool {
    announce(name, "forward file");
    let domain = ctx.address.domain.clone().unwrap_or_default();
    let options = ForwardOptions { incoming_domain: &domain, rules: Rules::new(&ctx.config.main), ..ForwardOptions::default() };
    let list = match parse_forward_list(&options, text) {
        Ok(list) => list,
        Err(ForwardEnd::Blackhole) => {
            say("exim: forwardfile contains \":blackhole:\"");
            Default::default()
        }
        Err(ForwardEnd::Error(message) | ForwardEnd::IncludeFailed(message)) => {
            say(format!("exim: error in forward file: {message}"));
            return false;
        }
        Err(ForwardEnd::Fail(_) | ForwardEnd::Defer(_)) => return false,
    };
    if list.items.is_empty() {
        say("exim: no addresses generated from forward file");
        return true;
    }
    say("exim: forward file generated:");
    for item in list.items.iter().rev() {
        let text = match item {
            ForwardItem::Address { address, qualified: true } => address.clone(),
            ForwardItem::Address { address, .. } => {
                [address.as_slice(), b"@", &ctx.config.site.qualify_recipient].concat().into()
            }
            ForwardItem::Pipe(t) | ForwardItem::File(t) => t.clone(),
        };
        say([b"  ", text.as_slice()].concat());
    }
    true
}

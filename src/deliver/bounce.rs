//! Bounces: one message for all failed addresses whose errors go to the same place (manual sections 48.6 and 50.1).

use std::collections::VecDeque;

use bstr::{BString, ByteSlice};

use super::post::{Stage, is_quiet};
use super::report::Report;
use super::state::Delivery;
use super::template::Items;
use super::{event, generated};
use crate::context::Context;
use crate::context::message::{DsnRet, notify};
use crate::expand::{self, Template};
use crate::log::{self, Which};
use crate::matching::{self, Match};
use crate::retry::update::with_parent;
use crate::route::Address;
use crate::smtp_out::requiretls;
use crate::text::Text;

/// Recipients named in one `X-Failed-Recipients:` line.
const PER_LINE: usize = 50;

/// Deals with all failed addresses: errors that are ignored, and bounces.
pub(super) fn send_all(ctx: &mut Context, d: &mut Delivery<'_>) {
    while let Some(first) = d.failed.front() {
        let null_sender = ctx.message.sender.as_deref().is_none_or(<[u8]>::is_empty);
        let nowhere = null_sender && first.errors_to.is_none();
        if nowhere && !first.flags.timed_out && !first.flags.ignore_error {
            let text = b"internal error: bounce message failure is neither frozen nor ignored (it's been ignored)";
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text);
        }
        let empty_errors_to = first.errors_to.as_ref().is_some_and(|e| e.is_empty());
        let not_wanted = first.dsn_flags != 0 && first.dsn_flags & notify::FAILURE == 0;
        if nowhere || empty_errors_to || first.flags.ignore_error || not_wanted {
            let Some(a) = d.failed.pop_front() else { return };
            ignore(ctx, d, &a, nowhere || empty_errors_to || a.flags.ignore_error);
        } else {
            send(ctx, d);
        }
    }
}

/// The error of an address is dropped, with a line in the log.
fn ignore(ctx: &mut Context, d: &mut Delivery<'_>, a: &Address, plain: bool) {
    if let Some(f) = &a.return_file {
        let _ = std::fs::remove_file(f.to_path_lossy());
    }
    if !event::failure_is_bounced(a) {
        event::of_failure(ctx, a);
    }
    let mut line = with_parent(a);
    line.extend_from_slice(b": error ignored");
    if !plain {
        line.extend_from_slice(b": RFC 3461 DSN, failure notify not requested");
    }
    if !is_quiet(a, Stage::Transport) {
        log::write(ctx, None, Which::MAIN, &line);
    }
    d.done(ctx, a);
    d.write_header(ctx);
}

/// Where the errors of an address go.
fn errors_address(ctx: &Context, a: &Address) -> Text {
    a.errors_to.clone().or_else(|| ctx.message.sender.clone()).unwrap_or_default()
}

/// Sends one bounce, for the first failed address and all others with the same errors address.
fn send(ctx: &mut Context, d: &mut Delivery<'_>) {
    let Some(first) = d.failed.front() else { return };
    let to = errors_address(ctx, first);
    let (batch, rest): (VecDeque<Address>, VecDeque<Address>) =
        std::mem::take(&mut d.failed).into_iter().partition(|a| errors_address(ctx, a) == to);
    d.failed = rest;
    ctx.message.bounce_recipient = Some(to.clone());
    let (report, handled) = build(ctx, d, &to, batch);
    let result = generated::send(ctx, &report.text);
    ctx.message.bounce_recipient = None;
    match result {
        Ok(()) => {
            for a in &handled {
                d.done(ctx, a);
            }
            d.write_header(ctx);
        }
        Err(code) => {
            let longest = ctx.config.retry.iter().flat_map(|r| r.steps.last()).map(|s| s.timeout).max().unwrap_or(0);
            let age = crate::sys::time::unix_time() - ctx.message.received_time.0;
            let mut note = "";
            if age < longest && d.deferred.is_empty() {
                d.keep_message = true;
                d.freeze(ctx, b"");
                d.write_header(ctx);
                note = " (frozen)";
            }
            let text = format!("Process failed ({code}) when writing error message to {to}{note}");
            d.msglog(ctx, text.as_bytes());
            log::write(ctx, None, Which::MAIN, text.as_bytes());
        }
    }
}

/// Builds the bounce. Gives the addresses in the order in which they are dealt with afterwards.
fn build(ctx: &mut Context, d: &Delivery<'_>, to: &Text, batch: VecDeque<Address>) -> (Report, VecDeque<Address>) {
    let config = ctx.config.clone();
    let main = &config.main;
    let sender = ctx.message.sender.clone().unwrap_or_default();
    let to_sender = sender.eq_ignore_ascii_case(to);
    let mut r = Report::new(ctx);
    failed_recipients(ctx, &mut r, &batch);
    r.reply_to(ctx);
    r.put("Auto-Submitted: auto-replied\n");
    generated::write_from(ctx, &mut r.text);
    r.put("To: ");
    r.put(to);
    r.put("\n");
    r.put(generated::from_original(ctx));
    r.mime();
    let mut items = Items::open(ctx, &main.bounce_message_file, "bounce_message_file", "error");
    if let Some(bcc) = errors_copy(ctx, to) {
        r.put("Bcc: ");
        r.put(bcc);
        r.put("\n");
    }
    match items.next(ctx, "header") {
        Some(text) => {
            r.put(text);
            r.put("\n");
        }
        None => {
            r.put("Subject: Mail delivery failed");
            r.put(if to_sender { ": returning message to sender\n\n" } else { "\n\n" });
        }
    }
    r.text_part();
    match items.next(ctx, "intro") {
        Some(text) => r.put(text),
        None => intro(ctx, &mut r, &sender, to_sender),
    }
    r.put("\n");
    let mut handled = VecDeque::new();
    let mut with_output = Vec::new();
    for a in batch {
        if r.address(ctx, &a, "  ", "\n    ", "") {
            r.error(ctx, &a, "");
        }
        r.put("\n");
        if a.return_file.is_some() || a.shares_return_file { with_output.push(a) } else { handled.push_front(a) }
    }
    r.put("\n");
    let text = items.next(ctx, "generated text");
    outputs(ctx, &mut r, text, with_output, &mut handled);
    r.status_part(ctx);
    for a in &handled {
        let for_tls = ctx.message.requiretls.then(|| requiretls::status(a.failure.basic_errno)).flatten();
        r.fields(a, "failed", for_tls.unwrap_or("5.0.0"));
        r.remote(a);
        if crate::build_options::EXPERIMENTAL_DSN_INFO && a.host_used.is_none() {
            r.diagnostic(a);
        }
        r.put("\n");
    }
    let (headers_only, note) = what_to_return(ctx, d);
    r.copy_part(ctx, headers_only);
    let extra: &[u8] =
        if note { b"X-Exim-DSN-Information: Due to administrative limits only headers are returned\n" } else { b"" };
    r.copy(ctx, d.data.file(), headers_only, extra);
    r.end();
    (r, handled)
}

/// `X-Failed-Recipients:`, at most so many in each line of it.
fn failed_recipients(ctx: &Context, r: &mut Report, batch: &VecDeque<Address>) {
    let topbit = ctx.config.site.log.topbit;
    let mut count = 0;
    for a in batch.iter().filter(|a| !a.flags.hide_child) {
        if count >= PER_LINE {
            r.put("\n");
            count = 0;
        }
        r.put(if count == 0 { "X-Failed-Recipients: " } else { ",\n  " });
        let shown = match &a.parent {
            Some(p) if a.kind != crate::route::AddressKind::Mail => &p.address,
            _ => &a.address,
        };
        r.put(log::escape::printing(shown, topbit));
        count += 1;
    }
    if count > 0 {
        r.put("\n");
    }
}

fn intro(ctx: &Context, r: &mut Report, sender: &Text, to_sender: bool) {
    r.put("This message was created automatically by mail delivery software.\n");
    if let Some(text) = ctx.config.main.bounce_message_text.raw() {
        r.put(text);
    }
    if to_sender {
        r.put("\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n");
    } else {
        r.put("\nA message sent by\n\n  <");
        r.put(sender);
        r.put(">\n\ncould not be delivered to one or more of its recipients. The following\naddress(es) failed:\n");
    }
}

/// What commands said, for the addresses that have such output.
fn outputs(ctx: &Context, r: &mut Report, text: Option<BString>, with: Vec<Address>, handled: &mut VecDeque<Address>) {
    if with.is_empty() {
        return;
    }
    match text {
        Some(t) => r.put(t),
        None => r.put(format!(
            "The following text was generated during the delivery attempt{}:\n",
            if with.len() > 1 { "s" } else { "" }
        )),
    }
    let mut group: Vec<Address> = Vec::new();
    let last = with.len() - 1;
    for (i, a) in with.into_iter().enumerate() {
        if group.is_empty() {
            r.put("\n");
        }
        r.address(ctx, &a, "------ ", "\n       ", " ------\n");
        let file = a.return_file.clone();
        group.push(a);
        if file.is_none() && i < last {
            continue;
        }
        r.put("\n");
        if let Some(path) = file {
            match std::fs::read(path.to_path_lossy()) {
                Ok(bytes) => r.put(bytes),
                Err(e) => r.put(format!("    +++ Exim error... failed to open text file: {}\n", crate::sys::error_text(&e))),
            }
            let _ = std::fs::remove_file(path.to_path_lossy());
        }
        for a in group.drain(..).rev() {
            handled.push_front(a);
        }
    }
    r.put("\n");
}

/// Is only the header returned, and is the sender told why?
fn what_to_return(ctx: &Context, d: &Delivery<'_>) -> (bool, bool) {
    let main = &ctx.config.main;
    let m = &ctx.message;
    // The body of a REQUIRETLS message is not shown to more people than must be (RFC 8689 section 6).
    if m.dsn_ret == DsnRet::Headers || m.requiretls {
        return (true, false);
    }
    if !main.bounce_return_body {
        return (true, m.dsn_ret == DsnRet::Full);
    }
    let limit = u64::try_from(main.bounce_return_size_limit.0).unwrap_or(0);
    // The limit is rounded up to whole buffers, as it always was.
    let rounded = (limit / 8192 + 1) * 8192;
    let size = d.data.file().metadata().map(|x| x.len()).unwrap_or(0);
    let long_lines = i64::try_from(m.max_received_linelength).unwrap_or(i64::MAX) > main.bounce_return_linesize_limit.0;
    let too_much = long_lines || (limit > 0 && size > rounded);
    (too_much, too_much)
}

/// `errors_copy`: who gets a copy of bounces to this recipient (section 14.23).
pub(super) fn errors_copy(ctx: &mut Context, recipient: &Text) -> Option<Text> {
    let config = ctx.config.clone();
    let list = config.main.errors_copy.raw()?;
    for item in crate::parse::list::items(list) {
        let item = item.trim();
        let at = item.iter().position(u8::is_ascii_whitespace)?;
        let (pattern, copy) = (&item[..at], item[at..].trim_start());
        let pattern = Template::new(&[b"<\x01 ", pattern].concat());
        match matching::match_address(ctx, recipient, &pattern, None) {
            Match::Yes => {}
            _ => continue,
        }
        // The copy's address may be made of the bounce's recipient.
        let saved = std::mem::take(&mut ctx.address);
        if let Some(at) = recipient.rfind_byte(b'@') {
            ctx.address.local_part = Some(recipient.piece(&recipient[..at]));
            ctx.address.domain = Some(recipient.piece(&recipient[at + 1..]));
        }
        let expanded = expand::expand_once(ctx, copy);
        ctx.address = saved;
        return match expanded {
            Ok(t) => Some(t),
            Err(e) => {
                let text = format!("failed to expand \"{}\" when processing errors_copy: {e}", copy.as_bstr());
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
                None
            }
        };
    }
    None
}

//! Variables of the message: envelope, sizes, counts, headers.

use bstr::ByteSlice;

use super::{VarDef, named, num, own, v, yes_no};
use crate::acl::Where;
use crate::context::Context;
use crate::expand::{headers, list};
use crate::sys::time::unix_time;
use crate::text::Text;

/// Are the recipients to be seen? Not where a user could read Bcc: recipients with them.
fn recipients_visible(c: &Context) -> bool {
    match c.acl.running {
        Some(w) => matches!(
            w,
            Where::Predata
                | Where::Data
                | Where::Prdr
                | Where::Mime
                | Where::Dkim
                | Where::NotSmtp
                | Where::NotSmtpMime
                | Where::NotSmtpStart
        ),
        None => c.scratch.shows_recipients || c.address.local_part.is_none(),
    }
}

fn recipients(c: &Context) -> Option<Text> {
    if !recipients_visible(c) {
        return None;
    }
    let mut out = Text::new();
    for (n, r) in c.message.recipients.iter().enumerate() {
        if n > 0 {
            out.push_bytes(b", ");
        }
        out.push(&r.address);
    }
    Some(out)
}

fn recipients_list(c: &Context) -> Option<Text> {
    if !recipients_visible(c) {
        return None;
    }
    let mut out = Text::new();
    let mut first = true;
    for r in &c.message.recipients {
        list::append(&mut out, b':', &r.address, &mut first);
    }
    Some(out)
}

/// A part of the sender: what stands after (or before) the last `@`.
fn sender_part(c: &Context, domain: bool) -> Option<Text> {
    let sender = c.message.sender.as_ref()?;
    let at = sender.iter().rposition(|b| *b == b'@');
    let part = match (at, domain) {
        (Some(n), true) => sender.get(n + 1..),
        (Some(n), false) => sender.get(..n),
        (None, true) => None,
        (None, false) => Some(sender.as_bytes()),
    };
    part.map(|p| sender.piece(p))
}

fn age(c: &Context) -> i64 {
    let received = c.message.received_time.0;
    if received == 0 { 0 } else { (unix_time() - received).max(0) }
}

/// Before the data it is what MAIL announced.
fn size(c: &Context) -> Option<Text> {
    if matches!(c.acl.running, Some(Where::Mail | Where::Rcpt | Where::Predata)) {
        return c.message.declared_size.map_or_else(|| num(-1), num);
    }
    num(c.message.size)
}

fn headers_added(c: &Context) -> Option<Text> {
    let mut out = Text::new();
    for h in &c.message.acl_added_headers {
        if !out.is_empty() {
            out.push_bytes(b"\n");
        }
        // A line break within a header line is doubled.
        let text = h.text.strip_suffix(b"\n").unwrap_or(&h.text).replace(b"\n", b"\n\n");
        out.push_with(&text, crate::text::Taint::Tainted);
    }
    Some(out)
}

/// This group.
pub static VARIABLES: &[VarDef] = &[
    v("body_linecount", |c| num(c.message.body_linecount)),
    v("body_zerocount", |c| num(c.message.body_zerocount)),
    v("bounce_recipient", |c| c.message.bounce_recipient.clone()),
    v("headers_added", |c| headers_added(c)),
    v("local_scan_data", |c| c.message.local_scan_data.clone()),
    v("max_received_linelength", |c| num(c.message.max_received_linelength)),
    v("message_age", |c| num(age(c))),
    v("message_body_size", |c| num(c.message.body_size)),
    v("message_exim_id", |c| own(&c.message.id)),
    v("message_headers", |c| Some(headers::all(c, false))),
    v("message_headers_raw", |c| Some(headers::all(c, true))),
    v("message_id", |c| own(&c.message.id)),
    v("message_linecount", |c| num(c.message.message_linecount)),
    v("message_size", |c| size(c)),
    v("message_smtputf8", |c| yes_no(c.message.smtputf8)),
    v("originator_gid", |c| num(c.message.originator_gid)),
    v("originator_uid", |c| num(c.message.originator_uid)),
    v("prdr_requested", |c| yes_no(c.message.prdr)),
    v("requiretls", |c| yes_no(c.message.requiretls)),
    v("queue_name", |c| own(if c.message.queue_name.is_empty() { &c.session.queue_name } else { &c.message.queue_name })),
    v("rcpt_count", |c| num(c.message.rcpt_count)),
    v("rcpt_defer_count", |c| num(c.message.rcpt_defer_count)),
    v("rcpt_fail_count", |c| num(c.message.rcpt_fail_count)),
    v("received_count", |c| num(c.message.received_count)),
    v("received_for", |c| named(c, "received_for", "")),
    v("received_time", |c| num(c.message.received_time.0)),
    v("recipients", |c| recipients(c)),
    v("recipients_count", |c| num(c.message.recipients.len())),
    v("recipients_list", |c| recipients_list(c)),
    v("reply_address", |c| headers::reply_address(c)),
    v("sender_address", |c| c.message.sender.clone()),
    v("sender_address_domain", |c| sender_part(c, true)),
    v("sender_address_local_part", |c| sender_part(c, false)),
    v("spam_action", |c| c.message.spam_action.clone()),
    v("spam_bar", |c| c.message.spam_bar.clone()),
    v("spam_report", |c| c.message.spam_report.clone()),
    v("spam_score", |c| c.message.spam_score.clone()),
    v("spam_score_int", |c| c.message.spam_score_int.clone()),
];

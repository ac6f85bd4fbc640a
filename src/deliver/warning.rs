//! Delay warnings (manual sections 14.19 and 50.2): who is told that a message still waits, and when.

use bstr::{BString, ByteSlice};

use super::generated;
use super::report::Report;
use super::state::Delivery;
use super::template::Items;
use crate::context::Context;
use crate::context::message::notify;
use crate::expand;
use crate::log::{self, Which};
use crate::retry::errors;
use crate::route::{Address, AddressKind};
use crate::text::Text;

/// Sends a warning if one is due; -H must be written again then.
pub(super) fn send_if_due(ctx: &mut Context, d: &mut Delivery<'_>) {
    let sender = ctx.message.sender.clone().unwrap_or_default();
    let times = ctx.config.main.delay_warning.0.clone();
    let Some(first) = d.deferred.front() else { return };
    let tried = d.deferred.iter().any(|a| a.failure.basic_errno > errors::RETRY_LOCAL);
    let wanted = first.dsn_flags == 0 || first.dsn_flags & notify::DELAY != 0;
    if d.options.first_phase || !tried || !wanted || sender.is_empty() || times.is_empty() || times[0] <= 0 {
        return;
    }
    let Some((count, show)) = due(&times, d.message_age) else { return };
    if ctx.message.warning_count >= count || !allowed(ctx, d) {
        return;
    }
    let mut recipients: Vec<Text> = Vec::new();
    for a in &d.deferred {
        let r = a.errors_to.clone().unwrap_or_else(|| sender.clone());
        if !r.is_empty() && !recipients.contains(&r) {
            recipients.push(r);
        }
    }
    if recipients.is_empty() {
        return;
    }
    let recipients = Text::tainted(bstr::join(b",", &recipients));
    if send(ctx, d, &recipients, &sender, show) {
        ctx.message.warning_count = count;
        d.update_spool = true;
    }
}

/// How many warnings should have been sent by now, and the delay that the last of them tells of. After the last
/// configured time, the last interval is repeated.
fn due(times: &[i64], age: i64) -> Option<(u32, i64)> {
    let mut count = times.iter().take_while(|t| age >= **t).count();
    if count == 0 {
        return None;
    }
    let mut show = times[count - 1];
    if count == times.len() {
        let gap = if count > 1 { show - times[count - 2] } else { show };
        if gap > 0 {
            let extra = (age - show) / gap;
            show += gap * extra;
            count += usize::try_from(extra).unwrap_or(0);
        }
    }
    Some((u32::try_from(count).ok()?, show))
}

/// `delay_warning_condition`, with `$domain` if all waiting addresses have the same one.
fn allowed(ctx: &mut Context, d: &Delivery<'_>) -> bool {
    let config = ctx.config.clone();
    let Some(t) = config.main.delay_warning_condition.get() else { return true };
    fn domain(a: &Address) -> Option<&Text> {
        match (&a.parent, a.kind) {
            (Some(p), k) if k != AddressKind::Mail => Some(&p.domain),
            _ => Some(&a.domain),
        }
    }
    let first = d.deferred.front().and_then(domain);
    let same = d.deferred.iter().all(|a| domain(a) == first);
    ctx.address.domain = if same { first.cloned() } else { None };
    let result = expand::expand_condition(ctx, t);
    ctx.address.domain = None;
    result.unwrap_or_else(|e| {
        let text = format!("failed to expand condition \"{}\" for delay_warning option: {e}", t.raw().as_bstr());
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        false
    })
}

fn send(ctx: &mut Context, d: &Delivery<'_>, recipients: &Text, sender: &Text, show: i64) -> bool {
    let config = ctx.config.clone();
    let delay = if d.message_age < 120 * 60 { format!("{} minutes", show / 60) } else { format!("{} hours", show / 3600) };
    ctx.address.warn_message_delay = Some(delay.clone().into());
    ctx.address.warn_message_recipients = Some(recipients.to_vec().into());
    let mut items = Items::open(ctx, &config.main.warn_message_file, "warn_message_file", "warning");
    let mut r = Report::new(ctx);
    r.reply_to(ctx);
    r.put("Auto-Submitted: auto-replied\n");
    generated::write_from(ctx, &mut r.text);
    r.put("To: ");
    r.put(recipients);
    r.put("\n");
    r.put(generated::from_original(ctx));
    r.mime();
    match items.next(ctx, "header") {
        Some(text) => {
            r.put(text);
            r.put("\n");
        }
        None => r.put(format!("Subject: Warning: message {} delayed {delay}\n\n", ctx.message.id)),
    }
    r.text_part();
    match items.next(ctx, "intro") {
        Some(text) => r.put(text),
        None => intro(ctx, d, &mut r, recipients, sender, &delay),
    }
    r.put("\n");
    for a in &d.deferred {
        if r.address(ctx, a, "  ", "\n    ", "") {
            r.error(ctx, a, "Delay reason: ");
        }
        r.put("\n");
    }
    r.put("\n");
    let last = items.next(ctx, "final text");
    match last {
        Some(text) => r.put(text),
        None if items.exists() => {}
        None => r.put(
            "No action is required on your part. Delivery attempts will continue for\nsome time, and this warning may be repeated at intervals if the message\nremains undelivered. Eventually the mail delivery software will give up,\nand when that happens, the message will be returned to you.\n",
        ),
    }
    r.put("\n");
    r.status_part(ctx);
    for a in &d.deferred {
        r.fields(a, "delayed", "4.0.0");
        r.remote(a);
        r.put("\n");
    }
    r.copy_part(ctx, true);
    r.copy(ctx, d.data.file(), true, b"");
    r.end();
    let sent = generated::send(ctx, &r.text).is_ok();
    ctx.address.warn_message_delay = None;
    ctx.address.warn_message_recipients = None;
    sent
}

fn intro(ctx: &Context, d: &Delivery<'_>, r: &mut Report, recipients: &Text, sender: &Text, delay: &str) {
    r.put("This message was created automatically by mail delivery software.\n");
    if recipients.as_bytes() == sender.as_bytes() {
        r.put("A message that you sent has not yet been delivered to one or more of its\nrecipients after more than ");
    } else {
        r.put("A message sent by\n\n  <");
        r.put(sender);
        r.put(">\n\nhas not yet been delivered to one or more of its recipients after more than \n");
    }
    let m = &ctx.message;
    r.put(format!("{delay} on the queue on {}.\n\nThe message identifier is:     {}\n", ctx.config.site.primary_hostname, m.id));
    for h in m.headers.iter().filter(|h| h.kind != crate::context::HeaderKind::Old) {
        let starts = |name: &[u8]| h.text.get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name));
        let lead = if starts(b"Subject:") {
            "The subject of the message is:"
        } else if starts(b"Date:") {
            "The date of the message is:   "
        } else {
            continue;
        };
        r.put(lead);
        let colon = h.text.find_byte(b':').map_or(0, |i| i + 1);
        let value: BString = h.text[colon..].into();
        if !value.starts_with(b" ") {
            r.put(" ");
        }
        r.put(value);
    }
    let (es, are) = if d.deferred.len() == 1 { ("", "is") } else { ("es", "are") };
    r.put(format!("\nThe address{es} to which the message has not yet been delivered {are}:\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when() {
        let day = [86_400];
        assert_eq!(due(&day, 100), None);
        assert_eq!(due(&day, 86_400), Some((1, 86_400)));
        assert_eq!(due(&day, 3 * 86_400 + 5), Some((3, 3 * 86_400)));
        assert_eq!(due(&[3600, 7200, 86_400], 8000), Some((2, 7200)));
        assert_eq!(due(&[3600, 7200], 11_000), Some((3, 10_800)));
    }
}

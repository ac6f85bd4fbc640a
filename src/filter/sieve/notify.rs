//! `notify` by mailto (RFC 5435, 5436): a message to somebody that mail has come. It is sent at once.

use bstr::BString;

use super::ast::Notify;
use super::mailto::{self, Mailto, one_line};
use super::run::Runner;
use super::vacation::encoded;
use crate::expand::HeaderForm;
use crate::expand::headers::find;
use crate::filter::personal::is_auto_submitted;
use crate::parse::{Rules, extract_address};
use crate::text::Text;

/// Sends the notification, once for each method and text.
pub(super) fn obey(r: &mut Runner<'_>, n: &Notify) -> Result<(), String> {
    let m = mailto::parse(&n.method).ok_or("invalid notification method")?;
    let Some(owner) = r.job.enotify_owner.clone() else { return Err("enotify disabled".into()) };
    let from = match &n.from {
        Some(f) => {
            extract_address(&mut Rules::header(&r.ctx.config.main), f).map(|_| f.clone()).map_err(|e| format!(":from: {e}"))?
        }
        None => owner.as_bytes().into(),
    };
    let what = (n.method.clone(), n.message.clone());
    // What a machine sent is no news, and may come from a notification.
    if !r.job.delivering || r.notified.contains(&what) || is_auto_submitted(r.ctx) {
        return Ok(());
    }
    r.notified.push(what);
    let text = message(r, n, &m, &owner, &from);
    if let Err(status) = crate::transports::autoreply::submit::hand_in(r.ctx, &text) {
        crate::debug!(r.ctx, FILTER, "Sieve: the notification could not be sent ({status})");
    }
    Ok(())
}

fn message(r: &Runner<'_>, n: &Notify, m: &Mailto, owner: &Text, from: &BString) -> Vec<u8> {
    let subject = n.message.clone().or(m.subject.clone()).unwrap_or_else(|| {
        let own = find(r.ctx, HeaderForm::Raw, b"subject").ok().flatten().unwrap_or_default();
        own.into_bytes().into()
    });
    let mut out = BString::default();
    let mut line = |name: &str, value: &[u8]| {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.push(b'\n');
    };
    line("From", &one_line(from.clone()));
    line("To", &bstr::join(", ", &m.to));
    line("Subject", &encoded(one_line(subject).trim_ascii()));
    line("Auto-Submitted", &[b"auto-notified; owner-email=\"", owner.as_bytes(), b"\""].concat());
    if let Some(i) = n.importance {
        line(
            "Importance",
            if i == 1 {
                b"high"
            } else if i == 2 {
                b"normal"
            } else {
                b"low"
            },
        );
    }
    line("MIME-Version", b"1.0");
    line("Content-Type", b"text/plain; charset=\"utf-8\"");
    line("Content-Transfer-Encoding", b"8bit");
    out.extend_from_slice(&crate::deliver::from_original(r.ctx));
    out.push(b'\n');
    if let Some(body) = &m.body {
        out.extend_from_slice(body);
        out.push(b'\n');
    }
    out.into()
}

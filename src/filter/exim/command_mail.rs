//! The `mail` and `vacation` commands: what the reply will say. The reply transport sends it, later.

use bstr::ByteSlice;

use super::ast::{MAIL_ARGUMENTS, Mail, Step};
use super::run::{Flow, Runner, mistake, noerror, not_expanded, shown};
use crate::config::values::parse_interval;
use crate::expand::headers::reply_address;
use crate::filter::asked::{Generated, What};
use crate::receive::headers::is_header;
use crate::route::address::ReplyInfo;
use crate::text::Text;

/// How much of a bad text is shown in the message about it, bytes.
const MAX_SHOWN: usize = 1024;

/// Does what the command says.
pub(super) fn obey(r: &mut Runner<'_>, step: &Step, mail: &Mail) -> Flow {
    let command = if mail.vacation { "vacation" } else { "mail" };
    r.delivered |= step.seen;
    // A bounce is not answered.
    let return_path = r.ctx.address.return_path.as_ref().or(r.ctx.message.sender.as_ref());
    if return_path.is_none_or(|p| p.is_empty()) {
        let text = format!("{command} command ignored because return_path is empty");
        if r.job.testing {
            r.say(text);
        } else {
            crate::debug!(r.ctx, FILTER, "{text}");
        }
        return Ok(());
    }
    let mut values: Vec<(&'static str, Option<Text>)> = Vec::new();
    for (name, value) in MAIL_ARGUMENTS.iter().zip(&mail.values) {
        let value = match value {
            Some(t) => {
                let text = crate::expand::expand(r.ctx, t).map_err(|e| not_expanded(t, &format!("{command} command"), &e))?;
                check(r, name, &text, command)?;
                Some(text)
            }
            None => None,
        };
        values.push((name, value));
    }
    if r.job.testing {
        show(r, step, mail, &values);
        return Ok(());
    }
    let mut reply = ReplyInfo {
        file_expand: mail.expand_file,
        return_message: mail.return_message,
        expand_forbid: r.ctx.scratch.expand_forbid,
        ..ReplyInfo::default()
    };
    for (name, value) in values {
        match (name, value) {
            ("once_repeat", Some(v)) => {
                reply.once_repeat = parse_interval(&v)
                    .ok_or_else(|| mistake(format!("Bad time value for \"once_repeat\" in mail or vacation command: {v}")))?;
            }
            ("extra_headers", Some(v)) => drop(reply.fields.insert("headers", v)),
            ("to" | "cc" | "bcc" | "from" | "reply_to" | "subject", Some(v)) => {
                let line = v.piece(v.replace(b"\n", b" "));
                reply.fields.insert(name, line);
            }
            (_, Some(v)) => drop(reply.fields.insert(name, v)),
            ("to", None) => {
                // The default.
                reply.fields.insert(name, reply_address(r.ctx).unwrap_or_default());
            }
            (_, None) => {}
        }
    }
    r.items.push(Generated { what: What::Reply(Box::new(reply)), of_filter: true, errors_to: None, ignore_error: step.noerror });
    Ok(())
}

/// Texts that become header lines must not become more of them than they say.
fn check(r: &Runner<'_>, name: &str, text: &Text, command: &str) -> Flow {
    let extra = name == "extra_headers";
    if !extra && !matches!(name, "to" | "cc" | "bcc" | "from" | "reply_to" | "subject") {
        return Ok(());
    }
    for (i, _) in text.iter().enumerate().filter(|(_, c)| **c == b'\n') {
        let rest = text.get(i + 1..).unwrap_or_default();
        if matches!(rest.first(), Some(b' ' | b'\t')) || (extra && is_header(rest)) {
            continue;
        }
        let or = if extra { " or valid header name" } else { "" };
        let shown = shown(r.ctx, text);
        let shown = shown.get(..MAX_SHOWN).unwrap_or(&shown).as_bstr();
        return Err(mistake(format!("\\n not followed by space{or} in \"{shown}\" in {command} command")));
    }
    Ok(())
}

fn show(r: &Runner<'_>, step: &Step, mail: &Mail, values: &[(&str, Option<Text>)]) {
    let to = values.first().and_then(|(_, v)| v.as_ref()).map_or("<default>".into(), |t| t.to_string());
    let vacation = if mail.vacation { " (vacation)" } else { "" };
    r.say(format!("{} to: {to}{vacation}{}", if step.seen { "Seen mail" } else { "Mail" }, noerror(step)));
    for (name, value) in values.iter().skip(1) {
        if let Some(v) = value {
            let expanded = if *name == "file" && mail.expand_file { " (expanded)" } else { "" };
            r.say(format!("{}{name:>7}: {}{expanded}", r.indent(), shown(r.ctx, v)));
        }
    }
    if mail.return_message {
        r.say(format!("{}Return original message", r.indent()));
    }
}

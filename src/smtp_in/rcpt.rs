//! RCPT: DSN parameters, the recipient, limits, the ACL.

use bstr::{BString, ByteSlice};

use super::command::last_parameter;
use super::server::Server;
use super::{Next, mail::host_lookup_text, ratelimit};
use crate::acl::{self, AclResult, Verdict, Where};
use crate::context::message::notify;
use crate::context::names::host_and_ident;
use crate::context::{Context, Recipient};
use crate::log::{self, Selector, Which};
use crate::parse;
use crate::text::Text;

/// What RCPT says beside the address.
#[derive(Default)]
struct Dsn {
    orcpt: Option<Text>,
    flags: u32,
}

impl Server {
    /// RCPT TO:
    pub fn rcpt(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        ctx.message.rcpt_count = ctx.message.rcpt_count.saturating_add(1);
        self.was_rcpt = true;
        self.rcpt_answers.begin();
        if ctx.message.sender.is_none() {
            ctx.message.rcpt_fail_count += 1;
            // After a refused MAIL a pipelining peer's RCPTs are no mistake of its own.
            if ctx.session.pipelining_advertised && self.last_was_rejected_mail {
                self.reply(ctx, "503 sender not yet given");
                self.was_rejected_mail = true;
                return Next::Command;
            }
            self.was_rcpt = false;
            return self.mistake(ctx, Selector::SmtpProtocolError, 503, None, "sender not yet given");
        }
        let mut argument = self.line.argument.clone();
        if argument.is_empty() {
            ctx.message.rcpt_fail_count += 1;
            return self.mistake(ctx, Selector::SmtpSyntaxError, 501, None, "RCPT must have an address operand");
        }
        let mut dsn = Dsn::default();
        if ctx.session.esmtp {
            match self.rcpt_parameters(ctx, &argument, &mut dsn) {
                Ok(end) => {
                    argument.truncate(end);
                    // Log lines show the address, not its parameters.
                    self.line.argument.truncate(end);
                }
                Err(text) => return self.mistake(ctx, Selector::SmtpSyntaxError, 501, None, text),
            }
        }
        let given = crate::receive::rewriting::smtp_time(ctx, &argument, true);
        let mut rules = parse::Rules::new(&ctx.config.main);
        rules.allow_utf8_domains |= ctx.message.smtputf8;
        let found = match parse::extract_address(&mut rules, &given) {
            Ok(f) => f,
            Err(e) => {
                ctx.message.rcpt_fail_count += 1;
                return self.mistake(ctx, Selector::SmtpSyntaxError, 501, Some(&argument), &e);
            }
        };
        let mut address = Text::tainted(found.address.clone());
        if !found.is_qualified() {
            match self.qualify_recipient(ctx, &address, &argument, "recipient") {
                Some(a) => address = a,
                None => {
                    ctx.message.rcpt_fail_count += 1;
                    return Next::Command;
                }
            }
        }
        if self.recipients_max > 0 && i64::from(ctx.message.rcpt_count) > self.recipients_max {
            self.too_many(ctx);
            return Next::Command;
        }
        let count = ctx.message.rcpt_count;
        ratelimit::apply(ctx, &mut self.rcpt_rate, count, "RCPT");
        self.judge(ctx, address, dsn)
    }

    fn judge(&mut self, ctx: &mut Context, address: Text, dsn: Dsn) -> Next {
        let result = if ctx.message.recipients_discarded {
            AclResult { verdict: Verdict::Discard, user_message: None, log_message: self.discard_message.clone() }
        } else {
            match ctx.config.main.acl_smtp_rcpt.get().cloned() {
                Some(list) => {
                    ctx.message.scan.bmi.optin = None;
                    acl::check(ctx, Where::Rcpt, Some(&address), &list)
                }
                None => acl::missing(ctx),
            }
        };
        match result.verdict {
            Verdict::Ok => {
                if !ctx.session.pipelining_advertised && !self.in_sync(ctx) {
                    return self.sync_failure(ctx);
                }
                self.note_pipelining(ctx);
                self.accept(ctx, "250", "Accepted", result.user_message.as_ref());
                let mut r = Recipient::new(address);
                r.orcpt = dsn.orcpt;
                r.dsn_flags = dsn.flags;
                r.bmi_optin = ctx.message.scan.bmi.optin.take();
                ctx.message.recipients.push(r);
                Next::Command
            }
            Verdict::Discard => {
                self.accept(ctx, "250", "Accepted", result.user_message.as_ref());
                ctx.message.rcpt_fail_count += 1;
                self.discarded = true;
                let by = if ctx.message.recipients_discarded { "MAIL" } else { "RCPT" };
                self.discard_note.get_or_insert(by);
                let mut line = host_and_ident(ctx, true);
                line.extend_from_slice(b" F=<");
                line.extend_from_slice(
                    ctx.message.raw_sender.as_ref().or(ctx.message.sender.as_ref()).map_or(b"", |s| s.as_bytes()),
                );
                line.extend_from_slice(b"> RCPT ");
                line.extend_from_slice(&self.line.argument);
                line.extend_from_slice(format!(": discarded by {by} ACL").as_bytes());
                if let Some(m) = result.log_message {
                    line.extend_from_slice(b": ");
                    line.extend_from_slice(&m);
                }
                log::write(ctx, None, Which::MAIN.and(Which::REJECT), &line);
                Next::Command
            }
            verdict => {
                if matches!(verdict, Verdict::Fail | Verdict::FailDrop) {
                    ctx.message.rcpt_fail_count += 1;
                } else {
                    ctx.message.rcpt_defer_count += 1;
                }
                self.refuse(ctx, Where::Rcpt, result)
            }
        }
    }

    fn rcpt_parameters(&self, ctx: &Context, argument: &[u8], dsn: &mut Dsn) -> Result<usize, &'static str> {
        let mut end = argument.len();
        while let Some(p) = last_parameter(argument.get(..end).unwrap_or_default()) {
            let value = p.value.clone().unwrap_or_default();
            match p.name.to_ascii_uppercase().as_slice() {
                b"ORCPT" if ctx.session.dsn_advertised => {
                    if dsn.orcpt.is_some() {
                        return Err("ORCPT can be specified once only");
                    }
                    dsn.orcpt = Some(Text::tainted(value));
                }
                b"NOTIFY" if ctx.session.dsn_advertised => {
                    if dsn.flags != 0 {
                        return Err("NOTIFY can be specified once only");
                    }
                    dsn.flags = notify_flags(&value)?;
                }
                _ => break,
            }
            end = p.before;
        }
        Ok(end)
    }

    /// Makes an unqualified recipient whole, if this peer may send such ones, or if it is the postmaster; else tells it.
    pub fn qualify_recipient(&mut self, ctx: &mut Context, address: &Text, argument: &[u8], tag: &str) -> Option<Text> {
        if ctx.session.allow_unqualified_recipient || address.eq_ignore_ascii_case(b"postmaster") {
            return Some(crate::receive::rewriting::qualify(ctx, address, true));
        }
        let mut text = BString::from("501 ");
        text.extend_from_slice(argument);
        text.extend_from_slice(b": recipient address must contain a domain");
        self.reply(ctx, text);
        let line = format!("unqualified {tag} rejected: <{address}> {}{}", host_and_ident(ctx, true), host_lookup_text(ctx));
        log::write(ctx, Some(Selector::SmtpSyntaxError), Which::MAIN.and(Which::REJECT), line.as_bytes());
        None
    }

    fn too_many(&mut self, ctx: &mut Context) {
        let what = if ctx.config.main.recipients_max_reject {
            ctx.message.rcpt_fail_count += 1;
            self.reply(ctx, "552 too many recipients");
            "message rejected"
        } else {
            ctx.message.rcpt_defer_count += 1;
            self.reply(ctx, "452 too many recipients");
            "excess temporarily rejected"
        };
        if !std::mem::replace(&mut self.too_many_recipients, true) {
            let mut line = BString::from(format!("too many recipients: {what}: sender=<"));
            line.extend_from_slice(ctx.message.sender.as_deref().unwrap_or_default());
            line.extend_from_slice(b"> ");
            line.extend_from_slice(&host_and_ident(ctx, true));
            log::write(ctx, None, Which::MAIN.and(Which::REJECT), &line);
        }
    }
}

fn notify_flags(value: &[u8]) -> Result<u32, &'static str> {
    if value.eq_ignore_ascii_case(b"NEVER") {
        return Ok(notify::NEVER);
    }
    let mut flags = 0;
    for word in value.split_str(",").filter(|w| !w.is_empty()) {
        flags |= match word.to_ascii_uppercase().as_slice() {
            b"SUCCESS" => notify::SUCCESS,
            b"FAILURE" => notify::FAILURE,
            b"DELAY" => notify::DELAY,
            _ => return Err("Invalid value for NOTIFY parameter"),
        };
    }
    Ok(flags)
}

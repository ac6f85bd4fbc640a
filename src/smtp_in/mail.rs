//! MAIL: its parameters, the sender, size and space, the ACL.

use bstr::BString;

use super::command::last_parameter;
use super::server::{Server, VerifyHelo};
use super::{Next, answer, host_is_in, ratelimit, report};
use crate::acl::{self, Verdict, Where};
use crate::context::Context;
use crate::context::message::DsnRet;
use crate::context::names::host_and_ident;
use crate::log::{self, Selector, Which};
use crate::parse;
use crate::text::Text;

/// SIZE= is never taken for more than this.
const SIZE_MAX: u64 = i32::MAX as u64;

impl Server {
    /// MAIL FROM:
    pub fn mail(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        ctx.session.mail_command_count = ctx.session.mail_command_count.saturating_add(1);
        self.was_rejected_mail = true;
        if !self.helo_seen {
            let option = ctx.config.main.hosts_require_helo.clone();
            if self.verify_helo == VerifyHelo::Require || host_is_in(ctx, "hosts_require_helo", &option) {
                let line = format!("rejected MAIL from {}: no HELO/EHLO given", host_and_ident(ctx, false));
                log::write(ctx, None, Which::MAIN.and(Which::REJECT), line.as_bytes());
                return self.mistake(ctx, Selector::SmtpProtocolError, 503, None, "HELO or EHLO required");
            }
        }
        let max = self.mail_limit(ctx);
        if ctx.message.sender.is_some() {
            return self.mistake(ctx, Selector::SmtpProtocolError, 503, None, "sender already given");
        }
        if self.line.argument.is_empty() {
            return self.mistake(ctx, Selector::SmtpProtocolError, 501, None, "MAIL must have an address operand");
        }
        if max > 0 && i64::from(ctx.session.mail_command_count) > max {
            self.reply(ctx, "421 too many messages in this connection");
            let line = format!("rejected MAIL command {}: too many messages in one connection", host_and_ident(ctx, true));
            log::write(ctx, None, Which::MAIN.and(Which::REJECT), line.as_bytes());
            return Next::Command;
        }
        self.new_transaction(ctx);
        let mut argument = self.line.argument.clone();
        if ctx.session.esmtp {
            match self.mail_parameters(ctx, &argument) {
                Ok(end) => {
                    argument.truncate(end);
                    // Log lines show the address, not its parameters.
                    self.line.argument.truncate(end);
                }
                Err(next) => return next,
            }
        }
        let count = ctx.session.mail_command_count;
        ratelimit::apply(ctx, &mut self.mail_rate, count, "MAIL");
        self.sender(ctx, &argument)
    }

    /// Takes the parameters off the end; gives how long the address is.
    fn mail_parameters(&mut self, ctx: &mut Context, argument: &[u8]) -> Result<usize, Next> {
        let mut end = argument.len();
        while let Some(p) = last_parameter(argument.get(..end).unwrap_or_default()) {
            let name = p.name.to_ascii_uppercase();
            let name = name.as_slice();
            let known = match (name, p.value.as_ref()) {
                // A parameter without its value is dropped, and so are those before it.
                (b"SIZE" | b"BODY" | b"AUTH" | b"RET" | b"ENVID", Some(v)) if v.is_empty() => return Ok(p.before),
                (b"SIZE", Some(v)) if !self.size_parameter(ctx, v) => return Ok(p.before),
                (b"BODY", _) if !ctx.config.main.accept_8bitmime => return Ok(p.before),
                (b"SIZE", Some(_)) => true,
                (b"BODY", Some(v)) => self.body_parameter(ctx, v)?,
                (b"AUTH", Some(v)) => self.auth_parameter(ctx, v)?,
                (b"RET", Some(v)) => self.ret_parameter(ctx, v)?,
                (b"ENVID", Some(v)) => self.envid_parameter(ctx, v)?,
                // A name alone says nothing, where nothing is possible.
                (b"BODY", None) => self.body_parameter(ctx, b"")?,
                (b"RET", None) => self.ret_parameter(ctx, b"")?,
                (b"SIZE" | b"AUTH" | b"ENVID", None) => true,
                (b"PRDR", _) => {
                    ctx.message.prdr |= ctx.config.main.prdr_enable;
                    true
                }
                (b"REQUIRETLS", None) => {
                    if !self.requiretls_advertised {
                        let text = "unadvertised MAIL option: REQUIRETLS";
                        return Err(self.mistake(ctx, Selector::SmtpSyntaxError, 555, None, text));
                    }
                    ctx.message.requiretls = true;
                    true
                }
                (b"SMTPUTF8", None) => {
                    if !self.smtputf8_advertised {
                        return Err(self.syntax(ctx, "SMTPUTF8 used when not advertised"));
                    }
                    ctx.message.smtputf8 = true;
                    true
                }
                _ => false,
            };
            if !known {
                break;
            }
            end = p.before;
        }
        let marked = ctx.session.received_protocol.as_ref().is_some_and(|p| p.contains(&b'S'));
        if ctx.message.requiretls || marked {
            super::helo::set_protocol(ctx);
        }
        if ctx.message.smtputf8 {
            super::helo::set_protocol(ctx);
            let name = ctx.session.received_protocol.take().unwrap_or_default();
            ctx.session.received_protocol = Some([b"utf8", name.as_slice()].concat().into());
        }
        Ok(end)
    }

    fn syntax(&mut self, ctx: &mut Context, text: &str) -> Next {
        self.mistake(ctx, Selector::SmtpSyntaxError, 501, None, text)
    }

    fn size_parameter(&mut self, ctx: &mut Context, value: &[u8]) -> bool {
        // Less than nothing is more than anything that is allowed.
        let (digits, least) = value.strip_prefix(b"-").map_or((value, 0), |rest| (rest, SIZE_MAX));
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return false;
        }
        let n = digits.iter().fold(least, |n, c| n.saturating_mul(10).saturating_add(u64::from(c - b'0')));
        ctx.message.declared_size = Some(n.min(SIZE_MAX));
        true
    }

    fn body_parameter(&mut self, ctx: &mut Context, value: &[u8]) -> Result<bool, Next> {
        ctx.message.body_type = match value.to_ascii_uppercase().as_slice() {
            b"8BITMIME" => 8,
            b"7BIT" => 7,
            _ => return Err(self.syntax(ctx, "invalid data for BODY")),
        };
        Ok(true)
    }

    fn ret_parameter(&mut self, ctx: &mut Context, value: &[u8]) -> Result<bool, Next> {
        if !ctx.session.dsn_advertised {
            return Ok(true);
        }
        if ctx.message.dsn_ret != DsnRet::Unset {
            return Err(self.syntax(ctx, "RET can be specified once only"));
        }
        ctx.message.dsn_ret = match value.to_ascii_uppercase().as_slice() {
            b"HDRS" => DsnRet::Headers,
            b"FULL" => DsnRet::Full,
            _ => return Err(self.syntax(ctx, "Value for RET is invalid")),
        };
        Ok(true)
    }

    fn envid_parameter(&mut self, ctx: &mut Context, value: &[u8]) -> Result<bool, Next> {
        if !ctx.session.dsn_advertised {
            return Ok(true);
        }
        if ctx.message.dsn_envid.is_some() {
            return Err(self.syntax(ctx, "ENVID can be specified once only"));
        }
        ctx.message.dsn_envid = Some(Text::tainted(value));
        Ok(true)
    }

    /// AUTH=: taken over only from a peer that has authenticated, or that the ACL trusts.
    fn auth_parameter(&mut self, ctx: &mut Context, value: &[u8]) -> Result<bool, Next> {
        if value == b"<>" {
            return Ok(true);
        }
        // A decoded value with control characters in it has no business in a spool file or a log (CVE-2020-28021).
        let decoded = parse::xtext::decode(value).filter(|v| !v.iter().any(u8::is_ascii_control));
        let Some(decoded) = decoded else {
            return Err(self.syntax(ctx, "invalid data for AUTH"));
        };
        ctx.message.authenticated_sender = Some(Text::tainted(decoded));
        let mut ignored: String;
        let ok = match ctx.config.main.acl_smtp_mailauth.get().cloned() {
            None => {
                ignored = "client not authenticated".into();
                ctx.session.authenticated_by.is_some()
            }
            Some(list) => {
                ignored = "rejected by ACL".into();
                let result = acl::check(ctx, Where::Mailauth, None, &list);
                match result.verdict {
                    Verdict::Ok => true,
                    Verdict::Fail => false,
                    _ => return Err(self.refuse(ctx, Where::Mailauth, result)),
                }
            }
        };
        if ok {
            let by = ctx.session.authenticated_by.clone();
            let auth = by.and_then(|n| ctx.config.auths.iter().find(|a| a.name == n).cloned());
            let Some((auth, cond)) = auth.and_then(|a| a.generic.server_mail_auth_condition.get().cloned().map(|c| (a, c)))
            else {
                return Ok(true);
            };
            if super::ehlo::condition(ctx, &cond, &auth.name) {
                return Ok(true);
            }
            ignored = "server_mail_auth_condition failed".into();
            if let Some(id) = &ctx.session.authenticated_id {
                ignored = format!("{ignored}: authenticated ID=\"{id}\"");
            }
        }
        ctx.message.authenticated_sender = None;
        let shown = answer::printable(ctx, value);
        let line = format!("ignoring AUTH={shown} from {} ({ignored})", host_and_ident(ctx, true));
        log::write(ctx, None, Which::MAIN, line.as_bytes());
        Ok(true)
    }

    fn sender(&mut self, ctx: &mut Context, argument: &[u8]) -> Next {
        let given = crate::receive::rewriting::smtp_time(ctx, argument, false);
        let mut rules = parse::Rules::new(&ctx.config.main).with_null();
        rules.allow_utf8_domains |= ctx.message.smtputf8;
        let found = match parse::extract_address(&mut rules, &given) {
            Ok(f) => f,
            Err(e) => {
                let next = self.mistake(ctx, Selector::SmtpSyntaxError, 501, Some(argument), &e);
                return next;
            }
        };
        let address = Text::tainted(found.address.clone());
        let limit = self.size_limit;
        let declared = ctx.message.declared_size;
        if limit > 0 && declared.is_some_and(|n| n > limit as u64) {
            self.reply(ctx, "552 Message size exceeds maximum permitted");
            let n = declared.unwrap_or(0);
            let line = format!(
                "rejected MAIL FROM:<{address}> {}: message too big: size{}={n} max={limit}",
                host_and_ident(ctx, true),
                if n == SIZE_MAX { ">" } else { "" },
            );
            log::write(ctx, Some(Selector::SizeReject), Which::MAIN.and(Which::REJECT), line.as_bytes());
            return Next::Command;
        }
        let need = match declared {
            Some(n) if ctx.config.main.smtp_check_spool_space => n.saturating_add(5000),
            _ => 0,
        };
        if !crate::receive::space::enough(ctx, need) {
            self.reply(ctx, "452 Space shortage, please try later");
            return Next::Command;
        }
        let mut sender = address.clone();
        if !found.is_qualified() && !address.is_empty() {
            if ctx.session.allow_unqualified_sender {
                sender = crate::receive::rewriting::qualify(ctx, &address, false);
            } else {
                let mut text = BString::from("501 ");
                text.extend_from_slice(argument);
                text.extend_from_slice(b": sender address must contain a domain");
                self.reply(ctx, text);
                let line =
                    format!("unqualified sender rejected: <{address}> {}{}", host_and_ident(ctx, true), host_lookup_text(ctx));
                log::write(ctx, Some(Selector::SmtpSyntaxError), Which::MAIN.and(Which::REJECT), line.as_bytes());
                return Next::Command;
            }
        }
        ctx.message.sender = Some(sender);
        let mut result = None;
        if let Some(list) = ctx.config.main.acl_smtp_mail.get().cloned() {
            let r = acl::check(ctx, Where::Mail, None, &list);
            if r.verdict == Verdict::Ok && !ctx.session.pipelining_advertised && !self.in_sync(ctx) {
                return self.sync_failure(ctx);
            }
            result = Some(r);
        }
        if let Some(r) = result.take_if(|r| !matches!(r.verdict, Verdict::Ok | Verdict::Discard)) {
            let next = self.refuse(ctx, Where::Mail, r);
            ctx.message.sender = None;
            ctx.message.raw_sender = None;
            return next;
        }
        self.note_pipelining(ctx);
        let prdr = if ctx.message.prdr { ", PRDR Requested" } else { "" };
        let (verdict, message, logged) = result.map_or((Verdict::Ok, None, None), |r| (r.verdict, r.user_message, r.log_message));
        match message {
            None => self.reply(ctx, format!("250 OK{prdr}")),
            Some(mut m) => {
                m.push_bytes(prdr.as_bytes());
                self.user_message(ctx, "250", &m);
            }
        }
        ctx.message.recipients_discarded = verdict == Verdict::Discard;
        if ctx.message.recipients_discarded {
            self.discard_note = Some("MAIL");
            self.discard_message = logged;
        }
        self.was_rejected_mail = false;
        if let Some(r) = self.rcpt_rate.as_mut() {
            r.restart();
        }
        Next::Command
    }

    /// Input that lies ready although the answer has not gone out shows that the peer makes use of PIPELINING.
    pub fn note_pipelining(&self, ctx: &mut Context) {
        if ctx.session.pipelining_advertised && !ctx.session.pipelining_used && ctx.session.sent_early() {
            ctx.session.pipelining_used = true;
        }
    }

    /// The transaction is given up (used by commands that begin another one).
    pub fn abandon(&mut self, ctx: &mut Context, why: &str) {
        report::incomplete_transaction(ctx, why);
        self.new_transaction(ctx);
    }
}

/// ` (failed to find host name from IP address)` and its like, for lines about unqualified addresses.
pub fn host_lookup_text(ctx: &Context) -> &'static str {
    match ctx.session.host_name {
        crate::context::session::HostName::Failed => " (failed to find host name from IP address)",
        crate::context::session::HostName::Deferred => " (host lookup deferred)",
        _ => "",
    }
}

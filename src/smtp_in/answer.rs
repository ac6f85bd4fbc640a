//! Answers: their form on the wire, codes given by administrators, error counts, and what follows a refusing ACL.
//!
//! Every answer of a session goes through here. Only the smtp_in and receive rooms call it.

use bstr::{BString, ByteSlice};

use super::Next;
use super::server::Server;
use crate::acl::{AclResult, Verdict, Where};
use crate::context::Context;
use crate::context::names::host_and_ident;
use crate::log::{self, Selector, Which};
use crate::text::Text;

/// Puts bytes on the line; nothing happens when there is none.
pub fn put(ctx: &mut Context, bytes: &[u8]) {
    if ctx.run.debug != 0 && !ctx.run.host_checking {
        crate::log::debug!(ctx, RECEIVE, "SMTP>> {}", bytes.trim_end().as_bstr());
    }
    if let Some(wire) = ctx.session.wire.as_mut() {
        wire.send(bytes);
    }
}

/// The printable form of bytes, as log lines have it.
pub fn printable(ctx: &Context, bytes: &[u8]) -> BString {
    log::escape::printing(bytes, ctx.config.site.log.topbit)
}

/// Does a text of an administrator begin with a code (`550 ` or `550 5.1.1 `)? Gives the length of the code with the
/// space after it.
pub fn code_length(text: &[u8]) -> Option<usize> {
    let digits = |s: &[u8]| s.iter().take_while(|c| c.is_ascii_digit()).count();
    if digits(text) != 3 || !text.get(3).is_some_and(|c| c.is_ascii_whitespace()) {
        return None;
    }
    let mut at = 4;
    let mut rest = text.get(4..).unwrap_or_default();
    for (i, most) in [(0, 1), (1, 3), (2, 3)] {
        let n = digits(rest);
        if n == 0 || n > most {
            return Some(4);
        }
        let end = if i < 2 { rest.get(n) == Some(&b'.') } else { rest.get(n).is_some_and(|c| c.is_ascii_whitespace()) };
        if !end {
            return Some(4);
        }
        at += n + 1;
        rest = rest.get(n + 1..).unwrap_or_default();
    }
    Some(at)
}

/// Takes a code from the front of `message`. A code of the wrong kind is refused, and stays in front of the log message.
pub fn message_code(ctx: &Context, code: &mut BString, message: &mut Text, log_message: Option<&mut Option<Text>>, check: bool) {
    let Some(n) = code_length(message) else { return };
    let rest = message.piece(message.get(n..).unwrap_or_default());
    if check && message.first() != code.first() {
        let text = format!(
            "configured error code starts with incorrect digit (expected {}) in \"{message}\"",
            code.first().map_or('?', |c| char::from(*c))
        );
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        if let Some(l) = log_message
            && l.as_ref() == Some(message)
        {
            let mut changed = Text::clean(code.trim_end());
            changed.push_bytes(b" ");
            changed.push(&rest);
            *l = Some(changed);
        }
    } else {
        *code = message.get(..n).unwrap_or_default().into();
    }
    *message = rest;
}

/// Answers of the RCPT commands of one transaction, kept for the explanation at DATA.
#[derive(Debug, Default)]
pub struct RcptAnswers {
    in_progress: bool,
    first: Option<BString>,
    differ: bool,
}

impl RcptAnswers {
    /// A RCPT command is being answered.
    pub fn begin(&mut self) {
        self.in_progress = true;
    }
    fn note(&mut self, text: &[u8]) {
        if !std::mem::take(&mut self.in_progress) {
            return;
        }
        match &self.first {
            None => self.first = Some(text.into()),
            Some(f) => self.differ |= f != text,
        }
    }
    /// The text that all RCPT commands were answered with.
    pub fn same(&self) -> Option<&BString> {
        self.first.as_ref().filter(|_| !self.differ)
    }
}

impl Server {
    /// A whole answer of our own, one or more lines without the last CRLF.
    pub fn reply(&mut self, ctx: &mut Context, text: impl AsRef<[u8]>) {
        let mut line = text.as_ref().to_vec();
        line.extend_from_slice(b"\r\n");
        self.rcpt_answers.note(&line);
        put(ctx, &line);
    }

    /// An answer with a text that may have several lines. `code` may carry an extended code: `550 5.1.1 `.
    pub fn respond(&mut self, ctx: &mut Context, code: &[u8], last: bool, message: &[u8]) {
        if !last && ctx.session.no_multiline_responses {
            return;
        }
        let basic = code.get(..3).unwrap_or(code);
        let extended = code.get(4..).unwrap_or_default();
        self.rcpt_answers.note(message);
        let mut rest = message;
        let mut out = Vec::new();
        loop {
            let newline = rest.find_byte(b'\n');
            let is_end = newline.is_none_or(|at| at + 1 == rest.len() || ctx.session.no_multiline_responses);
            let text = newline.map_or(rest, |at| rest.get(..at).unwrap_or_default());
            out.extend_from_slice(basic);
            out.push(if is_end && last { b' ' } else { b'-' });
            out.extend_from_slice(extended);
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
            if is_end {
                break;
            }
            rest = rest.get(newline.map_or(0, |at| at + 1)..).unwrap_or_default().trim_ascii_start();
        }
        put(ctx, &out);
    }

    /// A text of the administrator, who may have put another code in front of it.
    pub fn user_message(&mut self, ctx: &mut Context, code: &str, message: &Text) {
        let mut code = BString::from(code);
        let mut message = message.clone();
        message_code(ctx, &mut code, &mut message, None, true);
        self.respond(ctx, &code, true, &message);
    }

    /// `250 text`, or what the ACL's `message` says.
    pub fn accept(&mut self, ctx: &mut Context, code: &str, default: &str, message: Option<&Text>) {
        match message {
            Some(m) => self.user_message(ctx, code, m),
            None => self.reply(ctx, format!("{code} {default}")),
        }
    }

    /// A mistake of the peer in syntax or order: logged, counted, answered. Too many end the session.
    pub fn mistake(&mut self, ctx: &mut Context, selector: Selector, code: u16, data: Option<&[u8]>, text: &str) -> Next {
        let kind = if selector == Selector::SmtpSyntaxError { "syntax" } else { "protocol" };
        let line = format!("SMTP {kind} error in \"{}\" {} {text}", printable(ctx, &self.line.text), host_and_ident(ctx, true));
        log::write(ctx, Some(selector), Which::MAIN, line.as_bytes());
        let _ = crate::event::raise(ctx, &format!("smtp:fail:{kind}"), &Text::tainted(text.as_bytes().to_vec()));
        self.mistakes += 1;
        let too_many = i64::from(self.mistakes) > ctx.config.main.smtp_max_synprot_errors.0;
        if too_many {
            self.log_too_many_mistakes(ctx);
        }
        if code > 0 {
            let mut out = format!("{code}{}", if too_many { '-' } else { ' ' }).into_bytes();
            if let Some(d) = data {
                out.extend_from_slice(d);
                out.extend_from_slice(b": ");
            }
            out.extend_from_slice(text.as_bytes());
            self.reply(ctx, out);
            if too_many {
                self.reply(ctx, format!("{code} Too many syntax or protocol errors"));
            }
        }
        if too_many { Next::Close } else { Next::Command }
    }

    /// The line that says that the session is dropped for its mistakes.
    pub fn log_too_many_mistakes(&mut self, ctx: &mut Context) {
        let line = format!(
            "SMTP call from {} dropped: too many syntax or protocol errors (last command was \"{}\", {})",
            host_and_ident(ctx, false),
            printable(ctx, &self.line.text),
            super::report::history(ctx)
        );
        log::write(ctx, None, Which::MAIN.and(Which::REJECT), line.as_bytes());
    }

    /// What follows when an ACL does not accept: the answer, the log line, and the end of the session for `drop`.
    pub fn refuse(&mut self, ctx: &mut Context, place: Where, result: AclResult) -> Next {
        let dropped = result.verdict == Verdict::FailDrop;
        let fail = matches!(result.verdict, Verdict::Fail | Verdict::FailDrop);
        let AclResult { mut user_message, mut log_message, .. } = result;
        let mut code = BString::from(if fail || place == Where::Atrn { default_code(place) } else { "451" });
        if let Some(m) = user_message.as_mut() {
            message_code(ctx, &mut code, m, Some(&mut log_message), place != Where::Vrfy);
        }
        let what = self.rejected_what(ctx, place);
        let sender = match place {
            Where::Rcpt | Where::Data | Where::Mime | Where::Prdr => sender_for_log(ctx),
            _ => BString::default(),
        };
        self.tell_of_sender(ctx, &code, fail);

        if fail {
            let text = user_message.as_deref().unwrap_or(b"Administrative prohibition");
            self.respond(ctx, &code, true, text);
        } else if ctx.acl.temp_details
            && let Some(text) = &user_message
        {
            if ctx.config.main.smtp_return_error_details
                && let Some(m) = ctx.acl.sender_verify_failed.as_ref().and_then(|f| f.message.clone())
            {
                self.respond(ctx, &code, false, &m);
            }
            self.respond(ctx, &code, true, text);
        } else {
            self.respond(ctx, &code, true, b"Temporary local problem - please try later");
        }

        let target = match ctx.acl.log_reject_target {
            None => Some(Which::MAIN.and(Which::REJECT)),
            Some(t) => t,
        };
        if let Some(which) = target {
            let mut line = BString::default();
            if log::selected(ctx, Selector::Dnssec) && ctx.session.host_dnssec {
                line.extend_from_slice(b" DS");
            }
            line.extend_from_slice(&host_and_ident(ctx, true));
            line.extend_from_slice(&super::report::tls_fields(ctx));
            line.push(b' ');
            line.extend_from_slice(&sender);
            if !fail {
                line.extend_from_slice(b"temporarily ");
            }
            line.extend_from_slice(b"rejected ");
            line.extend_from_slice(&what);
            if let Some(m) = &log_message {
                line.extend_from_slice(b": ");
                line.extend_from_slice(m.split_str(b"\n").next().unwrap_or_default());
            }
            let selector = (place == Where::Connect).then_some(Selector::ConnectionReject);
            log::write(ctx, selector, which, &line);
        }
        if !dropped {
            return Next::Command;
        }
        super::report::closed(ctx, "by DROP in ACL");
        self.not_quit(ctx, Some("acl-drop"), None);
        Next::End
    }

    fn rejected_what(&self, ctx: &Context, place: Where) -> BString {
        let fixed = match place {
            Where::Mime => "during MIME ACL checks",
            Where::Predata => "DATA",
            Where::Data => "after DATA",
            Where::Prdr => "after DATA PRDR",
            Where::Connect => "connection in \"connect\" ACL",
            _ => {
                let mut argument = self.line.argument.as_slice();
                if place == Where::Auth {
                    let end = argument.find_byteset(b" \t").unwrap_or(argument.len());
                    argument = argument.get(..end).unwrap_or_default();
                }
                let _ = ctx;
                let mut out = BString::from(place.name());
                out.push(b' ');
                out.extend_from_slice(argument.get(..100).unwrap_or(argument));
                return out;
            }
        };
        fixed.into()
    }

    /// A failed sender verification has its own line in the log and, once, in the answer.
    fn tell_of_sender(&mut self, ctx: &mut Context, code: &[u8], fail: bool) {
        let Some(failed) = ctx.acl.sender_verify_failed.as_mut().filter(|f| !f.told) else { return };
        failed.told = true;
        let failed = failed.clone();
        let in_progress = std::mem::take(&mut self.rcpt_answers.in_progress);
        if !fail || log::selected(ctx, Selector::SenderVerifyFail) {
            let mut line = host_and_ident(ctx, true);
            line.extend_from_slice(if failed.deferred { b" sender verify defer for <" } else { b" sender verify fail for <" });
            line.extend_from_slice(&failed.address);
            line.push(b'>');
            if let Some(m) = &failed.message {
                line.extend_from_slice(b": ");
                line.extend_from_slice(m);
            }
            log::write(ctx, None, Which::MAIN.and(Which::REJECT), &line);
        }
        if fail && let Some(m) = &failed.user_message {
            let a = &failed.address;
            let text: Vec<u8> = if failed.postmaster_failed {
                [b"Postmaster verification failed while checking <", a.as_bytes(), b">\n", m, POSTMASTER].concat()
            } else if failed.null_sender_failed {
                [b"Callback setup failed while verifying <", a.as_bytes(), b">\n", m, NULL_SENDER].concat()
            } else {
                [b"Verification failed for <", a.as_bytes(), b">\n", m].concat()
            };
            self.respond(ctx, code, false, &text);
        }
        self.rcpt_answers.in_progress = in_progress;
    }

    /// The end of a session other than by QUIT: the not-QUIT ACL runs (once), and the peer may be told.
    pub fn not_quit(&mut self, ctx: &mut Context, reason: Option<&str>, answer: Option<(&str, &str)>) {
        if std::mem::replace(&mut self.exit_done, true) {
            return;
        }
        let mut message = None;
        if let Some(reason) = reason
            && let Some(acl) = ctx.config.main.acl_smtp_notquit.get().cloned()
        {
            ctx.session.notquit_reason = Some(reason.into());
            let r = crate::acl::check(ctx, Where::Notquit, None, &acl);
            if r.verdict == Verdict::Error {
                let why = r.log_message.unwrap_or_default();
                let line = format!("ACL for not-QUIT returned ERROR: {why}");
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            }
            message = r.user_message;
        }
        if let Some((code, text)) = answer {
            match message {
                Some(m) => self.respond(ctx, code.as_bytes(), true, &m),
                None => self.reply(ctx, format!("{code} {text}")),
            }
            super::flush(ctx);
        }
    }
}

const POSTMASTER: &[u8] = b"\nSeveral RFCs state that you are required to have a postmaster\n\
mailbox for each mail domain. This host does not accept mail\n\
from domains whose servers reject the postmaster address.";

const NULL_SENDER: &[u8] = b"\nThe initial connection, or a HELO or MAIL FROM:<> command was\n\
rejected. Refusing MAIL FROM:<> does not help fight spam, disregards\n\
RFC requirements, and stops you from receiving standard bounce\n\
messages. This host does not accept mail from domains whose servers\n\
refuse bounces.";

/// `F=<sender> A=authenticator:id `, as rejections after RCPT and DATA have it.
pub fn sender_for_log(ctx: &Context) -> BString {
    let m = &ctx.message;
    let mut out = BString::from("F=<");
    out.extend_from_slice(m.raw_sender.as_ref().or(m.sender.as_ref()).map_or(&b""[..], |s| s.as_bytes()));
    out.push(b'>');
    if let Some(a) = &ctx.session.authenticated_by {
        out.extend_from_slice(b" A=");
        out.extend_from_slice(a);
        if let Some(id) = &ctx.session.authenticated_id {
            out.push(b':');
            out.extend_from_slice(id);
        }
    }
    out.push(b' ');
    out
}

fn default_code(place: Where) -> &'static str {
    match place {
        Where::Auth => "503",
        Where::Etrn => "458",
        Where::Atrn => "450",
        Where::Vrfy => "252",
        _ => "550",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_in_messages() {
        assert_eq!(code_length(b"550 No"), Some(4));
        assert_eq!(code_length(b"550 5.1.123 No"), Some(12));
        assert_eq!(code_length(b"550 5.1234.1 No"), Some(4));
        assert_eq!(code_length(b"5501 No"), None);
        assert_eq!(code_length(b"550"), None);
    }
}

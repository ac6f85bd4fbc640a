//! HELO and EHLO: syntax of the name, its verification, the ACL. What EHLO offers is in `ehlo.rs`.

use bstr::{BString, ByteSlice};

use super::server::{Server, VerifyHelo};
use super::{Next, answer};
use crate::acl::{self, Verdict, Where};
use crate::context::Context;
use crate::context::names::host_and_ident;
use crate::context::session::{HostName, Input};
use crate::log::{self, Which};
use crate::matching::{Match, Subject};
use crate::text::Text;
use crate::verify::{self, Outcome};

impl Server {
    /// HELO or EHLO.
    pub fn helo(&mut self, ctx: &mut Context, extended: bool) -> Next {
        self.had(ctx);
        let hello = if extended { "EHLO" } else { "HELO" };
        ctx.session.esmtp = extended;
        self.free.helo = false;

        if !self.take_name(ctx) {
            return self.bad_name(ctx, hello);
        }
        if ctx.session.host_address.is_some() && !ctx.session.host_unknown {
            self.look_up_host(ctx);
            if let Some(next) = self.verify_name(ctx, hello) {
                return next;
            }
        }
        let mut message = None;
        if let Some(list) = ctx.config.main.acl_smtp_helo.get().cloned() {
            let result = acl::check(ctx, Where::Helo, None, &list);
            if result.verdict != Verdict::Ok {
                let next = self.refuse(ctx, Where::Helo, result);
                ctx.session.helo_name = None;
                return next;
            }
            message = result.user_message;
        }

        self.auth_advertised = None;
        self.tls_advertised = false;
        self.smtputf8_advertised = false;
        self.requiretls_advertised = false;
        self.wellknown_advertised = false;
        self.xclient_advertised = false;
        ctx.session.pipelining_advertised = false;
        ctx.session.dsn_advertised = false;
        ctx.session.early_pipe_advertised = false;

        let (code, first) = self.greeting(ctx, message);
        let mut out = Vec::new();
        if extended {
            out.extend_from_slice(&code);
            out.push(b'-');
            out.extend_from_slice(&first);
            out.extend_from_slice(b"\r\n");
            self.offers(ctx, &code, &mut out);
        } else {
            out.extend_from_slice(&code);
            out.push(b' ');
            out.extend_from_slice(&first);
            out.extend_from_slice(b"\r\n");
        }
        answer::put(ctx, &out);
        self.helo_seen = true;
        set_protocol(ctx);
        self.new_transaction(ctx);
        Next::Command
    }

    /// The code and the rest of the first line of the answer.
    fn greeting(&mut self, ctx: &mut Context, message: Option<Text>) -> (BString, BString) {
        let s = &ctx.session;
        let Some(mut message) = message else {
            let mut line = s.active_hostname.clone();
            line.extend_from_slice(b" Hello ");
            if let Some(ident) = &s.ident {
                line.extend_from_slice(ident);
                line.extend_from_slice(b" at ");
            }
            match &s.host_name {
                HostName::Found(n) => line.extend_from_slice(n),
                _ => line.extend_from_slice(s.helo_name.as_deref().unwrap_or_default()),
            }
            if let Some(a) = &s.host_address {
                line.extend_from_slice(b" [");
                line.extend_from_slice(a);
                line.push(b']');
            }
            return ("250".into(), line);
        };
        let mut code = BString::from("250 ");
        answer::message_code(ctx, &mut code, &mut message, None, true);
        let mut text = BString::from(code.get(4..).unwrap_or_default());
        text.extend_from_slice(&message);
        if let Some(at) = text.find_byteset(b"\r\n") {
            let shown = answer::printable(ctx, &text);
            let line = format!(
                "EHLO/HELO response must not contain newlines: message truncated: {} {shown}",
                code.get(..3).unwrap_or(b"250").as_bstr()
            );
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            text.truncate(at);
        }
        (code.get(..3).unwrap_or(b"250").into(), text)
    }

    /// Takes the name from the command if its syntax will do; else an earlier one stays.
    fn take_name(&mut self, ctx: &mut Context) -> bool {
        let name = self.line.argument.trim();
        let allowed = ctx.config.main.helo_allow_chars.raw().unwrap_or_default();
        // No name at all is junk, too.
        let good = self.helo_accept_junk || !name.is_empty() && valid_name(name, allowed);
        if good {
            ctx.session.helo_name = Some(Text::tainted(name));
        }
        good
    }

    fn bad_name(&mut self, ctx: &mut Context, hello: &str) -> Next {
        self.reply(ctx, format!("501 Syntactically invalid {hello} argument(s)"));
        let argument = &self.line.argument;
        let shown = if argument.is_empty() { BString::from("(no argument given)") } else { answer::printable(ctx, argument) };
        let line = format!("rejected {hello} from {}: syntactically invalid argument(s): {shown}", host_and_ident(ctx, false));
        log::write(ctx, None, Which::MAIN.and(Which::REJECT), line.as_bytes());
        self.mistakes += 1;
        if i64::from(self.mistakes) > ctx.config.main.smtp_max_synprot_errors.0 {
            self.log_too_many_mistakes(ctx);
            return Next::Close;
        }
        Next::Command
    }

    /// helo_lookup_domains: a name that is often forged makes us look up the host's real one.
    fn look_up_host(&mut self, ctx: &mut Context) {
        if matches!(ctx.session.host_name, HostName::Found(_)) {
            return;
        }
        let Some(list) = ctx.config.main.helo_lookup_domains.get().cloned() else { return };
        let Some(name) = ctx.session.helo_name.clone() else { return };
        if crate::matching::match_option(ctx, "helo_lookup_domains", Subject::Domain(&name), &list, None) == Match::Yes {
            crate::matching::host_name_lookup(ctx);
        }
    }

    fn verify_name(&mut self, ctx: &mut Context, hello: &str) -> Option<Next> {
        let was_verified = ctx.session.helo_verified;
        ctx.session.helo_verified = false;
        ctx.session.helo_verify_failed = false;
        ctx.session.helo_dnssec = false;
        if self.verify_helo == VerifyHelo::No {
            return None;
        }
        // The line about it has the host as it was known before.
        let host = host_and_ident(ctx, false);
        let result = verify::helo::verify(ctx);
        if result == Outcome::Ok || self.verify_helo == VerifyHelo::Try {
            if result != Outcome::Ok {
                log::hdebug!(ctx, RECEIVE, "{hello} verification failed but host is in helo_try_verify_hosts");
            }
            return None;
        }
        let temporary = result == Outcome::Defer;
        self.reply(ctx, format!("{} {hello} argument does not match calling host", if temporary { "451" } else { "550" }));
        let name = ctx.session.helo_name.clone().unwrap_or_default();
        let line = format!("{}rejected \"{hello} {name}\" from {host}", if temporary { "temporarily " } else { "" });
        log::write(ctx, None, Which::MAIN.and(Which::REJECT), line.as_bytes());
        ctx.session.helo_verified = was_verified;
        Some(Next::Command)
    }
}

/// Is it a name or an address literal (manual, `helo_accept_junk_hosts`)? `allowed` are further characters.
pub fn valid_name(name: &[u8], allowed: &[u8]) -> bool {
    if let Some(inner) = name.strip_prefix(b"[").and_then(|n| n.strip_suffix(b"]")) {
        let inner = match inner.get(..5) {
            Some(p) if p.eq_ignore_ascii_case(b"ipv6:") || p.eq_ignore_ascii_case(b"ipv4:") => inner.get(5..).unwrap_or_default(),
            _ => inner,
        };
        return inner.to_str().is_ok_and(|s| s.parse::<std::net::IpAddr>().is_ok());
    }
    !name.is_empty() && name.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-') || allowed.contains(c))
}

/// `$received_protocol` of the session as it stands: `esmtpsa` and its like.
pub fn set_protocol(ctx: &mut Context) {
    let s = &mut ctx.session;
    let mut name = String::new();
    // A batch comes from a file here, whatever host `-oMa` names.
    if s.host_address.is_none() || s.input == Input::BatchedSmtp {
        name.push_str("local-");
    }
    // With the selector tls_on_connect such sessions are told apart: `essmtp`.
    let secure = s.tls_in.cipher.is_some();
    let on_connect = secure && s.tls_in.on_connect && ctx.config.site.log.selectors.has(log::Selector::TlsOnConnect);
    name.push_str(match (s.input, s.esmtp, on_connect) {
        (Input::BatchedSmtp, ..) => "bsmtp",
        (_, true, true) => "essmtp",
        (_, true, false) => "esmtp",
        (_, false, true) => "ssmtp",
        (_, false, false) => "smtp",
    });
    if secure && !on_connect {
        name.push('s');
    }
    if secure && ctx.message.requiretls {
        // The `s` that stands for TLS becomes `S`.
        if let Some(at) = name.rfind('s') {
            name.replace_range(at..=at, "S");
        }
    }
    // The manual has no `smtpa`.
    if s.authenticated_by.is_some() && s.esmtp {
        name.push('a');
    }
    s.received_protocol = Some(name.into());
}

#[cfg(test)]
mod tests {
    use super::valid_name;

    #[test]
    fn names() {
        for good in ["a.b-c", "[1.2.3.4]", "[IPv6:::1]", "[::1]"] {
            assert!(valid_name(good.as_bytes(), b""), "{good}");
        }
        for bad in ["", "a_b", "::1", "[1.2.3]", "[1.2.3.4", "a b"] {
            assert!(!valid_name(bad.as_bytes(), b""), "{bad}");
        }
        assert!(valid_name(b"a_b", b"_"));
    }
}

//! AUTH: choice of the authenticator, its dialogue, and what a success or failure means for the session.

use bstr::{BString, ByteSlice};

use super::server::Server;
use super::wire::InputEnd;
use super::{Next, command, helo};
use crate::acl::{self, Verdict, Where};
use crate::auths::{AuthInstance, AuthResult, ServerDialogue, check};
use crate::context::Context;
use crate::context::names::host_and_ident;
use crate::expand;
use crate::log::{self, Selector, Which};
use crate::text::Text;

/// Challenges go out and answers come in over the session's line.
struct Dialogue {
    /// The line ended in the middle.
    ended: Option<InputEnd>,
}

impl ServerDialogue for Dialogue {
    fn prompt(&mut self, ctx: &mut Context, text: &[u8]) -> Result<Vec<u8>, AuthResult> {
        super::answer::put(ctx, &[b"334 ", text, b"\r\n"].concat());
        let Some(wire) = ctx.session.wire.as_mut() else { return Err(AuthResult::Cancelled) };
        match command::read_line(wire) {
            Err(end) => {
                self.ended = Some(end);
                Err(AuthResult::Cancelled)
            }
            Ok(line) if line.too_long || line.had_nul => Err(AuthResult::Bad64),
            Ok(line) if line.text == "*" => Err(AuthResult::Cancelled),
            Ok(line) => check::decode(&line.text).ok_or(AuthResult::Bad64),
        }
    }
}

impl Server {
    /// AUTH
    pub fn auth(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        ctx.session.authentication_failed = true;
        self.free.auth = false;
        let unadvertised = ctx.session.allow_auth_unadvertised;
        let wrong = if self.auth_advertised.is_none() && !unadvertised {
            Some("AUTH command used when not advertised")
        } else if ctx.session.authenticated_by.is_some() {
            Some("already authenticated")
        } else if ctx.message.sender.is_some() {
            Some("not permitted in mail transaction")
        } else {
            None
        };
        if let Some(text) = wrong {
            return self.mistake(ctx, Selector::SmtpProtocolError, 503, None, text);
        }
        if let Some(list) = ctx.config.main.acl_smtp_auth.get().cloned() {
            let result = acl::check(ctx, Where::Auth, None, &list);
            if result.verdict != Verdict::Ok {
                return self.refuse(ctx, Where::Auth, result);
            }
        }
        let argument = self.line.argument.clone();
        let end = argument.find_byteset(b" \t").unwrap_or(argument.len());
        let (name, rest) = argument.split_at(end);
        if !name.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_')) {
            let text = "invalid character in authentication mechanism name";
            return self.mistake(ctx, Selector::SmtpSyntaxError, 501, None, text);
        }
        let config = ctx.config.clone();
        let found = config.auths.iter().enumerate().find(|(i, a)| {
            a.server
                && a.driver.is_mechanism()
                && a.generic.public_name.raw().is_some_and(|n| n.eq_ignore_ascii_case(name))
                && (unadvertised || self.auth_advertised.as_ref().is_some_and(|s| s.get(*i) == Some(&true)))
        });
        let Some((_, auth)) = found else {
            let text = format!("{} authentication mechanism not supported", name.as_bstr());
            return self.mistake(ctx, Selector::SmtpProtocolError, 504, None, &text);
        };
        let mut dialogue = Dialogue { ended: None };
        let outcome = run(ctx, auth, rest.trim_ascii(), &mut dialogue);
        if let Some(end) = dialogue.ended {
            return self.input_ended(ctx, &end);
        }
        self.reply(ctx, &outcome.answer);
        if !outcome.ok {
            let line = match self.fail_event(ctx, auth.name.clone(), outcome.logged.as_ref()) {
                Some(text) => text,
                None => BString::from(format!(
                    "{} authenticator failed for {}: {}",
                    auth.name,
                    host_and_ident(ctx, true),
                    outcome.logged
                )),
            };
            log::write(ctx, None, Which::MAIN.and(Which::REJECT), &line);
        }
        Next::Command
    }

    /// `tls` authenticators: tried once when TLS has begun, if the client has shown a certificate.
    pub fn tls_auth(&mut self, ctx: &mut Context) {
        if !std::mem::take(&mut self.tls_auth_due) || ctx.session.tls_in.peer_cert.is_none() {
            return;
        }
        let config = ctx.config.clone();
        let Some(auth) = config.auths.iter().find(|a| a.driver_name == "tls" && a.server) else { return };
        if let Some(list) = config.main.acl_smtp_auth.get()
            && acl::check(ctx, Where::Auth, None, list).verdict != Verdict::Ok
        {
            return;
        }
        let outcome = run(ctx, auth, b"", &mut Dialogue { ended: None });
        if !outcome.ok {
            log::debug!(ctx, AUTH, "tls auth not succeeded: {}", outcome.logged);
        }
    }

    /// The event `auth:fail`. What its action gives is logged instead of our line.
    fn fail_event(&self, ctx: &mut Context, authenticator: BString, logged: &[u8]) -> Option<BString> {
        let config = ctx.config.clone();
        let action = config.main.event_action.get()?;
        // The action sees the answer as data, and the identity in the form in which it is logged.
        let at = logged.find(" (set_id=").unwrap_or(logged.len());
        let (data, id) = logged.split_at(at);
        let by = ctx.session.authenticated_by.replace(authenticator);
        let failed = ctx.session.authenticated_fail_id.replace(crate::text::Text::tainted(id));
        let said = crate::deliver::raise_event(ctx, Some(action), "auth:fail", data, 0);
        ctx.session.authenticated_by = by;
        ctx.session.authenticated_fail_id = failed;
        said.map(|t| BString::from(t.into_bytes()))
    }
}

/// What an authentication came to.
pub struct Outcome {
    /// It succeeded.
    pub ok: bool,
    /// The answer to the peer, with code.
    pub answer: BString,
    /// The same for the log, with more in it.
    pub logged: BString,
}

/// Runs an authenticator's server side; `initial` is the rest of the AUTH command, still in base64. Also used for `tls`
/// authenticators, with no data.
pub fn run(ctx: &mut Context, auth: &AuthInstance, initial: &[u8], dialogue: &mut dyn ServerDialogue) -> Outcome {
    ctx.session.auth_vars = Default::default();
    ctx.scratch.numeric.clear();
    let initial = match initial {
        b"" => Ok(None),
        _ if !auth.driver.takes_initial() => Err(AuthResult::Unexpected),
        b"=" => Ok(Some(Vec::new())),
        text => check::decode(text).map(Some).ok_or(AuthResult::Bad64),
    };
    let result = match initial {
        Ok(data) => auth.serve(ctx, data, dialogue),
        Err(bad) => bad,
    };
    if let Some(t) = auth.generic.server_debug_print.get()
        && ctx.run.debug != 0
        && let Ok(text) = expand::expand(ctx, t)
    {
        log::debug!(ctx, AUTH, "{}", text.as_bstr());
    }
    let id = auth.generic.server_set_id.get().map(|t| expand::expand(ctx, t));
    ctx.scratch.numeric.clear();
    ctx.session.auth_vars = Default::default();
    conclude(ctx, auth, result, id)
}

fn conclude(
    ctx: &mut Context,
    auth: &AuthInstance,
    result: AuthResult,
    id: Option<Result<Text, expand::ExpandError>>,
) -> Outcome {
    // The id goes into the spool file and log lines: nothing unprintable may be in it.
    let topbit = ctx.config.site.log.topbit;
    let printable = |t: &Text| t.piece(log::escape::printing(t, topbit));
    let set_id = id.as_ref().and_then(|r| r.as_ref().ok()).map(printable);
    let failed_id = match &id {
        Some(Err(e)) => Some(e.to_string()),
        _ => None,
    };
    let shown = match &set_id {
        Some(i) if !i.is_empty() => format!(" (set_id={i})"),
        _ => String::new(),
    };
    let data_refused = matches!(result, AuthResult::Bad64 | AuthResult::Cancelled | AuthResult::Unexpected);
    let outcome = |answer: String, logged: String| Outcome { ok: false, answer: answer.into(), logged: logged.into() };
    let out = match (result, failed_id) {
        (AuthResult::Ok, None) => {
            if let Some(i) = set_id {
                ctx.session.authenticated_id = Some(i);
            }
            ctx.session.authenticated_by = Some(auth.name.clone());
            ctx.session.auth_public_name = auth.generic.public_name.raw().map(Into::into);
            ctx.session.authentication_failed = false;
            ctx.session.authenticated_fail_id = None;
            helo::set_protocol(ctx);
            let text = BString::from("235 Authentication succeeded");
            return Outcome { ok: true, answer: text.clone(), logged: text };
        }
        (AuthResult::Ok, Some(why)) => {
            let text = "435 Unable to authenticate at present".to_string();
            outcome(text.clone(), format!("{text}{shown}: {why}"))
        }
        (AuthResult::Defer { user, log }, _) => {
            let user = user.map_or(String::new(), |u| format!(": {u}"));
            outcome(
                format!("435 Unable to authenticate at present{user}"),
                format!("435 Unable to authenticate at present{shown}: {log}"),
            )
        }
        (AuthResult::Bad64, _) => outcome("501 Invalid base64 data".into(), "501 Invalid base64 data".into()),
        (AuthResult::Cancelled, _) => outcome("501 Authentication cancelled".into(), "501 Authentication cancelled".into()),
        (AuthResult::Unexpected, _) => outcome("553 Initial data not expected".into(), "553 Initial data not expected".into()),
        (AuthResult::Fail(_), _) => {
            outcome("535 Incorrect authentication data".into(), format!("535 Incorrect authentication data{shown}"))
        }
        (AuthResult::Error(why), _) => {
            let line = format!("{} authenticator: {why}", auth.name);
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            outcome("435 Internal error".into(), format!("435 Internal error{shown}: {why}"))
        }
    };
    if let Some(i) = set_id.filter(|_| !data_refused) {
        ctx.session.authenticated_fail_id = Some(i);
    }
    out
}

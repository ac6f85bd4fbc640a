//! AUTH towards a server: the configured client authenticators, tried in order.

use bstr::{BString, ByteSlice};

use super::client::{Client, Send};
use super::in_hosts;
use super::trouble::{Fault, Trouble};
use crate::auths::{AuthInstance, ClientAuthResult, ClientDialogue};
use crate::context::Context;
use crate::expand;
use crate::log::{self, Which};
use crate::retry::errors;
use crate::route::HostItem;
use crate::transports::smtp::Smtp;

/// Who we are to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The authenticator's name.
    pub by: BString,
    /// `client_set_id`.
    pub id: Option<BString>,
}

/// Authenticates if the options ask for it. `Ok(None)`: not done, and not needed.
pub fn authenticate(
    ctx: &mut Context,
    smtp: &Smtp,
    host: &HostItem,
    client: &mut Client,
) -> Result<Option<Authenticated>, Trouble> {
    let required = in_hosts(ctx, "hosts_require_auth", &smtp.options.hosts_require_auth, host);
    let mut reason = "server did not advertise AUTH support";
    if let Some(offered) = client.features.auth.clone() {
        reason = "no common mechanisms were found";
        if required || in_hosts(ctx, "hosts_try_auth", &smtp.options.hosts_try_auth, host) {
            let config = ctx.config.clone();
            for inst in config.auths.iter().filter(|a| a.client) {
                let name = inst.generic.public_name.raw().unwrap_or(&inst.name);
                if !offered.iter().any(|m| m.eq_ignore_ascii_case(name)) {
                    continue;
                }
                if !condition(ctx, inst) {
                    continue;
                }
                reason = "authentication attempt(s) failed";
                if let Some(done) = attempt(ctx, host, client, inst)? {
                    return Ok(Some(done));
                }
            }
        }
    }
    if required {
        return Err(Trouble::local(errors::AUTH_FAIL, format!("authentication required but {reason}")));
    }
    Ok(None)
}

/// `client_condition`; one that cannot be expanded is as good as false, and logged.
fn condition(ctx: &mut Context, inst: &AuthInstance) -> bool {
    let Some(t) = inst.generic.client_condition.get() else { return true };
    match expand::expand_condition(ctx, t) {
        Ok(wanted) => wanted,
        Err(expand::ExpandError::Forced(_)) => false,
        Err(e) => {
            let text =
                format!("failed to expand condition \"{}\" for {} client authenticator: {e}", t.raw().as_bstr(), inst.name);
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            false
        }
    }
}

/// One authenticator. `Ok(None)`: try the next one.
fn attempt(
    ctx: &mut Context,
    host: &HostItem,
    client: &mut Client,
    inst: &AuthInstance,
) -> Result<Option<Authenticated>, Trouble> {
    if !client.actions.ends_with('a') {
        client.actions.push('a');
    }
    let mut wire = Dialogue { client, fault: None, last: BString::default() };
    let result = inst.driver.client(ctx, inst, &mut wire);
    let Dialogue { fault, last, .. } = wire;
    if let Some(fault) = fault {
        return Err(client.trouble(fault));
    }
    let note = |ctx: &Context, what: &str, text: &[u8]| {
        let mut line = BString::from(format!("{} authenticator {what} H={} [{}] ", inst.name, host.name, host.address_text));
        line.extend_from_slice(text);
        log::write(ctx, None, Which::MAIN, &line);
    };
    match result {
        ClientAuthResult::Ok => {
            let id = match inst.generic.client_set_id.get() {
                Some(t) => expand::expand(ctx, t).ok().filter(|t| !t.is_empty()).map(|t| BString::from(t.into_bytes())),
                None => None,
            };
            Ok(Some(Authenticated { by: inst.name.clone(), id }))
        }
        ClientAuthResult::Fail(answer) => {
            let answer = if answer.is_empty() { last } else { BString::from(answer) };
            let action = ctx
                .address
                .transport_name
                .clone()
                .and_then(|n| ctx.config.transport(&n).and_then(|t| t.generic.event_action.get().cloned()));
            let saved = ctx.session.authenticated_by.replace(inst.name.clone());
            let said = crate::deliver::raise_event(ctx, action.as_ref(), "auth:fail", &answer, 0);
            ctx.session.authenticated_by = saved;
            if !answer.starts_with(b"5") {
                return Err(client.trouble(Fault::Refused(super::reply::Reply { text: answer })));
            }
            if let Some(text) = said {
                let mut line = BString::from(format!("{}", text));
                let end = line.trim_end().len();
                line.truncate(end);
                log::write(ctx, None, Which::MAIN, &line);
            } else {
                note(ctx, "failed", &answer);
            }
            Ok(None)
        }
        ClientAuthResult::Cancelled(text) => {
            if let Some(text) = text.filter(|t| !t.is_empty()) {
                note(ctx, "cancelled authentication", text.as_bytes());
            }
            Ok(None)
        }
        ClientAuthResult::Error(text) => Err(Trouble::local(errors::AUTH_PROBLEM, text)),
    }
}

/// The authenticator's view of the connection.
struct Dialogue<'a> {
    client: &'a mut Client,
    fault: Option<Fault>,
    last: BString,
}

impl ClientDialogue for Dialogue<'_> {
    fn exchange(&mut self, line: &[u8]) -> Result<(u16, Vec<u8>), String> {
        let limit = self.client.command_timeout;
        let shown = hidden(line);
        let done = self.client.send_secret(Send::Now, line, &shown).and_then(|_| self.client.read(limit));
        match done {
            Ok(reply) => {
                self.last = reply.text.clone();
                Ok((reply.code(), reply.text.get(4..).unwrap_or_default().to_vec()))
            }
            Err(fault) => {
                let text = self.client.trouble(fault.clone()).full_message().unwrap_or_default().to_string();
                self.fault = Some(fault);
                Err(text)
            }
        }
    }
}

/// Secrets as stars; the mechanism is none.
fn hidden(line: &[u8]) -> Vec<u8> {
    let keep = match line.strip_prefix(b"AUTH ") {
        Some(rest) => 5 + rest.find_byte(b' ').map_or(rest.len(), |n| n + 1),
        None => 0,
    };
    let (start, secret) = line.split_at(keep);
    [start, &vec![b'*'; secret.len()]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets() {
        assert_eq!(hidden(b"AUTH PLAIN abc"), b"AUTH PLAIN ***");
        assert_eq!(hidden(b"AUTH LOGIN"), b"AUTH LOGIN");
        assert_eq!(hidden(b"abc"), b"***");
    }
}

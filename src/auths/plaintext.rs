//! The `plaintext` authenticator (manual chapter 34): PLAIN and LOGIN.
//!
//! Server: the data that come are split at NULs into `$auth1`..., prompts are sent while there are more of them than
//! data; then server_condition decides. Client: the strings of client_send, one for each exchange.

use bstr::{BString, ByteSlice};

use super::options::AuthOptions;
use super::{AuthInstance, AuthResult, Authenticator, ClientAuthResult, ClientDialogue, Proof, ServerDialogue, Sides, check};
use crate::config::options::*;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::options;

options! {
    /// Private options of the `plaintext` driver.
    pub struct PlaintextOptions {
        /// Challenge strings; none gives PLAIN-like flow.
        server_prompts: Str = Str::unset(),
        /// Carry on after undecodable server prompt.
        client_ignore_invalid_base64: bool = false,
        /// Response strings, each expanded; ^ means NUL.
        client_send: Str = Str::unset(),
    }
}

impl Authenticator for PlaintextOptions {
    fn init(&mut self, generic: &AuthOptions) -> Result<Sides, String> {
        Ok(Sides { server: generic.server_condition.is_set(), client: self.client_send.is_set() })
    }

    fn server(
        &self,
        ctx: &mut Context,
        _: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult> {
        let prompts = match self.server_prompts.get().map(|t| expand::expand(ctx, t)) {
            None => None,
            Some(Ok(p)) => Some(p),
            Some(Err(e)) => return Err(AuthResult::defer(e.to_string())),
        };
        if let Some(data) = initial {
            for item in data.split(|c| *c == 0) {
                check::add_variable(ctx, item.to_vec());
            }
        }
        // Each prompt asks for one item; those that the initial data gave are not asked for.
        let prompts: Vec<BString> =
            prompts.map_or(Vec::new(), |p| crate::parse::list::items(&p).map(|i| i.to_vec().into()).collect());
        for (asked, prompt) in prompts.iter().enumerate() {
            if check::variables(ctx) > asked {
                continue;
            }
            let answer = wire.challenge(ctx, prompt)?;
            for item in answer.split(|c| *c == 0) {
                check::add_variable(ctx, item.to_vec());
            }
        }
        Ok(Proof::Mechanism)
    }

    fn client(&self, ctx: &mut Context, inst: &AuthInstance, wire: &mut dyn ClientDialogue) -> ClientAuthResult {
        let raw = self.client_send.raw().unwrap_or_default().to_vec();
        let items: Vec<Vec<u8>> = crate::parse::list::items(&raw).map(|i| i.to_vec()).collect();
        ctx.session.auth_vars = Default::default();
        let mut line = [b"AUTH ", check::mechanism(inst).as_slice()].concat();
        let mut any = false;
        for (i, item) in items.iter().enumerate() {
            let text = match expand::expand_once(ctx, item) {
                Ok(t) => t,
                Err(e) => {
                    let forced = matches!(e, ExpandError::Forced(_));
                    if any {
                        // The server waits for an answer: the exchange is broken off.
                        let _ = wire.exchange(b"*");
                    }
                    return if forced {
                        ClientAuthResult::Cancelled(None)
                    } else {
                        ClientAuthResult::Error(format!(
                            "expansion of \"{}\" failed in {} authenticator: {e}",
                            item.as_bstr(),
                            inst.name
                        ))
                    };
                }
            };
            let data = check::carets(&text);
            if i == 0 {
                // An empty first string: the server's challenge comes first.
                if !data.is_empty() {
                    line.push(b' ');
                    line.extend_from_slice(&check::encode(&data));
                }
            } else {
                line = check::encode(&data);
            }
            let (code, answer) = match wire.exchange(&line) {
                Ok(a) => a,
                Err(e) => return ClientAuthResult::Error(e),
            };
            any = true;
            match code {
                // Servers are seen that have other codes of the right class.
                200..=299 => return ClientAuthResult::Ok,
                300..=399 if i + 1 < items.len() => match check::decode(&answer) {
                    Some(decoded) => {
                        if let Some(place) = ctx.session.auth_vars.get_mut(i) {
                            *place = Some(crate::text::Text::tainted(decoded));
                        }
                    }
                    None if self.client_ignore_invalid_base64 => {
                        if let Some(place) = ctx.session.auth_vars.get_mut(i) {
                            *place = Some(crate::text::Text::new());
                        }
                    }
                    None => {
                        let _ = wire.exchange(b"*");
                        return ClientAuthResult::Cancelled(Some(format!(
                            "Invalid base64 string in server response \"{code} {}\"",
                            answer.trim_ascii().as_bstr()
                        )));
                    }
                },
                // Also a server that asks for more than there is to say: it is not done, and not refused for good.
                _ => return ClientAuthResult::Fail(format!("{code} {}", answer.as_bstr())),
            }
        }
        ClientAuthResult::Cancelled(Some("Nothing in client_send".into()))
    }
}

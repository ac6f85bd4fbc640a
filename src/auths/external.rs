//! The `external` authenticator (manual chapter 39, RFC 4422): the client's identity is known already, by its
//! certificate as a rule.

use bstr::ByteSlice;

use super::options::AuthOptions;
use super::{AuthInstance, AuthResult, Authenticator, ClientAuthResult, ClientDialogue, ServerDialogue, Sides, check};
use crate::config::options::*;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::options;

options! {
    /// Private options of the `external` driver.
    pub struct ExternalOptions {
        /// Expanded into $auth2.
        server_param2: Str = Str::unset(),
        /// Expanded into $auth3.
        server_param3: Str = Str::unset(),
        /// Identity sent with AUTH.
        client_send: Str = Str::unset(),
    }
}

impl Authenticator for ExternalOptions {
    fn init(&mut self, generic: &AuthOptions) -> Result<Sides, String> {
        Ok(Sides { server: generic.server_condition.is_set(), client: self.client_send.is_set() })
    }

    fn server(
        &self,
        ctx: &mut Context,
        inst: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> AuthResult {
        let data = match initial {
            Some(d) => d,
            None => match wire.challenge(ctx, b"") {
                Ok(d) => d,
                Err(end) => return end,
            },
        };
        // The identity asked for is $auth1; NULs would make more of them, and are of no use here.
        for item in data.split(|c| *c == 0) {
            check::add_variable(ctx, item.to_vec());
        }
        for option in [&self.server_param2, &self.server_param3] {
            let Some(t) = option.get() else { continue };
            match expand::expand(ctx, t) {
                Ok(v) => check::add_variable(ctx, v.into_bytes()),
                Err(ExpandError::Forced(_)) => return AuthResult::Fail(None),
                Err(e) => return AuthResult::Defer { user: None, log: e.to_string() },
            }
        }
        check::server_condition(ctx, inst)
    }

    fn client(&self, ctx: &mut Context, inst: &AuthInstance, wire: &mut dyn ClientDialogue) -> ClientAuthResult {
        let text = match check::client_value(ctx, inst, &self.client_send) {
            Ok(t) => t,
            Err(end) => return end,
        };
        let coded = if text.is_empty() { b"=".to_vec() } else { check::encode(&text) };
        let line = [b"AUTH ", check::mechanism(inst).as_slice(), b" ", &coded].concat();
        match wire.exchange(&line) {
            Ok((200..=299, _)) => ClientAuthResult::Ok,
            Ok((code, text)) => ClientAuthResult::Fail(format!("{code} {}", text.as_bstr())),
            Err(e) => ClientAuthResult::Error(e),
        }
    }
}

//! The `external` authenticator (manual chapter 39, RFC 4422): the client's identity is known already, by its
//! certificate as a rule.

use bstr::ByteSlice;

use super::options::AuthOptions;
use super::{AuthInstance, AuthResult, Authenticator, ClientAuthResult, ClientDialogue, Proof, ServerDialogue, Sides, check};
use crate::config::options::*;
use crate::context::Context;
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
        _: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult> {
        let data = match initial {
            Some(d) => d,
            None => wire.challenge(ctx, b"")?,
        };
        // The identity asked for is $auth1; NULs would make more of them, and are of no use here.
        for item in data.split(|c| *c == 0) {
            check::add_variable(ctx, item.to_vec());
        }
        for option in [&self.server_param2, &self.server_param3] {
            let Some(t) = option.get() else { continue };
            let value = check::server_value(ctx, t)?;
            check::add_variable(ctx, value.into_bytes());
        }
        Ok(Proof::Mechanism)
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
            Ok((300..=399, _)) => {
                let _ = wire.exchange(b"*");
                ClientAuthResult::Error(format!("Too few items in client_send in {} authenticator", inst.name))
            }
            Ok((code, text)) => ClientAuthResult::Fail(format!("{code} {}", text.as_bstr())),
            Err(e) => ClientAuthResult::Error(e),
        }
    }
}

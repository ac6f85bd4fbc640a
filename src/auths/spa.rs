//! The `spa` authenticator (manual chapter 40): NTLM, as Microsoft's programs call it "Secure Password Authentication".
//!
//! The messages are in [`ntlm`]; here is who sends which one when.

use bstr::ByteSlice;

use super::options::AuthOptions;
use super::{
    AuthInstance, AuthResult, Authenticator, ClientAuthResult, ClientDialogue, Proof, ServerDialogue, Sides, check, ntlm,
};
use crate::config::options::*;
use crate::context::Context;
use crate::options;
use crate::text::Text;

options! {
    /// Private options of the `spa` driver.
    pub struct SpaOptions {
        /// Cleartext password for $auth1.
        server_password: Str = Str::unset(),
        /// NTLM domain.
        client_domain: Str = Str::unset(),
        /// Client password.
        client_password: Str = Str::unset(),
        /// Client user name.
        client_username: Str = Str::unset(),
    }
}

impl Authenticator for SpaOptions {
    fn init(&mut self, _: &AuthOptions) -> Result<Sides, String> {
        if self.client_username.is_set() != self.client_password.is_set() {
            return Err("one of client_username and client_password cannot be set without the other".into());
        }
        Ok(Sides { server: self.server_password.is_set(), client: self.client_username.is_set() })
    }

    fn server(
        &self,
        ctx: &mut Context,
        _: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult> {
        // Clients send the same answer whatever is wrong with theirs: only "*" has one of its own.
        let unreadable = |end| if end == AuthResult::Bad64 { AuthResult::Fail(None) } else { end };
        let request = match initial {
            Some(data) => data,
            None => wire.prompt(ctx, b"NTLM supported").map_err(unreadable)?,
        };
        if request.is_empty() {
            return Err(AuthResult::Fail(None));
        }
        let mut random = [0; 8];
        if openssl::rand::rand_bytes(&mut random).is_err() {
            return Err(AuthResult::Error("the library gives no random numbers".into()));
        }
        let message = wire.challenge(ctx, &ntlm::challenge(&random)).map_err(unreadable)?;
        let Some(answer) = ntlm::read_answer(&message).filter(|a| !a.user.is_empty()) else {
            return Err(AuthResult::Fail(None));
        };
        check::add_variable(ctx, answer.user);
        let Some(template) = self.server_password.get() else { return Err(AuthResult::Fail(None)) };
        let password = check::server_value(ctx, template)?;
        let Some(wanted) = ntlm::response(&password, &random) else {
            return Err(AuthResult::Error("the library has no DES".into()));
        };
        let same = wanted.len() == answer.response.len() && openssl::memcmp::eq(&wanted, &answer.response);
        if same { Ok(Proof::Mechanism) } else { Err(AuthResult::Fail(None)) }
    }

    fn client(&self, ctx: &mut Context, inst: &AuthInstance, wire: &mut dyn ClientDialogue) -> ClientAuthResult {
        let mut values = [Text::new(), Text::new(), Text::new()];
        for (value, option) in values.iter_mut().zip([&self.client_domain, &self.client_username, &self.client_password]) {
            *value = match check::client_value(ctx, inst, option) {
                Ok(v) => v,
                Err(end) => return end,
            };
        }
        let [domain, user, password] = values;
        let first = [b"AUTH ", check::mechanism(inst).as_slice()].concat();
        let message = match ask(wire, &first).and_then(|_| ask(wire, &check::encode(&ntlm::request(&domain)))) {
            Ok(text) => text,
            Err(end) => return end,
        };
        let decoded = check::decode(&message);
        let Some(random) = decoded.and_then(|m| ntlm::read_challenge(&m)) else {
            let _ = wire.exchange(b"*");
            return ClientAuthResult::Cancelled(Some(format!("bad challenge: {}", message.as_bstr())));
        };
        let Some(answer) = ntlm::answer(&domain, &user, &password, &random) else {
            let _ = wire.exchange(b"*");
            return ClientAuthResult::Error("the library has no DES, or the names are too long".into());
        };
        match wire.exchange(&check::encode(&answer)) {
            Ok((235, _)) => ClientAuthResult::Ok,
            Ok((code, text)) => ClientAuthResult::Fail(format!("{code} {}", text.as_bstr())),
            Err(e) => ClientAuthResult::Error(e),
        }
    }
}

/// Sends a line after which the server must want another one.
fn ask(wire: &mut dyn ClientDialogue, line: &[u8]) -> Result<Vec<u8>, ClientAuthResult> {
    match wire.exchange(line) {
        Ok((334, text)) => Ok(text),
        Ok((code, text)) => Err(ClientAuthResult::Fail(format!("{code} {}", text.as_bstr()))),
        Err(e) => Err(ClientAuthResult::Error(e)),
    }
}

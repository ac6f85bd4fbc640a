//! The `cram_md5` authenticator (manual chapter 35, RFC 2195): a shared secret that is never sent.

use bstr::ByteSlice;

use super::options::AuthOptions;
use super::{AuthInstance, AuthResult, Authenticator, ClientAuthResult, ClientDialogue, Proof, ServerDialogue, Sides, check};
use crate::config::options::*;
use crate::context::Context;
use crate::expand::digest::{Algorithm, keyed_digest};
use crate::options;

options! {
    /// Private options of the `cram_md5` driver.
    pub struct CramMd5Options {
        /// Shared secret for $auth1.
        server_secret: Str = Str::unset(),
        /// User name sent.
        client_name: Str = Str::fixed("$primary_hostname"),
        /// Client shared secret.
        client_secret: Str = Str::unset(),
    }
}

/// HMAC-MD5, in hexadecimal. `None`: the library cannot do it (a FIPS build).
fn digest(secret: &[u8], challenge: &[u8]) -> Option<Vec<u8>> {
    let hash = keyed_digest(Algorithm::Md5, secret, challenge).ok()?;
    Some(data_encoding::HEXLOWER.encode(&hash).into_bytes())
}

impl Authenticator for CramMd5Options {
    fn init(&mut self, _: &AuthOptions) -> Result<Sides, String> {
        Ok(Sides { server: self.server_secret.is_set(), client: self.client_secret.is_set() })
    }

    fn takes_initial(&self) -> bool {
        false
    }

    fn server(
        &self,
        ctx: &mut Context,
        _: &AuthInstance,
        _: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult> {
        let challenge = if ctx.run.test_harness {
            b"<1896.697170952@postoffice.reston.mci.net>".to_vec()
        } else {
            let now = crate::sys::time::now();
            format!("<{}.{}@{}>", std::process::id(), now.sec, ctx.config.site.primary_hostname).into_bytes()
        };
        let answer = wire.challenge(ctx, &challenge)?;
        let at = answer.rfind_byte(b' ').unwrap_or(answer.len());
        let (user, given) = (answer.get(..at).unwrap_or_default(), answer.get(at + 1..).unwrap_or_default());
        check::add_variable(ctx, user.to_vec());
        let Some(template) = self.server_secret.get() else { return Err(AuthResult::Fail(None)) };
        let secret = check::server_value(ctx, template)?;
        let Some(wanted) = digest(&secret, &challenge) else {
            return Err(AuthResult::Error("the library has no HMAC-MD5".into()));
        };
        let same = wanted.len() == given.len() && openssl::memcmp::eq(&wanted, &given.to_ascii_lowercase());
        if same { Ok(Proof::Mechanism) } else { Err(AuthResult::Fail(None)) }
    }

    fn client(&self, ctx: &mut Context, inst: &AuthInstance, wire: &mut dyn ClientDialogue) -> ClientAuthResult {
        let secret = match check::client_value(ctx, inst, &self.client_secret) {
            Ok(v) => v,
            Err(end) => return end,
        };
        let name = match check::client_value(ctx, inst, &self.client_name) {
            Ok(v) => v,
            Err(end) => return end,
        };
        let first = [b"AUTH ", check::mechanism(inst).as_slice()].concat();
        let (code, text) = match wire.exchange(&first) {
            Ok(a) => a,
            Err(e) => return ClientAuthResult::Error(e),
        };
        if !(300..=399).contains(&code) {
            return ClientAuthResult::Fail(format!("{code} {}", text.as_bstr()));
        }
        let Some(challenge) = check::decode(&text).filter(|c| !c.is_empty()) else {
            return ClientAuthResult::Error(format!("bad base 64 string in challenge: {}", text.as_bstr()));
        };
        let Some(hash) = digest(&secret, &challenge) else {
            return ClientAuthResult::Error("the library has no HMAC-MD5".into());
        };
        let answer = [name.as_bytes(), b" ", &hash].concat();
        match wire.exchange(&check::encode(&answer)) {
            Ok((200..=299, _)) => ClientAuthResult::Ok,
            Ok((code, text)) => ClientAuthResult::Fail(format!("{code} {}", text.as_bstr())),
            Err(e) => ClientAuthResult::Error(e),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn rfc_2195() {
        let d = super::digest(b"tanstaaftanstaaf", b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(d, b"b913a602c7eda7a495b4e6e7334d3890");
    }
}

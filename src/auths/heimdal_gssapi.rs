//! The `heimdal_gssapi` authenticator (manual chapter 39): Kerberos by GSS-API (RFC 4752), server side only, with a key table of
//! its own. Heimdal's library or MIT's, whichever is there.

use bstr::ByteSlice;

use super::options::AuthOptions;
use super::sasl::{self, Step};
use super::{AuthInstance, AuthResult, Authenticator, Proof, ServerDialogue, Sides};
use crate::config::options::*;
use crate::context::Context;
use crate::expand;
use crate::log;
use crate::options;
use crate::sys::gssapi::{self, Acceptor};

options! {
    /// Private options of the `heimdal_gssapi` driver.
    pub struct HeimdalGssapiOptions {
        /// Host part of GSS principal.
        server_hostname: Str = Str::fixed("$primary_hostname"),
        /// Keytab path.
        server_keytab: Str = Str::unset(),
        /// Service part of GSS principal.
        server_service: Str = Str::fixed("smtp"),
    }
}

/// "No security layer", and the longest message: none.
const NO_LAYER: [u8; 4] = [1, 0, 0, 0];

/// Where the mechanism stands.
enum State {
    /// The context is being made.
    Tokens,
    /// It is made; the client has still to say that it has heard so.
    Made,
    /// The layers have been offered.
    Offered,
}

impl Authenticator for HeimdalGssapiOptions {
    fn init(&mut self, generic: &AuthOptions) -> Result<Sides, String> {
        if !generic.public_name.raw().unwrap_or_default().eq_ignore_ascii_case(b"GSSAPI") {
            return Err("public_name must be GSSAPI".into());
        }
        gssapi::available()?;
        Ok(Sides { server: true, client: false })
    }

    fn server(
        &self,
        ctx: &mut Context,
        _: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult> {
        self.serve(ctx, initial, wire).map(|()| Proof::Mechanism)
    }
}

impl HeimdalGssapiOptions {
    fn serve(&self, ctx: &mut Context, initial: Option<Vec<u8>>, wire: &mut dyn ServerDialogue) -> Result<(), AuthResult> {
        let mut value = |o: &Str| match o.get() {
            Some(t) => expand::expand(ctx, t).map_err(|e| AuthResult::defer(e.to_string())),
            None => Ok(Default::default()),
        };
        let (host, service) = (value(&self.server_hostname)?, value(&self.server_service)?);
        let keytab = value(&self.server_keytab)?;
        if !keytab.is_empty() {
            gssapi::use_keytab(&keytab).map_err(AuthResult::defer)?;
        }
        let mut acceptor = Acceptor::new(&service, &host).map_err(AuthResult::defer)?;
        let mut state = State::Tokens;
        let refused = |ctx: &Context, text: String| {
            log::debug!(ctx, AUTH, "gssapi: {text}");
            AuthResult::Fail(Some(text))
        };
        // The client speaks first; an empty challenge asks it to.
        sasl::serve(ctx, wire, initial, &mut |ctx, input| match (&state, input) {
            (State::Tokens, None | Some(b"")) => Ok(Step::More(Vec::new())),
            (State::Tokens, Some(token)) => {
                let (out, made) = acceptor.accept(token).map_err(|e| refused(ctx, e))?;
                if !made || !out.is_empty() {
                    state = if made { State::Made } else { State::Tokens };
                    return Ok(Step::More(out));
                }
                state = State::Offered;
                acceptor.wrap(&NO_LAYER).map(Step::More).map_err(AuthResult::defer)
            }
            (State::Made, Some(b"")) => {
                state = State::Offered;
                acceptor.wrap(&NO_LAYER).map(Step::More).map_err(AuthResult::defer)
            }
            (State::Offered, Some(token)) => {
                let text = acceptor.unwrap(token).map_err(|e| refused(ctx, e))?;
                let (head, authzid) = text.split_at_checked(4).ok_or_else(|| refused(ctx, "answer is too short".into()))?;
                if head.first() != Some(&1) {
                    return Err(refused(ctx, "the client wants a security layer".into()));
                }
                let name = acceptor.display_name().map_err(AuthResult::defer)?;
                // The authorisation id is whatever the client likes: nothing but text, please.
                if authzid.contains(&0) {
                    return Err(refused(ctx, "bad authorisation id".into()));
                }
                let authzid = if authzid.is_empty() { name.clone() } else { authzid.to_vec() };
                log::debug!(ctx, AUTH, "gssapi: {} as {}", name.as_bstr(), authzid.as_bstr());
                sasl::set_variables(ctx, &[Some(name), Some(authzid)]);
                Ok(Step::Done(Vec::new()))
            }
            (State::Made | State::Offered, _) => Err(refused(ctx, "unexpected answer".into())),
        })
    }
}

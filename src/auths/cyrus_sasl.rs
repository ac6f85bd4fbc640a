//! The `cyrus_sasl` authenticator (manual chapter 36): Cyrus SASL's library and plug-ins, server side only. Its configuration
//! is its own (`exim.conf` in its directory).

use bstr::ByteSlice;

use super::options::AuthOptions;
use super::sasl::{self, Step};
use super::{AuthInstance, AuthResult, Authenticator, Proof, ServerDialogue, Sides};
use crate::config::options::*;
use crate::context::Context;
use crate::expand;
use crate::log::{self, Which};
use crate::options;
use crate::sys::cyrus_sasl::{Outcome, Parties, Server};
use crate::text::Text;

options! {
    /// Private options of the `cyrus_sasl` driver.
    pub struct CyrusSaslOptions {
        /// Host name given to library.
        server_hostname: Str = Str::fixed("$primary_hostname"),
        /// Mechanism if different from public_name.
        server_mech: Str = Str::unset(),
        /// SASL realm claimed.
        server_realm: Str = Str::unset(),
        /// SASL service name.
        server_service: Str = Str::fixed("smtp"),
    }
}

impl Authenticator for CyrusSaslOptions {
    fn init(&mut self, generic: &AuthOptions) -> Result<Sides, String> {
        if !self.server_mech.is_set() {
            self.server_mech = Str::from_bytes(generic.public_name.raw().unwrap_or_default());
        }
        let server = Server::new(&Parties { service: b"smtp", host: b"localhost", ..Parties::default() })?;
        if !server.has(self.mechanism()) {
            return Err(format!("Cyrus SASL does not have the mechanism \"{}\"", self.mechanism().as_bstr()));
        }
        Ok(Sides { server: true, client: false })
    }

    fn server(
        &self,
        ctx: &mut Context,
        inst: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult> {
        self.serve(ctx, inst, initial, wire).map(|()| Proof::Mechanism)
    }
}

impl CyrusSaslOptions {
    fn mechanism(&self) -> &[u8] {
        self.server_mech.raw().unwrap_or_default()
    }

    fn serve(
        &self,
        ctx: &mut Context,
        inst: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<(), AuthResult> {
        let mut value = |o: &Str| match o.get() {
            Some(t) => expand::expand(ctx, t).map(Some).map_err(|e| AuthResult::defer(e.to_string())),
            None => Ok(None),
        };
        let (host, realm) = (value(&self.server_hostname)?.unwrap_or_default(), value(&self.server_realm)?);
        let s = &ctx.session;
        let end =
            |address: &Option<Text>, port: u16| address.as_ref().map(|a| [a.as_bytes(), format!(";{port}").as_bytes()].concat());
        let parties = Parties {
            service: self.server_service.raw().unwrap_or_default(),
            host: &host,
            realm: realm.as_deref().filter(|r| !r.is_empty()),
            local: end(&s.interface_address, s.interface_port),
            remote: end(&s.host_address, s.host_port),
            bits: s.tls_in.bits,
        };
        let mut server = Server::new(&parties).map_err(|e| AuthResult::defer(format!("Cyrus SASL: {e}")))?;
        let shown = self.mechanism().as_bstr();
        sasl::serve(ctx, wire, initial, &mut |ctx, input| {
            let outcome = server.step(self.mechanism(), input);
            if !matches!(outcome, Outcome::Continue(_)) {
                let user = server.user();
                sasl::set_variables(ctx, std::slice::from_ref(&user));
                // Nobody is no identity.
                if matches!(outcome, Outcome::Ok(_)) && user.is_none() {
                    return Err(AuthResult::defer("Cyrus SASL does not say who was authenticated"));
                }
            }
            match outcome {
                Outcome::Continue(out) => Ok(Step::More(out)),
                Outcome::Ok(out) => Ok(Step::Done(out)),
                Outcome::Refused(text) => {
                    let line = format!("{} authenticator ({shown}): Cyrus SASL permanent failure: {text}", inst.name);
                    log::write(ctx, None, Which::REJECT, line.as_bytes());
                    Err(AuthResult::Fail(Some(text)))
                }
                Outcome::Trouble(text) => Err(AuthResult::defer(format!("Cyrus SASL temporary failure: {text}"))),
            }
        })
    }
}

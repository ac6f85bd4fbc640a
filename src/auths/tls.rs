//! The `tls` authenticator (manual chapter 40): a client counts as authenticated when TLS has started, if its certificate
//! gives server_condition what it wants. There is no AUTH command for it, and no client side.

use super::options::AuthOptions;
use super::{AuthInstance, AuthResult, Authenticator, Proof, ServerDialogue, Sides, check};
use crate::config::options::*;
use crate::context::Context;
use crate::options;

options! {
    /// Private options of the `tls` driver.
    pub struct TlsOptions {
        /// Alternative spelling of server_param1.
        server_param: Str = Str::unset(),
        /// Expanded into $auth1 after TLS start.
        server_param1: Str = Str::unset(),
        /// Expanded into $auth2 after TLS start.
        server_param2: Str = Str::unset(),
        /// Expanded into $auth3 after TLS start.
        server_param3: Str = Str::unset(),
    }
}

impl Authenticator for TlsOptions {
    fn init(&mut self, generic: &AuthOptions) -> Result<Sides, String> {
        if self.server_param.is_set() {
            self.server_param1 = self.server_param.clone();
        }
        Ok(Sides { server: generic.server_condition.is_set(), client: false })
    }

    fn is_mechanism(&self) -> bool {
        false
    }

    fn server(
        &self,
        ctx: &mut Context,
        _: &AuthInstance,
        _: Option<Vec<u8>>,
        _: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult> {
        for option in [&self.server_param1, &self.server_param2, &self.server_param3] {
            let Some(t) = option.get() else { continue };
            let value = check::server_value(ctx, t)?;
            check::add_variable(ctx, value.into_bytes());
        }
        Ok(Proof::Mechanism)
    }
}

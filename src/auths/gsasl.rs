//! The `gsasl` authenticator (manual chapter 38): GNU SASL's library has the mechanisms, both sides; the SCRAM family with
//! channel binding among them.

use bstr::{BString, ByteSlice};

use super::options::AuthOptions;
use super::sasl::{self, Step};
use super::{AuthInstance, AuthResult, Authenticator, ClientAuthResult, ClientDialogue, Proof, ServerDialogue, Sides, check};
use crate::config::options::*;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log;
use crate::options;
use crate::sys::gsasl::{self, Property, Session, Told};
use crate::tls_openssl::{BindingKind, ChannelBinding};

options! {
    /// Private options of the `gsasl` driver.
    pub struct GsaslOptions {
        /// Authorisation id if differing.
        client_authz: Str = Str::unset(),
        /// Enable channel binding as client.
        client_channelbinding: bool = false,
        /// Client cleartext password.
        client_password: Str = Str::unset(),
        /// Client account name.
        client_username: Str = Str::unset(),
        /// Hex salted password for SCRAM client.
        client_spassword: Str = Str::unset(),
        /// Enable channel binding as server.
        server_channelbinding: bool = false,
        /// Host name given to library.
        server_hostname: Str = Str::fixed("$primary_hostname"),
        /// Mechanism if different from public_name.
        server_mech: Str = Str::unset(),
        /// Cleartext password for challenge mechanisms.
        server_password: Str = Str::unset(),
        /// SASL realm claimed.
        server_realm: Str = Str::unset(),
        /// SCRAM iteration count.
        server_scram_iter: Str = Str::fixed("4096"),
        /// SCRAM salt, base64.
        server_scram_salt: Str = Str::unset(),
        /// Stored SCRAM ServerKey, base64.
        server_key: Str = Str::unset(),
        /// Stored SCRAM StoredKey, base64.
        server_skey: Str = Str::unset(),
        /// SASL service name.
        server_service: Str = Str::fixed("smtp"),
    }
}

/// Is it one of these, whatever its letters?
fn is_one_of(mechanism: &[u8], names: &[&str]) -> bool {
    names.iter().any(|n| mechanism.eq_ignore_ascii_case(n.as_bytes()))
}

/// In these the condition decides; in all others the library does, with the password.
fn by_condition(mechanism: &[u8]) -> bool {
    is_one_of(mechanism, &["PLAIN", "LOGIN", "EXTERNAL", "ANONYMOUS", "GSSAPI", "GS2-KRB5", "SECURID", "SAML20", "OPENID20"])
}

/// Is that a question whether somebody may come in, rather than for a value?
fn asks_condition(property: Property) -> bool {
    use Property::*;
    matches!(property, ValidateSimple | ValidateExternal | ValidateAnonymous | ValidateGssapi)
}

/// The lengths in which `server_key` and `server_skey` come: base64 of SHA-1 and SHA-256.
fn key_length(mechanism: &[u8]) -> usize {
    if mechanism.to_ascii_uppercase().contains_str("SHA-256") { 44 } else { 28 }
}

impl Authenticator for GsaslOptions {
    fn init(&mut self, generic: &AuthOptions) -> Result<Sides, String> {
        gsasl::available()?;
        let name = generic.public_name.raw().unwrap_or_default();
        if !self.server_mech.is_set() {
            self.server_mech = Str::from_bytes(name);
        }
        let mechanism = self.server_mech.raw().unwrap_or_default();
        let server = if by_condition(mechanism) {
            generic.server_condition.is_set()
        } else {
            self.server_password.is_set() || (self.server_key.is_set() && self.server_skey.is_set())
        };
        let client = self.client_username.is_set();
        for (on, as_server) in [(server, true), (client, false)] {
            if on && !gsasl::supports(mechanism, as_server)? {
                let side = if as_server { "server" } else { "client" };
                return Err(format!("GNU SASL does not have the mechanism \"{}\" as {side}", mechanism.as_bstr()));
            }
        }
        Ok(Sides { server, client })
    }

    fn server(
        &self,
        ctx: &mut Context,
        inst: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult> {
        self.serve(ctx, inst, initial, wire)
    }

    fn client(&self, ctx: &mut Context, inst: &AuthInstance, wire: &mut dyn ClientDialogue) -> ClientAuthResult {
        self.ask(ctx, inst, wire).unwrap_or_else(|end| end)
    }
}

impl GsaslOptions {
    fn mechanism(&self) -> &[u8] {
        self.server_mech.raw().unwrap_or_default()
    }

    fn serve(
        &self,
        ctx: &mut Context,
        inst: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult> {
        let shown = gsasl::mechanisms().unwrap_or_default();
        log::debug!(ctx, AUTH, "GNU SASL supports: {}", shown.as_bstr());
        let mut session = Session::start(self.mechanism(), true).map_err(|e| AuthResult::defer(format!("GNU SASL: {e}")))?;
        for (property, option) in [
            (Property::Hostname, &self.server_hostname),
            (Property::Service, &self.server_service),
            (Property::Realm, &self.server_realm),
        ] {
            if let Some(t) = option.get() {
                let value = expand::expand(ctx, t).map_err(|e| AuthResult::defer(e.to_string()))?;
                session.set(property, &value);
            }
        }
        if self.server_channelbinding {
            bind(&session, ctx.session.tls_in.channel_binding.as_ref());
        }
        let mut proof = Proof::Mechanism;
        sasl::serve(ctx, wire, initial, &mut |ctx, input| {
            let mut verdict = None;
            let result = session.step(input, &mut |session, property| {
                let (told, end) = self.tell_server(ctx, inst, session, property);
                verdict = end.or(verdict.take());
                if asks_condition(property) && told == Told::Yes {
                    proof = Proof::Condition;
                }
                told
            });
            match (result, verdict) {
                (_, Some(end)) => Err(end),
                (Ok((out, true)), _) => {
                    sasl::set_variables(ctx, &variables(self.mechanism(), &session));
                    Ok(Step::Done(out))
                }
                (Ok((out, false)), _) => Ok(Step::More(out)),
                (Err(e), _) if e.by_peer => {
                    sasl::set_variables(ctx, &variables(self.mechanism(), &session));
                    log::debug!(ctx, AUTH, "GNU SASL: {}", e.text);
                    Err(AuthResult::Fail(Some(e.text)))
                }
                (Err(e), _) => Err(AuthResult::defer(format!("GNU SASL: {}", e.text))),
            }
        })?;
        Ok(proof)
    }

    /// Answers the library's question; with it, what the authentication has come to.
    fn tell_server(
        &self,
        ctx: &mut Context,
        inst: &AuthInstance,
        session: &Session,
        property: Property,
    ) -> (Told, Option<AuthResult>) {
        let option = match property {
            p if asks_condition(p) => {
                if !inst.generic.server_condition.is_set() {
                    return (Told::Refused, Some(AuthResult::defer("the mechanism needs server_condition")));
                }
                sasl::set_variables(ctx, &variables(self.mechanism(), session));
                return match check::server_condition(ctx, inst) {
                    AuthResult::Ok => (Told::Yes, None),
                    end => (Told::Refused, Some(end)),
                };
            }
            Property::Password => &self.server_password,
            Property::ScramIter => &self.server_scram_iter,
            Property::ScramSalt => &self.server_scram_salt,
            Property::ScramServerKey => &self.server_key,
            Property::ScramStoredKey => &self.server_skey,
            _ => return (Told::Nothing, None),
        };
        let Some(template) = option.get() else { return (Told::Nothing, None) };
        sasl::set_variables(ctx, &variables(self.mechanism(), session));
        let value = match expand::expand(ctx, template) {
            Ok(v) => v,
            Err(ExpandError::Forced(m)) => return (Told::Refused, Some(AuthResult::defer(format!("forced failure: {m}")))),
            Err(e) => return (Told::Refused, Some(AuthResult::defer(e.to_string()))),
        };
        let is_key = matches!(property, Property::ScramServerKey | Property::ScramStoredKey);
        let useless = value.is_empty() && property != Property::Password;
        if useless || (is_key && value.len() != key_length(self.mechanism())) {
            return (Told::Nothing, None);
        }
        if property == Property::ScramIter && !value.to_str().is_ok_and(|n| n.parse::<u32>().is_ok_and(|n| n > 0)) {
            return (Told::Refused, Some(AuthResult::defer(format!("server_scram_iter is no number: \"{value}\""))));
        }
        (session.set(property, &value), None)
    }

    fn ask(
        &self,
        ctx: &mut Context,
        inst: &AuthInstance,
        wire: &mut dyn ClientDialogue,
    ) -> Result<ClientAuthResult, ClientAuthResult> {
        sasl::set_variables(ctx, &[]);
        let failed = |e: String| ClientAuthResult::Error(format!("GNU SASL: {e}"));
        let mut session = Session::start(self.mechanism(), false).map_err(failed)?;
        let username = check::client_value(ctx, inst, &self.client_username)?;
        let mut values: Vec<(Property, BString)> = vec![
            (Property::Authid, username.as_bytes().into()),
            (Property::AnonymousToken, username.as_bytes().into()),
            (Property::Password, check::client_value(ctx, inst, &self.client_password)?.as_bytes().into()),
            (Property::Hostname, ctx.address.host.as_ref().map(|h| h.as_bytes().into()).unwrap_or_default()),
            (Property::Service, check::client_value(ctx, inst, &self.server_service)?.as_bytes().into()),
        ];
        let authz = check::client_value(ctx, inst, &self.client_authz)?;
        if !authz.is_empty() {
            values.push((Property::Authzid, authz.as_bytes().into()));
        }
        if self.client_channelbinding {
            bind(&session, ctx.session.tls_out.channel_binding.as_ref());
        }
        let result = sasl::ask(inst, wire, &mut |input| {
            let mut trouble = None;
            let step = session.step(input, &mut |session, property| match property {
                Property::ScramSaltedPassword => match self.salted(ctx, inst, session) {
                    Ok(Some(value)) => session.set(property, &value),
                    Ok(None) => Told::Nothing,
                    Err(end) => {
                        trouble = Some(end);
                        Told::Refused
                    }
                },
                _ => values.iter().find(|(p, _)| *p == property).map_or(Told::Nothing, |(p, v)| session.set(*p, v)),
            });
            match (step, trouble) {
                (_, Some(end)) => Err(end),
                (Ok((out, true)), _) => Ok(Step::Done(out)),
                (Ok((out, false)), _) => Ok(Step::More(out)),
                (Err(e), _) => Err(ClientAuthResult::Cancelled(Some(format!("GNU SASL: {}", e.text)))),
            }
        });
        if result == ClientAuthResult::Ok && session.get(Property::ScramSalt).is_some() {
            let mut all = scram_variables(&session);
            all.push(session.get(Property::ScramSaltedPassword));
            sasl::set_variables(ctx, &all);
        }
        Ok(result)
    }

    /// `client_spassword`, if it is of use.
    fn salted(&self, ctx: &mut Context, inst: &AuthInstance, session: &Session) -> Result<Option<Vec<u8>>, ClientAuthResult> {
        if !self.client_spassword.is_set() {
            return Ok(None);
        }
        sasl::set_variables(ctx, &scram_variables(session));
        let value = check::client_value(ctx, inst, &self.client_spassword)?;
        let wanted = if key_length(self.mechanism()) == 28 { 40 } else { 64 };
        Ok((value.len() == wanted && value.iter().all(u8::is_ascii_hexdigit)).then(|| value.to_vec()))
    }
}

/// Tells the library what both ends of the TLS connection know.
fn bind(session: &Session, binding: Option<&ChannelBinding>) {
    if let Some(b) = binding {
        let property = match b.kind {
            BindingKind::TlsUnique => Property::CbTlsUnique,
            BindingKind::TlsExporter => Property::CbTlsExporter,
        };
        session.set(property, &check::encode(&b.data));
    }
}

/// A client's `$auth1` to `$auth3`: name, iterations, salt.
fn scram_variables(session: &Session) -> Vec<Option<Vec<u8>>> {
    [Property::Authid, Property::ScramIter, Property::ScramSalt].map(|p| session.get(p)).to_vec()
}

/// A server's `$auth1` and on.
fn variables(mechanism: &[u8], session: &Session) -> Vec<Option<Vec<u8>>> {
    let which: &[Property] = if is_one_of(mechanism, &["EXTERNAL"]) {
        &[Property::Authzid]
    } else if is_one_of(mechanism, &["ANONYMOUS"]) {
        &[Property::AnonymousToken]
    } else if is_one_of(mechanism, &["GSSAPI", "GS2-KRB5"]) {
        &[Property::GssapiDisplayName, Property::Authzid]
    } else if is_one_of(mechanism, &["PLAIN", "LOGIN"]) {
        &[Property::Authid, Property::Authzid, Property::Password]
    } else {
        &[Property::Authid, Property::Authzid, Property::Realm]
    };
    which.iter().map(|p| session.get(*p)).collect()
}

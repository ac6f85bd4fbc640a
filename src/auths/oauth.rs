//! The `oauth` authenticator (ours; the reference has none): bearer tokens by OAUTHBEARER (RFC 7628) or XOAUTH2 (Google's
//! older form), both sides. `public_name` says which.
//!
//! A client's token is an expansion, and so may come from a file (`${readfile}`) or a command (`${run}`). A server's
//! `server_condition` decides, with the user in `$auth1`, the token in `$auth2`, and the other fields in `$auth3`.

use bstr::ByteSlice;

use super::options::AuthOptions;
use super::{
    AuthInstance, AuthResult, Authenticator, ClientAuthResult, ClientDialogue, Proof, ServerDialogue, Sides, check, sasl,
};
use crate::config::options::*;
use crate::context::Context;
use crate::options;

options! {
    /// Private options of the `oauth` driver.
    pub struct OauthOptions {
        /// The user that the token is for.
        client_username: Str = Str::unset(),
        /// The token.
        client_token: Str = Str::unset(),
        /// OAUTHBEARER's `scope`, told to clients that are refused.
        server_scope: Str = Str::unset(),
    }
}

/// No token is longer.
const MAX_TOKEN: usize = 16 << 10;
const BAD_TOKEN: &str = "client_token is no bearer token";

/// The two forms of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `n,a=user,^Aauth=Bearer token^A^A`
    Oauthbearer,
    /// `user=user^Aauth=Bearer token^A^A`
    Xoauth2,
}

impl Form {
    fn of(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"OAUTHBEARER") {
            Some(Form::Oauthbearer)
        } else if name.eq_ignore_ascii_case(b"XOAUTH2") {
            Some(Form::Xoauth2)
        } else {
            None
        }
    }

    fn of_instance(inst: &AuthInstance) -> Self {
        Form::of(&check::mechanism(inst)).unwrap_or(Form::Oauthbearer)
    }

    /// What a client says. A user or a token that would break the form is an error.
    fn write(self, user: &[u8], token: &[u8]) -> Result<Vec<u8>, &'static str> {
        if user.is_empty() || user.iter().any(u8::is_ascii_control) {
            return Err("client_username is empty or has control characters in it");
        }
        if !is_token(token) {
            return Err(BAD_TOKEN);
        }
        let head = match self {
            Form::Oauthbearer => [b"n,a=", &user.replace("=", "=3D").replace(",", "=2C")[..], b","].concat(),
            Form::Xoauth2 => [b"user=", user].concat(),
        };
        Ok([&head[..], b"\x01auth=Bearer ", token, b"\x01\x01"].concat())
    }

    /// What a client said: user, token, other fields. `None`: it is not in the form.
    fn read(self, message: &[u8]) -> Option<(Vec<u8>, Vec<u8>, Vec<u8>)> {
        let (head, rest) = message.strip_suffix(b"\x01\x01")?.split_once_str(b"\x01")?;
        let user = match self {
            // No channel binding is offered, so none may be demanded.
            Form::Oauthbearer => {
                let rest = head.strip_prefix(b"n,").or_else(|| head.strip_prefix(b"y,"))?.strip_suffix(b",")?;
                if rest.is_empty() { Vec::new() } else { saslname(rest.strip_prefix(b"a=")?)? }
            }
            Form::Xoauth2 => head.strip_prefix(b"user=")?.to_vec(),
        };
        let mut token = None;
        let mut others: Vec<&[u8]> = Vec::new();
        for field in rest.split(|c| *c == 1) {
            let (name, value) = field.split_once_str(b"=")?;
            if name.eq_ignore_ascii_case(b"auth") {
                let (scheme, t) = value.split_once_str(b" ")?;
                let good = scheme.eq_ignore_ascii_case(b"Bearer") && is_token(t) && token.is_none();
                token = Some(t.to_vec()).filter(|_| good);
                token.as_ref()?;
            } else {
                others.push(field);
            }
        }
        let plain = |text: &[u8]| !text.iter().any(u8::is_ascii_control);
        let others = others.join(&b' ');
        (plain(&user) && plain(&others)).then_some((user, token?, others))
    }
}

/// `b64token` of RFC 6750.
fn is_token(token: &[u8]) -> bool {
    let body = token.trim_end_with(|c| c == '=');
    !body.is_empty()
        && token.len() <= MAX_TOKEN
        && body.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~' | b'+' | b'/'))
}

/// RFC 5801: `=2C` and `=3D` for comma and equals sign.
fn saslname(text: &[u8]) -> Option<Vec<u8>> {
    let mut parts = text.split(|c| *c == b'=');
    let mut out = parts.next()?.to_vec();
    for part in parts {
        let (c, rest) = part.strip_prefix(b"2C").map(|r| (b',', r)).or_else(|| part.strip_prefix(b"3D").map(|r| (b'=', r)))?;
        out.push(c);
        out.extend_from_slice(rest);
    }
    (!out.contains(&b',') || text.contains_str("=2C")).then_some(out)
}

impl Authenticator for OauthOptions {
    fn init(&mut self, generic: &AuthOptions) -> Result<Sides, String> {
        if Form::of(generic.public_name.raw().unwrap_or_default()).is_none() {
            return Err("public_name must be OAUTHBEARER or XOAUTH2".into());
        }
        // The condition is all that stands between a token and success.
        Ok(Sides {
            server: generic.server_condition.is_set(),
            client: self.client_token.is_set() && self.client_username.is_set(),
        })
    }

    fn server(
        &self,
        ctx: &mut Context,
        inst: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult> {
        let message = initial.map_or_else(|| wire.challenge(ctx, b""), Ok)?;
        let form = Form::of_instance(inst);
        let result = match form.read(&message) {
            None => AuthResult::Fail(Some("not in the mechanism's form".into())),
            Some((user, token, others)) => {
                sasl::set_variables(ctx, &[Some(user), Some(token), Some(others)]);
                check::server_condition(ctx, inst)
            }
        };
        if let AuthResult::Fail(_) = result
            && let Ok(scope) = check::client_value(ctx, inst, &self.server_scope)
            // The client hears why, and says something that means nothing, before the failure itself.
            && let Err(AuthResult::Cancelled) = wire.challenge(ctx, refusal(form, &scope).as_bytes())
        {
            return Err(AuthResult::Cancelled);
        }
        if result == AuthResult::Ok { Ok(Proof::Condition) } else { Err(result) }
    }

    fn client(&self, ctx: &mut Context, inst: &AuthInstance, wire: &mut dyn ClientDialogue) -> ClientAuthResult {
        let form = Form::of_instance(inst);
        let values = check::client_value(ctx, inst, &self.client_username)
            .and_then(|user| check::client_value(ctx, inst, &self.client_token).map(|token| (user, token)));
        let (user, token) = match values {
            Ok(v) => v,
            Err(end) => return end,
        };
        // A file or a command may end with a newline.
        let message = match form.write(&user, token.trim_ascii()) {
            Ok(m) => m,
            Err(why) => return ClientAuthResult::Cancelled(Some(why.into())),
        };
        let line = [b"AUTH ", check::mechanism(inst).as_slice(), b" ", &check::encode(&message)].concat();
        let answer = wire.exchange(&line).and_then(|(code, text)| match code {
            // The server says what is wrong, and waits before it fails.
            300..=399 => {
                let why = check::decode(&text).unwrap_or_default();
                let nothing: &[u8] = if form == Form::Oauthbearer { b"AQ==" } else { b"" };
                let why = crate::log::escape::printing(why.get(..200).unwrap_or(&why), false);
                wire.exchange(nothing).map(|(code, text)| (code, [&text[..], b" ", &why].concat()))
            }
            _ => Ok((code, text)),
        });
        match answer {
            Ok((200..=299, _)) => ClientAuthResult::Ok,
            Ok((code, text)) => ClientAuthResult::Fail(format!("{code} {}", text.as_bstr())),
            Err(e) => ClientAuthResult::Error(e),
        }
    }
}

/// Why a client is refused, in JSON.
fn refusal(form: Form, scope: &[u8]) -> String {
    let mut fields = serde_json::Map::new();
    let (status, name) = match form {
        Form::Oauthbearer => ("invalid_token", "scope"),
        Form::Xoauth2 => ("401", "scope"),
    };
    fields.insert("status".into(), status.into());
    if form == Form::Xoauth2 {
        fields.insert("schemes".into(), "bearer".into());
    }
    if !scope.is_empty() {
        fields.insert(name.into(), scope.to_str_lossy().into());
    }
    serde_json::Value::Object(fields).to_string()
}

/// Reading a client's message, and writing it again, for fuzzing.
#[cfg(feature = "fuzzing")]
pub fn fuzz(data: &[u8]) {
    for form in [Form::Oauthbearer, Form::Xoauth2] {
        if let Some((user, token, others)) = form.read(data)
            && !user.is_empty()
            && others.is_empty()
        {
            let again = form.write(&user, &token).ok().and_then(|m| form.read(&m));
            assert_eq!(again, Some((user, token, others)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for form in [Form::Oauthbearer, Form::Xoauth2] {
            for user in ["me", "me@x.ex", "a=b,c"] {
                let message = form.write(user.as_bytes(), b"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==").unwrap();
                let (u, t, o) = form.read(&message).unwrap();
                assert_eq!((u.as_bstr(), t.len(), o.len()), (user.into(), 47, 0));
            }
            assert!(form.write(b"a\x01auth=Bearer x", b"t").is_err());
            assert!(form.write(b"", b"t").is_err());
            for token in [&b""[..], b"a b", b"a\x01", b"=", b"a=b", &[b'x'; 20_000]] {
                assert!(form.write(b"u", token).is_err());
            }
        }
        let google = b"user=someuser@example.com\x01auth=Bearer ya29.vF9d\x01\x01";
        assert_eq!(Form::Xoauth2.read(google).unwrap().0, b"someuser@example.com");
        let rfc = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2\x01\x01";
        let (user, token, others) = Form::Oauthbearer.read(rfc).unwrap();
        assert_eq!(
            (&user[..], &token[..], &others[..]),
            (&b"user@example.com"[..], &b"vF9dft4qmTc2"[..], &b"host=server.example.com port=143"[..])
        );
    }

    #[test]
    fn hostile() {
        for bad in [
            "",
            "\x01\x01",
            "\x01",
            "n,,\x01\x01",
            "n,,auth=Bearer x\x01\x01",
            "p=tls-unique,,\x01auth=Bearer x\x01\x01",
            "n,b=x,\x01auth=Bearer x\x01\x01",
            "n,a=x=,\x01auth=Bearer x\x01\x01",
            "n,a=x,y,\x01auth=Bearer x\x01\x01",
            "n,,\x01auth=Basic x\x01\x01",
            "n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
            "n,,\x01auth=Bearer \x01\x01",
            "n,,\x01auth\x01\x01",
            "n,,\x01auth=Bearer x\x01",
            "n,a=a\nb,\x01auth=Bearer x\x01\x01",
        ] {
            assert_eq!(Form::Oauthbearer.read(bad.as_bytes()), None, "{bad:?}");
            assert_eq!(Form::Xoauth2.read(bad.as_bytes()), None, "{bad:?}");
        }
    }
}

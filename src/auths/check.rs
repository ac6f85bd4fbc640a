//! The server condition, and the small things that authenticators share. No I/O.

use bstr::{BString, ByteSlice};

use super::{AuthInstance, AuthResult, ClientAuthResult};
use crate::config::options::Str;
use crate::context::Context;
use crate::expand::{self, ExpandError, Template};
use crate::log::hdebug;
use crate::text::Text;

/// `$auth1` to `$auth3` may be set; more items are only numbered variables.
const AUTH_VARS: usize = 3;

/// Sets the next `$auth<n>` and `$<n>`.
pub fn add_variable(ctx: &mut Context, value: Vec<u8>) {
    let value = Text::tainted(value);
    if ctx.scratch.numeric.is_empty() {
        ctx.scratch.numeric.push(Some(Text::new()));
    }
    let n = ctx.scratch.numeric.len() - 1;
    if n < AUTH_VARS
        && let Some(place) = ctx.session.auth_vars.get_mut(n)
    {
        *place = Some(value.clone());
    }
    if n < 20 {
        ctx.scratch.numeric.push(Some(value));
    }
}

/// How many variables have been set.
pub fn variables(ctx: &Context) -> usize {
    ctx.scratch.numeric.len().saturating_sub(1)
}

/// The result that server_condition gives (unset: success).
pub fn server_condition(ctx: &mut Context, inst: &AuthInstance) -> AuthResult {
    match inst.generic.server_condition.get() {
        None => AuthResult::Ok,
        Some(t) => {
            let t = t.clone();
            trace_variables(ctx, inst);
            condition(ctx, &t)
        }
    }
}

/// What the condition can see, in the trace of `-bh` and `-d+auth`.
fn trace_variables(ctx: &Context, inst: &AuthInstance) {
    hdebug!(ctx, AUTH, "{} authenticator server_condition:", inst.name);
    for (i, v) in ctx.session.auth_vars.iter().enumerate() {
        if let Some(v) = v {
            hdebug!(ctx, AUTH, "  $auth{} = {v}", i + 1);
        }
    }
    for (i, v) in ctx.scratch.numeric.iter().enumerate().skip(1) {
        if let Some(v) = v {
            hdebug!(ctx, AUTH, "  ${i} = {v}");
        }
    }
}

/// The result that the expansion of a condition gives: "", 0, no and false fail, 1, yes and true succeed, anything else is
/// a temporary trouble with that text.
pub fn condition(ctx: &mut Context, template: &Template) -> AuthResult {
    let value = expand::expand(ctx, template);
    match &value {
        Ok(text) => hdebug!(ctx, AUTH, "expanded string: {text}"),
        Err(e) => hdebug!(ctx, AUTH, "expansion failed: {e}"),
    }
    match value {
        Ok(text) => match text.to_ascii_lowercase().as_slice() {
            b"" | b"0" | b"no" | b"false" => AuthResult::Fail(None),
            b"1" | b"yes" | b"true" => AuthResult::Ok,
            _ => AuthResult::Defer { user: Some(text.display().into_owned()), log: text.display().into_owned() },
        },
        Err(ExpandError::Forced(_)) => AuthResult::Fail(None),
        Err(e) => AuthResult::defer(e.to_string()),
    }
}

/// The value of a server's option: a forced failure is one of the authentication. The error is how the exchange ends.
pub fn server_value(ctx: &mut Context, template: &Template) -> Result<Text, AuthResult> {
    expand::expand(ctx, template).map_err(|e| match e {
        ExpandError::Forced(_) => AuthResult::Fail(None),
        e => AuthResult::defer(e.to_string()),
    })
}

/// The value of a client's option; empty if it is not set. The error is how the exchange ends.
pub fn client_value(ctx: &mut Context, inst: &AuthInstance, option: &Str) -> Result<Text, ClientAuthResult> {
    let Some(t) = option.get() else { return Ok(Text::new()) };
    expand::expand(ctx, t).map_err(|e| match e {
        ExpandError::Forced(_) => ClientAuthResult::Cancelled(None),
        e => {
            ClientAuthResult::Error(format!("expansion of \"{}\" failed in {} authenticator: {e}", t.raw().as_bstr(), inst.name))
        }
    })
}

/// Base64 of what goes out.
pub fn encode(data: &[u8]) -> Vec<u8> {
    data_encoding::BASE64.encode(data).into_bytes()
}

/// Base64 of what comes in; white space in it is skipped.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    crate::expand::operators::decode_base64(text)
}

/// The string in which `^` stands for NUL and `^^` for `^`.
pub fn carets(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&c, tail)) = rest.split_first() {
        if c != b'^' {
            out.push(c);
            rest = tail;
        } else if let Some(after) = tail.strip_prefix(b"^") {
            out.push(b'^');
            rest = after;
        } else {
            out.push(0);
            rest = tail;
        }
    }
    out
}

/// The mechanism's name as the client sends it.
pub fn mechanism(inst: &AuthInstance) -> BString {
    inst.generic.public_name.raw().unwrap_or(&inst.name).as_bstr().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_are_nuls() {
        assert_eq!(carets(b"^user^pass^^word"), b"\0user\0pass^word");
        assert_eq!(carets(b"a^"), b"a\0");
    }
}

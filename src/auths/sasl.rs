//! The way of a SASL mechanism over SMTP (RFC 4954), for drivers whose mechanism is a function from what the peer said to
//! what it is to hear: initial responses, challenges, and what a server has to say at its success.

use bstr::ByteSlice;

use super::{AuthInstance, AuthResult, ClientAuthResult, ClientDialogue, ServerDialogue, check};
use crate::context::Context;
use crate::text::Text;

/// No mechanism takes more.
const MAX_STEPS: usize = 50;

/// What a mechanism says.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// This goes out; more must come.
    More(Vec<u8>),
    /// It is through. A server may have to say something still.
    Done(Vec<u8>),
}

/// A server's mechanism: from what the client said (`None`: nothing yet) to what it is to hear.
pub type Serve<'a> = &'a mut dyn FnMut(&mut Context, Option<&[u8]>) -> Result<Step, AuthResult>;
/// A client's mechanism, likewise.
pub type Ask<'a> = &'a mut dyn FnMut(Option<&[u8]>) -> Result<Step, ClientAuthResult>;

/// Carries a server's mechanism to its end.
pub fn serve(
    ctx: &mut Context,
    wire: &mut dyn ServerDialogue,
    initial: Option<Vec<u8>>,
    step: Serve<'_>,
) -> Result<(), AuthResult> {
    let mut input = initial;
    for _ in 0..MAX_STEPS {
        match step(ctx, input.as_deref())? {
            Step::More(out) => input = Some(wire.challenge(ctx, &out)?),
            Step::Done(out) if out.is_empty() => return Ok(()),
            // SMTP has no place for it in the answer to success: it is a challenge, with an empty response.
            Step::Done(out) => {
                let answer = wire.challenge(ctx, &out)?;
                return if answer.is_empty() { Ok(()) } else { Err(AuthResult::Fail(None)) };
            }
        }
    }
    Err(AuthResult::Fail(None))
}

/// Carries a client's mechanism to its end. A mechanism that is not through when the server is content has not seen the server
/// prove itself, and that is no success.
pub fn ask(inst: &AuthInstance, wire: &mut dyn ClientDialogue, step: Ask<'_>) -> ClientAuthResult {
    let mut done = false;
    let mut line = [b"AUTH ", check::mechanism(inst).as_slice()].concat();
    match step(None) {
        Ok(Step::More(out)) if out.is_empty() => {}
        Ok(first) => {
            let (Step::More(out) | Step::Done(out)) = &first;
            done = matches!(first, Step::Done(_));
            line.push(b' ');
            line.extend(if out.is_empty() { b"=".to_vec() } else { check::encode(out) });
        }
        Err(end) => return end,
    }
    for _ in 0..MAX_STEPS {
        let (code, answer) = match wire.exchange(&line) {
            Ok(a) => a,
            Err(e) => return ClientAuthResult::Error(e),
        };
        match code {
            200..=299 if done => return ClientAuthResult::Ok,
            200..=299 => return ClientAuthResult::Error("the server ended the authentication before its proof".into()),
            300..=399 => {}
            _ => return ClientAuthResult::Fail(format!("{code} {}", answer.as_bstr())),
        }
        let next = match check::decode(&answer) {
            // One that is through may be told that once more.
            Some(data) if done && data.is_empty() => Ok(Step::Done(Vec::new())),
            Some(data) => step(Some(&data)),
            None => Err(ClientAuthResult::Cancelled(Some(format!(
                "Invalid base64 string in server response \"{code} {}\"",
                answer.trim_ascii().as_bstr()
            )))),
        };
        match next {
            Ok(next) => {
                let (Step::More(out) | Step::Done(out)) = &next;
                done |= matches!(next, Step::Done(_));
                line = check::encode(out);
            }
            Err(end) => {
                // The exchange is broken off; what the server says to that is not of interest.
                let _ = wire.exchange(b"*");
                return end;
            }
        }
    }
    let _ = wire.exchange(b"*");
    ClientAuthResult::Cancelled(Some("the mechanism does not come to an end".into()))
}

/// Sets `$auth1` and on, and `$1` and on, anew.
pub fn set_variables(ctx: &mut Context, values: &[Option<Vec<u8>>]) {
    ctx.session.auth_vars = Default::default();
    ctx.scratch.numeric.clear();
    ctx.scratch.numeric.push(Some(Text::new()));
    for (n, value) in values.iter().enumerate() {
        let value = Text::tainted(value.clone().unwrap_or_default());
        if let Some(place) = ctx.session.auth_vars.get_mut(n) {
            *place = Some(value.clone());
        }
        ctx.scratch.numeric.push(Some(value));
    }
}

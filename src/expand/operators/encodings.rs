//! Operators that encode and decode: base64, hexadecimal, RFC 2047, xtext.

use data_encoding::BASE64;

use crate::context::Context;
use crate::expand::{ExpandError, failed, headers};
use crate::text::Text;

/// `${base64:}`, `${str2b64:}`
pub fn base64(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    Ok(s.piece(BASE64.encode(&s)))
}

/// `${base64:$tls_..cert}`: the DER form.
pub fn base64_cert(pem: &[u8], _: Option<&[u8]>) -> Result<Text, ExpandError> {
    Ok(Text::clean(BASE64.encode(&super::hashes::der(pem)?)))
}

/// Decodes base64; white space is skipped, the rest must be exact. `None` if it is not well-formed.
pub fn decode_base64(s: &[u8]) -> Option<Vec<u8>> {
    let packed: Vec<u8> = s.iter().copied().filter(|c| !crate::parse::is_space(*c)).collect();
    let mut spec = BASE64.specification();
    spec.check_trailing_bits = false;
    spec.encoding().ok()?.decode(&packed).ok().filter(|_| !is_concatenated(&packed))
}

// Padding is allowed only at the very end.
fn is_concatenated(s: &[u8]) -> bool {
    let first = s.iter().position(|c| *c == b'=').unwrap_or(s.len());
    s.len() - first > 2
}

/// `${base64d:}`
pub fn base64d(_: &mut Context, name: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    match decode_base64(&s) {
        Some(d) => Ok(s.piece(cut_at_zero(d))),
        None => failed(format!("string \"{s}\" is not well-formed for \"{name}\" operator")),
    }
}

/// A zero byte ends a string for the reference.
fn cut_at_zero(mut d: Vec<u8>) -> Vec<u8> {
    if let Some(n) = d.iter().position(|c| *c == 0) {
        d.truncate(n);
    }
    d
}

/// `${hex2b64:}`
pub fn hex2b64(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    if !s.iter().all(u8::is_ascii_hexdigit) {
        return failed(format!("\"{s}\" is not a hex string"));
    }
    if !s.len().is_multiple_of(2) {
        return failed(format!("\"{s}\" contains an odd number of characters"));
    }
    match data_encoding::HEXLOWER_PERMISSIVE.decode(&s) {
        Ok(d) => Ok(s.piece(BASE64.encode(&d))),
        Err(_) => failed(format!("\"{s}\" is not a hex string")),
    }
}

/// `${rfc2047:}`
pub fn rfc2047(ctx: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    Ok(s.piece(crate::parse::quote_2047(&s, &headers::charset(ctx), false)))
}

/// `${rfc2047d:}`
pub fn rfc2047d(ctx: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let check = ctx.config.main.check_rfc2047_length;
    match crate::parse::decode_2047(&s, check, Some(&headers::charset(ctx)), Some(b'?')) {
        Ok(d) => Ok(s.piece(d)),
        Err(e) => failed(e),
    }
}

/// `${xtextd:}`
pub fn xtextd(_: &mut Context, name: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    match crate::parse::xtext::decode(&s) {
        Some(d) => Ok(s.piece(cut_at_zero(d.into()))),
        None => failed(format!("string \"{s}\" is not well-formed for \"{name}\" operator")),
    }
}

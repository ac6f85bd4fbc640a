//! Conditions that check passwords and the like: `acl`, `crypteq`, `inbound_srs`, `ldapauth`.

use super::Call;
use crate::context::Context;
use crate::expand::digest::{Algorithm, digest};
use crate::expand::items::srs;
use crate::expand::{ExpandError, failed, hooks};

/// `acl`: `$value` is the message of the ACL.
pub fn acl(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    let (yes, message) = hooks::run_acl(ctx, call.args.into_vec())?;
    ctx.scratch.value = message;
    Ok(yes)
}

/// `inbound_srs`
pub fn inbound_srs(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    srs::decode(ctx, call.arg(0), call.arg(1))
}

/// `ldapauth`
pub fn ldapauth(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    hooks::ldapauth(ctx, call.arg(0))
}

/// Conditions that this build has not.
pub fn not_compiled(_: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    failed(format!("support for \"{}\" not compiled", call.name))
}

/// `crypteq`
pub fn crypteq(_: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    let (plain, coded) = (call.arg(0), call.arg(1));
    let with_prefix = |prefix: &str| -> Option<&[u8]> {
        let head = coded.get(..prefix.len())?;
        if head.eq_ignore_ascii_case(prefix.as_bytes()) { coded.get(prefix.len()..) } else { None }
    };
    if let Some(rest) = with_prefix("{md5}") {
        return Ok(digest_equals(Algorithm::Md5, plain, rest, 24, 32));
    }
    if let Some(rest) = with_prefix("{sha1}") {
        return Ok(digest_equals(Algorithm::Sha1, plain, rest, 28, 40));
    }
    if let Some(rest) = with_prefix("{crypt16}") {
        return Ok(!rest.is_empty() && crypt16(plain, rest).is_some_and(|c| same(&c, rest)));
    }
    let rest = match with_prefix("{crypt}") {
        Some(rest) => rest,
        None if coded.first() == Some(&b'{') => {
            return failed(format!("unknown encryption mechanism in \"{coded}\""));
        }
        None => coded.as_bytes(),
    };
    // Short salts make crypt() fail on some systems and match everything on others.
    if rest.is_empty() {
        return Ok(false);
    }
    Ok(crate::sys::crypt::crypt(plain, rest).is_some_and(|c| same(&c, rest)))
}

/// A comparison whose time says nothing of where strings differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && openssl::memcmp::eq(a, b)
}

fn digest_equals(algorithm: Algorithm, plain: &[u8], coded: &[u8], base64: usize, hex: usize) -> bool {
    let Ok(d) = digest(algorithm, plain) else { return false };
    if coded.len() == base64 {
        same(data_encoding::BASE64.encode(&d).as_bytes(), coded)
    } else if coded.len() == hex {
        same(data_encoding::HEXLOWER.encode(&d).as_bytes(), &coded.to_ascii_lowercase())
    } else {
        false
    }
}

/// crypt() of the first eight characters, and of the rest if there is one, joined. The second salt is the beginning of the
/// first result, and is not shown again.
fn crypt16(plain: &[u8], salt: &[u8]) -> Option<Vec<u8>> {
    let (first, rest) = plain.split_at(plain.len().min(8));
    let mut out = crate::sys::crypt::crypt(first, salt)?;
    if !rest.is_empty() {
        let salt = out.get(2..4)?.to_vec();
        let second = crate::sys::crypt::crypt(rest, &salt)?;
        out.extend_from_slice(second.get(2..)?);
    }
    Some(out)
}

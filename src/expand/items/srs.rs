//! Sender rewriting: `${srs_encode}`, and the work of the condition `inbound_srs` (manual 58.3).

use super::ItemArgs;
use crate::context::Context;
use crate::expand::ExpandError;
use crate::expand::digest::{Algorithm, keyed_digest};
use crate::expand::eval::subs;
use crate::mail_auth::srs::{age, stamp, today};
use crate::parse::{Rules, extract_address};
use crate::text::Text;

/// How many days an address can be used.
const VALID_DAYS: i64 = 10;

/// Four hexadecimal digits over the address in lower case.
fn checksum(secret: &[u8], address: &[u8]) -> Result<Vec<u8>, ExpandError> {
    let digest = keyed_digest(Algorithm::Md5, secret, &address.to_ascii_lowercase())?;
    Ok(data_encoding::HEXLOWER.encode(digest.get(..2).unwrap_or_default()).into_bytes())
}

/// `${srs_encode}`
pub fn srs_encode(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let strings = subs(ctx, args)?;
    let [secret, path, domain] = strings.as_slice() else { return Ok(()) };
    if !path.is_empty() {
        let address = extract_address(&mut Rules::new(&ctx.config.main), path).map_err(ExpandError::Failed)?;
        let local = address.local_part();
        let quoted = local.contains(&b'"');
        let mut user = b"SRS0=".to_vec();
        user.extend_from_slice(&checksum(secret, path)?);
        user.push(b'=');
        user.extend_from_slice(&stamp(today()));
        user.push(b'=');
        user.extend_from_slice(address.domain());
        user.push(b'=');
        user.extend_from_slice(&if quoted { crate::expand::split::dequote(local).0 } else { local.to_vec() });
        if quoted {
            user.insert(0, b'"');
            user.push(b'"');
        }
        out.push_with(&user, path.taint());
        out.push_bytes(b"@");
        out.push(domain);
    }
    Ok(())
}

struct Coded<'a> {
    hash: &'a [u8],
    day: &'a [u8],
    domain: &'a [u8],
    local: &'a [u8],
}

/// `SRS0=hash=tt=domain=local`
fn read(s: &[u8]) -> Option<Coded<'_>> {
    if !s.get(..5)?.eq_ignore_ascii_case(b"SRS0=") {
        return None;
    }
    let mut parts = s.get(5..)?.splitn(4, |c| *c == b'=');
    let c = Coded { hash: parts.next()?, day: parts.next()?, domain: parts.next()?, local: parts.next()? };
    (!c.hash.is_empty() && c.day.len() == 2 && !s.contains(&b'\n')).then_some(c)
}

/// Is the local part a valid SRS address? Sets `$srs_recipient`. With an empty secret only the form and the day count.
pub fn decode(ctx: &mut Context, local_part: &Text, secret: &Text) -> Result<bool, ExpandError> {
    ctx.scratch.srs_recipient = None;
    let unquoted = match local_part.first() {
        Some(b'"') => local_part.piece(crate::expand::split::dequote(local_part).0),
        _ => local_part.clone(),
    };
    let Some(coded) = read(&unquoted) else { return Ok(false) };
    let lower = unquoted.piece(coded.local.to_ascii_lowercase());
    let mut recipient = crate::expand::operators::quote_local_part(lower);
    recipient.push_bytes(b"@");
    recipient.push_bytes(&coded.domain.to_ascii_lowercase());
    let plain = [coded.local, b"@", coded.domain].concat();
    let shown = recipient.clone();
    ctx.scratch.srs_recipient = Some(recipient);
    if age(coded.day, today()).is_none_or(|days| days > VALID_DAYS) {
        return Ok(false);
    }
    if secret.is_empty() {
        return Ok(true);
    }
    let same = |sum: Vec<u8>| sum == coded.hash;
    Ok(same(checksum(secret, &shown)?) || same(checksum(secret, &plain)?))
}

//! `prvs` and `prvscheck`: signed return paths (BATV).

use bstr::ByteSlice;

use super::ItemArgs;
use crate::context::Context;
use crate::expand::digest::{Algorithm, keyed_digest};
use crate::expand::eval::{subs, text};
use crate::expand::{ExpandError, failed};
use crate::sys::time::unix_time;
use crate::text::Text;

/// Days after which an address expires.
const VALID_DAYS: i64 = 7;

/// The day number, `ahead` days from now, modulo 1000.
fn day(ahead: i64) -> i64 {
    (unix_time() / 86400 + ahead).rem_euclid(1000)
}

/// Six hexadecimal digits over key number, day and address.
fn hash(address: &[u8], secret: &[u8], key: &[u8], day: &[u8]) -> Result<String, ExpandError> {
    let data = [key, day, address].concat();
    let digest = keyed_digest(Algorithm::Sha1, secret, &data)?;
    Ok(data_encoding::HEXLOWER.encode(digest.get(..3).unwrap_or_default()))
}

/// `${prvs}`
pub fn prvs(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let strings = subs(ctx, args)?;
    let (Some(address), Some(secret)) = (strings.first(), strings.get(1)) else { return Ok(()) };
    let at = address.rfind_byte(b'@').unwrap_or(0);
    if at == 0 || at + 1 == address.len() {
        return failed("prvs first argument must be a qualified email address");
    }
    let key = match strings.get(2).map(|k| k.as_bytes()) {
        None => b'0',
        Some([c]) if c.is_ascii_digit() => *c,
        Some(_) => return failed("prvs third argument must be a single digit"),
    };
    let day = format!("{:03}", day(VALID_DAYS));
    let hash = hash(address, secret, &[key], day.as_bytes())?;
    out.push_bytes(format!("prvs={}{day}{hash}=", char::from(key)).as_bytes());
    out.push(address);
    Ok(())
}

struct Signed<'a> {
    key: &'a [u8],
    day: &'a [u8],
    hash: &'a [u8],
    address: &'a [u8],
}

/// `prvs=KDDDSSSSSS=local@domain`
fn read(s: &[u8]) -> Option<Signed<'_>> {
    let head = s.get(..5)?;
    if !head.eq_ignore_ascii_case(b"prvs=") {
        return None;
    }
    let (key, day, hash) = (s.get(5..6)?, s.get(6..9)?, s.get(9..15)?);
    let address = s.get(15..)?.strip_prefix(b"=")?;
    let at = address.iter().rposition(|c| *c == b'@')?;
    let ok = key.iter().chain(day).all(u8::is_ascii_digit)
        && hash.iter().all(u8::is_ascii_hexdigit)
        && at > 0
        && at + 1 < address.len()
        && !address.contains(&b'\n');
    ok.then_some(Signed { key, day, hash, address })
}

fn valid(signed: &Signed<'_>, secret: &[u8]) -> Result<bool, ExpandError> {
    let wanted = hash(signed.address, secret, signed.key, signed.day)?;
    if !wanted.as_bytes().eq_ignore_ascii_case(signed.hash) {
        return Ok(false);
    }
    let now = day(0);
    let mut expiry = signed.day.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0'));
    if expiry < VALID_DAYS && now >= 993 {
        expiry += 1000;
    }
    Ok(expiry >= now)
}

/// `${prvscheck}`
pub fn prvscheck(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let subject = subs(ctx, args)?.into_iter().next().unwrap_or_default();
    let Some(signed) = read(&subject) else { return Ok(()) };
    ctx.scratch.prvscheck_address = Some(subject.piece(signed.address));
    ctx.scratch.prvscheck_keynum = Some(subject.piece(signed.key));
    let result = check(ctx, args, &subject, &signed, out);
    ctx.scratch.prvscheck_address = None;
    ctx.scratch.prvscheck_keynum = None;
    result
}

fn check(ctx: &mut Context, args: &ItemArgs, subject: &Text, signed: &Signed<'_>, out: &mut Text) -> Result<(), ExpandError> {
    let secret = match &args.each {
        Some(b) => text(ctx, b)?,
        None => Text::new(),
    };
    let ok = valid(signed, &secret)?;
    ctx.scratch.prvscheck_result = ok.then(|| Text::clean("1"));
    let value = match &args.yes {
        Some(b) => text(ctx, b)?,
        None => Text::new(),
    };
    if value.is_empty() {
        out.push_with(signed.address, subject.taint());
    } else {
        out.push(&value);
    }
    Ok(())
}

//! Operators with numbers: arithmetic, bases, times, and the ones that share their work with items (`hash`, `substr`...).

use crate::config::values::{parse_interval, show_time};
use crate::context::Context;
use crate::expand::items::strings;
use crate::expand::{ExpandError, arith, failed};
use crate::text::Text;

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `${eval:}`, `${eval10:}`
pub fn eval(_: &mut Context, name: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    match arith::eval(&s, name == "eval10") {
        Ok(n) => Ok(Text::clean(n.to_string())),
        Err(e) => failed(e),
    }
}

/// A decimal number as C's `strtoul` reads it, to its last byte.
fn decimal(name: &str, s: &Text) -> Result<u64, ExpandError> {
    let trimmed = s.iter().position(|c| !crate::parse::is_space(*c)).map_or(&b""[..], |n| s.get(n..).unwrap_or_default());
    let (negative, digits) = match trimmed {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, trimmed),
    };
    if !digits.iter().all(u8::is_ascii_digit) || (digits.is_empty() && !s.is_empty()) {
        return failed(format!("argument for {name} operator is \"{s}\", which is not a decimal number"));
    }
    let n = digits.iter().fold(0u64, |n, d| n.saturating_mul(10).saturating_add(u64::from(d - b'0')));
    Ok(if negative { n.wrapping_neg() } else { n })
}

/// `${base32:}`
pub fn base32(_: &mut Context, name: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let mut n = decimal(name, &s)?;
    let mut out = Vec::new();
    while n > 0 {
        out.push(BASE32[(n & 31) as usize]);
        n >>= 5;
    }
    out.reverse();
    Ok(Text::clean(out))
}

/// `${base32d:}`
pub fn base32d(_: &mut Context, name: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let mut n: u64 = 0;
    for c in s.iter() {
        let Some(d) = BASE32.iter().position(|b| b == c) else {
            return failed(format!("argument for {name} operator is \"{s}\", which is not a base 32 number"));
        };
        n = n.wrapping_mul(32).wrapping_add(d as u64);
    }
    Ok(Text::clean(n.to_string()))
}

/// `${base62:}`: six characters.
pub fn base62(_: &mut Context, name: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let mut n = decimal(name, &s)?;
    let mut out = [b'0'; 6];
    for c in out.iter_mut().rev() {
        *c = BASE62[(n % 62) as usize];
        n /= 62;
    }
    Ok(Text::clean(out))
}

/// `${base62d:}`
pub fn base62d(_: &mut Context, name: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let mut n: u64 = 0;
    for c in s.iter() {
        let Some(d) = BASE62.iter().position(|b| b == c) else {
            return failed(format!("argument for {name} operator is \"{s}\", which is not a base 36/62 number"));
        };
        n = n.wrapping_mul(62).wrapping_add(d as u64);
    }
    Ok(Text::clean((n as i64).to_string()))
}

/// `${randint:}`
pub fn randint(ctx: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let n = arith::integer(&s, true).map_err(ExpandError::Failed)?;
    let limit = u32::try_from(n).unwrap_or(u32::MAX);
    Ok(Text::clean(ctx.services.random.below(limit).to_string()))
}

/// `${time_eval:}`
pub fn time_eval(_: &mut Context, name: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    // A number without a unit is not an interval here.
    match parse_interval(&s).filter(|_| s.last().is_some_and(u8::is_ascii_alphabetic)) {
        Some(n) => Ok(Text::clean(n.to_string())),
        None => failed(format!("string \"{s}\" is not an Exim time interval in \"{name}\" operator")),
    }
}

/// `${time_interval:}`
pub fn time_interval(_: &mut Context, name: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    if !s.iter().all(u8::is_ascii_digit) {
        return failed(format!("string \"{s}\" is not a positive number in \"{name}\" operator"));
    }
    let n = s.iter().fold(0i64, |n, d| n.saturating_mul(10).saturating_add(i64::from(d - b'0')));
    // The reference's type holds 32 bits.
    Ok(Text::clean(show_time(n & 0x7fff_ffff_ffff_ffff)))
}

/// `hash`, `nhash`, `length`, `substr` and their short names: numbers after underscores.
pub fn counted(_: &mut Context, name: &str, arg: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let Some(arg) = arg else { return failed(format!("missing values after {name}")) };
    let shown = || format!("non-digit after underscore in \"{name}_{}\"", String::from_utf8_lossy(arg));
    let substr = matches!(name, "substr" | "s");
    let (negative, digits) = match arg {
        [b'-', rest @ ..] if substr => (true, rest),
        _ => (false, arg),
    };
    let mut parts = digits.splitn(2, |c| *c == b'_');
    let first = parts.next().unwrap_or_default();
    let second = if matches!(name, "length" | "l") { None } else { parts.next() };
    if second.is_none() && digits.contains(&b'_') {
        return failed(shown());
    }
    let number = |d: &[u8]| -> Result<i32, ExpandError> {
        if !d.iter().all(u8::is_ascii_digit) {
            return failed(shown());
        }
        Ok(d.iter().fold(0i32, |n, d| n.wrapping_mul(10).wrapping_add(i32::from(d - b'0'))))
    };
    if second.is_some_and(<[u8]>::is_empty) || (first.is_empty() && second.is_some()) {
        return failed(shown());
    }
    let n = number(first)?;
    let n = if negative { n.wrapping_neg() } else { n };
    let m = second.map(number).transpose()?;
    match name {
        "h" | "hash" => strings::hash(&s, n, m),
        "nh" | "nhash" => strings::nhash(&s, n, m),
        "l" | "length" => strings::substr(&s, 0, Some(n)),
        _ => strings::substr(&s, n, m),
    }
}

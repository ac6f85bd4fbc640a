//! Items that work on a string with numbers or secrets: `hash`, `nhash`, `length`, `substr`, `hmac`, `imapfolder`.

use super::ItemArgs;
use crate::context::Context;
use crate::expand::arith::leading_number;
use crate::expand::digest::{Algorithm, keyed_digest};
use crate::expand::eval::subs;
use crate::expand::{ExpandError, failed};
use crate::text::Text;

/// The letters of textual hashes. The order of "s" and "t" is historical.
const HASH_CODES: &[u8; 62] = b"abcdefghijklmnopqrtsuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Weights of the numeric hash.
const PRIMES: [u64; 29] =
    [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113];

/// The textual hash: `len` letters out of the first `letters` (26 if not given).
pub fn hash(s: &Text, len: i32, letters: Option<i32>) -> Result<Text, ExpandError> {
    let letters = letters.unwrap_or(26);
    let Some(letters) = usize::try_from(letters).ok().filter(|n| *n <= HASH_CODES.len()) else {
        return failed(format!("hash count \"{letters}\" too big"));
    };
    let len = usize::try_from(len).unwrap_or(0);
    if len >= s.len() {
        return Ok(s.clone());
    }
    if len == 0 {
        return Ok(Text::new());
    }
    if letters == 0 {
        return failed("hash count \"0\" too small");
    }
    let (head, tail) = s.split_at(len);
    let mut mixed: Vec<u8> = head.to_vec();
    for (n, c) in tail.iter().enumerate() {
        // Each further byte is turned by an amount of its own and laid over the result, round and round.
        let turn = (usize::from(*c) + len + n) & 7;
        if let Some(m) = mixed.get_mut(n % len) {
            *m ^= c.rotate_left(turn as u32);
        }
    }
    let out: Vec<u8> = mixed.iter().map(|m| HASH_CODES.get(usize::from(*m) % letters).copied().unwrap_or(b'a')).collect();
    Ok(s.piece(out))
}

/// The numeric hash: below `n`, or a pair below `n` and `m`.
pub fn nhash(s: &[u8], n: i32, m: Option<i32>) -> Result<Text, ExpandError> {
    let mut total: u64 = 0;
    for (c, p) in s.iter().zip(PRIMES.iter().rev().cycle()) {
        total = total.wrapping_add(u64::from(*c).wrapping_mul(*p));
    }
    let positive = |n: i32| u64::try_from(n).ok().filter(|n| *n > 0);
    let Some(n) = positive(n) else { return failed("nhash divisor must be greater than zero") };
    match m {
        None => Ok(Text::clean((total % n).to_string())),
        Some(m) => {
            let Some(m) = positive(m) else { return failed("nhash divisor must be greater than zero") };
            let total = total % n.wrapping_mul(m);
            Ok(Text::clean(format!("{}/{}", total / m, total % m)))
        }
    }
}

/// The piece from `start` (from the end if negative) of `len` bytes; without `len`, to the end, or from the
/// beginning up to a negative start.
pub fn substr(s: &Text, start: i32, len: Option<i32>) -> Result<Text, ExpandError> {
    let size = i64::try_from(s.len()).unwrap_or(i64::MAX);
    let (start, end) = match (i64::from(start), len.map(i64::from)) {
        (n, Some(len)) if n < 0 => ((size + n).max(0), (size + n).saturating_add(len)),
        (n, None) if n < 0 => (0, size + n),
        (n, Some(len)) => (n, n.saturating_add(len)),
        (n, None) => (n, size),
    };
    let end = end.min(size);
    let piece = match (usize::try_from(start), usize::try_from(end)) {
        (Ok(a), Ok(b)) if a < b => s.get(a..b).unwrap_or_default(),
        _ => b"",
    };
    Ok(s.piece(piece))
}

/// The numbers and the subject of `hash`, `nhash`, `length`, `substr` as items.
fn numbers(ctx: &mut Context, args: &ItemArgs, name: &str) -> Result<(Vec<i32>, Text), ExpandError> {
    let mut strings = subs(ctx, args)?;
    let subject = strings.pop().unwrap_or_default();
    let mut out = Vec::new();
    for (n, s) in strings.iter().enumerate() {
        if s.is_tainted() {
            return failed(format!("attempt to use tainted string '{s}' for {name}"));
        }
        let (value, rest) = leading_number(s);
        // The first number of all but `length` may be negative.
        let positive = n > 0 || name == "length";
        let value = value as i32;
        if !rest.is_empty() || (positive && value < 0) {
            let what = if positive { " positive" } else { "" };
            return failed(format!("\"{s}\" is not a{what} number (in \"{name}\" expansion)"));
        }
        out.push(value);
    }
    Ok((out, subject))
}

/// `${hash}`
pub fn hash_item(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let (n, s) = numbers(ctx, args, "hash")?;
    out.push(&hash(&s, n.first().copied().unwrap_or(0), n.get(1).copied())?);
    Ok(())
}

/// `${nhash}`
pub fn nhash_item(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let (n, s) = numbers(ctx, args, "nhash")?;
    out.push(&nhash(&s, n.first().copied().unwrap_or(0), n.get(1).copied())?);
    Ok(())
}

/// `${length}`
pub fn length_item(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let (n, s) = numbers(ctx, args, "length")?;
    out.push(&substr(&s, 0, n.first().copied())?);
    Ok(())
}

/// `${substr}`
pub fn substr_item(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let (n, s) = numbers(ctx, args, "substr")?;
    out.push(&substr(&s, n.first().copied().unwrap_or(0), n.get(1).copied())?);
    Ok(())
}

/// `${hmac}`
pub fn hmac(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let strings = subs(ctx, args)?;
    let [name, secret, data] = strings.as_slice() else { return Ok(()) };
    let kind = match name.as_bytes() {
        b"md5" => Algorithm::Md5,
        b"sha1" => Algorithm::Sha1,
        _ => return failed(format!("hmac algorithm \"{name}\" is not recognised")),
    };
    let digest = keyed_digest(kind, secret, data)?;
    out.push_bytes(data_encoding::HEXLOWER.encode(&digest).as_bytes());
    Ok(())
}

/// `${imapfolder}`: modified UTF-7, and dots between the levels.
pub fn imapfolder(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let strings = subs(ctx, args)?;
    let folder = strings.first().cloned().unwrap_or_default();
    let separator = match strings.get(1).map(|s| s.as_bytes()) {
        None => b'/',
        Some([c]) => *c,
        Some(s) => {
            let s = String::from_utf8_lossy(s);
            return failed(format!("IMAP folder separator must be one character, found \"{s}\""));
        }
    };
    let specials = strings.get(2).cloned().unwrap_or_default();
    out.push_with(&folder_name(&folder, separator, &specials)?, folder.taint());
    Ok(())
}

fn folder_name(folder: &[u8], separator: u8, specials: &[u8]) -> Result<Vec<u8>, ExpandError> {
    let Ok(text) = std::str::from_utf8(folder) else {
        return failed("imapfolder: iconv() failed: Invalid or incomplete multibyte or wide character");
    };
    let mut out = Vec::new();
    let mut wide: Vec<u8> = Vec::new();
    let flush = |wide: &mut Vec<u8>, out: &mut Vec<u8>| {
        if !wide.is_empty() {
            let coded = data_encoding::BASE64_NOPAD.encode(wide).replace('/', ",");
            out.push(b'&');
            out.extend_from_slice(coded.as_bytes());
            out.push(b'-');
            wide.clear();
        }
    };
    for c in text.chars() {
        let byte = u8::try_from(u32::from(c)).unwrap_or(0);
        let plain = (0x20..=0x7e).contains(&byte) && !specials.contains(&byte);
        if !plain {
            let mut units = [0u16; 2];
            for u in c.encode_utf16(&mut units) {
                wide.extend_from_slice(&u.to_be_bytes());
            }
            continue;
        }
        flush(&mut wide, &mut out);
        match byte {
            b if b == separator => out.push(b'.'),
            b'.' | b'/' => {
                return failed(format!("imapfolder: illegal character '{}'", char::from(byte)));
            }
            b'&' => out.extend_from_slice(b"&-"),
            b => out.push(b),
        }
    }
    flush(&mut wide, &mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces() {
        let s = |n, m| substr(&Text::clean("1234567"), n, m).unwrap().to_string();
        assert_eq!(
            (s(-5, Some(2)), s(3, None), s(-2, None), s(9, None)),
            ("34".into(), "4567".into(), "12345".into(), "".into())
        );
        let t = substr(&Text::clean("12"), -3, Some(2)).unwrap();
        assert_eq!(t, "1");
    }

    #[test]
    fn hashes() {
        let h = |s: &str, n, m| hash(&Text::clean(s), n, m).unwrap().to_string();
        assert_eq!(
            (h("monty", 3, None), h("monty", 5, None), h("monty python", 4, Some(62))),
            ("jmg".into(), "monty".into(), "fbWx".into())
        );
        assert_eq!(nhash(b"supercalifragilisticexpialidocious", 8, Some(64)).unwrap(), "6/33");
    }
}

//! How option values are written: integers, octal modes, fixed-point numbers, time intervals (manual chapter 6).
//!
//! Used by the option tables, and by expansions and ACLs for the same notations. Pure functions.

use bstr::ByteSlice;

/// Reads an interval such as `1w2d3h4m5s`; each number has its unit. `None` if it is not one. Used wherever the manual says "time".
pub fn parse_interval(s: &[u8]) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = s;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        if digits == 0 || digits > 18 {
            return None;
        }
        let n: i64 = rest[..digits].to_str().ok()?.parse().ok()?;
        let unit = match rest.get(digits) {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3600,
            Some(b'd') => 86400,
            Some(b'w') => 604_800,
            _ => return None,
        };
        total = total.checked_add(n.checked_mul(unit)?)?;
        rest = rest.get(digits + 1..).unwrap_or_default();
    }
    Some(total)
}

/// Writes an interval as the reference does: `1d2h`, `0s`.
pub fn show_time(t: i64) -> String {
    if t < 0 {
        return format!("-{}", show_time(-t));
    }
    let mut out = String::new();
    let mut left = t;
    for (unit, secs) in [('w', 604_800), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)] {
        if left >= secs {
            out.push_str(&format!("{}{unit}", left / secs));
            left %= secs;
        }
    }
    if out.is_empty() { "0s".into() } else { out }
}

/// An integer option's value, which must fit 32 bits.
pub fn read_int(name: &str, v: &[u8]) -> Result<i64, String> {
    let (n, rest, text) = number(name, v)?;
    let n = match rest.first() {
        Some(b'K' | b'k') => (n.checked_mul(1 << 10), &rest[1..]),
        Some(b'M' | b'm') => (n.checked_mul(1 << 20), &rest[1..]),
        Some(b'G' | b'g') => (n.checked_mul(1 << 30), &rest[1..]),
        _ => (Some(n), rest),
    };
    let value = n.0.filter(|v| i32::try_from(*v).is_ok()).ok_or_else(|| too_large(&text, rest))?;
    no_more(name, n.1, "integer").map(|()| value)
}

/// A size option's value: 64 bits, with letters up to E.
pub fn read_size(name: &str, v: &[u8]) -> Result<i64, String> {
    let (n, rest, text) = number(name, v)?;
    let shift = match rest.first().map(u8::to_ascii_uppercase) {
        Some(b'K') => 10,
        Some(b'M') => 20,
        Some(b'G') => 30,
        Some(b'T') => 40,
        Some(b'P') => 50,
        Some(b'E') => 60,
        Some(b'Z') => return Err(too_large(&text, rest)),
        _ => 0,
    };
    let after = if shift == 0 { rest } else { rest.get(1..).unwrap_or_default() };
    let value = n.checked_mul(1i64 << shift).ok_or_else(|| too_large(&text, rest))?;
    no_more(name, after, "integer").map(|()| value)
}

fn too_large(text: &[u8], rest: &[u8]) -> String {
    let letter = rest.get(..rest.len().min(1)).unwrap_or_default();
    format!("absolute value of integer \"{}{}\" is too large (overflow)", text.as_bstr(), letter.as_bstr())
}

fn no_more(name: &str, rest: &[u8], what: &str) -> Result<(), String> {
    if rest.trim().is_empty() { Ok(()) } else { Err(format!("extra characters follow {what} value for {name}")) }
}

/// The number at the start: value, what follows, and its text.
fn number<'a>(name: &str, v: &'a [u8]) -> Result<(i64, &'a [u8], Vec<u8>), String> {
    let t = v.trim();
    let (neg, digits) = match t.strip_prefix(b"-") {
        Some(d) => (true, d),
        None => (false, t.strip_prefix(b"+").unwrap_or(t)),
    };
    let (radix, body) = match digits {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        [b'0', rest @ ..] if rest.first().is_some_and(u8::is_ascii_digit) => (8, rest),
        _ => (10, digits),
    };
    let len = body.iter().take_while(|c| char::from(**c).is_digit(radix)).count();
    if len == 0 {
        return Err(format!("integer expected for {name}"));
    }
    let (number, rest) = body.split_at(len);
    let text = t.get(..t.len() - rest.len()).unwrap_or(t);
    let n = number.to_str().ok().and_then(|s| i64::from_str_radix(s, radix).ok()).ok_or_else(|| too_large(text, b""))?;
    Ok((if neg { -n } else { n }, rest, text.to_vec()))
}

/// An octal option's value.
pub fn read_octal(name: &str, v: &[u8]) -> Result<u32, String> {
    let t = v.trim();
    let len = t.iter().take_while(|c| (b'0'..=b'7').contains(c)).count();
    if len == 0 {
        return Err(format!("octal integer expected for {name}"));
    }
    if len != t.len() {
        return Err(format!("extra characters follow octal integer value for {name}"));
    }
    t.to_str()
        .ok()
        .and_then(|s| u32::from_str_radix(s, 8).ok())
        .ok_or_else(|| format!("absolute value of integer \"{}\" is too large (overflow)", v.as_bstr()))
}

/// A fixed-point option's value, in thousandths; further digits are dropped.
pub fn read_fixed(name: &str, v: &[u8]) -> Result<i64, String> {
    let t = v.trim();
    let len = t.iter().take_while(|c| c.is_ascii_digit()).count();
    if len == 0 {
        return Err(format!("fixed-point number expected for {name}"));
    }
    let (whole, mut rest) = t.split_at(len);
    let mut frac = &b""[..];
    if let Some(after) = rest.strip_prefix(b".") {
        let len = after.iter().take_while(|c| c.is_ascii_digit()).count();
        (frac, rest) = after.split_at(len);
    }
    no_more(name, rest, "fixed-point")?;
    let large = || format!("integer \"{}\" is too large (overflow)", t.as_bstr());
    let n: i64 = whole.to_str().ok().and_then(|s| s.parse().ok()).ok_or_else(large)?;
    if n > i64::from(i32::MAX) / 1000 {
        return Err(large());
    }
    let mut f = 0i64;
    for i in 0..3 {
        f = f * 10 + frac.get(i).map_or(0, |c| i64::from(c - b'0'));
    }
    Ok(n * 1000 + f)
}

/// A time option's value.
pub fn read_time_option(name: &str, v: &[u8]) -> Result<i64, String> {
    parse_interval(v.trim()).ok_or_else(|| format!("invalid time value for {name}"))
}

/// A time list option's value.
pub fn read_time_list(name: &str, v: &[u8]) -> Result<Vec<i64>, String> {
    let mut out = Vec::new();
    for item in v.split_str(":") {
        if item.trim().is_empty() {
            continue;
        }
        let t = read_time_option(name, item)?;
        if out.last().is_some_and(|last| *last >= t) {
            return Err(format!("time value out of order for {name}"));
        }
        out.push(t);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        assert_eq!(parse_interval(b"1w2d3h4m5s"), Some(604_800 + 2 * 86_400 + 3 * 3600 + 245));
        assert_eq!(parse_interval(b"10"), None);
        assert_eq!(parse_interval(b"10x"), None);
        assert_eq!(show_time(90_061), "1d1h1m1s");
        assert_eq!(show_time(0), "0s");
    }

    #[test]
    fn integers() {
        assert_eq!(read_int("x", b"10K"), Ok(10240));
        assert_eq!(read_int("x", b"0x10"), Ok(16));
        assert_eq!(read_int("x", b"-5"), Ok(-5));
        assert!(read_int("x", b"99999999999999999999").is_err());
        assert_eq!(read_int("x", b"999999K"), Ok(1_023_998_976));
        assert_eq!(read_int("x", b"999999M").unwrap_err(), "absolute value of integer \"999999M\" is too large (overflow)");
        assert_eq!(read_int("x", b"99Q").unwrap_err(), "extra characters follow integer value for x");
        assert_eq!(read_int("x", b"Q").unwrap_err(), "integer expected for x");
        assert_eq!(read_size("x", b"4000G"), Ok(4000 << 30));
        assert!(read_size("x", b"4000Z").unwrap_err().contains("4000Z"));
        assert_eq!(read_fixed("x", b"1.25"), Ok(1250));
        assert!(read_fixed("x", b"4000000000000000.123").unwrap_err().starts_with("integer \"4000000000000000.123\" is"));
    }
}

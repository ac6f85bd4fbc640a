//! How option values are written: integers, octal modes, fixed-point numbers, time intervals (manual chapter 6).
//!
//! Used by the option tables, and by expansions and ACLs for the same notations. Pure functions.

use bstr::ByteSlice;

/// Reads an interval such as `1w2d3h4m5s`; `None` if it is not one. Used wherever the manual says "time".
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
            None | Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3600,
            Some(b'd') => 86400,
            Some(b'w') => 604_800,
            Some(_) => return None,
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

/// An integer option's value.
pub fn read_int(name: &str, v: &[u8]) -> Result<i64, String> {
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
        return Err(format!("integer expected for \"{name}\" option"));
    }
    let too_large = || format!("absolute value of integer \"{}\" is too large (overflow)", v.as_bstr());
    let n = body[..len].to_str().ok().and_then(|s| i64::from_str_radix(s, radix).ok()).ok_or_else(too_large)?;
    let (shift, rest) = match body[len..].first() {
        Some(b'K' | b'k') => (10, &body[len + 1..]),
        Some(b'M' | b'm') => (20, &body[len + 1..]),
        Some(b'G' | b'g') => (30, &body[len + 1..]),
        _ => (0, &body[len..]),
    };
    if !rest.trim().is_empty() {
        return Err(format!("extra characters follow integer value for \"{name}\" option"));
    }
    let n = n.checked_mul(1 << shift).ok_or_else(too_large)?;
    Ok(if neg { -n } else { n })
}

/// An octal option's value.
pub fn read_octal(name: &str, v: &[u8]) -> Result<u32, String> {
    let t = v.trim();
    let len = t.iter().take_while(|c| (b'0'..=b'7').contains(c)).count();
    if len == 0 {
        return Err(format!("octal integer expected for \"{name}\" option"));
    }
    if len != t.len() {
        return Err(format!("extra characters follow integer value for \"{name}\" option"));
    }
    t.to_str()
        .ok()
        .and_then(|s| u32::from_str_radix(s, 8).ok())
        .ok_or_else(|| format!("absolute value of integer \"{}\" is too large (overflow)", v.as_bstr()))
}

/// A fixed-point option's value, in thousandths.
pub fn read_fixed(name: &str, v: &[u8]) -> Result<i64, String> {
    let t = v.trim();
    let bad = || format!("fixed-point value expected for \"{name}\" option");
    let (whole, frac) = match t.find_byte(b'.') {
        Some(i) => (&t[..i], &t[i + 1..]),
        None => (t, &b""[..]),
    };
    if whole.is_empty() || whole.len() > 12 || !whole.iter().chain(frac).all(u8::is_ascii_digit) {
        return Err(bad());
    }
    if frac.len() > 3 {
        return Err(format!("extra characters follow integer value for \"{name}\" option"));
    }
    let n: i64 = whole.to_str().ok().and_then(|s| s.parse().ok()).ok_or_else(bad)?;
    let mut f = 0i64;
    for i in 0..3 {
        f = f * 10 + frac.get(i).map_or(0, |c| i64::from(c - b'0'));
    }
    Ok(n * 1000 + f)
}

/// A time option's value.
pub fn read_time_option(name: &str, v: &[u8]) -> Result<i64, String> {
    parse_interval(v.trim()).ok_or_else(|| format!("invalid time value for \"{name}\" option"))
}

/// A time list option's value.
pub fn read_time_list(name: &str, v: &[u8]) -> Result<Vec<i64>, String> {
    let mut out = Vec::new();
    for item in v.split_str(":") {
        if item.trim().is_empty() {
            continue;
        }
        out.push(read_time_option(name, item)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        assert_eq!(parse_interval(b"1w2d3h4m5s"), Some(604_800 + 2 * 86_400 + 3 * 3600 + 245));
        assert_eq!(parse_interval(b"10"), Some(10));
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
        assert_eq!(read_fixed("x", b"1.25"), Ok(1250));
    }
}

//! The retry section: `pattern error [senders=list] [F,cutoff,interval; G,cutoff,start,factor ...]`.
//!
//! Only the configuration reader and `-brt` parse; the delivery code asks [`RetryError::matches`].

use bstr::{BString, ByteSlice};

use super::{RetryRule, RetryStep, errors};
use crate::config::values::{parse_interval, read_fixed};
use crate::expand::Template;

/// Which errors a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryError {
    /// `*`
    Any,
    /// One number, whatever the details.
    Plain(i32),
    /// `refused...`: perhaps only for hosts with (`M`) or without (`A`) an MX.
    Refused(Option<u8>),
    /// `timeout...`: likewise; perhaps only while connecting.
    Timeout(Option<u8>, bool),
    /// `mail_4xx` and so on: the number, and the last two digits with `None` for any.
    Smtp(i32, Option<u8>, Option<u8>),
    /// `quota`, perhaps with the time (seconds) for which the mailbox has not been read.
    Quota(Option<i64>),
    /// `lookup`
    Lookup,
    /// `tls_required`
    Tls,
}

impl RetryError {
    /// Is it for this failure? `unread`: seconds since the mailbox was read, if that is known.
    pub fn matches(&self, basic: i32, more: i32, unread: Option<i64>) -> bool {
        let origin = u8::try_from(more & 0xff).unwrap_or(0);
        let from = |wanted: &Option<u8>| wanted.is_none_or(|w| w == origin);
        match self {
            RetryError::Any => true,
            RetryError::Plain(n) => *n == basic,
            RetryError::Refused(o) => basic == libc::ECONNREFUSED && from(o),
            RetryError::Timeout(o, connect) => {
                basic == libc::ETIMEDOUT && from(o) && (!connect || more & errors::CONNECT_BIT != 0)
            }
            RetryError::Smtp(n, tens, units) => {
                let code = u8::try_from((more >> 8) & 0xff).unwrap_or(0);
                *n == basic && tens.is_none_or(|t| t == code / 10) && units.is_none_or(|u| u == code % 10)
            }
            RetryError::Quota(time) => {
                matches!(basic, errors::QUOTA | libc::EDQUOT | libc::ENOSPC)
                    && time.is_none_or(|t| unread.is_some_and(|u| u >= t))
            }
            RetryError::Lookup => matches!(basic, errors::UNKNOWN_HOST | errors::DNS_DEFER),
            RetryError::Tls => matches!(basic, errors::TLS_REQUIRED | errors::TLS_FAILURE),
        }
    }
}

/// Reads an error name (also for `-brt`). The second value is a warning for the panic log.
pub fn parse_error(name: &[u8]) -> Result<(RetryError, Option<String>), String> {
    let lower = name.to_ascii_lowercase();
    let abbreviates = |whole: &[u8]| !lower.is_empty() && whole.starts_with(&lower);
    if lower == b"*" {
        return Ok((RetryError::Any, None));
    }
    for (prefix, code) in [(&b"mail_4"[..], errors::MAIL_4XX), (b"rcpt_4", errors::RCPT_4XX), (b"data_4", errors::DATA_4XX)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return four_xx(prefix, code, digits);
        }
    }
    if let Some(rest) = lower.strip_prefix(b"quota") {
        if rest.is_empty() {
            return Ok((RetryError::Quota(None), None));
        }
        if let Some(time) = rest.strip_prefix(b"_") {
            return match parse_interval(time) {
                Some(t) if t > 0 => Ok((RetryError::Quota(Some(t)), None)),
                _ => Err("bad time value".into()),
            };
        }
    }
    if let Some(rest) = lower.strip_prefix(b"refused") {
        match rest {
            b"" => return Ok((RetryError::Refused(None), None)),
            b"_a" => return Ok((RetryError::Refused(Some(b'A')), None)),
            b"_mx" => return Ok((RetryError::Refused(Some(b'M')), None)),
            [b'_', ..] => return Err("A or MX expected after \"refused\"".into()),
            _ => {}
        }
    }
    if let Some(rest) = lower.strip_prefix(b"timeout") {
        let found = match rest {
            b"" => Some((None, false)),
            b"_a" => Some((Some(b'A'), false)),
            b"_mx" => Some((Some(b'M'), false)),
            b"_connect" => Some((None, true)),
            b"_connect_a" => Some((Some(b'A'), true)),
            b"_connect_mx" => Some((Some(b'M'), true)),
            b"_dns" => {
                let warning =
                    "\"timeout_dns\" is no longer available in retry rules (it has never worked) - treated as \"timeout\"";
                return Ok((RetryError::Timeout(None, false), Some(warning.into())));
            }
            [b'_', ..] => return Err("\"A\", \"MX\", or \"connect\" expected after \"timeout\"".into()),
            _ => None,
        };
        if let Some((origin, connect)) = found {
            return Ok((RetryError::Timeout(origin, connect), None));
        }
    }
    if lower == b"auth_failed" {
        return Ok((RetryError::Plain(errors::AUTH_FAIL), None));
    }
    // The reference compares only as many characters as were given for these.
    if abbreviates(b"lost_connection") {
        return Ok((RetryError::Plain(errors::SMTP_CLOSED), None));
    }
    if abbreviates(b"tls_required") {
        return Ok((RetryError::Tls, None));
    }
    if abbreviates(b"lookup") {
        return Ok((RetryError::Lookup, None));
    }
    Err(format!("unknown or malformed retry error \"{}\"", name.as_bstr()))
}

fn four_xx(prefix: &[u8], code: i32, digits: &[u8]) -> Result<(RetryError, Option<String>), String> {
    let digit = |c: &u8| c.is_ascii_digit().then(|| c - b'0');
    let parts = match digits {
        [b'x', b'x'] => Some((None, None)),
        [d, b'x'] if d.is_ascii_digit() => Some((digit(d), None)),
        [d, e] if d.is_ascii_digit() && e.is_ascii_digit() => Some((digit(d), digit(e))),
        _ => None,
    };
    match parts {
        Some((tens, units)) => Ok((RetryError::Smtp(code, tens, units), None)),
        None => Err(format!("{} must be followed by xx, dx, or dd, where x is literal and d is any digit", prefix.as_bstr())),
    }
}

/// The rest after a first word; the word may be in double quotes.
fn word(s: &[u8]) -> (BString, &[u8]) {
    let s = s.trim_start();
    if s.first() == Some(&b'"') {
        let (text, rest) = crate::config::lines::quoted(s);
        return (text, rest);
    }
    let end = s.iter().position(u8::is_ascii_whitespace).unwrap_or(s.len());
    let (w, rest) = s.split_at(end);
    (w.into(), rest)
}

/// Parses one line of the retry section; the error text follows file and line.
pub fn parse_rule(line: &BString) -> Result<RetryRule, String> {
    parse_rule_warn(line).map(|(rule, _)| rule)
}

/// The same, with a warning for the panic log if there is one.
pub fn parse_rule_warn(line: &BString) -> Result<(RetryRule, Option<String>), String> {
    let (pattern, rest) = word(line);
    let rest = rest.trim_start();
    if rest.is_empty() {
        return Err("missing error type in retry rule".into());
    }
    let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let (error, warning) = parse_error(name)?;
    let mut rest = rest.trim_start();
    let mut senders = None;
    if rest.get(..7).is_some_and(|s| s.eq_ignore_ascii_case(b"senders")) {
        rest = rest.get(7..).unwrap_or_default().trim_start();
        let Some(after) = rest.strip_prefix(b"=") else {
            return Err("\"=\" expected after \"senders\" in retry rule".into());
        };
        let (list, after) = word(after);
        senders = Some(Template::new(&list));
        rest = after.trim_start();
    }
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = parse_step(rest)?;
        steps.push(step);
        rest = after.trim_start();
        if rest.is_empty() {
            break;
        }
        rest = match rest.strip_prefix(b";") {
            Some(r) => r.trim_start(),
            None => return Err("semicolon expected".into()),
        };
    }
    Ok((RetryRule { pattern: Template::new(&pattern), error, senders, steps, line: line.clone() }, warning))
}

fn parse_step(s: &[u8]) -> Result<(RetryStep, &[u8]), String> {
    let letter = s.first().copied().unwrap_or_default().to_ascii_uppercase();
    if !matches!(letter, b'F' | b'G' | b'H') {
        return Err("unknown retry rule letter".into());
    }
    let mut rest = s.get(1..).unwrap_or_default();
    let timeout = parse_interval(argument(&mut rest)?);
    let interval = parse_interval(argument(&mut rest)?);
    let factor = if letter == b'F' { Some(0) } else { read_fixed("", argument(&mut rest)?).ok() };
    let bad = || "bad parameters for retry rule".to_string();
    let (Some(timeout), Some(interval), Some(factor)) = (timeout, interval, factor) else { return Err(bad()) };
    if timeout <= 0 || interval <= 0 || (letter != b'F' && factor < 1000) {
        return Err(bad());
    }
    Ok((RetryStep { letter, timeout, interval, factor }, rest))
}

/// `, value` of a step.
fn argument<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let Some(s) = rest.trim_start().strip_prefix(b",") else { return Err("comma expected".into()) };
    let s = s.trim_start();
    let end = s.iter().position(|c| c.is_ascii_whitespace() || matches!(c, b',' | b';')).unwrap_or(s.len());
    let (value, after) = s.split_at(end);
    *rest = after;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn err(line: &str) -> String {
        parse_rule(&line.into()).unwrap_err()
    }

    #[test]
    fn good_rules() {
        let r = parse_rule(&"* * F,2h,15m; G,16h,1h,1.5; F,4d,6h".into()).unwrap();
        assert_eq!(r.steps.len(), 3);
        assert_eq!(r.steps[1], RetryStep { letter: b'G', timeout: 57600, interval: 3600, factor: 1500 });
        let r = parse_rule(&"a@b rcpt_45x senders=: f,1h,1m;".into()).unwrap();
        assert!(r.error.matches(errors::RCPT_4XX, 51 << 8 | 65, None));
        assert!(!r.error.matches(errors::RCPT_4XX, 21 << 8, None));
        assert_eq!(r.senders.unwrap().raw(), b":");
        assert!(parse_rule(&"\"foo bar\" quota_1d".into()).unwrap().steps.is_empty());
    }

    #[test]
    fn bad_rules() {
        assert_eq!(err("foo"), "missing error type in retry rule");
        assert_eq!(err("foo bar F,1,2"), "unknown or malformed retry error \"bar\"");
        assert_eq!(err("foo * F,1"), "comma expected");
        assert_eq!(err("foo * X,1,2"), "unknown retry rule letter");
        assert_eq!(err("foo * F,1h,1s F,2h,1h"), "semicolon expected");
        assert_eq!(err("foo * G,1h,1s,0.5"), "bad parameters for retry rule");
        assert_eq!(err("foo quota_0"), "bad time value");
        assert_eq!(err("foo refused_X"), "A or MX expected after \"refused\"");
    }
}

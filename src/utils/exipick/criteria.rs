//! Conditions on variables.

use std::fmt;

use bstr::{BString, ByteSlice};

use super::options::pattern;
use crate::sys::pcre::{Options as RegexOptions, Regex};

/// What a variable is.
pub(super) enum Value {
    Text(BString),
    /// `$each_...`: looked at one by one.
    Each(Vec<BString>),
}

/// What an operator compares.
enum Test {
    True,
    Equal(String),
    Unequal(String),
    Number(fn(f64, f64) -> bool, f64),
    Pattern(Regex),
    NoPattern(Regex),
}

pub(super) struct Criterion {
    pub variable: String,
    negated: bool,
    test: Test,
    /// As it was given.
    text: String,
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Criterion {
    pub(super) fn parse(given: &str, caseful: bool) -> Result<Self, String> {
        let bad = |why: &str| format!("Expression {given} did not parse{why}");
        let text = given.trim();
        let bare = text.trim_start_matches('!');
        let negated = (text.len() - bare.len()) % 2 == 1;
        let bare = bare.trim_start().strip_prefix('$').ok_or_else(|| bad(""))?;
        let end = bare.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(bare.len());
        let (variable, rest) = bare.split_at(end);
        if variable.is_empty() {
            return Err(bad(""));
        }
        // A header's name may end as in Exim.
        let rest = rest.strip_prefix(':').unwrap_or(rest).trim();
        let (operator, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let value = value.trim();
        let unquoted = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value);
        let compare = |f: fn(f64, f64) -> bool| match number(unquoted) {
            Some(n) => Ok(Test::Number(f, n)),
            None => Err(bad(": numeric comparison with non-number")),
        };
        let test = match operator {
            "" => Test::True,
            "eq" => Test::Equal(unquoted.into()),
            "ne" => Test::Unequal(unquoted.into()),
            "=" => Test::Pattern(pattern(unquoted, if caseful { RegexOptions::NONE } else { RegexOptions::CASELESS })?),
            "=~" => Test::Pattern(slashed(unquoted)?),
            "!~" => Test::NoPattern(slashed(unquoted)?),
            "==" => compare(|a, b| a == b)?,
            "!=" => compare(|a, b| a != b)?,
            "<" => compare(|a, b| a < b)?,
            "<=" => compare(|a, b| a <= b)?,
            ">" => compare(|a, b| a > b)?,
            ">=" => compare(|a, b| a >= b)?,
            _ => return Err(bad("")),
        };
        Ok(Criterion { variable: variable.to_string(), negated, test, text: text.to_string() })
    }

    pub(super) fn holds(&self, got: &[u8]) -> bool {
        let result = match &self.test {
            Test::True => !matches!(got, b"" | b"0"),
            Test::Equal(wanted) => got == wanted.as_bytes(),
            Test::Unequal(wanted) => got != wanted.as_bytes(),
            Test::Number(compare, wanted) => number(&got.to_str_lossy()).is_some_and(|n| compare(n, *wanted)),
            Test::Pattern(r) => r.is_match(got),
            Test::NoPattern(r) => !r.is_match(got),
        };
        result != self.negated
    }
}

/// `/pattern/` or `/pattern/i`; the slashes may be left out.
fn slashed(text: &str) -> Result<Regex, String> {
    match text.strip_prefix('/').and_then(|t| t.rsplit_once('/')) {
        Some((inner, "")) => pattern(inner, RegexOptions::NONE),
        Some((inner, "i")) => pattern(inner, RegexOptions::CASELESS),
        Some((_, flags)) => Err(format!("the pattern {text} has flags other than i: {flags}")),
        None => pattern(text, RegexOptions::NONE),
    }
}

/// A number, perhaps with a unit of size or time.
fn number(text: &str) -> Option<f64> {
    if let Ok(n) = text.parse::<f64>() {
        return Some(n);
    }
    let (n, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let factor = match unit {
        "B" | "s" => 1.0,
        "K" => 1024.0,
        "M" => 1_048_576.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    n.parse::<f64>().ok().map(|n| n * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria() {
        let holds = |c: &str, v: &str| Criterion::parse(c, false).map(|c| c.holds(v.as_bytes()));
        assert_eq!(holds("$message_size > 1K", "1025"), Ok(true));
        assert_eq!(holds("!$x = abc", "xABCx"), Ok(false));
        assert_eq!(holds("$x =~ /^a/", "ba"), Ok(false));
        assert_eq!(holds("$x =~ /A/i", "ba"), Ok(true));
        assert_eq!(holds("$h_subject: eq a b", "a b"), Ok(true));
        assert_eq!(holds("$x", "0"), Ok(false));
        assert_eq!(holds("$x eq \"\"", ""), Ok(true));
        assert!(holds("x eq 1", "1").is_err() && holds("$x < y", "1").is_err() && holds("$x ?? y", "1").is_err());
        assert!(holds("$", "").is_err() && holds("$x =~ (", "").is_err() && holds("$x =~ /a/z", "").is_err());
    }
}

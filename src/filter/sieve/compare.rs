//! Comparing strings as Sieve does (RFC 5228, 2.7; RFC 4790). Pure functions.

use super::ast::{Comparator, Match, MatchType};

use bstr::ByteSlice;

impl Match {
    /// Does one of the keys match the value?
    pub fn holds(&self, value: &[u8]) -> bool {
        self.keys.iter().any(|key| self.holds_for(value, key))
    }

    /// Does this key match the value?
    pub fn holds_for(&self, value: &[u8], key: &[u8]) -> bool {
        one(self.comparator, self.kind, value, key)
    }
}

fn one(comparator: Comparator, kind: MatchType, value: &[u8], key: &[u8]) -> bool {
    let folded = |s: &[u8]| s.to_ascii_lowercase();
    match (comparator, kind) {
        // Numbers have no parts.
        (Comparator::Numeric, MatchType::Contains | MatchType::Matches) => false,
        (Comparator::Numeric, MatchType::Is) => number(value) == number(key),
        (Comparator::Octet, MatchType::Is) => value == key,
        (Comparator::Casemap, MatchType::Is) => value.eq_ignore_ascii_case(key),
        (Comparator::Octet, MatchType::Contains) => value.contains_str(key),
        (Comparator::Casemap, MatchType::Contains) => folded(value).contains_str(folded(key)),
        (Comparator::Octet, MatchType::Matches) => glob(key, value),
        (Comparator::Casemap, MatchType::Matches) => glob(&folded(key), &folded(value)),
    }
}

/// The digits at the start, without leading zeros; `None` is what all strings are that begin with none.
fn number(s: &[u8]) -> Option<&[u8]> {
    let digits = s.iter().take_while(|c| c.is_ascii_digit()).count();
    let zeros = s.iter().take_while(|c| **c == b'0').count();
    (digits > 0).then(|| s.get(zeros.min(digits)..digits).unwrap_or_default())
}

/// `*` and `?`, with backslashes to take them as they are. The last star alone is tried again, so that no pattern takes
/// longer than the product of the lengths.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let here = text.get(t);
        let step = match (pattern.get(p), here) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            (Some(b'?'), Some(_)) => Some(1),
            (Some(b'\\'), Some(c)) if pattern.get(p + 1) == Some(c) => Some(2),
            (Some(b'\\'), _) => None,
            (Some(want), Some(c)) if want == c => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(n), _) => {
                p += n;
                t += 1;
            }
            (None, Some((after, from))) if from < text.len() => {
                star = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
            (None, _) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        assert!(glob(b"*abc?efgh*", b"marian@abcdefgh.example"));
        assert!(glob(b"a*b*c", b"a1b2b3c"));
        assert!(!glob(b"?abc", b"abc"));
        assert!(glob(b"\\?*\\*", b"?a\0cx*"));
        assert!(!glob(b"\\?*\\*", b"1a*cx2"));
        assert!(glob(b"**", b""));
        assert!(!glob(b"\\", b"a"));
        assert!(!glob(&b"*a".repeat(2000), &b"a".repeat(1999)));
    }

    #[test]
    fn numbers() {
        let is = |a: &[u8], b: &[u8]| one(Comparator::Numeric, MatchType::Is, a, b);
        assert!(is(b"007", b"7x"));
        assert!(is(b"", b"abc"));
        assert!(!is(b"0", b"abc"));
        assert!(is(b"00", b"0"));
    }
}

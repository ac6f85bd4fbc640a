//! Which rule is for a failure (manual section 32.3).
//!
//! Called by the hints update, by the checks, and by `-brt`.

use bstr::{BString, ByteSlice};

use super::RetryRule;
use crate::context::Context;
use crate::debug;
use crate::expand::Template;
use crate::matching::{self, Match};
use crate::text::Text;

/// The first rule whose error, senders and pattern match. `key` is an address, a domain, `host:ip[:port]`, or
/// `file-or-pipe:address`; `alternate` a second domain that is tried with the same rule. `sender` `None`: not known
/// (`-brt` without `-f`), rules with senders do not match.
pub fn find_rule<'a>(
    ctx: &mut Context,
    rules: &'a [RetryRule],
    key: &[u8],
    alternate: Option<&[u8]>,
    basic_errno: i32,
    more_errno: i32,
) -> Option<&'a RetryRule> {
    let first = subject(key);
    let second = alternate.map(as_address);
    let found = rules.iter().find(|rule| {
        // For quota errors the second number is how long the mailbox has not been read, in seconds.
        if !rule.error.matches(basic_errno, more_errno, Some(i64::from(more_errno))) {
            return false;
        }
        if let Some(list) = &rule.senders {
            let Some(sender) = ctx.message.sender.clone() else { return false };
            if matching::match_address(ctx, &sender, list, None) != Match::Yes {
                return false;
            }
        }
        let mut tried = std::iter::once(&first).chain(second.as_ref());
        // A pattern is one item of an address list: no separator splits it.
        let item = Template::new(&[b"<\x01 ", rule.pattern.raw()].concat());
        tried.any(|a| matching::match_address(ctx, &Text::tainted(a.to_vec()), &item, None) == Match::Yes)
    });
    match found {
        Some(rule) => debug!(ctx, RETRY, "retry rule for {}: {}", key.as_bstr(), rule.line),
        None => debug!(ctx, RETRY, "no retry rule for {}", key.as_bstr()),
    }
    found
}

/// What the pattern is compared with: the host's name alone, or the address that made a pipe or file.
fn subject(key: &[u8]) -> BString {
    // An address in place of a name stands in brackets.
    if let Some(end) = key.find_byte(b']').filter(|_| key.starts_with(b"[")) {
        return as_address(&key[1..end]);
    }
    let plain = match key.find_byte(b':') {
        Some(colon) if key.first().is_some_and(u8::is_ascii_alphanumeric) && !key[..colon].contains(&b'@') => &key[..colon],
        Some(_) if matches!(key.first(), Some(b'|' | b'/' | b'>')) => key.rfind_byte(b':').map_or(key, |i| &key[i + 1..]),
        _ => key,
    };
    as_address(plain)
}

fn as_address(s: &[u8]) -> BString {
    if s.contains(&b'@') { s.into() } else { [b"*@", s].concat().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects() {
        assert_eq!(subject(b"host.example:1.2.3.4:25"), "*@host.example");
        assert_eq!(subject(b"/var/mail/x:user@dom"), "user@dom");
        assert_eq!(subject(b"user@dom"), "user@dom");
        assert_eq!(subject(b"dom"), "*@dom");
    }
}

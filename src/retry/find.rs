//! Which rule is for a failure (manual section 32.3).
//!
//! Called by the hints update, by the checks, and by `-brt`.

use bstr::{BString, ByteSlice};

use super::{RetryRule, errors};
use crate::context::Context;
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
    rules.iter().find(|rule| {
        if !error_matches(rule, basic_errno, more_errno) {
            return false;
        }
        if let Some(list) = &rule.senders {
            let Some(sender) = ctx.message.sender.clone() else { return false };
            if matching::match_address(ctx, &sender, list, None) != Match::Yes {
                return false;
            }
        }
        let mut tried = std::iter::once(&first).chain(second.as_ref());
        tried.any(|a| matching::match_address_item(ctx, &Text::tainted(a.to_vec()), &rule.pattern) == Match::Yes)
    })
}

/// What the pattern is compared with: the host's name alone, or the address that made a pipe or file.
fn subject(key: &[u8]) -> BString {
    let plain = match key.find_byte(b':') {
        Some(colon) if key.first().is_some_and(u8::is_ascii_alphanumeric) && !key[..colon].contains(&b'@') => &key[..colon],
        Some(_) if matches!(key.first(), Some(b'|' | b'/' | b'>')) => {
            key.rfind_byte(b':').map_or(key, |i| &key[i + 1..])
        }
        _ => key,
    };
    as_address(plain)
}

fn as_address(s: &[u8]) -> BString {
    if s.contains(&b'@') { s.into() } else { [b"*@", s].concat().into() }
}

fn error_matches(rule: &RetryRule, basic: i32, more: i32) -> bool {
    match rule.basic_errno {
        0 => true,
        errors::QUOTA => {
            matches!(basic, errors::QUOTA | libc::EDQUOT | libc::ENOSPC) && (rule.more_errno == 0 || rule.more_errno <= more)
        }
        errors::TLS_REQUIRED => matches!(basic, errors::TLS_REQUIRED | errors::TLS_FAILURE),
        errors::MAIL_4XX | errors::RCPT_4XX | errors::DATA_4XX => {
            let wanted = (rule.more_errno >> 8) & 255;
            let code = (more >> 8) & 255;
            basic == rule.basic_errno
                && match wanted {
                    255 => true,
                    w if w >= 100 => code / 10 == w - 100,
                    w => code == w,
                }
        }
        libc::ETIMEDOUT => {
            basic == libc::ETIMEDOUT
                && match rule.more_errno {
                    0 => true,
                    errors::CONNECT_BIT => more & errors::CONNECT_BIT != 0,
                    m if m & errors::CONNECT_BIT != 0 => more == m,
                    m => more & 255 == m,
                }
        }
        wanted => basic == wanted && (rule.more_errno == 0 || rule.more_errno == more),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(basic_errno: i32, more_errno: i32) -> RetryRule {
        RetryRule { pattern: crate::expand::Template::new(b"*"), basic_errno, more_errno, senders: None, steps: Vec::new() }
    }

    #[test]
    fn errors_and_subjects() {
        assert!(error_matches(&rule(0, 0), -44, 0));
        assert!(error_matches(&rule(errors::RCPT_4XX, 255 << 8), errors::RCPT_4XX, 51 << 8));
        assert!(error_matches(&rule(errors::RCPT_4XX, 105 << 8), errors::RCPT_4XX, 51 << 8));
        assert!(!error_matches(&rule(errors::RCPT_4XX, 52 << 8), errors::RCPT_4XX, 51 << 8));
        assert!(error_matches(&rule(errors::QUOTA, 0), libc::ENOSPC, 0));
        assert!(error_matches(&rule(libc::ETIMEDOUT, i32::from(b'A')), libc::ETIMEDOUT, i32::from(b'A') | errors::CONNECT_BIT));
        assert!(!error_matches(&rule(libc::ECONNREFUSED, i32::from(b'M')), libc::ECONNREFUSED, i32::from(b'A')));
        assert_eq!(subject(b"host.example:1.2.3.4:25"), "*@host.example");
        assert_eq!(subject(b"/var/mail/x:user@dom"), "user@dom");
        assert_eq!(subject(b"user@dom"), "user@dom");
        assert_eq!(subject(b"dom"), "*@dom");
    }
}

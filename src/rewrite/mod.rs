//! Address rewriting (manual chapter 31): the rules, and where they are applied.
//!
//! Reception rewrites envelope and header addresses ([`envelope`], [`rewrite_header`]) and SMTP arguments ([`smtp_time`]);
//! redirection rewrites children ([`rewrite_redirected`]); transports have rules of their own for header lines.

mod header;
mod one;
mod rule;
#[cfg(test)]
mod tests;
mod try_out;

use bstr::{BString, ByteSlice};

use crate::context::{Context, Header, HeaderKind};
use crate::parse::is_space;
use crate::text::Text;

pub use header::{header_line, rewrite_header, rewrite_header_domain};
pub use rule::{RewriteRule, Uses, parse_rule, parse_transport_rule};
pub use try_out::try_out;

use one::Target;

/// Adds the domain that unqualified addresses get: `qualify_recipient` or `qualify_domain`.
pub fn qualify(ctx: &Context, address: &Text, is_recipient: bool) -> Text {
    if address.is_empty() || find_at(address).is_some() {
        return address.clone();
    }
    let site = &ctx.config.site;
    let mut out = address.clone();
    out.push_bytes(b"@");
    out.push_bytes(if is_recipient { &site.qualify_recipient } else { &site.qualify_domain });
    out
}

/// Where the domain's `@` is: the last one that is not quoted.
pub fn find_at(address: &[u8]) -> Option<usize> {
    let at = address.rfind_byte(b'@')?;
    // A domain has no quotes, so an `@` after which a quote closes lies in a local part.
    let quoted = address.get(at..).is_some_and(|rest| rest.contains(&b'"'));
    let escaped = at > 0 && address.get(at - 1) == Some(&b'\\');
    (!quoted && !escaped).then_some(at)
}

/// Rewrites an envelope address after qualifying it. `keep_old`: while a message is received, the old one is kept in a
/// header line of the type that is never sent.
pub fn envelope(ctx: &mut Context, address: &Text, is_recipient: bool, keep_old: bool) -> Text {
    let address = qualify(ctx, address, is_recipient);
    let config = ctx.config.clone();
    let (target, name) = if is_recipient { (Target::EnvTo, "original-recipient") } else { (Target::EnvFrom, "sender") };
    let mut old = Vec::new();
    let new = one::rewrite(ctx, &config.rewrite, &address, target, false, &mut old);
    if keep_old {
        for before in old {
            let mut text = BString::from(format!("X-rewrote-{name}: "));
            text.extend_from_slice(&before);
            text.push(b'\n');
            ctx.message.headers.push(Header { kind: HeaderKind::Old, text });
        }
    }
    new.text
}

/// Rewrites the address of a child that a redirection made.
pub fn rewrite_redirected(ctx: &mut Context, address: Text) -> Text {
    envelope(ctx, &address, true, false)
}

/// The same for an address in a filter, of which the log is not told.
pub fn rewrite_in_filter(ctx: &mut Context, address: Text) -> Text {
    let config = ctx.config.clone();
    one::rewrite(ctx, &config.rewrite, &address, Target::Filter, false, &mut Vec::new()).text
}

/// Applies the `S` rules to the argument of MAIL or RCPT, angle brackets and all, before its syntax is looked at.
pub fn smtp_time(ctx: &mut Context, argument: &[u8], is_recipient: bool) -> Text {
    let argument = Text::tainted(argument);
    let config = ctx.config.clone();
    if !config.rewrite.iter().any(|r| r.uses.has(Uses::SMTP)) {
        return argument;
    }
    let target = if is_recipient { Target::SmtpRecipient } else { Target::SmtpSender };
    one::rewrite(ctx, &config.rewrite, &argument, target, false, &mut Vec::new()).text
}

/// The rest of a header line after its name and colon and white space begins here.
fn body_start(line: &[u8]) -> usize {
    let colon = line.find_byte(b':').map_or(line.len(), |i| i + 1);
    colon + line.get(colon..).unwrap_or_default().iter().take_while(|c| is_space(**c)).count()
}

//! `-brw`: what the rules make of an address in each place where it may stand.

use bstr::{BString, ByteSlice};

use super::one::{self, Target};
use super::rule::Uses;
use crate::context::Context;
use crate::parse::{self, Rules};
use crate::text::Text;

const PLACES: [(&str, Target); 8] = [
    ("  sender", Target::Sender),
    ("    from", Target::From),
    ("      to", Target::To),
    ("      cc", Target::Cc),
    ("     bcc", Target::Bcc),
    ("reply-to", Target::ReplyTo),
    ("env-from", Target::EnvFrom),
    ("  env-to", Target::EnvTo),
];

/// The output of `-brw address`, all lines.
pub fn try_out(ctx: &mut Context, address: &[u8]) -> BString {
    let config = ctx.config.clone();
    let rules = &config.rewrite;
    let mut out = BString::default();
    if rules.is_empty() {
        return "No rewrite rules are defined\n".into();
    }
    let given = Text::clean(address);
    if rules.iter().any(|r| r.uses.has(Uses::SMTP)) {
        let new = one::rewrite(ctx, rules, &given, Target::SmtpSender, false, &mut Vec::new());
        if new.changed {
            let shown: &[u8] = if new.text.is_empty() { b"<>" } else { &new.text };
            push(&mut out, &[b"    SMTP: ", shown, b"\n"]);
        }
    }
    let given = super::qualify(ctx, &given, true);
    let found = match parse::extract_address(&mut Rules::new(&config.main), &given) {
        Ok(f) => f,
        Err(e) => {
            let mut text = e.into_bytes();
            if let Some(first) = text.first_mut() {
                first.make_ascii_uppercase();
            }
            push(&mut out, &[b"Syntax error in ", &given, b"\n", &text, b"\n"]);
            return out;
        }
    };
    let recipient = Text::clean(found.address.clone());
    for (name, target) in PLACES {
        let new = one::rewrite(ctx, rules, &recipient, target, target.is_header(), &mut Vec::new());
        push(&mut out, &[name.as_bytes(), b": "]);
        if new.text.is_empty() {
            push(&mut out, &[b"<>\n"]);
        } else if new.whole || !target.is_header() {
            push(&mut out, &[&new.text, b"\n"]);
        } else {
            let before = given.get(..found.start).unwrap_or_default();
            let after = given.get(found.end..).unwrap_or_default().as_bytes();
            push(&mut out, &[before, &new.text, after, b"\n"]);
        }
    }
    out
}

fn push(out: &mut BString, parts: &[&[u8]]) {
    parts.iter().for_each(|p| out.extend_from_slice(p));
}

//! `extract`: by key, by number, from JSON.

use super::ItemArgs;
use super::json;
use crate::context::Context;
use crate::expand::arith::leading_number;
use crate::expand::eval::{append, text};
use crate::expand::split::dequote;
use crate::expand::tree::{Body, Otherwise};
use crate::expand::{ExpandError, failed};
use crate::parse::Space as _;
use crate::parse::is_space;
use crate::text::Text;

/// `${extract}`
pub fn extract(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let Some(first) = args.subs.first() else { return Ok(()) };
    let key = text(ctx, first)?;
    let trimmed = key.trim_space();
    if trimmed.is_empty() {
        return failed("first argument of \"extract\" must not be empty");
    }
    let digits = trimmed.strip_prefix(b"-").unwrap_or(trimmed);
    let numeric = digits.iter().all(u8::is_ascii_digit);
    let number = numeric.then(|| leading_number(trimmed).0);
    let strings = if numeric && args.word.is_empty() { 3 } else { 2 };
    let mut values = Vec::new();
    for n in 1..strings {
        match args.subs.get(n) {
            Some(b) => values.push(text(ctx, b)?),
            None => return failed(format!("missing '{{' for arg {} of extract", n + 1)),
        }
    }
    let subject = values.pop().unwrap_or_default();
    let found = match (number, args.word.as_slice()) {
        (Some(n), b"") => by_number(n, &values.pop().unwrap_or_default(), &subject),
        (None, b"") => by_key(trimmed, &subject),
        (n, word) => {
            let strings = word == b"jsons";
            if n.is_some_and(|n| n <= 0) {
                return failed("first argument of \"extract\" must be greater than zero");
            }
            json::extract(&subject, n, trimmed, strings)?
        }
    };
    choose(ctx, args, strings, found, out)
}

/// The success and failure strings: read as such by the parser, or among all strings.
fn choose(ctx: &mut Context, args: &ItemArgs, strings: usize, found: Option<Text>, out: &mut Text) -> Result<(), ExpandError> {
    let yes = args.yes.as_ref().or_else(|| args.subs.get(strings));
    let no: Option<&Body> = match &args.no {
        Otherwise::Body(b) => Some(b),
        _ => args.subs.get(strings + 1),
    };
    if args.subs.len() > strings + 2 {
        return failed(format!(
            "curly-bracket problem in conditional yes/no parsing: did not close with '}}'\n remaining string is '{}'",
            args.tail
        ));
    }
    match (found, yes, no) {
        (Some(v), None, _) => {
            out.push(&v);
            Ok(())
        }
        (Some(v), Some(yes), _) => {
            let saved = ctx.scratch.value.replace(v);
            let result = append(ctx, yes, out);
            ctx.scratch.value = saved;
            result
        }
        (None, _, Some(no)) => append(ctx, no, out),
        (None, _, None) if matches!(args.no, Otherwise::Fail) => {
            Err(ExpandError::Forced("\"extract\" failed and \"fail\" requested".into()))
        }
        (None, _, None) => Ok(()),
    }
}

/// `key = value` pairs; values may be in double quotes. Names are caseless.
pub fn by_key(key: &[u8], subject: &Text) -> Option<Text> {
    let mut rest: &[u8] = subject;
    loop {
        rest = skip_space(rest);
        if rest.is_empty() {
            return None;
        }
        let len = rest.iter().take_while(|c| **c != b'=' && !is_space(**c)).count();
        let (name, tail) = rest.split_at(len);
        let tail = skip_space(tail);
        let tail = skip_space(tail.strip_prefix(b"=").unwrap_or(tail));
        let (value, tail) = dequote(tail);
        if name.eq_ignore_ascii_case(key) {
            return Some(subject.piece(value));
        }
        rest = tail;
    }
}

fn skip_space(s: &[u8]) -> &[u8] {
    let n = s.iter().take_while(|c| is_space(**c)).count();
    s.get(n..).unwrap_or_default()
}

/// Fields between separators. An empty last field does not count from the end... it does: `a:` has two fields.
fn by_number(n: i64, separators: &[u8], subject: &Text) -> Option<Text> {
    if n == 0 {
        return Some(subject.clone());
    }
    let fields: Vec<&[u8]> = subject.split(|c| separators.contains(c)).collect();
    let index = super::lists::nth(n, fields.len())?;
    fields.get(index).map(|f| subject.piece(*f))
}

//! `sg` and `tr`.

use super::ItemArgs;
use crate::context::Context;
use crate::expand::conditions::{captured, regex};
use crate::expand::eval::{append, subs};
use crate::expand::{ExpandError, parse_text};
use crate::sys::pcre::MatchOptions;
use crate::text::Text;

/// `${sg}`: the replacement, already expanded, is expanded again for each match, with its captures.
pub fn sg(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let strings = subs(ctx, args)?;
    let [subject, pattern, replacement] = strings.as_slice() else { return Ok(()) };
    let fixed = args.subs.get(1).is_some_and(|b| b.as_literal().is_some());
    let regex = regex(ctx, pattern, fixed.then_some(&args.regex))?;
    let saved = ctx.scratch.numeric.clone();
    let result = replace_all(ctx, subject, &regex, replacement, out);
    ctx.scratch.numeric = saved;
    result
}

fn replace_all(
    ctx: &mut Context,
    subject: &Text,
    regex: &crate::sys::pcre::Regex,
    replacement: &Text,
    out: &mut Text,
) -> Result<(), ExpandError> {
    let mut at = 0;
    // After an empty match: the next must not be empty and must be here, or we go on by one byte.
    let mut after_empty = false;
    let mut extra = 0;
    let mut parsed = None;
    loop {
        let options = if after_empty { MatchOptions::NOTEMPTY | MatchOptions::ANCHORED } else { MatchOptions::NONE };
        let found = match regex.find_at(subject, at + extra, options) {
            Ok(Some(found)) => found,
            _ if after_empty && at < subject.len() => {
                after_empty = false;
                extra = 1;
                continue;
            }
            _ => {
                out.push_with(subject.get(at..).unwrap_or_default(), subject.taint());
                return Ok(());
            }
        };
        out.push_with(subject.get(at..found.start()).unwrap_or_default(), subject.taint());
        ctx.scratch.numeric = captured(subject, &found);
        let insert = match &parsed {
            Some(body) => body,
            None => parsed.insert(parse_text(replacement)?),
        };
        append(ctx, insert, out)?;
        out.add_taint(replacement.taint());
        after_empty = found.end() == found.start();
        at = found.end();
        extra = 0;
        if out.as_bytes().len() > crate::expand::MAX_RESULT {
            return crate::expand::failed("expansion result is too long");
        }
    }
}

/// `${tr}`
pub fn tr(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let strings = subs(ctx, args)?;
    let [subject, from, to] = strings.as_slice() else { return Ok(()) };
    let mut bytes = subject.to_vec();
    if let Some(last) = to.last() {
        for b in &mut bytes {
            if let Some(n) = from.iter().rposition(|c| c == b) {
                *b = to.get(n).copied().unwrap_or(*last);
            }
        }
    }
    out.push_with(&bytes, subject.taint());
    out.add_taint(to.taint());
    Ok(())
}

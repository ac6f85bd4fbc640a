//! `sort`

use super::ItemArgs;
use crate::context::Context;
use crate::expand::conditions::{CondShape, find, holds_numbers, holds_strings};
use crate::expand::eval::{subs, text};
use crate::expand::{ExpandError, arith, failed, list};
use crate::text::Text;

/// What an item is sorted by.
enum Key {
    Text(Text),
    /// `None`: the string is no number, and never comes before anything in a numeric order.
    Number(Option<i64>),
}

impl Key {
    fn new(comparison: &str, text: Text) -> Key {
        if comparison.starts_with(['<', '>']) { Key::Number(arith::integer(&text, false).ok()) } else { Key::Text(text) }
    }

    fn before(&self, other: &Key, comparison: &str) -> bool {
        match (self, other) {
            (Key::Number(Some(a)), Key::Number(Some(b))) => holds_numbers(comparison, a.cmp(b)),
            (Key::Text(a), Key::Text(b)) => holds_strings(comparison, a, b),
            _ => false,
        }
    }
}

/// `${sort}`: stable; each item goes before the first one that it should precede.
pub fn sort(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let strings = subs(ctx, args)?;
    let [subject, comparator] = strings.as_slice() else { return Ok(()) };
    let Some(extract) = &args.each else { return Ok(()) };
    let word: &[u8] = match comparator.as_bytes() {
        [b'<' | b'>' | b'=', b'=', ..] => comparator.get(..2).unwrap_or_default(),
        [b'<' | b'>' | b'=', ..] => comparator.get(..1).unwrap_or_default(),
        s => s.get(..s.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == b'_').count()).unwrap_or_default(),
    };
    if word.is_empty() {
        let shown: Vec<u8> = comparator.iter().take(16).copied().collect();
        return failed(format!("condition name expected, but found \"{}\"", String::from_utf8_lossy(&shown)));
    }
    let Some(def) = find(word) else {
        return failed(format!("unknown condition \"{}\"", String::from_utf8_lossy(word)));
    };
    let order = matches!(def.name, "<" | "<=" | ">" | ">=" | "ge" | "gei" | "gt" | "gti" | "le" | "lei" | "lt" | "lti");
    if !order || def.shape != CondShape::Two {
        return failed("comparator not handled for sort");
    }
    let saved = ctx.scratch.item.take();
    let mut sorted: Vec<(Text, Key)> = Vec::new();
    let mut result = Ok(());
    for item in list::split_text(subject) {
        ctx.scratch.item = Some(item.clone());
        let key = match text(ctx, extract) {
            Ok(key) => Key::new(def.name, key),
            Err(e) => {
                result = Err(e.map(|_| format!("field-extract in sort: \"{}\"", args.each_source)));
                break;
            }
        };
        let place = sorted.iter().position(|(_, k)| key.before(k, def.name)).unwrap_or(sorted.len());
        sorted.insert(place, (item, key));
    }
    ctx.scratch.item = saved;
    result?;
    let separator = list::separator(subject);
    let mut first = true;
    for (item, _) in &sorted {
        list::append(out, separator, item, &mut first);
    }
    Ok(())
}

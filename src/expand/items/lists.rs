//! `filter`, `map`, `reduce`, `listextract`, `listquote`.

use super::ItemArgs;
use crate::context::Context;
use crate::expand::arith::leading_number;
use crate::expand::eval::{condition, subs, text, yes_no};
use crate::expand::{ExpandError, list};
use crate::parse::Space as _;
use crate::text::Text;

/// Runs `f` for every item with `$item` set; `$item` is as before afterwards.
fn for_items<F>(ctx: &mut Context, subject: &Text, mut f: F) -> Result<(), ExpandError>
where
    F: FnMut(&mut Context, &Text) -> Result<(), ExpandError>,
{
    let saved = ctx.scratch.item.take();
    let mut result = Ok(());
    for item in list::split_text(subject) {
        ctx.scratch.item = Some(item.clone());
        result = f(ctx, &item);
        if result.is_err() {
            break;
        }
    }
    ctx.scratch.item = saved;
    result
}

/// `${filter}`
pub fn filter(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let subject = subs(ctx, args)?.into_iter().next().unwrap_or_default();
    let Some(wanted) = &args.each_condition else { return Ok(()) };
    let separator = list::separator(&subject);
    let saved = ctx.scratch.value.clone();
    let mut first = true;
    let result = for_items(ctx, &subject, |ctx, item| {
        if condition(ctx, wanted).map_err(|e| e.map(|m| format!("{m} inside \"filter\" condition")))? {
            list::append(out, separator, item, &mut first);
        }
        Ok(())
    });
    ctx.scratch.value = saved;
    result
}

/// The message of an item that fails for one element.
fn inside(e: ExpandError, name: &str) -> ExpandError {
    match e {
        ExpandError::Forced(m) => ExpandError::Forced(format!("{m} inside \"{name}\" item")),
        e => e.map(|m| format!("{} inside \"{name}\" item", quoted(&m))),
    }
}

/// A message within a message: in quotes, with escapes.
pub fn quoted(message: &str) -> String {
    format!("\"{}\"", message.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `${map}`
pub fn map(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let subject = subs(ctx, args)?.into_iter().next().unwrap_or_default();
    let Some(each) = &args.each else { return Ok(()) };
    let separator = list::separator(&subject);
    let mut first = true;
    for_items(ctx, &subject, |ctx, _| {
        let value = text(ctx, each).map_err(|e| inside(e, "map"))?;
        list::append(out, separator, &value, &mut first);
        Ok(())
    })
}

/// `${reduce}`
pub fn reduce(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let mut strings = subs(ctx, args)?.into_iter();
    let subject = strings.next().unwrap_or_default();
    let initial = strings.next().unwrap_or_default();
    let Some(each) = &args.each else { return Ok(()) };
    let saved = ctx.scratch.value.replace(initial);
    let result = for_items(ctx, &subject, |ctx, _| {
        let value = text(ctx, each).map_err(|e| inside(e, "reduce"))?;
        ctx.scratch.value = Some(value);
        Ok(())
    });
    let value = std::mem::replace(&mut ctx.scratch.value, saved);
    result?;
    out.push(&value.unwrap_or_default());
    Ok(())
}

/// The first string of `listextract`: a number. The error is the message.
pub fn check_number(number: &[u8]) -> Result<(), String> {
    let number = number.trim_space();
    if number.is_empty() {
        return Err("first argument of \"listextract\" must not be empty".into());
    }
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err("first argument of \"listextract\" must be numeric".into());
    }
    Ok(())
}

/// `${listextract}`
pub fn listextract(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let [number, subject] = args.subs.as_slice() else { return Ok(()) };
    let number = text(ctx, number)?;
    check_number(&number).map_err(ExpandError::Failed)?;
    let n = leading_number(&number).0;
    let subject = text(ctx, subject)?;
    let found = nth(n, list::split_text(&subject).count()).and_then(|i| list::split_text(&subject).nth(i));
    yes_no(ctx, args, "listextract", found, out)
}

/// The index of field `n`, counted from 1, or from the end if negative.
pub fn nth(n: i64, len: usize) -> Option<usize> {
    let back = usize::try_from(n.unsigned_abs()).ok()?;
    match n {
        0 => None,
        1.. => Some(back - 1).filter(|i| *i < len),
        _ => len.checked_sub(back),
    }
}

/// `${listquote}`
pub fn listquote(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let mut strings = subs(ctx, args)?.into_iter();
    let separator = strings.next().unwrap_or_default().first().copied();
    let subject = strings.next().unwrap_or_default();
    if subject.is_empty() {
        out.push_bytes(b" ");
        return Ok(());
    }
    let mut bytes = Vec::with_capacity(subject.len());
    for c in subject.iter() {
        bytes.push(*c);
        if Some(*c) == separator {
            bytes.push(*c);
        }
    }
    out.push_with(&bytes, subject.taint());
    Ok(())
}

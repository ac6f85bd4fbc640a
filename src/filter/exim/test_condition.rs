//! Does a condition hold? Tests can be told to show each answer (`-v`).

use bstr::ByteSlice;

use super::ast::{Comparison, Condition, Part, Test};
use super::run::{Over, Runner, mistake};
use crate::expand::Template;
use crate::expand::conditions::captured;
use crate::filter::personal::{addresses, is_personal};
use crate::sys::pcre::{Options, Regex};
use crate::text::Text;

/// Does it? `top`: it is the whole condition of an `if`.
pub(super) fn holds(r: &mut Runner<'_>, condition: &Condition, top: bool) -> Result<bool, Over> {
    let yes = match condition {
        Condition::And(all) => chain(r, all, true)?,
        Condition::Or(all) => chain(r, all, false)?,
        Condition::Test(not, test) => test_holds(r, test)? != *not,
    };
    tell(r, yes, top, condition);
    Ok(yes)
}

fn tell(r: &Runner<'_>, yes: bool, top: bool, what: impl std::fmt::Display) {
    if r.explains() {
        eprintln!("{} {}ondition is {yes}: {what} ", r.indent(), if top { "C" } else { "Sub-c" });
    }
}

/// Goes through conditions joined by `and` (or `or`), until one decides. The answers for the parts of the chain are told in
/// the reference's order, which sees `a and (b and c)`, but `(a or b) or c`.
fn chain(r: &mut Runner<'_>, all: &[Condition], and: bool) -> Result<bool, Over> {
    let mut answer = and;
    let mut last = 0;
    for (i, c) in all.iter().enumerate() {
        if answer == and {
            answer = holds(r, c, false)?;
            last = i;
        }
        if !and && i > 0 && i + 1 < all.len() {
            tell(r, answer, false, Part { all: all.get(..=i).unwrap_or_default(), and });
        }
        if and && !answer {
            break;
        }
    }
    if and {
        for i in (1..=last.min(all.len().saturating_sub(2))).rev() {
            tell(r, answer, false, Part { all: all.get(i..).unwrap_or_default(), and });
        }
    }
    Ok(answer)
}

fn test_holds(r: &mut Runner<'_>, test: &Test) -> Result<bool, Over> {
    Ok(match test {
        Test::Group(c) => match c.as_ref() {
            Condition::And(all) => chain(r, all, true)?,
            Condition::Or(all) => chain(r, all, false)?,
            c => holds(r, c, false)?,
        },
        Test::Compare { left, right, how, caseful } => {
            let (a, b) = (r.condition_value(left)?, r.condition_value(right)?);
            compare(r, *how, *caseful, &a, &b)?
        }
        Test::Number { left, right, above } => {
            let (a, b) = (number(r, left)?, number(r, right)?);
            if *above { a > b } else { a < b }
        }
        Test::Delivered => r.delivered,
        Test::ErrorMessage => r.ctx.message.sender.as_deref().is_none_or(<[u8]>::is_empty),
        // So it is where there is no message: addresses are tested (-bt).
        Test::FirstDelivery => r.ctx.message.first_delivery || r.ctx.message.id.is_empty(),
        Test::ManuallyThawed => r.ctx.message.manual_thaw,
        Test::Personal(aliases) => personal(r, aliases)?,
        Test::AnyAddress(list, c) => any_address(r, list, c)?,
    })
}

fn compare(r: &mut Runner<'_>, how: Comparison, caseful: bool, a: &Text, b: &Text) -> Result<bool, Over> {
    if how == Comparison::Matches {
        if r.explains() {
            eprintln!("{} Match expanded arguments:\n   Subject = {a}\n   Pattern = {b}", r.indent());
        }
        let options = if caseful { Options::NONE } else { Options::CASELESS };
        let regex =
            Regex::new(b, options).map_err(|e| mistake(format!("error while compiling regular expression \"{b}\": {e}")))?;
        return Ok(match regex.find(a) {
            Ok(Some(found)) => {
                r.ctx.scratch.numeric = captured(a, &found);
                true
            }
            Ok(None) | Err(_) => false,
        });
    }
    let (a, b) = if caseful { (a.to_vec(), b.to_vec()) } else { (a.to_ascii_lowercase(), b.to_ascii_lowercase()) };
    Ok(match how {
        Comparison::Begins => a.starts_with(&b),
        Comparison::Ends => a.ends_with(&b),
        Comparison::Is => a == b,
        Comparison::Contains | Comparison::Matches => a.contains_str(&b),
    })
}

/// A number with K or M.
fn number(r: &mut Runner<'_>, value: &Template) -> Result<i64, Over> {
    let text = r.condition_value(value)?;
    numeric(&text).ok_or_else(|| mistake(format!("malformed numerical string \"{text}\"")))
}

fn numeric(text: &[u8]) -> Option<i64> {
    let text = text.trim().to_str().ok()?;
    let (digits, factor) = match text.char_indices().last()? {
        (i, 'k' | 'K') => (text.get(..i)?, 1024),
        (i, 'm' | 'M') => (text.get(..i)?, 1024 * 1024),
        _ => (text, 1),
    };
    digits.trim_end().parse::<i64>().ok().map(|n| n.saturating_mul(factor))
}

/// Sets `$thisaddress` to each address, until the condition holds.
fn any_address(r: &mut Runner<'_>, list: &Template, condition: &Condition) -> Result<bool, Over> {
    let list = r.condition_value(list)?;
    for address in addresses(r.ctx, &list) {
        if r.explains() {
            eprintln!("{} Extracted address {address}", r.indent());
        }
        r.ctx.address.this_address = Some(address);
        if holds(r, condition, false)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `personal`. A system filter has no user.
fn personal(r: &mut Runner<'_>, aliases: &[Template]) -> Result<bool, Over> {
    let mut own = Vec::new();
    for a in aliases {
        own.push(r.condition_value(a)?.into_bytes());
    }
    Ok(!r.job.allowed.system && is_personal(r.ctx, &own, &[b"to"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(numeric(b" 10k"), Some(10240));
        assert_eq!(numeric(b"-1M"), Some(-1_048_576));
        assert_eq!(numeric(b""), None);
        assert_eq!(numeric(b"3x"), None);
        assert_eq!(numeric(b"k"), None);
    }
}

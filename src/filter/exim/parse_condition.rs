//! Conditions of the `if` command. A pure function of the bytes; only `parse` calls it.

use bstr::ByteSlice;

use super::ast::{Comparison, Condition, Test};
use super::parse::MAX_DEPTH;
use super::words::{Ends, Words};
use crate::expand::Template;

use Ends::Brackets;

/// The words that compare strings, in the forms that are caseless; the others are in upper case.
static COMPARISONS: &[(&[u8], Comparison)] = &[
    (b"begin", Comparison::Begins),
    (b"begins", Comparison::Begins),
    (b"contain", Comparison::Contains),
    (b"contains", Comparison::Contains),
    (b"end", Comparison::Ends),
    (b"ends", Comparison::Ends),
    (b"is", Comparison::Is),
    (b"match", Comparison::Matches),
    (b"matches", Comparison::Matches),
];

/// Reads the condition, up to and with `then` (or, within parentheses, `)`).
pub fn condition(words: &mut Words<'_>, top: bool, depth: usize) -> Result<Condition, String> {
    if depth > MAX_DEPTH {
        return Err(format!("conditions are nested too deeply near line {} of filter file", words.line));
    }
    // `and` binds tighter than `or`.
    let mut any: Vec<Condition> = Vec::new();
    let mut all: Vec<Condition> = Vec::new();
    loop {
        all.push(one(words, depth)?);
        if words.next() == b')' {
            if top {
                return Err(format!("unexpected \")\" in line {} of filter file", words.line));
            }
            words.pass();
            break;
        }
        if words.next() == b'(' {
            return Err(format!("unexpected \"(\" in line {} of filter file", words.line));
        }
        let word = words.word(Ends::Space)?;
        match word {
            b"and" => {}
            b"or" => any.push(joined(std::mem::take(&mut all), Condition::And)),
            b"then" if top => break,
            b"then" => return Err(format!("missing \")\" at end of condition near line {} of filter file", words.line)),
            _ => {
                return Err(format!(
                    "\"and\" or \"or\" or \"{}\" expected near line {} of filter file, but found \"{}\"",
                    if top { "then" } else { ")" },
                    words.line,
                    word.as_bstr()
                ));
            }
        }
    }
    any.push(joined(all, Condition::And));
    Ok(joined(any, Condition::Or))
}

fn joined(mut list: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match list.pop() {
        Some(only) if list.is_empty() => only,
        last => {
            list.extend(last);
            join(list)
        }
    }
}

/// One condition without `and` and `or`.
fn one(words: &mut Words<'_>, depth: usize) -> Result<Condition, String> {
    let mut not = false;
    let found = loop {
        match words.next() {
            b'(' => {
                words.pass();
                break condition(words, false, depth + 1)?;
            }
            b')' => return Err(format!("unexpected \")\" in line {} of filter file", words.line)),
            0 => return Err("\"then\" missing at end of filter file".into()),
            _ => {}
        }
        let first = words.item(Brackets)?;
        let test = match first.as_slice() {
            b"not" => {
                not = !not;
                continue;
            }
            b"then" => return Err(format!("unexpected \"then\" near line {} of filter file", words.line)),
            b"delivered" => Test::Delivered,
            b"error_message" => Test::ErrorMessage,
            b"first_delivery" => Test::FirstDelivery,
            b"manually_thawed" => Test::ManuallyThawed,
            b"personal" => personal(words)?,
            b"foranyaddress" => {
                let list = Template::new(&words.item(Brackets)?);
                if words.next() != b'(' {
                    return Err(format!("\"(\" expected after \"foranyaddress\" near line {} of filter file", words.line));
                }
                words.pass();
                Test::AnyAddress(list, Box::new(condition(words, false, depth + 1)?))
            }
            _ => break comparison(words, Template::new(&first))?,
        };
        break Condition::Test(false, test);
    };
    Ok(if not { found.negated() } else { found })
}

/// The aliases after `personal`.
fn personal(words: &mut Words<'_>) -> Result<Test, String> {
    let mut aliases = Vec::new();
    while words.take_if(Ends::Space, |w| w == b"alias")? {
        aliases.push(Template::new(&words.item(Brackets)?));
    }
    Ok(Test::Personal(aliases))
}

/// What follows the left side of a comparison.
fn comparison(words: &mut Words<'_>, left: Template) -> Result<Condition, String> {
    let mut word = words.word(Brackets)?;
    let mut not = false;
    let is = word.eq_ignore_ascii_case(b"is");
    if is || word.eq_ignore_ascii_case(b"does") {
        not = words.take_if(Brackets, |w| w.eq_ignore_ascii_case(b"not"))?;
        if is {
            for number in [&b"above"[..], b"below"] {
                let mut ahead = *words;
                if ahead.word(Brackets)? == number {
                    *words = ahead;
                    word = number;
                    break;
                }
            }
        } else {
            word = words.word(Brackets)?;
        }
    }
    if let b"above" | b"below" = word {
        let right = Template::new(&words.item(Brackets)?);
        return Ok(Condition::Test(not, Test::Number { left, right, above: word == b"above" }));
    }
    let caseless = COMPARISONS.iter().find(|(w, _)| *w == word);
    let caseful = COMPARISONS.iter().find(|(w, c)| {
        // `Is` counts as `IS`.
        w.eq_ignore_ascii_case(word) && (*c == Comparison::Is || word.iter().all(u8::is_ascii_uppercase))
    });
    let Some((_, how)) = caseless.or(caseful) else {
        return Err(format!("unrecognized condition word \"{}\" near line {} of filter file", word.as_bstr(), words.line));
    };
    let right = Template::new(&words.item(Brackets)?);
    Ok(Condition::Test(not, Test::Compare { left, right, how: *how, caseful: caseless.is_none() }))
}

//! The `regex` and `mime_regex` conditions (manual 45.5): expressions tried on each line of the message or of the raw MIME
//! part, or on the beginning of the decoded part.

use super::{mbox, mime};
use crate::acl::Verdict;
use crate::context::Context;
use crate::log::{self, Which};
use crate::parse::list;
use crate::sys::pcre::{Options, Regex};
use crate::text::Text;

/// How much of a decoded part is looked at.
const MAX_CONTENT: u64 = 32 << 10;
/// `$regex1` to `$regex9`.
const MAX_CAPTURES: usize = 9;

/// What matched last.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// `$regex_match_string`: the expression.
    pub expression: Option<Text>,
    /// `$regex1`..., by number; the first is not used.
    pub captures: Vec<Option<Text>>,
}

struct Expression {
    text: Text,
    regex: Regex,
}

/// Reads the list; what is no expression is told to the log and left out.
fn expressions(ctx: &mut Context, arg: &Text) -> Vec<Expression> {
    let mut out = Vec::new();
    for item in list::items(arg).filter(|i| !i.is_empty()) {
        match Regex::new(&item, Options::NONE) {
            Ok(regex) => out.push(Expression { text: arg.piece(item), regex }),
            Err(e) => {
                let text = format!(
                    "regex acl condition warning - error in regex '{item}': {} at offset {}, skipped.",
                    e.message, e.offset
                );
                log::write(ctx, None, Which::MAIN, text.as_bytes());
            }
        }
    }
    out
}

/// Tries them on a text.
fn matching(expressions: &[Expression], text: &[u8]) -> Option<State> {
    expressions.iter().find_map(|e| {
        let captures = e.regex.find(text).ok().flatten()?;
        let one = |n| captures.get(text, n).map(Text::tainted);
        let captures = (0..=MAX_CAPTURES).map(|n| if n == 0 { None } else { one(n) }).collect();
        Some(State { expression: Some(e.text.clone()), captures })
    })
}

fn verdict(ctx: &mut Context, found: Option<State>) -> Verdict {
    let verdict = if found.is_some() { Verdict::Ok } else { Verdict::Fail };
    ctx.message.scan.regex = found.unwrap_or_default();
    verdict
}

/// The `regex` condition.
pub fn lines(ctx: &mut Context, arg: &Text) -> Verdict {
    ctx.message.scan.regex = State::default();
    let expressions = expressions(ctx, arg);
    if expressions.is_empty() {
        return Verdict::Fail;
    }
    let mut found = None;
    let mut each = |line: &[u8]| {
        found = matching(&expressions, line);
        found.is_none()
    };
    let read = match mime::raw_lines(ctx, &mut each) {
        Some(read) => read,
        None => whole_message(ctx, &mut each),
    };
    if let Err(text) = read {
        super::panic_log(ctx, format!("regex acl condition: {text}").as_bytes());
        return Verdict::Defer;
    }
    verdict(ctx, found)
}

fn whole_message(ctx: &mut Context, each: &mut impl FnMut(&[u8]) -> bool) -> Result<(), String> {
    let file = mbox::open(ctx)?;
    mime::file_lines(file, each)
}

/// The `mime_regex` condition.
pub fn decoded(ctx: &mut Context, arg: &Text) -> Verdict {
    ctx.message.scan.regex = State::default();
    let expressions = expressions(ctx, arg);
    if expressions.is_empty() {
        return Verdict::Fail;
    }
    let Some(content) = mime::decode::content(ctx, MAX_CONTENT) else { return Verdict::Defer };
    verdict(ctx, matching(&expressions, &content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures() {
        let e = |s: &str| Expression { text: Text::clean(s), regex: Regex::new(s.as_bytes(), Options::NONE).unwrap() };
        let found = matching(&[e("nothing"), e("bo(d)(x)?(.)$")], b"the body\n").unwrap();
        assert_eq!(found.expression.unwrap(), "bo(d)(x)?(.)$");
        let shown: Vec<_> = found.captures.iter().map(|c| c.as_ref().map(|t| t.to_string())).collect();
        assert_eq!(shown.len(), 10);
        assert_eq!((shown[1].as_deref(), shown[2].as_deref(), shown[3].as_deref()), (Some("d"), None, Some("y")));
        assert!(matching(&[e("x")], b"y").is_none());
    }
}

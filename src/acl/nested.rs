//! The `acl` condition: another ACL, perhaps with arguments.

use bstr::{BString, ByteSlice};

use super::Verdict;
use super::ast::{Item, Verb};
use super::messages::Messages;
use super::run::{self, Run};
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::text::Text;

/// Most arguments.
const MAX_ARGS: usize = 9;

/// Runs it. `discard` is passed on only to verbs that can discard.
pub fn test(ctx: &mut Context, run: &mut Run, verb: Verb, item: &Item, m: &mut Messages) -> Verdict {
    let mut words = words(item.arg.raw()).into_iter().take(MAX_ARGS + 1);
    let mut expanded = Vec::new();
    for word in &mut words {
        match expand::expand_once(ctx, &word) {
            Ok(t) => expanded.push(t),
            Err(ExpandError::Forced(_)) => return Verdict::Error,
            Err(e) => {
                m.set_log(Text::clean(format!("failed to expand ACL string \"{word}\": {e}")));
                return if matches!(e, ExpandError::Defer(_)) { Verdict::Defer } else { Verdict::Error };
            }
        }
    }
    if expanded.is_empty() {
        expanded.push(Text::new());
    }
    let name = expanded.remove(0);
    let verdict = run::nested(ctx, run, &name, expanded, m);
    if verdict == Verdict::Discard && !matches!(verb, Verb::Accept | Verb::Discard) {
        m.set_log(Text::clean(format!(
            "nested ACL returned \"discard\" for \"{}\" command (only allowed with \"accept\" or \"discard\")",
            verb.name()
        )));
        return Verdict::Error;
    }
    verdict
}

/// Splits at white space. Text in double quotes is one word, with backslash escapes. (White space within an expansion item
/// does end a word, as the manual says.)
fn words(text: &[u8]) -> Vec<BString> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (word, after) = if rest.first() == Some(&b'"') {
            let (text, after) = crate::config::lines::quoted(rest);
            (text, after)
        } else {
            let end = rest.find_byteset(b" \t\r\n").unwrap_or(rest.len());
            (BString::from(rest.get(..end).unwrap_or(rest)), rest.get(end..).unwrap_or_default())
        };
        out.push(word);
        rest = after.trim_start();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        assert_eq!(words(b" a  ${lc:X} \"b c\" d "), ["a", "${lc:X}", "b c", "d"]);
        assert!(words(b"").is_empty());
    }
}

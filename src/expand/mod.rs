//! String expansion (manual chapter 11): a parser to a tree, and an evaluator.
//!
//! A string of the configuration is parsed once, into a tree that is kept with it ([`Template`]); evaluation
//! walks the tree. An expansion has three ends: text, forced failure, error. Every module above `config` may
//! call this one; it calls up only through `hooks`.

pub mod arith;
pub mod conditions;
pub mod digest;
mod eval;
pub mod forbid;
pub mod headers;
pub mod hooks;
pub mod ids;
pub mod items;
pub mod list;
mod names;
pub mod operators;
mod parse_cond;
mod parse_item;
pub mod parser;
pub mod perl;
mod recent;
pub mod split;
mod trace;
mod tree;
pub mod variables;

use std::fmt;
use std::sync::{Arc, OnceLock};

use bstr::BString;
pub use eval::MAX_RESULT;
pub use tree::HeaderForm;

use crate::context::Context;
use crate::text::Text;

/// A configured string, and its parsed form once it has been needed.
#[derive(Clone)]
pub struct Template(Arc<Inner>);

struct Inner {
    raw: BString,
    tree: OnceLock<tree::Body>,
}

impl Template {
    /// A string of the configuration, or another untainted one.
    pub fn new(raw: &[u8]) -> Self {
        Template(Arc::new(Inner { raw: raw.into(), tree: OnceLock::new() }))
    }
    /// A string that expands to itself.
    pub fn literal(raw: &[u8]) -> Self {
        Template(Arc::new(Inner { raw: raw.into(), tree: OnceLock::from(tree::Body::literal(raw)) }))
    }
    /// The string as written.
    pub fn raw(&self) -> &[u8] {
        &self.0.raw
    }
    /// The value, if no expansion can change it.
    pub fn as_literal(&self) -> Option<&[u8]> {
        self.tree().as_literal()
    }
    /// The syntax error in the string, if there is one.
    pub fn syntax_error(&self) -> Option<&str> {
        self.tree().error()
    }
    fn tree(&self) -> &tree::Body {
        self.0.tree.get_or_init(|| parser::parse(&self.0.raw))
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.raw.fmt(f)
    }
}

/// Why an expansion gave no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpandError {
    /// `fail` in a conditional or a lookup: the user of the string says what that means.
    Forced(String),
    /// A mistake in the string or in its data: the message after `failed to expand "...": `.
    Failed(String),
    /// A lookup was deferred.
    Defer(String),
}

impl ExpandError {
    /// The message.
    pub fn message(&self) -> &str {
        match self {
            ExpandError::Forced(m) | ExpandError::Failed(m) | ExpandError::Defer(m) => m,
        }
    }

    /// The same end with another message.
    #[must_use]
    pub fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            ExpandError::Forced(m) => ExpandError::Forced(change(m)),
            ExpandError::Failed(m) => ExpandError::Failed(change(m)),
            ExpandError::Defer(m) => ExpandError::Defer(change(m)),
        }
    }
}

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

/// An ordinary failure.
pub(crate) fn failed<T>(message: impl Into<String>) -> Result<T, ExpandError> {
    Err(ExpandError::Failed(message.into()))
}

/// Expands a configured string.
pub fn expand(ctx: &mut Context, template: &Template) -> Result<Text, ExpandError> {
    if ctx.run.debug & crate::log::trace::EXPAND == 0 || template.as_literal().is_some() {
        return eval::whole(ctx, template.tree());
    }
    trace::begin(ctx, template);
    let result = eval::whole(ctx, template.tree());
    trace::end(ctx, template, &result);
    result
}

/// Expands a string that its owner does not keep: its tree may still be known from before.
pub fn expand_once(ctx: &mut Context, string: &[u8]) -> Result<Text, ExpandError> {
    expand(ctx, &recent::template(string))
}

/// Expands a string that was just made. A tainted one is refused, as the reference does, unless there is nothing in it to expand.
pub fn expand_text(ctx: &mut Context, string: &Text) -> Result<Text, ExpandError> {
    if is_plain(string) { Ok(string.clone()) } else { expand_untainted(ctx, string) }
}

/// Parses such a string, which the caller expands more than once and adds its taint to.
pub(crate) fn parse_text(string: &Text) -> Result<tree::Body, ExpandError> {
    if is_plain(string) {
        return Ok(tree::Body::literal(string));
    }
    refuse_tainted(string)?;
    Ok(parser::parse(string))
}

/// As [`expand_text`] for `${expand:}`, which refuses any tainted string.
pub(crate) fn expand_untainted(ctx: &mut Context, string: &Text) -> Result<Text, ExpandError> {
    refuse_tainted(string)?;
    expand_once(ctx, string)
}

fn is_plain(string: &Text) -> bool {
    !string.iter().any(|c| matches!(c, b'$' | b'\\'))
}

fn refuse_tainted(string: &Text) -> Result<(), ExpandError> {
    if string.is_tainted() { failed(format!("attempt to expand tainted string '{string}'")) } else { Ok(()) }
}

/// Expands to an integer, with K, M and G; negative results are refused if `positive`. An empty string is 0.
pub fn expand_int(ctx: &mut Context, template: &Template, positive: bool) -> Result<i64, ExpandError> {
    let text = expand(ctx, template)?;
    arith::integer(&text, positive).map_err(ExpandError::Failed)
}

/// Expands a boolean option (`more`, `unseen`, ...): true/yes, false/no; else an error that names the option.
pub fn expand_bool(ctx: &mut Context, name: &str, value: &crate::config::options::ExpBool, owner: &str) -> Result<bool, String> {
    let template = match value {
        crate::config::options::ExpBool::Fixed(b) => return Ok(*b),
        crate::config::options::ExpBool::Expanded(t) => t,
    };
    let text = expand(ctx, template).map_err(|e| format!("failed to expand \"{name}\" in {owner}: {e}"))?;
    match text.to_ascii_lowercase().as_slice() {
        b"true" | b"yes" => Ok(true),
        b"false" | b"no" => Ok(false),
        _ => Err(format!("\"{text}\" is not a valid value for the \"{name}\" option in the {owner}")),
    }
}

/// Is the expanded string of a `condition` option true? ("", 0, no, false are false; anything else true, as the manual says.)
pub fn expand_condition(ctx: &mut Context, template: &Template) -> Result<bool, ExpandError> {
    let text = expand(ctx, template)?;
    Ok(!matches!(text.to_ascii_lowercase().as_slice(), b"" | b"0" | b"no" | b"false"))
}

#[cfg(test)]
mod tests;

//! String expansion (manual chapter 11): a parser to a tree, and an evaluator.
//!
//! A string of the configuration is parsed once, into a tree that is kept with it ([`Template`]); evaluation
//! walks the tree. An expansion has three ends: text, forced failure, error.

use std::fmt;
use std::sync::Arc;

use bstr::BString;

use crate::context::Context;
use crate::text::Text;

/// A configured string, and its parsed form once it has been needed.
#[derive(Clone)]
pub struct Template(Arc<Inner>);

struct Inner {
    raw: BString,
}

impl Template {
    /// A string of the configuration, or another untainted one.
    pub fn new(raw: &[u8]) -> Self {
        Template(Arc::new(Inner { raw: raw.into() }))
    }
    /// The string as written.
    pub fn raw(&self) -> &[u8] {
        &self.0.raw
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

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExpandError::Forced(m) | ExpandError::Failed(m) | ExpandError::Defer(m) => f.write_str(m),
        }
    }
}

/// Expands a configured string.
pub fn expand(ctx: &mut Context, template: &Template) -> Result<Text, ExpandError> {
    let _ = ctx;
    Err(ExpandError::Failed(format!("expansion is not implemented: {template:?}")))
}

/// Expands a string that was just made. A tainted one is refused, as the reference does.
pub fn expand_text(ctx: &mut Context, string: &Text) -> Result<Text, ExpandError> {
    if string.is_tainted() && string.contains(&b'$') {
        return Err(ExpandError::Failed(format!("attempt to expand tainted string '{string}'")));
    }
    expand(ctx, &Template::new(string))
}

/// Expands to an integer, with K, M and G (`expand_string_integer`); negative results are refused if `positive`.
pub fn expand_int(ctx: &mut Context, template: &Template, positive: bool) -> Result<i64, ExpandError> {
    let _ = (ctx, template, positive);
    Err(ExpandError::Failed("expansion is not implemented".into()))
}

/// Expands a boolean option (`more`, `unseen`, ...): true/yes, false/no, numbers; else an error that names the option.
pub fn expand_bool(ctx: &mut Context, name: &str, value: &crate::config::options::ExpBool) -> Result<bool, ExpandError> {
    let _ = (ctx, name, value);
    Err(ExpandError::Failed("expansion is not implemented".into()))
}

/// Is the expanded string of a `condition` option true? ("", 0, no, false are false; anything else true, as the manual says.)
pub fn expand_condition(ctx: &mut Context, template: &Template) -> Result<bool, ExpandError> {
    let _ = (ctx, template);
    Err(ExpandError::Failed("expansion is not implemented".into()))
}

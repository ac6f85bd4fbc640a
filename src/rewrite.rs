//! Address rewriting (manual chapter 31).

use bstr::BString;

/// One rewriting rule.
#[derive(Clone, Debug)]
pub struct RewriteRule {
    /// Pattern.
    pub pattern: crate::expand::Template,
    /// Replacement; `*` alone means none.
    pub replacement: crate::expand::Template,
    /// Flag letters.
    pub flags: BString,
}

/// Parses one line of the rewrite section (or item of `headers_rewrite`); the error text follows file and line.
pub fn parse_rule(line: &BString) -> Result<RewriteRule, String> {
    Err(format!("rewriting is not implemented: {line}"))
}

/// A router found that the domain of an address is really another: header lines are changed to it.
pub fn rewrite_header_domain(ctx: &mut crate::context::Context, old: &crate::text::Text, new: &[u8]) {
    let _ = (ctx, old, new);
}

/// Rewriting of an address that a redirect router made.
pub fn rewrite_redirected(ctx: &mut crate::context::Context, address: crate::text::Text) -> crate::text::Text {
    let _ = ctx;
    address
}

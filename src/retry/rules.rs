//! The parser of the retry section (manual section 32.2).

use bstr::BString;

use super::RetryRule;

/// Parses one line of the retry section; the error text follows file and line.
pub fn parse_rule(line: &BString) -> Result<RetryRule, String> {
    Err(format!("retry rules are not implemented: {line}"))
}

//! Retry rules and hints (manual chapter 32).

pub mod errors;

use bstr::BString;

/// One line of the retry section.
#[derive(Clone, Debug)]
pub struct RetryRule {
    /// The address or domain pattern.
    pub pattern: crate::expand::Template,
    /// Basic error that it is for, 0 any.
    pub basic_errno: i32,
    /// Refinement of the error.
    pub more_errno: i32,
    /// `senders=` list.
    pub senders: Option<crate::expand::Template>,
    /// The steps.
    pub steps: Vec<RetryStep>,
}

/// `F,2h,15m`.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryStep {
    /// F, G or H.
    pub letter: u8,
    /// Seconds since the first failure up to which it holds.
    pub timeout: i64,
    /// First or fixed interval, seconds.
    pub interval: i64,
    /// Factor in thousandths (G, H).
    pub factor: i64,
}

/// Parses one line of the retry section; the error text follows file and line.
pub fn parse_rule(line: &BString) -> Result<RetryRule, String> {
    Err(format!("retry rules are not implemented: {line}"))
}

//! Retry rules and hints (manual chapter 32).
//!
//! Here: what a rule is, and the parser of the configuration's retry section. Choosing a rule for an address, and the
//! hints themselves, belong to the delivery code.

pub mod errors;
pub mod rules;

use bstr::BString;

use crate::expand::Template;
pub use rules::{RetryError, parse_rule};

/// One line of the retry section.
#[derive(Clone, Debug)]
pub struct RetryRule {
    /// The address or domain pattern.
    pub pattern: Template,
    /// The error that it is for.
    pub error: RetryError,
    /// `senders=` list.
    pub senders: Option<Template>,
    /// The steps.
    pub steps: Vec<RetryStep>,
    /// The line as it was written, for `-brt` and debug output.
    pub line: BString,
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

//! Retry rules and hints (manual chapter 32).
//!
//! `rules` parses the section, `find` picks the rule for a failure, `check` asks whether something may be tried now,
//! `update` writes the hints after a delivery run. Routers and transports only leave [`RetryItem`]s in their addresses.
//!
//! [`RetryItem`]: crate::route::address::RetryItem

pub mod check;
pub mod errors;
pub mod find;
pub mod rules;
pub mod update;

pub use rules::{RetryError, parse_rule};

use bstr::BString;

use crate::context::Context;
use crate::hints::records::Retry;
use crate::hints::{self, HintsDb, Mode};
use crate::route::Address;
use crate::route::address::RetryItem;
use crate::text::Text;

/// One line of the retry section.
#[derive(Clone, Debug)]
pub struct RetryRule {
    /// The address or domain pattern.
    pub pattern: crate::expand::Template,
    /// The error that it is for.
    pub error: RetryError,
    /// `senders=` list.
    pub senders: Option<crate::expand::Template>,
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

/// Opens the retry hints; trouble is logged, and is as if there were none.
pub fn open(ctx: &Context, mode: Mode) -> Option<Box<dyn HintsDb>> {
    match crate::hints::open(ctx, "retry", mode) {
        Ok(db) => db,
        Err(e) => {
            crate::log::write(ctx, None, crate::log::Which::MAIN.and(crate::log::Which::PANIC), e.to_string().as_bytes());
            None
        }
    }
}

/// The record under a key, unless it is older than `retry_data_expire`.
pub fn record(ctx: &Context, db: &mut dyn HintsDb, key: &[u8]) -> Option<Retry> {
    let found = hints::get::<Retry>(db, key).ok()??;
    let age = crate::sys::time::unix_time().saturating_sub(found.time_stamp);
    (age <= ctx.config.main.retry_data_expire.0).then_some(found.record)
}

/// Notes in an address that a retry record is to be written for its failure, or deleted.
pub fn add_item(addr: &mut Address, key: impl Into<BString>, delete: bool, host: bool, message_specific: bool) {
    let mut failure = addr.failure.clone();
    if let (Some(h), Some(m)) = (addr.host_used.as_deref(), &mut failure.message) {
        let mut with_host = Text::with_taint(format!("H={} [{}]: ", h.name, h.address_text), m.taint());
        with_host.push(m);
        *m = with_host;
    }
    addr.retries.push(RetryItem { key: key.into(), delete, host, message_specific, failure });
}

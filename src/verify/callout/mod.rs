//! Callouts (manual sections 44.47 to 44.49): asking the hosts of an address whether they take it.
//!
//! Called by address verification after routing. The dialogue is `crate::smtp_out`'s, with the options of the transport
//! that routing chose.

mod ask;
mod cache;
mod dialogue;
mod hosts;
mod session;

pub(super) use ask::for_routed;
pub use hosts::of as hosts_of;

use crate::text::Text;

/// The options of `callout=`. Times are in seconds.
#[derive(Clone, Debug)]
pub struct CalloutOptions {
    /// For each answer.
    pub timeout: i64,
    /// For all of it; four times `timeout` if unset.
    pub overall: Option<i64>,
    /// For connecting; `timeout` if unset.
    pub connect: Option<i64>,
    /// Neither read nor write the cache.
    pub no_cache: bool,
    /// First ask for a local part that cannot exist.
    pub random: bool,
    /// MAIL FROM the real sender.
    pub use_sender: bool,
    /// MAIL FROM the postmaster.
    pub use_postmaster: bool,
    /// As `use_sender`, with the transport's return_path.
    pub use_tptsender: bool,
    /// Ask for `postmaster` without a domain too.
    pub fullpostmaster: bool,
    /// Keep the connection for further recipients and for the delivery.
    pub hold: bool,
    /// MAIL FROM for header senders.
    pub mailfrom: Option<Text>,
    /// Ask for the postmaster, with this MAIL FROM.
    pub postmaster_mailfrom: Option<Text>,
}

impl Default for CalloutOptions {
    fn default() -> Self {
        CalloutOptions {
            timeout: 30,
            overall: None,
            connect: None,
            no_cache: false,
            random: false,
            use_sender: false,
            use_postmaster: false,
            use_tptsender: false,
            fullpostmaster: false,
            hold: false,
            mailfrom: None,
            postmaster_mailfrom: None,
        }
    }
}

//! Verification: of addresses (by routing them, and by asking the hosts: callouts), of header lines, of the client host
//! (names, ident, CSA, DNS lists). Used by ACLs, by VRFY and EXPN, and by `-bv` and `-bt`.
//!
//! Nothing here answers the peer or refuses anything; it says what is the case.

mod address;
pub mod callout;
pub mod command;
pub mod csa;
pub mod cutthrough;
pub mod dnslists;
pub mod headers;
pub mod helo;
pub mod host_name;
mod ident;
mod outcome;
pub mod quota;
mod report;
mod vrfy;

pub use address::{split_address, verify_address};
pub use callout::CalloutOptions;
pub use cutthrough::Cutthrough;
pub use host_name::host_name_lookup;
pub use ident::ident;
#[cfg(feature = "fuzzing")]
pub(crate) use ident::name_of as ident_name;
pub use outcome::{Outcome, Verified, VerifiedSender, VerifyOptions};
pub use quota::QuotaOptions;
pub use vrfy::{Vrfy, expn, vrfy};

/// A line of the `-bh` trace that is never indented.
macro_rules! hplain {
    ($ctx:expr, $cat:ident, $($arg:tt)+) => {{
        let level = std::mem::take(&mut $ctx.scratch.debug_level);
        $crate::log::hdebug!($ctx, $cat, $($arg)+);
        $ctx.scratch.debug_level = level;
    }};
}
pub(crate) use hplain;

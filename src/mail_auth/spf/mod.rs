//! SPF (RFC 7208; manual 58.4): may this host send mail for that domain?
//!
//! `record.rs` parses, `macros.rs` expands, `eval.rs` asks and decides; `result.rs` is what the `spf` conditions,
//! variables and headers show of it. The DNS is behind a trait, so that all but `result.rs` works without a network.

pub(super) mod eval;
pub(super) mod macros;
pub(super) mod record;
mod result;

pub use eval::{Answer, Dns, Found, Identity, Outcome, check};
pub use result::{Facts, auth_results, condition, lookup};

/// The results of RFC 7208 2.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Verdict {
    None,
    Neutral,
    Pass,
    Fail,
    SoftFail,
    TempError,
    PermError,
}

impl Verdict {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::None => "none",
            Verdict::Neutral => "neutral",
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::SoftFail => "softfail",
            Verdict::TempError => "temperror",
            Verdict::PermError => "permerror",
        }
    }
}

//! The logs: mainlog, rejectlog, paniclog, syslog, message logs; selectors; building of log lines; debug output.

use crate::context::Context;

/// Which logs a line goes to; `LOG_MAIN | LOG_REJECT` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which(pub u32);

impl Which {
    /// mainlog
    pub const MAIN: Which = Which(1);
    /// paniclog
    pub const PANIC: Which = Which(2);
    /// rejectlog
    pub const REJECT: Which = Which(4);
    /// With the message's header lines (rejectlog).
    pub const HEADERS: Which = Which(8);
    /// With envelope sender and recipients (rejectlog).
    pub const RECIPIENTS: Which = Which(16);
    /// To paniclog, then the process ends.
    pub const PANIC_DIE: Which = Which(32);
    /// A configuration error: adds file and line as given by the caller.
    pub const CONFIG: Which = Which(64);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Which) -> Which {
        Which(self.0 | other.0)
    }
    /// Does it include the other?
    pub const fn has(self, other: Which) -> bool {
        self.0 & other.0 != 0
    }
}

/// Bits of `log_selector`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selectors(pub u128);

/// Open log files of this process.
#[derive(Debug, Default)]
pub struct Logger {}

/// Writes one line. `selector` `None`: always.
pub fn write(ctx: &Context, selector: Option<Selector>, which: Which, text: &[u8]) {
    let _ = (ctx, selector, which, text);
}

/// One `log_selector` item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {}

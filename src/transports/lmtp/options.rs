//! The private options of the `lmtp` driver. Only the table is here.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `lmtp` driver.
    pub struct LmtpOptions {
        /// Expanded key grouping batched addresses.
        batch_id: Str = Str::unset(),
        /// Address ceiling per run.
        batch_max: Int = Int(1),
        /// Program speaking LMTP on stdio.
        command: Str = Str::unset(),
        /// Add IGNOREQUOTA to RCPT if offered.
        ignore_quota: bool = false,
        /// Unix socket of LMTP server.
        socket: Str = Str::unset(),
        /// Response time limit.
        timeout: Time = Time(300),
    }
}

//! The options that every transport has (manual chapter 24).
//!
//! Only the table is here; the reader fills it, the rest of the program reads it through `Config`.

use crate::config::options::*;
use crate::options;

options! {
    /// Options common to all transports.
    pub struct TransportOptions {
        /// Send body without headers.
        body_only: bool = false,
        /// Working directory for the transport process.
        current_directory: Str = Str::unset(),
        /// Expanded debug output at transport start.
        debug_print: Str = Str::unset(),
        /// Insert Delivery-date:.
        delivery_date_add: bool = false,
        /// Suppress delivery log entries.
        disable_logging: bool = false,
        /// Insert Envelope-to:.
        envelope_to_add: bool = false,
        /// Expanded for delivery-side events.
        event_action: Str = Str::unset(),
        /// Gid for the transport process.
        group: Str = Str::unset() /* Exim group */,
        /// Headers added to the copy sent; repeatable.
        headers_add: RepStr = RepStr::unset(),
        /// Send headers without body.
        headers_only: bool = false,
        /// Header names dropped from the copy sent; repeatable.
        headers_remove: RepStr = RepStr::unset(),
        /// Rewrite rules for header addresses at sending.
        headers_rewrite: Str = Str::unset(),
        /// $home value for local transport.
        home_directory: Str = Str::unset(),
        /// Call initgroups() for the transport uid.
        initgroups: bool = false,
        /// Concurrent run limit for this transport.
        max_parallel: Str = Str::unset(),
        /// Messages exceeding this fail; 0 unlimited.
        message_size_limit: Str = Str::unset(),
        /// Use unstripped local part in RCPT/Envelope-to.
        rcpt_include_affixes: bool = false,
        /// Retry key includes local part.
        retry_use_local_part: bool = true,
        /// Replacement envelope sender.
        return_path: Str = Str::unset(),
        /// Insert Return-path:.
        return_path_add: bool = false,
        /// Expansion that must be true for shadowing.
        shadow_condition: Str = Str::unset(),
        /// Second local transport given a copy.
        shadow_transport: Str = Str::unset(),
        /// Command that the message passes through.
        transport_filter: Str = Str::unset(),
        /// Time limit on filter output.
        transport_filter_timeout: Time = Time(300),
        /// Uid for the transport process.
        user: Str = Str::unset() /* Exim user */,
    }
}

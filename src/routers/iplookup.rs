//! The `iplookup` router: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `iplookup` driver.
    pub struct IplookupOptions {
        /// Servers to query.
        hosts: Str = Str::unset(),
        /// No reply passes to next router rather than deferring.
        optional: bool = false,
        /// Server port, mandatory.
        port: Int = Int(0),
        /// udp or tcp.
        protocol: Str = Str::fixed("udp"),
        /// Text sent to server.
        query: Str = Str::fixed("$local_part@$domain $local_part@$domain"),
        /// Expansion building new address from response.
        reroute: Str = Str::unset(),
        /// Regex required of response; captures numbered variables.
        response_pattern: Str = Str::unset(),
        /// Wait for response.
        timeout: Time = Time(5),
    }
}

//! The `manualroute` router: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `manualroute` driver.
    pub struct ManualrouteOptions {
        /// Action when every host is ignored.
        host_all_ignored: Str = Str::fixed("defer"),
        /// Action for unresolvable host: freeze/defer/decline/fail/pass/ignore.
        host_find_failed: Str = Str::fixed("freeze"),
        /// Shuffle hosts; + separates ordered groups.
        hosts_randomize: ExpBool = ExpBool::fixed(false),
        /// Expansion yielding hosts, options, transport.
        route_data: Str = Str::unset(),
        /// Inline rules: domain pattern, hosts, options; semicolon separated.
        route_list: Str = Str::unset(),
        /// Reuse routing for addresses sharing a domain.
        same_domain_copy_routing: bool = false,
    }
}

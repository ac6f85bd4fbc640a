//! The `dnslookup` router: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `dnslookup` driver.
    pub struct DnslookupOptions {
        /// Decline unless local host is a listed MX.
        check_secondary_mx: bool = false,
        /// SRV service name(s) tried before MX lookup.
        check_srv: Str = Str::unset(),
        /// Domains where nonexistence defers instead of declining.
        fail_defer_domains: Str = Str::unset(),
        /// Truthy expansion: only A records wanted.
        ipv4_only: Str = Str::unset(),
        /// Truthy expansion: A addresses ordered ahead of AAAA.
        ipv4_prefer: Str = Str::unset(),
        /// Domains needing MX or SRV, no address fallback.
        mx_domains: Str = Str::unset(),
        /// Domains where MX lookup error counts as no MX.
        mx_fail_domains: Str = Str::unset(),
        /// Set resolver RES_DEFNAMES.
        qualify_single: bool = true,
        /// Rewrite headers after DNS name widening.
        rewrite_headers: bool = true,
        /// Reuse routing for addresses sharing a domain.
        same_domain_copy_routing: bool = false,
        /// Set resolver RES_DNSRCH.
        search_parents: bool = false,
        /// Domains where SRV lookup error counts as no SRV.
        srv_fail_domains: Str = Str::unset(),
        /// Suffixes appended after failed lookup.
        widen_domains: Str = Str::unset(),
    }
}

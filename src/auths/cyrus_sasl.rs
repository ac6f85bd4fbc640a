//! The `cyrus_sasl` authenticator: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `cyrus_sasl` driver.
    pub struct CyrusSaslOptions {
        /// Host name given to library.
        server_hostname: Str = Str::fixed("$primary_hostname"),
        /// Mechanism if different from public_name.
        server_mech: Str = Str::unset(),
        /// SASL realm claimed.
        server_realm: Str = Str::unset(),
        /// SASL service name.
        server_service: Str = Str::fixed("smtp"),
    }
}

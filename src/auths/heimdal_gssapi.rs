//! The `heimdal_gssapi` authenticator: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `heimdal_gssapi` driver.
    pub struct HeimdalGssapiOptions {
        /// Host part of GSS principal.
        server_hostname: Str = Str::fixed("$primary_hostname"),
        /// Keytab path.
        server_keytab: Str = Str::unset(),
        /// Service part of GSS principal.
        server_service: Str = Str::fixed("smtp"),
    }
}

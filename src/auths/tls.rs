//! The `tls` authenticator: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `tls` driver.
    pub struct TlsOptions {
        /// Alternative spelling of server_param1.
        server_param: Str = Str::unset(),
        /// Expanded into $auth1 after TLS start.
        server_param1: Str = Str::unset(),
        /// Expanded into $auth2 after TLS start.
        server_param2: Str = Str::unset(),
        /// Expanded into $auth3 after TLS start.
        server_param3: Str = Str::unset(),
    }
}

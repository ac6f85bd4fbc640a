//! The `external` authenticator: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `external` driver.
    pub struct ExternalOptions {
        /// Expanded into $auth2.
        server_param2: Str = Str::unset(),
        /// Expanded into $auth3.
        server_param3: Str = Str::unset(),
        /// Identity sent with AUTH.
        client_send: Str = Str::unset(),
    }
}

//! The `spa` authenticator: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `spa` driver.
    pub struct SpaOptions {
        /// Cleartext password for $auth1.
        server_password: Str = Str::unset(),
        /// NTLM domain.
        client_domain: Str = Str::unset(),
        /// Client password.
        client_password: Str = Str::unset(),
        /// Client user name.
        client_username: Str = Str::unset(),
    }
}

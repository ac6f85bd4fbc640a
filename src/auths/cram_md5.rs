//! The `cram_md5` authenticator: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `cram_md5` driver.
    pub struct CramMd5Options {
        /// Shared secret for $auth1.
        server_secret: Str = Str::unset(),
        /// User name sent.
        client_name: Str = Str::fixed("$primary_hostname"),
        /// Client shared secret.
        client_secret: Str = Str::unset(),
    }
}

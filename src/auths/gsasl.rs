//! The `gsasl` authenticator: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `gsasl` driver.
    pub struct GsaslOptions {
        /// Authorisation id if differing.
        client_authz: Str = Str::unset(),
        /// Enable channel binding as client.
        client_channelbinding: bool = false,
        /// Client cleartext password.
        client_password: Str = Str::unset(),
        /// Client account name.
        client_username: Str = Str::unset(),
        /// Hex salted password for SCRAM client.
        client_spassword: Str = Str::unset(),
        /// Enable channel binding as server.
        server_channelbinding: bool = false,
        /// Host name given to library.
        server_hostname: Str = Str::fixed("$primary_hostname"),
        /// Mechanism if different from public_name.
        server_mech: Str = Str::unset(),
        /// Cleartext password for challenge mechanisms.
        server_password: Str = Str::unset(),
        /// SASL realm claimed.
        server_realm: Str = Str::unset(),
        /// SCRAM iteration count.
        server_scram_iter: Str = Str::fixed("4096"),
        /// SCRAM salt, base64.
        server_scram_salt: Str = Str::unset(),
        /// Stored SCRAM ServerKey, base64.
        server_key: Str = Str::unset(),
        /// Stored SCRAM StoredKey, base64.
        server_skey: Str = Str::unset(),
        /// SASL service name.
        server_service: Str = Str::fixed("smtp"),
    }
}

//! The options that every authenticator has (manual chapter 33).
//!
//! Only the table is here; the reader fills it, the rest of the program reads it through `Config`.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `generic` driver.
    pub struct AuthOptions {
        /// Expanded; false skips authenticator as client.
        client_condition: Str = Str::unset(),
        /// Expanded identity for outgoing log lines.
        client_set_id: Str = Str::unset(),
        /// SASL mechanism name advertised.
        public_name: Str = Str::unset(),
        /// Expanded; false hides mechanism.
        server_advertise_condition: Str = Str::unset(),
        /// Expanded; decides or further restricts server result.
        server_condition: Str = Str::unset(),
        /// Expanded debug output as server.
        server_debug_print: Str = Str::unset(),
        /// Expanded into $authenticated_id.
        server_set_id: Str = Str::unset(),
        /// Expanded; false discards AUTH= on MAIL.
        server_mail_auth_condition: Str = Str::unset(),
    }
}

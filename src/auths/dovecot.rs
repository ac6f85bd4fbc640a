//! The `dovecot` authenticator: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `dovecot` driver.
    pub struct DovecotOptions {
        /// Auth socket path, or host and port.
        server_socket: Str = Str::unset(),
        /// Use TLS to inet listener (documented experimental).
        server_tls: bool = false,
    }
}

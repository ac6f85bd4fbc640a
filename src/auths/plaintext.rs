//! The `plaintext` authenticator: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `plaintext` driver.
    pub struct PlaintextOptions {
        /// Challenge strings; none gives PLAIN-like flow.
        server_prompts: Str = Str::unset(),
        /// Carry on after undecodable server prompt.
        client_ignore_invalid_base64: bool = false,
        /// Response strings, each expanded; ^ means NUL.
        client_send: Str = Str::unset(),
    }
}

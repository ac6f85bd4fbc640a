//! RFC 5322 and 5321 addresses: finding them in header lines and command arguments, quoting, RFC 2047.

pub mod list;

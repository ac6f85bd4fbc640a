//! The `openssl_options` setting: `+name` and `-name` items over the built-in start value. Parsed by
//! the configuration reader (an unknown name is a configuration error), applied to every context.

use std::fmt;

/// Names (without `SSL_OP_`, in lower case) and bits. Bits of 0 are options that the library still
/// accepts but has no use for any more.
const TABLE: &[(&str, u64)] = &[
    ("all", bit(31) | bit(11) | bit(4) | bit(6)),
    ("allow_client_renegotiation", bit(8)),
    ("allow_no_dhe_kex", bit(10)),
    ("allow_unsafe_legacy_renegotiation", bit(18)),
    ("cipher_server_preference", bit(22)),
    ("cisco_anyconnect", bit(15)),
    ("cookie_exchange", bit(13)),
    ("cryptopro_tlsext_bug", bit(31)),
    ("disable_tlsext_ca_names", bit(9)),
    ("dont_insert_empty_fragments", bit(11)),
    ("enable_ktls", bit(3)),
    ("enable_middlebox_compat", bit(20)),
    ("ephemeral_rsa", 0),
    ("ignore_unexpected_eof", bit(7)),
    ("legacy_server_connect", bit(2)),
    ("microsoft_big_sslv3_buffer", 0),
    ("microsoft_sess_id_bug", 0),
    ("msie_sslv2_rsa_padding", 0),
    ("netscape_challenge_bug", 0),
    ("netscape_reuse_cipher_change_bug", 0),
    ("no_anti_replay", bit(24)),
    ("no_compression", bit(17)),
    ("no_encrypt_then_mac", bit(19)),
    ("no_extended_master_secret", bit(0)),
    ("no_renegotiation", NO_RENEGOTIATION),
    ("no_session_resumption_on_renegotiation", bit(16)),
    ("no_sslv2", 0),
    ("no_sslv3", NO_SSLV3),
    ("no_ticket", NO_TICKET),
    ("no_tlsv1", bit(26)),
    ("no_tlsv1_1", bit(28)),
    ("no_tlsv1_2", bit(27)),
    ("no_tlsv1_3", bit(29)),
    ("prioritize_chacha", bit(21)),
    ("safari_ecdhe_ecdsa_bug", bit(6)),
    ("single_dh_use", 0),
    ("single_ecdh_use", 0),
    ("ssleay_080_client_dh_bug", 0),
    ("sslref2_reuse_cert_type_bug", 0),
    ("tls_block_padding_bug", 0),
    ("tls_d5_bug", 0),
    ("tls_rollback_bug", bit(23)),
    ("tlsext_padding", bit(4)),
];

const fn bit(n: u32) -> u64 {
    1 << n
}
const NO_TICKET: u64 = bit(14);
const NO_SSLV3: u64 = bit(25);
const NO_RENEGOTIATION: u64 = bit(30);

/// Bits to set and to clear on a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpensslOptions {
    pub(super) set: u64,
    pub(super) clear: u64,
}

impl Default for OpensslOptions {
    /// `+no_sslv2 +no_sslv3 +single_dh_use +no_ticket +no_renegotiation`
    fn default() -> Self {
        OpensslOptions { set: NO_SSLV3 | NO_TICKET | NO_RENEGOTIATION, clear: 0 }
    }
}

/// The setting cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionsError {
    text: String,
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "openssl_options parse error: {}", self.text)
    }
}

impl std::error::Error for OptionsError {}

impl OpensslOptions {
    /// Parse the option's value. Items are separated by spaces; each begins with `+` or `-`.
    pub fn parse(value: &str) -> Result<OpensslOptions, OptionsError> {
        let mut o = OpensslOptions::default();
        for item in value.split_whitespace() {
            let fail = || OptionsError { text: value.to_string() };
            let (add, name) = match item.split_at_checked(1) {
                Some(("+", n)) => (true, n),
                Some(("-", n)) => (false, n),
                _ => return Err(fail()),
            };
            let name = name.to_ascii_lowercase();
            let bits = TABLE.iter().find(|(n, _)| *n == name).ok_or_else(fail)?.1;
            if add {
                o.set |= bits;
                o.clear &= !bits;
            } else {
                o.set &= !bits;
                o.clear |= bits;
            }
        }
        Ok(o)
    }

    /// The same with tickets allowed or not.
    pub(super) fn with_tickets(mut self, tickets: bool) -> Self {
        if tickets {
            self.set &= !NO_TICKET;
            self.clear |= NO_TICKET;
        } else {
            self.set |= NO_TICKET;
            self.clear &= !NO_TICKET;
        }
        self
    }
}

/// Names known, for the `_OPT_OPENSSL_..._X` macros.
pub fn option_names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(n, _)| *n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_minus_and_errors() {
        let o = OpensslOptions::parse("+no_tlsv1_3 -no_sslv3").unwrap();
        assert_eq!(o.set & bit(29), bit(29));
        assert_eq!((o.set & NO_SSLV3, o.clear & NO_SSLV3), (0, NO_SSLV3));
        let e = OpensslOptions::parse("+bogus").unwrap_err();
        assert_eq!(e.to_string(), "openssl_options parse error: +bogus");
        assert!(OpensslOptions::parse("no_sslv3").is_err());
        assert!(OpensslOptions::parse("\u{e9}x").is_err());
    }
}

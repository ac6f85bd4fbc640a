//! Diffie-Hellman groups for `tls_dhparam` (suites of TLS 1.2 with DHE): a file, or a name.

use std::path::Path;

use openssl::bn::BigNum;
use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::pkey::Params;

use super::error::TlsError;
use super::ffi;
use super::server::Notice;

/// OpenSSL's numbers of the groups of RFC 7919.
const FFDHE: &[(&str, i32)] =
    &[("ffdhe2048", 1126), ("ffdhe3072", 1127), ("ffdhe4096", 1128), ("ffdhe6144", 1129), ("ffdhe8192", 1130)];

/// The group for an option value; `None` when DHE is switched off or the group is larger than
/// `max_bits` (which counts as off, by the manual).
///
/// The names `default` and `exim.dev.20160529.[123]` give ffdhe2048: the reference's own primes have
/// no verifiable origin, this one has, and the size is the same.
pub(super) fn load(value: Option<&str>, max_bits: u32) -> Result<Option<Dh<Params>>, TlsError> {
    let value = value.unwrap_or("").trim();
    if value == "none" {
        return Ok(None);
    }
    let dh = if value.starts_with('/') { from_file(value)? } else { by_name(value)? };
    let bits = dh.prime_p().num_bits();
    Ok(u32::try_from(bits).is_ok_and(|b| b <= max_bits).then_some(dh))
}

/// A warning for a deprecated name.
pub(super) fn deprecated(value: &str) -> Option<Notice> {
    let level = match value.trim() {
        "ike1" | "ike22" => Notice::Panic,
        "ike23" | "ike24" => Notice::Main,
        _ => return None,
    };
    Some(level(format!("WARNING: deprecated Diffie-Hellman parameter '{}' used", value.trim())))
}

fn from_file(path: &str) -> Result<Dh<Params>, TlsError> {
    let pem = std::fs::read(Path::new(path)).map_err(|_| TlsError::Message(format!("could not read dhparams file {path}")))?;
    Dh::params_from_pem(&pem).map_err(|e| TlsError::library(format!("Unable to load DH parameters from file {path}"), &e))
}

fn by_name(name: &str) -> Result<Dh<Params>, TlsError> {
    let unknown = || TlsError::Message(format!("unknown standard DH prime \"{name}\" in tls_dhparam"));
    let lib = |e: ErrorStack| TlsError::library("DH parameters", &e);
    let modp =
        |p: Result<BigNum, ErrorStack>| Dh::from_pqg(p.map_err(lib)?, None, BigNum::from_u32(2).map_err(lib)?).map_err(lib);
    let name = match name {
        "" | "default" | "historic" => "ffdhe2048",
        n if n.strip_prefix("exim.dev.20160529.").is_some_and(|v| matches!(v, "1" | "2" | "3")) => "ffdhe2048",
        n => n,
    };
    if let Some((_, nid)) = FFDHE.iter().find(|(n, _)| *n == name) {
        return ffi::dh_by_nid(*nid).ok_or_else(unknown);
    }
    match name {
        "ike1" => modp(BigNum::get_rfc2409_prime_768()),
        "ike2" => modp(BigNum::get_rfc2409_prime_1024()),
        "ike5" => modp(BigNum::get_rfc3526_prime_1536()),
        "ike14" => modp(BigNum::get_rfc3526_prime_2048()),
        "ike15" => modp(BigNum::get_rfc3526_prime_3072()),
        "ike16" => modp(BigNum::get_rfc3526_prime_4096()),
        "ike17" => modp(BigNum::get_rfc3526_prime_6144()),
        "ike18" => modp(BigNum::get_rfc3526_prime_8192()),
        "ike22" => Dh::get_1024_160().map_err(lib),
        "ike23" => Dh::get_2048_224().map_err(lib),
        "ike24" => Dh::get_2048_256().map_err(lib),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sizes_and_clamp() {
        assert_eq!(load(None, 2236).unwrap().unwrap().prime_p().num_bits(), 2048);
        assert!(load(Some("none"), 2236).unwrap().is_none());
        assert!(load(Some("ike16"), 2236).unwrap().is_none());
        assert_eq!(load(Some("ike16"), 8192).unwrap().unwrap().prime_p().num_bits(), 4096);
        assert!(load(Some("ffdhe3072"), 8192).unwrap().is_some());
        assert!(load(Some("nonsense"), 2236).is_err());
        assert!(load(Some("/no/such/file"), 2236).is_err());
    }
}

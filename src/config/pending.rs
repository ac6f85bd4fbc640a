//! Options whose behaviour does not exist (yet): setting one is an error that names it, so that nothing is accepted
//! and ignored. Such an option may still be switched off. The tables shrink as the behaviour arrives.

use bstr::ByteSlice;

use super::options::OptionValue;
use crate::build_options as build;

/// Main options, in alphabetical order.
static MAIN: &[&str] =
    &["daemon_modules_load", "disable_fsync", "gnutls_allow_auto_pkcs11", "gnutls_compat_mode", "oracle_servers"];

/// Options (or, with a `_` at the end, all that begin so) of parts that a build may leave out: then they are unknown.
static OF_PARTS: &[(&str, bool)] = &[
    ("bmi_", build::EXPERIMENTAL_BRIGHTMAIL),
    ("dk_", build::EXPERIMENTAL_DOMAINKEYS),
    ("dnssec_trust_anchors", build::SUPPORT_DNSSEC_VALIDATION),
    ("srs", build::EXPERIMENTAL_SRS_ALT),
    ("srs_", build::EXPERIMENTAL_SRS_ALT),
    ("ldap_", build::LOOKUP_LDAP),
    ("mysql_servers", build::LOOKUP_MYSQL),
    ("pgsql_servers", build::LOOKUP_PGSQL),
    ("translate_ip_address", build::SUPPORT_TRANSLATE_IP_ADDRESS),
];

/// Is it an option of a part that this build does not have?
fn left_out(name: &str) -> bool {
    OF_PARTS.iter().any(|(n, on)| !on && (*n == name || (n.ends_with('_') && name.starts_with(n))))
}

/// Options of drivers: driver kind (`router`, `transport`, `authenticator`), driver (or "" for generic ones), option.
static DRIVER: &[(&str, &str, &str)] = &[("transport", "smtp", "gnutls_compat_mode")];

/// Does the main option do what it is for?
pub fn main_works(name: &str) -> bool {
    !(MAIN.contains(&name) || left_out(name))
}

/// The same for a driver's option.
pub fn driver_works(kind: &str, driver: &str, name: &str) -> bool {
    let pending = DRIVER.iter().any(|(k, d, n)| *k == kind && (*d == driver || d.is_empty()) && *n == name);
    !(pending || left_out(name))
}

/// The message, if a main option was given a value that cannot be had.
pub fn main(name: &str, value: Option<&dyn OptionValue>) -> Option<String> {
    if left_out(name) {
        return Some(format!("main option \"{name}\" unknown"));
    }
    (!main_works(name) && !is_off(name, value)).then(|| format!("option \"{name}\" is not implemented"))
}

/// The same for a driver's option.
pub fn driver(kind: &str, driver: &str, name: &str, value: Option<&dyn OptionValue>) -> Option<String> {
    if driver_works(kind, driver, name) {
        return None;
    }
    if left_out(name) {
        return Some(format!("option \"{name}\" unknown"));
    }
    (!is_off(name, value)).then(|| format!("option \"{name}\" of the {driver} {kind} is not implemented"))
}

/// Is that the value by which an option does nothing: false, 0, an empty string or list?
fn is_off(name: &str, value: Option<&dyn OptionValue>) -> bool {
    let shown = value.map(|v| v.show(name)).unwrap_or_default();
    let shown = shown.to_str_lossy();
    shown == format!("no_{name}") || shown.split_once('=').is_some_and(|(_, v)| matches!(v.trim(), "" | ":" | "0" | "0s"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::options::{OptionSet, Str};

    #[test]
    fn only_off_is_taken() {
        let value = |s: &str| main("oracle_servers", Some(&Str::from_bytes(s.as_bytes())));
        assert_eq!(value(""), None);
        assert_eq!(value("/run/x").as_deref(), Some("option \"oracle_servers\" is not implemented"));
        assert_eq!(main("gnutls_compat_mode", Some(&false)), None);
        assert!(main("gnutls_compat_mode", Some(&true)).is_some());
        assert_eq!(main("primary_hostname", Some(&Str::fixed("x"))), None);
        assert!(driver("transport", "smtp", "gnutls_compat_mode", Some(&true)).is_some());
        assert_eq!(driver("transport", "smtp", "gnutls_compat_mode", Some(&false)), None);
    }

    #[test]
    fn names_exist() {
        let options = crate::config::main_options::MainOptions::default();
        for name in MAIN {
            assert!(options.option(name).is_some(), "{name}");
        }
    }
}

//! Options whose behaviour does not exist (yet): setting one is an error that names it, so that nothing is accepted
//! and ignored. The table shrinks as the behaviour arrives.

/// Main options, in alphabetical order.
pub static MAIN: &[&str] = &[
    "daemon_modules_load",
    "dcc_direct_add_header",
    "dccifd_address",
    "dccifd_options",
    "gnutls_allow_auto_pkcs11",
    "gnutls_compat_mode",
    "ldap_ca_cert_dir",
    "ldap_ca_cert_file",
    "ldap_cert_file",
    "ldap_cert_key",
    "ldap_cipher_suite",
    "ldap_default_servers",
    "ldap_require_cert",
    "ldap_start_tls",
    "ldap_version",
    "mysql_servers",
    "oracle_servers",
    "perl_at_start",
    "perl_startup",
    "perl_taintmode",
    "pgsql_servers",
];

/// Options of drivers: driver kind (`router`, `transport`, `authenticator`), driver (or "" for generic ones), option.
pub static DRIVER: &[(&str, &str, &str)] = &[("transport", "smtp", "gnutls_compat_mode")];

/// The message, if the option is not to be used.
pub fn main(name: &str) -> Option<String> {
    MAIN.contains(&name).then(|| format!("option \"{name}\" is not implemented"))
}

/// The same for a driver's option.
pub fn driver(kind: &str, driver: &str, name: &str) -> Option<String> {
    if name == "translate_ip_address" && !crate::build_options::SUPPORT_TRANSLATE_IP_ADDRESS {
        return Some(format!("option \"{name}\" unknown"));
    }
    DRIVER
        .iter()
        .any(|(k, d, n)| *k == kind && (*d == driver || d.is_empty()) && *n == name)
        .then(|| format!("option \"{name}\" of the {driver} {kind} is not implemented"))
}

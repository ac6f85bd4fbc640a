//! `-bV`: version, what is built in, and the configuration's name (testsuite-format.md 14.2).
//!
//! The same facts without the version go to stderr with `-d`.

use std::fmt::Write as _;

use bstr::ByteSlice;

use crate::build_options as build;
use crate::config::{Config, ids, site, source};

/// The first lines of `-bV`.
pub fn heading() -> String {
    format!(
        "Exim version {} #0 built {}\nOxim {}, an independent implementation of Exim {}\n",
        crate::version::version(),
        build::BUILD_DATE,
        crate::version::OXIM_VERSION,
        "4.99",
    )
}

/// The words after `Support for:`.
fn support() -> Vec<&'static str> {
    let ocsp = !build::DISABLE_OCSP;
    [
        ("crypteq", build::SUPPORT_CRYPTEQ),
        ("iconv()", build::HAVE_ICONV),
        ("IPv6", build::HAVE_IPV6),
        ("PAM", build::SUPPORT_PAM),
        ("Perl", build::EXIM_PERL),
        ("Expand_dlfunc", build::EXPAND_DLFUNC),
        ("OpenSSL", true),
        ("TLS_resume", !build::DISABLE_TLS_RESUME),
        ("move_frozen_messages", build::SUPPORT_MOVE_FROZEN_MESSAGES),
        ("translate_ip_address", build::SUPPORT_TRANSLATE_IP_ADDRESS),
        ("Content_Scanning", build::WITH_CONTENT_SCAN),
        ("Exim_filter", !build::DISABLE_EXIM_FILTER),
        ("Sieve_filter", !build::DISABLE_SIEVE_FILTER),
        ("DANE", build::SUPPORT_DANE),
        ("DKIM", !build::DISABLE_DKIM),
        ("DMARC", build::SUPPORT_DMARC),
        ("DNSSEC", !build::DISABLE_DNSSEC),
        ("DSCP", build::SUPPORT_DSCP),
        ("ESMTP_Limits", !build::DISABLE_ESMTP_LIMITS),
        ("ESMTP_Wellknown", !build::DISABLE_WELLKNOWN),
        ("Event", !build::DISABLE_EVENT),
        ("I18N", build::SUPPORT_I18N),
        ("OCSP", ocsp),
        ("PIPECONNECT", !build::DISABLE_PIPE_CONNECT),
        ("PRDR", !build::DISABLE_PRDR),
        ("PROXY", build::SUPPORT_PROXY),
        ("Queue_Ramp", !build::DISABLE_QUEUE_RAMP),
        ("SOCKS", build::SUPPORT_SOCKS),
        ("SPF", build::SUPPORT_SPF),
        ("SRS", build::SUPPORT_SRS),
        ("TCP_Fast_Open", true),
        ("Experimental_ARC", build::EXPERIMENTAL_ARC),
        ("Experimental_Brightmail", build::EXPERIMENTAL_BRIGHTMAIL),
        ("Experimental_DCC", build::EXPERIMENTAL_DCC),
        ("Experimental_DSN_info", build::EXPERIMENTAL_DSN_INFO),
        ("Experimental_DomainKeys", build::EXPERIMENTAL_DOMAINKEYS),
        ("Experimental_QUEUEFILE", build::EXPERIMENTAL_QUEUEFILE),
        ("Experimental_REQUIRETLS", build::EXPERIMENTAL_REQUIRETLS),
        ("Experimental_SRS_alt", build::EXPERIMENTAL_SRS_ALT),
        ("Experimental_SRV_smtps", build::EXPERIMENTAL_SRV_SMTPS),
        ("Experimental_XCLIENT", build::EXPERIMENTAL_XCLIENT),
    ]
    .into_iter()
    .filter(|(_, on)| *on)
    .map(|(name, _)| name)
    .collect()
}

/// What is built in. `all`: with compiler and libraries, as debugging shows it.
pub fn facts(all: bool) -> String {
    let mut s = String::new();
    let lookups = crate::lookups::available();
    let auths: Vec<&str> = crate::auths::drivers().filter(|d| (d.available)()).map(|d| d.name).collect();
    let routers: Vec<&str> = crate::routers::drivers().map(|d| d.name).collect();
    let transports: Vec<&str> = crate::transports::DRIVERS.iter().map(|d| d.shown).collect();
    let (owner, group) = source::configure_owner();
    let fixed: Vec<String> = site::fixed_never_users().iter().map(u32::to_string).collect();
    let _ = write!(
        s,
        "Hints DB:\n SQLite: {}\nSupport for: {}\nLookups (built-in): {}\nAuthenticators (built-in):  {}\n\
         Routers (built-in):  {}\nTransports (built-in):  {}\n",
        rusqlite::version(),
        support().join(" "),
        lookups.join(" "),
        auths.join(" "),
        routers.join(" "),
        transports.join(" "),
    );
    if build::WITH_CONTENT_SCAN {
        let _ = writeln!(s, "Malware: {}", crate::scan::malware::types().collect::<Vec<_>>().join(" "));
    }
    if !fixed.is_empty() {
        let _ = writeln!(s, "Fixed never_users: {}", fixed.join(":"));
    }
    let _ = writeln!(s, "Configure owner: {}:{}", owner.unwrap_or(0), group.unwrap_or(0));
    s.push_str("Size of off_t: 8\n");
    if all {
        let _ = writeln!(s, "Compiler: {}", build::COMPILER);
        for (name, compiled, running) in [
            ("OpenSSL", build::OPENSSL.to_string(), openssl::version::version().to_string()),
            ("PCRE2", "libpcre2-8".to_string(), crate::sys::pcre::version()),
            ("SQLite", "libsqlite3".to_string(), rusqlite::version().to_string()),
        ] {
            let lead = format!("Library version: {name}: ");
            let _ = write!(s, "{lead}Compile: {compiled}\n{:width$}Runtime: {running}\n", "", width = lead.len());
        }
        for (name, value) in
            [("WHITELIST_D_MACROS", build::WHITELIST_D_MACROS), ("TRUSTED_CONFIG_LIST", build::TRUSTED_CONFIG_LIST)]
        {
            if value.is_empty() {
                let _ = writeln!(s, "{name} unset");
            } else {
                let _ = writeln!(s, "{name}: \"{value}\"");
            }
        }
    }
    s
}

/// The last lines of `-bV`.
pub fn files(config: &Config, list: &[u8]) -> String {
    let mut s = String::new();
    if ids::items(list).len() > 1 {
        let _ = writeln!(s, "Configuration file search path is {}", list.as_bstr());
    }
    let _ = writeln!(s, "Configuration file is {}", config.file);
    s
}

/// What `exim` without arguments says.
pub const HELP: &str = "Exim is a Mail Transfer Agent. It is normally called by Mail User Agents,\n\
not directly from a shell command line. Options and/or arguments control\n\
what it does when called. For a list of options, see the Exim documentation.\n";

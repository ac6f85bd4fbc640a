//! The macros that are built into the program: `_HAVE_*`, `_LOG_*`, `_DRIVER_*`, `_OPT_*` (manual section 6.9).
//!
//! Made from the same tables that the reader uses, so they are never out of step. Longer names come before their
//! prefixes, as the replacement of macros needs it.

use bstr::BString;

use super::Macro;
use super::main_options::MainOptions;
use super::options::OptionSet;
use super::pending;
use crate::build_options as build;

/// Header fields that DKIM signs by default.
pub const DKIM_SIGN_HEADERS: &str = "From:Sender:Reply-To:Subject:Date:Message-ID:To:Cc:MIME-Version:Content-Type:\
Content-Transfer-Encoding:Content-ID:Content-Description:Resent-Date:Resent-From:Resent-Sender:Resent-To:Resent-Cc:\
Resent-Message-ID:In-Reply-To:References:List-Id:List-Help:List-Unsubscribe:List-Subscribe:List-Post:List-Owner:\
List-Archive";

/// What `_HAVE_*` says of this build.
fn have() -> Vec<&'static str> {
    let mut out = Vec::new();
    let tls = true; // there is no build without TLS
    for (name, on) in [
        ("CRYPTEQ", build::SUPPORT_CRYPTEQ),
        ("ICONV", build::HAVE_ICONV),
        ("IPV6", build::HAVE_IPV6),
        ("TLS", tls),
        ("OPENSSL", tls),
        ("TCP_FASTOPEN", true),
        ("TLS1_3", tls),
        ("TLS_OCSP", tls && !build::DISABLE_OCSP),
        ("TLS_OCSP_LIST", tls && !build::DISABLE_OCSP),
        ("TLS_CA_CACHE", tls),
        ("TLS_ALPN", tls),
        ("MOVE_FROZEN_MESSAGES", build::SUPPORT_MOVE_FROZEN_MESSAGES),
        ("TRANSLATE_IP_ADDRESS", build::SUPPORT_TRANSLATE_IP_ADDRESS),
        ("CONTENT_SCANNING", build::WITH_CONTENT_SCAN),
        ("BRIGHTMAIL", build::EXPERIMENTAL_BRIGHTMAIL),
        ("DCC", build::EXPERIMENTAL_DCC),
        ("PAM", build::SUPPORT_PAM),
        ("PERL", build::EXIM_PERL),
        ("RADIUS", !build::RADIUS_CONFIG_FILE.is_empty()),
        ("DKIM", !build::DISABLE_DKIM),
        ("DNSSEC", !build::DISABLE_DNSSEC),
        ("DNSSEC_VALIDATION", build::SUPPORT_DNSSEC_VALIDATION),
        ("EVENT", !build::DISABLE_EVENT),
        ("I18N", build::SUPPORT_I18N),
        ("OCSP", tls && !build::DISABLE_OCSP),
        ("PIPE_CONNECT", !build::DISABLE_PIPE_CONNECT),
        ("PRDR", !build::DISABLE_PRDR),
        ("PROXY", build::SUPPORT_PROXY),
        ("SOCKS", build::SUPPORT_SOCKS),
        ("NATIVE_SRS", build::SUPPORT_SRS),
        ("SRS", build::SUPPORT_SRS),
        ("SPF", build::SUPPORT_SPF),
        ("DMARC", build::SUPPORT_DMARC),
        ("ARC", build::EXPERIMENTAL_ARC),
        ("DOMAINKEYS", build::EXPERIMENTAL_DOMAINKEYS),
        ("SRS_ALT", build::EXPERIMENTAL_SRS_ALT),
        ("DANE", tls && build::SUPPORT_DANE),
        ("DSCP", build::SUPPORT_DSCP),
        ("DSN_INFO", build::EXPERIMENTAL_DSN_INFO),
        ("TLS_RESUME", tls && !build::DISABLE_TLS_RESUME),
        ("ESMTP_LIMITS", !build::DISABLE_ESMTP_LIMITS),
        ("WELLKNOWN", !build::DISABLE_WELLKNOWN),
        ("REQTLS", tls && build::EXPERIMENTAL_REQUIRETLS),
        ("XCLIENT", build::EXPERIMENTAL_XCLIENT),
        ("QUEUE_RAMP", !build::DISABLE_QUEUE_RAMP),
        ("SRV_SMTPS", build::EXPERIMENTAL_SRV_SMTPS),
        ("AUTH_GSASL_SCRAM_SHA_256", build::AUTH_GSASL),
        ("AUTH_GSASL_SCRAM_S_KEY", build::AUTH_GSASL),
        ("LOOKUP_LSEARCH", build::LOOKUP_LSEARCH),
        ("LOOKUP_CDB", build::LOOKUP_CDB),
        ("LOOKUP_DNSDB", build::LOOKUP_DNSDB),
        ("LOOKUP_DSEARCH", build::LOOKUP_DSEARCH),
        ("LOOKUP_DBM", build::LOOKUP_DBM),
        ("LOOKUP_LMDB", build::LOOKUP_LMDB),
        ("LOOKUP_JSON", build::LOOKUP_JSON),
        ("LOOKUP_LDAP", build::LOOKUP_LDAP),
        ("LOOKUP_MYSQL", build::LOOKUP_MYSQL),
        ("LOOKUP_NIS", build::LOOKUP_NIS),
        ("LOOKUP_PGSQL", build::LOOKUP_PGSQL),
        ("LOOKUP_PSL", build::LOOKUP_PSL),
        ("LOOKUP_REGDOM", build::LOOKUP_PSL),
        ("LOOKUP_PASSWD", build::LOOKUP_PASSWD),
        ("LOOKUP_REDIS", build::LOOKUP_REDIS),
        ("LOOKUP_SQLITE", build::LOOKUP_SQLITE),
        ("LOOKUP_TESTDB", build::LOOKUP_TESTDB),
        ("TRANSPORT_APPEND_MAILDIR", build::SUPPORT_MAILDIR),
        ("TRANSPORT_APPEND_MAILSTORE", build::SUPPORT_MAILSTORE),
        ("TRANSPORT_APPEND_MBX", build::SUPPORT_MBX),
        ("HINTS_SQLITE", build::USE_SQLITE),
    ] {
        if on {
            out.push(name);
        }
    }
    for (name, off) in [
        ("MALWARE_FPROTD", build::DISABLE_MAL_FFROTD),
        ("MALWARE_FPROT6D", build::DISABLE_MAL_FFROT6D),
        ("MALWARE_DRWEB", build::DISABLE_MAL_DRWEB),
        ("MALWARE_FSECURE", build::DISABLE_MAL_FSECURE),
        ("MALWARE_SOPHIE", build::DISABLE_MAL_SOPHIE),
        ("MALWARE_CLAMD", build::DISABLE_MAL_CLAM),
        ("MALWARE_AVAST", build::DISABLE_MAL_AVAST),
        ("MALWARE_SOCK", build::DISABLE_MAL_SOCK),
        ("MALWARE_CMDLINE", build::DISABLE_MAL_CMDLINE),
        ("MALWARE_AVE", build::DISABLE_MAL_AVE),
        ("MALWARE_KAV", build::DISABLE_MAL_KAV),
        ("MALWARE_MKSD", build::DISABLE_MAL_MKS),
    ] {
        if build::WITH_CONTENT_SCAN && !off {
            out.push(name);
        }
    }
    out.sort_unstable();
    out.reverse();
    out
}

struct Table(Vec<Macro>);

impl Table {
    fn add(&mut self, name: String, value: &str) {
        self.0.push(Macro { name: name.into(), value: value.into(), command_line: false, builtin: true });
    }

    /// `_OPT_...` for all options of a set that do something, last first. `kind` is empty for the main section.
    fn options(&mut self, prefix: &str, kind: &str, driver: &str, names: &[&'static str]) {
        let works = |n: &&str| {
            if kind.is_empty() { pending::main_works(n) } else { pending::driver_works(kind, driver, n) }
        };
        let mut names: Vec<&str> = names.iter().copied().filter(works).collect();
        names.sort_unstable();
        for n in names.iter().rev() {
            self.add(format!("{prefix}_{}", n.to_ascii_uppercase()), "y");
        }
    }
}

/// All of them, in the order in which `-bP macros` shows them.
pub fn macros() -> Vec<Macro> {
    let mut t = Table(Vec::with_capacity(800));
    if !build::DISABLE_DKIM {
        let over: Vec<String> = DKIM_SIGN_HEADERS.split(':').map(|h| format!("+{h}")).collect();
        t.add("_DKIM_OVERSIGN_HEADERS".into(), &over.join(":"));
        t.add("_DKIM_SIGN_HEADERS".into(), DKIM_SIGN_HEADERS);
    }
    for name in expansions() {
        t.add(format!("_EXP_{}", name.to_ascii_uppercase()), "y");
    }
    t.add("_RESUME_DECODE".into(), crate::config::RESUME_DECODE);
    for (_, name, _) in crate::log::selectors::SELECTORS.iter().rev() {
        if *name == "rejected_header" {
            t.add("_LOG_REJECTED_HEADERS".into(), "y");
        }
        t.add(format!("_LOG_{}", name.to_ascii_uppercase()), "y");
    }
    t.add("_LOG_ALL".into(), "y");
    for d in crate::auths::drivers().rev() {
        let up = d.name.to_ascii_uppercase();
        t.options(&format!("_OPT_AUTHENTICATOR_{up}"), "authenticator", d.name, (d.make)().names());
        t.add(format!("_DRIVER_AUTHENTICATOR_{up}"), "y");
    }
    t.options("_OPT_AUTHENTICATORS", "authenticator", "", &with_driver(crate::auths::options::AuthOptions::default().names()));
    for d in crate::routers::drivers() {
        let up = d.name.to_ascii_uppercase();
        t.options(&format!("_OPT_ROUTER_{up}"), "router", d.name, (d.make)().options().names());
        t.add(format!("_DRIVER_ROUTER_{up}"), "y");
    }
    t.options("_OPT_ROUTERS", "router", "", &with_driver(crate::routers::options::RouterOptions::default().names()));
    for d in crate::transports::DRIVERS {
        let up = d.name.to_ascii_uppercase();
        t.options(&format!("_OPT_TRANSPORT_{up}"), "transport", d.name, (d.make)().options().names());
        t.add(format!("_DRIVER_TRANSPORT_{up}"), "y");
    }
    t.options("_OPT_TRANSPORTS", "transport", "", &with_driver(crate::transports::options::TransportOptions::default().names()));
    t.options("_OPT_MAIN", "", "", MainOptions::default().names());
    // The values that openssl_options knows; the end keeps one name from being the beginning of another.
    for name in crate::tls_openssl::option_names() {
        t.add(format!("_OPT_OPENSSL_{}_X", name.to_ascii_uppercase()), "y");
    }
    t.add("_CRYPTO_HASH_SHA3".into(), "y");
    t.add("_CRYPTO_SIGN_ED25519".into(), "y");
    for name in have() {
        t.add(format!("_HAVE_{name}"), "y");
    }
    t.0
}

/// `VAR_...`, `OP_...`, `ITEM_...`, `COND_...`: each kind backwards, operators with an underscore in their names last.
fn expansions() -> Vec<String> {
    use crate::expand::{conditions, items, operators, variables};
    let backwards = |kind: &str, names: Vec<&'static str>| {
        let mut names = names;
        names.sort_unstable();
        names.into_iter().rev().map(|n| format!("{kind}_{n}")).collect::<Vec<_>>()
    };
    let (under, plain): (Vec<_>, Vec<_>) = operators::OPERATORS.iter().map(|o| o.name).partition(|n| n.contains('_'));
    let mut all = backwards("VAR", variables::groups().map(|v| v.name).collect());
    all.extend(backwards("OP", plain));
    all.extend(backwards("OP", under));
    all.extend(backwards("ITEM", items::ITEMS.iter().map(|i| i.name).collect()));
    let words = conditions::CONDITIONS.iter().map(|c| c.name).filter(|n| n.starts_with(|c: char| c.is_ascii_alphabetic()));
    all.extend(backwards("COND", words.collect()));
    all
}

fn with_driver(names: &[&'static str]) -> Vec<&'static str> {
    let mut all = names.to_vec();
    all.push("driver");
    all
}

/// A name and its value as `-bP macros` prints it.
pub fn shown(m: &Macro) -> BString {
    let mut s = m.name.clone();
    s.push(b'=');
    s.extend_from_slice(&m.value);
    s
}

//! Protocol versions, ciphers and the wording of TLS libraries.

use super::rule::Builder;

pub fn rules(b: &mut Builder) {
    b.first(r"^(\s+by \S+ with .* ) \(TLS1(?:\.[0-3])?\) tls TLS_.*?([^_]+)_WITH.*$", "${1}(TLS1.x:ke-${2}-AES256-SHAnnn:xxx)");
    b.first(r"^(\s+by \S+ with .* ) \(TLS1(?:\.[0-3])?\) tls TLS_.*$", "${1}(TLS1.x:ke-RSA-AES256-SHAnnn:xxx)");
    b.first(r" cipher_ TLS_.*?([^_]+)_WITH.*", " cipher_ TLS1.x:ke_${1}_WITH_ci_mac");
    b.first(r" cipher_ TLS_.*", " cipher_ TLS1.x:ke_RSA_WITH_ci_mac");
    b.all(r"((?:\b|\s)[(=]|\s)TLS1(?:\.[123])?:", "${1}TLS1.x:");
    ciphers(b, r"AES(?:128|256)", r"GCM-SHA256|GCM-SHA384|SHA", "128|256");
    b.all(r"TLS_AES(?:_256)?_GCM_SHA384([^:]|$)", "ke-RSA-AES256-SHAnnn${1}");
    b.all(r":TLS_AES(?:_256)?_GCM_SHA384:256(?::[^\s*]+)?", ":ke-RSA-AES256-SHAnnn:xxx");
    b.all(r"(^|[^-])AES256-GCM-SHA384", "${1}RSA-AES256-GCM-SHA384");
    b.all("AEAD-AES256-GCM-SHA384", "RSA-AES256-GCM-SHA384");
    ciphers(b, "AES256|CHACHA20", "GCM-SHA384|POLY1305", "256");
    b.all(r"\bDHE_RSA_AES_128_CBC_SHA1:128", "RSA-AES256-SHA1:256");
    gnutls_cipher(b);
    b.all(r"TLS1\.2:RSA__CAMELLIA_256_GCM(?:_SHA384)?:256", "TLS1.2:RSA_CAMELLIA_256_GCM-SHAnnn:256");
    b.all(r"\bECDHE-(RSA|ECDSA)-AES256-SHA\b", "ke-${1}-AES256-SHAnnn");
    b.all(r"\bDHE-RSA-AES256-SHA256\b", "ke--AES256-SHAnnn");
    b.first(r"(ver:    )TLS1(?:\.\d)?$", "${1}TLS1.x");
    b.first(r"\s\(TLS1(?:\.\d)?\)\s", " (TLS1.x) ");
    wording(b);
    b.first("RSA-SHA1", "RSA-SHA");
}

/// Ciphers by their OpenSSL names, alone or followed by strength and group. One that has been
/// replaced already looks like another, but for the `ke-` before it.
fn ciphers(b: &mut Builder, cipher: &str, mac: &str, strength: &str) {
    let more = format!(r"(?<more>:(?:{strength})(?::[^\s*]+)?)?(?<colon>:)?");
    b.all_with(&format!("(?<done>ke-)?(?:(?:EC)?DHE-)?(?<auth>RSA|ECDSA)-(?:{cipher})-(?:{mac}){more}"), |found| {
        let colon = found.name("colon");
        let auth = found.name("auth").map_or(&b""[..], |auth| auth.as_bytes());
        match found.name("more") {
            _ if found.name("done").is_some() => found[0].to_vec(),
            Some(_) => {
                let colon = colon.map_or(&b""[..], |colon| colon.as_bytes());
                [b"ke-", auth, b"-AES256-SHAnnn:xxx", colon].concat()
            }
            None if colon.is_some() => found[0].to_vec(),
            None => [b"ke-", auth, b"-AES256-SHAnnn"].concat(),
        }
    });
}

fn gnutls_cipher(b: &mut Builder) {
    b.all(
        r"TLS1\.[x0123](?:-PKIX)?:(?:(?:EC)?DHE(_PSK)?(?:_AUTH)?(?:_(?:SECP256R1|SECP521R1|X25519))?__?)?(?:(RSA|ECDSA)(?:_PSS_RSAE)?(?:_SHA(?:512|256))?__?)?(WITH_)?AES_(?:256|128)_(?:CBC|GCM)(?:__?AEAD)?(?:__?SHA(?:1|256|384))?:(?:256|128)(?::[^\s*]+)?",
        "TLS1.x:ke-${1}${2}${3}-AES256-SHAnnn:xxx",
    );
}

fn wording(b: &mut Builder) {
    b.all("No certificate was found|Certificate is required", "The peer did not send any certificate");
    b.all(
        r"\(gnutls_priority_set\): No or insufficient priorities were set",
        "(gnutls_handshake): Could not negotiate a supported cipher suite",
    );
    b.first(
        r"\(gnutls_handshake\): No supported cipher suites have been found\.",
        "(gnutls_handshake): Could not negotiate a supported cipher suite.",
    );
    b.all(
        r"TLS error on connection \(gnutls_handshake\): Error in the pull function\.",
        "a TLS session is required but an attempt to start TLS failed",
    );
    b.all(
        r"TLS error on connection to %IP4% \[%IP4%\] \(gnutls_handshake\): A TLS packet with unexpected length was received\.",
        "a TLS session is required for ip4.ip4.ip4.ip4 [ip4.ip4.ip4.ip4], but an attempt to start TLS failed",
    );
    b.all(
        r"(TLS error on connection from \[127\.0\.0\.1\] \(recv\)): A TLS packet with unexpected length was received\.",
        "${1}: The TLS connection was non-properly terminated.",
    );
}

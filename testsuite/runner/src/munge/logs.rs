//! Rules for the main, reject and panic logs and for message logs.

use super::dates::number;
use super::rule::{Builder, Verdict, splice};
use super::sequence::Counter;

pub fn rules(b: &mut Builder) {
    b.port(r"\b%ANYPORT%\b");
    b.only_on("listening for SMTP|and for SMTPS");
    b.port(r" I=\[[^\]]*\]:(?<port>1225|1226)");
    b.port(r"Received from .* I=\[[^\]]*\]:%PORT_D%");
    b.port(r" \[(?:127\.0\.0\.1|ip4\.ip4\.ip4\.ip4)\]:%ANYPORT% Connection refused");
    b.port(r"(?:=>|->|==) .*?(?:PRX=)?\[[^\]]*\]:(?<port>122[5-8])");
    b.port(r"\S\]:%PORT_S%");
    b.port("port <%PORT_S%");
    b.port("plp %PORT_D%");
    b.port(r"Expansion of .*received_port\}\{%PORT_D4%");
    b.call(r"(I=\[%IP%\]:)\d+", |found, line, _, cache| {
        let port = cache.replace(b"the port of an interface", "%", Counter::Port);
        splice(found, line, &[&found[1], &port].concat());
        Verdict::Keep
    });
    b.drop(" Berkeley DB error: ");
    b.drop(r"TLS error \(SSL_read\): .*unexpected eof while reading");
    b.drop("<dns:fail> <DNS_(?:NOMATCH|AGAIN):.*:AAAA>$");
    b.first(r#"(=>.* K (?:DKIM=\S+ )?C="250- )\d+( byte chunk, total )\d+"#, "${1}3nn${2}3nn");
    b.call(r"(DKIM: d=.* t=)(\d+) x=(\d+) \[", |found, line, _, _| {
        if let (Some(from), Some(to)) = (number(&found[2]), number(&found[3])) {
            let times = format!("T x=T+{} [", to - from);
            splice(found, line, &[&found[1], times.as_bytes()].concat());
        }
        Verdict::Keep
    });
    b.first(r"(DKIM: d=.* t=)\d+ \[", "${1}T [");
    b.first("(signer: .* bits:) 256", "${1} 253");
    b.first("(public key too short:) 256 bits", "${1} 253 bits");
    b.first(r"(R=\w+ T=\w+ defer )\([1-9]\d*\): ", "${1}(EEE): ");
    b.first("Arg list too long", "Argument list too long");
    wording(b);
}

fn wording(b: &mut Builder) {
    b.first(r"(session: )\((?:SSL_connect|gnutls_handshake)\): timed out", "${1}(tls lib connect fn): timed out");
    b.first(r"\((?:SSL_accept|gnutls_handshake)\): timed out", "(tls lib accept fn): timed out");
    b.first(
        r"\(gnutls_handshake\): The TLS connection was non-properly terminated\.",
        "(tls lib accept fn): TCP connection closed by peer",
    );
    b.first(r"\(SSL_accept\): TCP connection closed by peer", "(tls lib accept fn): TCP connection closed by peer");
    b.first(
        r"\((?:SSL_connect|gnutls_handshake)\): .*(?:no application protocol|No common application protocol).*",
        "(tls lib connect): error: <<ALPN>>",
    );
    b.first(r"(ARC: .*|arc.*)error:[0-9A-F]{8}:(?:PEM|DECODER) routines:.*", "${1}error:1E08010C:DECODER routines::unsupported");
    b.first(r"error:[0-9A-Fa-f]{8}(:system library:fopen:)", "error:xxxxxxxx${1}");
    b.first("(EVDATA: )\\(?SSL_accept\\)?: .*unexpected eof.*", "${1}SSL_accept: TCP connection closed by peer");
}

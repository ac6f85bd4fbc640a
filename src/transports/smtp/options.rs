//! The private options of the `smtp` driver (manual section 30.4). Only the table is here.

use crate::config::options::*;
use crate::options;

/// By default only one large provider is known to say in EHLO which of its machines can resume a session.
const HOST_NAME_EXTRACT: &str = r"${if and {{match{$host}{.outlook.com\$}} {match{$item}{\N^250-([\w.]+)\s\N}}} {$1}}";

options! {
    /// Private options of the `smtp` driver.
    pub struct SmtpOptions {
        /// Recipient 4xx retry key includes sender.
        address_retry_include_sender: bool = true,
        /// Do not refuse connecting to self.
        allow_localhost: bool = false,
        /// ARC signing spec: ADMD, selector, key, options.
        arc_sign: Str = Str::unset(),
        /// AUTH= value for MAIL.
        authenticated_sender: Str = Str::unset(),
        /// Send AUTH= even if unauthenticated.
        authenticated_sender_force: bool = false,
        /// Wait for a command response.
        command_timeout: Time = Time(300),
        /// Wait for TCP connect; 0 system default.
        connect_timeout: Time = Time(300),
        /// Messages sent over one connection.
        connection_max_messages: Int = Int(500),
        /// Cipher spec under DANE.
        dane_require_tls_ciphers: Str = Str::unset(),
        /// Wait per data block write.
        data_timeout: Time = Time(300),
        /// False: fail at once when all hosts past cutoff.
        delay_after_cutoff: bool = true,
        /// DomainKeys canonicalisation: simple or nofws.
        dk_canon: Str = Str::unset(),
        /// DomainKeys domain, in place of the sender's.
        dk_domain: Str = Str::unset(),
        /// Header lines to be signed, if not all.
        dk_headers: Str = Str::unset(),
        /// PEM key or file for DomainKeys; false-like values skip signing.
        dk_private_key: Str = Str::unset(),
        /// DomainKeys selector.
        dk_selector: Str = Str::unset(),
        /// True: defer if DomainKeys signing fails.
        dk_strict: Str = Str::unset(),
        /// Canonicalisation: relaxed or simple.
        dkim_canon: Str = Str::unset(),
        /// Signing domain(s).
        dkim_domain: Str = Str::unset(),
        /// Signature hash: sha256, sha512 or sha1.
        dkim_hash: Str = Str::fixed("sha256"),
        /// Value of i= tag.
        dkim_identity: Str = Str::unset(),
        /// PEM key or file; false-like values skip signing.
        dkim_private_key: Str = Str::unset(),
        /// Selector(s); one signature each.
        dkim_selector: Str = Str::unset(),
        /// Headers signed; + and = prefixes oversign.
        dkim_sign_headers: Str = Str::unset(),
        /// True: defer if signing fails.
        dkim_strict: Str = Str::unset(),
        /// Seconds until expiry; adds t= and x=.
        dkim_timestamps: Str = Str::unset(),
        /// RES_DEFNAMES for option hosts.
        dns_qualify_single: bool = true,
        /// RES_DNSRCH for option hosts.
        dns_search_parents: bool = false,
        /// Domains looked up with DNSSEC requested.
        dnssec_request_domains: Str = Str::fixed("*"),
        /// Domains whose lookups must be secure.
        dnssec_require_domains: Str = Str::unset(),
        /// DSCP marking name or number.
        dscp: Str = Str::unset(),
        /// Last-resort hosts.
        fallback_hosts: Str = Str::unset(),
        /// Wait for response to final dot.
        final_timeout: Time = Time(600),
        /// Resolve option hosts by system call.
        gethostbyname: bool = false,
        /// GnuTLS compatibility (documented; absent from source table).
        gnutls_compat_mode: bool = false,
        /// EHLO/HELO argument.
        helo_data: Str = Str::fixed("$primary_hostname"),
        /// Load-balancer backend name extraction for TLS resumption.
        host_name_extract: Str = Str::fixed(HOST_NAME_EXTRACT),
        /// Hosts used when router gives none.
        hosts: Str = Str::unset(),
        /// Servers given HELO only.
        hosts_avoid_esmtp: Str = Str::unset(),
        /// Servers not pipelined to.
        hosts_avoid_pipelining: Str = Str::unset(),
        /// Servers where STARTTLS is skipped.
        hosts_avoid_tls: Str = Str::unset(),
        /// IP addresses tried per delivery.
        hosts_max_try: Int = Int(5),
        /// Absolute IP try limit.
        hosts_max_try_hardlimit: Int = Int(50),
        /// Servers whose TLS session is closed, connection not passed.
        hosts_nopass_tls: Str = Str::unset(),
        /// Servers whose TLS session is not proxied onward.
        hosts_noproxy_tls: Str = Str::unset(),
        /// Option hosts replace routed hosts.
        hosts_override: bool = false,
        /// Servers for early pipelining.
        hosts_pipe_connect: Str = Str::unset(),
        /// Shuffle host list.
        hosts_randomize: ExpBool = ExpBool::fixed(false),
        /// Servers asked for stapled OCSP.
        hosts_request_ocsp: Str = Str::fixed("*"),
        /// Servers that must agree ALPN.
        hosts_require_alpn: Str = Str::unset(),
        /// Servers where authentication must succeed.
        hosts_require_auth: Str = Str::unset(),
        /// Servers for which DANE is mandatory.
        hosts_require_dane: Str = Str::unset(),
        /// Servers that must staple valid OCSP.
        hosts_require_ocsp: Str = Str::unset(),
        /// Servers needing TLS.
        hosts_require_tls: Str = Str::unset(),
        /// Servers where authentication is attempted.
        hosts_try_auth: Str = Str::unset(),
        /// Servers sent BDAT when offered.
        hosts_try_chunking: Str = Str::fixed("*"),
        /// Servers for which TLSA is looked up.
        hosts_try_dane: Str = Str::fixed("*"),
        /// Servers for TCP Fast Open.
        hosts_try_fastopen: Str = Str::fixed("*"),
        /// Servers for PRDR negotiation.
        hosts_try_prdr: Str = Str::fixed("*"),
        /// Servers where callouts skip STARTTLS.
        hosts_verify_avoid_tls: Str = Str::unset(),
        /// Source IP address(es).
        interface: Str = Str::unset(),
        /// Set SO_KEEPALIVE.
        keepalive: bool = true,
        /// Add IGNOREQUOTA in LMTP mode.
        lmtp_ignore_quota: bool = false,
        /// RCPT commands per transaction.
        max_rcpt: Str = Str::fixed("100"),
        /// Longer lines fail the delivery.
        message_linelength_limit: Int = Int(998),
        /// Mixed domains may share transaction.
        multi_domain: ExpBool = ExpBool::fixed(true),
        /// Destination port.
        port: Str = Str::unset(),
        /// smtp, smtps/submissions or lmtp.
        protocol: Str = Str::unset(),
        /// Host retry key includes IP.
        retry_include_ip_address: ExpBool = ExpBool::fixed(true),
        /// Servers allowed one connection at once.
        serialize_hosts: Str = Str::unset(),
        /// Slack added to SIZE=; negative disables.
        size_addition: Int = Int(1024),
        /// SOCKS5 proxy list.
        socks_proxy: Str = Str::unset(),
        /// ALPN name offered.
        tls_alpn: Str = Str::unset(),
        /// Client certificate file.
        tls_certificate: Str = Str::unset(),
        /// Revocation list.
        tls_crl: Str = Str::unset(),
        /// Smallest acceptable server DH prime.
        tls_dh_min_bits: Int = Int(1024),
        /// Client key file.
        tls_privatekey: Str = Str::unset(),
        /// Client cipher specification.
        tls_require_ciphers: Str = Str::unset(),
        /// Servers for session resumption.
        tls_resumption_hosts: Str = Str::unset(),
        /// SNI value sent.
        tls_sni: Str = Str::unset(),
        /// Retry in clear after TLS failure.
        tls_tempfail_tryclear: bool = true,
        /// Servers verified without enforcement.
        tls_try_verify_hosts: Str = Str::fixed("*"),
        /// Servers whose certificate name is checked.
        tls_verify_cert_hostnames: Str = Str::fixed("*"),
        /// Trust anchors.
        tls_verify_certificates: Str = Str::fixed("system"),
        /// Servers that must verify.
        tls_verify_hosts: Str = Str::unset(),
        /// 1 always, 0 never, -1 if needed.
        utf8_downconvert: Str = Str::fixed("-1"),
    }
}

//! What callers give: plain, already expanded values. Nothing here opens a file.

use std::path::PathBuf;
use std::time::Duration;

use super::hooks::HandshakeHooks;
use super::options::OpensslOptions;
use super::session::SavedSession;

/// How the peer's certificate is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VerifyMode {
    /// Not asked for (server), not checked (client).
    #[default]
    None,
    /// Checked, but failure is only noted.
    Try,
    /// Must be good.
    Require,
}

/// Value of `tls_verify_certificates`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum CertSource {
    /// Unset, empty, or forced to fail.
    #[default]
    None,
    /// The library's default places.
    System,
    /// A file or directory, in addition to the default places.
    Path(PathBuf),
}

impl CertSource {
    /// From the option's expanded value.
    pub fn from_option(value: &str) -> CertSource {
        match value.trim() {
            "" => CertSource::None,
            "system" | "system,cache" => CertSource::System,
            path => CertSource::Path(PathBuf::from(path)),
        }
    }
}

/// One file of `tls_ocsp_file`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OcspFile {
    /// PEM (else DER).
    pub pem: bool,
    pub path: PathBuf,
}

/// Items of the `tls_ocsp_file` list: a prefix `DER ` or `PEM ` holds for the following items too.
pub fn parse_ocsp_files<'a>(items: impl IntoIterator<Item = &'a str>) -> Vec<OcspFile> {
    let mut pem = false;
    items
        .into_iter()
        .map(|item| {
            let item = item.trim();
            let path = if let Some(rest) = item.strip_prefix("PEM ") {
                pem = true;
                rest
            } else if let Some(rest) = item.strip_prefix("DER ") {
                pem = false;
                rest
            } else {
                item
            };
            OcspFile { pem, path: PathBuf::from(path.trim()) }
        })
        .collect()
}

/// Parameters of a server context. Equal parameters share one context in [`super::ContextCache`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerParams {
    /// `tls_certificate`: PEM files with chains. Empty: a self-signed certificate is made.
    pub certificates: Vec<PathBuf>,
    /// `tls_privatekey`. Empty: the keys are in the certificate files.
    pub private_keys: Vec<PathBuf>,
    /// Common name of a self-signed certificate.
    pub self_signed_name: String,
    /// Its life (1 hour; 2 seconds under the test harness).
    pub self_signed_life: Duration,
    /// `tls_dhparam`; None or "" is the default group.
    pub dhparam: Option<String>,
    /// `tls_dh_max_bits`.
    pub dh_max_bits: u32,
    /// `tls_eccurve`, items already split from the list.
    pub eccurve: Vec<String>,
    /// `tls_require_ciphers`.
    pub ciphers: Option<String>,
    /// `openssl_options`, parsed.
    pub options: OpensslOptions,
    /// `tls_verify_certificates`.
    pub verify_certificates: CertSource,
    /// `tls_crl`: file or directory.
    pub crl: Option<PathBuf>,
    /// From `tls_verify_hosts` and `tls_try_verify_hosts`.
    pub verify: VerifyMode,
    /// `tls_ocsp_file`; the n-th goes with the n-th certificate.
    pub ocsp_files: Vec<OcspFile>,
    /// Serve proofs that are out of date or revoked (test harness only).
    pub ocsp_no_validity_check: bool,
    /// `tls_alpn`; empty: ALPN is not looked at.
    pub alpn: Vec<String>,
    /// `hosts_require_alpn` matched.
    pub alpn_required: bool,
    /// `tls_resumption_hosts` matched.
    pub resumption: bool,
    /// Lifetime of tickets (2 hours; 10 seconds under the test harness).
    pub session_lifetime: Duration,
}

impl Default for ServerParams {
    fn default() -> Self {
        ServerParams {
            certificates: Vec::new(),
            private_keys: Vec::new(),
            self_signed_name: String::new(),
            self_signed_life: Duration::from_secs(3600),
            dhparam: None,
            dh_max_bits: 2236,
            eccurve: vec!["auto".to_string()],
            ciphers: None,
            options: OpensslOptions::default(),
            verify_certificates: CertSource::System,
            crl: None,
            verify: VerifyMode::None,
            ocsp_files: Vec::new(),
            ocsp_no_validity_check: false,
            alpn: vec!["smtp".to_string(), "esmtp".to_string()],
            alpn_required: false,
            resumption: false,
            session_lifetime: Duration::from_secs(7200),
        }
    }
}

/// What belongs to one accepted connection only.
pub struct AcceptOptions<'a> {
    /// The client's address for log lines: `[1.2.3.4]` without the brackets.
    pub peer_address: String,
    /// Longest time for the whole handshake.
    pub timeout: Option<Duration>,
    /// Banner to send with the server's Finished (`tls_early_banner_hosts`), TLS 1.3 only.
    pub early_banner: Option<Vec<u8>>,
    /// The caller's part.
    pub hooks: &'a mut dyn HandshakeHooks,
}

/// Parameters of a client context; equal ones share a context in [`super::ContextCache`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientSetup {
    /// `tls_certificate` of the transport.
    pub certificate: Option<PathBuf>,
    /// `tls_privatekey`; None: in the certificate's file.
    pub private_key: Option<PathBuf>,
    /// `tls_require_ciphers` or `dane_require_tls_ciphers`.
    pub ciphers: Option<String>,
    /// `openssl_options`.
    pub options: OpensslOptions,
    /// `tls_verify_certificates`.
    pub verify_certificates: CertSource,
    /// `tls_crl`.
    pub crl: Option<PathBuf>,
    /// DANE will be used: CA options are not looked at.
    pub dane: bool,
    /// `tls_resumption_hosts` matched.
    pub resumption: bool,
}

/// Whether a stapled proof is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OcspWish {
    #[default]
    No,
    /// `hosts_request_ocsp`.
    Request,
    /// `hosts_require_ocsp`.
    Require,
}

/// One TLSA record as found in the DNS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsaRecord {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}

/// DANE for one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DaneParams {
    /// The host name the records were found under (TLSA base domain, A-labels); also the SNI.
    pub host: String,
    /// Further names the certificate may carry (the name before CNAMEs, the mail domain).
    pub extra_names: Vec<String>,
    pub records: Vec<TlsaRecord>,
}

/// What belongs to one outgoing connection only.
pub struct ClientParams<'a> {
    /// The server's address for log lines.
    pub peer_address: String,
    /// Longest time for the whole handshake.
    pub timeout: Option<Duration>,
    /// From `tls_verify_hosts` and `tls_try_verify_hosts`; with DANE always Require.
    pub verify: VerifyMode,
    /// Names to look for in the certificate (`tls_verify_cert_hostnames` matched); empty: none.
    pub verify_names: Vec<String>,
    /// `tls_sni` (not with DANE).
    pub sni: Option<String>,
    /// `tls_alpn`: protocols to offer.
    pub alpn: Vec<String>,
    /// `hosts_require_alpn` matched.
    pub alpn_required: bool,
    /// Stapled proof.
    pub ocsp: OcspWish,
    /// Accept proofs that are out of date (never set outside of the test harness).
    pub ocsp_no_validity_check: bool,
    /// `tls_dh_min_bits`.
    pub dh_min_bits: u32,
    pub dane: Option<DaneParams>,
    /// A session kept from before.
    pub session: Option<SavedSession>,
    /// The caller's part.
    pub hooks: &'a mut dyn HandshakeHooks,
}

impl<'a> ClientParams<'a> {
    /// Parameters with everything off but these.
    pub fn new(peer_address: impl Into<String>, hooks: &'a mut dyn HandshakeHooks) -> Self {
        ClientParams {
            peer_address: peer_address.into(),
            timeout: None,
            verify: VerifyMode::None,
            verify_names: Vec::new(),
            sni: None,
            alpn: Vec::new(),
            alpn_required: false,
            ocsp: OcspWish::No,
            ocsp_no_validity_check: false,
            dh_min_bits: 1024,
            dane: None,
            session: None,
            hooks,
        }
    }
}

//! What is known of an encrypted connection once it stands: the values behind the `tls_in_*` and
//! `tls_out_*` variables and the `X=`, `CV=`, `DN=`, `SNI=` log fields. Plain data; filled by
//! `accept` and `connect`.

use bstr::BString;
use openssl::ssl::SslRef;
use openssl::x509::X509VerifyResult;

use super::binding::ChannelBinding;
use super::certificate::Cert;
use super::connection::Connection;

/// `$tls_in_ocsp` and `$tls_out_ocsp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OcspState {
    /// 0: a proof was not asked for.
    #[default]
    NotRequested,
    /// 1: asked for, none given.
    NotResponded,
    /// 2: given, not verified.
    NotVerified,
    /// 3: given, verification failed.
    Failed,
    /// 4: given and good.
    Verified,
}

impl OcspState {
    /// The number in the variable.
    pub fn number(self) -> u8 {
        self as u8
    }

    pub(super) fn from_number(n: u8) -> OcspState {
        match n {
            1 => OcspState::NotResponded,
            2 => OcspState::NotVerified,
            3 => OcspState::Failed,
            4 => OcspState::Verified,
            _ => OcspState::NotRequested,
        }
    }
}

/// Bits of `$tls_in_resumption` and `$tls_out_resumption` (manual, section "TLS Resumption").
pub mod resume {
    /// Support is built in.
    pub const SUPPORTED: u8 = 1;
    /// The client asked for a ticket.
    pub const CLIENT_REQUEST: u8 = 2;
    /// The client offered a session.
    pub const CLIENT_OFFER: u8 = 4;
    /// The server issued a ticket.
    pub const SERVER_TICKET: u8 = 8;
    /// The session was resumed.
    pub const USED: u8 = 16;
}

/// The value of the builtin macro `_RESUME_DECODE`: a list whose n-th element names value n.
pub const RESUME_DECODE: &str = concat!(
    "not requested or offered : 0x02 :client requested, no server ticket",
    ": 0x04 : 0x05 : 0x06 :client offered session, no server action",
    ": 0x08 :no client request",
    ": 0x0A :client requested new ticket, server provided",
    ": 0x0C :client offered session, not used",
    ": 0x0E :client offered session, server only provided new ticket",
    ": 0x10 :session resumed unasked",
    ": 0x12 :session resumed unasked",
    ": 0x14 : 0x15 : 0x16 :session resumed",
    ": 0x18 :session resumed unasked",
    ": 0x1A :session resumed unasked",
    ": 0x1C :session resumed",
    ": 0x1E :session resumed, also new ticket",
);

/// Facts of one encrypted connection, or of a failed attempt as far as it got.
#[derive(Clone, Debug, Default)]
pub struct TlsFacts {
    /// Version, suite and bits: `TLS1.3:TLS_AES_256_GCM_SHA384:256` (`X=`, `$tls_*_cipher`).
    pub cipher: String,
    /// The suite's name in the RFCs (`$tls_*_cipher_std`).
    pub cipher_std: String,
    /// `TLS1.2`, `TLS1.3` (`$tls_*_ver`).
    pub version: String,
    /// Secret bits of the cipher (`$tls_*_bits`).
    pub bits: u32,
    /// Subject of the peer's certificate, `/C=UK/O=...` (`$tls_*_peerdn`); on failed verification
    /// it may be an element of the chain that is not the leaf. None: no certificate came.
    pub peer_dn: Option<BString>,
    /// The certificate we presented.
    pub our_cert: Option<Cert>,
    /// The certificate the peer presented.
    pub peer_cert: Option<Cert>,
    /// The peer's certificate was verified (by CA or DANE).
    pub verified: bool,
    /// Why not, when verification was tried and failed.
    pub verify_error: Option<String>,
    /// Verified by DANE (`$tls_out_dane`, `CV=dane`).
    pub dane: bool,
    /// Bit n: a TLSA record of usage n was found (`$tls_out_tlsa_usage`).
    pub tlsa_usage: u8,
    /// The name the client sent.
    pub sni: Option<BString>,
    /// State of the stapled proof.
    pub ocsp: OcspState,
    /// Resumption bits, see [`resume`].
    pub resumption: u8,
    /// The protocol agreed by ALPN.
    pub alpn: Option<BString>,
    /// For the authenticators.
    pub channel_binding: Option<ChannelBinding>,
    /// The early banner was sent inside the handshake (server).
    pub banner_sent: bool,
}

impl TlsFacts {
    /// The session was resumed (the `*` after `X=`).
    pub fn resumed(&self) -> bool {
        self.resumption & resume::USED != 0
    }

    /// What debug output says of the end of a handshake, line by line.
    pub fn lines(&self) -> Vec<String> {
        let mut out = Vec::new();
        if !self.cipher.is_empty() {
            out.push(format!("TLS cipher: {}", self.cipher));
        }
        if let Some(name) = &self.sni {
            out.push(format!("TLS SNI: {name}"));
        }
        if let Some(name) = &self.alpn {
            out.push(format!("TLS ALPN: {name}"));
        }
        match &self.peer_dn {
            Some(dn) => {
                let why = self.verify_error.as_ref().map_or(String::new(), |e| format!(" ({e})"));
                out.push(format!("TLS peer certificate: {dn}"));
                out.push(format!("TLS peer certificate verified: {}{why}", self.cv()));
            }
            None => out.push("TLS peer gave no certificate".into()),
        }
        out.push(format!("TLS certificate status (OCSP): {:?}", self.ocsp));
        out.push(format!("TLS session resumed: {}", if self.resumed() { "yes" } else { "no" }));
        out
    }

    /// The text after `CV=`.
    pub fn cv(&self) -> &'static str {
        match (self.verified, self.dane) {
            (true, true) => "dane",
            (true, false) => "yes",
            _ => "no",
        }
    }
}

impl TlsFacts {
    /// Everything the SSL object and the callbacks know.
    pub(super) fn gather(conn: &Connection, ssl: &SslRef) -> TlsFacts {
        let learned = conn.learned();
        let mut f = TlsFacts {
            resumption: learned.resumption,
            ocsp: learned.ocsp,
            sni: learned.sni.clone(),
            verified: learned.verified,
            verify_error: learned.verify_failed.clone(),
            ..TlsFacts::default()
        };
        if ssl.is_init_finished() {
            f.channel_binding = ChannelBinding::of(ssl);
            f.version = ssl.version_str().replacen("TLSv", "TLS", 1);
            if let Some(c) = ssl.current_cipher() {
                f.bits = u32::try_from(c.bits().secret).unwrap_or(0);
                f.cipher = format!("{}:{}:{}", f.version, c.name(), f.bits);
                f.cipher_std = c.standard_name().unwrap_or(c.name()).to_string();
            }
        }
        f.our_cert = ssl.certificate().map(|c| Cert::from(c.to_owned()));
        f.peer_cert = match (&learned.failing_cert, ssl.peer_certificate()) {
            (Some(bad), _) if ssl.verify_result() != X509VerifyResult::OK => Some(bad.clone()),
            (_, Some(leaf)) => Some(Cert::from(leaf)),
            (bad, None) => bad.clone(),
        };
        f.peer_dn = f.peer_cert.as_ref().map(|c| BString::from(c.subject_oneline()));
        f.alpn = ssl.selected_alpn_protocol().map(BString::from);
        f
    }
}

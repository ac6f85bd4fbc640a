//! Sessions that a client keeps for resumption, as bytes for the `tls` hints data base. The bytes
//! are not trusted when read: what does not parse or is too old is simply not used.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openssl::ssl::{SslSession, SslSessionRef};

use super::facts::OcspState;
use super::ffi;
use super::params::{ClientParams, ClientSetup};

/// Layout: magic, flags (1 verified, 2 by DANE), OCSP state, expiry (Unix seconds), DER.
const MAGIC: &[u8; 4] = b"OxS1";
const HEADER: usize = 4 + 1 + 1 + 8;
/// More than any session with a client certificate and a ticket needs.
const MAX: usize = 64 * 1024;

/// A session with what was established when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSession {
    pub(super) der: Vec<u8>,
    pub(super) verified: bool,
    pub(super) dane: bool,
    pub(super) ocsp: OcspState,
    pub(super) expires: u64,
}

impl SavedSession {
    /// From a session just given by the server; None when it cannot be resumed.
    pub(super) fn from_session(session: &SslSessionRef, verified: bool, dane: bool, ocsp: OcspState) -> Option<SavedSession> {
        if !ffi::session_resumable(session) {
            return None;
        }
        let made = u64::try_from(session.time()).ok()?;
        let own = u64::try_from(session.timeout()).ok()?;
        let life = match ffi::ticket_lifetime_hint(session) {
            0 => own,
            // RFC 8446 section 4.6.1: at most seven days, whatever the server says.
            hint => hint.min(7 * 86400),
        };
        let der = session.to_der().ok()?;
        if der.len() > MAX {
            return None;
        }
        Some(SavedSession { der, verified, dane, ocsp, expires: made.saturating_add(life) })
    }

    /// Bytes for the data base.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER + self.der.len());
        out.extend_from_slice(MAGIC);
        out.push(u8::from(self.verified) | (u8::from(self.dane) << 1));
        out.push(self.ocsp.number());
        out.extend_from_slice(&self.expires.to_be_bytes());
        out.extend_from_slice(&self.der);
        out
    }

    /// From the data base; None when malformed or expired (then the record should be deleted).
    pub fn from_bytes(bytes: &[u8]) -> Option<SavedSession> {
        let (head, der) = bytes.split_at_checked(HEADER)?;
        let (magic, rest) = head.split_at_checked(4)?;
        let (&flags, rest) = rest.split_first()?;
        let (&ocsp, expiry) = rest.split_first()?;
        let expires = u64::from_be_bytes(expiry.try_into().ok()?);
        if magic != MAGIC || der.is_empty() || der.len() > MAX {
            return None;
        }
        let saved = SavedSession {
            der: der.to_vec(),
            verified: flags & 1 != 0,
            dane: flags & 2 != 0,
            ocsp: OcspState::from_number(ocsp),
            expires,
        };
        (saved.remaining() > Duration::ZERO).then_some(saved)
    }

    /// Time for which it may still be used.
    pub fn remaining(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        Duration::from_secs(self.expires.saturating_sub(now))
    }

    pub(super) fn session(&self) -> Option<SslSession> {
        SslSession::from_der(&self.der).ok()
    }
}

impl ClientSetup {
    /// Key of the hints record for sessions with this server: 64 hex digits over the address, the
    /// port, `extra` (e.g. the name extracted by `host_name_extract`) and every parameter that
    /// matters for trust.
    pub fn session_key(&self, host: &str, port: u16, params: &ClientParams<'_>, extra: &str) -> String {
        let text = format!(
            "{host}\0{port}\0{}\0{extra}\0{self:?}\0{:?}\0{:?}\0{:?}\0{:?}\0{:?}",
            params.peer_address, params.verify, params.verify_names, params.sni, params.alpn, params.dane,
        );
        hex(&openssl::sha::sha256(text.as_bytes()))
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

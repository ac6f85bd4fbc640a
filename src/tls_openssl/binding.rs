//! Channel bindings: what both ends of one encrypted connection know and nobody between them can have on two
//! connections. Filled into [`super::TlsFacts`] when a handshake ends; used by the authenticators (SCRAM-...-PLUS).

use openssl::ssl::SslRef;

use super::ffi;

/// Which binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingKind {
    /// RFC 5929: the first Finished message (up to TLS 1.2).
    TlsUnique,
    /// RFC 9266: exported key material (TLS 1.3).
    TlsExporter,
}

impl BindingKind {
    /// The name registered with IANA, as SCRAM's gs2 header has it.
    pub fn name(self) -> &'static str {
        match self {
            BindingKind::TlsUnique => "tls-unique",
            BindingKind::TlsExporter => "tls-exporter",
        }
    }
}

/// A binding with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelBinding {
    pub kind: BindingKind,
    pub data: Vec<u8>,
}

impl ChannelBinding {
    /// The binding that fits the version in use. None for a session of TLS 1.2 that was resumed without an extended
    /// master secret: there `tls-unique` could be the same on two connections (the "triple handshake").
    pub(super) fn of(ssl: &SslRef) -> Option<ChannelBinding> {
        if ssl.version_str() == "TLSv1.3" {
            let mut data = vec![0u8; 32];
            ssl.export_keying_material(&mut data, "EXPORTER-Channel-Binding", Some(b"")).ok()?;
            return Some(ChannelBinding { kind: BindingKind::TlsExporter, data });
        }
        if ssl.session_reused() && !ffi::extended_master_secret(ssl) {
            return None;
        }
        // The first Finished is the client's, in a resumed session the server's.
        let ours_first = ssl.is_server() == ssl.session_reused();
        let mut buf = [0u8; 64];
        let n = if ours_first { ssl.finished(&mut buf) } else { ssl.peer_finished(&mut buf) };
        let data = buf.get(..n).filter(|b| !b.is_empty())?.to_vec();
        Some(ChannelBinding { kind: BindingKind::TlsUnique, data })
    }
}

//! REQUIRETLS (RFC 8689) as a client: what a message asks of the connection that it goes over, and whether a server gives
//! that.
//!
//! Called when a connection is set up, and before a kept one is used for another message. Failures end up in the addresses
//! as permanent ones when no further host is left.

use bstr::ByteSlice;

use super::features::Features;
use crate::context::{Context, HeaderKind, TlsFacts};
use crate::route::HostItem;

/// What a message asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing: the options decide.
    None,
    /// Verified TLS, and a server that promises the same for the next hop.
    Required,
    /// `TLS-Required: No`: a policy of the recipient's domain is not to hinder delivery.
    Relaxed,
}

/// The wish of the message in hand.
pub fn wish(ctx: &Context) -> Wish {
    if ctx.message.requiretls {
        return Wish::Required;
    }
    let mut fields = ctx.message.headers.iter().filter(|h| h.kind != HeaderKind::Old).filter_map(|h| {
        let (name, value) = h.text.split_once_str(":")?;
        name.trim_end().eq_ignore_ascii_case(b"TLS-Required").then_some(value.trim())
    });
    match (fields.next(), fields.next()) {
        // RFC 8689 section 5: more than one such field is no valid one.
        (Some(value), None) if value.eq_ignore_ascii_case(b"no") => Wish::Relaxed,
        _ => Wish::None,
    }
}

/// Why a host may not even be connected to: MX records that DNSSEC does not vouch for lead anywhere.
pub fn host_refusal(host: &HostItem) -> Option<String> {
    (host.mx >= 0 && host.dnssec != Some(true))
        .then(|| "REQUIRETLS is required, but the MX lookup that led to the server was not DNSSEC-secured".to_string())
}

/// Why a session does not do, after EHLO.
pub fn session_refusal(tls: Option<&TlsFacts>, offered: &Features) -> Option<&'static str> {
    match tls {
        None => Some("REQUIRETLS is required, but there is no TLS session with the server"),
        Some(t) if !t.certificate_verified => Some("REQUIRETLS is required, but the certificate of the server was not verified"),
        Some(_) if !offered.requiretls => Some("REQUIRETLS support is required from the server but it was not offered"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions() {
        let good = TlsFacts { certificate_verified: true, ..TlsFacts::default() };
        let offers = Features { requiretls: true, ..Features::default() };
        assert_eq!(session_refusal(Some(&good), &offers), None);
        assert!(session_refusal(None, &offers).is_some());
        assert!(session_refusal(Some(&TlsFacts::default()), &offers).is_some());
        assert!(session_refusal(Some(&good), &Features::default()).is_some());
    }

    #[test]
    fn hosts() {
        let host = |mx, dnssec| HostItem { mx, dnssec, ..HostItem::default() };
        assert_eq!(host_refusal(&host(-1, None)), None);
        assert_eq!(host_refusal(&host(10, Some(true))), None);
        assert!(host_refusal(&host(10, None)).is_some());
        assert!(host_refusal(&host(0, Some(false))).is_some());
    }
}

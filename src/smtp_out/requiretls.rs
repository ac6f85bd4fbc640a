//! REQUIRETLS (RFC 8689) as a client: what a message asks of the connection that it goes over, and whether a server gives
//! that.
//!
//! Called when a connection is set up, before a kept one is used for another message, and for what answers a message. Failures
//! end up in the addresses as permanent ones when no further host is left.

use bstr::ByteSlice;

use super::features::Features;
use crate::context::{Context, HeaderKind, TlsFacts};
use crate::retry::errors;
use crate::route::HostItem;

/// The header line that asks for less.
pub const RELAXED_LINE: &[u8] = b"TLS-Required: No\n";

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

/// What a host or a session lacks (RFC 8689, section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The MX records that led to the host are not secured by DNSSEC.
    SecureMx,
    /// There is no TLS.
    Tls,
    /// The server's certificate is not verified.
    Verification,
    /// The server does not promise to do the same.
    Promise,
}

impl Lack {
    /// For addresses and the log.
    pub fn text(self) -> &'static str {
        match self {
            Lack::SecureMx => "REQUIRETLS is required, but the MX lookup that led to the server was not DNSSEC-secured",
            Lack::Tls => "REQUIRETLS is required, but there is no TLS session with the server",
            Lack::Verification => "REQUIRETLS is required, but the certificate of the server was not verified",
            Lack::Promise => "REQUIRETLS support is required from the server but it was not offered",
        }
    }

    /// The number that the address gets; [`status`] makes the code of a bounce of it.
    pub fn errno(self) -> i32 {
        if self == Lack::Promise { errors::TLS_REQUIRED } else { errors::TLS_FAILURE }
    }
}

/// The status code that a bounce of a REQUIRETLS message has for such a failure.
pub fn status(errno: i32) -> Option<&'static str> {
    match errno {
        errors::TLS_REQUIRED => Some("5.7.30"),
        errors::TLS_FAILURE => Some("5.7.10"),
        _ => None,
    }
}

/// Why a host may not even be connected to: MX records that DNSSEC does not vouch for lead anywhere.
pub fn host_lacks(host: &HostItem) -> Option<Lack> {
    (host.mx >= 0 && host.dnssec != Some(true)).then_some(Lack::SecureMx)
}

/// Why a session does not do, after EHLO. A bounce goes to those who promise nothing, too: better than not at all (RFC
/// 8689, section 5).
pub fn session_lacks(ctx: &Context, tls: Option<&TlsFacts>, offered: &Features) -> Option<Lack> {
    let bounce = ctx.message.sender.as_deref().is_none_or(<[u8]>::is_empty);
    match tls {
        None => Some(Lack::Tls),
        Some(t) if !t.certificate_verified => Some(Lack::Verification),
        Some(_) if !offered.requiretls && !bounce => Some(Lack::Promise),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    #[test]
    fn sessions() {
        let good = TlsFacts { certificate_verified: true, ..TlsFacts::default() };
        let offers = Features { requiretls: true, ..Features::default() };
        let mut ctx = Context::for_tests(Default::default(), Default::default());
        ctx.message.sender = Some(Text::clean("a@b"));
        assert_eq!(session_lacks(&ctx, Some(&good), &offers), None);
        assert_eq!(session_lacks(&ctx, None, &offers), Some(Lack::Tls));
        assert_eq!(session_lacks(&ctx, Some(&TlsFacts::default()), &offers), Some(Lack::Verification));
        assert_eq!(session_lacks(&ctx, Some(&good), &Features::default()), Some(Lack::Promise));
        ctx.message.sender = Some(Text::new());
        assert_eq!(session_lacks(&ctx, Some(&good), &Features::default()), None);
        assert_eq!(session_lacks(&ctx, Some(&TlsFacts::default()), &Features::default()), Some(Lack::Verification));
    }

    #[test]
    fn hosts() {
        let host = |mx, dnssec| HostItem { mx, dnssec, ..HostItem::default() };
        assert_eq!(host_lacks(&host(-1, None)), None);
        assert_eq!(host_lacks(&host(10, Some(true))), None);
        assert!(host_lacks(&host(10, None)).is_some());
        assert!(host_lacks(&host(0, Some(false))).is_some());
    }

    #[test]
    fn codes() {
        assert_eq!(status(Lack::Promise.errno()), Some("5.7.30"));
        assert_eq!(status(Lack::Verification.errno()), Some("5.7.10"));
        assert_eq!(status(errors::DNS_DEFER), None);
    }
}

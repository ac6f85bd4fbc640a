//! ALPN (RFC 7301): the server's choice and the client's offer. Attackers make browsers talk to mail
//! servers (ALPACA); a client that offers a protocol of another service is refused.

use openssl::ssl::{AlpnError, SslContextBuilder, SslRef};

use super::connection;
use super::error::TlsError;

/// Length-prefixed form; None when a name is empty or longer than 255 bytes.
pub(super) fn wire(names: &[String]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for n in names {
        let len = u8::try_from(n.len()).ok().filter(|l| *l > 0)?;
        out.push(len);
        out.extend_from_slice(n.as_bytes());
    }
    Some(out)
}

/// Names in a length-prefixed list from the wire.
pub(super) fn names(mut list: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    while let Some((&len, rest)) = list.split_first() {
        let Some((name, tail)) = rest.split_at_checked(usize::from(len)) else { break };
        out.push(name);
        list = tail;
    }
    out
}

/// Install the server's choice. The client must offer just one name, and one of ours.
pub(super) fn install(ctx: &mut SslContextBuilder, ours: Vec<String>) {
    ctx.set_alpn_select_callback(move |ssl: &mut SslRef, list: &[u8]| choose(ssl, list, &ours));
}

fn choose<'a>(ssl: &SslRef, list: &'a [u8], ours: &[String]) -> Result<&'a [u8], AlpnError> {
    if ours.is_empty() {
        return Err(AlpnError::NOACK);
    }
    let offered = names(list);
    if let [only] = offered.as_slice()
        && ours.iter().any(|o| o.as_bytes() == *only)
    {
        return Ok(only);
    }
    if let Some(conn) = connection::of(ssl) {
        let shown: Vec<String> = offered.iter().take(20).map(|n| n.escape_ascii().to_string()).collect();
        conn.refuse(TlsError::Alpn(format!("Bad ALPN presented ({})", shown.join(":"))));
    }
    Err(AlpnError::ALERT_FATAL)
}

/// The rule of `hosts_require_alpn`, at both ends.
pub(super) fn not_negotiated() -> TlsError {
    TlsError::Alpn("ALPN required but not negotiated".to_string())
}

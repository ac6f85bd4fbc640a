//! RFC 1413: who the client host says is at the other end (`rfc1413_hosts`, `rfc1413_query_timeout`).

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bstr::ByteSlice;

use crate::context::Context;
use crate::log::debug;
use crate::matching::{self, Match};
use crate::sys::{fd, net};
use crate::text::Text;

/// Longer answers are no answers, longer names are cut.
const MAX_ANSWER: usize = 2048;
const MAX_NAME: usize = 127;

/// Asks, if the client is one of `rfc1413_hosts`; sets `$sender_ident`.
pub fn ident(ctx: &mut Context) {
    let main = ctx.config.main.clone();
    let wait = main.rfc1413_query_timeout.0;
    if wait <= 0 || ctx.session.host_ip.is_none() || ctx.session.host_port == 0 {
        return;
    }
    if matching::match_host_option(ctx, "rfc1413_hosts", &main.rfc1413_hosts) != Match::Yes {
        return;
    }
    debug!(ctx, IDENT, "doing ident callback");
    match ask(ctx, Duration::from_secs(wait.unsigned_abs())) {
        Ok(Some(name)) => {
            let name = crate::log::escape::printing(&name, ctx.config.main.print_topbitchars);
            debug!(ctx, IDENT, "sender_ident = {name}");
            ctx.session.ident = Some(Text::tainted(name));
        }
        Ok(None) => {}
        Err(text) => debug!(ctx, IDENT, "{text}"),
    }
}

fn ask(ctx: &Context, wait: Duration) -> Result<Option<Vec<u8>>, String> {
    let s = &ctx.session;
    let Some(peer) = s.host_ip else { return Ok(None) };
    let peer_text = peer.to_string();
    let failed = |e: std::io::Error| {
        if matches!(e.kind(), std::io::ErrorKind::TimedOut) {
            format!("ident connection to {peer_text} timed out")
        } else {
            format!("ident connection to {peer_text} failed: {}", crate::sys::error_text(&e))
        }
    };
    let family = if peer.is_ipv4() { net::Family::V4 } else { net::Family::V6 };
    let socket = net::tcp_socket(family).map_err(failed)?;
    let own = s.interface_address.as_ref().and_then(|a| a.to_str().ok()?.parse::<IpAddr>().ok());
    if let Some(own) = own {
        net::bind(socket.as_fd(), &SocketAddr::new(own, 0))
            .map_err(|e| format!("bind socket for ident failed: {}", crate::sys::error_text(&e)))?;
    }
    let deadline = Instant::now() + wait;
    let port = u16::try_from(ctx.config.main.rfc1413_port.0).map_err(|_| "bad rfc1413_port")?;
    net::connect(socket.as_fd(), &SocketAddr::new(peer, port), Some(wait)).map_err(failed)?;
    let question = format!("{} , {}\r\n", s.host_port, s.interface_port);
    fd::write_all_deadline(socket.as_fd(), question.as_bytes(), Some(deadline)).map_err(failed)?;
    let mut answer = Vec::new();
    let mut buf = [0u8; 256];
    while !answer.contains(&b'\n') && answer.len() < MAX_ANSWER {
        match fd::read_deadline(socket.as_fd(), &mut buf, Some(deadline)) {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(buf.get(..n).unwrap_or_default()),
            Err(e) => return Err(failed(e)),
        }
    }
    Ok(name_of(&answer, s.host_port, s.interface_port))
}

/// The name in `port , port : USERID : system : name`, if the ports are ours.
pub(crate) fn name_of(answer: &[u8], theirs: u16, ours: u16) -> Option<Vec<u8>> {
    // One that was cut off could name somebody else.
    let line = answer.get(..answer.find_byte(b'\n')?)?;
    let mut parts = line.splitn(4, |c| *c == b':');
    let ports = parts.next()?.to_str().ok()?;
    let (a, b) = ports.split_once(',')?;
    if a.trim().parse() != Ok(theirs) || b.trim().parse() != Ok(ours) {
        return None;
    }
    if parts.next()?.trim() != b"USERID" {
        return None;
    }
    parts.next()?;
    let name = parts.next()?.trim_start();
    let name = name.trim_end_with(|c| matches!(c, '\r' | '\n'));
    Some(name.get(..MAX_NAME).unwrap_or(name).to_vec()).filter(|n| !n.is_empty())
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn answers() {
        assert_eq!(name_of(b"6193, 23 : USERID : UNIX : stjohns\r\n", 6193, 23), Some(b"stjohns".to_vec()));
        assert_eq!(name_of(b"6193, 24 : USERID : UNIX : stjohns\r\n", 6193, 23), None);
        assert_eq!(name_of(b"6193, 23 : ERROR : NO-USER\r\n", 6193, 23), None);
        assert_eq!(name_of(b"6193,23:USERID:UNIX:stjohns", 6193, 23), None);
        assert_eq!(name_of(b"", 1, 2), None);
    }
}

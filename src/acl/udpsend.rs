//! `udpsend`: one datagram.

use std::net::{IpAddr, SocketAddr};

use bstr::{BString, ByteSlice};

use super::Verdict;
use super::messages::Messages;
use crate::context::Context;
use crate::dns::{ByName, Family};
use crate::log::hdebug;
use crate::parse::list;
use crate::sys::net;
use crate::text::Text;

/// Sends the datagram that the list `arg` (host, port, payload) describes. That it could not be sent is only noted.
pub fn obey(ctx: &mut Context, arg: &Text, m: &mut Messages) -> Verdict {
    match send(ctx, arg) {
        Ok(()) => Verdict::Ok,
        Err((text, verdict)) => {
            m.set_log(Text::clean(text));
            verdict
        }
    }
}

fn send(ctx: &mut Context, arg: &Text) -> Result<(), (String, Verdict)> {
    let error = |text: &str| (format!("{text} in \"udpsend\" modifier"), Verdict::Error);
    let mut items = list::items(arg);
    let host = items.next().ok_or_else(|| error("missing destination host"))?;
    let port = items.next().ok_or_else(|| error("missing destination port"))?;
    // What follows is sent as it is, separators and blanks too.
    let data = items.rest().ok_or_else(|| error("missing datagram payload"))?.as_bstr().to_owned();
    let port: u16 =
        port.to_str().ok().and_then(|p| p.parse().ok()).filter(|p| *p > 0).ok_or_else(|| error("bad destination port"))?;
    let ip = address(ctx, &host).ok_or_else(|| ("DNS lookup failed in \"udpsend\" modifier".to_string(), Verdict::Defer))?;
    hdebug!(ctx, ACL, "udpsend [{ip}]:{port} {data}");
    let family = if ip.is_ipv4() { net::Family::V4 } else { net::Family::V6 };
    let done = net::udp_socket(family).and_then(|fd| {
        use std::os::fd::AsFd as _;
        net::connect(fd.as_fd(), &SocketAddr::new(ip, port), None)?;
        net::send(fd.as_fd(), &data, false)
    });
    match done {
        Ok(n) if n < data.len() => Err((format!("\"udpsend\" truncated from {} to {n} octets", data.len()), Verdict::Defer)),
        Ok(n) => {
            hdebug!(ctx, ACL, "udpsend {n} bytes");
            Ok(())
        }
        Err(e) => Err((format!("\"udpsend\" failed: {}", crate::sys::error_text(&e)), Verdict::Defer)),
    }
}

fn address(ctx: &Context, host: &BString) -> Option<IpAddr> {
    if let Some(ip) = crate::route::hosts::literal(host) {
        return Some(ip);
    }
    [Family::V6, Family::V4].into_iter().find_map(|f| match ctx.services.dns.host_by_name(host, f) {
        ByName::Found { addresses, .. } => addresses.first().copied(),
        _ => None,
    })
}

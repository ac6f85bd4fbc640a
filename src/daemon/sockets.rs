//! The listening sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::interfaces::Endpoint;
use crate::config::values::show_time;
use crate::context::Context;
use crate::log::{self, Which};
use crate::sys::net::{self, Family};
use crate::sys::{fd, sockopt};

/// One of them.
#[derive(Debug)]
pub struct Listener {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// It takes IPv4 connections on an IPv6 socket too.
    pub both: bool,
    /// The socket, non-blocking.
    pub socket: OwnedFd,
}

/// Binds all; waits and tries again as `daemon_startup_retries` says while an address is in use.
pub fn bind_all(ctx: &Context, endpoints: &[Endpoint]) -> Result<Vec<Listener>, String> {
    let main = &ctx.config.main;
    let mut out: Vec<Listener> = Vec::new();
    for e in endpoints {
        if e.address.is_ipv6() && !net::family_available(Family::V6) {
            continue;
        }
        let mut left = main.daemon_startup_retries.0;
        loop {
            let error = match bind_one(ctx, e) {
                Ok(socket) => {
                    out.push(Listener { endpoint: *e, both: false, socket });
                    break;
                }
                Err(error) => error,
            };
            let shown = if e.address.is_unspecified() {
                format!("(any IPv{})", if e.address.is_ipv6() { 6 } else { 4 })
            } else {
                e.address.to_string()
            };
            let message =
                format!("socket bind() to port {} for address {shown} failed: {}", e.port, crate::sys::error_text(&error));
            if left <= 0 {
                return Err(format!("{message}: daemon abandoned"));
            }
            let wait = main.daemon_startup_sleep.0;
            let line = format!(
                "{message}: waiting {} before trying again ({left} more tr{})",
                show_time(wait),
                if left == 1 { "y" } else { "ies" }
            );
            log::write(ctx, None, Which::MAIN, line.as_bytes());
            left -= 1;
            std::thread::sleep(Duration::from_secs(u64::try_from(wait).unwrap_or(0)));
        }
    }
    Ok(out)
}

/// The listening socket that inetd gives us as standard input (`-bw`).
pub fn given(tls: bool) -> Result<Listener, String> {
    let failed = |e: io::Error| format!("standard input is no listening socket: {}", crate::sys::error_text(&e));
    let socket = fd::duplicate(fd::stdin()).map_err(failed)?;
    let address = net::local_address(socket.as_fd()).map_err(failed)?.ok_or("standard input is no internet socket")?;
    fd::set_nonblocking(socket.as_fd(), true).map_err(failed)?;
    let endpoint = Endpoint { address: address.ip().to_canonical(), port: address.port(), tls };
    Ok(Listener { endpoint, both: address.ip().is_ipv6(), socket })
}

fn bind_one(ctx: &Context, e: &Endpoint) -> io::Result<OwnedFd> {
    let family = match e.address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    };
    let socket = net::tcp_socket(family)?;
    if family == Family::V6 {
        sockopt::v6_only(socket.as_fd(), true)?;
    }
    sockopt::reuse_address(socket.as_fd(), true)?;
    if ctx.config.main.tcp_nodelay {
        let _ = sockopt::nodelay(socket.as_fd(), true);
    }
    net::bind(socket.as_fd(), &SocketAddr::new(e.address, e.port))?;
    let _ = sockopt::fast_open_server(socket.as_fd(), 5);
    net::listen(socket.as_fd(), i32::try_from(ctx.config.main.smtp_connect_backlog.0).unwrap_or(20))?;
    // Several workers wait on it; the one that comes too late must not hang in accept.
    fd::set_nonblocking(socket.as_fd(), true)?;
    Ok(socket)
}

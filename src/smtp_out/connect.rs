//! Making the TCP connection to a server: our own address, time limit, socket options, SOCKS.
//!
//! Options come already expanded. Nothing is read from or sent to the server (but for a proxy).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::client::say;
use super::socks::{self, Proxy};
use crate::context::Context;
use crate::log::{self, Which};
use crate::sys::net::{self, Family};
use crate::sys::sockopt;

/// With this `connect_timeout` in the test harness a refusal counts as a time-out.
const TEST_TIMEOUT: u64 = 999_999;

/// Where to.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// The server's name, for the trace.
    pub name: &'a [u8],
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
}

/// How.
#[derive(Clone, Debug, Default)]
pub struct How {
    /// `interface`
    pub interface: Option<IpAddr>,
    /// `connect_timeout`; `None`: the system's own.
    pub timeout: Option<Duration>,
    /// `keepalive`
    pub keepalive: bool,
    /// `dscp`: the TOS byte.
    pub tos: Option<u8>,
    /// `socks_proxy`: proxies to go through, one of them.
    pub proxies: Vec<Proxy>,
}

/// A connection.
#[derive(Debug)]
pub struct Connected {
    /// The socket.
    pub socket: OwnedFd,
    /// Our end.
    pub local: Option<SocketAddr>,
    /// Our end of the connection to the proxy, if there is one.
    pub proxy: Option<SocketAddr>,
}

/// Why there is none.
#[derive(Debug)]
pub enum ConnectError {
    /// The system's error; time-outs are ETIMEDOUT.
    System(io::Error),
    /// The proxy's.
    Proxy(String),
}

/// Connects.
pub fn connect(ctx: &Context, to: &Target<'_>, how: &How) -> Result<Connected, ConnectError> {
    use bstr::ByteSlice;
    let indent = " ".repeat(ctx.scratch.debug_level as usize);
    let via = how.interface.map_or(String::new(), |i| format!(" from {i}"));
    say(&ctx.run, format!("{indent}Connecting to {} [{}]:{}{via} ...", to.name.as_bstr(), to.ip, to.port));
    let result = attempt(ctx, to, how);
    match &result {
        Ok(_) => say(&ctx.run, format!("{indent}connected")),
        Err(ConnectError::System(e)) => say(&ctx.run, format!("{indent} sock_connect failed: {}", crate::sys::error_text(e))),
        Err(ConnectError::Proxy(e)) => say(&ctx.run, format!("{indent} {e}")),
    }
    result
}

fn attempt(ctx: &Context, to: &Target<'_>, how: &How) -> Result<Connected, ConnectError> {
    if !how.proxies.is_empty() {
        return socks::connect(ctx, to, how);
    }
    let address = SocketAddr::new(to.ip, to.port);
    let socket = prepared(ctx, to.ip, how).map_err(ConnectError::System)?;
    net::connect(socket.as_fd(), &address, how.timeout).map_err(|e| ConnectError::System(as_timeout(ctx, how, e)))?;
    let local = net::local_address(socket.as_fd()).ok().flatten();
    Ok(Connected { socket, local, proxy: None })
}

/// In the test harness a refusal may stand for a time-out.
fn as_timeout(ctx: &Context, how: &How, e: io::Error) -> io::Error {
    let marked = ctx.run.test_harness && how.timeout == Some(Duration::from_secs(TEST_TIMEOUT));
    if marked && e.raw_os_error() == Some(libc::ECONNREFUSED) {
        return io::Error::from_raw_os_error(libc::ETIMEDOUT);
    }
    if e.kind() == io::ErrorKind::TimedOut { io::Error::from_raw_os_error(libc::ETIMEDOUT) } else { e }
}

/// A socket with its options, bound to our address.
pub(super) fn prepared(ctx: &Context, ip: IpAddr, how: &How) -> io::Result<OwnedFd> {
    let socket = net::tcp_socket(Family::of(&ip))?;
    // Options that cannot be set are no reason not to connect.
    let _ = sockopt::nodelay(socket.as_fd(), true);
    if let Some(tos) = how.tos {
        let _ = sockopt::set_tos(socket.as_fd(), tos);
    }
    if let Some(own) = how.interface.filter(|i| i.is_ipv4() == ip.is_ipv4()) {
        net::bind(socket.as_fd(), &SocketAddr::new(own, 0)).inspect_err(|e| {
            log::write(ctx, None, Which::MAIN, format!("bind of [{own}]:0 failed").as_bytes());
            let indent = " ".repeat(ctx.scratch.debug_level as usize);
            let why = crate::sys::error_text(e);
            say(&ctx.run, format!("{indent}unable to bind outgoing SMTP call to {own}: {why}"));
        })?;
    }
    if how.keepalive {
        let _ = sockopt::keepalive(socket.as_fd(), true);
    }
    Ok(socket)
}

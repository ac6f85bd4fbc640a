//! Making the TCP connection to a server: our own address, time limit, socket options, SOCKS.
//!
//! Options come already expanded. Nothing is read from or sent to the server (but for a proxy).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::socks::{self, Proxy};
use bstr::ByteSlice;

use crate::context::Context;
use crate::expand::Template;
use crate::log::{self, Which};
use crate::sys::net::{self, Family};
use crate::sys::sockopt;
use crate::text::Text;

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
    /// `hosts_try_fastopen`, and who speaks first.
    pub fast_open: FastOpen,
    /// Raised as `tcp:connect` before each attempt; a text forbids it.
    pub event_action: Option<Template>,
}

/// Whether TCP Fast Open is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FastOpen {
    /// No.
    #[default]
    No,
    /// The server speaks first: it can do so one round trip earlier.
    Empty,
    /// We speak first, and it goes with the SYN.
    Data,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FastOpened {
    /// The connection was opened with a cookie.
    Empty,
    /// Data was sent so; whether the server took it is known later.
    Data,
}

/// The way over a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyEnds {
    /// The proxy's address, near us.
    pub near: SocketAddr,
    /// Where its connection to the server comes from.
    pub far: Option<SocketAddr>,
}

/// A connection.
#[derive(Debug)]
pub struct Connected {
    /// The socket.
    pub socket: OwnedFd,
    /// Our end.
    pub local: Option<SocketAddr>,
    /// The proxy, if there is one.
    pub proxy: Option<ProxyEnds>,
    /// TCP Fast Open was used.
    pub fast_open: Option<FastOpened>,
}

/// Why there is none.
#[derive(Debug)]
pub enum ConnectError {
    /// The system's error; time-outs are ETIMEDOUT.
    System(io::Error),
    /// The proxy's.
    Proxy(String),
    /// `event_action` forbade it, with this text.
    Event,
}

/// Connects.
pub fn connect(ctx: &mut Context, to: &Target<'_>, how: &How) -> Result<Connected, ConnectError> {
    if !how.proxies.is_empty() {
        return socks::connect(ctx, to, how);
    }
    event(ctx, how, None)?;
    let via = how.interface.map_or(String::new(), |i| format!(" from {i}"));
    say(ctx, format!("Connecting to {} [{}]:{}{via} ...", to.name.as_bstr(), to.ip, to.port));
    match attempt(ctx, &SocketAddr::new(to.ip, to.port), how, how.timeout) {
        Ok((socket, fast_open)) => {
            say(ctx, "connected");
            let local = net::local_address(socket.as_fd()).ok().flatten();
            Ok(Connected { socket, local, proxy: None, fast_open })
        }
        Err(e) => {
            let e = as_timeout(ctx, how, e);
            say(ctx, format!(" sock_connect failed: {}", crate::sys::error_text(&e)));
            Err(ConnectError::System(e))
        }
    }
}

/// Raises `tcp:connect`; of a proxy with the address of that.
pub(super) fn event(ctx: &mut Context, how: &How, proxy: Option<SocketAddr>) -> Result<(), ConnectError> {
    let Some(action) = &how.event_action else { return Ok(()) };
    let saved = (ctx.address.host_address.clone(), ctx.address.host_port);
    if let Some(p) = proxy {
        ctx.address.host_address = Some(Text::clean(p.ip().to_string()));
        ctx.address.host_port = p.port();
    }
    let said = crate::deliver::raise_event(ctx, Some(action), "tcp:connect", b"", 0);
    (ctx.address.host_address, ctx.address.host_port) = saved;
    if said.is_some() { Err(ConnectError::Event) } else { Ok(()) }
}

/// A line of the trace, as part of what is going on.
pub(super) fn say(ctx: &Context, text: impl AsRef<str>) {
    let indent = " ".repeat(ctx.scratch.debug_level as usize);
    super::client::say(&ctx.run, format!("{indent}{}", text.as_ref()));
}

/// One attempt at one address.
pub(super) fn attempt(
    ctx: &Context,
    address: &SocketAddr,
    how: &How,
    timeout: Option<Duration>,
) -> io::Result<(OwnedFd, Option<FastOpened>)> {
    let socket = prepared(ctx, address.ip(), how)?;
    let fast_open = match how.fast_open {
        FastOpen::No => {
            net::connect(socket.as_fd(), address, timeout)?;
            None
        }
        FastOpen::Empty => net::connect_fast_open(socket.as_fd(), address, timeout)?.then_some(FastOpened::Empty),
        FastOpen::Data => {
            // If there is a cookie for the host, this returns at once, and the first write makes the connection.
            let _ = sockopt::fast_open_connect(socket.as_fd(), true);
            net::connect(socket.as_fd(), address, timeout)?;
            Some(FastOpened::Data)
        }
    };
    Ok((socket, fast_open))
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
            say(ctx, format!("unable to bind outgoing SMTP call to {own}: {}", crate::sys::error_text(e)));
        })?;
    }
    if how.keepalive {
        let _ = sockopt::keepalive(socket.as_fd(), true);
    }
    Ok(socket)
}

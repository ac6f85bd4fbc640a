//! `readsock`: a request to a socket, and all that comes back. The `${readsocket}` item calls [`read`].

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use bstr::ByteSlice;

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;
use crate::sys::{fd, net, unix};
use crate::text::{Taint, Text};

/// The type; as a query it is `<socket>,<request>`.
pub struct Readsock;

impl Driver for Readsock {
    fn name(&self) -> &'static str {
        "readsock"
    }
    fn style(&self) -> Style {
        Style::Query
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(Open))
    }
    fn taint(&self) -> Taint {
        Taint::Tainted
    }
}

/// What the third argument of `${readsocket}` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// For connecting and for each read, 5 seconds.
    pub timeout: Duration,
    /// Shut the sending side down after the request.
    pub shutdown: bool,
    /// TLS.
    pub tls: bool,
    /// The result may be used again.
    pub cache: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { timeout: Duration::from_secs(5), shutdown: true, tls: false, cache: false }
    }
}

struct Open;

impl Handle for Open {
    fn find(&mut self, _: &mut Context, ask: &Ask<'_>) -> Answer {
        let (name, request) = ask.key.split_once_str(b",").unwrap_or((ask.key, b""));
        let mut options = Options::default();
        for o in ask.options {
            match o.as_slice() {
                b"shutdown=no" => options.shutdown = false,
                b"tls=yes" => options.tls = true,
                b"cache=yes" => options.cache = true,
                o => {
                    let time = o
                        .strip_prefix(b"timeout=")
                        .and_then(|t| t.to_str().ok())
                        .and_then(|t| t.trim_end_matches('s').parse().ok());
                    match time {
                        Some(t) => options.timeout = Duration::from_secs(t),
                        None => return Answer::Defer(format!("bad option for readsock: {}", o.as_bstr())),
                    }
                }
            }
        }
        match read(&Text::with_taint(name, ask.key.taint()), request, &options) {
            Ok(data) if options.cache => Answer::Found(data, Keep::Always),
            Ok(data) => Answer::Found(data, Keep::ForgetAll),
            Err(e) => Answer::Defer(e),
        }
    }
}

/// Connects to `/path` or `inet:host:port`, writes the request, reads to the end of file (at most 16 MiB).
/// The error is the message that the expansion fails with.
pub fn read(name: &Text, request: &[u8], options: &Options) -> Result<Vec<u8>, String> {
    if options.tls {
        return Err("tls for readsocket is not implemented".into());
    }
    let fd = connect(name, options.timeout)?;
    let deadline = |t| Some(Instant::now() + t);
    if !request.is_empty() {
        fd::write_all_deadline(fd.as_fd(), request, deadline(options.timeout))
            .map_err(|e| format!("request write to socket failed: {}", crate::sys::error_text(&e)))?;
    }
    if options.shutdown {
        // A peer that has closed already may still have left its answer.
        let _ = net::shutdown(fd.as_fd(), true);
    }
    let mut out = Vec::new();
    let mut buf = [0u8; 8192];
    loop {
        match fd::read_deadline(fd.as_fd(), &mut buf, deadline(options.timeout)) {
            Ok(0) => return Ok(out),
            Ok(n) => out.extend_from_slice(buf.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => return Err("socket read timed out".into()),
            Err(e) => return Err(format!("failed to read from socket: {}", crate::sys::error_text(&e))),
        }
        if out.len() > 16 << 20 {
            return Err("too much data from socket".into());
        }
    }
}

fn connect(name: &Text, timeout: Duration) -> Result<OwnedFd, String> {
    let failed = |e: &std::io::Error| match e.kind() {
        std::io::ErrorKind::TimedOut => "socket connect timed out".to_string(),
        _ => format!("failed to connect to socket {name}: {}", crate::sys::error_text(e)),
    };
    let Some(rest) = name.strip_prefix(b"inet:") else {
        if name.is_tainted() {
            return Err(format!("Tainted name '{name}' for socket not permitted"));
        }
        return unix::connect(unix::Kind::Stream, name, Some(timeout)).map_err(|e| failed(&e));
    };
    let (host, port) = rest.rsplit_once_str(b":").ok_or_else(|| format!("no port in socket name \"{name}\""))?;
    let host = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host);
    let number = port.to_str().ok().and_then(|p| p.parse::<u16>().ok());
    let port = number
        .or_else(|| crate::sys::addrinfo::service_port(port, "tcp"))
        .ok_or_else(|| format!("unknown port \"{}\"", port.as_bstr()))?;
    let addresses = match crate::matching::net::parse_ip(host) {
        Some(ip) => vec![ip],
        None => {
            crate::sys::addrinfo::by_name(host, None)
                .map_err(|_| format!("no IP address found for host {}", host.as_bstr()))?
                .addresses
        }
    };
    let mut last = format!("no IP address found for host {}", host.as_bstr());
    for ip in addresses {
        let address = SocketAddr::new(ip, port);
        let result = net::tcp_socket(net::Family::of(&ip)).and_then(|s| {
            net::connect(s.as_fd(), &address, Some(timeout))?;
            Ok(s)
        });
        match result {
            Ok(s) => return Ok(s),
            Err(e) => last = failed(&e),
        }
    }
    Err(last)
}

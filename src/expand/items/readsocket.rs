//! `readsocket`: a request to a Unix or TCP socket, and its answer.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use bstr::ByteSlice;

use super::ItemArgs;
use super::files::with_line_ends;
use crate::config::values::parse_interval;
use crate::context::Context;
use crate::dns::dial::{DialError, dial};
use crate::expand::eval::{MAX_RESULT, append, subs};
use crate::expand::{ExpandError, failed, forbid};
use crate::sys::{addrinfo, fd, net, unix};
use crate::text::Text;

/// What the third string of `${readsocket}` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// For connecting, and again for the answer.
    pub timeout: Duration,
    /// Shut the sending side down after the request.
    pub shutdown: bool,
    /// TLS.
    pub tls: bool,
    /// The name to ask for with TLS.
    pub sni: Option<Vec<u8>>,
    /// The answer may be used again.
    pub cache: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { timeout: Duration::from_secs(5), shutdown: true, tls: false, sni: None, cache: false }
    }
}

fn options(text: Option<&Text>) -> Result<Options, ExpandError> {
    let mut o = Options::default();
    let Some(text) = text else { return Ok(o) };
    for (n, item) in crate::parse::list::items(text).enumerate() {
        if n == 0 {
            match parse_interval(&item).and_then(|t| u64::try_from(t).ok()) {
                Some(t) => o.timeout = Duration::from_secs(t),
                None => return failed(format!("bad time value {item}")),
            }
            continue;
        }
        let (name, value) = item.split_once_str("=").unwrap_or((&item, b""));
        let yes = value == b"yes";
        match name {
            b"shutdown" => o.shutdown = value != b"no",
            b"tls" => o.tls = yes,
            b"sni" => o.sni = Some(value.to_vec()),
            b"cache" => o.cache = yes,
            // As with the reference, what it does not know changes nothing.
            _ => (),
        }
    }
    if o.tls {
        o.shutdown = false;
    }
    Ok(o)
}

/// `${readsocket}`
pub fn readsocket(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    if forbid::has(ctx, forbid::READSOCKET) {
        return failed("socket insertions are not permitted");
    }
    let strings = subs(ctx, args)?;
    let [place, request, ..] = strings.as_slice() else { return Ok(()) };
    let options = match (options(strings.get(2)), &args.each) {
        (Ok(o), _) => o,
        (Err(_), Some(otherwise)) => return append(ctx, otherwise, out),
        (Err(e), None) => return Err(e),
    };
    let key = [place.as_bytes(), b"\0", request.as_bytes(), b"\0", strings.get(2).map_or(&b""[..], |t| t.as_bytes())].concat();
    let cached = if options.cache { ctx.scratch.socket_cache.get(&key[..]).cloned() } else { None };
    let answer = match cached {
        Some(data) => Ok(data),
        None => exchange(ctx, place, request, &options),
    };
    match (answer, &args.each) {
        (Ok(data), _) => {
            if options.cache {
                ctx.scratch.socket_cache.insert(key.into(), data.clone());
            } else {
                // A request that may not be cached makes older results for the same connection doubtful.
                let prefix = [place.as_bytes(), b"\0"].concat();
                ctx.scratch.socket_cache.retain(|k, _| !k.starts_with(&prefix));
            }
            out.push_with(&with_line_ends(data, strings.get(3)), crate::text::Taint::Tainted);
            Ok(())
        }
        (Err(_), Some(otherwise)) => append(ctx, otherwise, out),
        (Err(e), None) => Err(e),
    }
}

/// Connects to `/path` or `inet:host:port`, sends the request, and reads to the end.
pub fn exchange(ctx: &mut Context, place: &Text, request: &[u8], options: &Options) -> Result<Vec<u8>, ExpandError> {
    let socket = match place.strip_prefix(b"inet:") {
        Some(target) => connect_inet(ctx, target, options.timeout)?,
        None => {
            if place.is_tainted() {
                return failed(format!("Tainted filename '{place}'"));
            }
            unix::connect(unix::Kind::Stream, place, Some(options.timeout))
                .or_else(|e| failed(format!("failed to connect to socket {place}: {}", crate::sys::error_text(&e))))?
        }
    };
    if options.tls {
        return tls_exchange(ctx, place, socket, request, options);
    }
    let deadline = Some(Instant::now() + options.timeout);
    if !request.is_empty() {
        fd::write_all_deadline(socket.as_fd(), request, deadline)
            .or_else(|e| failed(format!("request write to socket failed: {}", crate::sys::error_text(&e))))?;
    }
    if options.shutdown {
        // The server sees the end of the request; one that has gone already is noticed when reading.
        let _ = net::shutdown(socket.as_fd(), true);
    }
    let deadline = Some(Instant::now() + options.timeout);
    match fd::read_to_end_deadline(socket.as_fd(), MAX_RESULT, deadline) {
        Ok((data, false)) => Ok(data),
        Ok((_, true)) => failed("answer from socket is too long"),
        Err(e) if e.kind() == std::io::ErrorKind::TimedOut => failed("socket read timed out"),
        Err(e) => failed(format!("reading from socket failed: {}", crate::sys::error_text(&e))),
    }
}

/// The same over TLS; the certificate is not checked.
fn tls_exchange(ctx: &Context, place: &Text, socket: OwnedFd, request: &[u8], options: &Options) -> Result<Vec<u8>, ExpandError> {
    use crate::tls_openssl::{self as tls, StreamError};
    let setup = tls::ClientSetup::default();
    let context = ctx.services.tls.client(&setup).or_else(|e| failed(format!("TLS connect failed: {e}")))?;
    let mut hooks = tls::NoHooks;
    let mut params = tls::ClientParams::new(place.display(), &mut hooks);
    params.timeout = Some(options.timeout);
    params.sni = options.sni.as_ref().map(|s| String::from_utf8_lossy(s).into_owned());
    let mut stream = tls::connect(socket, &context, params).or_else(|e| failed(format!("TLS connect failed: {}", e.error)))?;
    if !request.is_empty() {
        stream
            .write_all_timed(request, Some(options.timeout))
            .or_else(|e| failed(format!("request write to socket failed: {e}")))?;
    }
    let end = Instant::now() + options.timeout;
    let mut data = Vec::new();
    let mut buf = [0u8; 8192];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match stream.read_some(&mut buf, Some(left)) {
            Ok(0) | Err(StreamError::Closed) => break,
            Ok(n) => data.extend_from_slice(buf.get(..n).unwrap_or_default()),
            Err(StreamError::TimedOut) => return failed("socket read timed out"),
            // Many servers close without the alert that should come first.
            Err(_) if !data.is_empty() => break,
            Err(e) => return failed(format!("reading from socket failed: {e}")),
        }
        if data.len() > MAX_RESULT {
            return failed("answer from socket is too long");
        }
    }
    stream.shutdown(None);
    Ok(data)
}

fn connect_inet(ctx: &mut Context, target: &[u8], timeout: Duration) -> Result<OwnedFd, ExpandError> {
    let shown = target.as_bstr();
    let Some((host, port)) = target.rsplit_once_str(":") else {
        return failed(format!("port number missing for readsocket: {shown}"));
    };
    let host = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host);
    let port = match port.to_str().ok().and_then(|p| p.parse::<u16>().ok()) {
        Some(p) => p,
        None => match addrinfo::service_port(port, "tcp") {
            Some(p) => p,
            None => return failed(format!("unknown port \"{}\"", port.as_bstr())),
        },
    };
    let shown = host.as_bstr();
    match dial(&ctx.services.dns, host, port..=port, timeout) {
        Ok((socket, _)) => Ok(socket),
        Err(DialError::NoAddress) => {
            let m = format!("no IP address found for host {shown}");
            crate::log::write(ctx, None, crate::log::Which::MAIN, m.as_bytes());
            failed(m)
        }
        Err(DialError::Failed(_, e)) => {
            failed(format!("failed to connect to any address for {shown}: {}", crate::sys::error_text(&e)))
        }
    }
}

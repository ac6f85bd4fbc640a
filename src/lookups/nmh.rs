//! `nmh`: a daemon that keeps sets of networks says whether an address is in one (experimental-spec, NMH lookup).
//!
//! One datagram there, `table NUL operation key`, one byte back: 0 absent, 1 in part, 2 wholly covered.

use std::io;
use std::net::UdpSocket;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};
use std::time::Duration;

use bstr::ByteSlice;

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;
use crate::log::{self, Which};

/// The type.
pub struct Nmh;

impl Driver for Nmh {
    fn name(&self) -> &'static str {
        "nmh"
    }
    fn style(&self) -> Style {
        Style::Key
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(Open { socket: None }))
    }
}

enum Socket {
    Unix(UnixDatagram),
    Udp(UdpSocket),
}

impl Socket {
    fn exchange(&self, data: &[u8], wait: Duration) -> io::Result<Vec<u8>> {
        let mut buf = [0u8; 16];
        let n = match self {
            Socket::Unix(s) => {
                s.set_read_timeout(Some(wait))?;
                s.send(data)?;
                s.recv(&mut buf)?
            }
            Socket::Udp(s) => {
                s.set_read_timeout(Some(wait))?;
                s.send(data)?;
                s.recv(&mut buf)?
            }
        };
        Ok(buf.get(..n).unwrap_or_default().to_vec())
    }
}

struct Open {
    // With the port that it was made for.
    socket: Option<(Option<u16>, Socket)>,
}

#[derive(Default)]
struct Wish {
    port: Option<u16>,
    wait: u64,
    table: Vec<u8>,
    operation: u8,
    partial: bool,
}

fn wish(ask: &Ask<'_>) -> Result<Wish, String> {
    let mut w = Wish { wait: 5, table: b"default".to_vec(), operation: b'?', ..Wish::default() };
    for option in ask.options {
        let number = |v: &[u8]| v.to_str().ok().and_then(|s| s.parse::<u64>().ok()).filter(|n| *n > 0);
        let bad = || format!("bad option for nmh: {}", option.as_bstr());
        if let Some(v) = option.strip_prefix(b"port=") {
            w.port = Some(number(v).and_then(|n| u16::try_from(n).ok()).ok_or_else(bad)?);
        } else if let Some(v) = option.strip_prefix(b"tmo=") {
            w.wait = number(v).ok_or_else(bad)?;
        } else if let Some(v) = option.strip_prefix(b"table=") {
            w.table = v.to_vec();
        } else {
            match option.as_slice() {
                b"add" => w.operation = b'+',
                b"sub" => w.operation = b'-',
                b"partial" => w.partial = true,
                b"unix" | b"udp" => {}
                _ => return Err(bad()),
            }
        }
    }
    Ok(w)
}

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        let wish = match wish(ask) {
            Ok(w) => w,
            Err(e) => return Answer::Defer(e),
        };
        let (port, socket) = match self.socket.take().filter(|(p, _)| *p == wish.port) {
            Some(s) => s,
            None => match connect(ask.file, wish.port) {
                Ok(s) => (wish.port, s),
                Err(e) => {
                    let reason = crate::sys::error_text(&e);
                    return Answer::Defer(format!("connect '{}': {reason}", ask.file.as_bstr()));
                }
            },
        };
        let request = [&wish.table[..], b"\0", &[wish.operation], ask.key].concat();
        let reply = socket.exchange(&request, Duration::from_secs(wish.wait));
        match reply {
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                let text = format!("nmh lookup: no reply from '{}'", ask.file.as_bstr());
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
                Answer::Defer(text)
            }
            Err(e) => Answer::Defer(format!("nmh '{}': {}", ask.file.as_bstr(), crate::sys::error_text(&e))),
            Ok(bytes) => {
                let answer = judge(&bytes, &wish);
                self.socket = Some((port, socket));
                answer
            }
        }
    }
}

fn judge(bytes: &[u8], wish: &Wish) -> Answer {
    let keep = if wish.operation == b'?' { Keep::Always } else { Keep::ForgetAll };
    match bytes {
        [0] => Answer::NotFound(keep),
        [1] if wish.partial => Answer::Found(b"yes".to_vec(), keep),
        [1] => Answer::NotFound(keep),
        [2] => Answer::Found(b"yes".to_vec(), keep),
        _ => Answer::Defer("nmh: reply not understood".into()),
    }
}

fn connect(server: &[u8], port: Option<u16>) -> io::Result<Socket> {
    if let Some(port) = port {
        let name = server.to_str().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let any = if name.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
        let s = UdpSocket::bind(any)?;
        s.connect((name, port))?;
        return Ok(Socket::Udp(s));
    }
    // A name of its own in the abstract space, so that there can be an answer.
    let mut random = [0u8; 12];
    openssl::rand::rand_bytes(&mut random).map_err(io::Error::other)?;
    let own = format!("exim-nmh-{}", data_encoding::HEXLOWER.encode(&random));
    let s = UnixDatagram::bind_addr(&UnixAddr::from_abstract_name(own.as_bytes())?)?;
    let address = match server.strip_prefix(b"@") {
        Some(name) => UnixAddr::from_abstract_name(name)?,
        None => UnixAddr::from_pathname(std::path::Path::new(server.to_os_str().map_err(io::Error::other)?))?,
    };
    s.connect_addr(&address)?;
    Ok(Socket::Unix(s))
}

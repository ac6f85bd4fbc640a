//! The `dovecot` authenticator (manual chapter 37): Dovecot's auth service carries the dialogue, over its client protocol
//! (doc.dovecot.org, "Authentication Protocol", version 1). Server side only.
//!
//! One connection for each authentication. What either side says is decoded and encoded again here, so that neither can
//! put fields or lines into the other's protocol.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use bstr::ByteSlice;

use super::options::AuthOptions;
use super::{AuthInstance, AuthResult, Authenticator, Proof, ServerDialogue, Sides, check};
use crate::config::options::*;
use crate::context::Context;
use crate::options;

options! {
    /// Private options of the `dovecot` driver.
    pub struct DovecotOptions {
        /// Auth socket path, or host and port.
        server_socket: Str = Str::unset(),
    }
}

/// How long the service may take for the handshake or for an answer; it waits two seconds after a failure.
const PATIENCE: Duration = Duration::from_secs(60);
const MAX_LINE: usize = 8192;
/// Lines before `DONE`, and of others' answers before ours.
const MAX_LINES: usize = 200;

impl Authenticator for DovecotOptions {
    fn init(&mut self, _: &AuthOptions) -> Result<Sides, String> {
        if let Some(socket) = self.server_socket.raw() {
            Place::parse(socket)?;
        }
        Ok(Sides { server: self.server_socket.is_set(), client: false })
    }

    fn server(
        &self,
        ctx: &mut Context,
        inst: &AuthInstance,
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<Proof, AuthResult> {
        let place = Place::parse(self.server_socket.raw().unwrap_or_default()).map_err(AuthResult::defer)?;
        let service = place.connect().map_err(|e| {
            let reason = crate::sys::error_text(&e);
            AuthResult::defer(format!("authentication socket connection error: {reason}"))
        })?;
        service.authenticate(ctx, &check::mechanism(inst), initial, wire).map(|()| Proof::Mechanism)
    }
}

fn protocol_error(line: &[u8]) -> AuthResult {
    let name = line.split(|c| *c == b'\t').next().unwrap_or_default();
    AuthResult::defer(format!("authentication socket protocol error: unexpected {:?}", name.as_bstr()))
}

/// What Dovecot is told of the connection.
fn parameters(ctx: &Context) -> Vec<u8> {
    let session = &ctx.session;
    let (remote, local) = (session.host_address.as_deref(), session.interface_address.as_deref());
    let encrypted = session.tls_in.cipher.is_some();
    let mut out = Vec::new();
    if encrypted || (remote.is_some() && remote == local) {
        out.extend_from_slice(b"secured\t");
    }
    if encrypted && session.tls_in.certificate_verified {
        out.extend_from_slice(b"valid-client-cert\t");
    }
    for (name, address) in [("rip", remote), ("lip", local)] {
        if let Some(a) = address {
            out.extend_from_slice(format!("{name}={}\t", a.as_bstr()).as_bytes());
        }
    }
    out.extend_from_slice(b"nologin");
    out
}

/// Where the service listens.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Unix(Vec<u8>),
    Inet(String, u16),
}

impl Place {
    fn parse(text: &[u8]) -> Result<Self, String> {
        if text.starts_with(b"/") {
            return Ok(Place::Unix(text.to_vec()));
        }
        let mut words = text.fields();
        let (host, port) = (words.next().and_then(|h| h.to_str().ok()), words.next().and_then(|p| p.to_str().ok()));
        match (host, port.and_then(|p| p.parse().ok()), words.next()) {
            (Some(host), Some(port), None) => Ok(Place::Inet(host.into(), port)),
            _ => Err(format!("server_socket must be the path of a socket, or a host and a port: \"{}\"", text.as_bstr())),
        }
    }

    fn connect(&self) -> std::io::Result<Service> {
        let limit = Some(PATIENCE);
        let stream: Box<dyn Stream> = match self {
            Place::Unix(path) => {
                Box::new(UnixStream::from(crate::sys::unix::connect(crate::sys::unix::Kind::Stream, path, limit)?))
            }
            Place::Inet(host, port) => {
                let mut last = std::io::ErrorKind::NotFound.into();
                let found = (host.as_str(), *port)
                    .to_socket_addrs()?
                    .find_map(|a| TcpStream::connect_timeout(&a, PATIENCE).map_err(|e| last = e).ok());
                Box::new(found.ok_or(last)?)
            }
        };
        Ok(Service { stream, input: Vec::new() })
    }
}

/// A socket whose waits are bounded.
trait Stream: Read + Write {
    fn limit(&self, time: Duration) -> std::io::Result<()>;
}

impl Stream for UnixStream {
    fn limit(&self, time: Duration) -> std::io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

impl Stream for TcpStream {
    fn limit(&self, time: Duration) -> std::io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

/// The connection to the service.
struct Service {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
}

impl Service {
    /// The dialogue up to Dovecot's consent, which sets `$auth1`.
    fn authenticate(
        mut self,
        ctx: &mut Context,
        mechanism: &[u8],
        initial: Option<Vec<u8>>,
        wire: &mut dyn ServerDialogue,
    ) -> Result<(), AuthResult> {
        self.handshake(mechanism)?;
        let mut request = [b"AUTH\t1\t".as_slice(), mechanism, b"\tservice=smtp\t"].concat();
        request.extend(parameters(ctx));
        if let Some(data) = initial {
            request.extend_from_slice(b"\tresp=");
            request.extend(check::encode(&data));
        }
        request.push(b'\n');
        self.send(&request)?;
        loop {
            let line = self.answer()?;
            match Answer::parse(&line).ok_or_else(|| protocol_error(&line))? {
                Answer::Continue(prompt) => {
                    let data = wire.challenge(ctx, &prompt)?;
                    self.send(&[b"CONT\t1\t", check::encode(&data).as_slice(), b"\n"].concat())?;
                }
                Answer::Ok { user } => {
                    check::add_variable(ctx, user.to_vec());
                    return Ok(());
                }
                Answer::Fail { user, temporary } => {
                    if let Some(user) = user {
                        check::add_variable(ctx, user.to_vec());
                    }
                    return Err(if temporary {
                        AuthResult::defer("temporary failure of the authentication service")
                    } else {
                        AuthResult::Fail(None)
                    });
                }
            }
        }
    }

    /// Reads what the service says of itself, and says who we are.
    fn handshake(&mut self, mechanism: &[u8]) -> Result<(), AuthResult> {
        let deadline = Instant::now() + PATIENCE;
        let mut offered = false;
        for _ in 0..MAX_LINES {
            let line = self.line(deadline)?;
            let mut fields = line.split(|c| *c == b'\t');
            match (fields.next().unwrap_or_default(), fields.next()) {
                (b"VERSION", Some(b"1")) => {}
                (b"VERSION", _) => return Err(AuthResult::defer("authentication socket protocol version mismatch")),
                (b"MECH", Some(name)) => offered |= name.eq_ignore_ascii_case(mechanism),
                (b"DONE", None) if offered => {
                    return self.send(format!("VERSION\t1\t0\nCPID\t{}\n", std::process::id()).as_bytes());
                }
                (b"DONE", None) => {
                    let name = mechanism.as_bstr();
                    return Err(AuthResult::defer(format!("the authentication service does not offer the mechanism \"{name}\"")));
                }
                // SPID, CUID, COOKIE and what later versions may add.
                _ => {}
            }
        }
        Err(AuthResult::defer("authentication socket protocol error: no end of the handshake"))
    }

    fn send(&mut self, data: &[u8]) -> Result<(), AuthResult> {
        let done = self.stream.limit(PATIENCE).and_then(|()| self.stream.write_all(data));
        done.map_err(|e| AuthResult::defer(format!("authentication socket write error: {}", crate::sys::error_text(&e))))
    }

    /// The next line about our request, without its end.
    fn answer(&mut self) -> Result<Vec<u8>, AuthResult> {
        let deadline = Instant::now() + PATIENCE;
        for _ in 0..MAX_LINES {
            let line = self.line(deadline)?;
            // Mechanisms may be announced again at any time.
            if line.split(|c| *c == b'\t').nth(1) == Some(b"1") {
                return Ok(line);
            }
        }
        Err(AuthResult::defer("authentication socket protocol error: no answer"))
    }

    fn line(&mut self, deadline: Instant) -> Result<Vec<u8>, AuthResult> {
        loop {
            if let Some(end) = self.input.find_byte(b'\n') {
                let mut line: Vec<u8> = self.input.drain(..=end).collect();
                line.pop();
                return Ok(line);
            }
            if self.input.len() > MAX_LINE {
                return Err(AuthResult::defer("authentication socket protocol error: line too long"));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let mut buf = [0; 1024];
            let got = if left.is_zero() {
                Err(std::io::ErrorKind::TimedOut.into())
            } else {
                self.stream.limit(left).and_then(|()| self.stream.read(&mut buf))
            };
            match got {
                Ok(n @ 1..) => self.input.extend_from_slice(buf.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                _ => return Err(AuthResult::defer("authentication socket read error or premature eof")),
            }
        }
    }
}

/// What the service says to our request.
#[derive(Debug, PartialEq, Eq)]
enum Answer<'a> {
    Continue(Vec<u8>),
    Ok { user: &'a [u8] },
    Fail { user: Option<&'a [u8]>, temporary: bool },
}

impl<'a> Answer<'a> {
    /// `None`: against the protocol, a success for nobody among it.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|c| *c == b'\t');
        let (command, _id) = (fields.next()?, fields.next()?);
        let user = |f: &'a [u8]| f.strip_prefix(b"user=").filter(|u| !u.is_empty());
        match command {
            b"CONT" => check::decode(fields.next().unwrap_or_default()).map(Answer::Continue),
            b"OK" => fields.find_map(user).map(|user| Answer::Ok { user }),
            b"FAIL" => {
                let temporary = fields.clone().any(|f| f == b"temp" || f == b"code=temp_fail");
                Some(Answer::Fail { user: fields.find_map(user), temporary })
            }
            _ => None,
        }
    }
}

/// A dialogue with a service that says this, for fuzzing.
#[cfg(feature = "fuzzing")]
pub fn fuzz(ctx: &mut Context, said: &[u8], wire: &mut dyn ServerDialogue) {
    let all = [b"VERSION\t1\t1\nMECH\tPLAIN\nDONE\n".as_slice(), said].concat();
    for text in [said, &all] {
        let Ok((stream, mut theirs)) = UnixStream::pair() else { return };
        let sent = theirs.write_all(text.get(..32 << 10).unwrap_or(text));
        if sent.and_then(|()| theirs.shutdown(std::net::Shutdown::Write)).is_ok() {
            let _ = Service { stream: Box::new(stream), input: Vec::new() }.authenticate(ctx, b"PLAIN", None, wire);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        assert_eq!(Answer::parse(b"OK\t1\tuser=me\tx=y"), Some(Answer::Ok { user: b"me" }));
        assert_eq!(Answer::parse(b"CONT\t1\tYQ=="), Some(Answer::Continue(b"a".to_vec())));
        assert_eq!(Answer::parse(b"CONT\t1"), Some(Answer::Continue(Vec::new())));
        assert_eq!(Answer::parse(b"FAIL\t1\tuser=u\ttemp"), Some(Answer::Fail { user: Some(b"u"), temporary: true }));
        assert_eq!(Answer::parse(b"FAIL\t1"), Some(Answer::Fail { user: None, temporary: false }));
        for bad in ["", "OK", "OK\t1", "OK\t1\tuser=", "OK\t1\tresp=x", "CONT\t1\t*", "NO\t1", "\t"] {
            assert_eq!(Answer::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn places() {
        assert_eq!(Place::parse(b"/run/x y").unwrap(), Place::Unix(b"/run/x y".to_vec()));
        assert_eq!(Place::parse(b"localhost  99").unwrap(), Place::Inet("localhost".into(), 99));
        for bad in ["", "host", "host 0x", "host 1 2", "host 70000"] {
            assert!(Place::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    fn service(text: &[u8]) -> Service {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(text).unwrap();
        Service { stream: Box::new(ours), input: Vec::new() }
    }

    #[test]
    fn handshakes() {
        let good = b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t7\nDONE\n";
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(good).unwrap();
        let mut s = Service { stream: Box::new(ours), input: Vec::new() };
        assert!(s.handshake(b"plain").is_ok());
        let bad: [&[u8]; 5] = [b"", b"VERSION\t2\t0\n", b"VERSION\t1\t1\nDONE\n", &[b'x'; 9000], b"MECH\tPLAIN\nDON"];
        for text in bad {
            assert!(matches!(service(text).handshake(b"PLAIN"), Err(AuthResult::Defer { .. })));
        }
    }
}

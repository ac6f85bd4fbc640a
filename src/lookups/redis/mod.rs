//! `redis`: commands to Redis servers (manual sections 9.22, 9.23 and 9.27), with a client of our own.
//!
//! The servers of `redis_servers`, or of the option `servers=`, are tried in order until one answers. A connection is kept
//! for the next lookup of the same process.

mod resp;

use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use super::kept::Kept;
use super::server_list::{self, Kind};
use crate::context::Context;
use resp::{Connection, Reply, Stream};

/// The type.
pub struct Redis;

const KIND: Kind = Kind { shown: "REDIS", option: "redis_servers", lookup: "redis" };
/// In a cluster, for one command.
const MAX_REDIRECTIONS: usize = 5;
const CONNECT: Duration = Duration::from_secs(5);

impl Driver for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }
    fn style(&self) -> Style {
        Style::Query
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(Open(Kept::new())))
    }
    fn quote(&self, text: &[u8], option: Option<&[u8]>) -> Option<Option<Vec<u8>>> {
        Some(option.is_none().then(|| super::quote::redis(text)))
    }
}

struct Open(Kept<Server, Connection>);

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        let known = ctx.config.main.redis_servers.raw().unwrap_or_default();
        let (servers, command) = match server_list::servers(KIND, known, ask) {
            Ok(found) => found,
            Err(e) => return Answer::Defer(e),
        };
        let words = words(command);
        if words.is_empty() {
            return Answer::Defer("REDIS: empty command".into());
        }
        let mut last = String::new();
        for server in servers {
            let server = match server.and_then(|s| Server::parse(&s)) {
                Ok(server) => server,
                Err(e) => return Answer::Defer(e),
            };
            let (place, result) = self.follow(server, &words);
            let text = match result {
                Ok(Reply::Error(text)) => text.to_string(),
                Ok(reply) => return answer(&reply),
                Err(text) => text,
            };
            last = format!("REDIS: {}: {text}", place.shown());
            // A command that is wrong is wrong everywhere; other members of a cluster may have the key.
            if text.starts_with("ERR ") || text.starts_with("WRONGTYPE ") {
                break;
            }
        }
        Answer::Defer(last)
    }
}

impl Open {
    /// Asks a server, and the members of its cluster to which it sends us; gives also the place of the last one.
    fn follow(&mut self, server: Server, words: &[Vec<u8>]) -> (Place, Result<Reply, String>) {
        let (mut next, mut asking) = (server, false);
        for _ in 0..=MAX_REDIRECTIONS {
            let place = next.place.clone();
            match self.ask(next.clone(), words, asking) {
                Ok(Reply::Error(text)) => match Redirection::read(&text) {
                    // An empty host is the one that says so.
                    Some(to) => {
                        let host = to.host.or(place.host()).unwrap_or_default();
                        next.place = Place::Inet(host, to.port);
                        asking = to.once;
                    }
                    None => return (place, Ok(Reply::Error(text))),
                },
                other => return (place, other),
            }
        }
        (next.place, Err("too many redirections in the cluster".into()))
    }

    fn ask(&mut self, server: Server, words: &[Vec<u8>], asking: bool) -> Result<Reply, String> {
        let mut connection = match self.0.take(&server).filter(Connection::is_idle) {
            Some(c) => c,
            None => server.connect()?,
        };
        if asking {
            connection.command(&[b"ASKING".to_vec()])?;
        }
        let reply = connection.command(words)?;
        self.0.put(server, connection);
        Ok(reply)
    }
}

/// `MOVED slot host:port`, and `ASK` likewise, which holds for one command only.
#[derive(Debug, PartialEq, Eq)]
struct Redirection {
    host: Option<String>,
    port: u16,
    once: bool,
}

impl Redirection {
    fn read(text: &[u8]) -> Option<Self> {
        let mut words = text.to_str().ok()?.split(' ');
        let once = match words.next()? {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        let (_slot, place) = (words.next()?.parse::<u16>().ok()?, words.next()?);
        let (host, port) = place.rsplit_once(':')?;
        let port = port.parse().ok().filter(|_| words.next().is_none())?;
        Some(Redirection { host: (!host.is_empty()).then(|| host.into()), port, once })
    }
}

fn answer(reply: &Reply) -> Answer {
    match reply {
        Reply::Nil => Answer::NotFound(Keep::Always),
        Reply::Array(items) if items.is_empty() => Answer::NotFound(Keep::Always),
        Reply::Bulk(_) | Reply::Array(_) => Answer::Found(reply.text(), Keep::Always),
        // Status and numbers answer updates, as a rule.
        Reply::Status(_) | Reply::Integer(_) | Reply::Error(_) => Answer::Found(reply.text(), Keep::ForgetAll),
    }
}

/// The words of a command: white space divides, a backslash takes the next character as it is.
fn words(command: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut chars = command.iter().copied();
    while let Some(c) = chars.next() {
        if crate::parse::is_space(c) {
            out.extend(word.take());
        } else {
            let c = if c == b'\\' { chars.next().unwrap_or(c) } else { c };
            word.get_or_insert_default().push(c);
        }
    }
    out.extend(word);
    out
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Unix(BString),
    Inet(String, u16),
}

impl Place {
    fn host(&self) -> Option<String> {
        match self {
            Place::Unix(_) => None,
            Place::Inet(host, _) => Some(host.clone()),
        }
    }

    fn shown(&self) -> String {
        match self {
            Place::Unix(path) => path.to_string(),
            Place::Inet(host, port) => format!("{host}:{port}"),
        }
    }
}

/// One item of `redis_servers`.
#[derive(Clone, PartialEq, Eq)]
struct Server {
    place: Place,
    base: BString,
    password: BString,
}

impl Server {
    /// `host[:port][/[base][/[password]]]`, or `(path)` for the host. A password may have slashes.
    fn parse(item: &[u8]) -> Result<Self, String> {
        const BAD: &str = "incomplete or wrong item in the servers of redis: host, base and password are wanted";
        let (place, rest) = match item.strip_prefix(b"(") {
            Some(path) => {
                let (path, rest) = path.split_once_str(b")").ok_or(BAD)?;
                (Place::Unix(path.into()), rest.strip_prefix(b"/").unwrap_or(rest))
            }
            None => {
                let (host, rest) = item.split_once_str(b"/").unwrap_or((item, b""));
                let host = host.to_str().map_err(|_| BAD)?;
                let (host, port) = host.split_once(':').unwrap_or((host, "6379"));
                (Place::Inet(host.into(), port.parse().map_err(|_| BAD)?), rest)
            }
        };
        let (base, password) = rest.split_once_str(b"/").unwrap_or((rest, b""));
        if matches!(&place, Place::Inet(host, _) if host.is_empty()) || !base.iter().all(u8::is_ascii_digit) {
            return Err(BAD.into());
        }
        Ok(Server { place, base: base.into(), password: password.into() })
    }

    fn connect(&self) -> Result<Connection, String> {
        let stream = self.socket().map_err(|e| format!("failed to connect: {}", crate::sys::error_text(&e)))?;
        let mut connection = Connection::new(stream);
        for (name, value) in [("AUTH", &self.password), ("SELECT", &self.base)] {
            if !value.is_empty()
                && let Reply::Error(e) = connection.command(&[name.into(), value.to_vec()])?
            {
                return Err(format!("{name} failed: {e}"));
            }
        }
        Ok(connection)
    }

    fn socket(&self) -> std::io::Result<Box<dyn Stream>> {
        match &self.place {
            Place::Unix(path) => {
                let fd = crate::sys::unix::connect(crate::sys::unix::Kind::Stream, path, Some(CONNECT))?;
                Ok(Box::new(UnixStream::from(fd)))
            }
            Place::Inet(host, port) => {
                let mut last = std::io::ErrorKind::NotFound.into();
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, CONNECT) {
                        Ok(s) => return Ok(Box::new(s)),
                        Err(e) => last = e,
                    }
                }
                Err(last)
            }
        }
    }
}

/// What a server says to one command, for fuzzing.
#[cfg(feature = "fuzzing")]
pub fn fuzz(data: &[u8]) {
    use std::io::Write;
    let Ok((ours, mut theirs)) = UnixStream::pair() else { return };
    let said = theirs.write_all(data.get(..64 << 10).unwrap_or(data)).and_then(|()| theirs.shutdown(std::net::Shutdown::Write));
    if said.is_ok()
        && let Ok(reply) = Connection::new(Box::new(ours)).command(&[b"GET".to_vec()])
    {
        assert!(reply.text().len() <= data.len() + 20);
        if let Reply::Error(text) = &reply {
            let _ = Redirection::read(text);
        }
    }
    let _ = Server::parse(data);
    assert!(words(&super::quote::redis(data)).len() <= 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        let split = |c: &[u8]| words(c).join(&b'|');
        assert_eq!(split(b" set a\\ b  c\\\\d\\"), b"set|a b|c\\d\\");
        assert_eq!(split(b"  "), b"");
        let hostile = b"a b\\\tc\r\nGET x";
        assert_eq!(words(&crate::lookups::quote::redis(hostile)), [hostile]);
    }

    #[test]
    fn redirections() {
        let r = |t: &str| Redirection::read(t.as_bytes());
        assert_eq!(r("MOVED 1 10.0.0.1:6380"), Some(Redirection { host: Some("10.0.0.1".into()), port: 6380, once: false }));
        assert_eq!(r("ASK 16383 ::1:1"), Some(Redirection { host: Some("::1".into()), port: 1, once: true }));
        assert_eq!(r("MOVED 1 :6380").unwrap().host, None);
        for bad in ["", "MOVED", "MOVED x h:1", "MOVED 1 h", "MOVED 1 h:x", "MOVED 1 h:1 x", "ERR x", "ASK 1 h:70000"] {
            assert_eq!(r(bad), None, "{bad}");
        }
    }

    #[test]
    fn items() {
        let s = Server::parse(b"127.0.0.1:99/3/pa/ss").unwrap();
        assert_eq!((s.place, s.base, s.password), (Place::Inet("127.0.0.1".into(), 99), "3".into(), "pa/ss".into()));
        let s = Server::parse(b"(/run/r.sock)/1/").unwrap();
        assert_eq!((s.place, s.base, s.password), (Place::Unix("/run/r.sock".into()), "1".into(), "".into()));
        assert_eq!(Server::parse(b"h").unwrap().place, Place::Inet("h".into(), 6379));
        for bad in ["", "(x", "h:x", "h/one", "/1/"] {
            assert!(Server::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

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
use crate::context::Context;
use crate::parse::list;
use resp::{Connection, Reply, Stream};

/// The type.
pub struct Redis;

const CONNECT: Duration = Duration::from_secs(5);

impl Driver for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }
    fn style(&self) -> Style {
        Style::Query
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(Open { process: std::process::id(), connections: Vec::new() }))
    }
    fn quote(&self, text: &[u8], option: Option<&[u8]>) -> Option<Option<Vec<u8>>> {
        Some(option.is_none().then(|| super::quote::redis(text)))
    }
}

struct Open {
    /// A child must not talk on its parent's connections.
    process: u32,
    connections: Vec<(Server, Connection)>,
}

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        let (servers, command) = match servers(ctx, ask) {
            Ok(found) => found,
            Err(e) => return Answer::Defer(e),
        };
        let words = words(command);
        if words.is_empty() {
            return Answer::Defer("REDIS: empty command".into());
        }
        if self.process != std::process::id() {
            self.connections.clear();
            self.process = std::process::id();
        }
        let mut last = "no REDIS servers defined (redis_servers option)".to_string();
        for server in servers {
            let (host, text) = match self.ask(server.clone(), &words) {
                Ok(Reply::Error(text)) => (server.place.shown(), text.to_string()),
                Ok(reply) => return answer(&reply),
                Err(text) => (server.place.shown(), text),
            };
            last = format!("REDIS: {host}: {text}");
            // A command that is wrong is wrong everywhere; other members of a cluster may have the key.
            if text.starts_with("ERR ") || text.starts_with("WRONGTYPE ") {
                break;
            }
        }
        Answer::Defer(last)
    }
}

impl Open {
    fn ask(&mut self, server: Server, words: &[Vec<u8>]) -> Result<Reply, String> {
        let kept = self.connections.iter().position(|(s, _)| *s == server).map(|at| self.connections.swap_remove(at).1);
        let mut connection = match kept.filter(Connection::is_idle) {
            Some(c) => c,
            None => server.connect()?,
        };
        let reply = connection.command(words)?;
        self.connections.push((server, connection));
        Ok(reply)
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

/// The servers to ask, and the command without the older way of naming them.
fn servers<'a>(ctx: &Context, ask: &Ask<'a>) -> Result<(Vec<Server>, &'a [u8]), String> {
    let known = ctx.config.main.redis_servers.raw().unwrap_or_default();
    let known = list::items(known).map(|i| Server::parse(&i)).collect::<Result<Vec<_>, _>>()?;
    if let Some(o) = ask.options.iter().find(|o| !o.starts_with(b"servers=")) {
        return Err(format!("bad option for redis: {}", o.as_bstr()));
    }
    let key: &[u8] = ask.key;
    let (wanted, command) = match (ask.value("servers"), key.strip_prefix(b"servers=")) {
        (Some(w), _) => (w, key),
        (None, Some(_)) if ask.key.is_tainted() => return Err("tainted server specification in a redis lookup".into()),
        (None, Some(rest)) => rest.split_once_str(b";").ok_or("missing ; after servers= in a redis lookup")?,
        (None, None) => return Ok((known, key)),
    };
    let mut out = Vec::new();
    for item in list::items(wanted) {
        let server = Server::parse(&item)?;
        if item.contains(&b'/') {
            out.push(server);
        } else {
            let of_same = known.iter().find(|k| k.place == server.place);
            let host = server.place.shown();
            out.push(of_same.cloned().ok_or_else(|| format!("no server (host {host}) found for the redis lookup"))?);
        }
    }
    Ok((out, command))
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

//! `mysql`: queries to MySQL and MariaDB servers (manual sections 9.22 to 9.24), through the field's own client library.
//!
//! The servers are tried in order until one answers. A connection is kept for the next lookup of the same process.

use std::time::Duration;

use bstr::ByteSlice;

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use super::server_list::{self, Kind, MAX_ANSWER, Server, host_and_port};
use crate::context::Context;
use crate::log;
use crate::sys::mysql::{self, Connection, Place};

/// The type.
pub struct Mysql;

const KIND: Kind = Kind { shown: "MySQL", option: "mysql_servers", lookup: "mysql" };
/// For connecting, and for each wait.
const PATIENCE: Duration = Duration::from_secs(30);

impl Driver for Mysql {
    fn name(&self) -> &'static str {
        "mysql"
    }
    fn style(&self) -> Style {
        Style::Query
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        mysql::available()?;
        Ok(Box::new(Open { connections: Vec::new() }))
    }
    fn quote(&self, text: &[u8], option: Option<&[u8]>) -> Option<Option<Vec<u8>>> {
        Some(option.is_none().then(|| super::quote::mysql(text)))
    }
    fn built_in(&self) -> bool {
        crate::build_options::LOOKUP_MYSQL
    }
    fn available(&self) -> bool {
        mysql::available().is_ok()
    }
}

struct Open {
    connections: Vec<(Place, Connection)>,
}

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        let known = ctx.config.main.mysql_servers.raw().unwrap_or_default();
        let (servers, query) = match server_list::servers(KIND, known, ask) {
            Ok(found) => found,
            Err(e) => return Answer::Defer(e),
        };
        let mut last = String::new();
        for server in servers {
            let place = match server.and_then(|s| Server::parse(KIND, &s)).and_then(|s| place(&s)) {
                Ok(place) => place,
                Err(e) => return Answer::Defer(e),
            };
            match self.ask(ctx, &place, query) {
                Ok(answer) => return answer,
                Err(e) => {
                    log::hdebug!(ctx, LOOKUP, "{e}");
                    last = e;
                }
            }
        }
        Answer::Defer(last)
    }
}

impl Open {
    fn ask(&mut self, ctx: &Context, place: &Place, query: &[u8]) -> Result<Answer, String> {
        self.connections.retain(|(_, c)| c.is_own());
        let kept = self.connections.iter().position(|(p, _)| p == place).map(|n| self.connections.swap_remove(n).1);
        let mut tried = kept.map(|mut c| (c.query(query, MAX_ANSWER), c));
        // One that was kept may have been closed by the server: that is no reason to give up.
        if tried.as_ref().is_none_or(|(r, _)| r.as_ref().is_err_and(|e| e.lost)) {
            log::hdebug!(
                ctx,
                LOOKUP,
                "MYSQL new connection: host={} port={} database={} user={}",
                place.host.as_bstr(),
                place.port,
                place.base.as_deref().unwrap_or_default().as_bstr(),
                place.user.as_bstr()
            );
            let mut c = Connection::open(place, PATIENCE).map_err(|e| format!("MYSQL connection failed: {e}"))?;
            tried = Some((c.query(query, MAX_ANSWER), c));
        }
        let Some((result, connection)) = tried else { return Err("MYSQL: no connection".into()) };
        let lost = result.as_ref().is_err_and(|e| e.lost);
        if !lost {
            self.connections.push((place.clone(), connection));
        }
        match result.map_err(|e| format!("MYSQL: query failed: {}", e.text))? {
            mysql::Answer::Changed(n) => Ok(Answer::Found(n.to_string().into_bytes(), Keep::ForgetAll)),
            mysql::Answer::Rows { names, rows } => {
                let values = rows.iter().map(|r| r.iter().map(|v| v.as_deref().unwrap_or(b"<NULL>")).collect());
                Ok(server_list::rows(&names, values)
                    .map_or(Answer::NotFound(Keep::Always), |data| Answer::Found(data, Keep::Always)))
            }
        }
    }
}

/// `host:port(socket)[group]`, each of which may be missing.
fn place(s: &Server) -> Result<Place, String> {
    let bad = || format!("bad MySQL server: {}", s.place);
    let bracketed = |text: Vec<u8>, open: u8, close: u8| -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let Some(at) = text.find_byte(open) else { return Some((text, None)) };
        let inner = text.get(at + 1..)?.strip_suffix(&[close])?.to_vec();
        Some((text.get(..at)?.to_vec(), Some(inner)))
    };
    let (rest, group) = bracketed(s.place.to_vec(), b'[', b']').ok_or_else(bad)?;
    let (rest, socket) = bracketed(rest, b'(', b')').ok_or_else(bad)?;
    let (host, port) = host_and_port(&rest).ok_or_else(bad)?;
    Ok(Place {
        host,
        port,
        socket: socket.filter(|s| !s.is_empty()),
        group: group.unwrap_or_else(|| b"exim".to_vec()),
        base: Some(s.base.to_vec()).filter(|b| !b.is_empty()),
        user: s.user.to_vec(),
        password: s.password.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let p = |t: &str| place(&Server { place: t.into(), ..Server::default() });
        let all = p("h:99(/run/s)[grp]").unwrap();
        assert_eq!(
            (&all.host[..], all.port, all.socket.as_deref(), &all.group[..]),
            (&b"h"[..], 99, Some(&b"/run/s"[..]), &b"grp"[..])
        );
        let none = p("").unwrap();
        assert_eq!((&none.host[..], none.port, none.socket, &none.group[..]), (&b""[..], 0, None, &b"exim"[..]));
        assert_eq!(p("(/run/s)").unwrap().socket.as_deref(), Some(&b"/run/s"[..]));
        for bad in ["h(x", "h[x", "h:x", "h[g](s)x"] {
            assert!(p(bad).is_err(), "{bad}");
        }
    }
}

//! `pgsql`: queries to PostgreSQL servers (manual sections 9.22, 9.23 and 9.25), through the field's own client library.
//!
//! The servers are tried in order until one answers. A connection is kept for the next lookup of the same process.

use std::time::Duration;

use bstr::ByteSlice;

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use super::server_list::{self, Kind, MAX_ANSWER, Server, host_and_port};
use crate::context::Context;
use crate::log;
use crate::sys::pgsql::{self, Connection};

/// The type.
pub struct Pgsql;

const KIND: Kind = Kind { shown: "PostgreSQL", option: "pgsql_servers", lookup: "pgsql" };
/// For connecting, and for a query.
const PATIENCE: Duration = Duration::from_secs(30);

impl Driver for Pgsql {
    fn name(&self) -> &'static str {
        "pgsql"
    }
    fn style(&self) -> Style {
        Style::Query
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        pgsql::available()?;
        Ok(Box::new(Open { connections: Vec::new() }))
    }
    fn quote(&self, text: &[u8], option: Option<&[u8]>) -> Option<Option<Vec<u8>>> {
        Some(option.is_none().then(|| super::quote::pgsql(text)))
    }
    fn built_in(&self) -> bool {
        crate::build_options::LOOKUP_PGSQL
    }
    fn available(&self) -> bool {
        pgsql::available().is_ok()
    }
}

type Parameters = Vec<(&'static str, Vec<u8>)>;

struct Open {
    connections: Vec<(Parameters, Connection)>,
}

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        let known = ctx.config.main.pgsql_servers.raw().unwrap_or_default();
        let (servers, query) = match server_list::servers(KIND, known, ask) {
            Ok(found) => found,
            Err(e) => return Answer::Defer(e),
        };
        let mut last = String::new();
        for server in servers {
            let place = match server.and_then(|s| Server::parse(KIND, &s)).and_then(|s| parameters(&s)) {
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
    fn ask(&mut self, ctx: &Context, place: &Parameters, query: &[u8]) -> Result<Answer, String> {
        self.connections.retain(|(_, c)| c.is_own());
        let kept = self.connections.iter().position(|(p, _)| p == place).map(|n| self.connections.swap_remove(n).1);
        let mut tried = kept.map(|mut c| (c.query(query, MAX_ANSWER, PATIENCE), c));
        // One that was kept may have been closed by the server: that is no reason to give up.
        if tried.as_ref().is_none_or(|(r, _)| r.as_ref().is_err_and(|e| e.lost)) {
            let shown: Vec<_> =
                place.iter().filter(|(n, _)| *n != "password").map(|(n, v)| format!("{n}={}", v.as_bstr())).collect();
            log::hdebug!(ctx, LOOKUP, "PGSQL new connection: {}", shown.join(" "));
            let mut c = Connection::open(place, PATIENCE).map_err(|e| format!("PGSQL connection failed: {e}"))?;
            tried = Some((c.query(query, MAX_ANSWER, PATIENCE), c));
        }
        let Some((result, connection)) = tried else { return Err("PGSQL: no connection".into()) };
        let lost = result.as_ref().is_err_and(|e| e.lost);
        if !lost {
            self.connections.push((place.clone(), connection));
        }
        match result.map_err(|e| format!("PGSQL: query failed: {}", e.text))? {
            pgsql::Answer::Changed(n) => Ok(Answer::Found(n, Keep::ForgetAll)),
            pgsql::Answer::Empty => Ok(Answer::NotFound(Keep::ForgetAll)),
            pgsql::Answer::Rows { names, rows } => {
                let values = rows.iter().map(|r| r.iter().map(Vec::as_slice).collect());
                Ok(server_list::rows(&names, values)
                    .map_or(Answer::NotFound(Keep::Always), |data| Answer::Found(data, Keep::Always)))
            }
        }
    }
}

/// `host:port`, or `(socket)`: the library wants the socket's directory, and its number as a port.
fn parameters(s: &Server) -> Result<Parameters, String> {
    let bad = || format!("PGSQL invalid filename for socket: {}", s.place);
    let mut out: Parameters = Vec::new();
    if let Some(socket) = s.place.strip_prefix(b"(") {
        let (directory, name) = socket.strip_suffix(b")").and_then(|p| p.rsplit_once_str(b"/")).ok_or_else(bad)?;
        let number = name.strip_prefix(b".s.PGSQL.").ok_or_else(bad)?;
        out.push(("host", directory.to_vec()));
        out.push(("port", number.to_vec()));
    } else {
        let (host, port) = host_and_port(&s.place).ok_or_else(|| format!("bad PostgreSQL server: {}", s.place))?;
        out.push(("host", host));
        if port != 0 {
            out.push(("port", port.to_string().into_bytes()));
        }
    }
    out.push(("dbname", s.base.to_vec()));
    out.push(("user", s.user.to_vec()));
    out.push(("password", s.password.to_vec()));
    out.retain(|(_, v)| !v.is_empty());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let p = |t: &str| parameters(&Server { place: t.into(), ..Server::default() });
        assert_eq!(p("h:99").unwrap(), [("host", b"h".to_vec()), ("port", b"99".to_vec())]);
        assert_eq!(p("(/run/.s.PGSQL.5433)").unwrap(), [("host", b"/run".to_vec()), ("port", b"5433".to_vec())]);
        assert_eq!(p("").unwrap(), []);
        for bad in ["(", "()", "(/run/x)", "(/run/.s.PGSQL.1", "h:x"] {
            assert!(p(bad).is_err(), "{bad}");
        }
    }
}

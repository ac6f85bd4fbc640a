//! `pgsql`: queries to PostgreSQL servers (manual sections 9.22, 9.23 and 9.25), through the field's own client library.
//!
//! Here is what is this library's own; `sql` has the rest.

use std::time::Duration;

use bstr::ByteSlice;

use super::driver::{Answer, Driver, Handle, Keep, Style};
use super::server_list::{Kind, MAX_ANSWER, host_and_port};
use super::sql::{self, Failure, Server, Sql};
use crate::config::options::Str;
use crate::context::Context;
use crate::sys::pgsql::{self, Connection};

/// The type.
pub struct Pgsql;

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
        Ok(Box::new(sql::Open::<Pgsql>::new()))
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

impl Sql for Pgsql {
    type Place = Parameters;
    type Connection = Connection;
    const KIND: Kind = Kind { shown: "PostgreSQL", option: "pgsql_servers", lookup: "pgsql" };

    fn known(ctx: &Context) -> &Str {
        &ctx.config.main.pgsql_servers
    }
    fn place(server: &Server) -> Result<Self::Place, String> {
        parameters(server)
    }
    fn shown(place: &Parameters) -> String {
        let shown = place.iter().filter(|(n, _)| *n != "password").map(|(n, v)| format!("{n}={}", v.as_bstr()));
        shown.collect::<Vec<_>>().join(" ")
    }
    fn connect(place: &Parameters) -> Result<Connection, String> {
        Connection::open(place, PATIENCE)
    }
    fn query(connection: &mut Connection, query: &[u8]) -> Result<Answer, Failure> {
        match connection.query(query, MAX_ANSWER, PATIENCE).map_err(|e| Failure { text: e.text, lost: e.lost })? {
            pgsql::Answer::Changed(n) => Ok(Answer::Found(n, Keep::ForgetAll)),
            pgsql::Answer::Empty => Ok(Answer::NotFound(Keep::ForgetAll)),
            pgsql::Answer::Rows { names, rows } => {
                let values = rows.iter().map(|r| r.iter().map(Vec::as_slice).collect());
                Ok(sql::rows(&names, values))
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

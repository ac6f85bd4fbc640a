//! `mysql`: queries to MySQL and MariaDB servers (manual sections 9.22 to 9.24), through the field's own client library.
//!
//! Here is what is this library's own; `sql` has the rest.

use std::time::Duration;

use bstr::ByteSlice;

use super::driver::{Answer, Driver, Handle, Keep, Style};
use super::server_list::{Kind, MAX_ANSWER, host_and_port};
use super::sql::{self, Failure, Server, Sql};
use crate::config::options::Str;
use crate::context::Context;
use crate::sys::mysql::{self, Connection, Place};

/// The type.
pub struct Mysql;

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
        Ok(Box::new(sql::Open::<Mysql>::new()))
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

impl Sql for Mysql {
    type Place = Place;
    type Connection = Connection;
    const KIND: Kind = Kind { shown: "MySQL", option: "mysql_servers", lookup: "mysql" };

    fn known(ctx: &Context) -> &Str {
        &ctx.config.main.mysql_servers
    }
    fn place(server: &Server) -> Result<Self::Place, String> {
        place(server)
    }
    fn shown(p: &Place) -> String {
        let base = p.base.as_deref().unwrap_or_default();
        format!("host={} port={} database={} user={}", p.host.as_bstr(), p.port, base.as_bstr(), p.user.as_bstr())
    }
    fn connect(place: &Place) -> Result<Connection, String> {
        Connection::open(place, PATIENCE)
    }
    fn query(connection: &mut Connection, query: &[u8]) -> Result<Answer, Failure> {
        match connection.query(query, MAX_ANSWER).map_err(|e| Failure { text: e.text, lost: e.lost })? {
            mysql::Answer::Changed(n) => Ok(Answer::Found(n.to_string().into_bytes(), Keep::ForgetAll)),
            mysql::Answer::Rows { names, rows } => {
                let values = rows.iter().map(|r| r.iter().map(|v| v.as_deref().unwrap_or(b"<NULL>")).collect());
                Ok(sql::rows(&names, values))
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

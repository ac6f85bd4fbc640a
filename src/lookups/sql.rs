//! What the types of lookup that talk to SQL servers share (manual sections 9.22 and 9.23): the four parts of a server's item, the
//! way from one server to the next, connections that are kept, rows as text. What is a library's own is in its file, behind [`Sql`].

use bstr::{BString, ByteSlice};

use super::check::name_value;
use super::driver::{Answer, Ask, Handle, Keep};
use super::kept::Kept;
use super::server_list::{self, Kind, host};
use crate::config::options::Str;
use crate::context::Context;
use crate::log;

/// A type of SQL server.
pub trait Sql: Send {
    /// Where a server is, with all that a connection needs.
    type Place: PartialEq + Send;
    /// A connection of its library.
    type Connection: Send;
    /// As messages name it.
    const KIND: Kind;
    /// The main option with its servers.
    fn known(ctx: &Context) -> &Str;
    /// Reads the parts of an item.
    fn place(server: &Server) -> Result<Self::Place, String>;
    /// For the trace, without the password.
    fn shown(place: &Self::Place) -> String;
    /// Connects.
    fn connect(place: &Self::Place) -> Result<Self::Connection, String>;
    /// Asks.
    fn query(connection: &mut Self::Connection, query: &[u8]) -> Result<Answer, Failure>;
}

/// Why a query has no answer.
pub struct Failure {
    /// For the log.
    pub text: String,
    /// The connection is of no use any more.
    pub lost: bool,
}

/// The open type, with its connections.
pub struct Open<S: Sql>(Kept<S::Place, S::Connection>);

impl<S: Sql> Open<S> {
    /// No connection yet.
    pub fn new() -> Self {
        Open(Kept::new())
    }

    fn ask(&mut self, ctx: &Context, place: S::Place, query: &[u8]) -> Result<Answer, String> {
        let name = S::KIND.lookup.to_ascii_uppercase();
        let mut tried = self.0.take(&place).map(|mut c| (S::query(&mut c, query), c));
        // One that was kept may have been closed by the server: that is no reason to give up.
        if tried.as_ref().is_some_and(|(r, _)| r.as_ref().is_err_and(|e| e.lost)) {
            tried = None;
        }
        let (result, connection) = match tried {
            Some(t) => t,
            None => {
                log::hdebug!(ctx, LOOKUP, "{name} new connection: {}", S::shown(&place));
                let mut c = S::connect(&place).map_err(|e| format!("{name} connection failed: {e}"))?;
                (S::query(&mut c, query), c)
            }
        };
        if !result.as_ref().is_err_and(|e| e.lost) {
            self.0.put(place, connection);
        }
        result.map_err(|e| format!("{name}: query failed: {}", e.text))
    }
}

impl<S: Sql> Handle for Open<S> {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        let (servers, query) = match server_list::servers(S::KIND, S::known(ctx).raw().unwrap_or_default(), ask) {
            Ok(found) => found,
            Err(e) => return Answer::Defer(e),
        };
        let mut last = String::new();
        for server in servers {
            let place = match server.and_then(|s| Server::parse(S::KIND, &s)).and_then(|s| S::place(&s)) {
                Ok(place) => place,
                Err(e) => return Answer::Defer(e),
            };
            match self.ask(ctx, place, query) {
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

/// One item of `mysql_servers` or `pgsql_servers`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// `host`, `host:port` and what else may stand there.
    pub place: BString,
    pub base: BString,
    pub user: BString,
    pub password: BString,
}

impl Server {
    /// `place/base/user/password`; only the place may have slashes of its own, in parentheses.
    pub fn parse(kind: Kind, item: &[u8]) -> Result<Self, String> {
        let mut parts = item.rsplitn_str(4, b"/");
        let mut next = || parts.next().map(BString::from);
        match (next(), next(), next(), next()) {
            (Some(password), Some(user), Some(base), Some(place)) => {
                if place.contains(&b'/') && !place.contains(&b'(') {
                    return Err(format!("unexpected slash in {} server hostname: {place}", kind.shown));
                }
                Ok(Server { place, base, user, password })
            }
            // The password is not for the log.
            _ => Err(format!("incomplete {} server data: {}", kind.shown, host(item).as_bstr())),
        }
    }
}

/// Rows as a lookup's data: one column as it is, several with their names; a row on each line.
pub fn rows<'a>(names: &[Vec<u8>], rows: impl Iterator<Item = Vec<&'a [u8]>>) -> Answer {
    let mut result: Option<Vec<u8>> = None;
    for row in rows {
        let out = match &mut result {
            Some(out) => {
                out.push(b'\n');
                out
            }
            none => none.insert(Vec::new()),
        };
        for (name, value) in names.iter().zip(row) {
            if names.len() == 1 {
                out.extend_from_slice(value);
            } else {
                name_value(out, name, value);
            }
        }
    }
    result.map_or(Answer::NotFound(Keep::Always), |data| Answer::Found(data, Keep::Always))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { shown: "MySQL", option: "mysql_servers", lookup: "mysql" };

    #[test]
    fn items() {
        let s = Server::parse(KIND, b"localhost(/run/x/sock)/base/me/pw").unwrap();
        assert_eq!((s.place, s.base), ("localhost(/run/x/sock)".into(), "base".into()));
        assert_eq!(Server::parse(KIND, b"h:1///").unwrap().place, "h:1");
        assert_eq!(Server::parse(KIND, b"h/secret").unwrap_err(), "incomplete MySQL server data: h");
        assert!(Server::parse(KIND, b"a/b/base/me/pw").is_err());
    }
}

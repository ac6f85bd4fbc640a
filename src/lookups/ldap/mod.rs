//! `ldap`, `ldapdn`, `ldapm`, and the `ldapauth` condition (manual sections 9.14 to 9.19), through OpenLDAP's client library.
//!
//! The servers of the query, or of `ldap_default_servers`, are tried in order until one answers or there is an error that no
//! other server could mend. A connection is kept for the next lookup of the same process, and never used by another.

mod query;

use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use super::kept::Kept;
use super::server_list::{MAX_ANSWER, host_and_port};
use crate::config::main_options::MainOptions;
use crate::context::Context;
use crate::log;
use crate::parse::list;
use crate::sys::ldap::{self, Connection, Entry, INVALID_CREDENTIALS, SIZE_LIMIT, Setting, Url};
use crate::text::Text;
use query::{Query, Scheme};

/// The three types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ldap {
    /// `ldap`: attributes of one entry.
    One,
    /// `ldapdn`: an entry's name.
    Name,
    /// `ldapm`: attributes of several entries.
    Many,
}

/// For each wait, if the query does not say.
const PATIENCE: Duration = Duration::from_secs(60);

impl Driver for Ldap {
    fn name(&self) -> &'static str {
        match self {
            Ldap::One => "ldap",
            Ldap::Name => "ldapdn",
            Ldap::Many => "ldapm",
        }
    }
    fn style(&self) -> Style {
        Style::Query
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        ldap::available()?;
        Ok(Box::new(Open { kind: *self, kept: Kept::new() }))
    }
    fn quote(&self, text: &[u8], option: Option<&[u8]>) -> Option<Option<Vec<u8>>> {
        Some(super::quote::ldap(text, option))
    }
    fn built_in(&self) -> bool {
        crate::build_options::LOOKUP_LDAP
    }
    fn available(&self) -> bool {
        ldap::available().is_ok()
    }
}

/// A connection, and what it is bound as.
struct Bound {
    connection: Connection,
    to: Option<(BString, BString)>,
}

struct Open {
    kind: Ldap,
    /// By URI.
    kept: Kept<BString, Bound>,
}

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        match self.search(ctx, ask.key) {
            Ok((data, dn)) => {
                if dn.is_some() {
                    ctx.scratch.ldap_dn = dn.map(Text::tainted);
                }
                data.map_or(Answer::NotFound(Keep::Always), |d| Answer::Found(d, Keep::Always))
            }
            Err(text) => Answer::Defer(text),
        }
    }
}

/// `ldapauth`: do the name and password of the query let anybody in? The error is the message of the failed expansion.
pub fn authenticate(ctx: &mut Context, text: &[u8]) -> Result<bool, String> {
    let query = Query::parse(text)?;
    let (Some(user), Some(password)) = (&query.user, &query.password) else {
        return Err("ldapauth lookups must specify the username and password".into());
    };
    // A server takes a bind without a password for nobody's, and lets it in.
    if password.is_empty() || user.is_empty() {
        log::hdebug!(ctx, LOOKUP, "Empty password: ldapauth returns FAIL");
        return Ok(false);
    }
    let url = Url::parse(&query.url)?;
    let patience = patience(&query);
    let mut last = String::new();
    for place in places(ctx, &query, &url)? {
        let tried = place.and_then(|p| connect(ctx, &query, &p).map(|c| (c, p)));
        let (connection, place) = match tried {
            Ok(t) => t,
            Err(e) => {
                last = e;
                continue;
            }
        };
        match connection.bind(user, password, patience) {
            Ok(()) => return Ok(true),
            Err(e) if e.code == INVALID_CREDENTIALS => return Ok(false),
            Err(e) => {
                last = format!("failed to bind the LDAP connection to server {} - LDAP error {}: {}", place.shown, e.code, e.text)
            }
        }
    }
    Err(last)
}

fn patience(query: &Query) -> Duration {
    if query.net_time > 0 { Duration::from_secs(query.net_time) } else { PATIENCE }
}

/// Where a server is.
struct Place {
    uri: BString,
    scheme: Scheme,
    shown: BString,
}

impl Place {
    fn new(scheme: Scheme, host: &[u8], port: u16) -> Result<Self, String> {
        if host.starts_with(b"/") {
            let uri = [b"ldapi://", &host.replace("%", "%25").replace("/", "%2F")[..]].concat();
            return Ok(Place { uri: uri.into(), scheme: Scheme::Ldapi, shown: host.into() });
        }
        let name = scheme.name();
        if host.is_empty() {
            return Ok(Place { uri: format!("{name}:///").into(), scheme, shown: "NULL".into() });
        }
        if scheme == Scheme::Ldapi {
            return Err(format!("ldapi requires an absolute path (\"{}\" given)", host.as_bstr()));
        }
        let inside = if host.contains(&b':') && !host.starts_with(b"[") { [b"[", host, b"]"].concat() } else { host.to_vec() };
        let port = match (port, scheme) {
            (0, Scheme::Ldaps) => 636,
            (0, _) => 389,
            (p, _) => p,
        };
        let shown = format!("{}:{port}", inside.as_bstr());
        Ok(Place { uri: format!("{name}://{shown}").into(), scheme, shown: shown.into() })
    }
}

/// The servers to try; a message stands for one that cannot be.
fn places(ctx: &Context, query: &Query, url: &Url) -> Result<Vec<Result<Place, String>>, String> {
    if !url.host.is_empty() {
        return Ok(vec![Place::new(query.scheme, &url.host, url.port)]);
    }
    let default = ctx.config.main.ldap_default_servers.raw().unwrap_or_default();
    let servers = query.servers.as_deref().map_or(default, |s| s.as_slice());
    if servers.is_empty() {
        return Ok(vec![Place::new(query.scheme, b"", 0)]);
    }
    Ok(list::items(servers)
        .map(|item| {
            if item.starts_with(b"/") {
                return Place::new(query.scheme, &item, 0);
            }
            let (host, port) = host_and_port(&item).ok_or_else(|| format!("bad LDAP server \"{item}\""))?;
            Place::new(query.scheme, &host, port)
        })
        .collect())
}

fn connect(ctx: &Context, query: &Query, place: &Place) -> Result<Connection, String> {
    let main = &ctx.config.main;
    let connection = Connection::open(&place.uri, patience(query))
        .map_err(|e| format!("failed to initialize for LDAP server {} - {e}", place.shown))?;
    let failed = |e: ldap::Error| format!("LDAP server {}: {}", place.shown, e.text);
    let version = i32::try_from(main.ldap_version.0).ok().filter(|v| *v > 0).unwrap_or(3);
    connection.set(Setting::ProtocolVersion, version).map_err(failed)?;
    tls_settings(main, &connection).map_err(failed)?;
    if main.ldap_start_tls && place.scheme == Scheme::Ldap {
        connection.start_tls().map_err(|e| {
            format!(
                "failed to initiate TLS processing on an LDAP session to server {} - ldap_start_tls_s() returned {}: {}",
                place.shown, e.code, e.text
            )
        })?;
    }
    Ok(connection)
}

fn tls_settings(main: &MainOptions, connection: &Connection) -> Result<(), ldap::Error> {
    let mut any = false;
    for (setting, option) in [
        (Setting::TlsCaCertFile, &main.ldap_ca_cert_file),
        (Setting::TlsCaCertDir, &main.ldap_ca_cert_dir),
        (Setting::TlsCertFile, &main.ldap_cert_file),
        (Setting::TlsKeyFile, &main.ldap_cert_key),
        (Setting::TlsCipherSuite, &main.ldap_cipher_suite),
    ] {
        if let Some(value) = option.raw().filter(|v| !v.is_empty()) {
            connection.set_text(setting, value)?;
            any = true;
        }
    }
    if let Some(word) = main.ldap_require_cert.raw().filter(|v| !v.is_empty()) {
        let number = match word.to_ascii_lowercase().as_slice() {
            b"hard" => 1,
            b"demand" => 2,
            b"allow" => 3,
            b"try" => 4,
            _ => 0,
        };
        connection.set(Setting::TlsRequireCert, number)?;
        any = true;
    }
    if any { connection.new_tls_context() } else { Ok(()) }
}

/// The data, and the name of the last entry.
type Found = (Option<Vec<u8>>, Option<Vec<u8>>);

/// Why there is none.
enum Trouble {
    /// Another server may do better.
    Here(String),
    /// It would be the same everywhere.
    Everywhere(String),
}

impl Open {
    fn search(&mut self, ctx: &Context, text: &[u8]) -> Result<Found, String> {
        let query = Query::parse(text)?;
        let url = Url::parse(&query.url).map_err(|e| format!("{e} parsing \"{}\"", query.url))?;
        let mut last = String::new();
        for place in places(ctx, &query, &url)? {
            let tried = place.map_err(Trouble::Here).and_then(|p| self.ask(ctx, &query, &url, &p));
            match tried {
                Ok(found) => return Ok(found),
                Err(Trouble::Everywhere(text)) => return Err(text),
                Err(Trouble::Here(text)) => {
                    log::hdebug!(ctx, LOOKUP, "{text}");
                    last = text;
                }
            }
        }
        Err(last)
    }

    fn ask(&mut self, ctx: &Context, query: &Query, url: &Url, place: &Place) -> Result<Found, Trouble> {
        if let Some(mut bound) = self.kept.take(&place.uri) {
            match self.run(&mut bound, query, url, place) {
                // The server may have closed it in the meantime.
                Err(Trouble::Here(_)) => {}
                other => {
                    self.kept.put(place.uri.clone(), bound);
                    return other;
                }
            }
        }
        let mut bound = Bound { connection: connect(ctx, query, place).map_err(Trouble::Here)?, to: None };
        let found = self.run(&mut bound, query, url, place)?;
        self.kept.put(place.uri.clone(), bound);
        Ok(found)
    }

    fn run(&self, bound: &mut Bound, query: &Query, url: &Url, place: &Place) -> Result<Found, Trouble> {
        let patience = patience(query);
        let who = (query.user.clone().unwrap_or_default(), query.password.clone().unwrap_or_default());
        let c = &bound.connection;
        let set = |s, v| c.set(s, v).map_err(|e| Trouble::Here(format!("LDAP server {}: {}", place.shown, e.text)));
        set(Setting::Deref, query.dereference.unwrap_or(0))?;
        set(Setting::Referrals, i32::from(!query.no_referrals))?;
        if bound.to.as_ref() != Some(&who) {
            bound.to = None;
            c.bind(&who.0, &who.1, patience).map_err(|e| {
                Trouble::Here(format!(
                    "failed to bind the LDAP connection to server {} - LDAP error {}: {}",
                    place.shown, e.code, e.text
                ))
            })?;
            bound.to = Some(who);
        }
        let mut out = Collected { kind: self.kind, single: url.attributes.len() == 1, ..Collected::default() };
        let result = c.search(url, query.size, query.time, patience, &mut |entry| out.add(entry));
        match result {
            Err(e) if e.code == SIZE_LIMIT && query.size > 0 => {}
            // Names that are not there.
            Err(e) if (0x20..=0x24).contains(&e.code) => return Ok((None, None)),
            // Negative ones are the library's: the connection is the matter.
            Err(e) => {
                let text = format!("LDAP search failed - error {}: {}", e.code, e.text);
                return Err(if e.code < 0 || e.code == 0x33 || e.code == 0x34 {
                    Trouble::Here(text)
                } else {
                    Trouble::Everywhere(text)
                });
            }
            Ok(()) => {}
        }
        out.finish().map_err(Trouble::Everywhere)
    }
}

/// Entries as a lookup's data.
struct Collected {
    kind: Ldap,
    /// One attribute was asked for: its values stand alone.
    single: bool,
    data: Vec<u8>,
    entries: usize,
    attributes: bool,
    dn: Option<Vec<u8>>,
}

impl Default for Collected {
    fn default() -> Self {
        Collected { kind: Ldap::One, single: false, data: Vec::new(), entries: 0, attributes: false, dn: None }
    }
}

impl Collected {
    /// Another one; false if no more are wanted.
    fn add(&mut self, entry: Entry) -> bool {
        self.entries += 1;
        if self.kind != Ldap::Many && self.entries > 1 {
            // All are counted for the message.
            return self.entries < 1000;
        }
        if self.entries > 1 {
            self.data.push(b'\n');
        }
        if self.kind == Ldap::Name {
            self.data.extend_from_slice(&entry.dn);
            self.attributes = true;
        } else {
            self.add_attributes(&entry);
        }
        self.dn = Some(entry.dn);
        self.data.len() <= MAX_ANSWER
    }

    fn add_attributes(&mut self, entry: &Entry) {
        let mut first = true;
        for (name, values) in entry.attributes.iter().filter(|(_, v)| !v.is_empty()) {
            self.attributes = true;
            if !std::mem::take(&mut first) {
                self.data.push(if self.single { b',' } else { b' ' });
            }
            if !self.single {
                self.data.extend_from_slice(name);
                self.data.extend_from_slice(b"=\"");
            }
            for (n, value) in values.iter().enumerate() {
                if n > 0 {
                    self.data.push(b',');
                }
                for c in value {
                    match c {
                        b',' => self.data.extend_from_slice(b",,"),
                        b'\n' if !self.single => self.data.extend_from_slice(b"\\n"),
                        b'"' | b'\\' if !self.single => self.data.extend_from_slice(&[b'\\', *c]),
                        c => self.data.push(*c),
                    }
                }
            }
            if !self.single {
                self.data.push(b'"');
            }
        }
    }

    fn finish(self) -> Result<Found, String> {
        if self.kind != Ldap::Many && self.entries > 1 {
            return Err(format!(
                "LDAP search: more than one entry ({}) was returned (filter not specific enough?)",
                self.entries
            ));
        }
        if self.data.len() > MAX_ANSWER {
            return Err("LDAP search: the answer is too long".into());
        }
        if self.entries == 0 || !self.attributes {
            return Ok((None, self.dn));
        }
        Ok((Some(self.data), self.dn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let entry = |n: &str| Entry {
            dn: n.into(),
            attributes: vec![
                (b"attr1".to_vec(), vec![b"value1.1".to_vec(), b"value1,2".to_vec()]),
                (b"attr2".to_vec(), vec![b"value \"two\"\n\\".to_vec()]),
            ],
        };
        let show = |kind, single, n: usize| {
            let mut c = Collected { kind, single, ..Collected::default() };
            for i in 0..n {
                let _ = c.add(entry(&format!("cn={i}")));
            }
            c.finish().map(|(d, _)| BString::from(d.unwrap_or_default()).to_string())
        };
        assert_eq!(show(Ldap::One, true, 1).unwrap(), "value1.1,value1,,2,value \"two\"\n\\");
        assert_eq!(show(Ldap::One, false, 1).unwrap(), "attr1=\"value1.1,value1,,2\" attr2=\"value \\\"two\\\"\\n\\\\\"");
        assert_eq!(show(Ldap::Name, false, 1).unwrap(), "cn=0");
        assert_eq!(show(Ldap::Many, true, 2).unwrap().matches("value1.1").count(), 2);
        assert!(show(Ldap::One, true, 2).unwrap_err().contains("more than one entry (2)"));
        assert_eq!(show(Ldap::One, true, 0).unwrap(), "");
    }

    #[test]
    fn servers() {
        let uri = |s, h: &str, p| Place::new(s, h.as_bytes(), p).map(|p| p.uri.to_string());
        assert_eq!(uri(Scheme::Ldap, "h", 0).unwrap(), "ldap://h:389");
        assert_eq!(uri(Scheme::Ldaps, "::1", 0).unwrap(), "ldaps://[::1]:636");
        assert_eq!(uri(Scheme::Ldaps, "/run/ldap i%", 0).unwrap(), "ldapi://%2Frun%2Fldap i%25");
        assert!(uri(Scheme::Ldapi, "h", 0).is_err());
    }
}

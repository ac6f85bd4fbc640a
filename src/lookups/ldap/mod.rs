//! `ldap`, `ldapdn`, `ldapm`, and the `ldapauth` condition (manual sections 9.14 to 9.19), through OpenLDAP's client library.
//!
//! The servers of the query, or of `ldap_default_servers`, are tried in order until one answers or there is an error that no
//! other server could mend. A connection is kept for the next lookup of the same process, and never used by another.

mod answer;
mod place;
pub mod query;

use std::time::Duration;

use bstr::BString;

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use super::kept::Kept;
use crate::context::Context;
use crate::log;
use crate::sys::ldap::{self, Connection, INVALID_CREDENTIALS, SIZE_LIMIT, Setting, Url};
use crate::text::Text;
use answer::{Collected, Found};
use place::{Place, connect, places};
use query::Query;

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
        let mut out = Collected::new(self.kind, url.attributes.len() == 1);
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

//! The sending host's name, and the two texts that describe it: `$sender_fullhost` (log lines use it too) and
//! `$sender_rcvhost`.

use super::{VarDef, bit, v};
use crate::context::Context;
use crate::context::session::{HostName, Session};
use crate::expand::{hooks, operators};
use crate::log::{self, Selector};
use crate::text::Text;

/// This group.
pub static VARIABLES: &[VarDef] = &[
    v("host_lookup_deferred", |c| bit(c.session.host_name == HostName::Deferred)),
    v("host_lookup_failed", |c| bit(c.session.host_name == HostName::Failed)),
    v("sender_fullhost", |c| fullhost(&c.session, log::selected(c, Selector::IncomingPort))),
    v("sender_host_name", name),
    v("sender_rcvhost", |c| rcvhost(&c.session, log::selected(c, Selector::IncomingPort))),
];

/// The name; looked up if that was not done or was not possible before.
fn name(ctx: &mut Context) -> Option<Text> {
    let untried = matches!(ctx.session.host_name, HostName::Unknown | HostName::Deferred);
    if untried && ctx.session.host_address.is_some() {
        hooks::host_name_lookup(ctx);
    }
    known(&ctx.session).cloned()
}

fn known(s: &Session) -> Option<&Text> {
    match &s.host_name {
        HostName::Found(n) => Some(n),
        _ => None,
    }
}

/// The HELO name, unless it says the same as the host's name or its address in brackets.
fn shown_helo(s: &Session) -> Option<&Text> {
    let helo = s.helo_name.as_ref()?;
    if let Some(literal) = helo.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")) {
        let literal = literal.strip_prefix(b"IPv6:").unwrap_or(literal);
        let same = match (operators::read_ip(literal), s.host_address.as_ref().and_then(|a| operators::read_ip(a))) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        };
        return if same { None } else { Some(helo) };
    }
    match known(s) {
        Some(name) if name.eq_ignore_ascii_case(helo) => None,
        _ => Some(helo),
    }
}

/// `name (helo) [address]`, with `:port` if ports are logged. `None` without a remote host.
pub fn fullhost(s: &Session, with_port: bool) -> Option<Text> {
    let address = s.host_address.as_ref()?;
    let mut t = Text::new();
    if let Some(name) = known(s) {
        t.push(name);
        t.push_bytes(b" ");
    }
    if let Some(helo) = shown_helo(s) {
        t.push_bytes(b"(");
        t.push(helo);
        t.push_bytes(b") ");
    }
    t.push_bytes(b"[");
    t.push(address);
    t.push_bytes(b"]");
    if with_port && s.host_port > 0 {
        t.push_bytes(format!(":{}", s.host_port).as_bytes());
    }
    Some(t)
}

/// The host as Received: lines tell it.
pub fn rcvhost(s: &Session, with_port: bool) -> Option<Text> {
    let address = s.host_address.as_ref()?;
    let port = (with_port && s.host_port > 0).then_some(s.host_port);
    let helo = shown_helo(s);
    let mut t = Text::new();
    let mut parts: Vec<Text> = Vec::new();
    match known(s) {
        None => {
            t.push_bytes(b"[");
            t.push(address);
            t.push_bytes(b"]");
            if let Some(p) = port {
                parts.push(Text::clean(format!("port={p}")));
            }
        }
        Some(name) => {
            t.push(name);
            let mut host = Text::clean("[");
            host.push(address);
            host.push_bytes(b"]");
            if let Some(p) = port {
                host.push_bytes(format!(":{p}").as_bytes());
            }
            parts.push(host);
        }
    }
    let all_three = known(s).is_some() && helo.is_some() && s.ident.is_some();
    for (label, value) in [("helo=", helo), ("ident=", s.ident.as_ref())] {
        if let Some(value) = value {
            let mut part = Text::clean(label);
            part.push(value);
            parts.push(part);
        }
    }
    if parts.is_empty() {
        return Some(t);
    }
    t.push_bytes(if all_three { b"\n\t(" } else { b" (" });
    for (n, p) in parts.iter().enumerate() {
        if n > 0 {
            t.push_bytes(b" ");
        }
        t.push(p);
    }
    t.push_bytes(b")");
    Some(t)
}

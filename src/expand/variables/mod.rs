//! Expansion variables (manual 11.9): one table of names and functions, and one file for each group.
//!
//! Names that are made up (`$acl_c...`, `$r_...`, `$auth1`, `$1`) are resolved here; the parser does it once for a
//! string. A variable without a value is `None` and expands to nothing.

mod address;
pub mod body;
mod connection;
pub mod host;
mod message;
mod results;
mod site;
mod times;
mod tls;

use std::sync::LazyLock;

use bstr::{BString, ByteSlice};

use super::names::Names;
use super::{ExpandError, failed};
use crate::context::Context;
use crate::text::Text;

/// Gives a variable's value.
pub type VarFn = fn(&mut Context) -> Option<Text>;

/// What a variable is.
#[derive(Clone, Copy)]
pub enum Kind {
    /// An ordinary one.
    Value(VarFn),
    /// A certificate: no text, but `${certextract}` and some operators take it.
    Certificate(CertSlot),
    /// One that exists only while a filter runs.
    Filter(VarFn),
}

/// One variable.
pub struct VarDef {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
}

/// Which certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertSlot {
    /// `$tls_in_ourcert`
    InOurs,
    /// `$tls_in_peercert`
    InPeer,
    /// `$tls_out_ourcert`
    OutOurs,
    /// `$tls_out_peercert`
    OutPeer,
}

impl CertSlot {
    /// The certificate in PEM form, if there is one.
    pub fn pem(self, ctx: &Context) -> Option<BString> {
        let s = &ctx.session;
        match self {
            CertSlot::InOurs => s.tls_in.our_cert.clone(),
            CertSlot::InPeer => s.tls_in.peer_cert.clone(),
            CertSlot::OutOurs => s.tls_out.our_cert.clone(),
            CertSlot::OutPeer => s.tls_out.peer_cert.clone(),
        }
    }
}

impl VarDef {
    /// Which certificate it is, if it is one.
    pub fn certificate(&self) -> Option<CertSlot> {
        match self.kind {
            Kind::Certificate(slot) => Some(slot),
            _ => None,
        }
    }
}

/// A variable as a string names it.
#[derive(Clone)]
pub enum VarRef {
    /// One of the table.
    Table(&'static VarDef),
    /// `$acl_c<name>`
    AclConnection(BString),
    /// `$acl_m<name>`
    AclMessage(BString),
    /// `$r_<name>`
    Router(BString),
    /// `$auth1`...: from 0.
    Auth(usize),
    /// `$regex1`...: the number.
    Regex(usize),
    /// `$0`, `$1`...
    Numeric(usize),
}

impl VarRef {
    /// The value. An error is a variable that does not exist now.
    pub fn value(&self, ctx: &mut Context) -> Result<Option<Text>, ExpandError> {
        let (found, prefix, name) = match self {
            VarRef::Table(def) => {
                return match def.kind {
                    Kind::Value(f) => Ok(f(ctx)),
                    Kind::Filter(f) if ctx.scratch.filter_running => Ok(f(ctx)),
                    Kind::Filter(_) => failed(format!("unknown variable name \"{}\"", def.name)),
                    Kind::Certificate(_) => Ok(None),
                };
            }
            VarRef::Auth(n) => return Ok(ctx.session.auth_vars.get(*n).cloned().flatten()),
            VarRef::Regex(n) => return Ok(ctx.message.scan.regex.captures.get(*n).cloned().flatten()),
            VarRef::Numeric(n) => return Ok(ctx.scratch.numeric.get(*n).cloned().flatten()),
            VarRef::AclConnection(name) => (ctx.acl.connection.get(name), "acl_c", name),
            VarRef::AclMessage(name) => (ctx.acl.message.get(name), "acl_m", name),
            VarRef::Router(name) => (ctx.address.router_vars.get(name), "r_", name),
        };
        match found {
            Some(v) => Ok(Some(v.clone())),
            None if ctx.config.main.strict_acl_vars => {
                let name = [prefix.as_bytes(), name].concat();
                failed(unknown(format!("unknown variable name \"{}\"", name.as_bstr()), &name))
            }
            None => Ok(None),
        }
    }

    /// Has it a value that is not empty?
    pub fn defined(&self, ctx: &mut Context) -> Result<bool, ExpandError> {
        if let VarRef::Table(def) = self
            && let Some(slot) = def.certificate()
        {
            return Ok(slot.pem(ctx).is_some());
        }
        Ok(self.value(ctx)?.is_some_and(|t| !t.is_empty()))
    }
}

/// The number after a prefix, if nothing else follows.
fn numbered(name: &[u8], prefix: &str) -> Option<usize> {
    let digits = name.strip_prefix(prefix.as_bytes())?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits.to_str().ok()?.parse().ok()
}

/// How many `$auth...` there are.
const AUTH_VARS: usize = 4;
/// How many `$regex...` there are.
const REGEX_VARS: usize = 9;

/// The variable of that name.
pub fn resolve(name: &[u8]) -> Option<VarRef> {
    static NAMES: LazyLock<Names<VarDef>> = LazyLock::new(|| Names::new(groups(), |v| v.name));
    if let Some(known) = NAMES.find(name) {
        return Some(VarRef::Table(known));
    }
    if let Some(rest) = name.strip_prefix(b"acl_c").or_else(|| name.strip_prefix(b"acl_m"))
        && !rest.first().is_some_and(u8::is_ascii_alphabetic)
    {
        let connection = name.get(4) == Some(&b'c');
        return Some(if connection { VarRef::AclConnection(rest.into()) } else { VarRef::AclMessage(rest.into()) });
    }
    if let Some(rest) = name.strip_prefix(b"r_") {
        return Some(VarRef::Router(rest.into()));
    }
    if let Some(n) = numbered(name, "auth").filter(|n| (1..=AUTH_VARS).contains(n)) {
        return Some(VarRef::Auth(n - 1));
    }
    if let Some(n) = numbered(name, "regex").filter(|n| (1..=REGEX_VARS).contains(n)) {
        return Some(VarRef::Regex(n));
    }
    None
}

/// All named variables of this build, for documentation and tests.
pub fn groups() -> impl Iterator<Item = &'static VarDef> {
    [
        address::VARIABLES,
        body::VARIABLES,
        connection::VARIABLES,
        host::VARIABLES,
        message::VARIABLES,
        results::VARIABLES,
        site::VARIABLES,
        times::VARIABLES,
        tls::VARIABLES,
        crate::mail_auth::variables::VARIABLES,
    ]
    .into_iter()
    .flatten()
}

/// Adds to the message of an unknown variable what may be wrong with its name.
pub fn unknown(message: String, name: &[u8]) -> String {
    if let Some(hint) = crate::event::renamed_variable(name) {
        return format!("{message} ({hint})");
    }
    let Some(rest) = name.strip_prefix(b"acl_") else { return message };
    let why = match rest {
        [b'c' | b'm', c, ..] if c.is_ascii_alphabetic() => {
            "6th character of a user-defined ACL variable must be a digit or underscore"
        }
        [b'c' | b'm', ..] => "strict_acl_vars is set",
        _ => "user-defined ACL variables must start acl_c or acl_m",
    };
    format!("{message} ({why})")
}

/// A row with a function.
pub const fn v(name: &'static str, f: VarFn) -> VarDef {
    VarDef { name, kind: Kind::Value(f) }
}

/// A number.
fn num(n: impl ToString) -> Option<Text> {
    Some(Text::clean(n.to_string()))
}

/// `yes` or `no`.
fn yes_no(yes: bool) -> Option<Text> {
    Some(Text::clean(if yes { "yes" } else { "no" }))
}

/// `1` or `0`.
fn bit(on: bool) -> Option<Text> {
    Some(Text::clean(if on { "1" } else { "0" }))
}

/// Bytes of our own.
fn own(s: &BString) -> Option<Text> {
    Some(Text::clean(s.as_slice()))
}

/// A value that its module keeps by name; `default` if it has not set one.
fn named(ctx: &Context, name: &str, default: &'static str) -> Option<Text> {
    Some(ctx.scratch.named.get(name).cloned().unwrap_or_else(|| Text::clean(default)))
}

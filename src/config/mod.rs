//! The configuration: immutable once loaded, shared by `Arc`.
//!
//! The reader (lines, macros, sections, drivers) builds a [`Config`]; everything else only reads it.

pub mod builtin;
pub mod drivers;
pub mod error;
pub mod ids;
pub mod lines;
pub mod macros;
pub mod main_options;
pub mod options;
pub mod pending;
pub mod read;
pub mod setting;
pub mod show;
pub mod site;
pub mod source;
pub mod values;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bstr::BString;

use crate::acl::Acl;
use crate::auths::AuthInstance;
use crate::expand::Template;
use crate::retry::RetryRule;
use crate::rewrite::RewriteRule;
use crate::routers::RouterInstance;
use crate::transports::TransportInstance;
use main_options::MainOptions;

/// The four kinds of named list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListKind {
    /// `domainlist`
    Domain,
    /// `hostlist`
    Host,
    /// `addresslist`
    Address,
    /// `localpartlist`
    LocalPart,
}

impl ListKind {
    /// The word in messages.
    pub fn name(self) -> &'static str {
        match self {
            ListKind::Domain => "domain",
            ListKind::Host => "host",
            ListKind::Address => "address",
            ListKind::LocalPart => "local part",
        }
    }
    /// The word of the configuration.
    pub fn keyword(self) -> &'static str {
        match self {
            ListKind::Domain => "domainlist",
            ListKind::Host => "hostlist",
            ListKind::Address => "addresslist",
            ListKind::LocalPart => "localpartlist",
        }
    }
}

/// What the bits of a TLS resumption variable mean, for the `listextract` of the macro `_RESUME_DECODE`.
pub const RESUME_DECODE: &str = "not requested or offered : 0x02 :client requested, no server ticket: 0x04 : 0x05 : 0x06 \
:client offered session, no server action: 0x08 :no client request: 0x0A :client requested new ticket, server provided: \
0x0C :client offered session, not used: 0x0E :client offered session, server only provided new ticket: 0x10 :session \
resumed unasked: 0x12 :session resumed unasked: 0x14 : 0x15 : 0x16 :session resumed: 0x18 :session resumed unasked: 0x1A \
:session resumed unasked: 0x1C :session resumed: 0x1E :session resumed, also new ticket";

/// A named list (manual section 10.5).
#[derive(Debug)]
pub struct NamedList {
    /// The text after `=`.
    pub text: Template,
    /// From `hide domainlist ...`.
    pub hidden: bool,
    /// A number of its own among all named lists: the key of caches of its results.
    pub id: usize,
    /// From `domainlist_cache ...`: results are kept although the text has expansions.
    pub cache: bool,
}

/// A macro, ours or the configuration's, as `-bP macros` shows it.
#[derive(Clone, Debug)]
pub struct Macro {
    /// Its name.
    pub name: BString,
    /// What replaces it.
    pub value: BString,
    /// Given with `-D`.
    pub command_line: bool,
    /// Built into the program (`_HAVE_...`).
    pub builtin: bool,
}

/// Everything that the run time configuration says.
#[derive(Debug, Default)]
pub struct Config {
    /// The main section.
    pub main: MainOptions,
    /// Names of main options that were set explicitly.
    pub set_options: Vec<String>,
    /// Where they were set, ` in line n of file`.
    pub places: HashMap<String, String>,
    /// Names of main options set with `hide`.
    pub hidden: Vec<String>,
    /// Named lists of each kind.
    pub named_lists: HashMap<ListKind, BTreeMap<BString, Arc<NamedList>>>,
    /// ACLs by name.
    pub acls: BTreeMap<BString, Arc<Acl>>,
    /// Authenticators in their order.
    pub auths: Vec<Arc<AuthInstance>>,
    /// Routers in their order.
    pub routers: Vec<Arc<RouterInstance>>,
    /// Transports in their order.
    pub transports: Vec<Arc<TransportInstance>>,
    /// Retry rules in their order.
    pub retry: Vec<RetryRule>,
    /// Rewriting rules in their order.
    pub rewrite: Vec<RewriteRule>,
    /// All macros.
    pub macros: Vec<Macro>,
    /// Names and values of macros (but for the built-in ones) in the order in which lines used them.
    pub macro_uses: Vec<(BString, BString)>,
    /// The main file that was read, absolute.
    pub file: BString,
    /// All logical lines, for `-bP config`.
    pub lines: Vec<BString>,
    /// What the main options amount to once the host is known.
    pub site: Site,
}

/// Facts that are worked out once, from the main options and the host.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// `primary_hostname`, as given or as found.
    pub primary_hostname: BString,
    /// `qualify_domain`.
    pub qualify_domain: BString,
    /// Made of `dnssec_trust_anchors`, where there is such a thing.
    pub dns_validator: Option<std::sync::Arc<crate::dns::Validator>>,
    /// `qualify_recipient`.
    pub qualify_recipient: BString,
    /// The expanded `spool_directory`.
    pub spool_directory: BString,
    /// The expanded `log_file_path` list.
    pub log_file_path: BString,
    /// The user that Exim runs as.
    pub exim_uid: u32,
    /// And its group.
    pub exim_gid: u32,
    /// `localhost_number`, if set.
    pub localhost_number: Option<u32>,
    /// `never_users` and FIXED_NEVER_USERS, as ids.
    pub never_users: Vec<u32>,
    /// `trusted_users`, as ids.
    pub trusted_users: Vec<u32>,
    /// `trusted_groups`, as ids.
    pub trusted_groups: Vec<u32>,
    /// `admin_groups`, as ids.
    pub admin_groups: Vec<u32>,
    /// `log_selector` and everything else about the logs.
    pub log: crate::log::Settings,
}

impl Config {
    /// A user by name; one longer than `max_username_length` does not exist.
    pub fn user_by_name(&self, name: &[u8]) -> std::io::Result<Option<crate::sys::users::User>> {
        let limit = usize::try_from(self.main.max_username_length.0).unwrap_or(0);
        if limit > 0 && name.len() > limit {
            return Ok(None);
        }
        crate::sys::users::user_by_name(name)
    }

    /// The named list, if there is one.
    pub fn named_list(&self, kind: ListKind, name: &[u8]) -> Option<&Arc<NamedList>> {
        self.named_lists.get(&kind).and_then(|m| m.get(name))
    }

    /// The router of that name, with its place in the order.
    pub fn router(&self, name: &[u8]) -> Option<(usize, &Arc<RouterInstance>)> {
        self.routers.iter().enumerate().find(|(_, r)| r.name == name)
    }

    /// The transport of that name.
    pub fn transport(&self, name: &[u8]) -> Option<&Arc<TransportInstance>> {
        self.transports.iter().find(|t| t.name == name)
    }
}

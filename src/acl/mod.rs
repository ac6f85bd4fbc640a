//! Access control lists (manual chapter 44): parsed when the configuration is read, evaluated for every command.
//!
//! [`parse`] is for the configuration reader; [`check`] for the rooms that receive mail; [`check_with_args`] for
//! expansions (`${acl ...}`, the `acl` condition). An ACL never answers the peer: its caller does, from the [`AclResult`].

mod ast;
mod condition;
mod control;
mod delay;
pub mod dscp;
mod headers;
mod logs;
mod messages;
mod nested;
mod place;
pub mod ratelimit;
mod run;
mod seen;
mod table;
mod udpsend;
mod verify;
mod verify_options;

mod parse;

use bstr::BString;

pub use ast::{Acl, Item, Kind, Statement, Variable, Verb};
pub use messages::{Messages, split_message};
pub use place::{Places, Where};
pub use run::{check, check_with_args, missing};

use crate::text::Text;

/// The words of conditions and modifiers (true) that this program has, sorted.
pub fn words() -> impl DoubleEndedIterator<Item = (bool, &'static str)> {
    let brightmail = crate::build_options::EXPERIMENTAL_BRIGHTMAIL;
    let built = move |i: &&table::Info| i.kind != Kind::Missing && (brightmail || !i.name.starts_with("bmi_"));
    table::TABLE.iter().filter(built).map(|i| (i.modifier, i.name))
}

/// What an ACL says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// accept
    Ok,
    /// discard
    Discard,
    /// deny
    Fail,
    /// drop
    FailDrop,
    /// defer
    Defer,
    /// An error in the ACL: treated as defer, and logged.
    Error,
}

/// The result of an ACL run.
#[derive(Clone, Debug)]
pub struct AclResult {
    /// What it says.
    pub verdict: Verdict,
    /// Text for the peer.
    pub user_message: Option<Text>,
    /// Text for the log.
    pub log_message: Option<Text>,
}

/// Parses the lines of an ACL (the part after `name:`), each with its position, `file line`. An error comes with the index
/// of its line.
pub fn parse(name: &[u8], lines: &[(String, BString)]) -> Result<Acl, (usize, String)> {
    parse::parse_lines(name, lines.iter().map(|(place, text)| parse::Line { text: text.clone(), source: Some(place.clone()) }))
}

//! What a parsed ACL is: statements, each a verb with conditions and modifiers in their order.
//!
//! Made by [`super::parse`], read by the evaluator; nothing here works.

use bstr::BString;

use crate::expand::Template;

/// A parsed ACL.
#[derive(Debug, Default)]
pub struct Acl {
    /// Its name: of the configuration, or the file it was read from; empty for an inline one.
    pub name: BString,
    /// Its statements. An ACL without any denies.
    pub statements: Vec<Statement>,
}

/// What a statement does when its conditions hold (manual 44.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Verb {
    Accept,
    Defer,
    Deny,
    Discard,
    Drop,
    Require,
    Warn,
}

impl Verb {
    /// By its name, case-independently.
    pub fn from_name(name: &[u8]) -> Option<Verb> {
        [Verb::Accept, Verb::Defer, Verb::Deny, Verb::Discard, Verb::Drop, Verb::Require, Verb::Warn]
            .into_iter()
            .find(|v| v.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Accept => "accept",
            Verb::Defer => "defer",
            Verb::Deny => "deny",
            Verb::Discard => "discard",
            Verb::Drop => "drop",
            Verb::Require => "require",
            Verb::Warn => "warn",
        }
    }
}

/// One statement.
#[derive(Debug)]
pub struct Statement {
    /// Its verb.
    pub verb: Verb,
    /// Conditions and modifiers in their order.
    pub items: Vec<Item>,
    /// Where it stands; `None` for an ACL that is not in the configuration.
    pub source: Option<String>,
}

/// One condition or modifier.
#[derive(Debug)]
pub struct Item {
    /// Which.
    pub kind: Kind,
    /// `!` stands before it.
    pub negated: bool,
    /// The text after `=`, not expanded.
    pub arg: Template,
    /// For `set`: the variable.
    pub variable: Option<Variable>,
}

/// A variable that `set` may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `$acl_c...`: it lives as long as the connection. What follows `acl_c`.
    Connection(BString),
    /// `$acl_m...`
    Message(BString),
    /// `$dkim_verify_status`
    DkimStatus,
    /// `$dkim_verify_reason`
    DkimReason,
}

impl Variable {
    /// Its name.
    pub fn name(&self) -> BString {
        match self {
            Variable::Connection(n) => format!("acl_c{n}").into(),
            Variable::Message(n) => format!("acl_m{n}").into(),
            Variable::DkimStatus => "dkim_verify_status".into(),
            Variable::DkimReason => "dkim_verify_reason".into(),
        }
    }
}

/// All conditions and modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Acl,
    AddHeader,
    AtrnDomains,
    Authenticated,
    BmiOptin,
    Condition,
    Continue,
    Control,
    Dcc,
    Decode,
    Delay,
    DkDomainSource,
    DkPolicy,
    DkSenderDomains,
    DkSenderLocalParts,
    DkSenders,
    DkStatus,
    DkimSigners,
    DkimStatus,
    DmarcStatus,
    Dnslists,
    Domains,
    Encrypted,
    Endpass,
    Hosts,
    LocalParts,
    LogMessage,
    LogRejectTarget,
    Logwrite,
    Malware,
    Message,
    MimeRegex,
    Queue,
    Ratelimit,
    Recipients,
    Regex,
    RemoveHeader,
    Seen,
    SenderDomains,
    Senders,
    Set,
    Spam,
    Spf,
    SpfGuess,
    Udpsend,
    Verify,
    /// One whose room does not exist yet: refused when the ACL is parsed.
    Missing,
}

//! Access control lists (manual chapter 44): parsed when the configuration is read, evaluated for every command.

use bstr::BString;

use crate::context::Context;
use crate::text::Text;

/// A parsed ACL.
#[derive(Debug, Default)]
pub struct Acl {
    /// Its name, if it has one.
    pub name: BString,
}

/// Where an ACL runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Where {
    Connect,
    Helo,
    Auth,
    StartTls,
    Mail,
    Mailauth,
    Rcpt,
    Predata,
    Data,
    Prdr,
    Mime,
    Dkim,
    Etrn,
    Expn,
    Vrfy,
    Quit,
    Notquit,
    NotSmtp,
    NotSmtpMime,
    NotSmtpStart,
    Delivery,
    Wellknown,
    Atrn,
    Unknown,
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

/// Parses the lines of an ACL (the part after `name:`), each with `file line` for messages and traces. The error is the
/// index of the line and the text after `error in ACL: `.
pub fn parse(name: &[u8], lines: &[(String, BString)]) -> Result<Acl, (usize, String)> {
    let _ = lines;
    Ok(Acl { name: name.into() })
}

/// Runs the ACL that `string` (an option's value, not yet expanded) names or holds. `recipient` is the address at RCPT.
pub fn check(ctx: &mut Context, place: Where, recipient: Option<&Text>, string: &crate::expand::Template) -> AclResult {
    let _ = (ctx, place, recipient, string);
    AclResult { verdict: Verdict::Error, user_message: None, log_message: Some(Text::clean("ACLs are not implemented")) }
}

/// `${acl {name}{arg}...}` and the `acl` condition: runs a named ACL with arguments. The text is what `message` gave.
pub fn check_with_args(ctx: &mut Context, place: Where, name: &Text, args: Vec<Text>) -> AclResult {
    let _ = (ctx, place, name, args);
    AclResult { verdict: Verdict::Error, user_message: None, log_message: Some(Text::clean("ACLs are not implemented")) }
}

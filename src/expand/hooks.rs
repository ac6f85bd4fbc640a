//! What expansions need from rooms above or beside this one: lookups, lists, ACLs, verification, and the daemon.
//! Thin adaptors and nothing else, so that those rooms can change without touching the items.
//!
//! What no room offers yet is an error that names it.

use bstr::ByteSlice;

use super::{ExpandError, failed};
use crate::acl::{self, AclResult, Verdict, Where};
use crate::context::Context;
use crate::lookups::{self, LookupError, Spec};
use crate::matching::{self, Match};
use crate::text::{Taint, Text};

use super::Template;

/// Runs a lookup: `None` if there is nothing. `file` is the file of a single-key lookup. What a partial lookup or a default
/// matched is left in `$1` and `$2`.
pub fn lookup(ctx: &mut Context, spec: &Spec, key: &Text, file: Option<&Text>) -> Result<Option<Text>, ExpandError> {
    let found = match file {
        Some(file) => lookups::find(ctx, spec, key, file),
        None => lookups::find(ctx, spec, &Text::new(), key),
    };
    match found {
        Ok(None) => Ok(None),
        Ok(Some(found)) => {
            if let Some((wild, fixed)) = found.parts {
                ctx.scratch.numeric = vec![None, Some(wild), Some(fixed)];
            }
            Ok(Some(found.value))
        }
        Err(LookupError::Open(m)) => failed(m),
        Err(LookupError::Defer(m)) => Err(ExpandError::Defer(m)),
    }
}

/// `${quote_<type>:...}`: a tainted string becomes one that may stand in queries of this type.
pub fn lookup_quote(kind: &[u8], option: Option<&[u8]>, text: Text) -> Result<Text, ExpandError> {
    let shown = kind.as_bstr();
    let Some(index) = lookups::type_index(kind) else {
        return failed(format!("unknown lookup type \"{shown}\""));
    };
    let quoted = lookups::TYPES.get(usize::from(index)).and_then(|d| d.quote(&text, option));
    match (quoted, option) {
        (Some(Some(bytes)), _) => {
            let taint = if text.is_tainted() { Taint::Quoted(index) } else { Taint::Clean };
            Ok(Text::with_taint(bytes, taint))
        }
        (None, None) => Ok(text),
        (_, option) => {
            let option = option.unwrap_or_default().as_bstr();
            failed(format!("\"{option}\" unrecognized after \"${{quote_{shown}\""))
        }
    }
}

/// Which list a condition means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// `match_domain`
    Domain,
    /// `match_local_part`
    LocalPart,
    /// `match_address`
    Address,
}

/// The conditions that match against lists. The value is what the list gave for the item that matched.
pub fn match_list(ctx: &mut Context, kind: ListKind, subject: &Text, list: &Template) -> Result<Option<Option<Text>>, ExpandError> {
    let mut data = None;
    let result = match kind {
        ListKind::Domain => matching::match_domain(ctx, subject, list, Some(&mut data)),
        ListKind::LocalPart => matching::match_local_part(ctx, subject, list, Some(&mut data)),
        ListKind::Address => matching::match_address(ctx, subject, list, Some(&mut data)),
    };
    answer(result, list).map(|yes| yes.then_some(data))
}

/// `match_ip`: `ip` is `None` for an empty subject.
pub fn match_ip(ctx: &mut Context, ip: Option<std::net::IpAddr>, list: &Template) -> Result<bool, ExpandError> {
    let name = Text::new();
    let result = matching::match_host_named(ctx, &name, ip, list);
    answer(result, list)
}

fn answer(result: Match, list: &Template) -> Result<bool, ExpandError> {
    match result {
        Match::Yes => Ok(true),
        Match::No => Ok(false),
        Match::Defer(why) => failed(format!("unable to complete match against \"{}\": {why}", list.raw().as_bstr())),
    }
}

/// Runs an ACL with arguments: accepted or not, and the text of `message`. A deferral is a forced failure.
pub fn run_acl(ctx: &mut Context, mut args: Vec<Text>) -> Result<(bool, Option<Text>), ExpandError> {
    if args.is_empty() {
        return failed("Not enough arguments for 'acl' (min is 1)");
    }
    let name = args.remove(0);
    let place = ctx.acl.running.unwrap_or(Where::Unknown);
    let AclResult { verdict, user_message, .. } = acl::check_with_args(ctx, place, &name, args);
    let rc = match verdict {
        Verdict::Ok => return Ok((true, user_message)),
        Verdict::Fail => return Ok((false, user_message)),
        Verdict::Defer => return Err(ExpandError::Forced(format!("DEFER from acl \"{name}\""))),
        Verdict::Discard => "DISCARD",
        Verdict::FailDrop => "FAIL_DROP",
        Verdict::Error => "ERROR",
    };
    failed(format!("{rc} from acl \"{name}\""))
}

/// Looks up the name of the client, if that was not done: what `$sender_host_name` triggers.
pub fn host_name_lookup(ctx: &mut Context) {
    let _ = ctx;
}

/// The number of messages on the queue as the daemon tells it; empty without a daemon.
pub fn queue_size(ctx: &mut Context) -> Option<Text> {
    let _ = ctx;
    None
}

/// `$recipients_max`-like: the SPF, DKIM, DMARC and ARC parts of `${authresults}`, each beginning with `;`.
pub fn auth_results(ctx: &mut Context) -> Vec<Text> {
    let _ = ctx;
    Vec::new()
}

/// A field of a certificate (PEM), for `${certextract}`; `modifiers` are as written after the first comma.
/// `None` if the certificate has no such field.
pub fn certificate_field(pem: &[u8], field: &[u8], modifiers: &[u8]) -> Result<Option<Text>, ExpandError> {
    let _ = (pem, modifiers);
    failed(format!("certificate field \"{}\" is not implemented", field.as_bstr()))
}

/// A TLS connection for `${readsocket}`.
pub fn tls_exchange(ctx: &mut Context, sni: Option<&[u8]>) -> Result<(), ExpandError> {
    let _ = (ctx, sni);
    failed("TLS for readsocket is not implemented")
}

/// `${perl}`
pub fn perl(ctx: &mut Context, args: &[Text]) -> Result<Option<Text>, ExpandError> {
    let _ = (ctx, args);
    failed("the perl expansion item is not implemented")
}

/// `pam{...}`
pub fn pam(ctx: &mut Context, data: &Text) -> Result<bool, ExpandError> {
    let _ = (ctx, data);
    failed("support for \"pam\" not compiled")
}

/// `ldapauth{...}`
pub fn ldapauth(ctx: &mut Context, query: &Text) -> Result<bool, ExpandError> {
    let _ = (ctx, query);
    failed("support for \"ldapauth\" not compiled")
}

/// `$version_number`, unless `exim_version` replaces it.
pub fn version() -> bstr::BString {
    crate::version::version()
}

/// `$compile_date`
pub fn compile_date() -> String {
    String::new()
}

/// `$compile_number`
pub fn compile_number() -> u32 {
    1
}

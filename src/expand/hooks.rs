//! What expansions need from rooms above or beside this one: lookups, lists, ACLs, verification, and the daemon.
//! Thin adaptors and nothing else, so that those rooms can change without touching the items.
//!
//! What no room offers yet is an error that names it.

use bstr::ByteSlice;

use super::{ExpandError, failed};
use crate::acl::{self, AclResult, Verdict, Where};
use crate::context::Context;
use crate::lookups::{self, LookupError, Spec};
use crate::matching::{self, List, Match, Request, Subject};
use crate::sys::time;
use crate::text::{Taint, Text};
use crate::tls_openssl::{Cert, extract};

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

/// The conditions that match against lists. The answer is whether the subject is in the list, and what the item that matched
/// gave; captures of the item become `$0`, `$1`..., but not of an address, as the reference has it.
pub fn match_list(ctx: &mut Context, subject: Subject<'_>, list: &Template) -> Result<Option<Option<Text>>, ExpandError> {
    let mut data = None;
    let captures = !matches!(subject, Subject::Address { .. });
    let request = Request { subject, list: List::Expand(list), single: false, captures, label: None };
    // What is known of a named list does not say what its items capture.
    let known = ctx.services.lists.enter_address();
    let result = matching::test(ctx, &request, Some(&mut data));
    ctx.services.lists.leave_address(known);
    answer(result, list).map(|yes| yes.then_some(data))
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
    // What became of it stands in the session.
    let _ = matching::host_name_lookup(ctx);
}

/// The number of messages on the queue as the daemon tells it; empty without a daemon.
pub fn queue_size(ctx: &mut Context) -> Option<Text> {
    crate::daemon::notifier::queue_size(ctx).map(|n| Text::clean(n.to_string()))
}

/// The SPF, DKIM, DMARC and ARC parts of `${authresults}`, each beginning with `;`.
pub fn auth_results(ctx: &mut Context) -> Vec<Text> {
    crate::mail_auth::auth_results(ctx)
}

/// A field of a certificate (PEM), for `${certextract}`; `modifiers` are as written after the first comma.
/// `None` if the certificate has no such field.
pub fn certificate_field(pem: &[u8], field: &[u8], modifiers: &[u8]) -> Result<Option<Text>, ExpandError> {
    let cert = Cert::from_pem(pem).or_else(|e| failed(format!("certificate not usable: {e}")))?;
    let selector = [field, b",", modifiers].concat();
    let offset = |t: i64| time::localtime(t).and_then(|tm| i32::try_from(tm.offset).ok()).unwrap_or(0);
    match extract(&cert, &String::from_utf8_lossy(&selector), &offset) {
        Ok(value) => Ok(value.map(Text::tainted)),
        Err(e) => failed(e.to_string()),
    }
}

/// `ldapauth{...}`
pub fn ldapauth(ctx: &mut Context, query: &Text) -> Result<bool, ExpandError> {
    if !crate::build_options::LOOKUP_LDAP {
        return failed("support for \"ldapauth\" not compiled");
    }
    crate::lookups::ldap::authenticate(ctx, query).or_else(failed)
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

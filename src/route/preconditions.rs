//! Preconditions of routers, in the manual's order (section 3.12). Affixes are tested before, by the walk.

use bstr::ByteSlice;

use super::{Address, RoutePurpose};
use crate::config::options::ExpBool;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::matching::{self, Match, Subject};
use crate::routers::RouterInstance;
use crate::sys::users::User;
use crate::text::Text;

/// What the preconditions say.
pub enum Verdict {
    /// All hold; the local user, if one was looked for.
    Run(Option<User>),
    /// One does not.
    Skip,
    /// One could not be tested: message.
    Defer(String),
}

/// Tests all preconditions; sets the `_data` variables that they give on the address and in the context.
pub fn check(ctx: &mut Context, router: &RouterInstance, addr: &mut Address, purpose: RoutePurpose) -> Verdict {
    let g = &router.generic;
    let verifying = matches!(purpose, RoutePurpose::VerifyRecipient | RoutePurpose::VerifySender);
    let skip = match purpose {
        RoutePurpose::Test => !g.address_test,
        RoutePurpose::VerifySender => !g.verify_sender,
        RoutePurpose::VerifyRecipient => !g.verify_recipient,
        RoutePurpose::Expn => !g.expn,
        RoutePurpose::Deliver => false,
    };
    if skip || (g.verify_only && !verifying) {
        return Verdict::Skip;
    }
    if let Some(list) = g.domains.get() {
        let domain = addr.domain.clone();
        match matching::match_router_list(ctx, "domains", Subject::Domain(&domain), list, Some(&mut addr.domain_data)) {
            Match::Yes => ctx.address.domain_data = addr.domain_data.clone(),
            Match::No => return Verdict::Skip,
            Match::Defer(_) => return Verdict::Defer("domains check lookup or other defer".into()),
        }
    }
    if let Some(list) = g.local_parts.get() {
        let local = addr.local_part.clone();
        let subject = match g.caseful_local_part {
            true => Subject::CasefulLocalPart(&local),
            false => Subject::LocalPart(&local),
        };
        match matching::match_router_list(ctx, "local_parts", subject, list, Some(&mut addr.local_part_data)) {
            Match::Yes => ctx.address.local_part_data = addr.local_part_data.clone(),
            Match::No => return Verdict::Skip,
            Match::Defer(_) => return Verdict::Defer("local_parts check lookup or other defer".into()),
        }
    }
    let mut user = None;
    ctx.address.local_user_uid = None;
    ctx.address.local_user_gid = None;
    if g.check_local_user {
        match ctx.config.user_by_name(&addr.local_part) {
            Ok(Some(u)) => {
                let name = Text::clean(u.name.clone());
                ctx.address.local_user_uid = Some(u.uid);
                ctx.address.local_user_gid = Some(u.gid);
                ctx.address.home = Some(Text::clean(u.home.clone()));
                // The password file vouches for the name.
                addr.local_part_data = Some(name.clone());
                ctx.address.local_part_data = Some(name);
                user = Some(u);
            }
            Ok(None) => return Verdict::Skip,
            Err(e) => return Verdict::Defer(format!("failed to look up user {}: {e}", addr.local_part)),
        }
    }
    if let Some(home) = g.router_home_directory.get() {
        match expand::expand(ctx, home) {
            Ok(t) if t.is_empty() => {}
            Ok(t) => ctx.address.home = Some(t),
            Err(ExpandError::Forced(_)) => {}
            Err(e) => {
                return Verdict::Defer(format!("failed to expand \"{}\" for router_home_directory: {e}", home.raw().as_bstr()));
            }
        }
    }
    if let Some(list) = g.senders.get() {
        let sender = ctx.message.sender.clone().unwrap_or_default();
        match matching::match_option(ctx, "senders", Subject::Address { address: &sender, caseless: true }, list, None) {
            Match::Yes => {}
            Match::No => return Verdict::Skip,
            Match::Defer(_) => return Verdict::Defer("senders check lookup or other defer".into()),
        }
    }
    if let Some(list) = g.require_files.get() {
        match super::require_files::check(ctx, list) {
            Ok(true) => {}
            Ok(false) => return Verdict::Skip,
            Err(message) => return Verdict::Defer(message),
        }
    }
    for condition in &g.condition.values {
        match expand::expand_condition(ctx, condition) {
            Ok(true) => {}
            Ok(false) => return Verdict::Skip,
            Err(ExpandError::Defer(_)) => return Verdict::Defer("condition check lookup defer".into()),
            Err(ExpandError::Forced(_)) => return Verdict::Skip,
            Err(e) => {
                return Verdict::Defer(format!(
                    "failed to expand \"{}\" condition for {} router: {e}",
                    condition.raw().as_bstr(),
                    router.name
                ));
            }
        }
    }
    if !crate::scan::brightmail::allows(ctx, g) {
        return Verdict::Skip;
    }
    Verdict::Run(user)
}

/// `more` and `unseen`; the error says which.
pub fn boolean(ctx: &mut Context, router: &RouterInstance, name: &str, value: &ExpBool) -> Result<bool, String> {
    match value {
        ExpBool::Fixed(b) => Ok(*b),
        ExpBool::Expanded(t) => expand::expand_bool(ctx, name, value)
            .map_err(|e| format!("failed to expand \"{}\" in {} router: {e}", t.raw().as_bstr(), router.name)),
    }
}

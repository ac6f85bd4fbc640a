//! Filters of the redirect router: run as the user, and what comes of them.

use bstr::ByteSlice;

use super::source::in_child;
use super::{ALL_SKIPPED, RedirectOptions, children, log_discarded, needs_child, skip_errors};
use crate::config::options::Str;
use crate::context::Context;
use crate::expand::{self, ExpandError, forbid};
use crate::filter::exim::{Allowed, Job};
use crate::filter::{End, FilterKind, Filtered, Generated, exim, is_filter, sieve};
use crate::parse::forward::SkippedError;
use crate::pipe_fields::{In, Out};
use crate::retry::errors;
use crate::route::{Address, RoutePurpose, Routed, common};
use crate::routers::RouterInstance;
use crate::text::Text;

/// Runs the filter, and says what becomes of the address.
pub(super) fn route(
    ctx: &mut Context,
    router: &RouterInstance,
    o: &RedirectOptions,
    addr: &mut Address,
    purpose: RoutePurpose,
    text: &Text,
) -> Routed {
    let found = match refusal(o, text) {
        Some(message) => Filtered::error(message),
        None => match prepare(ctx, router, o) {
            Ok(job) => as_user(ctx, o, job, addr, purpose, text),
            Err(message) => Filtered::error(message),
        },
    };
    let deliver = purpose == RoutePurpose::Deliver;
    let end = match found.end {
        End::Error(message) if o.skip_syntax_errors => {
            let error = SkippedError { message, item: Default::default() };
            skip_errors(ctx, router, o, purpose, &[error], false);
            addr.failure.message = Some(Text::clean(ALL_SKIPPED));
            return Routed::Decline;
        }
        End::Error(message) => {
            addr.failure.basic_errno = errors::BAD_REDIRECT;
            return common::defer(addr, format!("error in filter {}: {message}", o.kind()));
        }
        end => end,
    };
    let items: Vec<Generated> = found.items.into_iter().map(Generated::users_own).collect();
    let generated = match children::make(ctx, router, o, addr, purpose, &items, crate::text::Taint::Tainted) {
        Ok(children) => children,
        Err(routed) => return routed,
    };
    let rest = match end {
        End::Delivered if generated.is_empty() => {
            if deliver {
                log_discarded(ctx, router, addr, "discarded");
            }
            return Routed::Discard;
        }
        End::Delivered => return Routed::Children(generated),
        End::Fail(text) => {
            o.give_text(addr, &text);
            Routed::Fail
        }
        End::Defer(text) => {
            o.give_text(addr, &text);
            addr.failure.basic_errno = errors::UNKNOWN;
            Routed::Defer
        }
        End::Freeze(text) => {
            o.give_text(addr, &text);
            addr.failure.basic_errno = errors::UNKNOWN;
            addr.flags.freeze = deliver;
            Routed::Defer
        }
        End::NotDelivered | End::Error(_) => Routed::Decline,
    };
    if generated.is_empty() { rest } else { Routed::And(generated, Box::new(rest)) }
}

/// Is this kind of filter not allowed here?
fn refusal(o: &RedirectOptions, text: &[u8]) -> Option<&'static str> {
    match is_filter(text) {
        _ if !o.allow_filter => Some("filtering not enabled"),
        Some(FilterKind::Sieve) if o.forbid_sieve_filter => Some("Sieve filtering not enabled"),
        Some(FilterKind::Exim) if o.forbid_exim_filter => Some("Exim filtering not enabled"),
        _ => None,
    }
}

/// What a Sieve script needs to know, worked out while we still may look everywhere.
fn prepare(ctx: &mut Context, router: &RouterInstance, o: &RedirectOptions) -> Result<sieve::Job, String> {
    let mut get = |name: &str, value: &Str| match value.get() {
        None => Ok(None),
        Some(t) => match expand::expand(ctx, t) {
            Ok(text) => Ok(Some(text)),
            Err(ExpandError::Forced(_)) => Ok(None),
            Err(e) => Err(format!("failed to expand \"{}\" ({name} of {} router): {e}", t.raw().as_bstr(), router.name)),
        },
    };
    let vacation_directory = get("sieve_vacation_directory", &o.sieve_vacation_directory)?.filter(|d| !d.is_empty());
    if let Some(d) = vacation_directory.as_ref().filter(|d| d.is_tainted()) {
        return Err(format!("Tainted directory name '{d}' for sieve_vacation_directory is not permitted"));
    }
    Ok(sieve::Job {
        inbox: get("sieve_inbox", &o.sieve_inbox)?.unwrap_or_else(|| Text::clean("inbox")),
        user_address: get("sieve_useraddress", &o.sieve_useraddress)?,
        subaddress: get("sieve_subaddress", &o.sieve_subaddress)?,
        vacation_directory,
        enotify_owner: get("sieve_enotify_mailto_owner", &o.sieve_enotify_mailto_owner)?.filter(|d| !d.is_empty()),
        testing: false,
        delivering: false,
    })
}

/// Runs it in a process of the user, if we are somebody else.
fn as_user(
    ctx: &mut Context,
    o: &RedirectOptions,
    job: sieve::Job,
    addr: &Address,
    purpose: RoutePurpose,
    text: &[u8],
) -> Filtered {
    match (addr.uid, addr.gid) {
        (Some(uid), Some(gid)) if needs_child(uid) => {
            // The user has no right to the data file.
            crate::expand::variables::body::keep(ctx);
            let answer = in_child(uid, gid, || {
                // A file name without a slash means nothing here.
                let _ = std::env::set_current_dir("/");
                let mut out = Out::default();
                run(ctx, o, job, purpose, text).encode(&mut out);
                out.finish()
            });
            crate::expand::variables::body::forget(ctx);
            answer.map_or_else(Filtered::error, |bytes| {
                let mut i = In::new(&bytes);
                let found = Filtered::decode(&mut i).filter(|_| i.end().is_some());
                found.unwrap_or_else(|| Filtered::error("the process that ran the filter gave nonsense"))
            })
        }
        _ => run(ctx, o, job, purpose, text),
    }
}

fn run(ctx: &mut Context, o: &RedirectOptions, job: sieve::Job, purpose: RoutePurpose, text: &[u8]) -> Filtered {
    if is_filter(text) == Some(FilterKind::Sieve) {
        let job = sieve::Job { delivering: purpose == RoutePurpose::Deliver, ..job };
        let outcome = sieve::run(ctx, text, &job);
        if let Some(mistake) = outcome.mistake {
            crate::debug!(ctx, FILTER, "Sieve error: {mistake}");
        }
        return outcome.filtered;
    }
    let allowed = Allowed {
        system: false,
        fail: o.allow_fail,
        freeze: o.allow_freeze,
        defer: o.allow_defer,
        log: !o.forbid_filter_logwrite,
    };
    let job = Job { allowed, prepend_home: o.filter_prepend_home, testing: false, writes_log: purpose == RoutePurpose::Deliver };
    let outer = std::mem::replace(&mut ctx.scratch.expand_forbid, forbidden(o));
    let numeric = ctx.scratch.numeric.clone();
    let found = exim::run(ctx, text, job);
    ctx.scratch.expand_forbid = outer;
    ctx.scratch.numeric = numeric;
    found
}

/// What expansions in the filter may not do.
fn forbidden(o: &RedirectOptions) -> u32 {
    [
        (o.forbid_filter_existstest, forbid::EXISTS),
        (o.forbid_filter_lookup, forbid::LOOKUP),
        (o.forbid_filter_perl, forbid::PERL),
        (o.forbid_filter_readfile, forbid::READFILE),
        (o.forbid_filter_readsocket, forbid::READSOCKET),
        (o.forbid_filter_run, forbid::RUN),
        (o.forbid_filter_dlfunc, forbid::DLFUNC),
    ]
    .iter()
    .filter(|(set, _)| *set)
    .fold(0, |bits, (_, bit)| bits | bit)
}

//! One callout: the cache, the hosts, what is kept and what is told.

use bstr::BString;

use super::super::address::set_failure;
use super::super::{Outcome, Verified, VerifyOptions, hplain};
use super::cache::{self, Known};
use super::session::{self, Asked, Plan};
use super::{CalloutOptions, hosts};
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::hints::records::{CalloutAddress, CalloutDomain, CalloutResult};
use crate::log::{self, Which};
use crate::retry::errors;
use crate::route::{Address, HostItem};
use crate::text::Text;
use crate::verify::cutthrough;

/// After routing worked: asks the hosts, if there are any. `addr` gets the failure; `routed` is what routing made of it.
pub fn for_routed(
    ctx: &mut Context,
    addr: &mut Address,
    routed: &Address,
    options: &VerifyOptions,
    callout: &CalloutOptions,
    result: &mut Verified,
) -> Outcome {
    let hosts = hosts::of(ctx, routed);
    if hosts.is_empty() {
        hplain!(ctx, VERIFY, "Cannot do callout: neither router nor transport provided a host list, or transport is not smtp");
        return Outcome::Ok;
    }
    hplain!(ctx, VERIFY, "Attempting full verification using callout");
    if ctx.run.host_checking && !ctx.run.host_checking_callout {
        hplain!(ctx, VERIFY, "... callout omitted by default when host testing");
        hplain!(ctx, VERIFY, "(Use -bhc if you want the callouts to happen.)");
        return Outcome::Ok;
    }
    let saved = ctx.address.clone();
    crate::route::set_address_vars(ctx, routed);
    ctx.address.verify_mode = saved.verify_mode;
    let outcome = callout_to(ctx, addr, routed, &hosts, options, callout, result);
    ctx.address = saved;
    ctx.session.tls_out = Default::default();
    outcome
}

fn callout_to(
    ctx: &mut Context,
    addr: &mut Address,
    routed: &Address,
    hosts: &[HostItem],
    options: &VerifyOptions,
    c: &CalloutOptions,
    result: &mut Verified,
) -> Outcome {
    let (from, key) = sender_and_key(ctx, routed, options, c);
    let mut pm_mailfrom = c.postmaster_mailfrom.clone();
    let mut random = c.random;
    let mut domain_record = CalloutDomain::default();
    let mut old_domain = CalloutResult::Unknown;
    let who = cache::Who { domain: &routed.domain, key: &key, from: &from };
    let smtp = routed.transport.as_ref().and_then(|t| Some((t, t.driver.as_smtp()?)));
    let hold = smtp.is_some_and(|(t, smtp)| cutthrough::may_hold(ctx, options, c, t, smtp));
    // Cutthrough delivery needs a connection, whatever is known already.
    let no_cache = c.no_cache || (hold && ctx.cutthrough.deliver);
    let known = cache::look_up(ctx, &who, no_cache, &mut random, &mut pm_mailfrom, &mut domain_record, &mut old_domain);
    if !matches!(known, Known::Nothing) && ctx.cutthrough.hold {
        cutthrough::end(ctx, "cache-hit");
    }
    match known {
        Known::Nothing => {}
        Known::Accepted(why) => {
            if let Some(why) = why {
                set_failure(ctx, options, Some(why));
            }
            return Outcome::Ok;
        }
        Known::Refused { failure, message } => {
            set_failure(ctx, options, Some(failure));
            result.null_sender_failed |= failure == "mail";
            result.postmaster_failed |= failure == "postmaster";
            addr.failure.user_message = Some(Text::clean(message));
            return Outcome::Fail;
        }
    }

    let Some(transport) = routed.transport.clone() else {
        hplain!(ctx, VERIFY, "cannot callout via null transport");
        return not_done(ctx, addr, hosts.len(), options);
    };
    let Some(smtp) = transport.driver.as_smtp() else {
        let line = format!("callout transport '{}': {} is non-smtp", transport.name, transport.driver_name);
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
        return not_done(ctx, addr, hosts.len(), options);
    };
    let random_local_part = if random { random_local_part(ctx) } else { None };
    if !ctx.session.no_callout_flush
        && let Some(wire) = ctx.session.wire.as_mut()
    {
        wire.flush();
    }
    let mut plan = Plan {
        transport: &transport,
        smtp,
        options,
        callout: c,
        from,
        random_local_part,
        postmaster_mailfrom: pm_mailfrom,
        routed,
        old_domain,
        hold,
    };
    let mut asked = Asked { domain: domain_record, ..Asked::default() };
    session::ask_all(ctx, &mut plan, hosts, &mut asked);
    result.null_sender_failed |= asked.null_sender_failed;
    result.postmaster_failed |= asked.postmaster_failed;
    if let Some(why) = asked.why {
        set_failure(ctx, options, Some(why));
    }
    addr.failure.message = asked.message.clone();
    addr.failure.user_message = asked.user_message.clone();
    if !no_cache {
        let address = CalloutAddress { result: asked.address };
        cache::write(ctx, &routed.domain, &asked.domain, asked.outcome.is_some().then_some((&address, &key)));
    }
    match asked.outcome {
        Some(outcome) => outcome,
        None => not_done(ctx, addr, hosts.len(), options),
    }
}

/// MAIL FROM of the callout, and the key under which its result is kept.
fn sender_and_key(ctx: &mut Context, addr: &Address, options: &VerifyOptions, c: &CalloutOptions) -> (Text, BString) {
    let mut from = Text::new();
    if options.recipient {
        if c.use_sender {
            from = ctx.message.sender.clone().unwrap_or_default();
            if c.use_tptsender
                && let Some(t) = addr.transport.as_ref().and_then(|t| t.generic.return_path.get().cloned())
            {
                ctx.address.return_path = Some(from.clone());
                match expand::expand(ctx, &t) {
                    Ok(path) => from = path,
                    Err(ExpandError::Forced(_)) => {}
                    Err(e) => {
                        let line = format!("failed to expand return_path for callout: {e}");
                        log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
                    }
                }
            }
        } else if c.use_postmaster {
            from = Text::clean(format!("postmaster@{}", ctx.config.site.qualify_domain));
        }
    } else if let Some(f) = &c.mailfrom {
        from = f.clone();
    }
    let mut key = BString::from(addr.address.as_bytes());
    // The answer may depend on the sender.
    if !from.is_empty() || (options.recipient && c.use_sender) {
        key.extend_from_slice(b"/<");
        key.extend_from_slice(&from);
        key.push(b'>');
    }
    (from, key)
}

fn random_local_part(ctx: &mut Context) -> Option<Text> {
    let template = ctx.config.main.callout_random_local_part.get().cloned()?;
    match expand::expand(ctx, &template) {
        Ok(t) => Some(t),
        Err(e) => {
            let line = format!("failed to expand callout_random_local_part: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            None
        }
    }
}

/// Nobody gave a definite answer.
fn not_done(ctx: &Context, addr: &mut Address, hosts: usize, options: &VerifyOptions) -> Outcome {
    let dull = format!("Could not complete {} verify callout", if options.recipient { "recipient" } else { "sender" });
    let f = &mut addr.failure;
    let mut message = Text::clean(dull.clone());
    if hosts == 1
        && let Some(m) = &f.message
    {
        message.push_bytes(b": ");
        message.push(m);
    }
    f.message = Some(message);
    f.user_message = Some(Text::tainted(if ctx.config.main.smtp_return_error_details {
        let advice = if options.recipient {
            "the address will never be accepted."
        } else {
            "you need to change the address or create an MX record for its domain\n\
             if it is supposed to be generally accessible from the Internet.\n\
             Talk to your mail administrator for details."
        };
        format!(
            "{dull} for <{}>.\nThe mail server(s) for the domain may be temporarily unreachable, or\n\
             they may be permanently unreachable from this server. In the latter case,\n{advice}",
            addr.address
        )
    } else {
        dull
    }));
    f.basic_errno = errors::CALLOUT_DEFER;
    Outcome::Defer
}

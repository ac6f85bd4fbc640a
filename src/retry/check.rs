//! May a host or an address be tried now? (manual sections 32.6 to 32.10)
//!
//! Remote transports ask for each host; delivery asks for addresses.

use bstr::BString;

use super::find::find_rule;
use super::record;
use crate::context::Context;
use crate::debug;
use crate::hints::HintsDb;
use crate::hints::records::Retry;
use crate::route::{HostItem, HostStatus};
use crate::sys::time::unix_time;

/// What the hints say of one host.
#[derive(Clone, Debug, Default)]
pub struct HostCheck {
    /// Key of the host's record: `T:name[:ip[:port]]`.
    pub host_key: BString,
    /// Key of the record of this host for this message: the same with `:message-id`.
    pub message_key: BString,
    /// There is a host record, to be deleted when the host works.
    pub host_record: bool,
    /// There is a message record.
    pub message_record: bool,
    /// The host has passed its last retry, but its time has come again: one attempt is allowed.
    pub expired: bool,
}

/// Looks up a host. Sets `status`, `why` and `last_try` of the host when it must not be tried now. `port`: as the
/// transport writes it in keys, empty or `:port` for a port that is not the usual one.
pub fn check_host(
    ctx: &mut Context,
    db: Option<&mut (dyn HintsDb + '_)>,
    domain: &[u8],
    host: &mut HostItem,
    port: &[u8],
    include_ip: bool,
    force: bool,
) -> HostCheck {
    let mut key = BString::from("T:");
    // An address as name could not be told from what follows it.
    if crate::route::hosts::literal(&host.name).is_some() && !host.name.starts_with(b"[") {
        key.extend_from_slice(&[b"[", host.name.as_bytes(), b"]"].concat());
    } else {
        key.extend_from_slice(&host.name.to_ascii_lowercase());
    }
    if include_ip {
        let v6 = host.address_text.contains(&b':');
        key.extend_from_slice(if v6 { b":[" } else { b":" });
        key.extend_from_slice(&host.address_text);
        if v6 {
            key.push(b']');
        }
    }
    key.extend_from_slice(port);
    let mut message_key = key.clone();
    message_key.push(b':');
    message_key.extend_from_slice(&ctx.message.id);
    let mut found = HostCheck { host_key: key, message_key, ..HostCheck::default() };
    let Some(db) = db else {
        debug!(ctx, RETRY, "no retry data available: {} may be tried", found.host_key);
        return found;
    };
    let now = unix_time();
    if let Some(r) = record(ctx, db, &found.host_key) {
        found.host_record = true;
        host.last_try = r.last_try;
        if now < r.next_try && !force {
            if !r.expired && ultimate_timeout(ctx, &found.host_key, Some(domain), &r, now) {
                debug!(ctx, RETRY, "{}: the message is too old to wait, the host is tried", found.host_key);
                return found;
            }
            host.status = if r.expired { HostStatus::UnusableExpired } else { HostStatus::UnusableRetry };
            host.why = Some("retry time not reached".into());
            debug!(ctx, RETRY, "{}: retry time not reached ({} seconds to go)", found.host_key, r.next_try - now);
            return found;
        }
        found.expired = r.expired;
    }
    if let Some(r) = record(ctx, db, &found.message_key) {
        found.message_record = true;
        if now < r.next_try && !force && !ultimate_timeout(ctx, &found.host_key, Some(domain), &r, now) {
            host.status = HostStatus::UnusableRetry;
            host.why = Some("retry time not reached".into());
            found.expired = false;
            debug!(ctx, RETRY, "{}: retry time not reached ({} seconds to go)", found.message_key, r.next_try - now);
            return found;
        }
    }
    let have = |is: bool| if is { "have" } else { "no" };
    let (host_record, message_record) = (have(found.host_record), have(found.message_record));
    debug!(
        ctx,
        RETRY, "{}: {host_record} host retry record, {message_record} message retry record: may be tried", found.host_key
    );
    found
}

/// Has the message been on the queue for longer than the last step of the rule that applies? Then it gets an attempt
/// whatever the hints say (section 32.10). No rule counts as passed.
pub fn ultimate_timeout(ctx: &mut Context, key: &[u8], domain: Option<&[u8]>, r: &Retry, now: i64) -> bool {
    let config = ctx.config.clone();
    let plain = key.get(2..).unwrap_or_default();
    let Some(rule) = find_rule(ctx, &config.retry, plain, domain, r.basic_errno, r.more_errno) else { return true };
    match rule.steps.last() {
        Some(last) => now - ctx.message.received_time.0 > last.timeout,
        None => true,
    }
}

/// May an address be routed in a queue run? `false`: its retry time has not come. (Outside of queue runs routing is
/// always tried.) The first value says whether a record exists.
pub fn check_routing(
    ctx: &mut Context,
    db: &mut dyn HintsDb,
    domain_key: &[u8],
    address_key: &[u8],
    domain: &[u8],
) -> RoutingCheck {
    debug!(ctx, RETRY, "checking router retry status");
    let now = unix_time();
    let domain_record = record(ctx, db, domain_key);
    let mut address_record = record(ctx, db, address_key);
    if address_record.is_none() {
        let mut with_sender = BString::from(address_key);
        with_sender.extend_from_slice(b":<");
        with_sender.extend_from_slice(ctx.message.sender.as_deref().unwrap_or_default());
        with_sender.push(b'>');
        address_record = record(ctx, db, &with_sender);
    }
    let have = |r: &Option<Retry>| if r.is_some() { "have" } else { "no  " };
    debug!(ctx, RETRY, " {} domain  retry record", have(&domain_record));
    debug!(ctx, RETRY, " {} address retry record", have(&address_record));
    let early = domain_record.as_ref().is_some_and(|r| now < r.next_try && !r.expired)
        || address_record.as_ref().is_some_and(|r| now < r.next_try);
    let too_early = early
        && match (&domain_record, &address_record) {
            (None, Some(r)) => !ultimate_timeout(ctx, address_key, Some(domain), r, now),
            _ => true,
        };
    if too_early {
        debug!(ctx, RETRY, " retry time not reached");
    }
    RoutingCheck {
        exists: domain_record.is_some() || address_record.is_some(),
        domain_exists: domain_record.is_some(),
        too_early,
        last_error: address_record.or(domain_record).map(|r| r.text).unwrap_or_default(),
    }
}

/// What the hints say of routing an address.
#[derive(Clone, Debug, Default)]
pub struct RoutingCheck {
    /// There is a record of the domain or of the address.
    pub exists: bool,
    /// There is one of the domain.
    pub domain_exists: bool,
    /// Its time has not come.
    pub too_early: bool,
    /// The error that made the record.
    pub last_error: BString,
}

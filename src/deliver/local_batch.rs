//! Which local addresses are delivered together in one run of a transport (manual chapter 25), and which must wait for their
//! retry time.

use bstr::{BString, ByteSlice};
use std::sync::Arc;

use super::local::LocalTransport;
use super::post::{self, Outcome, Stage};
use super::state::Delivery;
use crate::config::options::OptionSet;
use crate::context::Context;
use crate::debug;
use crate::expand;
use crate::hints::Mode;
use crate::log::{self, Which};
use crate::retry::{self, errors};
use crate::route::{self, Address, AddressKind};
use crate::text::Text;
use crate::transports::TransportInstance;

/// Takes the addresses that can be delivered together with the first.
pub(super) fn next_batch(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    first: Address,
) -> Option<(Arc<TransportInstance>, Vec<Address>)> {
    let (transport, first) = d.transport_of(ctx, first)?;
    let max = transport.local().map_or(1, LocalTransport::batch_max).max(1);
    let mut batch = vec![first];
    if max > 1 && !d.local.is_empty() {
        let key = batch_key(ctx, &transport, &batch[0])?.ok();
        if let Some(key) = key {
            let waiting = std::mem::take(&mut d.local);
            for a in waiting {
                let fits = batch.len() < max
                    && a.transport.as_ref().is_some_and(|t| Arc::ptr_eq(t, &transport))
                    && same(&transport, &batch[0], &a)
                    && matches!(batch_key(ctx, &transport, &a), Some(Ok(k)) if k == key);
                if !fits {
                    d.local.push_back(a);
                } else if !d.previously_transported(ctx, &a) {
                    batch.push(a);
                }
            }
        }
    }
    Some((transport, batch))
}

/// The expanded `batch_id`; an error is logged and means that there is no batching.
fn batch_key(ctx: &mut Context, transport: &TransportInstance, a: &Address) -> Option<Result<Text, ()>> {
    let Some(t) = transport.local()?.batch_id() else { return Some(Ok(Text::new())) };
    route::set_address_vars(ctx, a);
    let result = expand::expand(ctx, t);
    route::clear_address_vars(ctx);
    Some(result.map_err(|e| {
        let text = format!("Failed to expand batch_id option in {} transport ({}): {e}", transport.name, a.address);
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
    }))
}

/// May the two be delivered by one run of the transport (manual chapter 25)?
fn same(transport: &TransportInstance, a: &Address, b: &Address) -> bool {
    let command = matches!(a.kind, AddressKind::File | AddressKind::Pipe);
    a.kind == b.kind
        && (!(command || depends(transport, "local_part"))
            || (a.local_part == b.local_part && a.prefix == b.prefix && a.suffix == b.suffix))
        && (!depends(transport, "domain") || a.domain == b.domain)
        && a.errors_to == b.errors_to
        && a.srs_sender == b.srs_sender
        && a.headers_add == b.headers_add
        && a.headers_remove == b.headers_remove
        && (a.uid, a.gid) == (b.uid, b.gid)
        && a.hosts.first().map(|h| &h.name) == b.hosts.first().map(|h| &h.name)
}

/// Does any option of the transport mention a variable?
fn depends(transport: &TransportInstance, variable: &str) -> bool {
    let (generic, private): (&dyn OptionSet, &dyn OptionSet) = (&transport.generic, transport.driver.options());
    [generic, private]
        .into_iter()
        .any(|set| set.names().iter().filter_map(|n| set.option(n).map(|o| o.show(n))).any(|shown| mentions(&shown, variable)))
}

/// Does a string mention a variable, as `$name`, `${name}` or the argument of an operator?
fn mentions(shown: &[u8], variable: &str) -> bool {
    shown.find_iter(variable.as_bytes()).any(|at| {
        let before = shown[..at].last();
        let after = shown.get(at + variable.len());
        let ends = !after.is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_');
        ends && matches!(before, Some(b'$' | b'{' | b':'))
    })
}

/// Of several addresses, the variables that are about one of them are unset; the domain is kept if all have it
/// (manual section 11.9, `$local_part`, `$domain`).
pub(super) fn keep_common_vars(ctx: &mut Context, batch: &[Address]) {
    let v = &mut ctx.address;
    for variable in [
        &mut v.local_part,
        &mut v.local_part_data,
        &mut v.prefix,
        &mut v.prefix_v,
        &mut v.suffix,
        &mut v.suffix_v,
        &mut v.original_local_part,
        &mut v.original_domain,
        &mut v.parent_local_part,
        &mut v.parent_domain,
    ] {
        *variable = None;
    }
    if batch.iter().any(|a| a.domain != batch[0].domain) {
        v.domain = None;
        v.domain_data = None;
    }
}

/// In a queue run, addresses whose retry time has not come are deferred. Notes which ones have a record.
pub(super) fn drop_too_early(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    transport: &TransportInstance,
    batch: Vec<Address>,
) -> Vec<Address> {
    let Some(mut db) = retry::open(ctx, Mode::Read) else { return batch };
    let now = crate::sys::time::unix_time();
    let mut kept = Vec::new();
    for mut a in batch {
        let key = retry_key(transport, &a);
        let Some(r) = retry::record(ctx, db.as_mut(), &key) else {
            kept.push(a);
            continue;
        };
        a.flags.delivery_retry_exists = true;
        let domain = a.domain.clone();
        let early = d.options.queue_running
            && !d.options.force_retry
            && now < r.next_try
            && !r.expired
            && !retry::check::ultimate_timeout(ctx, &key, Some(&domain), &r, now);
        debug!(ctx, RETRY, "retry record exists for {key}: {}", if early { "retry time not reached" } else { "may be tried" });
        if early {
            a.failure.basic_errno = errors::RETRY_LOCAL;
            a.failure.message = Some(Text::clean("Retry time not yet reached"));
            post::process(ctx, d, a, Outcome::Defer, Stage::Transport);
        } else {
            kept.push(a);
        }
    }
    kept
}

pub(super) fn retry_key(transport: &TransportInstance, a: &Address) -> BString {
    let mut key = if transport.generic.retry_use_local_part { a.address_retry_key.clone() } else { a.domain_retry_key.clone() };
    if let Some(first) = key.first_mut() {
        *first = b'T';
    }
    key
}

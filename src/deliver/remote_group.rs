//! Which remote addresses go together in one run of a transport, and what must hold before it: limits, size, return path, user.
//!
//! `remote_run` asks for one group after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use bstr::BString;

use super::limits::{self, Place};
use super::post::{self, Outcome, Stage};
use super::remote::RemoteTransport;
use super::state::Delivery;
use super::users::{self, Identity};
use super::{Continued, Purpose};
use crate::config::options::ExpBool;
use crate::context::Context;
use crate::expand;
use crate::matching::{self, Match};
use crate::retry::errors;
use crate::route::{self, Address, HostItem};
use crate::text::Text;
use crate::transports::TransportInstance;

/// One run of a transport, ready to go.
pub(super) struct Group {
    pub(super) transport: Arc<TransportInstance>,
    pub(super) batch: Vec<Address>,
    pub(super) who: Identity,
    pub(super) place: Option<BString>,
    /// Nothing is sent now.
    pub(super) explicitly_queued: bool,
}

/// Takes the addresses that go with the first in one run, and checks what must be checked before it.
pub(super) fn next_group(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    first: Address,
    total: usize,
    limit: usize,
    fallback: bool,
) -> Option<Group> {
    let (transport, mut first) = d.transport_of(ctx, first)?;
    route::set_address_vars(ctx, &first);
    if let Some(outcome) = limits::message_size(ctx, &transport, std::slice::from_mut(&mut first)) {
        post::process(ctx, d, first, outcome, Stage::Transport);
        return None;
    }
    let remote = transport.remote()?;
    let multi = match multi_domain(ctx, remote, &transport) {
        Ok(m) => m && !first.hosts.first().is_some_and(|h| remote.single_domain(ctx, h)),
        Err(text) => return give_up(ctx, d, vec![first], (errors::EXPAND_FAIL, text, false), Outcome::Panic),
    };
    let max = match max_rcpt(ctx, remote, &transport) {
        Ok(m) => share(m, total, limit, remote.max_messages()),
        Err(text) => return give_up(ctx, d, vec![first], (errors::EXPAND_FAIL, text, false), Outcome::Panic),
    };
    let mut batch = vec![first];
    let waiting: VecDeque<Address> = std::mem::take(&mut d.remote);
    for a in waiting {
        let fits = batch.len() < max
            && (a.domain == batch[0].domain || (multi && may_mix(ctx, remote, &transport, &a)))
            && a.transport.as_ref().is_some_and(|t| Arc::ptr_eq(t, &transport))
            && same_hosts(&a.hosts, &batch[0].hosts)
            && a.errors_to == batch[0].errors_to
            && a.srs_sender == batch[0].srs_sender
            && a.headers_add == batch[0].headers_add
            && a.headers_remove == batch[0].headers_remove
            && (a.uid, a.gid) == (batch[0].uid, batch[0].gid);
        if !fits {
            d.remote.push_back(a);
        } else if !d.previously_transported(ctx, &a) {
            batch.push(a);
        }
    }
    route::set_address_vars(ctx, &batch[0]);
    if batch.iter().any(|a| a.domain != batch[0].domain) {
        // The variables must be right for every address of the run.
        ctx.address.domain = None;
        ctx.address.domain_data = None;
    }
    if batch.len() > 1 {
        ctx.address.local_part = None;
        ctx.address.local_part_data = None;
    }
    let place = match limits::enter(ctx, &transport) {
        Place::Taken(key) => key,
        Place::None => {
            let problem = (errors::RETRY_TRANSPORT, "concurrency limit reached for transport".into(), false);
            return give_up(ctx, d, batch, problem, Outcome::Defer);
        }
        Place::Broken(text) => return give_up(ctx, d, batch, (errors::EXPAND_FAIL, text, false), Outcome::Panic),
    };
    let prepared =
        users::return_path(ctx, &transport, &batch[0]).and_then(|p| Ok((p, users::identity(ctx, &transport, &batch[0])?)));
    let (path, who) = match prepared {
        Ok(p) => p,
        Err(problem) => {
            limits::leave(ctx, place.as_ref());
            return give_up(ctx, d, batch, problem, Outcome::Defer);
        }
    };
    for a in &mut batch {
        a.return_path = Some(path.clone());
        if a.fallback_hosts.is_empty() && !fallback {
            a.fallback_hosts = remote.fallback_hosts(ctx);
        }
    }
    if d.options.continuing().is_some_and(|c| !fits_connection(ctx, c, &transport, &batch[0], fallback)) {
        // Another connection is not made now; fallback hosts may be the ones that are connected.
        limits::leave(ctx, place.as_ref());
        for mut a in batch {
            if !a.fallback_hosts.is_empty() && !fallback {
                a.hosts = std::mem::take(&mut a.fallback_hosts);
                d.fallback.push_front(a);
            } else {
                d.deferred.push_front(a);
            }
        }
        return None;
    }
    let explicitly_queued = explicitly_queued(ctx, d, &batch[0].domain.clone());
    Some(Group { transport, batch, who, place, explicitly_queued })
}

/// Can the addresses go down the connection that is open?
fn fits_connection(ctx: &mut Context, c: &Continued, transport: &TransportInstance, a: &Address, fallback: bool) -> bool {
    if c.purpose == Purpose::Turned {
        return a.hosts.iter().any(|h| c.goes_to(&transport.name, h));
    }
    let Some(driver) = transport.remote().filter(|_| c.transport == transport.name) else { return false };
    // A transport that uses its own hosts does not look at those of the address.
    if (a.hosts.is_empty() || driver.overrides_hosts()) && !fallback {
        return true;
    }
    a.hosts.iter().any(|h| h.name.eq_ignore_ascii_case(&c.host) && driver.can_continue(ctx, c, h))
}

/// A group that cannot be tried.
fn give_up(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    mut batch: Vec<Address>,
    problem: users::Problem,
    outcome: Outcome,
) -> Option<Group> {
    users::note_problem(ctx, &mut batch, problem);
    batch.into_iter().for_each(|a| post::process(ctx, d, a, outcome, Stage::Transport));
    None
}

/// Is sending put off for this domain? (A lookup that does not work is no reason to hold up mail.)
fn explicitly_queued(ctx: &mut Context, d: &Delivery<'_>, domain: &Text) -> bool {
    let o = d.options;
    if o.first_phase {
        return true;
    }
    if o.forced || o.force_retry {
        return false;
    }
    let config = ctx.config.clone();
    o.queue_smtp
        || (!o.queue_running
            && config
                .main
                .queue_smtp_domains
                .get()
                .is_some_and(|list| matching::match_domain(ctx, domain, list, None) == Match::Yes))
}

fn multi_domain(ctx: &mut Context, remote: &dyn RemoteTransport, t: &TransportInstance) -> Result<bool, String> {
    match remote.multi_domain() {
        None => Ok(true),
        Some(ExpBool::Fixed(b)) => Ok(*b),
        Some(value) => {
            let value = value.clone();
            expand::expand_bool(ctx, "multi_domain", &value, &format!("{} transport", t.name))
        }
    }
}

/// An expanded `multi_domain` is asked for each address that would join those of another domain.
fn may_mix(ctx: &mut Context, remote: &dyn RemoteTransport, t: &TransportInstance, a: &Address) -> bool {
    if matches!(remote.multi_domain(), None | Some(ExpBool::Fixed(_))) {
        return true;
    }
    let saved = ctx.address.clone();
    route::set_address_vars(ctx, a);
    let may = multi_domain(ctx, remote, t).unwrap_or(false);
    ctx.address = saved;
    may
}

fn max_rcpt(ctx: &mut Context, remote: &dyn RemoteTransport, t: &TransportInstance) -> Result<usize, String> {
    let Some(value) = remote.max_rcpt().cloned() else { return Ok(usize::MAX) };
    if ctx.config.main.mua_wrapper {
        return Ok(usize::MAX);
    }
    match expand::expand_int(ctx, &value, true) {
        Ok(0) => Ok(usize::MAX),
        Ok(n) => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
        Err(e) => Err(format!("failed to expand max_rcpt for {} transport: {e}", t.name)),
    }
}

/// How many addresses one run gets: what fits into an envelope, or its fair share of all, sent in several copies.
fn share(max: usize, total: usize, limit: usize, messages: u64) -> usize {
    let fair = total / limit;
    if max == 1 || max >= fair {
        return max;
    }
    match usize::try_from(messages).unwrap_or(usize::MAX) {
        0 => fair,
        m => fair.min(max.saturating_mul(m)),
    }
}

/// Do two addresses go to the same hosts? Hosts of the same preference may stand in any order.
fn same_hosts(a: &[HostItem], b: &[HostItem]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let key = |h: &HostItem| (h.name.to_ascii_lowercase(), h.port, h.dnssec);
    if a.iter().zip(b).all(|(x, y)| key(x) == key(y)) {
        return true;
    }
    let ordered = |list: &[HostItem]| {
        let mut keys: Vec<_> =
            list.iter().enumerate().map(|(i, h)| (if h.mx == -1 { i as i64 } else { 0 }, h.mx, key(h))).collect();
        keys.sort();
        keys
    };
    a.iter().zip(b).all(|(x, y)| x.mx == y.mx) && ordered(a) == ordered(b)
}

/// `remote_sort_domains`: addresses in the order of the list of domain lists.
pub(super) fn sort_by_domain(ctx: &mut Context, d: &mut Delivery<'_>) {
    let config = ctx.config.clone();
    let Some(list) = config.main.remote_sort_domains.raw() else { return };
    let mut sorted = VecDeque::new();
    for pattern in crate::parse::list::items(list) {
        let pattern = expand::Template::new(&pattern);
        let rest = std::mem::take(&mut d.remote);
        for a in rest {
            match matching::match_domain(ctx, &a.domain.clone(), &pattern, None) {
                Match::Yes => sorted.push_back(a),
                _ => d.remote.push_back(a),
            }
        }
    }
    sorted.append(&mut d.remote);
    d.remote = sorted;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        assert_eq!(share(100, 100, 6, 500), 100);
        assert_eq!(share(10, 100, 2, 500), 50);
        assert_eq!(share(10, 100, 2, 3), 30);
        assert_eq!(share(1, 100, 2, 0), 1);
    }

    #[test]
    fn hosts() {
        let h = |name: &'static str, mx| HostItem { name: name.into(), mx, ..HostItem::default() };
        assert!(same_hosts(&[h("a", 5), h("b", 5)], &[h("b", 5), h("a", 5)]));
        assert!(!same_hosts(&[h("a", 5), h("b", 6)], &[h("b", 5), h("a", 6)]));
        assert!(!same_hosts(&[h("a", -1), h("b", -1)], &[h("b", -1), h("a", -1)]));
    }
}

//! Writing of the retry hints after a delivery run (manual sections 32.5 to 32.9).
//!
//! Called once per run, with all addresses that succeeded, failed or were deferred. Deferred addresses all of whose
//! destinations have timed out are moved to the failed ones here.

use std::collections::{HashMap, VecDeque};

use bstr::{BString, ByteSlice};

use super::find::find_rule;
use super::{RetryRule, RetryStep};
use crate::context::Context;
use crate::debug;
use crate::hints::records::Retry;
use crate::hints::{self, HintsDb, Mode};
use crate::log::{self, Which};
use crate::route::Address;
use crate::route::address::{Failure, RetryItem};
use crate::sys::time::unix_time;
use crate::text::Text;

/// Longest error text kept in a record, bytes.
const MAX_TEXT: usize = 600;

/// Handles all retry items of the three lists. `message_age` is in seconds.
pub fn update(
    ctx: &mut Context,
    deferred: &mut VecDeque<Address>,
    failed: &mut VecDeque<Address>,
    succeeded: &VecDeque<Address>,
    message_age: i64,
) {
    let any = succeeded
        .iter()
        .chain(failed.iter())
        .chain(deferred.iter())
        .any(|a| a.ancestors().chain([a]).any(|x| !x.retries.is_empty()));
    debug!(ctx, RETRY, "Processing retry items");
    let db = if any { super::open(ctx, Mode::Write) } else { None };
    let mut run = Update { db, done: HashMap::new(), now: unix_time(), message_age };
    debug!(ctx, RETRY, " Succeeded addresses:");
    for a in succeeded {
        run.address(ctx, a);
    }
    debug!(ctx, RETRY, " Failed addresses:");
    for a in failed.iter() {
        run.address(ctx, a);
    }
    debug!(ctx, RETRY, " Deferred addresses:");
    // Those of one delivery to a host share its items; they stay together, and in their order.
    let mut together: Vec<Address> = Vec::new();
    for mut a in std::mem::take(deferred) {
        let (updates, timed_out) = run.address(ctx, &a);
        if updates > 0 && updates == timed_out && !a.flags.retry_skipped {
            time_out(ctx, &mut a);
            if together.last().is_some_and(|b| !same_items(b, &a)) {
                together.drain(..).rev().for_each(|b| failed.push_front(b));
            }
            together.push(a);
        } else {
            deferred.push_back(a);
        }
    }
    together.into_iter().rev().for_each(|b| failed.push_front(b));
    debug!(ctx, RETRY, "end of retry processing");
}

/// Both have the items of the same hosts.
fn same_items(a: &Address, b: &Address) -> bool {
    a.retries.iter().any(|i| i.host) && a.retries.iter().map(|i| &i.key).eq(b.retries.iter().map(|i| &i.key))
}

/// The address has failed for good: says so in its messages and in the log.
fn time_out(ctx: &mut Context, a: &mut Address) {
    a.flags.timed_out = true;
    for m in [&mut a.failure.message, &mut a.failure.user_message] {
        *m = Some(match m.take() {
            None => Text::clean("retry timeout exceeded"),
            Some(mut t) => {
                t.push_bytes(b": retry timeout exceeded");
                t
            }
        });
    }
    let mut line = BString::from("** ");
    line.extend_from_slice(&with_parent(a));
    line.extend_from_slice(b": retry timeout exceeded");
    log::write(ctx, None, Which::MAIN, &line);
}

/// `address <parent>`, as the lines about timeouts and ignored errors show it.
pub fn with_parent(a: &Address) -> BString {
    let mut s = BString::from(a.address.as_bytes());
    if let Some(p) = &a.parent {
        s.extend_from_slice(b" <");
        s.extend_from_slice(&p.address);
        s.push(b'>');
    }
    s
}

struct Update {
    db: Option<Box<dyn HintsDb>>,
    /// Keys that this run has updated already, and whether they have timed out: several addresses of one delivery
    /// share the items of their hosts.
    done: HashMap<BString, bool>,
    now: i64,
    message_age: i64,
}

impl Update {
    /// Handles the items of an address and of its ancestors. Gives how many items of its own ask for a retry, and how
    /// many of those have timed out.
    fn address(&mut self, ctx: &mut Context, end: &Address) -> (u32, u32) {
        let (mut updates, mut timed_out) = (0, 0);
        let items: Vec<(bool, &Address, &RetryItem)> = std::iter::once((true, end))
            .chain(end.ancestors().map(|a| (false, a)))
            .flat_map(|(own, a)| a.retries.iter().map(move |i| (own, a, i)))
            .collect();
        let count = if items.is_empty() { "no retry items".into() } else { format!("retry items: {}", items.len()) };
        debug!(ctx, RETRY, "  {}: {count}", end.address.as_bytes().as_bstr());
        for (own, addr, item) in items {
            if item.delete {
                debug!(ctx, RETRY, "  {}: record deleted", item.key);
                if let Some(db) = &mut self.db {
                    let _ = db.delete(&item.key);
                }
                continue;
            }
            updates += u32::from(own);
            let out = match self.done.get(&item.key) {
                Some(out) => *out,
                None => {
                    let out = self.item(ctx, addr, item, own);
                    self.done.insert(item.key.clone(), out);
                    out
                }
            };
            timed_out += u32::from(own && out);
        }
        (updates, timed_out)
    }

    /// Writes one record; true if the destination has timed out.
    fn item(&mut self, ctx: &mut Context, addr: &Address, item: &RetryItem, own: bool) -> bool {
        let config = ctx.config.clone();
        let f = &item.failure;
        let domain = item.host.then_some(addr.domain.as_bytes());
        let plain = item.key.get(2..).unwrap_or_default();
        let Some(rule) = find_rule(ctx, &config.retry, plain, domain, f.basic_errno, f.more_errno) else { return true };
        let Some(db) = &mut self.db else {
            return rule.steps.last().is_none_or(|s| self.message_age > s.timeout);
        };
        let db = db.as_mut();
        let mut record = super::record(ctx, db, &item.key).unwrap_or(Retry { first_failed: self.now, ..Retry::default() });
        let received = ctx.message.received_time.0;
        let mut timed_out = false;
        let mut failing = self.now - record.first_failed;
        if !item.host {
            failing = failing.max(self.message_age);
        }
        let mut step = rule.steps.iter().find(|s| failing <= s.timeout);
        record.expired = step.is_none();
        if step.is_none() {
            timed_out = true;
            step = rule.steps.last();
        } else if own && received <= record.first_failed && past_last(rule, self.now - received) {
            // The message has been waiting for longer than the rule allows, even if others went through.
            timed_out = true;
            step = None;
        }
        record.next_try = match step {
            None => self.now,
            Some(s) => {
                let next = next_try(s, &record, self.now, ctx);
                next.min(self.now + config.main.retry_interval_max.0)
            }
        };
        record.last_try = self.now;
        record.basic_errno = f.basic_errno;
        record.more_errno = f.more_errno;
        record.text = text(f);
        let (wait, expired) = (record.next_try - self.now, if record.expired { ", expired" } else { "" });
        debug!(ctx, RETRY, "  {}: record written: {}, next try in {wait} seconds{expired}", item.key, record.text);
        if let Err(e) = hints::put(db, &item.key, &record) {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes());
        }
        timed_out
    }
}

fn past_last(rule: &RetryRule, age: i64) -> bool {
    rule.steps.last().is_some_and(|s| age > s.timeout)
}

/// When a step says that the next attempt is due.
fn next_try(step: &RetryStep, record: &Retry, now: i64, ctx: &mut Context) -> i64 {
    if step.letter == b'F' {
        return now + step.interval;
    }
    let planned = record.next_try - record.last_try;
    let actual = now - record.last_try;
    let gap = planned.min(actual).saturating_mul(step.factor) / 1000;
    if step.letter == b'G' {
        return now + gap.max(step.interval);
    }
    let mut next = now + step.interval;
    if gap > step.interval {
        let over = gap - step.interval;
        let random = ctx.services.random.below(u32::try_from(over).unwrap_or(u32::MAX));
        next += i64::from(random) / 2 + over / 2;
    }
    next
}

fn text(f: &Failure) -> BString {
    let mut t = match (&f.message, f.basic_errno) {
        (Some(m), _) => BString::from(m.as_bytes()),
        (None, n) if n > 0 => crate::sys::strerror(n).into(),
        (None, _) => "unknown error".into(),
    };
    t.truncate(MAX_TEXT);
    t.iter_mut().filter(|c| **c == b'\n').for_each(|c| *c = b' ');
    t.trim_end().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let mut f = Failure { basic_errno: libc::ECONNREFUSED, ..Failure::default() };
        assert_eq!(text(&f), "Connection refused");
        f.message = Some(Text::clean("a\nb"));
        assert_eq!(text(&f), "a b");
    }
}

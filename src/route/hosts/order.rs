//! The order of hosts: by preference, and at random among equals.

use crate::context::Context;
use crate::route::HostItem;

/// A sort key: thousands are the preference, the rest is chance.
pub fn key(ctx: &mut Context, preference: i64) -> i64 {
    preference * 1000 + i64::from(ctx.services.random.below(500))
}

/// Puts the item into a list that is in order of `sort_key`, after those with the same key.
pub fn insert(list: &mut Vec<HostItem>, item: HostItem) {
    let at = list.iter().position(|h| item.sort_key < h.sort_key).unwrap_or(list.len());
    list.insert(at, item);
}

//! What `-v` and `-d` show of a script that is tried out: comparisons, decisions and deliveries, on standard error.

use std::io::Write as _;

use super::ast::{Comparator, Match, MatchType};
use super::run::Job;
use crate::context::Context;
use crate::log::trace::FILTER;

/// Is it shown?
pub(super) fn on(ctx: &Context, job: &Job) -> bool {
    ctx.run.debug & FILTER != 0 || (job.testing && ctx.run.debug != 0)
}

/// Shows a line, if lines are shown.
pub(super) fn line(ctx: &Context, job: &Job, parts: &[&[u8]]) {
    if on(ctx, job) {
        // Nobody can be told when standard error has gone.
        let _ = std::io::stderr().lock().write_all(&[&parts.concat(), &b"\n"[..]].concat());
    }
}

/// Does one of the keys match the value? Every comparison is shown.
pub(super) fn holds(ctx: &Context, job: &Job, how: &Match, value: &[u8]) -> bool {
    if !on(ctx, job) {
        return how.holds(value);
    }
    let kind = match how.kind {
        MatchType::Is => ":is",
        MatchType::Contains => ":contains",
        MatchType::Matches => ":matches",
    };
    let comparator = match how.comparator {
        Comparator::Octet => "i;octet",
        Comparator::Casemap => "en;ascii-casemap",
        Comparator::Numeric => "i;ascii-numeric",
    };
    how.keys.iter().any(|key| {
        let result = how.holds_for(value, key);
        let first = format!("String comparison (match {kind}, comparison \"{comparator}\"):\n  Search = ");
        let lengths = [format!(" ({} chars)\n  Inside = ", key.len()), format!(" ({} chars)\n  Result {result}", value.len())];
        line(ctx, job, &[first.as_bytes(), key, lengths[0].as_bytes(), value, lengths[1].as_bytes()]);
        result
    })
}

//! Lookups on behalf of a session or a delivery: slow ones are logged (`slow_lookup_log`), failed ones raise the event
//! `dns:fail`.

use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::{Answer, Outcome, Query, RecordType};
use crate::context::Context;
use crate::log::{self, Which};
use crate::text::Text;

/// Asks the resolver of the context, following CNAMEs.
pub fn lookup(ctx: &mut Context, query: &Query<'_>) -> Answer {
    let answer = ctx.services.dns.lookup(&query.of(&ctx.run));
    note(ctx, query.name, query.rtype, &answer);
    answer
}

/// The same without following CNAMEs.
pub fn basic(ctx: &mut Context, query: &Query<'_>) -> Answer {
    let answer = ctx.services.dns.basic(&query.of(&ctx.run));
    note(ctx, query.name, query.rtype, &answer);
    answer
}

/// For an answer that was got otherwise.
pub fn note(ctx: &mut Context, name: &[u8], rtype: RecordType, answer: &Answer) {
    slow(ctx, rtype.name(), name, answer.elapsed);
    if answer.cached || !ctx.config.main.event_action.is_set() {
        return;
    }
    let why = match answer.outcome {
        Outcome::Found => return,
        Outcome::NoMatch => "DNS_NOMATCH",
        Outcome::NoData => "DNS_NODATA",
        Outcome::Again => "DNS_AGAIN",
        Outcome::Fail => "DNS_FAIL",
    };
    let mut data = BString::from(why);
    for part in [&b":"[..], &answer.asked, b":", rtype.name().as_bytes()] {
        data.extend_from_slice(part);
    }
    // The event can refuse nothing here.
    let _ = crate::event::raise(ctx, "dns:fail", &Text::tainted(data));
}

/// Logs a lookup that took longer than `slow_lookup_log` allows.
pub fn slow(ctx: &Context, kind: &str, name: &[u8], took: Duration) {
    let limit = u128::try_from(ctx.config.main.slow_lookup_log.0).unwrap_or(0);
    if limit > 0 && took.as_millis() > limit {
        let line = format!("Long {kind} lookup for '{}': {} msec", name.as_bstr(), took.as_millis());
        log::write(ctx, None, Which::MAIN, line.as_bytes());
    }
}

//! What keeps a transport from running at all: the size of the message, and `max_parallel`.

use bstr::{BString, ByteSlice};

use super::post::Outcome;
use crate::context::Context;
use crate::expand;
use crate::hints::{Mode, serialize};
use crate::retry::errors;
use crate::route::Address;
use crate::text::Text;
use crate::transports::TransportInstance;

/// `message_size_limit` of the transport. Something to be done with the batch instead of delivering it, or `None`.
pub(super) fn message_size(ctx: &mut Context, transport: &TransportInstance, batch: &mut [Address]) -> Option<Outcome> {
    let t = transport.generic.message_size_limit.get()?;
    let (outcome, errno, text) = match expand::expand_int(ctx, t, true) {
        Ok(0) => return None,
        Ok(limit) => {
            let size = i64::try_from(ctx.message.size).unwrap_or(i64::MAX);
            if size <= limit {
                return None;
            }
            (Outcome::Fail, 0, format!("message is too big (transport limit = {limit})"))
        }
        Err(e) => {
            let text = format!("failed to expand message_size_limit in {} transport: {e}", transport.name);
            (Outcome::Defer, errors::EXPAND_FAIL, text)
        }
    };
    for a in batch {
        a.failure.basic_errno = errno;
        a.failure.message = Some(Text::clean(text.clone()));
        if outcome == Outcome::Fail {
            a.failure.user_message = a.failure.message.clone();
        }
    }
    Some(outcome)
}

/// A place under `max_parallel`; to be given back by [`leave`].
pub(super) enum Place {
    /// There is no limit, or this is ours.
    Taken(Option<BString>),
    /// The limit is reached: the message says so.
    None,
    /// The limit is unusable.
    Broken(String),
}

/// Takes a place.
pub(super) fn enter(ctx: &mut Context, transport: &TransportInstance) -> Place {
    let Some(t) = transport.generic.max_parallel.get().cloned() else { return Place::Taken(None) };
    let limit = match expand::expand_int(ctx, &t, true) {
        Ok(0) => return Place::Taken(None),
        Ok(n) => u32::try_from(n).unwrap_or(u32::MAX),
        Err(e) => {
            return Place::Broken(format!(
                "Failed to expand max_parallel option \"{}\" in {} transport: {e}",
                t.raw().as_bstr(),
                transport.name
            ));
        }
    };
    let key: BString = [b"tpt-serialize-", transport.name.as_slice()].concat().into();
    let taken = match crate::hints::open(ctx, "misc", Mode::Write) {
        Ok(Some(mut db)) => serialize::start(db.as_mut(), &key, limit).unwrap_or(true),
        _ => true,
    };
    if taken { Place::Taken(Some(key)) } else { Place::None }
}

/// Gives a place back.
pub(super) fn leave(ctx: &Context, place: Option<&BString>) {
    let Some(key) = place else { return };
    if let Ok(Some(mut db)) = crate::hints::open(ctx, "misc", Mode::Write) {
        let _ = serialize::end(db.as_mut(), key);
    }
}

//! The `wait-TRANSPORT` hints: which messages wait for which host, so that they can share a connection.

use bstr::{BStr, BString, ByteSlice};

use crate::context::Context;
use crate::hints::wait::{self, Choice};
use crate::hints::{HintsError, Mode};
use crate::log::{self, Which};
use crate::route::HostItem;

fn complain(ctx: &Context, e: &HintsError) {
    log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes());
}

/// Notes that the message in hand waits for all these hosts.
pub fn note(ctx: &Context, transport: &BStr, hosts: &[HostItem]) {
    let mut db = match crate::hints::open(ctx, &format!("wait-{transport}"), Mode::Write) {
        Ok(Some(db)) => db,
        Ok(None) => return,
        Err(e) => return complain(ctx, &e),
    };
    let mut last: Option<&[u8]> = None;
    for h in hosts {
        // A host with several addresses stands in the list as often, one after the other.
        if last.is_some_and(|l| l.eq_ignore_ascii_case(&h.name)) {
            continue;
        }
        if let Err(e) = wait::add(db.as_mut(), &h.name, ctx.message.id.as_bstr()) {
            return complain(ctx, &e);
        }
        last = Some(&h.name);
    }
}

/// Takes another message that waits for the host, if `sent` messages on a connection are not enough already.
/// `max`: `connection_max_messages`, 0 is no limit. `fits` says whether a message may take the connection.
pub fn next(
    ctx: &mut Context,
    transport: &BStr,
    host: &HostItem,
    sent: u64,
    max: u64,
    fits: &mut dyn FnMut(&mut Context, &BStr) -> bool,
) -> Option<BString> {
    if max > 0 && sent >= max {
        return None;
    }
    let mut db = match crate::hints::open(ctx, &format!("wait-{transport}"), Mode::Read) {
        Ok(db) => db?,
        Err(e) => {
            complain(ctx, &e);
            return None;
        }
    };
    let own = ctx.message.id.clone();
    let queue = ctx.message.queue_name.clone();
    let found = wait::take(db.as_mut(), &host.name, own.as_bstr(), |id| {
        let there = ctx.services.spool.queue(&queue).is_ok_and(|q| q.place_of(id).is_ok());
        if !there {
            Choice::Drop
        } else if fits(ctx, id) {
            Choice::Take
        } else {
            Choice::Keep
        }
    });
    match found {
        Ok(found) => found.map(|(id, _)| id),
        Err(e) => {
            complain(ctx, &e);
            None
        }
    }
}

/// The message that [`next`] gave was not sent after all: it goes on waiting.
pub fn put_back(ctx: &Context, transport: &BStr, host: &HostItem, id: &BStr) {
    match crate::hints::open(ctx, &format!("wait-{transport}"), Mode::Write) {
        Ok(Some(mut db)) => {
            if let Err(e) = wait::add(db.as_mut(), &host.name, id) {
                complain(ctx, &e);
            }
        }
        Ok(None) => {}
        Err(e) => complain(ctx, &e),
    }
}

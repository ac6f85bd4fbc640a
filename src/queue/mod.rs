//! The queue as an administrator sees it: `-bp`, `-M...`, and queue runs.
//!
//! Called by the command line and by the daemon. Delivery itself is in `deliver`, the files in `spool`.

pub mod actions;
pub mod list;
pub mod run;
pub mod view;

use bstr::BString;

use crate::context::Context;
use crate::spool::{self, Place, SpoolError};

/// Reads the -H file of a message of a queue into the context.
pub fn load(ctx: &mut Context, queue_name: &[u8], id: &[u8]) -> Result<Place, SpoolError> {
    let queue = ctx.services.spool.queue(queue_name)?;
    let place = queue.place_of(id)?;
    spool::read_header(ctx, &place, id)?;
    ctx.message.queue_name = queue_name.into();
    Ok(place)
}

/// Age of a message in seconds.
pub fn age(ctx: &Context) -> i64 {
    (crate::sys::time::unix_time() - ctx.message.received_time.0).max(0)
}

/// The name of the caller, for log lines such as `removed by`.
pub fn caller(ctx: &Context) -> BString {
    if ctx.run.login.is_empty() { ctx.run.real_uid.to_string().into() } else { ctx.run.login.clone() }
}

//! `exists`, and the conditions on the state of the delivery: `first_delivery`, `queue_running`.

use super::Call;
use crate::context::Context;
use crate::expand::{ExpandError, failed, forbid};

/// `exists`
pub fn exists(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    if forbid::has(ctx, forbid::EXISTS) {
        return failed("File existence tests are not permitted");
    }
    Ok(crate::sys::file::stat(call.arg(0)).is_ok())
}

/// `first_delivery`
pub fn first_delivery(ctx: &mut Context, _: Call<'_>) -> Result<bool, ExpandError> {
    Ok(ctx.message.first_delivery)
}

/// `queue_running`
pub fn queue_running(ctx: &mut Context, _: Call<'_>) -> Result<bool, ExpandError> {
    Ok(ctx.run.queue_running)
}

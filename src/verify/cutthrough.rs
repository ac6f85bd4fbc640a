//! Cutthrough deliveries: a connection that a verification has left open, for the message to go on over it.

use crate::acl::AclResult;
use crate::context::Context;

/// At DATA: the onward host must take DATA too. `Err`: what to tell the peer instead.
pub fn cutthrough_data(ctx: &mut Context) -> Result<(), AclResult> {
    // `control = cutthrough_delivery` is refused, so that there is never such a connection.
    let _ = ctx;
    Ok(())
}

/// The message that a connection was kept for is not going to come.
pub fn end_cutthrough(ctx: &mut Context) {
    let _ = ctx;
}

//! What sessions ask of `crate::verify`, in one place: VRFY and EXPN, ident, and cutthrough delivery.

use crate::acl::AclResult;
use crate::context::Context;
use crate::text::Text;

/// The result of VRFY.
pub enum Vrfy {
    /// Deliverable.
    Ok,
    /// Not known now; a text for the peer.
    Defer(Option<Text>),
    /// Not deliverable; a text for the peer.
    Fail(Option<Text>),
}

/// Verifies an address for VRFY.
pub fn vrfy(ctx: &mut Context, address: &Text) -> Vrfy {
    let _ = (ctx, address);
    Vrfy::Defer(None)
}

/// The answer lines of EXPN, whole but for the CRLF.
pub fn expn(ctx: &mut Context, address: &Text) -> Vec<String> {
    let _ = ctx;
    vec![format!("550 {address} is not deliverable: EXPN is not implemented")]
}

/// RFC 1413 for the session's host.
pub fn ident(ctx: &mut Context) {
    let _ = ctx;
}

/// Ends a cutthrough delivery that was begun for this message.
pub fn end_cutthrough(ctx: &mut Context) {
    let _ = ctx;
}

/// Sends DATA on a cutthrough connection, if there is one; its refusal is ours.
pub fn cutthrough_data(ctx: &mut Context) -> Result<(), AclResult> {
    let _ = ctx;
    Ok(())
}

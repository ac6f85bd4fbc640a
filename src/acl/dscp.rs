//! `control = dscp`: the service class of what we send to this peer.

use bstr::ByteSlice;

use crate::context::Context;
use crate::log::{debug, hdebug};
use crate::smtp_out::dscp;
use crate::sys::sockopt;

/// Sets it on the connection. Trouble with the socket is only noted: the class is a wish.
pub fn set(ctx: &mut Context, arg: &[u8], name: &[u8]) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("syntax error in \"control={}\"", arg.as_bstr()));
    }
    let value = dscp::lookup(name).ok_or_else(|| format!("unrecognised DSCP value in \"control={}\"", arg.as_bstr()))?;
    let wire = ctx.session.wire.as_ref().filter(|w| w.is_socket() && !ctx.run.host_checking);
    let Some(fd) = wire.and_then(|w| w.descriptor()) else {
        hdebug!(ctx, ACL, "smtp input is probably not a socket [Socket operation on non-socket], not setting DSCP");
        return Ok(());
    };
    match sockopt::set_tos(fd, value) {
        Ok(()) => debug!(ctx, ACL, "set input DSCP to \"{}\"", name.as_bstr()),
        Err(e) => debug!(ctx, ACL, "failed to set input DSCP[{}]: {}", name.as_bstr(), crate::sys::error_text(&e)),
    }
    Ok(())
}

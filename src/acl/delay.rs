//! `delay`: waiting, unless the peer goes away.

use std::time::{Duration, Instant};

use super::Verdict;
use super::messages::Messages;
use crate::config::values::parse_interval;
use crate::context::Context;
use crate::log::hdebug;
use crate::sys::sockopt;
use crate::text::Text;

/// Waits for the time that `arg` says. What the peer has not been sent yet is sent before, but for
/// `control = no_delay_flush`.
pub fn obey(ctx: &mut Context, arg: &Text, m: &mut Messages) -> Verdict {
    let Some(seconds) = parse_interval(arg) else {
        m.set_log(Text::clean(format!("syntax error in argument for \"delay\" modifier: \"{arg}\" is not a time value")));
        return Verdict::Error;
    };
    hdebug!(ctx, ACL, "delay modifier requests {seconds}-second delay");
    if ctx.run.host_checking {
        hdebug!(ctx, ACL, "delay skipped in -bh checking mode");
        return Verdict::Ok;
    }
    if !ctx.session.no_delay_flush
        && let Some(wire) = ctx.session.wire.as_mut()
    {
        wire.flush();
    }
    let end = Instant::now() + Duration::from_secs(seconds.unsigned_abs());
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Verdict::Ok;
        }
        if peer_has_closed(ctx) {
            hdebug!(ctx, ACL, "delay cancelled by peer close");
            return Verdict::Ok;
        }
        std::thread::sleep(left.min(Duration::from_millis(500)));
    }
}

/// The kernel's number for "the peer has closed its end".
const CLOSE_WAIT: u8 = 8;

/// The peer's end of the connection is closed; what it sent before may still be unread.
fn peer_has_closed(ctx: &Context) -> bool {
    let Some(fd) = ctx.session.wire.as_ref().and_then(|w| w.descriptor()) else { return false };
    matches!(sockopt::tcp_state(fd), Ok(s) if s.state == CLOSE_WAIT)
}

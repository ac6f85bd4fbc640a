//! May a connection become a session? `smtp_accept_max` and `smtp_accept_max_per_host`, asked by a reception worker before it
//! gives the connection a thread, as the manual has it: so a flood costs no threads, and an expansion that takes long keeps
//! the worker from accepting more. What depends on the list of reserved hosts is the session's (`smtp_in::start`).

use std::os::fd::{AsFd, OwnedFd};

use super::counters::Place;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::{self, Selector, Which};
use crate::sys::net;

/// Over which limit a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    All,
    OfHost,
}

impl Limit {
    fn logged(self) -> &'static str {
        match self {
            Limit::All => "too many connections",
            Limit::OfHost => "too many connections from that IP address",
        }
    }

    fn said(self) -> &'static str {
        match self {
            Limit::All => "421 Too many concurrent SMTP connections; please try again later.\r\n",
            Limit::OfHost => "421 Too many concurrent SMTP connections from this IP address; please try again later.\r\n",
        }
    }
}

/// The place of a connection that may go on; without one it has been refused.
pub fn admit(ctx: &mut Context, socket: &OwnedFd, place: Option<Place>) -> Option<Place> {
    let over = match &place {
        None => Some(Limit::All),
        Some(place) => limit(ctx, place),
    };
    let Some(over) = over else { return place };
    let whom = ctx.session.host_address.clone().unwrap_or_default();
    let line = format!("Connection from [{whom}] refused: {}", over.logged());
    log::write(ctx, Some(Selector::ConnectionReject), Which::MAIN, line.as_bytes());
    let _ = net::send(socket.as_fd(), over.said().as_bytes(), false);
    None
}

fn limit(ctx: &mut Context, place: &Place) -> Option<Limit> {
    let max = usize::try_from(ctx.config.main.smtp_accept_max.0).unwrap_or(0);
    if max > 0 && place.total > max {
        return Some(Limit::All);
    }
    let of_host = per_host(ctx);
    (of_host > 0 && place.of_host > of_host).then_some(Limit::OfHost)
}

/// `smtp_accept_max_per_host`; 0: no limit. A mistake is logged and sets none.
fn per_host(ctx: &mut Context) -> usize {
    let Some(option) = ctx.config.main.smtp_accept_max_per_host.get().cloned() else { return 0 };
    let whom = ctx.session.host_address.clone().unwrap_or_default();
    let mistake = match expand::expand(ctx, &option) {
        Ok(value) => {
            let (n, clean) = leading_number(&value);
            if clean {
                return n;
            }
            let line = format!("expansion of smtp_accept_max_per_host for [{whom}] contains non-digit: {value}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            return n;
        }
        Err(ExpandError::Forced(_)) => return 0,
        Err(e) => e,
    };
    let line = format!("expansion of smtp_accept_max_per_host failed for [{whom}]: {mistake}");
    log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
    0
}

/// The number that the digits at the start make, and whether nothing follows them.
fn leading_number(value: &[u8]) -> (usize, bool) {
    let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
    let n = value[..digits].iter().fold(0_usize, |n, b| n.saturating_mul(10).saturating_add(usize::from(b - b'0')));
    (n, digits == value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(leading_number(b""), (0, true));
        assert_eq!(leading_number(b"10"), (10, true));
        assert_eq!(leading_number(b"1x"), (1, false));
        assert_eq!(leading_number(b"-1"), (0, false));
        assert_eq!(leading_number(b" 1"), (0, false));
        assert_eq!(leading_number(&[b'9'; 40]), (usize::MAX, true));
    }
}

//! Events of deliveries (manual chapter 61): the `event_action` option of the main section or of the transport is
//! expanded for its effects.

use crate::context::Context;
use crate::context::message::notify;
use crate::expand::{self, ExpandError, Template};
use crate::log::{self, Which};
use crate::route::Address;
use crate::text::Text;

/// Expands an event's action. Gives the text if it is not empty: some events take it as "no".
pub fn raise_event(ctx: &mut Context, action: Option<&Template>, name: &str, data: &[u8], errno: i32) -> Option<Text> {
    let action = action?;
    ctx.address.event_name = Some(name.into());
    ctx.address.event_data = Some(Text::tainted(data.to_vec()));
    ctx.address.event_defer_errno = errno;
    let result = expand::expand(ctx, action);
    ctx.address.event_name = None;
    ctx.address.event_data = None;
    ctx.address.event_defer_errno = 0;
    match result {
        Ok(text) => Some(text).filter(|t| !t.is_empty()),
        Err(ExpandError::Forced(_)) => None,
        Err(e) => {
            let text = format!(
                "failed to expand event_action {name} in {}: {e}\n\n",
                ctx.address.transport_name.as_ref().map_or("main".into(), |t| t.to_string())
            );
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            None
        }
    }
}

/// An event of an address: its transport's action. Of an address without a transport only the failure is told, to the main one.
pub(crate) fn of_address(ctx: &mut Context, addr: &Address, name: &str, data: &[u8], errno: i32) {
    let config = ctx.config.clone();
    let action = match &addr.transport {
        _ if name == "msg:fail:internal" => config.main.event_action.get(),
        Some(t) => t.generic.event_action.get(),
        None => return,
    };
    if action.is_none() {
        return;
    }
    let saved = std::mem::take(&mut ctx.address);
    crate::route::set_address_vars(ctx, addr);
    // Of a pipe, file or reply, too, it is what was delivered to.
    ctx.address.local_part = Some(addr.local_part.clone());
    ctx.address.domain = Some(addr.domain.clone());
    ctx.address.router_name = addr.router.clone();
    ctx.address.transport_name = addr.transport.as_ref().map(|t| t.name.clone());
    if let Some(h) = addr.host_used.as_deref() {
        ctx.address.host = Some(h.name.clone());
        ctx.address.host_address = Some(Text::tainted(h.address_text.to_vec()));
        ctx.address.host_port = h.port.unwrap_or(0);
        ctx.address.lookup_dnssec = h.dnssec;
    } else if name.starts_with("msg:fail:") {
        // No host is to blame.
        (ctx.address.host, ctx.address.host_address) = (None, None);
    } else if let (Some(h), Some(smtp)) = (addr.hosts.first(), addr.transport.as_ref().and_then(|t| t.driver.as_smtp())) {
        ctx.address.host_port = smtp.port_of(ctx, h).unwrap_or(0);
    }
    let tls = std::mem::replace(&mut ctx.session.tls_out, addr.tls.clone());
    raise_event(ctx, action, name, data, errno);
    ctx.session.tls_out = tls;
    ctx.address = saved;
}

/// Is the event of a failure raised at once, because a bounce will tell of it? That of an error that is ignored, or that the
/// sender's NOTIFY does not want, is raised when it is given up. With NOTIFY=FAILURE and something else there is none, as in
/// the reference.
pub(crate) fn failure_is_bounced(addr: &Address) -> bool {
    let to_nobody = addr.flags.ignore_error || addr.errors_to.as_ref().is_some_and(|e| e.is_empty());
    !to_nobody && addr.dsn_flags & !notify::FAILURE == 0
}

/// The failure of an address, an event of its transport if it got that far.
pub(crate) fn of_failure(ctx: &mut Context, addr: &Address) {
    let data = addr.failure.message.clone().unwrap_or_default();
    let name = if addr.transport.is_some() { "msg:fail:delivery" } else { "msg:fail:internal" };
    of_address(ctx, addr, name, &data, 0);
}

/// The error of an address that is tried again later, with the system's words.
pub(crate) fn deferral_text(addr: &Address) -> Vec<u8> {
    let words = Some(addr.failure.basic_errno).filter(|n| *n > 0).map(crate::sys::strerror);
    match (&addr.failure.message, words) {
        (Some(m), Some(w)) => [m.as_bytes(), b": ", w.as_bytes()].concat(),
        (Some(m), None) => m.to_vec(),
        (None, Some(w)) => w.into_bytes(),
        (None, None) => Vec::new(),
    }
}

/// An address was delivered: also for cutthrough, which delivers during reception. `said` is the server's answer.
pub fn delivery_event(ctx: &mut Context, addr: &Address, said: &[u8]) {
    of_address(ctx, addr, "msg:delivery", said, 0);
}

/// An event of the whole message.
pub(crate) fn of_message(ctx: &mut Context, name: &str) {
    let config = ctx.config.clone();
    raise_event(ctx, config.main.event_action.get(), name, b"", 0);
}

//! What a router does when the host that it found is this one: the `self` option (manual chapter 15).

use bstr::{BString, ByteSlice};

use super::{Address, HostItem, Routed};
use crate::context::Context;
use crate::log::{self, Which};
use crate::routers::RouterInstance;
use crate::text::Text;

/// The parsed `self` option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelfAction {
    /// `freeze`
    Freeze,
    /// `defer`
    Defer,
    /// `reroute: domain`, and `reroute: rewrite: domain` with the flag.
    Reroute(BString, bool),
    /// `pass`
    Pass,
    /// `fail`
    Fail,
    /// `send`
    Send,
}

impl SelfAction {
    /// Parses the option's value; the error follows the name of the router.
    pub fn parse(value: &[u8]) -> Result<Self, String> {
        Ok(match value {
            b"freeze" => Self::Freeze,
            b"defer" => Self::Defer,
            b"send" => Self::Send,
            b"pass" => Self::Pass,
            b"fail" => Self::Fail,
            _ => match value.strip_prefix(b"reroute:") {
                Some(rest) => match rest.trim().strip_prefix(b"rewrite:") {
                    Some(domain) => Self::Reroute(domain.trim().into(), true),
                    None => Self::Reroute(rest.trim().into(), false),
                },
                None => return Err(format!("{} is not valid for the self option", value.as_bstr())),
            },
        })
    }
}

/// Carries it out for `host`. `None`: send to it all the same.
pub fn apply(ctx: &mut Context, router: &RouterInstance, addr: &mut Address, host: &HostItem) -> Option<Routed> {
    let message =
        if host.mx >= 0 { "lowest numbered MX record points to local host" } else { "remote host address is the local host" };
    let action = SelfAction::parse(router.generic.self_.raw().unwrap_or(b"freeze")).unwrap_or(SelfAction::Freeze);
    addr.failure.basic_errno = 0;
    addr.flags.pass_message = action == SelfAction::Fail;
    match action {
        SelfAction::Freeze => {
            // During a delivery the message's id, and the line of the address that follows, say enough.
            let which = match (ctx.message.id.is_empty(), crate::context::names::sender_fullhost(ctx)) {
                (false, _) => String::new(),
                (true, Some(host)) => format!(" (while verifying <{}> from host {host})", addr.address),
                (true, None) => format!(" (while routing <{}>)", addr.address),
            };
            log::write(ctx, None, Which::MAIN, format!("{message}: {}{which}", addr.domain).as_bytes());
            addr.failure.message = Some(Text::clean(message));
            addr.flags.freeze = true;
            Some(Routed::Defer)
        }
        SelfAction::Defer => {
            addr.failure.message = Some(Text::clean(message));
            Some(Routed::Defer)
        }
        SelfAction::Fail => {
            addr.failure.message = Some(Text::clean(message));
            Some(Routed::Fail)
        }
        SelfAction::Pass => {
            addr.failure.message = Some(Text::clean(message));
            addr.self_hostname = Some(host.name.clone());
            Some(Routed::Pass)
        }
        SelfAction::Send => None,
        SelfAction::Reroute(domain, rewrite) => Some(Routed::Changed(Box::new(change_domain(ctx, addr, &domain, rewrite)))),
    }
}

/// A new address with another domain, to be routed from the start.
pub fn change_domain(ctx: &mut Context, addr: &Address, domain: &[u8], rewrite: bool) -> Address {
    let mut full = Text::with_taint(addr.cc_local_part.as_bytes(), addr.address.taint());
    full.push_bytes(b"@");
    full.push_bytes(domain);
    if rewrite {
        crate::rewrite::rewrite_header_domain(ctx, &addr.domain, domain);
    }
    let mut child = Address::new(full);
    child.inherit(addr);
    child
}

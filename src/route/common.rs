//! What several routers do alike: transport, user and group, errors address, header changes.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::{Address, RouteLists, RouteOutcome, RoutePurpose, route_address};
use crate::context::Context;
use crate::expand::ids::{self, Owner};
use crate::expand::{self, ExpandError, Template};
use crate::log::{self, Which};
use crate::parse;
use crate::retry::errors;
use crate::routers::RouterInstance;
use crate::sys::users::User;
use crate::text::Text;
use crate::transports::TransportInstance;

/// `debug_print` of a driver: shown when debugging or `-v` is on.
pub fn debug_print(ctx: &mut Context, what: &str, name: &BString, template: &Template) {
    if ctx.run.host_checking {
        match expand::expand(ctx, template) {
            Ok(t) if t.is_empty() => {}
            Ok(t) => crate::verify::hplain!(ctx, ROUTE, "{}", t.trim_end().as_bstr()),
            Err(_) => {}
        }
        return;
    }
    if ctx.run.debug == 0 && !ctx.run.verbose {
        return;
    }
    match expand::expand(ctx, template) {
        Ok(t) if t.is_empty() => {}
        Ok(t) if t.ends_with(b"\n") => eprint!("{t}"),
        Ok(t) => eprintln!("{t}"),
        Err(e) => eprintln!("failed to expand debug_output \"{}\" for {name} {what}: {e}", template.raw().as_bstr()),
    }
}

/// Keeps what the password file says of a local user.
pub fn remember_user(addr: &mut Address, user: &User) {
    if addr.home_dir.is_none() {
        addr.home_dir = Some(Text::clean(user.home.clone()));
    }
}

/// The transport that an option names (after expansion). The error is for a defer; the address has its number.
pub fn transport(
    ctx: &mut Context,
    router: &RouterInstance,
    addr: &mut Address,
    template: &Template,
) -> Result<Arc<TransportInstance>, String> {
    let unset = std::mem::replace(&mut addr.failure.basic_errno, errors::BAD_TRANSPORT);
    let name = expand::expand(ctx, template)
        .map_err(|e| format!("failed to expand transport \"{}\" in {} router: {e}", template.raw().as_bstr(), router.name))?;
    if name.is_tainted() {
        let text = format!("attempt to use tainted value '{name}' from '{}' for transport", template.raw().as_bstr());
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        // Whoever sent the value need not know more.
        return Err("internal configuration error".into());
    }
    let found = ctx
        .config
        .transport(&name)
        .cloned()
        .ok_or_else(|| format!("transport \"{name}\" not found in {} router", router.name))?;
    addr.failure.basic_errno = unset;
    Ok(found)
}

/// The generic `transport` option, put into the address. An unset one stays unset: the caller says whether it may.
pub fn set_transport(ctx: &mut Context, router: &RouterInstance, addr: &mut Address) -> Result<(), String> {
    addr.transport = match router.generic.transport.get() {
        None => None,
        Some(t) => Some(transport(ctx, router, addr, t)?),
    };
    Ok(())
}

/// `user`, `group` and `initgroups`. The error is for a defer.
pub fn set_user(ctx: &mut Context, router: &RouterInstance, addr: &mut Address) -> Result<(), String> {
    let g = &router.generic;
    if let Some(t) = g.user.get() {
        let (uid, user) = ids::user(ctx, Owner::Router(&router.name), t)?;
        addr.uid = Some(uid);
        addr.flags.uid_set = true;
        addr.gid = user.map(|u| u.gid);
    }
    if let Some(t) = g.group.get() {
        addr.gid = Some(ids::group(ctx, Owner::Router(&router.name), t)?);
    }
    if addr.uid.is_some() && addr.gid.is_none() {
        return Err(format!("user set without group for {} router", router.name));
    }
    addr.initgroups = g.initgroups;
    Ok(())
}

/// `errors_to`: where bounces of the address go. An address that does not verify is ignored.
pub fn set_errors_address(
    ctx: &mut Context,
    router: &RouterInstance,
    addr: &mut Address,
    purpose: RoutePurpose,
) -> Result<(), String> {
    let Some(t) = router.generic.errors_to.get() else { return Ok(()) };
    let text = match expand::expand(ctx, t) {
        Ok(text) => text,
        Err(ExpandError::Forced(_)) => return Ok(()),
        Err(e) => return Err(format!("{} router failed to expand \"{}\": {e}", router.name, t.raw().as_bstr())),
    };
    if text.trim().is_empty() || text.trim() == b"<>" {
        addr.errors_to = Some(Text::new());
        addr.flags.errors_to_set = true;
        return Ok(());
    }
    let text = crate::rewrite::qualify(ctx, &text, true);
    if purpose != RoutePurpose::Deliver {
        addr.errors_to = Some(text);
        return Ok(());
    }
    if routes(ctx, &text) {
        addr.errors_to = Some(text);
        addr.flags.errors_to_set = true;
    } else {
        log::hdebug!(ctx, ROUTE, "\"{text}\" from errors_to in {} router does not verify: ignored", router.name);
    }
    Ok(())
}

/// Can the address be routed? Variables of the address in hand are kept.
pub fn routes(ctx: &mut Context, address: &Text) -> bool {
    let Ok(found) = parse::extract_address(&mut parse::Rules::new(&ctx.config.main), address) else { return false };
    let saved = ctx.address.clone();
    let mut pending = vec![Address::new(address.piece(found.address))];
    let mut ok = false;
    // Children count as good; one level is enough to know that the address exists.
    while let Some(a) = pending.pop() {
        let mut lists = RouteLists::default();
        ok = matches!(
            route_address(ctx, a, RoutePurpose::VerifyRecipient, &mut lists),
            RouteOutcome::Accepted | RouteOutcome::Rerouted | RouteOutcome::Discard
        );
    }
    ctx.address = saved;
    ok
}

/// `headers_add` and `headers_remove`, added to what the address has: those of a nearer router come last.
pub fn set_headers(ctx: &mut Context, router: &RouterInstance, addr: &mut Address) -> Result<(), String> {
    let g = &router.generic;
    for (what, values, separator, to) in [
        ("add", &g.headers_add.values, b'\n', &mut addr.headers_add),
        ("remove", &g.headers_remove.values, b':', &mut addr.headers_remove),
    ] {
        for value in values {
            let items = expand::list::each(ctx, value.raw(), separator)
                .map_err(|(item, e)| format!("{} router failed to expand {what}_headers item \"{item}\": {e}", router.name))?;
            to.extend(items.into_iter().map(|t| BString::from(t.into_bytes())));
        }
    }
    Ok(())
}

/// Everything that a router does to an address that it accepts, in the reference's order.
pub fn accept(ctx: &mut Context, router: &RouterInstance, addr: &mut Address, purpose: RoutePurpose) -> Result<(), String> {
    set_errors_address(ctx, router, addr, purpose)?;
    set_headers(ctx, router, addr)?;
    if addr.transport.is_none() {
        set_transport(ctx, router, addr)?;
    }
    set_user(ctx, router, addr)?;
    addr.flags.log_as_local = router.generic.log_as_local;
    addr.flags.dsn_lasthop = router.generic.dsn_lasthop;
    Ok(())
}

/// A defer with a message, in the address.
pub fn defer(addr: &mut Address, message: impl crate::text::IntoBytes) -> super::Routed {
    addr.failure.message = Some(Text::clean(message));
    super::Routed::Defer
}

//! The addresses that redirection data or a filter give.

use bstr::{BString, ByteSlice};

use super::{RedirectOptions, special};
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::filter::{Generated, What};
use crate::parse::forward::ForwardItem;
use crate::route::{Address, AddressKind, RoutePurpose, Routed, common};
use crate::routers::RouterInstance;
use crate::text::{Taint, Text};

/// Makes a child of each item; or the reason why not. `taint` is that of addresses: a list that the configuration itself, or a
/// file that it names, gives is as clean as they are.
pub fn make(
    ctx: &mut Context,
    router: &RouterInstance,
    o: &RedirectOptions,
    addr: &mut Address,
    purpose: RoutePurpose,
    list: &[Generated],
    taint: Taint,
) -> Result<Vec<Address>, Routed> {
    let mut carrier = addr.clone();
    if let Err(message) = common::set_errors_address(ctx, router, &mut carrier, purpose)
        .and_then(|()| common::set_headers(ctx, router, &mut carrier))
    {
        return Err(common::defer(addr, message));
    }
    let qualify = match qualify_domain(ctx, o, addr) {
        Ok(d) => d,
        Err(message) => return Err(common::defer(addr, message)),
    };
    let mut children = Vec::new();
    for item in list {
        let mut child = match &item.what {
            What::Address { address, qualified } => {
                let mut text = Text::with_taint(address.to_vec(), taint);
                if !qualified {
                    text.push_bytes(b"@");
                    text.push_bytes(&qualify);
                }
                if o.rewrite && item.of_filter {
                    text = crate::rewrite::rewrite_in_filter(ctx, text);
                } else if o.rewrite {
                    text = crate::rewrite::rewrite_redirected(ctx, text);
                }
                mail_child(o, addr, text)
            }
            special => special::child(ctx, router, o, addr, &carrier, special, purpose),
        };
        child.inherit(&carrier);
        child.flags.errors_to_set = carrier.flags.errors_to_set;
        child.flags.hide_child = o.hide_child_in_errmsg;
        child.flags.ignore_error = carrier.flags.ignore_error || item.ignore_error;
        if let Some(e) = &item.errors_to {
            child.errors_to = Some(e.clone());
            child.flags.errors_to_set = true;
        }
        if o.one_time {
            child.onetime_parent = Some(addr.original().address.clone());
        }
        if child.kind == AddressKind::Mail {
            child.start_router = router.generic.redirect_router.raw().map(BString::from);
        }
        children.push(child);
    }
    Ok(children)
}

/// The items of a list, which has this taint.
pub fn of_list(items: &[ForwardItem], taint: Taint) -> Vec<Generated> {
    let text = |t: &BString| Text::with_taint(t.to_vec(), taint);
    let what = |item: &ForwardItem| match item {
        ForwardItem::Address { address, qualified } => What::Address { address: address.clone(), qualified: *qualified },
        ForwardItem::Pipe(t) => What::Pipe { command: text(t), expand: None },
        ForwardItem::File(t) => What::File { path: text(t), mode: None },
    };
    items.iter().map(|i| Generated { what: what(i), ..Generated::default() }).collect()
}

/// The domain for addresses without one.
fn qualify_domain(ctx: &mut Context, o: &RedirectOptions, addr: &Address) -> Result<Vec<u8>, String> {
    if o.qualify_preserve_domain {
        return Ok(addr.domain.to_vec());
    }
    match o.qualify_domain.get() {
        None => Ok(ctx.config.site.qualify_recipient.to_vec()),
        Some(t) => match expand::expand(ctx, t) {
            Ok(d) => Ok(d.into_bytes()),
            Err(ExpandError::Forced(_)) => Ok(ctx.config.site.qualify_recipient.to_vec()),
            Err(e) => Err(format!("failed to expand \"{}\": {e}", t.raw().as_bstr())),
        },
    }
}

fn mail_child(o: &RedirectOptions, addr: &Address, text: Text) -> Address {
    // An ancestor's own address is that ancestor again, so that it is not redirected twice.
    let child = Address::new(text);
    let same = |a: &Address| {
        a.address.eq_ignore_ascii_case(&child.address) && (!a.flags.caseful || a.cc_local_part == child.cc_local_part)
    };
    if o.check_ancestor && addr.ancestors().any(same) {
        return Address::new(addr.address.clone());
    }
    child
}

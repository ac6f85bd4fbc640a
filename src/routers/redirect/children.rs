//! The addresses that redirection data give.

use bstr::{BString, ByteSlice};

use super::RedirectOptions;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::{self, Which};
use crate::parse::forward::{ForwardEnd, ForwardItem, ForwardList, SkippedError};
use crate::retry::errors;
use crate::route::{Address, AddressKind, RoutePurpose, Routed, common};
use crate::routers::RouterInstance;
use crate::text::{Taint, Text};

/// Makes a child of each item.
pub fn make(
    ctx: &mut Context,
    router: &RouterInstance,
    o: &RedirectOptions,
    addr: &mut Address,
    purpose: RoutePurpose,
    list: &[ForwardItem],
    taint: Taint,
) -> Routed {
    let mut carrier = addr.clone();
    if let Err(message) = common::set_errors_address(ctx, router, &mut carrier, purpose)
        .and_then(|()| common::set_headers(ctx, router, &mut carrier))
    {
        return common::defer(addr, message);
    }
    let qualify = match qualify_domain(ctx, router, o, addr) {
        Ok(d) => d,
        Err(message) => return common::defer(addr, message),
    };
    let mut children = Vec::new();
    for item in list {
        let mut child = match item {
            ForwardItem::Address { address, qualified } => {
                let mut text = Text::tainted(address.clone());
                if !qualified {
                    text.push_bytes(b"@");
                    text.push_bytes(&qualify);
                }
                if o.rewrite {
                    text = crate::rewrite::rewrite_redirected(ctx, text);
                }
                mail_child(o, addr, text)
            }
            ForwardItem::Pipe(text) | ForwardItem::File(text) => {
                match special_child(ctx, router, o, addr, &carrier, item, &Text::with_taint(text.to_vec(), taint), purpose) {
                    Ok(child) => child,
                    Err(routed) => return routed,
                }
            }
        };
        inherit(&mut child, &carrier);
        child.flags.hide_child = o.hide_child_in_errmsg;
        child.flags.ignore_error = carrier.flags.ignore_error;
        if o.one_time {
            child.onetime_parent = Some(addr.original().address.clone());
        }
        if child.kind == AddressKind::Mail {
            child.start_router = router.generic.redirect_router.raw().map(BString::from);
        }
        children.push(child);
    }
    Routed::Children(children)
}

/// The domain for addresses without one.
fn qualify_domain(ctx: &mut Context, router: &RouterInstance, o: &RedirectOptions, addr: &Address) -> Result<Vec<u8>, String> {
    if o.qualify_preserve_domain {
        return Ok(addr.domain.to_vec());
    }
    match o.qualify_domain.get() {
        None => Ok(ctx.config.site.qualify_recipient.to_vec()),
        Some(t) => match expand::expand(ctx, t) {
            Ok(d) => Ok(d.into_bytes()),
            Err(ExpandError::Forced(_)) => Ok(ctx.config.site.qualify_recipient.to_vec()),
            Err(e) => Err(format!("{} router failed to expand \"{}\": {e}", router.name, t.raw().as_bstr())),
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

fn inherit(child: &mut Address, carrier: &Address) {
    child.recipient_index = carrier.recipient_index;
    child.errors_to = carrier.errors_to.clone();
    child.flags.errors_to_set = carrier.flags.errors_to_set;
    child.headers_add = carrier.headers_add.clone();
    child.headers_remove = carrier.headers_remove.clone();
    child.address_data = carrier.address_data.clone();
    child.router_vars = carrier.router_vars.clone();
    child.dsn_orcpt = carrier.dsn_orcpt.clone();
    child.dsn_flags = carrier.dsn_flags;
}

/// A pipe or file.
#[allow(clippy::too_many_arguments)]
fn special_child(
    ctx: &mut Context,
    router: &RouterInstance,
    o: &RedirectOptions,
    addr: &mut Address,
    carrier: &Address,
    item: &ForwardItem,
    text: &Text,
    purpose: RoutePurpose,
) -> Result<Address, Routed> {
    let is_pipe = matches!(item, ForwardItem::Pipe(_));
    let (forbidden, errno) = if is_pipe { (o.forbid_pipe, errors::FORBID_PIPE) } else { (o.forbid_file, errors::FORBID_FILE) };
    let mut child = Address {
        address: text.clone(),
        local_part: text.clone(),
        cc_local_part: text.clone(),
        domain: addr.domain.clone(),
        kind: if is_pipe { AddressKind::Pipe } else { AddressKind::File },
        unique: BString::from(format!("{text}:{}", addr.unique)),
        uid: carrier.uid,
        gid: carrier.gid,
        initgroups: carrier.initgroups,
        home_dir: carrier.home_dir.clone(),
        current_dir: carrier.current_dir.clone(),
        router: Some(router.name.clone()),
        prefix: carrier.prefix.clone(),
        suffix: carrier.suffix.clone(),
        ..Address::default()
    };
    child.flags.uid_set = carrier.flags.uid_set;
    if purpose != RoutePurpose::Deliver && purpose != RoutePurpose::Test {
        return Ok(child);
    }
    if forbidden && is_pipe {
        // The delivery code says so, in the words for pipes and files.
        child.failure.basic_errno = errno;
        return Ok(child);
    }
    let (option, template) = if is_pipe {
        ("pipe_transport", &o.pipe_transport)
    } else if text.ends_with(b"/") {
        ("directory_transport", &o.directory_transport)
    } else {
        ("file_transport", &o.file_transport)
    };
    let Some(t) = template.get() else {
        if forbidden {
            child.failure.basic_errno = errno;
            return Ok(child);
        }
        child.failure.basic_errno = errors::BAD_TRANSPORT;
        child.failure.message = Some(Text::clean(format!("{option} unset in {} router", router.name)));
        return Ok(child);
    };
    let place = if is_pipe { &mut ctx.address.address_pipe } else { &mut ctx.address.address_file };
    *place = Some(child.address.clone());
    let found = common::transport(ctx, router, option, t);
    ctx.address.address_pipe = None;
    ctx.address.address_file = None;
    match found {
        Ok(transport) => {
            child.transport = Some(transport);
            if forbidden {
                child.failure.basic_errno = errno;
            }
        }
        Err(message) => return Err(common::defer(addr, message)),
    }
    Ok(child)
}

/// `syntax_errors_to`: tells somebody of the errors that were skipped. `some`: there were good addresses too.
pub fn mail_syntax_errors(ctx: &mut Context, router: &RouterInstance, o: &RedirectOptions, skipped: &[SkippedError], some: bool) {
    let Some(to) = o.syntax_errors_to.get().cloned() else { return };
    let to = match expand::expand(ctx, &to) {
        Ok(to) if !to.is_empty() => to,
        Ok(_) | Err(ExpandError::Forced(_)) => return,
        Err(e) => {
            let line = format!("{} router failed to expand \"{}\": {e}", router.name, to.raw().as_bstr());
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            return;
        }
    };
    let mut text = b"Auto-Submitted: auto-replied\n".to_vec();
    crate::deliver::generated::write_from(ctx, &mut text);
    text.extend_from_slice(format!("To: {to}\nSubject: error(s) in forwarding or filtering\n\n").as_bytes());
    text.extend_from_slice(&crate::deliver::generated::references(ctx));
    let mut custom = false;
    if let Some(t) = o.syntax_errors_text.get() {
        match expand::expand(ctx, t) {
            Ok(extra) => {
                text.extend_from_slice(&extra);
                text.extend_from_slice(b"\n\n");
                custom = true;
            }
            Err(e) => {
                let line = format!("Failed to expand \"syntax_errors_text\" for {} router: {e}", router.name);
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            }
        }
    }
    text.extend_from_slice(format!("The {} router encountered the following error(s):\n\n", router.name).as_bytes());
    for e in skipped {
        if e.item.is_empty() {
            text.extend_from_slice(format!("  {}\n\n", e.message).as_bytes());
        } else {
            text.extend_from_slice(format!("  {} in the address\n  \"{}\"\n\n", e.message, e.item).as_bytes());
        }
    }
    if !custom {
        let rest = if some { "Other addresses were processed normally.\n" } else { "No valid addresses were generated.\n" };
        text.extend_from_slice(rest.as_bytes());
    }
    // The redirection goes on whether anybody hears of its errors or not.
    let _ = crate::deliver::generated::send_as(ctx, &text, true);
}

/// Results cross a pipe as fields, each with its length.
pub fn encode_result(result: Result<ForwardList, ForwardEnd>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut field = |tag: u8, text: &[u8]| {
        out.push(tag);
        out.extend_from_slice(&(text.len() as u32).to_be_bytes());
        out.extend_from_slice(text);
    };
    match result {
        Ok(list) => {
            field(b'O', b"");
            for item in &list.items {
                match item {
                    ForwardItem::Address { address, qualified } => field(if *qualified { b'A' } else { b'a' }, address),
                    ForwardItem::Pipe(t) => field(b'P', t),
                    ForwardItem::File(t) => field(b'F', t),
                }
            }
            for e in &list.errors {
                field(b'e', e.message.as_bytes());
                field(b'i', &e.item);
            }
        }
        Err(ForwardEnd::Fail(t)) => field(b'x', &t),
        Err(ForwardEnd::Defer(t)) => field(b'd', &t),
        Err(ForwardEnd::Blackhole) => field(b'b', b""),
        Err(ForwardEnd::IncludeFailed(t)) => field(b'I', t.as_bytes()),
        Err(ForwardEnd::Error(t)) => field(b'E', t.as_bytes()),
    }
    out
}

/// The other way.
pub fn decode_result(mut bytes: &[u8]) -> Result<ForwardList, ForwardEnd> {
    let broken = || ForwardEnd::Error("the process that read redirection data gave nonsense".into());
    let mut list = ForwardList::default();
    while !bytes.is_empty() {
        let (tag, len) = match bytes {
            [tag, a, b, c, d, ..] => (*tag, u32::from_be_bytes([*a, *b, *c, *d]) as usize),
            _ => return Err(broken()),
        };
        let text = bytes.get(5..5 + len).ok_or_else(broken)?;
        bytes = &bytes[5 + len..];
        let lossy = || text.to_str_lossy().into_owned();
        match tag {
            b'O' => {}
            b'A' | b'a' => list.items.push(ForwardItem::Address { address: text.into(), qualified: tag == b'A' }),
            b'P' => list.items.push(ForwardItem::Pipe(text.into())),
            b'F' => list.items.push(ForwardItem::File(text.into())),
            b'e' => list.errors.push(SkippedError { message: lossy(), item: BString::default() }),
            b'i' => {
                if let Some(last) = list.errors.last_mut() {
                    last.item = text.into();
                }
            }
            b'x' => return Err(ForwardEnd::Fail(text.into())),
            b'd' => return Err(ForwardEnd::Defer(text.into())),
            b'b' => return Err(ForwardEnd::Blackhole),
            b'I' => return Err(ForwardEnd::IncludeFailed(lossy())),
            b'E' => return Err(ForwardEnd::Error(lossy())),
            _ => return Err(broken()),
        }
    }
    Ok(list)
}

//! Pipes, files and replies that redirection data or a filter ask for.

use bstr::BString;

use super::RedirectOptions;
use crate::context::Context;
use crate::filter::{What, reply};
use crate::retry::errors;
use crate::route::address::ReplyInfo;
use crate::route::{Address, AddressKind, RoutePurpose, common};
use crate::routers::RouterInstance;
use crate::text::Text;

/// The address of such a delivery, with its transport. What is wrong with it stands in it; delivery says so.
pub(super) fn child(
    ctx: &mut Context,
    router: &RouterInstance,
    o: &RedirectOptions,
    addr: &Address,
    carrier: &Address,
    what: &What,
    purpose: RoutePurpose,
) -> Address {
    let mut child = bare(ctx, what);
    if !child.reply.as_ref().is_some_and(|r| r.nobody) {
        child.domain = addr.domain.clone();
    }
    child.unique = BString::from(format!("{}:{}", child.address, addr.unique));
    child.uid = carrier.uid;
    child.gid = carrier.gid;
    child.initgroups = carrier.initgroups;
    child.home_dir = carrier.home_dir.clone();
    child.router = Some(router.name.clone());
    child.prefix = carrier.prefix.clone();
    child.suffix = carrier.suffix.clone();
    child.flags.uid_set = carrier.flags.uid_set;
    if purpose != RoutePurpose::Deliver && purpose != RoutePurpose::Test {
        return child;
    }
    let (forbidden, errno) = match child.kind {
        AddressKind::Pipe => (o.forbid_pipe, errors::FORBID_PIPE),
        AddressKind::Reply => (o.forbid_filter_reply, errors::FORBID_REPLY),
        _ => (o.forbid_file, errors::FORBID_FILE),
    };
    if forbidden {
        child.failure.basic_errno = errno;
    }
    let (option, template) = match child.kind {
        AddressKind::Pipe => ("pipe_transport", &o.pipe_transport),
        AddressKind::Reply => ("reply_transport", &o.reply_transport),
        _ if child.address.ends_with(b"/") => ("directory_transport", &o.directory_transport),
        _ => ("file_transport", &o.file_transport),
    };
    let Some(t) = template.get() else {
        if forbidden {
            return child;
        }
        child.failure.basic_errno = errors::BAD_TRANSPORT;
        child.failure.message = Some(Text::clean(format!("{option} unset in {} router", router.name)));
        return child;
    };
    name_it(ctx, &child);
    let found = common::transport(ctx, router, &mut child, t);
    ctx.address.address_pipe = None;
    ctx.address.address_file = None;
    match found {
        Ok(transport) => child.transport = Some(transport),
        Err(message) => child.failure.message = Some(Text::clean(message)),
    }
    child
}

/// Sets `$address_pipe` or `$address_file`, for the expansion of a transport's name.
pub fn name_it(ctx: &mut Context, child: &Address) {
    match child.kind {
        AddressKind::Pipe => ctx.address.address_pipe = Some(child.address.clone()),
        AddressKind::File => ctx.address.address_file = Some(child.address.clone()),
        _ => {}
    }
}

/// The address with what the item says, and no more.
pub fn bare(ctx: &Context, what: &What) -> Address {
    let mut a = Address::default();
    match what {
        What::Address { address, .. } => return Address::new(Text::tainted(address.clone())),
        What::File { path, mode } => {
            a.kind = AddressKind::File;
            a.address = path.clone();
            a.mode = *mode;
        }
        What::Pipe { command, expand } => {
            a.kind = AddressKind::Pipe;
            a.address = command.clone();
            if let Some((numeric, this_address)) = expand {
                a.flags.expand_pipe = true;
                a.pipe_numeric = numeric.clone();
                a.pipe_this_address = this_address.clone();
            }
        }
        What::Reply(info) => {
            a.kind = AddressKind::Reply;
            let found = reply::recipients(ctx, info);
            let nobody = found.is_none();
            let to = found.unwrap_or_else(|| reply::BAD_REPLY.into());
            a.address = Text::tainted([b">", to.as_slice()].concat());
            a.reply = Some(Box::new(ReplyInfo { nobody, ..(**info).clone() }));
        }
    }
    a.local_part = a.address.clone();
    a.cc_local_part = a.address.clone();
    a
}

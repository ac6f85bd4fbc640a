//! Variables of the address in hand, its parents, and the router or transport that has it.

use super::{Kind, VarDef, num, own, v};
use crate::context::Context;
use crate::text::Text;

/// `(uid_t)-1`, as it is shown when there is no user.
const NO_ID: u32 = u32::MAX;

const fn filter(name: &'static str, f: super::VarFn) -> VarDef {
    VarDef { name, kind: Kind::Filter(f) }
}

fn n(ctx: &Context, i: usize) -> Option<Text> {
    num(ctx.scratch.filter_n.get(i).copied().unwrap_or(0))
}

fn sn(ctx: &Context, i: usize) -> Option<Text> {
    num(ctx.scratch.filter_sn.get(i).copied().unwrap_or(0))
}

/// This group.
pub static VARIABLES: &[VarDef] = &[
    v("address_data", |c| c.address.address_data.clone()),
    v("address_file", |c| c.address.address_file.clone()),
    v("address_pipe", |c| c.address.address_pipe.clone()),
    v("atrn_host", |c| c.run.odmr.as_ref().and_then(|t| t.host.clone())),
    v("atrn_mode", |c| c.run.odmr.as_ref().map(|t| Text::clean(t.side.letter()))),
    v("callout_address", |c| c.address.callout_address.clone()),
    v("domain", |c| c.address.domain.clone()),
    v("domain_data", |c| c.address.domain_data.clone()),
    v("event_data", |c| c.address.event_data.clone()),
    v("event_defer_errno", |c| num(c.address.event_defer_errno)),
    v("event_name", |c| c.address.event_name.as_ref().and_then(own)),
    v("home", |c| c.address.home.clone()),
    v("host", |c| c.address.host.clone()),
    v("host_address", |c| c.address.host_address.clone()),
    v("host_port", |c| num(c.address.host_port)),
    v("inode", |c| num(c.address.inode)),
    v("local_part", |c| c.address.local_part.clone()),
    v("local_part_data", |c| c.address.local_part_data.clone()),
    v("local_part_prefix", |c| c.address.prefix.clone()),
    v("local_part_prefix_v", |c| c.address.prefix_v.clone()),
    v("local_part_suffix", |c| c.address.suffix.clone()),
    v("local_part_suffix_v", |c| c.address.suffix_v.clone()),
    v("local_user_gid", |c| num(c.address.local_user_gid.unwrap_or(NO_ID))),
    v("local_user_uid", |c| num(c.address.local_user_uid.unwrap_or(NO_ID))),
    v("lookup_dnssec_authenticated", |c| c.address.lookup_dnssec.and_then(super::yes_no)),
    v("mailstore_basename", |c| c.address.mailstore_basename.clone()),
    filter("n0", |c| n(c, 0)),
    filter("n1", |c| n(c, 1)),
    filter("n2", |c| n(c, 2)),
    filter("n3", |c| n(c, 3)),
    filter("n4", |c| n(c, 4)),
    filter("n5", |c| n(c, 5)),
    filter("n6", |c| n(c, 6)),
    filter("n7", |c| n(c, 7)),
    filter("n8", |c| n(c, 8)),
    filter("n9", |c| n(c, 9)),
    v("original_domain", |c| c.address.original_domain.clone()),
    v("original_local_part", |c| c.address.original_local_part.clone()),
    v("parent_domain", |c| c.address.parent_domain.clone()),
    v("parent_local_part", |c| c.address.parent_local_part.clone()),
    v("recipient_data", |c| c.address.recipient_data.clone()),
    v("return_path", |c| c.address.return_path.clone()),
    v("router_name", |c| c.address.router_name.as_ref().and_then(own)),
    v("self_hostname", |c| c.address.self_hostname.clone()),
    v("sender_address_data", |c| c.address.sender_address_data.clone()),
    v("sender_data", |c| c.address.sender_data.clone()),
    v("sending_ip_address", |c| c.address.sending_ip_address.clone()),
    v("sending_port", |c| super::connection::port(c.address.sending_port)),
    filter("sn0", |c| sn(c, 0)),
    filter("sn1", |c| sn(c, 1)),
    filter("sn2", |c| sn(c, 2)),
    filter("sn3", |c| sn(c, 3)),
    filter("sn4", |c| sn(c, 4)),
    filter("sn5", |c| sn(c, 5)),
    filter("sn6", |c| sn(c, 6)),
    filter("sn7", |c| sn(c, 7)),
    filter("sn8", |c| sn(c, 8)),
    filter("sn9", |c| sn(c, 9)),
    v("thisaddress", |c| c.address.this_address.clone()),
    v("transport_name", |c| c.address.transport_name.as_ref().and_then(own)),
    v("verify_mode", |c| c.address.verify_mode.map(Text::clean)),
    v("warn_message_delay", |c| c.address.warn_message_delay.as_ref().and_then(own)),
    v("warn_message_recipient", |c| c.address.warn_message_recipients.as_ref().and_then(own)),
    v("warn_message_recipients", |c| c.address.warn_message_recipients.as_ref().and_then(own)),
    v("warnmsg_delay", |c| c.address.warn_message_delay.as_ref().and_then(own)),
    v("warnmsg_recipient", |c| c.address.warn_message_recipients.as_ref().and_then(own)),
    v("warnmsg_recipients", |c| c.address.warn_message_recipients.as_ref().and_then(own)),
];

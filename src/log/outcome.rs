//! What became of an address: `=>`, `->`, `>>`, `*>`, `==` and `**` (manual sections 53.6 to 53.13), and the end of a message.

use std::net::IpAddr;

use bstr::{BString, ByteSlice};

use super::line::{LineBuilder, tls};
use super::selectors::Selector;
use super::{escape, selected, stamp};
use crate::context::Context;
use crate::context::names::{host_and_ident, port_logged};
use crate::route::{Address, AddressKind, HostItem};
use crate::text::Text;

/// What a transport over the network leaves for the log lines of its addresses.
#[derive(Clone, Debug, Default)]
pub struct RemoteLog {
    /// Second or later message on the connection: `*` after the address.
    pub continued: bool,
    /// The connection goes through a SOCKS proxy: its near end.
    pub proxy: Option<(IpAddr, u16)>,
    /// TCP Fast Open was used; `true`: with data.
    pub fast_open: Option<bool>,
    /// Our end of the connection.
    pub interface: Option<(IpAddr, u16)>,
    /// `PS=`.
    pub protocol_detail: BString,
    /// Authenticator, id and sender.
    pub auth: Option<(BString, Option<BString>, Option<BString>)>,
    /// PIPELINING was used; `true`: early.
    pub pipelining: Option<bool>,
    /// Per-recipient responses.
    pub prdr: bool,
    /// BDAT.
    pub chunking: bool,
    /// `DKIM=` domain[:selector].
    pub dkim: Option<BString>,
    /// The addresses went out in their ASCII form: they are shown so.
    pub ascii: bool,
    /// The answer to the end of the message.
    pub confirmation: Option<BString>,
    /// What the server said first, and to EHLO or HELO: for bounces with extra fields.
    pub greeting: BString,
    /// See above.
    pub helo_response: BString,
}

/// How an address is shown: what is delivered to, its parents, and the recipient it comes from. `delivered`: local
/// deliveries may show just the local part (`log_as_local`).
pub fn address(ctx: &Context, addr: &Address, delivered: bool) -> BString {
    let all_parents = selected(ctx, Selector::AllParents);
    let mut out = BString::default();
    let mut ancestors = Vec::new();
    let mut next = addr.parent.as_deref();
    while let Some(p) = next {
        ancestors.push(p);
        next = p.parent.as_deref();
    }
    let top = ancestors.pop();
    let special = addr.kind != AddressKind::Mail;
    let local = delivered && addr.flags.log_as_local && addr.router.is_some();
    if special || local {
        if addr.kind == AddressKind::File && !addr.local_part.starts_with(b"/") {
            out.extend_from_slice(b"save ");
        }
        push_local_part(&mut out, addr);
    } else {
        push_local_part(&mut out, addr);
        if !addr.domain.is_empty() {
            out.push(b'@');
            out.extend_from_slice(&addr.domain);
        }
    }
    if addr.remote_log.as_ref().is_some_and(|l| l.ascii) {
        out = ascii_form(out);
    }
    let top_address: &[u8] = addr.onetime_parent.as_ref().unwrap_or(top.map_or(&addr.address, |t| &t.address));
    let same = same_address(&out, top_address) && addr.onetime_parent.is_none() && (!all_parents || ancestors.is_empty());
    if (all_parents || special) && !ancestors.is_empty() {
        let mut lead: &[u8] = b" (";
        for p in &ancestors {
            out.extend_from_slice(lead);
            out.extend_from_slice(&p.address);
            if !all_parents {
                break;
            }
            lead = b", ";
        }
        out.push(b')');
    }
    if !same {
        out.extend_from_slice(b" <");
        out.extend_from_slice(top_address);
        out.push(b'>');
    }
    out
}

/// An address in its ASCII form, if it has one.
fn ascii_form(address: BString) -> BString {
    crate::expand::operators::address_to_alabel(&address).map_or(address, BString::from)
}

/// The local part, with the affixes that a router took off only if the transport uses them (`rcpt_include_affixes`).
fn push_local_part(out: &mut BString, addr: &Address) {
    let affixes = addr.kind == AddressKind::Mail && addr.transport.as_ref().is_some_and(|t| t.generic.rcpt_include_affixes);
    let (prefix, suffix) = if affixes { (addr.prefix.as_ref(), addr.suffix.as_ref()) } else { (None, None) };
    for part in [prefix, Some(&addr.local_part), suffix].into_iter().flatten() {
        out.extend_from_slice(part);
    }
}

/// Equal but for the case of the domain.
fn same_address(a: &[u8], b: &[u8]) -> bool {
    let at = a.rfind_byte(b'@').unwrap_or(a.len());
    a.len() == b.len() && a.eq_ignore_ascii_case(b) && a.get(..at) == b.get(..at)
}

/// ` H=name DS [ip]:port* PRX= I= PS=`.
fn host(ctx: &Context, b: &mut LineBuilder, host: &HostItem, log: &RemoteLog) {
    b.field("H", &host.name);
    if selected(ctx, Selector::Dnssec) && host.dnssec == Some(true) {
        b.item(b"DS");
    }
    b.item(b"[").raw(&host.address_text).raw(b"]");
    if let Some(port) = host.port.filter(|p| selected(ctx, Selector::OutgoingPort) && port_logged(ctx, *p)) {
        b.raw(format!(":{port}").as_bytes());
    }
    if log.continued {
        b.raw(b"*");
    }
    if let Some((ip, port)) = log.proxy.filter(|_| selected(ctx, Selector::Proxy)) {
        b.field("PRX", format!("[{ip}]:{port}").as_bytes());
    }
    our_end(ctx, b, log);
    if let Some(data) = log.fast_open {
        b.item(if data { b"TFO*" } else { b"TFO" });
    }
    if !log.protocol_detail.is_empty() && selected(ctx, Selector::ProtocolDetail) {
        b.field("PS", &log.protocol_detail);
    }
}

fn our_end(ctx: &Context, b: &mut LineBuilder, log: &RemoteLog) {
    let wanted = selected(ctx, Selector::IncomingInterface) && selected(ctx, Selector::OutgoingInterface);
    if let Some((ip, port)) = log.interface.filter(|_| wanted) {
        b.field("I", format!("[{ip}]").as_bytes());
        if selected(ctx, Selector::OutgoingPort) && port_logged(ctx, port) {
            b.raw(format!(":{port}").as_bytes());
        }
    }
}

/// `F=<sender>`, `SRS=<rewritten sender>`, `Q=`, `P=<return path>`; with `ascii`, the sender as the host without SMTPUTF8 had it.
fn envelope(
    ctx: &Context,
    b: &mut LineBuilder,
    srs: Option<&Text>,
    return_path: Option<&[u8]>,
    always_sender: bool,
    ascii: bool,
) {
    if selected(ctx, Selector::SenderOnDelivery) || always_sender {
        let sender = BString::from(ctx.message.sender.as_deref().unwrap_or_default());
        b.angle("F", &if ascii { ascii_form(sender) } else { sender });
    }
    if let Some(sender) = srs {
        b.angle("SRS", sender);
    }
    if !ctx.message.queue_name.is_empty() {
        b.field("Q", &ctx.message.queue_name);
    }
    if let Some(path) = return_path.filter(|_| selected(ctx, Selector::ReturnPathOnDelivery)) {
        b.angle("P", path);
    }
}

fn router_and_transport(b: &mut LineBuilder, addr: &Address) {
    if let Some(r) = &addr.router {
        b.field("R", r);
    }
    if let Some(t) = &addr.transport {
        b.field("T", &t.name);
    }
}

/// What a delivery line shows besides the address.
#[derive(Clone, Debug, Default)]
pub struct Delivered<'a> {
    /// Return path used.
    pub return_path: Option<&'a [u8]>,
    /// Bytes sent (`delivery_size`).
    pub size: u64,
    /// ` ST=...`: shadow transport, with its error.
    pub shadow: Option<(&'a [u8], Option<&'a [u8]>)>,
    /// Time on the queue, microseconds.
    pub queue_time: u64,
    /// Time that the delivery took, microseconds.
    pub deliver_time: u64,
    /// Text in place of a real delivery: `discarded`, after the address.
    pub instead: Option<&'a [u8]>,
}

/// A delivery line, whole: `=> address ...`. `flag` is `=>`, `->`, `>>` or `*>`.
pub fn delivery(ctx: &Context, flag: &str, addr: &Address, d: &Delivered<'_>) -> BString {
    delivery_line(ctx, LineBuilder::new(flag), addr, d, None)
}

/// The line about an onward host that refused a message during its reception (cutthrough delivery).
pub fn refused_onward(ctx: &Context, addr: &Address, what: &str, d: &Delivered<'_>) -> BString {
    let mut b = LineBuilder::default();
    b.raw(&host_and_ident(ctx, true));
    delivery_line(ctx, b, addr, d, Some(what))
}

fn delivery_line(ctx: &Context, mut b: LineBuilder, addr: &Address, d: &Delivered<'_>, what: Option<&str>) -> BString {
    let is_local = addr.transport.as_ref().is_none_or(|t| t.local().is_some());
    b.item(&match d.instead {
        Some(text) => {
            let mut shown = BString::from(text);
            let mut top = addr;
            while let Some(p) = top.parent.as_deref() {
                top = p;
            }
            shown.extend_from_slice(b" <");
            shown.extend_from_slice(&top.address);
            shown.push(b'>');
            shown
        }
        None => address(ctx, addr, is_local),
    });
    let ascii = addr.remote_log.as_ref().is_some_and(|l| l.ascii);
    envelope(ctx, &mut b, addr.srs_sender.as_ref(), d.return_path, what.is_some(), ascii);
    if let Some(what) = what {
        b.item(what.as_bytes());
    }
    router_and_transport(&mut b, addr);
    if addr.transport.is_some() && selected(ctx, Selector::DeliverySize) {
        b.field("S", d.size.to_string().as_bytes());
    }
    let log = addr.remote_log.as_deref().cloned().unwrap_or_default();
    if is_local {
        if let Some(h) = addr.host_used.as_deref().or(addr.hosts.first()).filter(|_| addr.transport.is_some()) {
            b.field("H", &h.name);
        }
        our_end(ctx, &mut b, &log);
        if let Some((name, error)) = d.shadow {
            b.field("ST", name);
            if let Some(e) = error {
                b.item(b"(").raw(e).raw(b")");
            }
        }
    } else {
        if let Some(h) = addr.host_used.as_deref() {
            host(ctx, &mut b, h, &log);
        }
        tls(ctx, &mut b, &addr.tls);
        if let Some((name, id, sender)) = &log.auth {
            b.field("A", name);
            if let Some(id) = id {
                b.raw(b":").raw(id);
                if let Some(s) = sender.as_ref().filter(|_| selected(ctx, Selector::SmtpMailauth)) {
                    b.raw(b":").raw(s);
                }
            }
        }
        if let Some(early) = log.pipelining.filter(|_| selected(ctx, Selector::Pipelining)) {
            b.item(if early { b"L*" } else { b"L" });
        }
        if log.prdr {
            b.item(b"PRDR");
        }
        if log.chunking {
            b.item(b"K");
        }
        if let Some(d) = log.dkim.as_ref().filter(|_| selected(ctx, Selector::DkimVerbose)) {
            b.field("DKIM", d);
        }
    }
    if !addr.log_fields.is_empty() {
        b.item(addr.log_fields.trim());
    }
    if let Some(c) = log.confirmation.as_ref().filter(|_| selected(ctx, Selector::SmtpConfirmation)) {
        let shown = escape::printing(c, ctx.config.site.log.topbit);
        b.field("C", &escape::quoted(shown.get(..100).unwrap_or(&shown)));
    }
    let millisec = selected(ctx, Selector::Millisec);
    if selected(ctx, Selector::QueueTime) {
        b.field("QT", stamp::interval(d.queue_time, millisec).as_bytes());
    }
    if selected(ctx, Selector::DeliverTime) && addr.transport.is_some() {
        b.field("DT", stamp::interval(d.deliver_time, millisec).as_bytes());
    }
    b.build()
}

/// A failure line without its flag: `address ... : message`.
pub fn failure(ctx: &Context, addr: &Address, return_path: Option<&[u8]>, deliver_time: Option<u64>) -> BString {
    let mut b = LineBuilder::default();
    b.item(&address(ctx, addr, false));
    envelope(ctx, &mut b, None, return_path, false, false);
    router_and_transport(&mut b, addr);
    let log = addr.remote_log.as_deref().cloned().unwrap_or_default();
    if let Some(h) = addr.host_used.as_deref() {
        host(ctx, &mut b, h, &log);
    }
    tls(ctx, &mut b, &addr.tls);
    let f = &addr.failure;
    if f.basic_errno > 0 {
        b.item(b": ").raw(crate::sys::strerror(f.basic_errno).as_bytes());
    }
    if let Some(m) = &f.message {
        b.raw(b" : ").raw(&escape::printing(m, ctx.config.site.log.topbit));
    }
    if let Some(t) = deliver_time.filter(|_| selected(ctx, Selector::DeliverTime)) {
        b.field("DT", stamp::interval(t, selected(ctx, Selector::Millisec)).as_bytes());
    }
    b.build()
}

/// A deferral line without its flag: `address ... defer (n): message`. `stage` is empty, or a word such as `routing`.
pub fn deferral(ctx: &Context, addr: &Address, stage: &str, deliver_time: Option<u64>) -> BString {
    let mut b = LineBuilder::default();
    b.item(&address(ctx, addr, false));
    if !ctx.message.queue_name.is_empty() {
        b.field("Q", &ctx.message.queue_name);
    }
    router_and_transport(&mut b, addr);
    if !stage.is_empty() {
        b.item(stage.as_bytes());
    }
    let f = &addr.failure;
    b.item(format!("defer ({})", f.basic_errno).as_bytes());
    if f.basic_errno > 0 {
        b.raw(b": ").raw(crate::sys::strerror(f.basic_errno).as_bytes());
    }
    if let Some(h) = addr.host_used.as_deref() {
        let log = addr.remote_log.as_deref().cloned().unwrap_or_default();
        host(ctx, &mut b, h, &log);
    }
    if let Some(t) = deliver_time.filter(|_| selected(ctx, Selector::DeliverTime)) {
        b.field("DT", stamp::interval(t, selected(ctx, Selector::Millisec)).as_bytes());
    }
    if let Some(m) = &f.message {
        b.raw(b": ").raw(&escape::printing(m, ctx.config.site.log.topbit));
    }
    b.build()
}

/// `Completed`, with `QT=` if wanted.
pub fn completed(ctx: &Context, queue_time: u64) -> BString {
    let mut b = LineBuilder::new("Completed");
    if selected(ctx, Selector::QueueTimeOverall) {
        b.field("QT", stamp::interval(queue_time, selected(ctx, Selector::Millisec)).as_bytes());
    }
    b.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_domain_may_differ_in_case() {
        assert!(same_address(b"a@B", b"a@b"));
        assert!(!same_address(b"A@b", b"a@b"));
    }
}

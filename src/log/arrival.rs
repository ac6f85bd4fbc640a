//! Arrival lines, `<=` and `(=` (manual section 53.5): what came, from whom and how.

use bstr::BString;

use super::line::{LineBuilder, tls};
use super::selectors::Selector;
use super::{escape, selected, stamp};
use crate::context::Context;
use crate::context::names::{port_logged, sender_fullhost};

/// What only reception knows of an arriving message.
#[derive(Clone, Debug, Default)]
pub struct Arrival<'a> {
    /// Content of the Message-ID: header, without angle brackets.
    pub message_id: Option<&'a [u8]>,
    /// We made that id.
    pub id_created: bool,
    /// The decoded subject.
    pub subject: Option<&'a [u8]>,
    /// `DKIM=... ARC SPF... DMARC...`, built by the mail_auth code, or empty.
    pub mail_auth: &'a [u8],
    /// Recipients before rewriting (`received_recipients`).
    pub recipients: &'a [BString],
    /// Sender before rewriting (`received_sender`).
    pub raw_sender: Option<&'a [u8]>,
}

fn interface(ctx: &Context, b: &mut LineBuilder) {
    if let Some(i) = ctx.session.interface_address.as_ref().filter(|_| selected(ctx, Selector::IncomingInterface)) {
        b.field("I", b"[").raw(i).raw(b"]");
        let port = ctx.session.interface_port;
        if port_logged(ctx, port) {
            b.raw(format!(":{port}").as_bytes());
        }
    }
}

/// The rest of an arrival line, after `<= ` (main log) or `Received from ` (message log).
pub fn arrival(ctx: &Context, a: &Arrival<'_>) -> BString {
    let (s, m) = (&ctx.session, &ctx.message);
    let mut b = LineBuilder::default();
    b.item(match m.sender.as_deref() {
        None | Some(b"") => b"<>",
        Some(x) => x,
    });
    if let Some(r) = m.references_id.as_ref().filter(|r| !r.is_empty()) {
        b.field("R", r);
    }
    if let Some(host) = sender_fullhost(ctx) {
        if selected(ctx, Selector::Dnssec) && s.host_dnssec {
            b.item(b"DS");
        }
        b.field("H", &host);
        interface(ctx, &mut b);
    }
    if let Some(data) = s.fast_open {
        b.item(if data { b"TFO*" } else { b"TFO" });
    }
    if let Some(ident) = s.ident.as_ref().filter(|i| !i.is_empty()) {
        b.field("U", ident);
    }
    if selected(ctx, Selector::ConnectionId) && !s.connection_id.is_empty() {
        b.field("Ci", &s.connection_id);
    }
    if let Some(p) = &s.received_protocol {
        b.field("P", p);
    }
    if s.pipelining_advertised && selected(ctx, Selector::Pipelining) {
        // A dot: early pipelining was offered; a star: it was used. A dash: not even common pipelining was used.
        b.item(b"L");
        b.raw(match (s.early_pipe_used, s.early_pipe_advertised) {
            (true, _) => b"*",
            (false, true) => b".",
            (false, false) => b"",
        });
        b.raw(if s.pipelining_used { b"" } else { b"-" });
    }
    tls(ctx, &mut b, &s.tls_in);
    if selected(ctx, Selector::TlsSni)
        && let Some(sni) = &s.tls_in.sni
    {
        b.field("SNI", &escape::printing(sni, false));
    }
    if let Some(by) = &s.authenticated_by {
        b.field("A", by);
        if let Some(id) = &s.authenticated_id {
            b.raw(b":").raw(&escape::printing(id, ctx.config.site.log.topbit));
        }
        if let Some(sender) = m.authenticated_sender.as_ref().filter(|_| selected(ctx, Selector::SmtpMailauth)) {
            b.raw(b":").raw(sender);
        }
    }
    if m.prdr {
        b.item(b"PRDR");
    }
    if let Some(p) = s.proxy.as_ref().filter(|_| selected(ctx, Selector::Proxy)) {
        b.field("PRX", &p.local_address);
    }
    if m.chunked {
        b.item(b"K");
    }
    b.field("S", m.size.to_string().as_bytes());
    if selected(ctx, Selector::EightBitMime) {
        b.field("M8S", m.body_type.to_string().as_bytes());
    }
    if selected(ctx, Selector::ReceiveTime) {
        b.field("RT", stamp::interval(m.received_duration_usec, selected(ctx, Selector::Millisec)).as_bytes());
    }
    if !a.mail_auth.is_empty() {
        b.item(a.mail_auth);
    }
    if let Some(id) = a.message_id {
        if a.id_created {
            if selected(ctx, Selector::MsgIdCreated) {
                b.field("id*", &escape::printing(id, ctx.config.site.log.topbit));
            }
        } else if selected(ctx, Selector::MsgId) {
            b.field("id", &escape::printing(id, ctx.config.site.log.topbit));
        }
    }
    if let Some(subject) = a.subject.filter(|_| selected(ctx, Selector::Subject)) {
        b.field("T", &escape::quoted(subject));
    }
    if !m.queue_name.is_empty() {
        b.field("Q", &m.queue_name);
    }
    if let Some(raw) = a.raw_sender.filter(|_| selected(ctx, Selector::ReceivedSender)) {
        b.item(b"from <").raw(raw).raw(b">");
    }
    if !a.recipients.is_empty() && selected(ctx, Selector::ReceivedRecipients) {
        b.item(b"for");
        for r in a.recipients {
            b.item(r);
        }
    }
    b.build()
}

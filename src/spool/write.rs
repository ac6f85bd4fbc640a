//! What is in -H: the one place that turns a message into the bytes of its spool file.
//!
//! The file itself is the business of `header_file`.

use super::header_line::letter;
use super::tree;
use crate::context::message::DsnRet;
use crate::context::session::HostName;
use crate::context::{Context, HeaderKind, Recipient};
use crate::log::debuglog;
use crate::text::{Taint, Text};

/// The bytes of -H, and the size of the message's header in it.
pub fn format_header_file(ctx: &Context) -> (Vec<u8>, u64) {
    let m = &ctx.message;
    let mut w = Writer { out: Vec::with_capacity(4096) };
    w.raw(&[&m.id, &b"-H\n"[..]].concat());
    w.one_line(m.originator_login.get(..63).unwrap_or(&m.originator_login));
    w.raw(format!(" {} {}\n<", m.originator_uid as i32, m.originator_gid as i32).as_bytes());
    w.one_line(m.sender.as_deref().unwrap_or_default());
    w.raw(format!(">\n{} {}\n", m.received_time.0, m.warning_count).as_bytes());
    session_lines(&mut w, ctx);
    message_lines(&mut w, ctx);
    tls_lines(&mut w, ctx);
    nonrecipients(&mut w, &m.nonrecipients);
    w.raw(format!("{}\n", m.recipients.len()).as_bytes());
    for r in &m.recipients {
        recipient(&mut w, r);
    }
    w.raw(b"\n");
    let mut size = 0u64;
    for h in &m.headers {
        w.raw(format!("{:03}{} ", h.text.len(), char::from(letter(h.kind))).as_bytes());
        w.raw(&h.text);
        if h.kind != HeaderKind::Old {
            size += h.text.len() as u64;
        }
    }
    (w.out, size)
}

struct Writer {
    out: Vec<u8>,
}

impl Writer {
    fn raw(&mut self, s: &[u8]) {
        self.out.extend_from_slice(s);
    }

    /// Text that must stay on one line: a newline in it would be read back as another field.
    fn one_line(&mut self, s: &[u8]) {
        self.out.extend(s.iter().map(|c| if matches!(c, b'\n' | 0) { b' ' } else { *c }));
    }

    fn flag(&mut self, name: &str, on: bool) {
        if on {
            self.raw(format!("-{name}\n").as_bytes());
        }
    }

    fn number(&mut self, name: &str, n: impl std::fmt::Display) {
        self.raw(format!("-{name} {n}\n").as_bytes());
    }

    fn dashes(&mut self, taint: Taint) {
        match taint {
            Taint::Clean => self.raw(b"-"),
            Taint::Tainted => self.raw(b"--"),
            Taint::Quoted(index) => {
                self.raw(b"--(");
                self.raw(crate::lookups::type_name(index).as_bytes());
                self.raw(b")");
            }
        }
    }

    fn text(&mut self, name: &str, value: Option<&Text>) {
        if let Some(v) = value {
            self.dashes(v.taint());
            self.raw(name.as_bytes());
            self.raw(b" ");
            self.one_line(v);
            self.raw(b"\n");
        }
    }

    fn bytes(&mut self, name: &str, value: Option<&[u8]>) {
        if let Some(v) = value {
            self.raw(format!("-{name} ").as_bytes());
            self.one_line(v);
            self.raw(b"\n");
        }
    }

    fn address_and_port(&mut self, name: &str, address: Option<&Text>, port: u16) {
        if let Some(a) = address {
            self.dashes(a.taint());
            self.raw(format!("{name} [").as_bytes());
            self.one_line(a);
            self.raw(format!("]:{port}\n").as_bytes());
        }
    }

    fn acl_variable(&mut self, kind: char, name: &[u8], value: &Text) {
        self.dashes(value.taint());
        self.raw(format!("acl{kind} ").as_bytes());
        self.one_line(name);
        self.raw(format!(" {}\n", value.len()).as_bytes());
        self.raw(value);
        self.raw(b"\n");
    }
}

fn session_lines(w: &mut Writer, ctx: &Context) {
    let (s, m) = (&ctx.session, &ctx.message);
    w.raw(format!("-received_time_usec .{:06}\n", m.received_time.1).as_bytes());
    let end = m.received_time.0 as i128 * 1_000_000 + i128::from(m.received_time.1) + i128::from(m.received_duration_usec);
    w.raw(format!("-received_time_complete {}.{:06}\n", end / 1_000_000, end % 1_000_000).as_bytes());
    w.text("helo_name", s.helo_name.as_ref());
    w.address_and_port("host_address", s.host_address.as_ref(), s.host_port);
    // A name without an address (-oMs alone) is forgotten.
    if let HostName::Found(name) = &s.host_name
        && s.host_address.is_some()
    {
        w.text("host_name", Some(name));
    }
    w.bytes("host_auth", s.authenticated_by.as_deref().map(Vec::as_slice));
    w.bytes("host_auth_pubname", s.auth_public_name.as_deref().map(Vec::as_slice));
    w.address_and_port("interface_address", s.interface_address.as_ref(), s.interface_port);
    if !s.active_hostname.is_empty() && s.active_hostname != ctx.config.site.primary_hostname {
        w.bytes("active_hostname", Some(&s.active_hostname));
    }
    w.text("ident", s.ident.as_ref());
    w.bytes("received_protocol", s.received_protocol.as_deref().map(Vec::as_slice));
    for (name, value) in &ctx.acl.connection {
        w.acl_variable('c', name, value);
    }
    for (name, value) in &ctx.acl.message {
        w.acl_variable('m', name, value);
    }
}

fn message_lines(w: &mut Writer, ctx: &Context) {
    let (s, m) = (&ctx.session, &ctx.message);
    if m.wireformat {
        w.flag("spool_file_wireformat", true);
    } else {
        w.number("body_linecount", m.body_linecount);
    }
    w.number("max_received_linelength", m.max_received_linelength);
    if m.body_zerocount > 0 {
        w.number("body_zerocount", m.body_zerocount);
    }
    w.text("auth_id", s.authenticated_id.as_ref());
    w.text("auth_sender", m.authenticated_sender.as_ref());
    w.flag("allow_unqualified_recipient", s.allow_unqualified_recipient);
    w.flag("allow_unqualified_sender", s.allow_unqualified_sender);
    w.flag("deliver_firsttime", m.first_delivery);
    if m.frozen {
        w.number("frozen", m.frozen_at);
    }
    w.flag("N", m.dont_deliver || ctx.run.dont_deliver);
    w.flag("host_lookup_deferred", s.host_name == HostName::Deferred);
    w.flag("host_lookup_failed", s.host_name == HostName::Failed);
    w.flag("local", m.local);
    w.flag("localerror", m.local_error);
    w.text("local_scan", m.local_scan_data.as_ref());
    w.text("bmi_verdicts", m.scan.bmi.verdicts.as_ref());
    w.text("spam_bar", m.spam_bar.as_ref());
    w.text("spam_score", m.spam_score.as_ref());
    w.text("spam_score_int", m.spam_score_int.as_ref());
    w.flag("manual_thaw", m.manual_thaw);
    w.flag("sender_set_untrusted", m.sender_set_untrusted);
}

fn tls_lines(w: &mut Writer, ctx: &Context) {
    let (t, m) = (&ctx.session.tls_in, &ctx.message);
    w.flag("tls_certificate_verified", t.certificate_verified);
    w.bytes("tls_cipher", t.cipher.as_deref().map(Vec::as_slice));
    let pem = |p: &Option<bstr::BString>| p.as_ref().map(|p| escape_newlines(p));
    if let Some(p) = pem(&t.peer_cert) {
        w.text("tls_peercert", Some(&Text::tainted(p)));
    }
    w.text("tls_peerdn", t.peerdn.as_ref());
    w.text("tls_sni", t.sni.as_ref());
    w.bytes("tls_ourcert", pem(&t.our_cert).as_deref());
    if t.ocsp != 0 {
        w.number("tls_ocsp", t.ocsp);
    }
    if t.cipher.is_some() || t.resumption != 0 {
        w.number("tls_resumption", char::from(b'A' + (t.resumption & 0x0f) as u8));
    }
    w.bytes("tls_ver", t.version.as_deref().map(Vec::as_slice));
    if m.requiretls {
        w.number("tls_requiretls", "0x1");
    }
    if m.smtputf8 {
        w.flag("smtputf8", true);
        w.flag("utf8_downcvt", m.utf8_downconvert == Some(1));
        w.flag("utf8_optdowncvt", m.utf8_downconvert == Some(-1));
    }
    w.text("dsn_envid", m.dsn_envid.as_ref());
    match m.dsn_ret {
        DsnRet::Unset => {}
        DsnRet::Full => w.number("dsn_ret", 1),
        DsnRet::Headers => w.number("dsn_ret", 2),
    }
    debug_log(w, ctx);
    for line in &m.unknown_spool_lines {
        w.one_line(line);
        w.raw(b"\n");
    }
}

/// `control = debug` holds for the message as long as it is on the queue.
fn debug_log(w: &mut Writer, ctx: &Context) {
    let Some(d) = debuglog::kept(&ctx.run).or(ctx.message.debug_log.as_ref()) else { return };
    w.raw(format!("-debug_selector 0x{:x}\n-debuglog_name ", d.selector).as_bytes());
    w.one_line(&d.path);
    w.raw(b"\n");
    if let Some(n) = d.pretrigger {
        w.number("debuglog_pretrigger", n);
    }
    w.flag("debuglog_panic", d.on_panic);
}

/// A certificate on one line: newlines are written as `\n`.
fn escape_newlines(pem: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(pem.len() + 64);
    for c in pem {
        match c {
            b'\n' => out.extend_from_slice(b"\\n"),
            _ => out.push(*c),
        }
    }
    out
}

fn nonrecipients(w: &mut Writer, tree: &tree::Tree) {
    if tree.is_empty() {
        return w.raw(b"XX\n");
    }
    for (left, right, name) in tree.preorder() {
        w.raw(&[if left { b'Y' } else { b'N' }, if right { b'Y' } else { b'N' }, b' ']);
        w.one_line(name);
        w.raw(b"\n");
    }
}

fn recipient(w: &mut Writer, r: &Recipient) {
    w.one_line(&r.address);
    if r.parent >= 0 || r.errors_to.is_some() || r.dsn_flags != 0 {
        let orcpt = r.orcpt.as_deref().unwrap_or_default();
        let errors_to = r.errors_to.as_deref().unwrap_or_default();
        w.raw(b" ");
        w.one_line(orcpt);
        w.raw(format!(" {},{} ", orcpt.len(), r.dsn_flags).as_bytes());
        w.one_line(errors_to);
        w.raw(format!(" {},{}#3", errors_to.len(), r.parent).as_bytes());
    }
    w.raw(b"\n");
}

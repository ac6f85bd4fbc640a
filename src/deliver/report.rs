//! Common parts of bounces, delay warnings and success reports: how addresses and errors are listed for people, and
//! the machine-readable fields (RFC 3464).

use bstr::{BString, ByteSlice};

use super::transport_write::{WriteSpec, write_message};
use crate::build_options::EXPERIMENTAL_DSN_INFO;
use crate::context::Context;
use crate::log::escape::{printing, printing_with_tabs};
use crate::log::outcome::RemoteLog;
use crate::route::{Address, AddressKind, HostItem};
use crate::sys::time::unix_time;

/// Longest line of an error for people.
const MAX_TEXT_LINE: usize = 255;
/// Longest `Diagnostic-Code:` field.
const MAX_DIAGNOSTIC: usize = 951;
/// Longest line and text of the extra fields.
const LINE_LENGTH: usize = 79;
/// See above.
const MAX_STRING: usize = 1023;

/// A report being built.
pub(super) struct Report {
    pub(super) text: Vec<u8>,
    boundary: String,
}

impl Report {
    /// An empty one.
    pub(super) fn new(ctx: &mut Context) -> Self {
        let n = ctx.services.random.below(0x7fff_ffff);
        Report { text: Vec::new(), boundary: format!("{}-eximdsn-{n}", unix_time()) }
    }

    pub(super) fn put(&mut self, bytes: impl AsRef<[u8]>) {
        self.text.extend_from_slice(bytes.as_ref());
    }

    /// `Reply-To:` if configured.
    pub(super) fn reply_to(&mut self, ctx: &Context) {
        if let Some(r) = ctx.config.main.errors_reply_to.raw() {
            self.put("Reply-To: ");
            self.put(r);
            self.put("\n");
        }
    }

    /// The MIME header lines of the report.
    pub(super) fn mime(&mut self) {
        let b = self.boundary.clone();
        self.put(format!("Content-Type: multipart/report; report-type=delivery-status; boundary={b}\nMIME-Version: 1.0\n"));
    }

    /// The beginning of the text for people.
    pub(super) fn text_part(&mut self) {
        let b = self.boundary.clone();
        self.put(format!("--{b}\nContent-type: text/plain; charset=us-ascii\n\n"));
    }

    /// The beginning of the machine-readable part.
    pub(super) fn status_part(&mut self, ctx: &Context) {
        let b = self.boundary.clone();
        let host =
            if ctx.session.active_hostname.is_empty() { &ctx.config.site.primary_hostname } else { &ctx.session.active_hostname };
        let global = if ctx.message.smtputf8 { "global-" } else { "" };
        self.put(format!("--{b}\nContent-type: message/{global}delivery-status\n\nReporting-MTA: dns; "));
        self.put(host);
        self.put("\n");
        if let Some(id) = &ctx.message.dsn_envid {
            match crate::parse::xtext::decode(id) {
                Some(plain) => {
                    self.put("Original-Envelope-ID: ");
                    self.put(plain);
                    self.put("\n");
                }
                None => self.put("X-Original-Envelope-ID: error decoding xtext formatted ENVID\n"),
            }
        }
        self.put("\n");
    }

    /// The beginning of the part with the message.
    pub(super) fn copy_part(&mut self, ctx: &Context, headers_only: bool) {
        let kind = match (ctx.message.smtputf8, headers_only) {
            (true, true) => "message/global-headers",
            (true, false) => "message/global",
            (false, true) => "text/rfc822-headers",
            (false, false) => "message/rfc822",
        };
        let b = self.boundary.clone();
        self.put(format!("--{b}\nContent-type: {kind}\n\n"));
    }

    /// The message itself, with a `Return-path:` line.
    pub(super) fn copy(&mut self, ctx: &mut Context, data: &std::fs::File, headers_only: bool, extra: &[u8]) {
        let sender = ctx.message.sender.clone().unwrap_or_default();
        let spec = WriteSpec {
            return_path: Some(&sender),
            add_return_path: true,
            no_body: headers_only,
            extra_headers: extra,
            ..WriteSpec::default()
        };
        if let Err(e) = write_message(ctx, &spec, data, &mut self.text) {
            self.put(format!("\n    +++ Exim error... failed to copy the message: {e}\n"));
        }
    }

    /// The end of the report.
    pub(super) fn end(&mut self) {
        let b = self.boundary.clone();
        self.put(format!("\n--{b}--\n"));
    }

    /// Recipients, `Action:`, `Status:`.
    pub(super) fn fields(&mut self, addr: &Address, action: &str, status: &str) {
        if let Some(o) = addr.original().dsn_orcpt.as_ref().or(addr.dsn_orcpt.as_ref()) {
            self.put("Original-Recipient: ");
            self.put(crate::parse::xtext::decode(o).unwrap_or_else(|| o.to_vec().into()));
            self.put("\n");
        }
        self.put(format!("Action: {action}\nFinal-Recipient: rfc822;"));
        self.put(&addr.original().address);
        self.put(format!("\nStatus: {status}\n"));
    }

    /// The host and what it said, if a host did.
    pub(super) fn remote(&mut self, addr: &Address) {
        let Some(h) = addr.host_used.as_deref().filter(|h| !h.name.is_empty()) else { return };
        self.put("Remote-MTA: dns; ");
        self.put(&h.name);
        self.put("\n");
        if EXPERIMENTAL_DSN_INFO {
            self.server(h, addr.remote_log.as_deref());
            self.diagnostic(addr);
        }
        if let Some(answer) = addr.failure.message.as_ref().filter(|_| addr.flags.pass_message) {
            // The answer follows the first colon: "SMTP error from remote mail server after ...: 550 ...".
            let given = answer.find(b": ").map(|at| &answer[at + 2..]);
            if let Some(text) = given.filter(|t| t.first().is_some_and(u8::is_ascii_digit)) {
                let label = "Diagnostic-Code: smtp; ";
                let shown = text.get(..MAX_DIAGNOSTIC - label.len()).unwrap_or(text);
                self.put(label);
                self.put(shown.replace(b"\\n", b"\n "));
                self.put(if shown.len() < text.len() { "[truncated]\n" } else { "\n" });
            }
        }
    }

    /// `EXPERIMENTAL_DSN_INFO`: the server's address and its first words.
    fn server(&mut self, host: &HostItem, log: Option<&RemoteLog>) {
        if host.address.is_some() || !host.address_text.is_empty() {
            let port = host.port.filter(|p| *p != 25).map(|p| format!(":{p}")).unwrap_or_default();
            self.put(format!("Remote-MTA: X-ip; [{}]{port}\n", host.address_text));
        }
        let Some(log) = log else { return };
        self.wrapped("X-Remote-MTA-smtp-greeting", &log.greeting);
        self.wrapped("X-Remote-MTA-helo-response", log.helo_response.lines().next().unwrap_or_default());
    }

    /// `EXPERIMENTAL_DSN_INFO`: the error text, if it may be shown.
    pub(super) fn diagnostic(&mut self, addr: &Address) {
        if let Some(text) = addr.failure.message.as_ref().filter(|_| addr.flags.pass_message) {
            self.wrapped("X-Exim-Diagnostic", text);
        }
    }

    /// A field with a text, in lines of at most 79 characters, cut at 1023.
    fn wrapped(&mut self, name: &str, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        let mut line = BString::from(format!("{name}: X-str;"));
        for word in text.get(..MAX_STRING).unwrap_or(text).fields() {
            let word = printing(word, false);
            if line.len() + 1 + word.len() > LINE_LENGTH {
                line.push(b'\n');
                self.put(&line);
                line.clear();
            }
            line.push(b' ');
            line.extend_from_slice(&word);
        }
        line.push(b'\n');
        self.put(line);
    }

    /// One address as people are told of it. False: it is hidden from them.
    pub(super) fn address(&mut self, ctx: &Context, addr: &Address, before: &str, between: &str, after: &str) -> bool {
        let topbit = ctx.config.site.log.topbit;
        let show = |s: &[u8]| printing(s, topbit);
        let mut shown = true;
        self.put(before);
        let printed: BString = if addr.flags.hide_child && addr.parent.is_some() {
            shown = false;
            "an undisclosed address".into()
        } else if let (true, Some(parent)) = (addr.kind != AddressKind::Mail, &addr.parent) {
            let (word, rest) = match addr.address.first() {
                Some(b'>') => ("mail", addr.address.get(1..).unwrap_or_default()),
                Some(b'|') => ("pipe", addr.address.as_bytes()),
                _ => ("save", addr.address.as_bytes()),
            };
            self.put(format!("{word} to "));
            self.put(show(rest));
            self.put(between);
            self.put("generated by ");
            parent.address.as_bytes().into()
        } else {
            addr.address.as_bytes().into()
        };
        self.put(show(&printed));
        let top = addr.original();
        let original = top.onetime_parent.as_ref().unwrap_or(&top.address);
        if !original.eq_ignore_ascii_case(&printed) {
            let steps = addr.ancestors().count() - usize::from(addr.kind != AddressKind::Mail && addr.parent.is_some());
            self.put(between);
            self.put(if steps > 1 { "(ultimately generated from " } else { "(generated from " });
            self.put(show(original));
            self.put(")");
        }
        if let Some(h) = addr.host_used.as_deref() {
            self.put("\n  host ");
            self.put(&h.name);
            self.put(" [");
            self.put(&h.address_text);
            self.put("]");
        }
        self.put(after);
        shown
    }

    /// The error of an address, in lines that are not too long.
    pub(super) fn error(&mut self, ctx: &Context, addr: &Address, lead: &str) {
        let f = &addr.failure;
        let text = f.message.as_ref().filter(|_| addr.flags.pass_message).or(f.user_message.as_ref());
        let Some(text) = text else { return };
        let text = printing_with_tabs(text, ctx.config.site.log.topbit);
        self.put("\n    ");
        self.put(lead);
        let mut count = lead.len();
        let mut at = 0;
        while let Some(c) = text.get(at) {
            if *c == b'\\' && text.get(at + 1) == Some(&b'n') {
                self.put("\n    ");
                at += 2;
                count = 0;
                continue;
            }
            if count == MAX_TEXT_LINE {
                self.put("[truncated]");
                return;
            }
            self.text.push(*c);
            at += 1;
            count += 1;
            if *c == b':' && count > 45 && text.get(at).is_some_and(u8::is_ascii_whitespace) {
                self.put("\n   ");
                count = 0;
            }
        }
    }
}

//! XCLIENT (hosts_xclient): a trusted proxy tells who the real client is.

use std::net::IpAddr;

use bstr::ByteSlice;

use super::Next;
use super::server::Server;
use crate::context::Context;
use crate::context::names::host_and_ident;
use crate::context::session::{HostName, Proxy};
use crate::log::{self, Selector, Which};
use crate::text::Text;

impl Server {
    /// XCLIENT
    pub fn xclient(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        if !self.helo_seen {
            return self.xclient_mistake(ctx, "no HELO/EHLO given", 503, "HELO or EHLO required");
        }
        if !self.xclient_advertised {
            return self.mistake(ctx, Selector::SmtpProtocolError, 501, None, "XCLIENT command used when not advertised");
        }
        if ctx.message.sender.is_some() {
            return self.xclient_mistake(ctx, "mail transaction in progress", 503, "mail transaction in progress");
        }
        if self.line.argument.is_empty() {
            return self.mistake(ctx, Selector::SmtpProtocolError, 501, None, "XCLIENT must have at least one operand");
        }
        let argument = self.line.argument.clone();
        if let Err(text) = self.take_client(ctx, &argument) {
            return self.mistake(ctx, Selector::SmtpProtocolError, 501, None, &text);
        }
        self.helo_seen = false;
        self.free.helo = true;
        self.new_transaction(ctx);
        self.reply(ctx, "220 XCLIENT success");
        Next::Command
    }

    fn xclient_mistake(&mut self, ctx: &mut Context, logged: &str, code: u16, text: &str) -> Next {
        let line = format!("rejected XCLIENT from {}: {logged}", host_and_ident(ctx, false));
        log::write(ctx, None, Which::MAIN.and(Which::REJECT), line.as_bytes());
        self.mistake(ctx, Selector::SmtpProtocolError, code, None, text)
    }

    fn take_client(&mut self, ctx: &mut Context, argument: &[u8]) -> Result<(), String> {
        let mut new = ctx.session.clone();
        let mut proxy = Proxy {
            local_address: new.host_address.clone().unwrap_or_default(),
            local_port: new.host_port,
            ..new.proxy.clone().unwrap_or_default()
        };
        for word in argument.fields_with(|c| c.is_ascii_whitespace()) {
            let (name, value) = match word.find_byte(b'=') {
                Some(at) => (&word[..at], Some(&word[at + 1..])),
                None => (word, None),
            };
            let upper = name.to_ascii_uppercase();
            if !matches!(upper.as_slice(), b"NAME" | b"ADDR" | b"PORT" | b"LOGIN" | b"DESTADDR" | b"DESTPORT") {
                return Err(format!("XCLIENT: unrecognised parameter '{}'", name.as_bstr()));
            }
            let value = value.ok_or_else(|| format!("XCLIENT: missing value for parameter '{}'", name.as_bstr()))?;
            if value.is_empty() {
                return Err("XCLIENT: zero-length value for param".into());
            }
            let value = crate::parse::xtext::decode(value)
                .filter(|v| !v.iter().any(u8::is_ascii_control))
                .ok_or("XCLIENT: failed xtext decode for param")?;
            let absent = value.eq_ignore_ascii_case(b"[UNAVAILABLE]") || value.eq_ignore_ascii_case(b"[TEMPUNAVAIL]");
            let address = || value.to_str().ok().and_then(|v| v.parse::<IpAddr>().ok());
            let port = || value.to_str().ok().and_then(|v| v.parse::<u16>().ok());
            match upper.as_slice() {
                b"NAME" if value.eq_ignore_ascii_case(b"[TEMPUNAVAIL]") => new.host_name = HostName::Deferred,
                b"NAME" if absent => new.host_name = HostName::Failed,
                b"NAME" => new.host_name = HostName::Found(Text::tainted(value)),
                b"ADDR" if absent => return Err("XCLIENT: ADDR operand must be an IP address".into()),
                b"ADDR" => {
                    let ip = address().ok_or("XCLIENT: invalid IP address")?;
                    new.host_ip = Some(ip);
                    new.host_address = Some(Text::tainted(ip.to_string()));
                }
                b"PORT" => new.host_port = port().unwrap_or(0),
                b"DESTADDR" => {
                    let ip = address().ok_or("XCLIENT: invalid IP address")?;
                    proxy.external_address = Text::tainted(ip.to_string());
                }
                b"DESTPORT" => proxy.external_port = port().unwrap_or(0),
                _ if absent => {
                    new.authenticated_by = None;
                    new.authenticated_id = None;
                }
                _ => {
                    new.authenticated_by = Some("xclient".into());
                    new.authenticated_id = Some(Text::tainted(value));
                }
            }
        }
        new.proxy = Some(proxy);
        new.wire = std::mem::take(&mut ctx.session.wire);
        ctx.session = new;
        // What lists said of the proxy does not hold for the client.
        ctx.services.lists = Default::default();
        Ok(())
    }
}

//! The customer: `exim -atrn host domains` connects to the provider by way of routers and a smtp transport, says ATRN,
//! and becomes the server of the connection.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::{Line, Side, Turn};
use crate::context::session::Input;
use crate::context::{Context, Run};
use crate::route::{Address, HostItem, RouteLists, RouteOutcome, RoutePurpose, route_address};
use crate::smtp_in::wire::{Wire, WireSlot};
use crate::smtp_out::options::{interface, port};
use crate::smtp_out::{Opened, Plan, Send, Trouble, setup};
use crate::text::Text;
use crate::verify::callout::hosts_of;

/// What the provider said to ATRN.
#[derive(Debug)]
pub enum Answer {
    /// The line is turned round; the session has it.
    Turned,
    /// 453: there is no mail.
    NoMail,
}

/// Connects, and asks for the mail of the domains. The session is set up for the server's part.
pub fn connect(ctx: &mut Context, host: &BString, domains: &BString) -> Result<Answer, String> {
    let bad = |s: &BString| s.iter().any(|c| c.is_ascii_control());
    if host.is_empty() || bad(host) || bad(domains) {
        return Err(format!("-atrn: bad host \"{}\" or domain list \"{}\"", host.as_bstr(), domains.as_bstr()));
    }
    ctx.run = Arc::new(Run { odmr: Some(Arc::new(Turn { side: Side::Customer, host: None })), ..(*ctx.run).clone() });
    // Routers are asked for a domain; there is no message, and so no recipient in it.
    let address = Address::new(Text::clean([b"postmaster@", host.as_slice()].concat()));
    let mut lists = RouteLists::default();
    let outcome = route_address(ctx, address, RoutePurpose::Deliver, &mut lists);
    let Some(routed) = lists.remote.first().filter(|_| outcome == RouteOutcome::Accepted) else {
        return Err(format!("no router finds a way to the provider {host}"));
    };
    let Some(transport) = routed.transport.clone() else { return Err("no transport".into()) };
    let Some(smtp) = transport.driver.as_smtp() else {
        return Err(format!("{} is not a transport of SMTP", transport.name));
    };
    let hosts = hosts_of(ctx, routed);
    if hosts.is_empty() {
        return Err(format!("no hosts for {host}"));
    }
    crate::route::set_address_vars(ctx, routed);
    let default = port(ctx, &smtp.options.port, smtp.default_port(), &format!("{} transport", transport.name))?;
    let mut last = String::new();
    for h in &hosts {
        let own = interface(ctx, &smtp.options.interface, h.address, &format!("{} transport", transport.name))?;
        let port = h.port.unwrap_or(default);
        let plan = Plan {
            transport: &transport,
            smtp,
            host: h,
            port,
            interface: own,
            verify: false,
            no_tls: false,
            connect_timeout: None,
            command_timeout: None,
        };
        match setup::open(ctx, &plan) {
            Ok(opened) => return ask(ctx, opened, h, port, domains),
            Err(e) => last = format!("{} [{}]: {}", h.name, h.address_text, text(&e.trouble)),
        }
    }
    Err(last)
}

fn text(t: &Trouble) -> String {
    t.full_message().unwrap_or_else(|| crate::sys::strerror(t.errno).into()).to_string()
}

fn ask(ctx: &mut Context, mut opened: Opened, host: &HostItem, port: u16, domains: &BString) -> Result<Answer, String> {
    let c = &mut opened.client;
    let command: Vec<u8> = if domains.is_empty() { b"ATRN".to_vec() } else { [b"ATRN ", domains.as_slice()].concat() };
    let reply = c.send(Send::Now, &command).and_then(|_| c.read(c.command_timeout)).map_err(|f| text(&c.trouble(f)))?;
    if !reply.is_ok() {
        c.quit();
        return match reply.text.starts_with(b"453") {
            true => Ok(Answer::NoMail),
            false => Err(format!("{} refused ATRN: {}", host.name, reply.text)),
        };
    }
    if c.wire_ref().buffered() > 0 {
        c.close();
        return Err(format!("{} sent more than the answer to ATRN", host.name));
    }
    let Some(line) = c.wire().take_line() else { return Err("the connection to the provider has ended".into()) };
    let wire = match line {
        Line::Clear(socket) => Wire::socket(socket).map_err(|e| crate::sys::error_text(&e))?,
        Line::Secure(stream) => Wire::secure(*stream),
    };
    let s = &mut ctx.session;
    s.host_address = Some(Text::clean(host.address_text.to_vec()));
    s.host_ip = host.address;
    s.host_port = port;
    if let Some(own) = opened.local {
        s.interface_address = Some(Text::clean(own.ip().to_canonical().to_string()));
        s.interface_port = own.port();
    }
    s.tls_in = opened.tls.take().unwrap_or_default();
    // What began with the connection was its other direction.
    s.tls_in.on_connect = false;
    s.tls_out = Default::default();
    s.input = Input::Smtp;
    s.wire = WireSlot::new(wire);
    ctx.address = Default::default();
    Ok(Answer::Turned)
}

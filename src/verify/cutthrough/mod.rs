//! Connections that a recipient's verification leaves open: for cutthrough delivery (`control = cutthrough_delivery`,
//! manual section 44.22), or for the delivery that follows (`callout=hold`, section 44.47).
//!
//! The RCPT ACL asks for it ([`request`]), callouts leave their connection here ([`keep`], [`further`]), the end of the
//! RCPT ACL makes one if there is none ([`at_rcpt_end`]), reception sends the message on (`data.rs`). Whatever goes wrong
//! with the connection, the message itself is safe: it is in the spool until the onward host has said yes or no.

mod data;
mod rcpt;

use std::net::IpAddr;
use std::time::Duration;

use bstr::ByteSlice;

use crate::context::Context;
use crate::deliver::{Continued, Purpose};
use crate::log::hdebug;
use crate::route::{Address, HostItem};
use crate::smtp_out::Opened;
use crate::text::Text;

pub use data::{Answer, Passing, Tee, begin_message, finish, is_ready, start_data};
pub use rcpt::{RcptEnd, at_rcpt_end, further, keep, may_hold};

/// Limit for each answer, and for the message itself.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
const DATA_TIMEOUT: Duration = Duration::from_secs(60);

/// What is wanted of a connection, and the connection.
#[derive(Debug, Default)]
pub struct Cutthrough {
    /// Deliver over it while the message comes in.
    pub deliver: bool,
    /// `defer=pass`: the peer is told a temporary refusal; else the message is queued.
    defer_pass: bool,
    /// `callout=hold`: keep it for the delivery that follows.
    pub hold: bool,
    /// The connection.
    held: Option<Box<Held>>,
}

/// A connection with an envelope that the host has accepted.
#[derive(Debug)]
pub struct Held {
    /// The dialogue; MAIL and RCPT have been answered with yes.
    pub opened: Opened,
    /// The host, with its port.
    pub host: HostItem,
    /// Our address, as the transport's option says.
    pub interface: Option<IpAddr>,
    /// MAIL FROM.
    pub sender: Text,
    /// Recipients as routed, in their order. They have the transport.
    pub addresses: Vec<Address>,
    /// Which RCPT of the message brought the last of them.
    last_rcpt: u32,
    /// The host has asked for the data.
    data_started: bool,
}

/// `control = cutthrough_delivery`; `options` is what follows the name.
pub fn request(ctx: &mut Context, options: &[u8]) {
    let m = &ctx.message;
    let ignored = if m.requiretls {
        Some("REQUIRETLS")
    } else if m.prdr {
        Some("PRDR active")
    } else if m.freeze_requested {
        Some("frozen")
    } else if m.queue_only {
        Some("queue-only")
    } else if m.fake_response == crate::context::message::FakeResponse::Fail {
        Some("fakereject")
    } else if m.rcpt_count != 1 {
        Some("nonfirst rcpt")
    } else if ctx.cutthrough.deliver {
        Some("repeated")
    } else {
        None
    };
    if let Some(why) = ignored {
        hdebug!(ctx, ACL, " cutthrough request ignored: {why}");
        return;
    }
    let c = &mut ctx.cutthrough;
    if std::mem::take(&mut c.hold) {
        hdebug!(ctx, ACL, " cutthrough request upgrades callout hold");
    }
    let c = &mut ctx.cutthrough;
    c.deliver = true;
    for option in options.split(|b| *b == b'/') {
        if let Some(value) = option.trim().strip_prefix(b"defer=") {
            c.defer_pass = value.starts_with(b"pass");
        }
    }
}

/// Nothing is going to be sent over the connection, and none is wanted any more for this message.
pub fn end(ctx: &mut Context, why: &str) {
    let c = std::mem::take(&mut ctx.cutthrough);
    if let Some(mut held) = c.held {
        if held.data_started {
            // Without the dot the host takes nothing.
            held.opened.client.close();
        } else {
            hang_up(ctx, held.opened);
        }
        hdebug!(ctx, ACL, "----------- cutthrough shutdown ({why}) ------------");
    }
    ctx.cutthrough.defer_pass = c.defer_pass;
}

/// Forgets what the last message wanted.
pub fn new_message(ctx: &mut Context) {
    end(ctx, "sender reset");
    ctx.cutthrough = Cutthrough::default();
}

/// Takes a held connection for the delivery of the message that has just been accepted. Who does not use it says QUIT.
pub fn for_delivery(ctx: &mut Context) -> Option<Continued> {
    if !std::mem::take(&mut ctx.cutthrough.hold) {
        return None;
    }
    let held = ctx.cutthrough.held.take()?;
    let Held { mut opened, host, addresses, .. } = *held;
    let transport = addresses.first()?.transport.clone()?;
    opened.accepted = addresses.iter().map(|a| crate::transports::smtp::rcpt_address(&transport, a)).collect();
    if let Some(tls) = &mut opened.tls {
        // As the reference: what a callout has verified is not shown for the delivery.
        tls.certificate_verified = false;
    }
    let continued = Continued {
        transport: transport.name.clone(),
        host: host.name.as_bytes().into(),
        address: host.address_text.clone(),
        sequence: 1,
        purpose: Purpose::AfterCallout,
        ..Continued::default()
    };
    continued.put(opened);
    Some(continued)
}

/// Says QUIT and closes.
pub fn hang_up(ctx: &Context, mut opened: Opened) {
    crate::smtp_out::setup::keep_session(ctx, &opened);
    let client = &mut opened.client;
    client.set_indent(ctx);
    client.command_timeout = Some(COMMAND_TIMEOUT);
    if !client.wire_ref().is_dead() && client.send(crate::smtp_out::Send::Now, b"QUIT").is_ok() {
        // Nothing depends on the answer.
        let _ = client.read(Some(Duration::from_secs(1)));
    }
    client.close();
    crate::smtp_out::client::say(&ctx.run, format!("cmdlog: {}", client.history()));
}

//! RCPT: which callouts leave their connection, and how further recipients join it.

use std::net::IpAddr;

use bstr::ByteSlice;

use super::super::{CalloutOptions, Outcome, VerifyOptions, verify_address};
use super::{COMMAND_TIMEOUT, Held, end};
use crate::context::Context;
use crate::log::hdebug;
use crate::route::{Address, HostItem};
use crate::smtp_out::{Fault, Opened, Reply, Send};
use crate::text::Text;
use crate::transports::TransportInstance;
use crate::transports::smtp::{Protocol, Smtp};

/// Could the connection of such a callout be used for the message? It must be made with the real sender, and must not ask
/// for anything but the recipient.
fn suitable(options: &VerifyOptions, c: &CalloutOptions) -> bool {
    options.recipient && c.use_sender && !options.success_on_redirect && !c.random && c.postmaster_mailfrom.is_none()
}

/// Is the connection of this callout to be kept? Notes `callout=hold`. What makes cutthrough delivery impossible ends it.
pub fn may_hold(ctx: &mut Context, options: &VerifyOptions, c: &CalloutOptions, t: &TransportInstance, smtp: &Smtp) -> bool {
    if c.hold && options.recipient && !ctx.cutthrough.deliver {
        ctx.cutthrough.hold = true;
    }
    let wanted = &ctx.cutthrough;
    if !(wanted.deliver || wanted.hold) || !options.recipient {
        return false;
    }
    let o = &smtp.options;
    let why = if wanted.deliver && t.generic.transport_filter.is_set() {
        Some("transport filter")
    } else if wanted.deliver && (o.dkim_domain.is_set() || o.arc_sign.is_set()) {
        Some("DKIM signing")
    } else if c.use_sender && c.postmaster_mailfrom.is_some() {
        Some("postmaster verify")
    } else {
        None
    };
    if let Some(why) = why {
        hdebug!(ctx, V, "Cutthrough cancelled by presence of {why}");
        end(ctx, why);
        return false;
    }
    // The delivery sends MAIL with the transport's return path.
    let same_sender = ctx.cutthrough.deliver || c.use_tptsender || !t.generic.return_path.is_set();
    same_sender && suitable(options, c)
}

/// Takes over the connection of a callout that was answered with yes, if it is fit; says whether it did.
pub fn keep(
    ctx: &mut Context,
    opened: Opened,
    smtp: &Smtp,
    routed: &Address,
    host: HostItem,
    interface: Option<IpAddr>,
    sender: Text,
) -> Result<(), Box<Opened>> {
    let first = ctx.message.rcpt_count == 1 && ctx.cutthrough.held.is_none() && smtp.protocol != Protocol::Lmtp;
    if !first || opened.client.wire_ref().is_dead() {
        end(ctx, "not usable for cutthrough");
        return Err(Box::new(opened));
    }
    let what = if ctx.cutthrough.deliver { "cutthrough delivery" } else { "potential further verifies and delivery" };
    hdebug!(ctx, VERIFY, "holding verify callout open for {what}");
    let last_rcpt = ctx.message.rcpt_count;
    let addresses = vec![routed.clone()];
    ctx.cutthrough.held = Some(Box::new(Held { opened, host, interface, sender, addresses, last_rcpt, data_started: false }));
    Ok(())
}

/// A recipient after the first: asks for it over the open connection. `None`: there is none, or it goes elsewhere.
pub fn further(
    ctx: &mut Context,
    routed: &Address,
    hosts: &[HostItem],
    sender: &Text,
    our_end: impl Fn(&mut Context, &HostItem) -> (u16, Option<IpAddr>),
) -> Option<(HostItem, Result<Reply, Fault>)> {
    let mut held = ctx.cutthrough.held.take()?;
    let same_transport = match (&routed.transport, held.addresses.first().and_then(|a| a.transport.as_ref())) {
        (Some(a), Some(b)) => a.name == b.name,
        _ => false,
    };
    let same = same_transport
        && *sender == held.sender
        && hosts.iter().find(|h| h.address_text == held.host.address_text).is_some_and(|h| {
            let (port, interface) = our_end(ctx, h);
            Some(port) == held.host.port && interface == held.interface
        });
    if !same {
        ctx.cutthrough.held = Some(held);
        end(ctx, "incompatible connection");
        return None;
    }
    let to = routed
        .transport
        .as_ref()
        .map_or_else(|| routed.address.to_vec().into(), |t| crate::transports::smtp::rcpt_address(t, routed));
    let client = &mut held.opened.client;
    let answer = client.rcpt(Send::Now, &to, b"").and_then(|_| client.read(Some(COMMAND_TIMEOUT)));
    let host = held.host.clone();
    match &answer {
        Ok(r) if r.is_ok() => {
            held.addresses.push(routed.clone());
            held.last_rcpt = ctx.message.rcpt_count;
            ctx.cutthrough.held = Some(held);
        }
        Ok(_) => ctx.cutthrough.held = Some(held),
        Err(_) => {
            held.opened.client.close();
            end(ctx, "connection lost");
        }
    }
    Some((host, answer))
}

/// What the end of the RCPT ACL has to say.
#[derive(Debug)]
pub enum RcptEnd {
    /// As the ACL said.
    AsBefore,
    /// The onward host refuses the recipient.
    Refused(Option<Text>),
    /// It refuses it for now, and `defer=pass` was given: its answer.
    Deferred(Option<Text>),
}

/// At the end of the RCPT ACL: makes the connection, or adds the recipient to it, unless a verification has done so.
pub fn at_rcpt_end(ctx: &mut Context, addr: &Address, accepted: bool) -> RcptEnd {
    if ctx.run.host_checking_callout {
        end(ctx, "host-checking mode");
        return RcptEnd::AsBefore;
    }
    let joined = ctx.cutthrough.held.as_ref().is_some_and(|h| h.last_rcpt == ctx.message.rcpt_count);
    if !accepted {
        // The onward host has taken a recipient that we refuse: it must not get the message for it.
        if joined {
            end(ctx, "ACL did not accept the recipient");
        } else if ctx.cutthrough.deliver {
            hdebug!(ctx, ACL, "ignore cutthrough request; ACL did not accept");
        }
        return RcptEnd::AsBefore;
    }
    if joined || !ctx.cutthrough.deliver {
        return RcptEnd::AsBefore;
    }
    let start = if ctx.message.rcpt_count > 1 { "more" } else { "start" };
    hdebug!(ctx, ACL, "----------- {start} cutthrough setup ------------");
    let callout = CalloutOptions { no_cache: true, use_sender: true, timeout: 30, ..CalloutOptions::default() };
    let options = VerifyOptions { recipient: true, callout: Some(callout), ..VerifyOptions::default() };
    let mut copy = addr.clone();
    let result = verify_address(ctx, &mut copy, &options);
    hdebug!(ctx, ACL, "----------- end cutthrough setup ------------");
    match result.outcome {
        Outcome::Ok => RcptEnd::AsBefore,
        Outcome::Fail => RcptEnd::Refused(copy.failure.user_message),
        Outcome::Defer if ctx.cutthrough.defer_pass => RcptEnd::Deferred(copy.failure.message.as_ref().and_then(last_answer)),
        Outcome::Defer => {
            hdebug!(ctx, ACL, "cutthrough defer; will spool");
            RcptEnd::AsBefore
        }
    }
}

/// The server's own words, `450 text`, after the command that they answer.
fn last_answer(message: &Text) -> Option<Text> {
    let starts = message.find_iter(b">: ").map(|n| n + 3);
    let code = |text: &[u8]| text.get(..3).is_some_and(|c| c.iter().all(u8::is_ascii_digit));
    starts.filter_map(|n| message.get(n..)).find(|t| code(t)).map(|t| message.piece(t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_server() {
        let m = Text::tainted("h [1.2.3.4] : SMTP error from remote mail server after RCPT TO:<a@b>: 450 not: now");
        assert_eq!(last_answer(&m).unwrap(), "450 not: now");
        assert_eq!(last_answer(&Text::tainted("h [1.2.3.4] : SMTP timeout after RCPT TO:<a@b>: Connection timed out")), None);
        assert_eq!(last_answer(&Text::tainted("Connection refused")), None);
    }
}

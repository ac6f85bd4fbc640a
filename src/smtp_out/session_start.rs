//! The dialogue up to the point where MAIL can be sent: greeting, EHLO, STARTTLS, AUTH. For [`super::setup`] only.

use super::auth::{self};
use super::client::Client;
use super::dane::Dane;
use super::in_hosts;
use super::opened::Opened;
use super::pipe_connect::{self};
use super::requiretls::{self, Wish};
use super::setup::{Kind, Plan, SetupError, refusal};
use super::tls::{self, NotStarted};
use super::trouble::{Fault, Trouble};
use crate::context::Context;
use crate::deliver::raise_event;
use crate::expand::{self};
use crate::log::{self, Which};
use crate::retry::errors;
use crate::text::Text;

/// The name for EHLO.
fn helo_name(ctx: &mut Context, plan: &Plan<'_>) -> Result<Text, Box<SetupError>> {
    let Some(t) = plan.smtp.options.helo_data.get() else { return Ok(Text::clean(ctx.config.site.primary_hostname.to_vec())) };
    let name = match expand::expand(ctx, t) {
        Ok(n) => n,
        Err(e) => {
            let text = format!("failed to expand helo_data: {e}");
            return Err(SetupError::new(Trouble::local(errors::EXPAND_FAIL, text), Kind::Before));
        }
    };
    // The name goes into a command line.
    if name.iter().any(|c| c.is_ascii_control()) {
        return Err(SetupError::new(Trouble::local(0, "helo_data contains control characters"), Kind::Before));
    }
    Ok(name)
}

fn event(ctx: &mut Context, plan: &Plan<'_>, name: &str, data: &[u8]) -> Result<(), Box<SetupError>> {
    let action = plan.transport.generic.event_action.get().cloned();
    match raise_event(ctx, action.as_ref(), name, data, 0) {
        None => Ok(()),
        Some(text) => Err(refused_by_event(name, &text)),
    }
}

/// The event `dane:fail`, whose answer nobody asks for.
pub(super) fn dane_failed(ctx: &mut Context, plan: &Plan<'_>, why: &str) {
    let action = plan.transport.generic.event_action.get().cloned();
    raise_event(ctx, action.as_ref(), "dane:fail", why.as_bytes(), 0);
}

fn refused_by_event(name: &str, text: &Text) -> Box<SetupError> {
    let message = format!("deferred by {name} event expansion: {text}");
    SetupError::new(Trouble::local(errors::EXPAND_FAIL, message), Kind::Before)
}

pub(super) fn converse(
    ctx: &mut Context,
    plan: &Plan<'_>,
    opened: &mut Opened,
    dane: &Dane,
    on_connect: bool,
) -> Result<(), Box<SetupError>> {
    let server = |c: &Client, f: Fault| SetupError::new(c.trouble(f), Kind::Server);
    let name = helo_name(ctx, plan)?;
    if on_connect {
        opened.client.set_command("TLS-on-connect");
        start_tls(ctx, plan, opened, dane)?;
    }
    let early = opened.early.as_ref().filter(|e| e.active).map(|e| e.believed(ctx, on_connect));
    if let Some(believed) = early {
        let c = &mut opened.client;
        c.banner_later();
        c.ehlo_later(&name, believed).map_err(|f| server(c, f))?;
    } else {
        banner_and_ehlo(ctx, plan, opened, &name, on_connect)?;
    }
    starttls(ctx, plan, opened, &name, dane)?;
    let result = auth::authenticate(ctx, plan.smtp, plan.host, &mut opened.client);
    pipe_connect::note(ctx, plan.transport, opened);
    if let (Err(_), Some(e)) = (&result, opened.early.as_ref().filter(|e| e.active)) {
        e.remove(ctx);
    }
    opened.auth = result.map_err(|t| {
        let kind = match t.errno {
            errors::AUTH_FAIL => Kind::Auth,
            errors::AUTH_PROBLEM => Kind::Before,
            _ => Kind::Server,
        };
        SetupError::new(t, kind)
    })?;
    Ok(())
}

/// The banner, and what the server offers.
fn banner_and_ehlo(
    ctx: &mut Context,
    plan: &Plan<'_>,
    opened: &mut Opened,
    name: &[u8],
    on_connect: bool,
) -> Result<(), Box<SetupError>> {
    let server = |c: &Client, f: Fault| SetupError::new(c.trouble(f), Kind::Server);
    let c = &mut opened.client;
    let greeting = match c.read_greeting() {
        Ok(g) => g,
        Err(f) => {
            if on_connect && f == Fault::Closed {
                c.set_command("TLS-on-connect");
            }
            return Err(server(c, f));
        }
    };
    event(ctx, plan, "smtp:connect", &greeting.text)?;
    greet(ctx, plan, opened, name)?;
    if let Some(e) = &mut opened.early {
        e.learn(ctx, &opened.client.features, on_connect);
    }
    Ok(())
}

/// STARTTLS, if it is offered and wanted; an error if it is needed and cannot be had.
fn starttls(ctx: &mut Context, plan: &Plan<'_>, opened: &mut Opened, name: &[u8], dane: &Dane) -> Result<(), Box<SetupError>> {
    let o = &plan.smtp.options;
    let server = |c: &Client, f: Fault| SetupError::new(c.trouble(f), Kind::Server);
    let mut offered = opened.client.features.starttls;
    if offered && opened.tls.is_none() && wants_tls(ctx, plan) {
        let c = &mut opened.client;
        let reply = c.send(super::client::Send::Now, b"STARTTLS");
        pipe_connect::settle(ctx, plan.transport, opened).map_err(|t| SetupError::new(t, Kind::Server))?;
        let c = &mut opened.client;
        match reply.and_then(|_| c.read(c.command_timeout)) {
            Ok(r) if r.is_ok() => {
                if c.wire_ref().buffered() > 0 {
                    // What follows the answer in clear was put there by somebody (CVE-2021-38371).
                    let trouble = Trouble {
                        can_quit: false,
                        ..Trouble::local(
                            errors::TLS_FAILURE,
                            "TLS session: response injection: data after the answer to STARTTLS",
                        )
                    };
                    return Err(SetupError::new(trouble, Kind::Tls));
                }
                start_tls(ctx, plan, opened, dane)?;
                second_ehlo(ctx, plan, opened, name)?;
                offered = true;
            }
            Ok(r) if r.class() == b'4' && (dane.is_used() || !o.tls_tempfail_tryclear) => {
                return Err(server(c, Fault::Refused(r)));
            }
            // Refused: in clear, then, unless TLS is required.
            Ok(_) => {}
            Err(f) => return Err(server(c, f)),
        }
    }
    if plan.wish(ctx) == Wish::Required
        && let Some(lack) = requiretls::session_lacks(ctx, opened.tls.as_ref(), &opened.client.features)
    {
        return Err(refusal(lack));
    }
    if opened.tls.is_none() {
        if dane.is_used() {
            dane_failed(ctx, plan, if offered { "validation-failure" } else { "starttls-not-supported" });
        }
        let required = dane.is_used() || in_hosts(ctx, "hosts_require_tls", &o.hosts_require_tls, plan.host);
        if required {
            let why = if offered { "an attempt to start TLS failed" } else { "the server did not offer TLS support" };
            let trouble = Trouble::local(errors::TLS_REQUIRED, format!("a TLS session is required, but {why}"));
            return Err(SetupError::new(trouble, Kind::Server));
        }
    }
    Ok(())
}

/// May STARTTLS be tried?
fn wants_tls(ctx: &mut Context, plan: &Plan<'_>) -> bool {
    let o = &plan.smtp.options;
    let avoided = in_hosts(ctx, "hosts_avoid_tls", &o.hosts_avoid_tls, plan.host)
        || (plan.verify && in_hosts(ctx, "hosts_verify_avoid_tls", &o.hosts_verify_avoid_tls, plan.host));
    !plan.no_tls && !avoided
}

/// EHLO, or HELO if that is all the server knows.
fn greet(ctx: &mut Context, plan: &Plan<'_>, opened: &mut Opened, name: &[u8]) -> Result<(), Box<SetupError>> {
    let avoid = in_hosts(ctx, "hosts_avoid_esmtp", &plan.smtp.options.hosts_avoid_esmtp, plan.host);
    let c = &mut opened.client;
    let server = |c: &Client, f: Fault| SetupError::new(c.trouble(f), Kind::Server);
    let mut refused = None;
    if !avoid || c.lmtp {
        match c.ehlo(name) {
            Ok(()) => {
                let said = c.helo_response.clone();
                return event(ctx, plan, "smtp:ehlo", &said);
            }
            Err(Fault::Refused(r)) if !c.lmtp => refused = Some(r),
            Err(f) => return Err(server(c, f)),
        }
    }
    match (c.helo(name), refused) {
        (Ok(()), _) => Ok(()),
        (Err(Fault::Closed), Some(r)) => {
            let mut trouble = c.trouble(Fault::Closed);
            if let Some(m) = &mut trouble.message {
                m.extend_from_slice(b" (EHLO response was: ");
                m.extend_from_slice(&r.text);
                m.push(b')');
            }
            Err(SetupError::new(trouble, Kind::Server))
        }
        (Err(f), _) => Err(server(c, f)),
    }
}

/// The second EHLO, over TLS.
fn second_ehlo(ctx: &mut Context, plan: &Plan<'_>, opened: &mut Opened, name: &[u8]) -> Result<(), Box<SetupError>> {
    let believed = opened.early.as_ref().filter(|e| e.active && e.believed_after_tls()).map(|e| e.believed(ctx, true));
    let c = &mut opened.client;
    let server = |c: &Client, f: Fault| SetupError::new(c.trouble(f), Kind::Server);
    if let Some(believed) = believed {
        return c.ehlo_later(name, believed).map_err(|f| server(c, f));
    }
    c.ehlo(name).map_err(|f| server(c, f))?;
    if let Some(e) = &mut opened.early {
        e.learn(ctx, &opened.client.features, true);
    }
    let said = opened.client.helo_response.clone();
    event(ctx, plan, "smtp:ehlo", &said)
}

fn start_tls(ctx: &mut Context, plan: &Plan<'_>, opened: &mut Opened, dane: &Dane) -> Result<(), Box<SetupError>> {
    let timeout = opened.client.command_timeout;
    let Some(socket) = opened.client.wire().take_socket() else {
        return Err(SetupError::new(Trouble::local(errors::TLS_FAILURE, "TLS session: no socket"), Kind::Tls));
    };
    match tls::start(ctx, plan, socket, dane, timeout) {
        Ok(started) => {
            opened.client.wire().encrypted(started.stream);
            opened.client.actions.push('s');
            opened.session_key = started.session_key;
            ctx.session.tls_out = started.facts.clone();
            opened.tls = Some(started.facts);
            Ok(())
        }
        Err(NotStarted { message, facts, judged }) => {
            if dane.is_used() {
                let line =
                    format!("DANE attempt failed; TLS connection to {} [{}]: {message}", plan.host.name, plan.host.address_text);
                log::write(ctx, None, Which::MAIN, line.as_bytes());
                ctx.session.tls_out = (*facts).clone();
                dane_failed(ctx, plan, "validation-failure");
            }
            let mut trouble =
                Trouble { can_quit: false, ..Trouble::local(errors::TLS_FAILURE, format!("TLS session: {message}")) };
            // The sender has asked to be told, and not to wait (RFC 8689, section 4.2.1).
            let for_good = judged && plan.wish(ctx) == Wish::Required;
            if for_good {
                (trouble.class, trouble.for_user) = (b'5', true);
            }
            let mut e = SetupError::new(trouble, if for_good { Kind::Server } else { Kind::Tls });
            e.of_message = for_good;
            e.tls = Some(facts);
            Err(e)
        }
    }
}

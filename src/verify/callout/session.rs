//! A callout goes from host to host until one gives a definite answer. What is said to each is in `dialogue`.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::super::{Outcome, VerifyOptions, hplain};
use super::CalloutOptions;
use super::dialogue::{converse, recipient_text};
use crate::context::Context;
use crate::hints::records::{CalloutDomain, CalloutResult};
use crate::log::{self, Which, debug};
use crate::route::{Address, HostItem};
use crate::smtp_out::setup::{self, Kind};
use crate::smtp_out::{self, in_hosts};
use crate::text::Text;
use crate::transports::TransportInstance;
use crate::transports::smtp::Smtp;
use crate::verify::cutthrough;

/// What is to be asked.
pub struct Plan<'a> {
    pub transport: &'a TransportInstance,
    pub smtp: &'a Smtp,
    pub options: &'a VerifyOptions,
    pub callout: &'a CalloutOptions,
    /// MAIL FROM.
    pub from: Text,
    /// To be asked first.
    pub random_local_part: Option<Text>,
    /// The postmaster is to be asked too, with this MAIL FROM.
    pub postmaster_mailfrom: Option<Text>,
    pub routed: &'a Address,
    /// What the cache said of the domain.
    pub old_domain: CalloutResult,
    /// The connection is to be kept for the message.
    pub hold: bool,
}

/// What came of it.
#[derive(Default)]
pub struct Asked {
    /// `None`: no definite answer.
    pub outcome: Option<Outcome>,
    /// For the domain's record.
    pub domain: CalloutDomain,
    /// For the address's record.
    pub address: CalloutResult,
    /// `$sender_verify_failure`
    pub why: Option<&'static str>,
    pub message: Option<Text>,
    pub user_message: Option<Text>,
    pub postmaster_failed: bool,
    pub null_sender_failed: bool,
}

/// The next step with a host.
pub(super) enum Step {
    /// A definite answer.
    Done(Outcome),
    /// The next host.
    NextHost,
    /// This host again, on a new connection.
    Again,
}

/// Asks the hosts. The caller has set the address variables.
pub fn ask_all(ctx: &mut Context, plan: &mut Plan<'_>, hosts: &[HostItem], asked: &mut Asked) {
    let c = plan.callout;
    let seconds = |s: i64| Duration::from_secs(s.max(0).unsigned_abs());
    let overall = seconds(c.overall.unwrap_or(c.timeout.saturating_mul(4)));
    let start = Instant::now();
    if over_held(ctx, plan, hosts, asked).is_some() {
        return;
    }
    for host in hosts {
        if host.address.is_none() {
            debug!(ctx, VERIFY, "no IP address for host name {}: skipping", host.name);
            continue;
        }
        if start.elapsed() >= overall {
            hplain!(ctx, VERIFY, "overall timeout for callout exceeded");
            break;
        }
        let mut no_tls = false;
        // One retry in clear, one on a new connection.
        for _ in 0..3 {
            match ask(ctx, plan, host, no_tls, asked) {
                Ok(Step::Done(outcome)) => {
                    asked.outcome = Some(outcome);
                    return;
                }
                Ok(Step::NextHost) => break,
                Ok(Step::Again) => plan.random_local_part = None,
                Err(()) => no_tls = true,
            }
        }
    }
}

/// `Err`: TLS failed, and clear text is allowed.
fn ask(ctx: &mut Context, plan: &Plan<'_>, host: &HostItem, no_tls: bool, asked: &mut Asked) -> Result<Step, ()> {
    let c = plan.callout;
    ctx.address.transport_name = Some(plan.transport.name.clone());
    let o = &plan.smtp.options;
    setup::set_host_variables(ctx, host, host.port.unwrap_or(0));
    let (port, interface) = port_and_interface(ctx, plan, host);
    if let Some(i) = interface {
        hplain!(ctx, TRANSPORT, "interface={i} port={port}");
    }
    let limit = |s: i64| u64::try_from(s).ok().filter(|s| *s > 0).map(Duration::from_secs);
    let wanted = setup::Plan {
        transport: plan.transport,
        smtp: plan.smtp,
        host,
        port,
        interface,
        verify: true,
        no_tls,
        connect_timeout: limit(c.connect.unwrap_or(c.timeout)),
        command_timeout: limit(c.timeout),
    };
    let opened = setup::open(ctx, &wanted);
    ctx.address.transport_name = None;
    let mut opened = match opened {
        Ok(o) => o,
        Err(e) => {
            if e.greeting.is_empty() {
                smtp_out::client::say(&ctx.run, "cmdlog: (unset)");
            }
            if e.kind == Kind::Tls
                && !no_tls
                && !e.no_clear
                && o.tls_tempfail_tryclear
                && !in_hosts(ctx, "hosts_require_tls", &o.hosts_require_tls, host)
            {
                let what = e.trouble.message.clone().unwrap_or_default();
                let line =
                    format!("{what}: callout unencrypted to {} [{}] (not in hosts_require_tls)", host.name, host.address_text);
                log::write(ctx, None, Which::MAIN, line.as_bytes());
                return Err(());
            }
            return Ok(not_connected(ctx, plan, host, &e, asked));
        }
    };
    let step = converse(ctx, plan, host, &mut opened, asked);
    if plan.hold && matches!(step, Step::Done(Outcome::Ok)) {
        let host = HostItem { port: Some(port), ..host.clone() };
        match cutthrough::keep(ctx, opened, plan.smtp, plan.routed, host, interface, plan.from.clone()) {
            Ok(()) => return Ok(step),
            Err(o) => opened = *o,
        }
    } else if plan.options.recipient && c.use_sender {
        cutthrough::end(ctx, "not usable for cutthrough");
    }
    cutthrough::hang_up(ctx, opened);
    let action = plan.transport.generic.event_action.get().cloned();
    crate::deliver::raise_event(ctx, action.as_ref(), "tcp:close", b"", 0);
    Ok(step)
}

/// The port, and our address, as the transport's options say.
fn port_and_interface(ctx: &mut Context, plan: &Plan<'_>, host: &HostItem) -> (u16, Option<IpAddr>) {
    let owner = format!("{} transport (callout)", plan.transport.name);
    let o = &plan.smtp.options;
    let complain = |ctx: &Context, e: String| {
        let line = format!("<{}>: {e}", plan.routed.address);
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
    };
    let interface = smtp_out::options::interface(ctx, &o.interface, host.address, &owner).unwrap_or_else(|e| {
        complain(ctx, e);
        None
    });
    let default_port = plan.smtp.default_port();
    let port = match host.port {
        Some(p) => p,
        None => smtp_out::options::port(ctx, &o.port, default_port, &owner).unwrap_or_else(|e| {
            complain(ctx, e);
            default_port
        }),
    };
    (port, interface)
}

/// A recipient after the first, if a connection is open to its host for the message. `None`: there is none.
fn over_held(ctx: &mut Context, plan: &Plan<'_>, hosts: &[HostItem], asked: &mut Asked) -> Option<()> {
    let our_end = |ctx: &mut Context, h: &HostItem| port_and_interface(ctx, plan, h);
    let (host, answer) = cutthrough::further(ctx, plan.routed, hosts, &plan.from, our_end)?;
    let command = BString::from(format!("RCPT TO:<{}>", recipient_text(plan).as_bstr()));
    asked.domain.result = CalloutResult::Accept;
    asked.outcome = match answer {
        Ok(r) if r.is_ok() => {
            asked.address = CalloutResult::Accept;
            Some(Outcome::Ok)
        }
        Ok(r) => {
            let permanent = r.class() == b'5';
            if permanent {
                asked.address = CalloutResult::Reject;
                asked.why = Some("recipient");
            }
            let text = format!("SMTP error from remote mail server after {command}: {}", log::escape::printing(&r.text, false));
            asked.message = Some(prefixed(&host, text.as_bytes()));
            asked.user_message = Some(told(plan, &host, &command, &r.text));
            permanent.then_some(Outcome::Fail)
        }
        // The message goes another way; so does the question.
        Err(_) => return None,
    };
    Some(())
}

/// Some errors are of our own making: they name the transport in the log.
fn not_connected(ctx: &Context, plan: &Plan<'_>, host: &HostItem, e: &setup::SetupError, asked: &mut Asked) -> Step {
    let errno = e.trouble.errno;
    let ours = [
        libc::EPROTOTYPE,
        libc::ENOPROTOOPT,
        libc::EPROTONOSUPPORT,
        libc::ESOCKTNOSUPPORT,
        libc::EOPNOTSUPP,
        libc::EPFNOSUPPORT,
        libc::EAFNOSUPPORT,
        libc::EADDRINUSE,
        libc::EADDRNOTAVAIL,
        libc::ENETDOWN,
        libc::ENETUNREACH,
    ];
    let system = |n: i32| crate::sys::error_text(&std::io::Error::from_raw_os_error(n));
    if ours.contains(&errno) {
        // The reference has the two words the wrong way round, and log readers know it so.
        let line = format!(
            "{} verify defer (making callout connection): T={} {}",
            if plan.options.recipient { "sender" } else { "recipient" },
            plan.transport.name,
            system(errno)
        );
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
    }
    if e.kind == Kind::Definite {
        asked.message = Some(prefixed(host, &e.trouble.message.clone().unwrap_or_default()));
        return Step::Done(Outcome::Fail);
    }
    let mut text = match &e.trouble.message {
        Some(m) => m.clone(),
        None => system(errno).into(),
    };
    if errno > 0 && e.trouble.message.is_some() && errno == libc::ETIMEDOUT {
        text.extend_from_slice(b": ");
        text.extend_from_slice(system(errno).as_bytes());
    }
    asked.message = Some(prefixed(host, &text));
    if e.trouble.class == b'5' {
        asked.null_sender_failed = true;
        asked.why = Some("mail");
        asked.domain.result = CalloutResult::Reject;
        let response = if e.helo_response.first() == Some(&b'5') { &e.helo_response } else { &e.greeting };
        asked.user_message = Some(told(plan, host, &e.trouble.command, response));
        return Step::Done(Outcome::Fail);
    }
    Step::NextHost
}

pub(super) fn prefixed(host: &HostItem, text: &[u8]) -> Text {
    let mut out = BString::from(format!("{} [{}] : ", host.name, host.address_text));
    out.extend_from_slice(text);
    Text::tainted(out)
}

/// The text for the peer. Recipients' hosts may be nobody's business.
pub(super) fn told(plan: &Plan<'_>, host: &HostItem, command: &[u8], response: &[u8]) -> Text {
    let bad = response.iter().position(|c| !matches!(c, b'\t' | b'\n' | b' '..=b'~'));
    let mut shown = BString::from(response.get(..bad.unwrap_or(response.len())).unwrap_or_default());
    if bad.is_some() {
        shown.extend_from_slice(b"(truncated)");
    }
    let mut text = if plan.options.recipient {
        BString::from("Callout verification failed:\n")
    } else {
        BString::from(format!("Called:   {}\nSent:     {}\nResponse: ", host.address_text, command.as_bstr()))
    };
    text.extend_from_slice(&shown);
    Text::tainted(text)
}

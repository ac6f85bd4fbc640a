//! From nothing to a server that waits for MAIL: connection, greeting, EHLO, TLS, AUTH.
//!
//! The smtp transport and callouts call [`open`]; what went wrong comes back with the words and numbers for addresses.

use std::time::Duration;

use bstr::BString;

use super::client::Client;
use super::connect::{self, ConnectError, FastOpen, How, Target};
use super::dane::{self, Dane};
use super::opened::Opened;
use super::pipe_connect::Early;
use super::requiretls::{self, Lack, Wish};
use super::trouble::Trouble;
use super::wire::Wire;
use super::{dscp, in_hosts, session_start, socks};
use crate::context::{Context, TlsFacts};
use crate::deliver::raise_event;
use crate::expand::{self, ExpandError};
use crate::retry::errors;
use crate::route::HostItem;
use crate::text::Text;
use crate::transports::TransportInstance;
use crate::transports::smtp::{Protocol, Smtp};

/// Which server, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The transport.
    pub transport: &'a TransportInstance,
    /// Its driver.
    pub smtp: &'a Smtp,
    /// The server; its address is known.
    pub host: &'a HostItem,
    /// Its port.
    pub port: u16,
    /// Our address.
    pub interface: Option<std::net::IpAddr>,
    /// A callout.
    pub verify: bool,
    /// Never STARTTLS: an attempt with it failed.
    pub no_tls: bool,
    /// In place of `connect_timeout` (callouts).
    pub connect_timeout: Option<Duration>,
    /// In place of `command_timeout` (callouts).
    pub command_timeout: Option<Duration>,
}

impl Plan<'_> {
    /// What the message asks of the connection; callouts carry none.
    pub(super) fn wish(&self, ctx: &Context) -> Wish {
        if self.verify { Wish::None } else { requiretls::wish(ctx) }
    }
}

/// The server does not do for a REQUIRETLS message: that is for good.
pub(super) fn refusal(lack: Lack) -> Box<SetupError> {
    let trouble = Trouble { class: b'5', for_user: true, ..Trouble::local(lack.errno(), lack.text()) };
    let mut e = SetupError::new(trouble, Kind::Server);
    e.of_message = true;
    e
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The connection could not be made, or something on our side is wrong: the host is not named with it.
    Before,
    /// The server did or said something wrong.
    Server,
    /// TLS failed: the transport may try again in clear.
    Tls,
    /// Authentication was required.
    Auth,
    /// Addresses fail for good (DANE).
    Definite,
}

/// Why the server is not ready.
#[derive(Debug)]
pub struct SetupError {
    /// Its words and numbers.
    pub trouble: Trouble,
    /// Its kind.
    pub kind: Kind,
    /// The connecting itself timed out.
    pub connect_timeout: bool,
    /// What is known of TLS.
    pub tls: Option<Box<TlsFacts>>,
    /// It must not be tried again in clear.
    pub no_clear: bool,
    /// It is what this message demands (REQUIRETLS) that the server does not give.
    pub of_message: bool,
    /// Greeting and answer to EHLO, as far as they came.
    pub greeting: BString,
    /// See above.
    pub helo_response: BString,
}

impl SetupError {
    pub(super) fn new(trouble: Trouble, kind: Kind) -> Box<Self> {
        Box::new(SetupError {
            trouble,
            kind,
            connect_timeout: false,
            tls: None,
            no_clear: false,
            of_message: false,
            greeting: BString::default(),
            helo_response: BString::default(),
        })
    }
}

/// Seconds of an option as a limit; 0 is none.
pub fn limit(seconds: i64) -> Option<Duration> {
    u64::try_from(seconds).ok().filter(|s| *s > 0).map(Duration::from_secs)
}

/// Connects and talks until MAIL can be sent. `$host` and the like are set from the plan.
pub fn open(ctx: &mut Context, plan: &Plan<'_>) -> Result<Opened, Box<SetupError>> {
    set_host_variables(ctx, plan.host, plan.port);
    ctx.session.tls_out = TlsFacts::default();
    let o = &plan.smtp.options;
    let Some(ip) = plan.host.address else {
        return Err(SetupError::new(Trouble::local(errors::UNKNOWN_HOST, "no address for host"), Kind::Before));
    };
    let requiretls = plan.wish(ctx) == Wish::Required;
    if let Some(lack) = requiretls::host_lacks(plan.host).filter(|_| requiretls) {
        return Err(refusal(lack));
    }
    let dane = if plan.no_tls { Dane::No } else { dane::wanted(ctx, plan.smtp, plan.host, plan.port) };
    if let Dane::Broken { message, definite, result } = &dane {
        session_start::dane_failed(ctx, plan, result);
        let trouble = Trouble::local(errors::DNS_DEFER, message.as_str());
        return Err(SetupError::new(trouble, if *definite { Kind::Definite } else { Kind::Before }));
    }
    let mut how = how(ctx, plan)?;
    let on_connect = plan.smtp.protocol == Protocol::Smtps || plan.host.tls_on_connect;
    // What a server is believed to offer is not enough for REQUIRETLS.
    let early = if o.hosts_avoid_esmtp.is_set() || requiretls { None } else { Early::begin(ctx, plan, on_connect) };
    if in_hosts(ctx, "hosts_try_fastopen", &o.hosts_try_fastopen, plan.host) {
        let we_begin = on_connect || early.as_ref().is_some_and(|e| e.active);
        how.fast_open = if we_begin { FastOpen::Data } else { FastOpen::Empty };
    }
    let target = Target { name: &plan.host.name, ip, port: plan.port };
    let connected = match connect::connect(ctx, &target, &how) {
        Ok(c) => c,
        Err(ConnectError::Proxy(m)) => return Err(SetupError::new(Trouble::local(errors::PROXY_FAIL, m), Kind::Before)),
        Err(ConnectError::Event) => {
            let trouble = Trouble { errno: errors::EVENT, class: b'4', ..Trouble::default() };
            return Err(SetupError::new(trouble, Kind::Before));
        }
        Err(ConnectError::System(e)) => {
            let errno = e.raw_os_error().unwrap_or(errors::UNKNOWN);
            let trouble = Trouble { errno, class: b'4', ..Trouble::default() };
            let mut error = SetupError::new(trouble, Kind::Before);
            error.connect_timeout = errno == libc::ETIMEDOUT;
            return Err(error);
        }
    };
    if let Some(local) = connected.local {
        ctx.address.sending_ip_address = Some(Text::clean(local.ip().to_string()));
        ctx.address.sending_port = local.port();
    }
    if let Some(p) = connected.proxy {
        ctx.session.proxy = Some(crate::context::session::Proxy {
            local_address: Text::clean(p.near.ip().to_string()),
            local_port: p.near.port(),
            external_address: p.far.map_or_else(Text::new, |f| Text::tainted(f.ip().to_string())),
            external_port: p.far.map_or(0, |f| f.port()),
        });
    }
    let name = format!("{} [{}]", plan.host.name, plan.host.address_text);
    let mut client = Client::new(ctx, Wire::socket(connected.socket), name.as_bytes());
    client.lmtp = plan.smtp.protocol == Protocol::Lmtp;
    client.command_timeout = plan.command_timeout.or_else(|| limit(o.command_timeout.0));
    let opened = Opened {
        early,
        local: connected.local,
        proxy: connected.proxy,
        fast_open: connected.fast_open,
        dane: dane.is_used(),
        ..Opened::over(client)
    };
    greet_server(ctx, plan, opened, &dane, on_connect)
}

/// Makes a server of the peer of a connection that ATRN has turned round: it greets us now.
pub fn turned(ctx: &mut Context, plan: &Plan<'_>, mut opened: Opened) -> Result<Opened, Box<SetupError>> {
    let o = &plan.smtp.options;
    set_host_variables(ctx, plan.host, plan.port);
    ctx.session.tls_out = opened.tls.clone().unwrap_or_default();
    opened.turned = false;
    opened.client.command_timeout = limit(o.command_timeout.0);
    greet_server(ctx, plan, opened, &Dane::No, false)
}

/// The dialogue up to MAIL; if it fails, the connection is ended.
fn greet_server(
    ctx: &mut Context,
    plan: &Plan<'_>,
    mut opened: Opened,
    dane: &Dane,
    on_connect: bool,
) -> Result<Opened, Box<SetupError>> {
    let requiretls = plan.wish(ctx) == Wish::Required;
    match session_start::converse(ctx, plan, &mut opened, dane, on_connect) {
        Ok(()) => Ok(opened),
        Err(mut e) => {
            let c = &mut opened.client;
            e.greeting = c.greeting.clone();
            e.helo_response = c.helo_response.clone();
            e.no_clear = dane.is_used() || requiretls || on_connect;
            if e.tls.is_none() {
                e.tls = opened.tls.map(Box::new);
            }
            if e.trouble.can_quit && !c.wire_ref().is_dead() {
                c.quit()
            } else {
                c.close()
            }
            let action = plan.transport.generic.event_action.get().cloned();
            raise_event(ctx, action.as_ref(), "tcp:close", b"", 0);
            Err(e)
        }
    }
}

/// `$host`, `$host_address`, `$host_port`.
pub fn set_host_variables(ctx: &mut Context, host: &HostItem, port: u16) {
    ctx.address.host = Some(host.name.clone());
    ctx.address.host_address = Some(Text::tainted(host.address_text.to_vec()));
    ctx.address.host_port = port;
    ctx.address.lookup_dnssec = host.dnssec;
}

fn how(ctx: &mut Context, plan: &Plan<'_>) -> Result<How, Box<SetupError>> {
    let o = &plan.smtp.options;
    let mut how = How {
        interface: plan.interface,
        timeout: plan.connect_timeout.or_else(|| limit(o.connect_timeout.0)),
        keepalive: o.keepalive,
        event_action: plan.transport.generic.event_action.get().cloned(),
        ..How::default()
    };
    let failed = |name: &str, e: &dyn std::fmt::Display| {
        let text = format!("failed to expand \"{name}\" option for {} transport: {e}", plan.transport.name);
        SetupError::new(Trouble::local(errors::EXPAND_FAIL, text), Kind::Before)
    };
    if let Some(t) = o.dscp.get() {
        match expand::expand(ctx, t) {
            Ok(v) => how.tos = dscp::lookup(&v),
            Err(ExpandError::Forced(_)) => {}
            Err(e) => return Err(failed("dscp", &e)),
        }
    }
    if let Some(t) = o.socks_proxy.get() {
        match expand::expand(ctx, t) {
            Ok(v) => {
                how.proxies =
                    socks::parse(&v).map_err(|m| SetupError::new(Trouble::local(errors::PROXY_FAIL, m), Kind::Before))?
            }
            Err(ExpandError::Forced(_)) => {}
            Err(e) => return Err(failed("socks_proxy", &e)),
        }
    }
    Ok(how)
}

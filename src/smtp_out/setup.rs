//! From nothing to a server that waits for MAIL: connection, greeting, EHLO, TLS, AUTH.
//!
//! The smtp transport and callouts call [`open`]; what went wrong comes back with the words and numbers for addresses.

use std::net::SocketAddr;
use std::time::Duration;

use bstr::BString;

use super::auth::{self, Authenticated};
use super::client::Client;
use super::connect::{self, ConnectError, FastOpen, FastOpened, How, ProxyEnds, Target};
use super::dane::{self, Dane};
use super::pipe_connect::{self, Early};
use super::requiretls::{self, Wish};
use super::tls;
use super::trouble::{Fault, Trouble};
use super::wire::Wire;
use super::{dscp, in_hosts, socks};
use crate::context::{Context, TlsFacts};
use crate::deliver::raise_event;
use crate::expand::{self, ExpandError};
use crate::log::line::RemoteLog;
use crate::log::{self, Which};
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
fn refusal(text: impl Into<BString>) -> Trouble {
    Trouble { class: b'5', for_user: true, ..Trouble::local(errors::TLS_REQUIRED, text) }
}

/// A server that is ready.
#[derive(Debug)]
pub struct Opened {
    /// The dialogue.
    pub client: Client,
    /// TLS, if it is used.
    pub tls: Option<TlsFacts>,
    /// Where the TLS session may be kept.
    pub session_key: Option<String>,
    /// AUTH, if it was done.
    pub auth: Option<Authenticated>,
    /// Our end.
    pub local: Option<SocketAddr>,
    /// The proxy, if there is one.
    pub proxy: Option<ProxyEnds>,
    /// TCP Fast Open was used.
    pub fast_open: Option<FastOpened>,
    /// What is believed of the server, if early pipelining is used with it.
    pub early: Option<Early>,
    /// DANE is in use.
    pub dane: bool,
    /// Messages sent on this connection.
    pub messages: u64,
    /// The last transaction did not end well: RSET before the next one.
    pub needs_reset: bool,
    /// A callout has given MAIL and these recipients already, and the server has accepted them.
    pub accepted: Vec<BString>,
    /// The server was our client until it said ATRN; it has not greeted us yet.
    pub turned: bool,
}

impl Opened {
    /// Over a dialogue of which nothing is known.
    pub fn over(client: Client) -> Self {
        Opened {
            client,
            tls: None,
            session_key: None,
            auth: None,
            local: None,
            proxy: None,
            fast_open: None,
            early: None,
            dane: false,
            messages: 0,
            needs_reset: false,
            accepted: Vec::new(),
            turned: false,
        }
    }

    /// What lines about deliveries show of the connection.
    pub fn log_facts(&self) -> RemoteLog {
        RemoteLog {
            continued: self.messages > 0,
            proxy: self.proxy.map(|p| (p.near.ip(), p.near.port())),
            fast_open: self.fast_open_used(),
            interface: self.local.map(|a| (a.ip(), a.port())),
            protocol_detail: self.client.actions.as_str().into(),
            ..RemoteLog::default()
        }
    }

    /// Was TCP Fast Open used, and (`true`) with data that the server took? Only the first message tells.
    fn fast_open_used(&self) -> Option<bool> {
        match self.fast_open.filter(|_| self.messages == 0)? {
            FastOpened::Empty => Some(false),
            FastOpened::Data => self.client.wire_ref().syn_data_taken().then_some(true),
        }
    }

    /// The first message of the connection went out on the strength of what the server said before.
    pub fn early_used(&self) -> bool {
        self.messages == 0 && self.early.as_ref().is_some_and(|e| e.active)
    }

    /// AUTH as log lines show it; `sender` is what MAIL said with AUTH=.
    pub fn log_auth(&self, sender: Option<&Text>) -> Option<(BString, Option<BString>, Option<BString>)> {
        self.auth.as_ref().map(|auth| (auth.by.clone(), auth.id.clone(), sender.map(|s| BString::from(s.as_bytes()))))
    }
}

/// Keeps the TLS session of a connection that is about to end, if the transport's options say so.
pub fn keep_session(ctx: &Context, opened: &Opened) {
    if let (Some(key), Some(stream)) = (&opened.session_key, opened.client.wire_ref().tls()) {
        tls::keep_session(ctx, stream, key);
    }
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
    /// Greeting and answer to EHLO, as far as they came.
    pub greeting: BString,
    /// See above.
    pub helo_response: BString,
}

impl SetupError {
    fn new(trouble: Trouble, kind: Kind) -> Box<Self> {
        Box::new(SetupError {
            trouble,
            kind,
            connect_timeout: false,
            tls: None,
            no_clear: false,
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
    if let Some(text) = requiretls::host_refusal(plan.host).filter(|_| requiretls) {
        return Err(SetupError::new(refusal(text), Kind::Server));
    }
    let dane = if plan.no_tls { Dane::No } else { dane::wanted(ctx, plan.smtp, plan.host, plan.port) };
    if let Dane::Broken { message, definite, result } = &dane {
        let action = plan.transport.generic.event_action.get().cloned();
        raise_event(ctx, action.as_ref(), "dane:fail", result.as_bytes(), 0);
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
    match converse(ctx, plan, &mut opened, dane, on_connect) {
        Ok(()) => Ok(opened),
        Err(mut e) => {
            let c = &mut opened.client;
            e.greeting = c.greeting.clone();
            e.helo_response = c.helo_response.clone();
            e.no_clear = dane.is_used() || requiretls;
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

/// The name for EHLO.
fn helo_name(ctx: &mut Context, plan: &Plan<'_>) -> Result<Text, Box<SetupError>> {
    let Some(t) = plan.smtp.options.helo_data.get() else { return Ok(Text::clean(ctx.config.site.primary_hostname.to_vec())) };
    let name = match expand::expand(ctx, t) {
        Ok(n) => n,
        Err(e) => {
            let text = format!("failed to expand helo_data: {e}");
            return Err(SetupError::new(Trouble { errno: 0, ..Trouble::local(0, text) }, Kind::Before));
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

fn refused_by_event(name: &str, text: &Text) -> Box<SetupError> {
    let message = format!("deferred by {name} event expansion: {text}");
    SetupError::new(Trouble::local(errors::EXPAND_FAIL, message), Kind::Before)
}

fn converse(
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
                second_ehlo(ctx, opened, name)?;
                offered = true;
            }
            Ok(r) if r.class() == b'4' && !o.tls_tempfail_tryclear => return Err(server(c, Fault::Refused(r))),
            // Refused: in clear, then, unless TLS is required.
            Ok(_) => {}
            Err(f) => return Err(server(c, f)),
        }
    }
    if plan.wish(ctx) == Wish::Required
        && let Some(text) = requiretls::session_refusal(opened.tls.as_ref(), &opened.client.features)
    {
        return Err(SetupError::new(refusal(text), Kind::Server));
    }
    if opened.tls.is_none() {
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
fn second_ehlo(ctx: &mut Context, opened: &mut Opened, name: &[u8]) -> Result<(), Box<SetupError>> {
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
    Ok(())
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
        Err((message, facts)) => {
            if dane.is_used() {
                let line =
                    format!("DANE attempt failed; TLS connection to {} [{}]: {message}", plan.host.name, plan.host.address_text);
                log::write(ctx, None, Which::MAIN, line.as_bytes());
                ctx.session.tls_out = (*facts).clone();
                let action = plan.transport.generic.event_action.get().cloned();
                raise_event(ctx, action.as_ref(), "dane:fail", b"validation-failure", 0);
            }
            let trouble = Trouble { can_quit: false, ..Trouble::local(errors::TLS_FAILURE, format!("TLS session: {message}")) };
            let mut e = SetupError::new(trouble, Kind::Tls);
            e.tls = Some(facts);
            Err(e)
        }
    }
}

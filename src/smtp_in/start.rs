//! The start of a session: checks of the host, limits, the connect ACL, TLS on connect, the banner.

use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::ratelimit::Rate;
use super::server::{Server, VerifyHelo};
use super::wire::InputEnd;
use super::{SessionEnd, answer, host_in, host_is_in, proxy, report};
use crate::acl::{self, Verdict, Where};
use crate::config::options::Str;
use crate::context::Context;
use crate::context::names::host_and_ident;
use crate::context::session::{HostName, Input};
use crate::debug;
use crate::expand::{self, ExpandError};
use crate::log::{self, Selector, Which};
use crate::matching::Match;

/// Does everything up to the banner; or how the session ended, when all has been said.
pub fn begin(ctx: &mut Context) -> Result<Server, SessionEnd> {
    let mut server = Server::new();
    prepare(ctx, &mut server)?;
    connection_line(ctx);
    if !host_checks(ctx, &mut server) {
        return Err(SessionEnd::Done);
    }
    limits(ctx, &mut server)?;
    if ctx.session.input == Input::BatchedSmtp {
        return Ok(server);
    }
    if proxy::expected(ctx) && !proxy::read(ctx, &mut server) {
        server.proxy_failed = true;
    }
    let mut message = None;
    if let Some(list) = ctx.config.main.acl_smtp_connect.get().cloned() {
        let result = acl::check(ctx, Where::Connect, None, &list);
        if result.verdict != Verdict::Ok {
            if ctx.session.tls_in.on_connect {
                tls_drop(ctx, result.log_message.as_deref());
            } else {
                let _ = server.refuse(ctx, Where::Connect, result);
                super::flush(ctx);
            }
            return Err(SessionEnd::Done);
        }
        message = result.user_message;
    }
    if ctx.session.tls_in.on_connect {
        // If there is no banner, there is no handshake either. With tls_early_banner_hosts the banner is sent in the
        // handshake, where it costs no round trip.
        let out = banner(ctx, &mut server, message)?;
        let option = ctx.config.main.tls_early_banner_hosts.clone();
        let early = option.is_set() && host_is_in(ctx, "tls_early_banner_hosts", &option);
        if !server.tls_on_connect(ctx, early.then_some(out.as_slice())) {
            return Err(SessionEnd::Done);
        }
        if server.banner_sent {
            seen(ctx);
            return Ok(server);
        }
        greet(ctx, &mut server, &out)?;
        return Ok(server);
    }
    let out = banner(ctx, &mut server, message)?;
    greet(ctx, &mut server, &out)?;
    Ok(server)
}

/// hosts_connection_nolog, and the line about the connection where no daemon has written it.
fn connection_line(ctx: &mut Context) {
    let option = ctx.config.main.hosts_connection_nolog.clone();
    ctx.session.connection_nolog = host_is_in(ctx, "hosts_connection_nolog", &option);
    if ctx.session.count_at_start == 0 && !ctx.session.connection_nolog {
        let line = crate::context::names::connection_info(ctx);
        log::write(ctx, Some(Selector::SmtpConnection), Which::MAIN, &line);
    }
}

/// An id that no other connection of this host has at this time: the number of the thread, in a process with only one that
/// of the process.
pub fn connection_id() -> String {
    crate::sys::process::thread_id().to_string()
}

/// For tests: does a client that got its banner early speak at once?
fn seen(ctx: &mut Context) {
    if !ctx.run.test_harness {
        return;
    }
    let until = std::time::Instant::now() + Duration::from_millis(100);
    while std::time::Instant::now() < until && ctx.session.wire.as_mut().is_some_and(|w| !w.input_waiting()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let seen = ctx.session.wire.as_mut().is_some_and(|w| w.input_waiting());
    let what = if seen { "appears to have seen" } else { "appears to have NOT SEEN" };
    let line = format!("Ci={} SMTP peer {what} our banner", ctx.session.connection_id);
    log::write(ctx, None, Which::MAIN, line.as_bytes());
}

/// The facts that a session starts with.
fn prepare(ctx: &mut Context, server: &mut Server) -> Result<(), SessionEnd> {
    let config = ctx.config.clone();
    let s = &mut ctx.session;
    if s.start_usec == 0 {
        s.start_usec = report::now_usec();
    }
    if s.connection_id.is_empty() {
        s.connection_id = connection_id().into();
    }
    s.enforce_sync = config.main.smtp_enforce_sync;
    s.pipelining_enabled = true;
    s.command_history.clear();
    s.mail_command_count = 0;
    if s.active_hostname.is_empty() {
        s.active_hostname = config.site.primary_hostname.clone();
        active_hostname(ctx);
    }
    if ctx.session.received_protocol.is_none() {
        super::helo::set_protocol(ctx);
    }
    let timeout = match config.main.smtp_receive_timeout.get() {
        None => 300,
        Some(t) => match expand::expand(ctx, t) {
            Ok(v) => crate::config::values::parse_interval(v.trim()).unwrap_or(300),
            Err(e) => {
                let line = format!("Failed to expand smtp_receive_timeout: {e}");
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
                300
            }
        },
    };
    if let Some(w) = ctx.session.wire.as_mut() {
        w.timeout = (timeout > 0).then(|| Duration::from_secs(timeout.unsigned_abs()));
    }
    rates(ctx, server)
}

/// smtp_ratelimit_mail and smtp_ratelimit_rcpt, if there are hosts that they are for.
fn rates(ctx: &mut Context, server: &mut Server) -> Result<(), SessionEnd> {
    let m = &ctx.config.main;
    if !m.smtp_ratelimit_hosts.is_set() {
        return Ok(());
    }
    let read = |o: &Str| o.raw().map(Rate::parse).transpose();
    match (read(&m.smtp_ratelimit_mail), read(&m.smtp_ratelimit_rcpt)) {
        (Ok(mail), Ok(rcpt)) => {
            (server.mail_rate, server.rcpt_rate) = (mail, rcpt);
            Ok(())
        }
        (Err(e), _) | (_, Err(e)) => {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.as_bytes());
            Err(failed(ctx, server))
        }
    }
}

/// A mistake in the configuration that nothing can be done without: the peer is to come again when it is repaired.
fn failed(ctx: &mut Context, server: &mut Server) -> SessionEnd {
    // A client that begins with a handshake would take an answer in clear for a broken one.
    let before_tls = ctx.session.tls_in.on_connect && ctx.session.tls_in.cipher.is_none();
    if !ctx.run.host_checking && !before_tls {
        server.close_down(ctx, "Unexpected failure, please try later");
    }
    SessionEnd::Broken
}

/// smtp_active_hostname.
fn active_hostname(ctx: &mut Context) {
    let Some(t) = ctx.config.main.smtp_active_hostname.get().cloned() else { return };
    match expand::expand(ctx, &t) {
        Ok(v) if !v.is_empty() => ctx.session.active_hostname = v.into_bytes().into(),
        Ok(_) | Err(ExpandError::Forced(_)) => {}
        Err(e) => {
            let line = format!("failed to expand \"{}\" (smtp_active_hostname): {e}", t.raw().as_bstr());
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
        }
    }
}

/// What depends on the host; nothing of it for local input. False: refused.
fn host_checks(ctx: &mut Context, server: &mut Server) -> bool {
    if ctx.session.host_unknown || ctx.session.host_address.is_none() {
        return true;
    }
    let config = ctx.config.clone();
    let m = &config.main;
    if ctx.session.host_name == HostName::Unknown && host_is_in(ctx, "host_lookup", &m.host_lookup) {
        crate::matching::host_name_lookup(ctx);
    }
    if !ctx.session.sender_host_notsocket {
        crate::verify::ident(ctx);
    }
    if let Some(options) = ip_options(ctx) {
        let line = format!("connection from {} refused (IP options)", host_and_ident(ctx, false));
        log::write(ctx, None, Which::MAIN.and(Which::REJECT), line.as_bytes());
        log::debug!(ctx, RECEIVE, "IP options: {options}");
        server.reply(ctx, "554 SMTP service not available");
        return false;
    }
    if host_is_in(ctx, "host_reject_connection", &m.host_reject_connection) {
        let line = format!("refused connection from {} (host_reject_connection)", host_and_ident(ctx, false));
        log::write(ctx, Some(Selector::ConnectionReject), Which::MAIN.and(Which::REJECT), line.as_bytes());
        if !ctx.session.tls_in.on_connect {
            server.reply(ctx, "554 SMTP service not available");
        }
        return false;
    }
    if !reserve(ctx, server) {
        return false;
    }
    ctx.session.allow_unqualified_sender = host_is_in(ctx, "sender_unqualified_hosts", &m.sender_unqualified_hosts);
    ctx.session.allow_unqualified_recipient = host_is_in(ctx, "recipient_unqualified_hosts", &m.recipient_unqualified_hosts);
    server.verify_helo = if host_is_in(ctx, "helo_verify_hosts", &m.helo_verify_hosts) {
        VerifyHelo::Require
    } else if host_is_in(ctx, "helo_try_verify_hosts", &m.helo_try_verify_hosts) {
        VerifyHelo::Try
    } else {
        VerifyHelo::No
    };
    server.helo_accept_junk = host_is_in(ctx, "helo_accept_junk_hosts", &m.helo_accept_junk_hosts);
    true
}

/// Source routing and such in the IP header of the connection.
fn ip_options(ctx: &Context) -> Option<String> {
    let wire = ctx.session.wire.as_ref()?;
    if !wire.is_socket() || ctx.session.sender_host_notsocket {
        return None;
    }
    let options = crate::sys::sockopt::ip_options(wire.descriptor()?).ok()?;
    // Only source routes (loose 131, strict 137) are dangerous.
    options.iter().any(|o| matches!(o, 131 | 137)).then(|| format!("{options:?}"))
}

/// smtp_accept_reserve and smtp_load_reserve.
fn reserve(ctx: &mut Context, server: &mut Server) -> bool {
    let config = ctx.config.clone();
    let m = &config.main;
    let connected = i64::from(ctx.session.count_at_start);
    let (max, reserved) = (m.smtp_accept_max.0, m.smtp_accept_reserve.0);
    let mut is_reserved = false;
    let name = ctx.session.active_hostname.clone();
    if max > 0 && connected > max - reserved {
        let found = host_in(ctx, "smtp_reserve_hosts", &m.smtp_reserve_hosts);
        if found != Match::Yes {
            let line = format!(
                "temporarily refused connection from {}: not in reserve list: connected={} max={max} reserve={reserved}{}",
                host_and_ident(ctx, false),
                connected - 1,
                if matches!(found, Match::Defer(_)) { " (lookup deferred)" } else { "" }
            );
            log::write(ctx, Some(Selector::ConnectionReject), Which::MAIN, line.as_bytes());
            server.reply(ctx, format!("421 {name}: Too many concurrent SMTP connections; please try again later"));
            return false;
        }
        is_reserved = true;
    }
    if let Some(limit) = m.smtp_load_reserve.0
        && !is_reserved
    {
        let load = i64::from(crate::daemon::load_average(ctx));
        debug!(ctx, LOAD, "load average {:.2}, smtp_load_reserve {:.2}", load as f64 / 1000.0, limit as f64 / 1000.0);
        if load > limit && !host_is_in(ctx, "smtp_reserve_hosts", &m.smtp_reserve_hosts) {
            let line = format!(
                "temporarily refused connection from {}: not in reserve list and load average = {:.2}",
                host_and_ident(ctx, false),
                load as f64 / 1000.0
            );
            log::write(ctx, Some(Selector::ConnectionReject), Which::MAIN, line.as_bytes());
            server.reply(ctx, format!("421 {name}: Too much load; please try again later"));
            return false;
        }
    }
    true
}

/// message_size_limit and recipients_max, for this session.
fn limits(ctx: &mut Context, server: &mut Server) -> Result<(), SessionEnd> {
    let config = ctx.config.clone();
    match crate::receive::size_limit(ctx) {
        Ok(n) => server.size_limit = n,
        Err(text) => {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            server.close_down(ctx, "Temporary local problem - please try later");
            return Err(SessionEnd::Done);
        }
    }
    server.recipients_max = match config.main.recipients_max.get().map(|t| expand::expand_int(ctx, t, true)) {
        None => 0,
        Some(Ok(n)) => n,
        Some(Err(e)) => {
            let line = format!("unable to expand recipients_max: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            server.close_down(ctx, "Temporary local problem - please try later");
            return Err(SessionEnd::Done);
        }
    };
    Ok(())
}

/// A connection that begins with TLS is refused before the handshake: nothing can be said to it.
fn tls_drop(ctx: &mut Context, log_message: Option<&[u8]>) {
    let Some(which) = ctx.acl.log_reject_target.unwrap_or(Some(Which::MAIN.and(Which::REJECT))) else { return };
    let why = log_message.map(|m| format!(": {}", m.as_bstr())).unwrap_or_default();
    let line = format!("{} dropped by 'connect' ACL{why}", host_and_ident(ctx, true));
    log::write(ctx, Some(Selector::ConnectionReject), which, line.as_bytes());
}

/// The lines of the banner.
fn banner(ctx: &mut Context, server: &mut Server, message: Option<crate::text::Text>) -> Result<Vec<u8>, SessionEnd> {
    let mut code = BString::from("220");
    let text = match message {
        Some(mut m) => {
            answer::message_code(ctx, &mut code, &mut m, None, true);
            m
        }
        None => match ctx.config.main.smtp_banner.get().cloned().map(|t| (expand::expand(ctx, &t), t)) {
            None => crate::text::Text::new(),
            Some((Ok(v), _)) => v,
            Some((Err(e), t)) => {
                let line = format!("Expansion of \"{}\" (smtp_banner) failed: {e}", t.raw().as_bstr());
                let which = if matches!(e, ExpandError::Forced(_)) { Which::MAIN } else { Which::MAIN.and(Which::PANIC) };
                log::write(ctx, None, which, line.as_bytes());
                return Err(failed(ctx, server));
            }
        },
    };
    let text = text.trim_ascii_end();
    let extended = code.get(4..).unwrap_or_default();
    let lines: Vec<&[u8]> = text.split_str(b"\n").collect();
    let mut out = Vec::new();
    for (i, l) in lines.iter().enumerate() {
        out.extend_from_slice(code.get(..3).unwrap_or(b"220"));
        out.push(if i + 1 < lines.len() { b'-' } else { b' ' });
        out.extend_from_slice(extended);
        out.extend_from_slice(l);
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

/// Puts the banner on the line, if nothing has come before its time.
fn greet(ctx: &mut Context, server: &mut Server, out: &[u8]) -> Result<(), SessionEnd> {
    let option = ctx.config.main.pipelining_connect_advertise_hosts.clone();
    server.pipe_connect_acceptable =
        ctx.session.host_address.is_some() && host_is_in(ctx, "pipelining_connect_advertise_hosts", &option);
    if !server.in_sync(ctx) {
        if server.pipe_connect_acceptable {
            ctx.session.early_pipe_used = true;
        } else {
            let waiting: BString = ctx.session.wire.as_ref().map(|w| w.unread()).unwrap_or_default().into();
            let line = format!(
                "SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from {} \
                 input=\"{}\"{}",
                host_and_ident(ctx, true),
                answer::printable(ctx, waiting.get(..128).unwrap_or(&waiting)),
                if waiting.len() > 128 { "..." } else { "" }
            );
            log::write(ctx, None, Which::MAIN.and(Which::REJECT), line.as_bytes());
            server.reply(ctx, "554 SMTP synchronization error");
            return Err(SessionEnd::Done);
        }
    }
    answer::put(ctx, out);
    Ok(())
}

impl Server {
    /// The service is not available: says so to every command until the peer goes.
    pub fn close_down(&mut self, ctx: &mut Context, text: &str) {
        if ctx.session.input == Input::BatchedSmtp {
            return;
        }
        self.reply(ctx, format!("421 {text}"));
        loop {
            let verb = match self.read_command(ctx, false) {
                Err(InputEnd::Eof | InputEnd::TimedOut | InputEnd::Failed(_) | InputEnd::Terminated(_)) => return,
                Ok(super::server::Command::Known(k)) => Some(k.verb),
                Ok(_) => None,
            };
            match verb {
                Some(super::command::Verb::Quit) => {
                    let host = ctx.session.active_hostname.clone();
                    self.reply(ctx, format!("221 {host} closing connection"));
                    super::flush(ctx);
                    return;
                }
                Some(super::command::Verb::Rset) => self.reply(ctx, "250 Reset OK"),
                _ => self.reply(ctx, format!("421 {text}")),
            }
        }
    }
}

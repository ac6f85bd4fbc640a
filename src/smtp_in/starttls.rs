//! STARTTLS and TLS on connect: the options for this host, the handshake, and what it means for the session.
//!
//! What the peer sent before the handshake is thrown away (RFC 3207), and so is what it told us. A handshake that
//! fails ends the session: clear text is never read again on that connection.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::server::Server;
use super::tls_stream::Encrypted;
use super::wire::InputEnd;
use super::{Next, host_is_in, report};
use crate::acl::{self, Verdict, Where};
use crate::config::options::Str;
use crate::context::names::host_and_ident;
use crate::context::{Context, TlsFacts};
use crate::debug;
use crate::expand::{self, ExpandError};
use crate::log::{self, Selector, Which};
use crate::text::Text;
use crate::tls_openssl::{
    self, AcceptOptions, CertSource, HandshakeHooks, Notice, OpensslOptions, ServerParams, SniAnswer, TlsError, VerifyMode,
};

/// How the attempt to begin TLS ended, other than well.
enum Trouble {
    /// Our configuration: the session may go on without TLS.
    Ours(TlsError),
    /// The handshake: the session is over. The socket, for the end.
    Handshake(TlsError, Option<OwnedFd>),
}

fn ours(message: String) -> Trouble {
    Trouble::Ours(TlsError::Message(message))
}

impl Server {
    /// STARTTLS
    pub fn starttls(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        if !self.tls_advertised {
            let text = "STARTTLS command used when not advertised";
            return self.mistake(ctx, Selector::SmtpProtocolError, 503, None, text);
        }
        if let Some(list) = ctx.config.main.acl_smtp_starttls.get().cloned() {
            let result = acl::check(ctx, Where::StartTls, None, &list);
            if result.verdict != Verdict::Ok {
                return self.refuse(ctx, Where::StartTls, result);
            }
        }
        self.abandon(ctx, "STARTTLS");
        self.free.starttls = false;
        match self.begin_tls(ctx, false, None) {
            Ok(()) => {
                self.tls_begun(ctx);
                Next::Command
            }
            Err(Trouble::Ours(why)) => {
                log_failure(ctx, &why);
                self.reply(ctx, "454 TLS currently unavailable");
                Next::Command
            }
            Err(Trouble::Handshake(why, socket)) => {
                log_failure(ctx, &why);
                self.after_failure(ctx, socket)
            }
        }
    }

    /// TLS from the first byte (`tls_on_connect_ports`, `-tls-on-connect`). False when it failed; that is logged.
    pub fn tls_on_connect(&mut self, ctx: &mut Context, banner: Option<&[u8]>) -> bool {
        match self.begin_tls(ctx, true, banner) {
            Ok(()) => true,
            Err(Trouble::Ours(why) | Trouble::Handshake(why, _)) => {
                log_failure(ctx, &why);
                report::closed(ctx, "by EOF");
                // Nothing of SMTP has happened: the not-QUIT ACL is not for this.
                self.not_quit(ctx, None, None);
                false
            }
        }
    }

    /// A handshake has failed: everything but the end of the connection is refused unread.
    fn after_failure(&mut self, ctx: &mut Context, socket: Option<OwnedFd>) -> Next {
        const MOST: usize = 20;
        let again = socket.and_then(|s| ctx.session.wire.as_mut().map(|w| w.clear_again(s)));
        if matches!(again, Some(Ok(()))) {
            for _ in 0..MOST {
                let Some(wire) = ctx.session.wire.as_mut() else { break };
                match wire.fill() {
                    Ok(()) => {
                        let quit = wire.unread().trim().eq_ignore_ascii_case(b"quit");
                        let n = wire.unread().len();
                        wire.consume(n);
                        if quit {
                            let host = ctx.session.active_hostname.clone();
                            self.reply(ctx, format!("221 {host} closing connection"));
                            report::closed(ctx, "by QUIT");
                            self.not_quit(ctx, Some("tls-failed"), None);
                            return Next::End;
                        }
                        self.reply(ctx, "554 Security failure");
                    }
                    Err(InputEnd::TimedOut) => return self.input_ended(ctx, &InputEnd::TimedOut),
                    Err(_) => break,
                }
            }
        }
        report::closed(ctx, "by EOF");
        self.not_quit(ctx, Some("tls-failed"), None);
        Next::End
    }

    fn tls_begun(&mut self, ctx: &mut Context) {
        if !ctx.config.main.tls_remember_esmtp {
            self.helo_seen = false;
            ctx.session.esmtp = false;
            self.auth_advertised = None;
            ctx.session.pipelining_advertised = false;
        }
        self.free.helo = true;
        self.free.auth = true;
        self.tls_advertised = false;
        ctx.session.helo_name = None;
        ctx.session.authenticated_by = None;
        ctx.session.auth_public_name = None;
        ctx.session.authenticated_id = None;
        super::helo::set_protocol(ctx);
    }

    fn begin_tls(&mut self, ctx: &mut Context, on_connect: bool, banner: Option<&[u8]>) -> Result<(), Trouble> {
        let params = parameters(ctx).map_err(ours)?;
        let cache = ctx.services.tls.clone();
        let context = cache.server(&params).map_err(|e| {
            if e.for_paniclog() {
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes());
            }
            Trouble::Ours(e)
        })?;
        show_notices(ctx, &context);
        if !on_connect {
            self.reply(ctx, "220 TLS go ahead");
        }
        let timeout = ctx.session.wire.as_ref().and_then(|w| w.timeout);
        let Some(socket) = ctx.session.wire.as_mut().and_then(|w| w.take_socket()) else {
            return Err(Trouble::Handshake(TlsError::Message("there is no socket to start TLS on".into()), None));
        };
        // Only to wait for the peer's end if the handshake fails: nothing that comes in clear is obeyed any more.
        let copy = crate::sys::fd::duplicate(socket.as_fd()).ok();
        let peer_address = ctx.session.host_address.as_ref().map_or(String::new(), |a| a.display().into_owned());
        for file in &params.certificates {
            debug!(ctx, TLS, "TLS certificate file: {}", file.display());
        }
        debug!(ctx, TLS, "TLS handshake as server with {peer_address}");
        let mut hooks = Hooks { ctx, cache: &cache };
        let early_banner = banner.map(<[u8]>::to_vec);
        let options = AcceptOptions { peer_address, timeout, early_banner, hooks: &mut hooks };
        match tls_openssl::accept(socket, &context, options) {
            Ok(stream) => {
                stream.facts().lines().iter().for_each(|line| debug!(ctx, TLS, "{line}"));
                ctx.session.tls_in = TlsFacts { on_connect, ..TlsFacts::of(stream.facts()) };
                // `CV=` is for certificates that came.
                ctx.session.tls_in.verification_configured =
                    params.verify != VerifyMode::None && stream.facts().peer_cert.is_some();
                self.banner_sent = stream.facts().banner_sent;
                self.tls_auth_due = true;
                if let Some(w) = ctx.session.wire.as_mut() {
                    w.secured(Box::new(Encrypted(stream)));
                }
                Ok(())
            }
            Err(failure) => {
                debug!(ctx, TLS, "TLS handshake failed: {}", failure.error);
                ctx.session.tls_in = TlsFacts { on_connect, cipher: None, ..TlsFacts::of(&failure.facts) };
                Err(Trouble::Handshake(failure.error, copy))
            }
        }
    }
}

/// The log line and the event of a failed beginning.
fn log_failure(ctx: &mut Context, why: &TlsError) {
    let action = ctx.config.main.event_action.get().cloned();
    crate::deliver::raise_event(ctx, action.as_ref(), "tls:fail:connect", why.event_data().as_bytes(), 0);
    let line = format!("TLS error on connection from {} {why}", host_and_ident(ctx, false));
    log::write(ctx, None, Which::MAIN, line.as_bytes());
}

/// What a context that was just made has to say.
fn show_notices(ctx: &Context, context: &tls_openssl::ServerContext) {
    for n in context.take_notices() {
        match n {
            Notice::Debug(text) => log::debug!(ctx, TLS, "{text}"),
            Notice::Main(text) => log::write(ctx, None, Which::MAIN, text.as_bytes()),
            Notice::Panic(text) => log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes()),
        }
    }
}

/// An option's expanded value; a forced failure is as good as unset.
fn value(ctx: &mut Context, name: &str, option: &Str) -> Result<Option<String>, String> {
    let Some(t) = option.get() else { return Ok(None) };
    match expand::expand(ctx, t) {
        Ok(v) => Ok(Some(v.display().into_owned()).filter(|s| !s.is_empty())),
        Err(ExpandError::Forced(_)) => Ok(None),
        Err(e) => {
            let line = format!("expansion of {name} failed: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            Err(line)
        }
    }
}

fn items(list: Option<String>) -> Vec<String> {
    list.map_or(Vec::new(), |l| crate::parse::list::items(l.as_bytes()).map(|i| i.to_str_lossy().into_owned()).collect())
}

fn paths(list: Option<String>) -> Vec<PathBuf> {
    items(list).into_iter().map(PathBuf::from).collect()
}

/// How long a session ticket is good (manual section 42.17).
pub fn ticket_lifetime(test_harness: bool) -> Duration {
    Duration::from_secs(if test_harness { 10 } else { 7200 })
}

/// The options of the main section, for this host.
fn parameters(ctx: &mut Context) -> Result<ServerParams, String> {
    let config = ctx.config.clone();
    let m = &config.main;
    let certificates = paths(value(ctx, "tls_certificate", &m.tls_certificate)?);
    let private_keys = paths(value(ctx, "tls_privatekey", &m.tls_privatekey)?);
    let verify = if host_is_in(ctx, "tls_verify_hosts", &m.tls_verify_hosts) {
        VerifyMode::Require
    } else if host_is_in(ctx, "tls_try_verify_hosts", &m.tls_try_verify_hosts) {
        VerifyMode::Try
    } else {
        VerifyMode::None
    };
    let verify_certificates = value(ctx, "tls_verify_certificates", &m.tls_verify_certificates)?;
    let options = value(ctx, "openssl_options", &m.openssl_options)?.unwrap_or_default();
    let ocsp = items(value(ctx, "tls_ocsp_file", &m.tls_ocsp_file)?);
    let test = ctx.run.test_harness;
    Ok(ServerParams {
        certificates,
        private_keys,
        self_signed_name: config.site.primary_hostname.to_str_lossy().into_owned(),
        self_signed_life: Duration::from_secs(if test { 2 } else { 3600 }),
        dhparam: value(ctx, "tls_dhparam", &m.tls_dhparam)?,
        dh_max_bits: u32::try_from(m.tls_dh_max_bits.0).unwrap_or(2236),
        eccurve: items(value(ctx, "tls_eccurve", &m.tls_eccurve)?),
        ciphers: value(ctx, "tls_require_ciphers", &m.tls_require_ciphers)?,
        options: OpensslOptions::parse(&options).map_err(|e| e.to_string())?,
        verify_certificates: CertSource::from_option(verify_certificates.as_deref().unwrap_or_default()),
        crl: value(ctx, "tls_crl", &m.tls_crl)?.map(PathBuf::from),
        verify,
        ocsp_files: tls_openssl::parse_ocsp_files(ocsp.iter().map(String::as_str)),
        ocsp_no_validity_check: test && std::env::var_os("EXIM_TESTHARNESS_DISABLE_OCSPVALIDITYCHECK").is_some(),
        alpn: items(value(ctx, "tls_alpn", &m.tls_alpn)?),
        alpn_required: host_is_in(ctx, "hosts_require_alpn", &m.hosts_require_alpn),
        resumption: host_is_in(ctx, "tls_resumption_hosts", &m.tls_resumption_hosts),
        session_lifetime: ticket_lifetime(test),
    })
}

/// The session's part in a handshake.
struct Hooks<'a> {
    ctx: &'a mut Context,
    cache: &'a tls_openssl::ContextCache,
}

impl HandshakeHooks for Hooks<'_> {
    fn log(&mut self, line: &str) {
        log::write(self.ctx, None, Which::MAIN, line.as_bytes());
    }

    /// The options are expanded again with `$tls_in_sni` set, if any of them looks at it.
    fn server_name(&mut self, name: &[u8]) -> SniAnswer {
        self.ctx.session.tls_in.sni = Some(Text::tainted(name));
        let m = &self.ctx.config.main;
        let options = [&m.tls_certificate, &m.tls_privatekey, &m.tls_ocsp_file, &m.tls_verify_certificates, &m.tls_crl];
        let wanted = options
            .iter()
            .filter_map(|o| o.raw())
            .any(|r| [&b"tls_in_sni"[..], b"tls_sni", b"tls_out_sni"].iter().any(|n| r.contains_str(n)));
        if !wanted {
            return SniAnswer::Keep;
        }
        let params = match parameters(self.ctx) {
            Ok(p) => p,
            Err(e) => return SniAnswer::Refuse(e),
        };
        match self.cache.server(&params) {
            Ok(c) => {
                show_notices(self.ctx, &c);
                SniAnswer::Use(c)
            }
            Err(e) => SniAnswer::Refuse(e.to_string()),
        }
    }

    fn wants_certificates(&self) -> bool {
        self.ctx.config.main.event_action.is_set()
    }

    fn certificate(&mut self, depth: u32, cert: &tls_openssl::Cert) -> Option<String> {
        self.ctx.session.tls_in.peer_cert = cert.pem().ok().map(BString::from);
        let action = self.ctx.config.main.event_action.get().cloned();
        crate::deliver::raise_event(self.ctx, action.as_ref(), "tls:cert", depth.to_string().as_bytes(), 0)
            .map(|t| t.display().into_owned())
    }
}

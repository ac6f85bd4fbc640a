//! TLS towards a server: what the transport's options ask for, sessions kept for resumption.
//!
//! Turns the options into the plain values of `crate::tls_openssl`, whose contexts are kept in the transport.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::dane::Dane;
use super::in_hosts;
use super::requiretls::Wish;
use super::setup::Plan;
use crate::config::options::Str;
use crate::context::{Context, Run, TlsFacts};
use crate::debug;
use crate::expand::{self, ExpandError};
use crate::hints::records::TlsSession;
use crate::hints::{self, Mode};
use crate::log::{self, Which};
use crate::parse::list::items;
use crate::route::HostItem;
use crate::text::Text;
use crate::tls_openssl::{
    self as tls, CertSource, ClientParams, ClientSetup, DaneParams, HandshakeHooks, OcspWish, OpensslOptions, SavedSession,
    TlsStream, VerifyMode,
};
use crate::transports::smtp::Smtp;

/// An encrypted stream that has just begun.
pub struct Started {
    /// The stream.
    pub stream: TlsStream,
    /// Its facts, for variables and log lines.
    pub facts: TlsFacts,
    /// Key under which its session may be kept.
    pub session_key: Option<String>,
}

/// Why there is none.
pub struct NotStarted {
    /// What follows `TLS session: `.
    pub message: String,
    /// What is known all the same.
    pub facts: Box<TlsFacts>,
    /// The handshake was done as far as one of the two said no; another time will hardly be better.
    pub judged: bool,
}

/// The expanded value of an option; a forced failure is as unset.
fn option(ctx: &mut Context, name: &str, value: &Str) -> Result<Option<Text>, String> {
    let Some(t) = value.get() else { return Ok(None) };
    match expand::expand(ctx, t) {
        Ok(v) if v.is_empty() => Ok(None),
        Ok(v) => Ok(Some(v)),
        Err(ExpandError::Forced(_)) => Ok(None),
        Err(e) => {
            let line = format!("expansion of {name} failed: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            Err(line)
        }
    }
}

fn text(v: Option<Text>) -> Option<String> {
    v.map(|t| t.display().into_owned())
}

fn path(name: &str, v: Option<Text>) -> Result<Option<PathBuf>, String> {
    let Some(v) = v else { return Ok(None) };
    if v.is_tainted() {
        return Err(format!("attempt to use tainted '{v}' as {name}"));
    }
    Ok(Some(v.to_path_lossy().into_owned()))
}

/// Does the handshake on a connected socket.
pub fn start(
    ctx: &mut Context,
    plan: &Plan<'_>,
    socket: OwnedFd,
    dane: &Dane,
    timeout: Option<Duration>,
) -> Result<Started, NotStarted> {
    let Plan { transport, smtp, host, port, .. } = *plan;
    let plain = |message: String| NotStarted { message, facts: Box::default(), judged: false };
    let o = &smtp.options;
    let uses_dane = dane.is_used();
    if let Dane::Yes(records) = dane {
        // Options may depend on it.
        ctx.session.tls_out.tlsa_usage = records.iter().filter(|r| r.usage < 8).fold(0, |bits, r| bits | 1 << r.usage);
    }
    let resumption = in_hosts(ctx, "tls_resumption_hosts", &o.tls_resumption_hosts, host);
    let ciphers = match o.dane_require_tls_ciphers.is_set() && uses_dane {
        true => option(ctx, "dane_require_tls_ciphers", &o.dane_require_tls_ciphers),
        false => option(ctx, "tls_require_ciphers", &o.tls_require_ciphers),
    };
    let ciphers = text(ciphers.map_err(plain)?);
    let certificate =
        option(ctx, "tls_certificate", &o.tls_certificate).and_then(|v| path("tls_certificate", v)).map_err(plain)?;
    let private_key = option(ctx, "tls_privatekey", &o.tls_privatekey).and_then(|v| path("tls_privatekey", v)).map_err(plain)?;
    let crl = option(ctx, "tls_crl", &o.tls_crl).and_then(|v| path("tls_crl", v)).map_err(plain)?;
    let anchors = text(option(ctx, "tls_verify_certificates", &o.tls_verify_certificates).map_err(plain)?);
    let wish = plan.wish(ctx);
    let verify = match verify_mode(ctx, smtp, host, anchors.is_some()) {
        _ if wish == Wish::Required => VerifyMode::Require,
        VerifyMode::Require if wish == Wish::Relaxed && !o.tls_verify_hosts.is_set() => VerifyMode::Try,
        mode => mode,
    };
    let config = ctx.config.clone();
    let options = text(option(ctx, "openssl_options", &config.main.openssl_options).map_err(plain)?).unwrap_or_default();
    let options = OpensslOptions::parse(&options).map_err(|e| plain(e.to_string()))?;
    let setup = ClientSetup {
        certificate,
        private_key,
        ciphers,
        options,
        verify_certificates: CertSource::from_option(anchors.as_deref().unwrap_or_default()),
        crl,
        dane: uses_dane,
        resumption,
    };
    let context = smtp.contexts.client(&setup).map_err(|e| {
        if e.for_paniclog() {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes());
        }
        plain(e.to_string())
    })?;
    let sni = text(option(ctx, "tls_sni", &o.tls_sni).map_err(plain)?);
    let alpn = option(ctx, "tls_alpn", &o.tls_alpn).map_err(plain)?;
    let alpn_required = in_hosts(ctx, "hosts_require_alpn", &o.hosts_require_alpn, host);
    let ocsp = if in_hosts(ctx, "hosts_require_ocsp", &o.hosts_require_ocsp, host) {
        OcspWish::Require
    } else if match o.hosts_request_ocsp.raw() {
        // With DANE-EE the record says all that a proof could say.
        Some(b"*") => matches!(ctx.session.tls_out.tlsa_usage, 0 | 4),
        _ => in_hosts(ctx, "hosts_request_ocsp", &o.hosts_request_ocsp, host),
    } {
        OcspWish::Request
    } else {
        OcspWish::No
    };
    let check_name = wish == Wish::Required || in_hosts(ctx, "tls_verify_cert_hostnames", &o.tls_verify_cert_hostnames, host);
    let extra_names: Vec<String> = host.cert_name.iter().map(|n| n.display().into_owned()).collect();
    let name = host.cert_name.as_ref().unwrap_or(&host.name).display().into_owned();
    let no_validity = ctx.run.test_harness && std::env::var_os("EXIM_TESTHARNESS_DISABLE_OCSPVALIDITYCHECK").is_some();
    let extra = text(option(ctx, "host_name_extract", &o.host_name_extract).unwrap_or(None)).unwrap_or_default();
    let action = transport.generic.event_action.get().cloned();
    let peer = host.address_text.to_str_lossy().into_owned();
    if let Some(file) = &setup.certificate {
        debug!(ctx, TLS, "TLS certificate file: {}", file.display());
    }
    debug!(ctx, TLS, "TLS handshake as client with {name} [{peer}], {verify:?} verification, {ocsp:?} OCSP");
    let (store, run) = (ctx.services.hints.clone(), ctx.run.clone());
    let mut hooks = Hooks { ctx, action };
    let mut params = ClientParams::new(peer, &mut hooks);
    params.timeout = timeout;
    params.verify = verify;
    if check_name && verify != VerifyMode::None {
        params.verify_names = vec![name];
    }
    params.sni = sni.filter(|_| !uses_dane);
    params.alpn = alpn.map(|v| items(&v).map(|i| i.to_string()).collect()).unwrap_or_default();
    params.alpn_required = alpn_required;
    params.ocsp = ocsp;
    params.ocsp_no_validity_check = no_validity;
    params.dh_min_bits = u32::try_from(o.tls_dh_min_bits.0).unwrap_or(1024);
    if let Dane::Yes(records) = dane {
        params.dane = Some(DaneParams { host: host.name.display().into_owned(), extra_names, records: records.clone() });
    }
    let session_key = resumption.then(|| setup.session_key(&host.name.display(), port, &params, &extra));
    if let Some(key) = &session_key {
        params.session = kept_session(store.as_ref(), &run, key);
    }
    match tls::connect(socket, &context, params) {
        Ok(stream) => {
            stream.facts().lines().iter().for_each(|line| debug!(ctx, TLS, "{line}"));
            let facts = TlsFacts { verification_configured: true, ..TlsFacts::of(stream.facts()) };
            Ok(Started { stream, facts, session_key })
        }
        Err(f) => {
            debug!(ctx, TLS, "TLS handshake failed: {}", f.error);
            let facts = TlsFacts { verification_configured: true, cipher: None, ..TlsFacts::of(&f.facts) };
            Err(NotStarted { message: f.error.to_string(), facts: Box::new(facts), judged: f.error.is_judgement() })
        }
    }
}

fn verify_mode(ctx: &mut Context, smtp: &Smtp, host: &HostItem, anchors: bool) -> VerifyMode {
    let o = &smtp.options;
    // Two empty lists mean that every server is verified (manual section 42.6): `:` is how an empty one is written.
    let no_try = matches!(o.tls_try_verify_hosts.raw().unwrap_or_default().trim(), b"" | b":");
    let no_must = o.tls_verify_hosts.raw().unwrap_or_default().is_empty();
    if in_hosts(ctx, "tls_verify_hosts", &o.tls_verify_hosts, host) {
        VerifyMode::Require
    } else if !anchors {
        // Without certificates to verify by there is nothing to try.
        VerifyMode::None
    } else if no_must && no_try {
        VerifyMode::Require
    } else if in_hosts(ctx, "tls_try_verify_hosts", &o.tls_try_verify_hosts, host) {
        VerifyMode::Try
    } else {
        VerifyMode::None
    }
}

fn kept_session(store: &dyn hints::HintsStore, run: &Arc<Run>, key: &str) -> Option<SavedSession> {
    let mut db = hints::open_traced(store, run, "tls", Mode::Read).ok()??;
    let found = hints::get::<TlsSession>(db.as_mut(), key.as_bytes()).ok()??;
    SavedSession::from_bytes(&found.record.session)
}

/// Keeps the session of a connection that is about to end.
pub fn keep_session(ctx: &Context, stream: &TlsStream, key: &str) {
    let Some(saved) = stream.session_out() else { return };
    let record = TlsSession { verify_override: false, ocsp: stream.facts().ocsp.number(), session: saved.to_bytes() };
    if let Ok(Some(mut db)) = crate::hints::open(ctx, "tls", Mode::Write) {
        // Losing it costs a full handshake.
        let _ = hints::put(db.as_mut(), key.as_bytes(), &record);
    }
}

/// Log lines and `tls:cert` events of a handshake.
struct Hooks<'a> {
    ctx: &'a mut Context,
    action: Option<expand::Template>,
}

impl HandshakeHooks for Hooks<'_> {
    fn log(&mut self, line: &str) {
        log::write(self.ctx, None, Which::MAIN, line.as_bytes());
    }
    fn wants_certificates(&self) -> bool {
        self.action.is_some()
    }
    fn certificate(&mut self, depth: u32, cert: &tls::Cert) -> Option<String> {
        let pem = cert.pem().ok().map(BString::from);
        let saved = std::mem::replace(&mut self.ctx.session.tls_out.peer_cert, pem);
        let said = crate::deliver::raise_event(self.ctx, self.action.as_ref(), "tls:cert", depth.to_string().as_bytes(), 0);
        self.ctx.session.tls_out.peer_cert = saved;
        said.map(|t| t.display().into_owned())
    }
}

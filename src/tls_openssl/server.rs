//! The server's side: building a context from parameters, and the handshake.

use std::fs;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bstr::BString;
use openssl::error::ErrorStack;
use openssl::ssl::{
    NameType, SniError, Ssl, SslAlert, SslContext, SslContextBuilder, SslMethod, SslRef, SslSessionCacheMode, SslStream,
};
use openssl::x509::X509;

use super::alpn;
use super::connection::{self, Connection, VerifyPlan};
use super::dh;
use super::error::TlsError;
use super::facts::{TlsFacts, resume};
use super::fdio::FdIo;
use super::ffi;
use super::hooks::SniAnswer;
use super::load::{self, Stamp};
use super::ocsp::{self, Staple};
use super::params::{AcceptOptions, CertSource, ServerParams, VerifyMode};
use super::selfsigned;
use super::stream::{TlsStream, handshake_error};
use super::tickets::TicketKeys;
use super::verify;

const STEP: &str = "SSL_accept";

/// A context ready to accept connections; shared by the threads of a worker.
pub struct ServerContext {
    ctx: SslContext,
    params: ServerParams,
    stamps: Vec<Stamp>,
    expires: Option<Instant>,
    tickets: Option<Arc<TicketKeys>>,
    notices: Mutex<Vec<Notice>>,
}

/// What is to be said about a context that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// In debug output.
    Debug(String),
    /// In the main log.
    Main(String),
    /// In main and panic log.
    Panic(String),
}

/// A failed handshake, with what was learned on the way.
#[derive(Debug)]
pub struct ServerFailure {
    pub error: TlsError,
    pub facts: Box<TlsFacts>,
}

impl ServerContext {
    /// Load everything. `tickets` is needed for resumption; without it no tickets are given.
    pub fn build(params: &ServerParams, tickets: Option<Arc<TicketKeys>>) -> Result<ServerContext, TlsError> {
        let mut ctx = SslContextBuilder::new(SslMethod::tls_server()).map_err(|e| TlsError::library("SSL_CTX_new", &e))?;
        let tickets = tickets.filter(|_| params.resumption);
        load::options(&mut ctx, params.options.with_tickets(tickets.is_some()));
        let mut stamps: Vec<Stamp> = Vec::new();
        let mut expires = None;

        // Ciphers first: a lower security level in the list must hold for what is loaded after.
        if let Some(list) = params.ciphers.as_deref().filter(|c| !c.is_empty()) {
            load::ciphers(&mut ctx, list)?;
        }
        if params.certificates.is_empty() {
            let (cert, key) = selfsigned::make(&params.self_signed_name, params.self_signed_life)
                .map_err(|e| TlsError::library("creating selfsigned certificate", &e))?;
            ctx.set_certificate(&cert)
                .and_then(|()| ctx.set_private_key(&key))
                .map_err(|e| TlsError::library("creating selfsigned certificate", &e))?;
            expires = Some(Instant::now() + params.self_signed_life / 2);
        } else {
            stamps.extend(params.certificates.iter().chain(&params.private_keys).map(|p| Stamp::take(p)));
            load::certificates(&mut ctx, &params.certificates, &params.private_keys)?;
        }
        load::groups(&mut ctx, &params.eccurve)?;
        if let Some(p) = params.dhparam.as_deref().filter(|p| p.starts_with('/')) {
            stamps.push(Stamp::take(p.as_ref()));
        }
        let mut notices: Vec<Notice> = params.dhparam.as_deref().and_then(dh::deprecated).into_iter().collect();
        if let Some(group) = dh::load(params.dhparam.as_deref(), params.dh_max_bits)? {
            // A group too small for the security level only means no DHE suites.
            let _ = ctx.set_tmp_dh(&group);
        }
        let mut anchors = Vec::new();
        if params.verify != VerifyMode::None || !params.ocsp_files.is_empty() {
            anchors = load::trust(&mut ctx, &params.verify_certificates, &mut stamps)?;
        }
        if params.verify != VerifyMode::None {
            if let CertSource::Path(_) = params.verify_certificates {
                for ca in &anchors {
                    ctx.add_client_ca(ca).map_err(|e| TlsError::library("SSL_CTX_add_client_CA", &e))?;
                }
            }
            if let Some(crl) = params.crl.as_deref().filter(|c| !c.as_os_str().is_empty()) {
                load::crl(&mut ctx, crl, &mut stamps)?;
            }
        }
        if !params.ocsp_files.is_empty() {
            let staples = staples(params, &anchors, &mut stamps, &mut notices);
            ocsp::install_server(&mut ctx, staples).map_err(|e| TlsError::library("SSL_CTX_set_tlsext_status_cb", &e))?;
        } else {
            ocsp::install_server(&mut ctx, Vec::new()).map_err(|e| TlsError::library("SSL_CTX_set_tlsext_status_cb", &e))?;
        }
        alpn::install(&mut ctx, params.alpn.clone());
        ctx.set_servername_callback(servername);
        sessions(&mut ctx, params, tickets.is_some())?;
        Ok(ServerContext { ctx: ctx.build(), params: params.clone(), stamps, expires, tickets, notices: Mutex::new(notices) })
    }

    /// What there is to say, once.
    pub fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Some file was replaced since (or the self-signed certificate is about to expire).
    pub fn is_stale(&self) -> bool {
        self.expires.is_some_and(|e| e <= Instant::now()) || self.stamps.iter().any(Stamp::changed)
    }
}

/// Resumption: stateless tickets only; sessions of one parameter set are useless with another.
fn sessions(ctx: &mut SslContextBuilder, params: &ServerParams, tickets: bool) -> Result<(), TlsError> {
    let id = openssl::sha::sha256(format!("{params:?}").as_bytes());
    ctx.set_session_id_context(&id).map_err(|e| TlsError::library("SSL_CTX_set_session_id_context", &e))?;
    if tickets {
        ctx.set_session_cache_mode(SslSessionCacheMode::SERVER | SslSessionCacheMode::NO_INTERNAL);
        ffi::ctx_set_timeout(ctx, params.session_lifetime.as_secs());
        ffi::ctx_set_ticket_keys(ctx).map_err(|e| TlsError::library("SSL_CTX_set_tlsext_ticket_key_cb", &e))?;
        // A client keeps one session; making a second ticket for it would be work for nothing.
        ctx.set_num_tickets(1).map_err(|e| TlsError::library("SSL_CTX_set_num_tickets", &e))?;
    } else {
        ctx.set_session_cache_mode(SslSessionCacheMode::OFF);
        ctx.set_num_tickets(0).map_err(|e| TlsError::library("SSL_CTX_set_num_tickets", &e))?;
    }
    Ok(())
}

fn staples(params: &ServerParams, anchors: &[X509], stamps: &mut Vec<Stamp>, notices: &mut Vec<Notice>) -> Vec<Staple> {
    let mut out = Vec::new();
    for (cert_file, file) in params.certificates.iter().zip(&params.ocsp_files) {
        stamps.push(Stamp::take(&file.path));
        let chain = fs::read(cert_file).ok().and_then(|pem| X509::stack_from_pem(&pem).ok()).unwrap_or_default();
        let Some(leaf) = chain.first() else { continue };
        let signers: Vec<X509> = chain.iter().chain(anchors).cloned().collect();
        match Staple::load(file, leaf, &signers, params.ocsp_no_validity_check) {
            Ok(s) => out.push(s),
            Err(why) => notices.push(Notice::Debug(why)),
        }
    }
    out
}

/// The client sent a name: ask the caller, and change over to the context it gives.
fn servername(ssl: &mut SslRef, alert: &mut SslAlert) -> Result<(), SniError> {
    let Some(name) = ssl.servername_raw(NameType::HOST_NAME).map(<[u8]>::to_vec) else {
        return Ok(());
    };
    let Some(conn) = connection::of(ssl) else {
        *alert = SslAlert::INTERNAL_ERROR;
        return Err(SniError::ALERT_FATAL);
    };
    conn.learned().sni = Some(BString::from(name.clone()));
    match conn.hooks.with(|h| h.server_name(&name)) {
        Some(SniAnswer::Keep) => Ok(()),
        Some(SniAnswer::Use(new)) => {
            if ssl.set_ssl_context(&new.ctx).is_err() {
                *alert = SslAlert::INTERNAL_ERROR;
                return Err(SniError::ALERT_FATAL);
            }
            // The swap changes certificates and stores, not the verification of this connection.
            let plan = VerifyPlan { mode: new.params.verify, ..VerifyPlan::default() };
            verify::apply(ssl, &conn, plan, true);
            conn.learned().alpn_required = new.params.alpn_required;
            Ok(())
        }
        Some(SniAnswer::Refuse(why)) => {
            conn.refuse(TlsError::SniRefused(why));
            *alert = SslAlert::UNRECOGNIZED_NAME;
            Err(SniError::ALERT_FATAL)
        }
        None => {
            *alert = SslAlert::INTERNAL_ERROR;
            Err(SniError::ALERT_FATAL)
        }
    }
}

/// Do the server's handshake on a connected socket, which the stream then owns.
///
/// The caller must have made sure that no clear text of the client is left in its input buffer.
pub fn accept(fd: OwnedFd, context: &ServerContext, options: AcceptOptions<'_>) -> Result<TlsStream, ServerFailure> {
    // Threads serve one connection after the other: no error of an earlier one may be taken for one of this.
    drop(ErrorStack::get());
    let mut conn = Connection::new(&options.peer_address);
    conn.tickets = context.tickets.clone();
    let conn = Arc::new(conn);
    {
        let mut learned = conn.learned();
        learned.resumption_on = context.tickets.is_some();
        learned.alpn_required = context.params.alpn_required;
    }
    let setup = |step: &str, e: &ErrorStack| ServerFailure { error: TlsError::library(step, e), facts: Box::default() };
    let mut ssl = Ssl::new(&context.ctx).map_err(|e| setup("SSL_new", &e))?;
    if !connection::attach(&mut ssl, Arc::clone(&conn)) {
        return Err(ServerFailure {
            error: TlsError::Message("no TLS extension data index left".to_string()),
            facts: Box::default(),
        });
    }
    verify::apply(&mut ssl, &conn, VerifyPlan { mode: context.params.verify, ..VerifyPlan::default() }, true);
    ssl.set_accept_state();
    let io = FdIo::new(fd).map_err(|e| ServerFailure {
        error: TlsError::Library { step: STEP.to_string(), detail: crate::sys::error_text(&e) },
        facts: Box::default(),
    })?;
    let mut stream = SslStream::new(ssl, io).map_err(|e| setup("SSL_set_bio", &e))?;
    stream.get_mut().set_deadline(options.timeout);

    let mut banner_sent = false;
    let hooks = options.hooks;
    let banner = options.early_banner.filter(|_| context.params.verify == VerifyMode::None);
    let done = conn.hooks.lend(hooks, || {
        if let Some(text) = banner.filter(|t| !t.is_empty()) {
            // Reading (no) early data takes the handshake as far as our Finished.
            let mut none = [0u8; 1];
            stream.read_early_data(&mut none)?;
            if !stream.ssl().is_init_finished() {
                banner_sent = stream.write_early_data(&text)? == text.len();
            }
        }
        stream.accept()
    });
    let error = match done {
        Err(e) => Some(handshake_error(STEP, &conn, &e)),
        Ok(()) if conn.hooks.panicked() => Some(TlsError::Message("internal error".to_string())),
        Ok(()) if conn.learned().alpn_required && stream.ssl().selected_alpn_protocol().is_none() => Some(alpn::not_negotiated()),
        Ok(()) => None,
    };
    finish_server_facts(&conn, stream.ssl());
    let mut facts = TlsFacts::gather(&conn, stream.ssl());
    facts.banner_sent = banner_sent;
    match error {
        None => Ok(TlsStream::new(stream, conn, facts)),
        Some(error) => {
            if matches!(error, TlsError::Alpn(_)) {
                stream.get_mut().set_deadline(Some(Duration::from_secs(2)));
                let _ = stream.shutdown();
            }
            Err(ServerFailure { error, facts: Box::new(facts) })
        }
    }
}

/// Resumption bits, and the state of verification for a resumed session (whose chain was judged
/// when it was made, under the same parameters: the session id context says so).
fn finish_server_facts(conn: &Connection, ssl: &SslRef) {
    let mut learned = conn.learned();
    if !learned.resumption_on {
        return;
    }
    if ssl.session_reused() {
        learned.resumption |= resume::USED;
        if learned.plan.mode != VerifyMode::None {
            learned.verified = ssl.peer_certificate().is_some() && ssl.verify_result() == openssl::x509::X509VerifyResult::OK;
        }
    } else if ssl.session().is_some_and(ffi::session_resumable) {
        learned.resumption |= resume::SERVER_TICKET;
    }
}

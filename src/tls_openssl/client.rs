//! The client's side: building a context, and the handshake with name check, DANE, stapling,
//! resumption and ALPN.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use bstr::BString;
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslRef, SslSessionCacheMode, SslStream, StatusType};
use openssl::x509::X509VerifyResult;

use super::alpn;
use super::connection::{self, Connection, VerifyPlan};
use super::error::TlsError;
use super::facts::{OcspState, TlsFacts, resume};
use super::fdio::FdIo;
use super::ffi;
use super::load::{self, Stamp};
use super::ocsp_client;
use super::params::{ClientParams, ClientSetup, DaneParams, OcspWish, VerifyMode};
use super::stream::{TlsStream, handshake_error};
use super::verify;

const STEP: &str = "SSL_connect";

/// A context for outgoing connections; shared by threads.
pub struct ClientContext {
    ctx: SslContext,
    setup: ClientSetup,
    stamps: Vec<Stamp>,
}

/// A failed handshake, with what was learned on the way.
#[derive(Debug)]
pub struct ClientFailure {
    pub error: TlsError,
    pub facts: Box<TlsFacts>,
    /// DANE was in use, so this host must not be tried in another way (`dane:fail`).
    pub dane: bool,
}

impl ClientContext {
    /// Load everything.
    pub fn build(setup: &ClientSetup) -> Result<ClientContext, TlsError> {
        let mut ctx = SslContextBuilder::new(SslMethod::tls_client()).map_err(|e| TlsError::library("SSL_CTX_new", &e))?;
        load::options(&mut ctx, setup.options.with_tickets(setup.resumption));
        let mut stamps: Vec<Stamp> = Vec::new();
        if let Some(list) = setup.ciphers.as_deref().filter(|c| !c.is_empty()) {
            load::ciphers(&mut ctx, list)?;
        }
        if let Some(cert) = &setup.certificate {
            let certs = std::slice::from_ref(cert);
            let keys = setup.private_key.as_slice();
            stamps.extend(certs.iter().chain(keys).map(|p| Stamp::take(p)));
            load::certificates(&mut ctx, certs, keys)?;
        }
        if setup.dane {
            ffi::ctx_dane_enable(&mut ctx).map_err(|e| TlsError::library("context init", &e))?;
        } else {
            load::trust(&mut ctx, &setup.verify_certificates, &mut stamps)?;
            if let Some(crl) = setup.crl.as_deref().filter(|c| !c.as_os_str().is_empty()) {
                load::crl(&mut ctx, crl, &mut stamps)?;
            }
        }
        ocsp_client::install(&mut ctx).map_err(|e| TlsError::library("SSL_CTX_set_tlsext_status_cb", &e))?;
        if setup.resumption {
            ctx.set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
            ctx.set_new_session_callback(|ssl, session| {
                if let Some(conn) = connection::of(ssl) {
                    let mut learned = conn.learned();
                    if ffi::session_has_ticket(&session) {
                        learned.resumption |= resume::SERVER_TICKET;
                    }
                    // Of the tickets of one connection the newest is enough.
                    learned.sessions.clear();
                    learned.sessions.push(session);
                }
            });
        } else {
            ctx.set_session_cache_mode(SslSessionCacheMode::OFF);
        }
        Ok(ClientContext { ctx: ctx.build(), setup: setup.clone(), stamps })
    }

    /// Some file was replaced since.
    pub fn is_stale(&self) -> bool {
        self.stamps.iter().any(Stamp::changed)
    }
}

/// Do the client's handshake on a connected socket, which the stream then owns.
///
/// The caller must have thrown away (or refused) clear text that came after the answer to STARTTLS.
pub fn connect(fd: OwnedFd, context: &ClientContext, params: ClientParams<'_>) -> Result<TlsStream, ClientFailure> {
    let dane = params.dane.is_some();
    let fail = |error: TlsError| ClientFailure { error, facts: Box::default(), dane };
    let lib = |step: &str, e: &openssl::error::ErrorStack| fail(TlsError::library(step, e));

    let mut conn = Connection::new(&params.peer_address);
    conn.ocsp_wish = params.ocsp;
    conn.ocsp_no_validity_check = params.ocsp_no_validity_check;
    let conn = Arc::new(conn);
    let mut ssl = Ssl::new(&context.ctx).map_err(|e| lib("SSL_new", &e))?;
    if !connection::attach(&mut ssl, Arc::clone(&conn)) {
        return Err(fail(TlsError::Message("no TLS extension data index left".to_string())));
    }
    let plan =
        VerifyPlan { mode: if dane { VerifyMode::Require } else { params.verify }, names: params.verify_names.clone(), dane };
    let mut tlsa_usage = 0;
    match &params.dane {
        Some(d) => tlsa_usage = enable_dane(&mut ssl, d).map_err(fail)?,
        None => {
            if let Some(name) = params.sni.as_deref().filter(|s| !s.is_empty()) {
                let name = load::no_nul("SSL_set_tlsext_host_name", name).map_err(fail)?;
                ssl.set_hostname(name).map_err(|e| lib("SSL_set_tlsext_host_name", &e))?;
            }
        }
    }
    verify::apply(&mut ssl, &conn, plan, false);
    if !params.alpn.is_empty() {
        let list = alpn::wire(&params.alpn).ok_or_else(|| fail(TlsError::Alpn("bad name in tls_alpn".to_string())))?;
        ssl.set_alpn_protos(&list).map_err(|e| lib("SSL_set_alpn_protos", &e))?;
    }
    if params.ocsp != OcspWish::No {
        ssl.set_status_type(StatusType::OCSP).map_err(|e| lib("SSL_set_tlsext_status_type", &e))?;
        conn.learned().ocsp = OcspState::NotResponded;
    }
    if context.setup.resumption {
        offer(&mut ssl, &conn, &params);
    }
    ssl.set_connect_state();
    let io = FdIo::new(fd).map_err(|e| fail(TlsError::Library { step: STEP.to_string(), detail: crate::sys::error_text(&e) }))?;
    let mut stream = SslStream::new(ssl, io).map_err(|e| lib("SSL_set_bio", &e))?;
    stream.get_mut().set_deadline(params.timeout);

    let done = conn.hooks.lend(params.hooks, || stream.connect());
    let error = match done {
        Err(e) => Some(handshake_error(STEP, &conn, &e)),
        Ok(()) if conn.hooks.panicked() => Some(TlsError::Message("internal error".to_string())),
        Ok(()) => after(stream.ssl(), &conn, &params).err(),
    };
    let mut facts = TlsFacts::gather(&conn, stream.ssl());
    facts.tlsa_usage = tlsa_usage;
    facts.dane = dane && facts.verified;
    facts.sni = params.dane.as_ref().map(|d| BString::from(d.host.as_str())).or(params.sni.map(BString::from));
    match error {
        None => Ok(TlsStream::new(stream, conn, facts)),
        Some(error) => {
            facts.verified = false;
            facts.dane = false;
            Err(ClientFailure { error, facts: Box::new(facts), dane })
        }
    }
}

/// Checks that can only be made when the handshake stands.
fn after(ssl: &SslRef, conn: &Connection, params: &ClientParams<'_>) -> Result<(), TlsError> {
    let reused = ssl.session_reused();
    if reused {
        let saved = params.session.as_ref();
        let mut learned = conn.learned();
        learned.resumption |= resume::USED;
        learned.verified = saved.is_some_and(|s| s.verified) && ssl.verify_result() == X509VerifyResult::OK;
        if let Some(s) = saved.filter(|_| params.ocsp != OcspWish::No) {
            learned.ocsp = s.ocsp;
        }
        let demanded = params.dane.is_some() || params.verify == VerifyMode::Require;
        if demanded && !learned.verified {
            return Err(TlsError::Library {
                step: STEP.to_string(),
                detail: "certificate of resumed session was not verified".to_string(),
            });
        }
    } else if params.dane.is_some() && (ssl.verify_result() != X509VerifyResult::OK || ffi::dane_authority_depth(ssl).is_none()) {
        return Err(TlsError::Dane("no matching TLSA records".to_string()));
    }
    if params.alpn_required && ssl.selected_alpn_protocol().is_none() {
        return Err(alpn::not_negotiated());
    }
    if let Ok(key) = ssl.peer_tmp_key()
        && let Ok(dh) = key.dh()
        && u32::try_from(dh.prime_p().num_bits()).is_ok_and(|b| b < params.dh_min_bits)
    {
        return Err(TlsError::Library { step: STEP.to_string(), detail: "dh key too small".to_string() });
    }
    // A full handshake never ends without the callback when a proof is required; belt and braces.
    if params.ocsp == OcspWish::Require && conn.learned().ocsp != OcspState::Verified {
        return Err(TlsError::Status { reason: "Required TLS certificate status not received".to_string() });
    }
    Ok(())
}

/// Load the TLSA records. Returns the bits of the usages found.
pub(super) fn enable_dane(ssl: &mut SslRef, dane: &DaneParams) -> Result<u8, TlsError> {
    load::no_nul("hostname load", &dane.host)?;
    ffi::dane_enable(ssl, &dane.host).map_err(|e| TlsError::library("hostname load", &e))?;
    for name in &dane.extra_names {
        ffi::add_host(ssl, name).map_err(|e| TlsError::library("hostname load", &e))?;
    }
    let mut usages = 0u8;
    for r in &dane.records {
        // RFC 7672 section 3.1.3: PKIX-TA and PKIX-EE are not used for SMTP.
        if !matches!(r.usage, 2 | 3) {
            continue;
        }
        let usable =
            ffi::dane_tlsa_add(ssl, r.usage, r.selector, r.matching, &r.data).map_err(|e| TlsError::library("tlsa load", &e))?;
        if usable {
            usages |= 1 << r.usage;
        }
    }
    if usages == 0 {
        return Err(TlsError::Dane("no usable TLSA records".to_string()));
    }
    Ok(usages)
}

/// Offer a kept session, if it is as good as what this connection needs.
fn offer(ssl: &mut SslRef, conn: &Connection, params: &ClientParams<'_>) {
    conn.learned().resumption |= resume::CLIENT_REQUEST;
    let Some(saved) = &params.session else { return };
    if saved.remaining().is_zero()
        || (params.ocsp == OcspWish::Require && saved.ocsp != OcspState::Verified)
        || (params.verify == VerifyMode::Require && !saved.verified)
        || (params.dane.is_some() != saved.dane)
    {
        return;
    }
    if let Some(session) = saved.session()
        && ffi::set_session(ssl, &session).is_ok()
    {
        conn.learned().resumption |= resume::CLIENT_OFFER;
    }
}

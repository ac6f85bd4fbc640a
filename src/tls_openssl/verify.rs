//! Judging the peer's certificate chain, element by element, in the library's verify callback: the
//! log lines, the `tls:cert` event, the name check of a client, and overriding for "try" hosts.

use std::sync::Arc;

use bstr::BString;
use openssl::ssl::{SslRef, SslVerifyMode};
use openssl::x509::X509StoreContextRef;

use super::certificate::Cert;
use super::connection::{Connection, VerifyPlan};
use super::ffi;
use super::params::VerifyMode;

/// Apply the plan to a connection (again after a context was swapped for SNI).
pub(super) fn apply(ssl: &mut SslRef, conn: &Arc<Connection>, plan: VerifyPlan, server: bool) {
    let mode = match (plan.mode, server) {
        (VerifyMode::None, _) => SslVerifyMode::NONE,
        (VerifyMode::Require, true) => SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
        _ => SslVerifyMode::PEER,
    };
    let off = plan.mode == VerifyMode::None;
    conn.learned().plan = plan;
    if off {
        ssl.set_verify(mode);
        return;
    }
    let conn = Arc::clone(conn);
    ssl.set_verify_callback(mode, move |ok, store| element(&conn, ok, store));
}

/// One element of the chain. Returns whether to go on.
fn element(conn: &Connection, ok: bool, store: &mut X509StoreContextRef) -> bool {
    let plan = conn.learned().plan.clone();
    let optional = plan.mode != VerifyMode::Require;
    // What ends the handshake is what variables tell of; else they tell of the peer's own certificate.
    let blamed = |cert: Cert| Some(cert).filter(|_| !optional);
    let depth = store.error_depth();
    let Some(cert) = store.current_cert().map(|c| Cert::from(ffi::own_cert(c))) else {
        // Failures without a certificate (e.g. no TLSA match at all).
        if !ok {
            note_failure(conn, store.error().error_string(), None);
            if !plan.dane {
                conn.log(&format!("[{}] SSL verify error: depth={depth} error={}", conn.address, store.error().error_string()));
            }
        }
        return ok || optional;
    };
    let dn = BString::from(cert.subject_oneline());
    if !ok {
        let why = store.error().error_string();
        // A failure of DANE is reported as a whole, by the caller.
        if !plan.dane {
            conn.log(&format!("[{}] SSL verify error: depth={depth} error={why} cert={dn}", conn.address));
        }
        note_failure(conn, why, blamed(cert));
        return optional;
    }
    if depth == 0 && !plan.dane && !plan.names.is_empty() && !plan.names.iter().any(|n| ffi::check_host(cert.x509(), n)) {
        conn.log(&format!(
            "[{}] SSL verify error: certificate name mismatch: DN=\"{dn}\" H=\"{}\"",
            conn.address,
            plan.names.first().map_or("", String::as_str),
        ));
        store.set_error(ffi::hostname_mismatch());
        note_failure(conn, "certificate name mismatch", blamed(cert));
        return optional;
    }
    if let Some(why) = event(conn, depth, &cert) {
        conn.log(&format!("[{}] SSL verify denied by event-action: depth={depth} cert={dn}: {why}", conn.address));
        store.set_error(ffi::application_verification());
        note_failure(conn, "denied by event-action", blamed(cert));
        return optional;
    }
    if depth == 0 {
        let mut learned = conn.learned();
        learned.verified = learned.verify_failed.is_none();
    }
    true
}

fn event(conn: &Connection, depth: u32, cert: &Cert) -> Option<String> {
    conn.hooks.with(|h| if h.wants_certificates() { h.certificate(depth, cert) } else { None }).flatten()
}

fn note_failure(conn: &Connection, why: &str, cert: Option<Cert>) {
    let mut learned = conn.learned();
    learned.verified = false;
    learned.verify_failed.get_or_insert_with(|| why.to_string());
    if learned.failing_cert.is_none() {
        learned.failing_cert = cert;
    }
}

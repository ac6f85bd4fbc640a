//! What one connection's callbacks know and learn. Kept in the SSL object's ex-data, because the
//! contexts are shared by many connections. Used by every other file of this room, by nobody else.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bstr::BString;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslRef, SslSession};

use super::certificate::Cert;
use super::error::TlsError;
use super::facts::{OcspState, resume};
use super::ffi::HookSlot;
use super::params::{OcspWish, VerifyMode};
use super::tickets::{TicketKey, TicketKeys, TicketUse};

/// How the peer's certificate is to be judged; a server may change it at SNI.
#[derive(Clone, Debug, Default)]
pub(super) struct VerifyPlan {
    pub mode: VerifyMode,
    /// Client: names of which the certificate must carry one; empty: any.
    pub names: Vec<String>,
    pub dane: bool,
}

/// State shared by a [`super::TlsStream`] and its SSL object.
pub(super) struct Connection {
    /// Peer's address for log lines.
    pub address: String,
    pub hooks: HookSlot,
    pub tickets: Option<Arc<TicketKeys>>,
    pub ocsp_wish: OcspWish,
    pub ocsp_no_validity_check: bool,
    learned: Mutex<Learned>,
}

/// What callbacks have learned.
#[derive(Default)]
pub(super) struct Learned {
    pub plan: VerifyPlan,
    pub verified: bool,
    pub verify_failed: Option<String>,
    /// A chain element that did not verify (else the leaf, taken later).
    pub failing_cert: Option<Cert>,
    pub sni: Option<BString>,
    pub ocsp: OcspState,
    pub resumption: u8,
    pub resumption_on: bool,
    pub alpn_required: bool,
    /// The true reason, where the library's text would hide it.
    pub refusal: Option<TlsError>,
    pub sessions: Vec<SslSession>,
}

impl Connection {
    pub fn new(address: &str) -> Connection {
        Connection {
            address: address.to_string(),
            hooks: HookSlot::default(),
            tickets: None,
            ocsp_wish: OcspWish::No,
            ocsp_no_validity_check: false,
            learned: Mutex::new(Learned { resumption: resume::SUPPORTED, ..Learned::default() }),
        }
    }

    pub fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Give a line to the caller's log.
    pub fn log(&self, line: &str) {
        self.hooks.with(|h| h.log(line));
    }

    /// Keep the first refusal.
    pub fn refuse(&self, why: TlsError) {
        self.learned().refusal.get_or_insert(why);
    }
}

static INDEX: OnceLock<Option<Index<Ssl, Arc<Connection>>>> = OnceLock::new();

fn index() -> Option<Index<Ssl, Arc<Connection>>> {
    *INDEX.get_or_init(|| Ssl::new_ex_index().ok())
}

/// Tie the state to the SSL object. False when the library has no index left.
pub(super) fn attach(ssl: &mut SslRef, conn: Arc<Connection>) -> bool {
    match index() {
        Some(i) => {
            ssl.set_ex_data(i, conn);
            true
        }
        None => false,
    }
}

/// The state of an SSL object.
pub(super) fn of(ssl: &SslRef) -> Option<Arc<Connection>> {
    ssl.ex_data(index()?).cloned()
}

/// The key for a ticket that the server is about to issue.
pub(super) fn ticket_key_for_new(ssl: &SslRef) -> Option<TicketKey> {
    let conn = of(ssl)?;
    let key = conn.tickets.as_ref()?.current();
    conn.learned().resumption |= resume::CLIENT_REQUEST | resume::SERVER_TICKET;
    Some(key)
}

/// The key of a ticket that a client offers.
pub(super) fn ticket_key_by_name(ssl: &SslRef, name: &[u8; 16]) -> Option<(TicketKey, TicketUse)> {
    let conn = of(ssl)?;
    conn.learned().resumption |= resume::CLIENT_REQUEST | resume::CLIENT_OFFER;
    conn.tickets.as_ref()?.find(name)
}

//! Contexts kept for re-use, one per distinct set of parameters. One cache per worker process, shared
//! by its threads. A context whose files were replaced is built anew on next use.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::client::ClientContext;
use super::error::TlsError;
use super::params::{ClientSetup, ServerParams};
use super::server::ServerContext;
use super::tickets::TicketKeys;

/// Names chosen by clients can lead to ever new parameters, so the number kept is limited.
const MAX_KEPT: usize = 64;

/// See the module.
#[derive(Default)]
pub struct ContextCache {
    servers: Mutex<HashMap<ServerParams, Arc<ServerContext>>>,
    clients: Mutex<HashMap<ClientSetup, Arc<ClientContext>>>,
    tickets: Option<Arc<TicketKeys>>,
}

impl ContextCache {
    /// With keys for session tickets (None: a server gives no tickets).
    pub fn new(tickets: Option<Arc<TicketKeys>>) -> ContextCache {
        ContextCache { tickets, ..ContextCache::default() }
    }

    /// Forgets ticket keys whose time is over, and says after what time to do it again; None: there are none.
    pub fn turn_keys(&self) -> Option<Duration> {
        self.tickets.as_ref().map(|t| t.turn())
    }

    /// The context for a server.
    pub fn server(&self, params: &ServerParams) -> Result<Arc<ServerContext>, TlsError> {
        get(&self.servers, params, ServerContext::is_stale, || ServerContext::build(params, self.tickets.clone()))
    }

    /// The context for a client.
    pub fn client(&self, setup: &ClientSetup) -> Result<Arc<ClientContext>, TlsError> {
        get(&self.clients, setup, ClientContext::is_stale, || ClientContext::build(setup))
    }
}

/// Building happens outside of the lock: it reads files and may make an RSA key. Two threads may then
/// build the same context; the later one stays.
fn get<K: Hash + Eq + Clone, V>(
    map: &Mutex<HashMap<K, Arc<V>>>,
    key: &K,
    stale: impl Fn(&V) -> bool,
    build: impl FnOnce() -> Result<V, TlsError>,
) -> Result<Arc<V>, TlsError> {
    let found = map.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
    if let Some(ctx) = found.filter(|c| !stale(c)) {
        return Ok(ctx);
    }
    let new = Arc::new(build()?);
    let mut kept = map.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= MAX_KEPT && !kept.contains_key(key) {
        kept.clear();
    }
    match kept.entry(key.clone()) {
        Entry::Occupied(mut o) => {
            o.insert(Arc::clone(&new));
        }
        Entry::Vacant(v) => {
            v.insert(Arc::clone(&new));
        }
    }
    Ok(new)
}

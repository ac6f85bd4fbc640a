//! The questions of the validator, asked in our own blocking way; keys and delegations are kept for the process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{self, Once};
use hickory_net::NetError;
use hickory_net::xfer::DnsHandle;
use hickory_proto::op::{DnsRequest, DnsResponse};
use hickory_proto::rr::{Name, RecordType as WireType};

use super::super::types::RecordType;
use super::super::wire::{Asking, Failure, ask};
use super::message;
use super::runtime::NoRuntime;
use super::{MOST_QUESTIONS, MOST_TIME};

/// Replies about zones (DNSKEY, DS, NS) by name and type. They are judged anew each time, so a bad one does no harm
/// beyond its life.
#[derive(Default)]
pub(super) struct Kept(Mutex<HashMap<(Name, WireType), (Instant, DnsResponse)>>);

const MOST_KEPT: usize = 2_000;
const LONGEST: Duration = Duration::from_secs(3600);
/// For a reply that has no records, or one that may be somebody's attack: not for long.
const SHORTEST: Duration = Duration::from_secs(5);

impl Kept {
    fn get(&self, key: &(Name, WireType)) -> Option<DnsResponse> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(key).filter(|(until, _)| Instant::now() < *until).map(|(_, r)| r.clone())
    }

    /// Something in here may be an attack.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn put(&self, key: (Name, WireType), reply: &DnsResponse) {
        let ttl = reply.answers.iter().map(|r| r.ttl).min().map_or(SHORTEST, |t| Duration::from_secs(t.into()));
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= MOST_KEPT {
            map.clear();
        }
        map.insert(key, (Instant::now() + ttl.min(LONGEST), reply.clone()));
    }
}

/// Asks for one lookup of ours, within its bounds.
#[derive(Clone)]
pub(super) struct Upstream {
    shared: Arc<Shared>,
    /// The reply to be judged, which is here already.
    seed: Arc<Mutex<Option<DnsResponse>>>,
}

struct Shared {
    servers: Vec<SocketAddr>,
    how: Asking<'static>,
    kept: Arc<Kept>,
    asked: AtomicU32,
    end: Instant,
}

impl Upstream {
    pub(super) fn new(how: &Asking<'_>, kept: Arc<Kept>) -> Upstream {
        let shared = Shared {
            servers: how.servers.to_vec(),
            how: Asking { servers: &[], ..how.clone() },
            kept,
            asked: AtomicU32::new(0),
            end: Instant::now() + MOST_TIME,
        };
        Upstream { shared: Arc::new(shared), seed: Arc::default() }
    }

    /// The same, with the reply to the first question.
    pub(super) fn seeded(&self, reply: DnsResponse) -> Upstream {
        Upstream { shared: Arc::clone(&self.shared), seed: Arc::new(Mutex::new(Some(reply))) }
    }

    fn answer(&self, request: &DnsRequest) -> Result<DnsResponse, NetError> {
        if let Some(reply) = self.seed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(reply);
        }
        let query = request.queries.first().ok_or("no question")?;
        let s = &self.shared;
        let key = (query.name().to_lowercase(), query.query_type());
        if let Some(reply) = s.kept.get(&key) {
            return Ok(reply);
        }
        if s.asked.fetch_add(1, Ordering::Relaxed) >= MOST_QUESTIONS || Instant::now() >= s.end {
            return Err(NetError::Timeout);
        }
        let rtype = RecordType::from_code(u16::from(key.1));
        let how = Asking { servers: &s.servers, ..s.how.clone() };
        let reply = ask(&key.0, rtype, &how).map_err(|e| match e {
            Failure::Again => NetError::Timeout,
            Failure::Fail => NetError::Message("refused"),
        })?;
        let reply = message::relevant(&reply.wire, &key.0, rtype).ok_or("bad reply")?;
        s.kept.put(key, &reply);
        Ok(reply)
    }
}

impl DnsHandle for Upstream {
    type Response = Once<std::future::Ready<Result<DnsResponse, NetError>>>;
    type Runtime = NoRuntime;

    fn send(&self, request: DnsRequest) -> Self::Response {
        stream::once(std::future::ready(self.answer(&request)))
    }
}

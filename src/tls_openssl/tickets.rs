//! Keys for session tickets. Made once before the workers are forked; every process then turns its
//! own copy of the ratchet forward by the clock and so has the same keys without talking to others.
//! Old keys cannot be computed from the present state. Never written to disk.
//!
//! A key is the current one for a short time only, so that its age is that of the tickets made with it: in the second
//! half of their life tickets are renewed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// What a found key means for the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TicketUse {
    Current,
    /// Resume, and give a new ticket.
    Renew,
}

/// One key set: name shown in the ticket, AES-256 key, HMAC-SHA256 key.
#[derive(Clone, Default)]
pub(super) struct TicketKey {
    pub name: [u8; 16],
    pub cipher: [u8; 32],
    pub mac: [u8; 32],
}

impl Drop for TicketKey {
    fn drop(&mut self) {
        self.cipher.fill(0);
        self.mac.fill(0);
        std::hint::black_box(&self.cipher);
        std::hint::black_box(&self.mac);
    }
}

/// The ratchet, to be shared (`Arc`) by all contexts of a process.
pub struct TicketKeys {
    ring: Mutex<Ring>,
    /// Time for which a key is the current one.
    period: Duration,
    /// Start of epoch 0; the monotonic clock is the same one for all processes.
    base: Instant,
}

/// Keys that follow each other in a ticket's life.
const STEPS: usize = 10;

struct Ring {
    epoch: u64,
    state: [u8; 32],
    current: TicketKey,
    /// The youngest first; at most [`STEPS`].
    previous: VecDeque<TicketKey>,
}

impl TicketKeys {
    /// A new random ratchet for tickets that live for `lifetime`.
    pub fn new(lifetime: Duration) -> Result<TicketKeys, super::TlsError> {
        let fail = |e: ErrorStack| super::TlsError::library("RAND_bytes", &e);
        let mut state = [0u8; 32];
        openssl::rand::rand_priv_bytes(&mut state).map_err(fail)?;
        let period = (lifetime / STEPS as u32).max(Duration::from_secs(1));
        let current = derive_key(&state).map_err(fail)?;
        let ring = Ring { epoch: 0, state, current, previous: VecDeque::new() };
        Ok(TicketKeys { ring: Mutex::new(ring), period, base: Instant::now() })
    }

    /// The key for new tickets.
    pub(super) fn current(&self) -> TicketKey {
        self.turned().current.clone()
    }

    /// The key of this name, if still kept.
    pub(super) fn find(&self, name: &[u8; 16]) -> Option<(TicketKey, TicketUse)> {
        let ring = self.turned();
        if ring.current.name == *name {
            return Some((ring.current.clone(), TicketUse::Current));
        }
        let (steps, old) = (1..).zip(&ring.previous).find(|(_, k)| k.name == *name)?;
        Some((old.clone(), if steps < STEPS / 2 { TicketUse::Current } else { TicketUse::Renew }))
    }

    /// Turn the ratchet to the present. Call in the parent now and then (after the time that this gives), so that it
    /// does not keep states whose keys should be gone.
    pub fn turn(&self) -> Duration {
        drop(self.turned());
        self.period
    }

    fn turned(&self) -> MutexGuard<'_, Ring> {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.base.elapsed().as_secs() / self.period.as_secs().max(1);
        while ring.epoch < epoch {
            let Ok(next) = hmac(&ring.state, b"next") else { break };
            let Ok(key) = derive_key(&next) else { break };
            ring.state = next;
            let old = std::mem::replace(&mut ring.current, key);
            ring.previous.push_front(old);
            ring.previous.truncate(STEPS - 1);
            ring.epoch += 1;
        }
        ring
    }
}

fn derive_key(state: &[u8; 32]) -> Result<TicketKey, ErrorStack> {
    let mut key = TicketKey { cipher: hmac(state, b"cipher")?, mac: hmac(state, b"mac")?, ..Default::default() };
    let name = hmac(state, b"name")?;
    for (to, from) in key.name.iter_mut().zip(name) {
        *to = from;
    }
    Ok(key)
}

fn hmac(key: &[u8; 32], label: &[u8]) -> Result<[u8; 32], ErrorStack> {
    let pkey = PKey::hmac(key)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &pkey)?;
    signer.update(label)?;
    let mut out = [0u8; 32];
    signer.sign(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_key_renews_then_goes() {
        let mut keys = TicketKeys::new(Duration::from_secs(20)).unwrap();
        let first = keys.current();
        assert_eq!(keys.find(&first.name).unwrap().1, TicketUse::Current);
        keys.base -= Duration::from_secs(8);
        assert_eq!(keys.find(&first.name).unwrap().1, TicketUse::Current);
        assert_ne!(keys.current().name, first.name);
        keys.base -= Duration::from_secs(2);
        assert_eq!(keys.find(&first.name).unwrap().1, TicketUse::Renew);
        keys.base -= Duration::from_secs(10);
        assert!(keys.find(&first.name).is_none());
    }
}

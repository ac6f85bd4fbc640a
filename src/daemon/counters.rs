//! Counters that the daemon and its workers share: connections, in all and for each host; queue runners.
//!
//! A block of atomics, inherited over the fork. A worker that dies leaves its slots; the daemon clears them.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use crate::context::Context;
use crate::sys::shm::SharedWords;

/// Words before the slots: queue runners.
const FIRST: usize = 2;
/// Words of a slot: owner's pid (0: free), and the address.
const SLOT: usize = 3;
/// Slots when `smtp_accept_max` sets no limit.
const UNLIMITED: usize = 20_000;

/// The block.
#[derive(Clone, Debug)]
pub struct Counters {
    words: Arc<SharedWords>,
    slots: usize,
}

/// A connection's place in the block; given back when dropped.
#[derive(Debug)]
pub struct Place {
    counters: Counters,
    slot: usize,
    /// Connections in all when it was taken, this one included.
    pub total: usize,
    /// Of this host, this one included.
    pub of_host: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.counters.words[FIRST + self.slot * SLOT].store(0, SeqCst);
    }
}

/// An address in two words; IPv4 as the mapped form.
fn halves(ip: IpAddr) -> (u64, u64) {
    let n = match ip {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    };
    ((n >> 64) as u64, n as u64)
}

impl Counters {
    /// Room for as many connections as may be open.
    pub fn new(ctx: &Context) -> io::Result<Self> {
        let max = usize::try_from(ctx.config.main.smtp_accept_max.0).unwrap_or(0);
        // A few more: a connection that is refused has a place while it is told so.
        let slots = if max == 0 { UNLIMITED } else { (max + 64).min(UNLIMITED) };
        Ok(Counters { words: Arc::new(SharedWords::new(FIRST + slots * SLOT)?), slots })
    }

    /// Takes a place for a connection; `None`: there is none.
    pub fn enter(&self, ip: IpAddr) -> Option<Place> {
        let me = u64::from(std::process::id());
        self.words[1].store(crate::sys::time::unix_time() as u64, SeqCst);
        let (high, low) = halves(ip);
        let slot = (0..self.slots).find(|s| {
            let base = FIRST + s * SLOT;
            self.words[base].compare_exchange(0, me, SeqCst, SeqCst).is_ok()
        })?;
        let base = FIRST + slot * SLOT;
        self.words[base + 1].store(high, SeqCst);
        self.words[base + 2].store(low, SeqCst);
        let (mut total, mut of_host) = (0, 0);
        for s in 0..self.slots {
            let base = FIRST + s * SLOT;
            if self.words[base].load(SeqCst) != 0 {
                total += 1;
                if self.words[base + 1].load(SeqCst) == high && self.words[base + 2].load(SeqCst) == low {
                    of_host += 1;
                }
            }
        }
        Some(Place { counters: self.clone(), slot, total, of_host })
    }

    /// When a connection came last, seconds since 1970; 0: none has.
    pub fn last_entry(&self) -> i64 {
        self.words[1].load(SeqCst) as i64
    }

    /// Connections at this moment.
    pub fn connections(&self) -> usize {
        (0..self.slots).filter(|s| self.words[FIRST + s * SLOT].load(SeqCst) != 0).count()
    }

    /// The daemon says how many queue runners there are.
    pub fn runners(&self, n: usize) {
        self.words[0].store(n as u64, SeqCst);
    }

    /// Clears the places of a worker that is no more.
    pub fn worker_gone(&self, pid: i32) {
        for s in 0..self.slots {
            let _ = self.words[FIRST + s * SLOT].compare_exchange(pid as u64, 0, SeqCst, SeqCst);
        }
    }
}

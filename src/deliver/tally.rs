//! What the processes of a two-phase queue run must know of each other: how many messages have been routed to each host, and
//! which hosts are being tried for the first time.
//!
//! Until the first attempt is over, and the hints say what became of it, nobody else connects to the host: one that does not work
//! is tried once, not by all of them at the same time.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bstr::BString;

use crate::sys::{fd, poll};

/// The names of a transport and a host.
type Target = (BString, BString);

/// Counted over a queue run.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    messages: HashMap<Target, u32>,
    /// Those that have got enough, until a process is started for them.
    full: HashSet<Target>,
    /// Hosts that a process has begun with: the descriptor is at its end when the first message is over.
    trying: HashMap<Target, Arc<OwnedFd>>,
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a message for a host; with `limit` of them, it has got enough.
    pub(super) fn count(&self, transport: &BString, host: BString) {
        let mut counts = self.lock();
        let target = (transport.clone(), host);
        let n = counts.messages.entry(target.clone()).or_default();
        *n += 1;
        if *n >= LIMIT {
            *n = 0;
            counts.full.insert(target);
        }
    }

    /// Has a host got enough that nobody is trying for the first time? Then a process may be started for the message that was
    /// counted last: it holds what comes back until that message is over.
    pub fn begin(&self) -> Option<OwnedFd> {
        let mut counts = self.lock();
        let full = std::mem::take(&mut counts.full);
        counts.trying.retain(|_, end| !is_over(end));
        if full.is_empty() || full.iter().any(|t| counts.trying.contains_key(t)) {
            return None;
        }
        let (read, write) = fd::pipe().ok()?;
        let read = Arc::new(read);
        counts.trying.extend(full.into_iter().map(|t| (t, read.clone())));
        Some(write)
    }

    /// Waits while another process tries the host for the first time.
    pub(super) fn wait(&self, transport: &BString, host: BString) {
        // Who waits does not keep the others from counting.
        let end = self.lock().trying.remove(&(transport.clone(), host));
        if let Some(end) = end {
            let _ = poll::wait_readable(end.as_fd(), None);
        }
    }
}

fn is_over(end: &OwnedFd) -> bool {
    poll::readable_now(end.as_fd()).unwrap_or(true)
}

/// Messages routed to a host before its delivery begins.
const LIMIT: u32 = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn count(tally: &Tally, host: &str, n: u32) {
        (0..n).for_each(|_| tally.count(&"smtp".into(), host.into()));
    }

    #[test]
    fn one_begins_with_a_host() {
        let tally = Tally::default();
        count(&tally, "a", LIMIT - 1);
        assert!(tally.begin().is_none(), "not enough yet");
        count(&tally, "a", 1);
        let first = tally.begin();
        assert!(first.is_some());
        assert!(tally.begin().is_none(), "it counts anew");
        count(&tally, "a", LIMIT);
        assert!(tally.begin().is_none(), "somebody is trying it");
        count(&tally, "b", LIMIT);
        assert!(tally.begin().is_some(), "but not this one");
        drop(first);
        count(&tally, "a", LIMIT);
        assert!(tally.begin().is_some(), "the first message is over");
    }

    #[test]
    fn who_comes_later_waits() {
        let tally = Tally::default();
        tally.wait(&"smtp".into(), "a".into());
        count(&tally, "a", LIMIT);
        let first = tally.begin();
        assert!(first.is_some());
        let waiting = {
            let tally = tally.clone();
            std::thread::spawn(move || tally.wait(&"smtp".into(), "a".into()))
        };
        tally.wait(&"smtp".into(), "b".into());
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(first);
        assert!(waiting.join().is_ok());
    }
}

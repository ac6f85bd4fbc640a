//! Answers remembered by the process, positive and negative, for as long as their TTLs say.

use super::types::{Answer, Outcome};
use bstr::BString;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a question is known by: name in lower case, type, search and DNSSEC flags.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub name: BString,
    pub rtype: u16,
    pub flags: u8,
}

const MOST: usize = 10_000;
const LONGEST: Duration = Duration::from_secs(3600);
/// For a negative answer without an SOA record, and for temporary failures: long enough for one
/// connection or delivery, not so long that a worker process holds on to a passing trouble.
const WITHOUT_SOA: Duration = Duration::from_secs(60);
const TROUBLE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<HashMap<Key, (Instant, Answer)>>);

impl Cache {
    /// An answer that has not expired, its TTLs as they were.
    pub(super) fn get(&self, key: &Key) -> Option<Answer> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, answer) = map.get(key)?;
        if Instant::now() >= *until {
            map.remove(key);
            return None;
        }
        let mut answer = answer.clone();
        answer.cached = true;
        Some(answer)
    }

    /// Remembers an answer; `positive` false leaves out those with records (test harness).
    pub(super) fn put(&self, key: Key, answer: &Answer, positive: bool) {
        let secs = |n: u32| Duration::from_secs(u64::from(n));
        let life = match answer.outcome {
            Outcome::Found if !positive => return,
            Outcome::Found => answer.ttl().map_or(Duration::ZERO, secs),
            Outcome::NoMatch | Outcome::NoData => answer.negative_ttl().map_or(WITHOUT_SOA, secs),
            Outcome::Again | Outcome::Fail => TROUBLE,
        };
        if life.is_zero() {
            return;
        }
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= MOST {
            let now = Instant::now();
            map.retain(|_, (until, _)| *until > now);
            if map.len() >= MOST {
                map.clear();
            }
        }
        map.insert(key, (Instant::now() + life.min(LONGEST), answer.clone()));
    }
}

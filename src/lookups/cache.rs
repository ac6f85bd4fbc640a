//! Open handles and cached results of one thread of control.

use std::collections::HashMap;
use std::fmt;

use super::TYPES;
use super::driver::{Handle, Style};
use crate::sys::process;
use crate::text::Text;

/// What a handle is known by: the type's index and the file.
pub(super) type HandleKey = (usize, Vec<u8>);

/// No handle keeps more results than this.
const MAX_RESULTS: usize = 10_000;

/// A remembered result.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    /// `None`: no such key.
    pub value: Option<Text>,
    /// Until when it is good, seconds of the monotonic clock.
    pub until: Option<u64>,
}

/// What a result is known by: key or query, and options.
pub(super) type ResultKey = (Vec<u8>, Vec<Vec<u8>>);

#[derive(Default)]
struct Entry {
    handle: Option<Box<dyn Handle>>,
    results: HashMap<ResultKey, Remembered>,
    used: u64,
}

/// Open handles and cached results. A clone is empty: handles belong to one thread of one process.
#[derive(Default)]
pub struct Cache {
    entries: HashMap<HandleKey, Entry>,
    clock: u64,
    process: u32,
}

impl Clone for Cache {
    fn clone(&self) -> Self {
        Cache::default()
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({} handles)", self.entries.len())
    }
}

impl Cache {
    /// Closes everything and forgets all results: between messages, and before a child is forked.
    pub fn tidy(&mut self) {
        self.entries.clear();
    }

    // Handles that a parent opened are not ours to use.
    fn own(&mut self) {
        let me = process::generation();
        if self.process != me {
            self.entries.clear();
            self.process = me;
        }
    }

    pub(super) fn remembered(&mut self, handle: &HandleKey, result: &ResultKey) -> Option<Remembered> {
        self.own();
        let found = self.entries.get(handle)?.results.get(result)?;
        found.until.is_none_or(|t| now() < t).then(|| found.clone())
    }

    pub(super) fn remember(&mut self, handle: &HandleKey, result: ResultKey, value: Remembered) {
        let entry = self.entries.entry(handle.clone()).or_default();
        if entry.results.len() >= MAX_RESULTS {
            entry.results.clear();
        }
        entry.results.insert(result, value);
    }

    pub(super) fn forget(&mut self, handle: &HandleKey) {
        if let Some(e) = self.entries.get_mut(handle) {
            e.results.clear();
        }
    }

    /// Takes the open handle away for the time of one search.
    pub(super) fn take(&mut self, handle: &HandleKey) -> Option<Box<dyn Handle>> {
        self.own();
        self.entries.get_mut(handle)?.handle.take()
    }

    /// Puts it back; the file that was used longest ago is closed if there are more than `max` (`lookup_open_max`).
    pub(super) fn put(&mut self, key: &HandleKey, handle: Box<dyn Handle>, max: usize) {
        self.own();
        self.clock += 1;
        let entry = self.entries.entry(key.clone()).or_default();
        entry.used = self.clock;
        entry.handle = Some(handle);
        let is_file = |i: usize| TYPES.get(i).is_some_and(|d| d.style() == Style::File);
        let open = self.entries.iter().filter(|(k, e)| is_file(k.0) && e.handle.is_some());
        if open.clone().count() > max.max(1)
            && let Some(oldest) = open.min_by_key(|(_, e)| e.used).map(|(k, _)| k.clone())
            && let Some(e) = self.entries.get_mut(&oldest)
        {
            e.handle = None;
        }
    }
}

/// Seconds of the monotonic clock.
pub(super) fn now() -> u64 {
    crate::sys::time::monotonic_nanos() / 1_000_000_000
}

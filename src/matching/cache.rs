//! What named lists said before, and compiled regular expressions.

use std::collections::HashMap;

use crate::sys::pcre::Regex;
use crate::text::Text;

const MAX_RESULTS: usize = 5000;
const MAX_PATTERNS: usize = 1000;

/// Results of named lists for the addresses and hosts in hand. Cleared between messages by whoever runs them.
#[derive(Clone, Debug, Default)]
pub struct ListCache {
    results: HashMap<(usize, Vec<u8>), (bool, Option<Text>)>,
    patterns: HashMap<(Vec<u8>, bool), Regex>,
}

impl ListCache {
    /// Forgets all results; patterns stay compiled.
    pub fn clear(&mut self) {
        self.results.clear();
    }

    pub(super) fn get(&self, list: usize, key: &[u8]) -> Option<(bool, Option<Text>)> {
        self.results.get(&(list, key.to_vec())).cloned()
    }

    pub(super) fn set(&mut self, list: usize, key: Vec<u8>, result: (bool, Option<Text>)) {
        if self.results.len() >= MAX_RESULTS {
            self.results.clear();
        }
        self.results.insert((list, key), result);
    }

    pub(super) fn pattern(&self, pattern: &[u8], caseless: bool) -> Option<Regex> {
        self.patterns.get(&(pattern.to_vec(), caseless)).cloned()
    }

    pub(super) fn set_pattern(&mut self, pattern: &[u8], caseless: bool, regex: Regex) {
        if self.patterns.len() >= MAX_PATTERNS {
            self.patterns.clear();
        }
        self.patterns.insert((pattern.to_vec(), caseless), regex);
    }
}

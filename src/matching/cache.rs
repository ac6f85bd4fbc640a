//! What named lists said before, and compiled regular expressions.

use std::collections::HashMap;

use crate::config::ListKind;
use crate::sys::pcre::Regex;
use crate::text::Text;

const MAX_RESULTS: usize = 5000;
const MAX_PATTERNS: usize = 1000;

type Results = HashMap<(usize, Vec<u8>), (bool, Option<Text>)>;

/// Results that belong to one address.
#[derive(Clone, Debug, Default)]
pub struct AddressResults(Results);

/// Results of named lists for the addresses and hosts in hand. Cleared between messages by whoever runs them.
#[derive(Clone, Debug, Default)]
pub struct ListCache {
    results: Results,
    /// Those of domain and local part lists.
    of_address: Results,
    patterns: HashMap<(Vec<u8>, bool), Regex>,
}

impl ListCache {
    /// Forgets all results; patterns stay compiled.
    pub fn clear(&mut self) {
        self.results.clear();
        self.of_address.clear();
    }

    /// Another address is in hand: what domain and local part lists said of the last one is put aside.
    #[must_use = "put it back with `same_address`, or drop it"]
    pub fn other_address(&mut self) -> AddressResults {
        AddressResults(std::mem::take(&mut self.of_address))
    }

    /// The address of before is in hand again.
    pub fn same_address(&mut self, results: AddressResults) {
        self.of_address = results.0;
    }

    fn scope(&mut self, kind: ListKind) -> &mut Results {
        match kind {
            ListKind::Domain | ListKind::LocalPart => &mut self.of_address,
            ListKind::Host | ListKind::Address => &mut self.results,
        }
    }

    pub(super) fn get(&mut self, kind: ListKind, list: usize, key: &[u8]) -> Option<(bool, Option<Text>)> {
        self.scope(kind).get(&(list, key.to_vec())).cloned()
    }

    pub(super) fn set(&mut self, kind: ListKind, list: usize, key: Vec<u8>, result: (bool, Option<Text>)) {
        let results = self.scope(kind);
        if results.len() >= MAX_RESULTS {
            results.clear();
        }
        results.insert((list, key), result);
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

//! What named lists said before, and compiled regular expressions.

use std::collections::HashMap;

use crate::config::ListKind;
use crate::sys::pcre::Regex;
use crate::text::Text;

const MAX_RESULTS: usize = 5000;
const MAX_PATTERNS: usize = 1000;

type Results = HashMap<(usize, Vec<u8>), (bool, Option<Text>)>;

/// Results of named lists for the addresses and hosts in hand.
#[derive(Clone, Debug, Default)]
pub struct ListCache {
    /// Of domain and local part lists: for the address in hand.
    address: Results,
    /// Of address lists: for the message in hand.
    sender: Results,
    /// Of host lists: for the session.
    host: Results,
    /// Compiled patterns: caseful, caseless.
    patterns: [HashMap<Vec<u8>, Regex>; 2],
}

/// What was known of another address, kept while one is handled.
#[derive(Clone, Debug)]
pub struct Outer(Results);

impl ListCache {
    /// Another address is handled from here on: nothing is known of its domain and local part.
    pub fn enter_address(&mut self) -> Outer {
        Outer(std::mem::take(&mut self.address))
    }

    /// The address before that is handled again.
    pub fn leave_address(&mut self, outer: Outer) {
        self.address = outer.0;
    }

    /// A copy of what is known of the address in hand, to be given back after it was handled for another purpose.
    pub fn of_address(&self) -> Outer {
        Outer(self.address.clone())
    }

    /// Another message begins.
    pub fn new_message(&mut self) {
        self.address.clear();
        self.sender.clear();
    }

    /// Forgets all results; patterns stay compiled.
    pub fn clear(&mut self) {
        self.new_message();
        self.host.clear();
    }

    fn of(&mut self, kind: ListKind) -> &mut Results {
        match kind {
            ListKind::Domain | ListKind::LocalPart => &mut self.address,
            ListKind::Address => &mut self.sender,
            ListKind::Host => &mut self.host,
        }
    }

    pub(super) fn get(&mut self, kind: ListKind, list: usize, key: &[u8]) -> Option<(bool, Option<Text>)> {
        self.of(kind).get(&(list, key.to_vec())).cloned()
    }

    pub(super) fn set(&mut self, kind: ListKind, list: usize, key: Vec<u8>, result: (bool, Option<Text>)) {
        let results = self.of(kind);
        if results.len() >= MAX_RESULTS {
            results.clear();
        }
        results.insert((list, key), result);
    }

    pub(crate) fn pattern(&self, pattern: &[u8], caseless: bool) -> Option<Regex> {
        self.patterns[usize::from(caseless)].get(pattern).cloned()
    }

    pub(crate) fn set_pattern(&mut self, pattern: &[u8], caseless: bool, regex: Regex) {
        let patterns = &mut self.patterns[usize::from(caseless)];
        if patterns.len() >= MAX_PATTERNS {
            patterns.clear();
        }
        patterns.insert(pattern.to_vec(), regex);
    }
}

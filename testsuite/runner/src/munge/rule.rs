//! One rule of the tables, and the builder with which the tables are written.

use regex::bytes::{Captures, Regex, RegexBuilder};

use super::State;
use super::sequence::{Cache, Counter};
use crate::facts::{self, Facts};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Keep,
    /// The line is to stay as it is now, whatever other rules there are.
    Final,
    Drop,
}

type Function = fn(&Captures, &mut Vec<u8>, &mut State, &mut Cache) -> Verdict;

enum Action {
    First(Vec<u8>),
    All(Vec<u8>),
    /// Drop the line and so many after it.
    Drop(usize),
    /// The group named `key` goes through the cache.
    Sequence(&'static str, Counter, bool),
    /// The group named `port` becomes the name of its token.
    Port,
    AllWith(fn(&Captures) -> Vec<u8>),
    Call(Function),
}

pub struct Rule {
    pattern: Regex,
    action: Action,
    /// The rule is for lines that match this.
    only_on: Option<Regex>,
}

impl Rule {
    pub fn apply(&self, line: &mut Vec<u8>, state: &mut State, cache: &mut Cache) -> Verdict {
        if !self.pattern.is_match(line) {
            return Verdict::Keep;
        }
        if self.only_on.as_ref().is_some_and(|pattern| !pattern.is_match(line)) {
            return Verdict::Keep;
        }
        match &self.action {
            Action::First(text) => {
                *line = self.pattern.replace(line, &text[..]).into_owned();
            }
            Action::All(text) => {
                *line = self.pattern.replace_all(line, &text[..]).into_owned();
            }
            Action::Drop(more) => {
                state.skip = *more;
                return Verdict::Drop;
            }
            Action::Sequence(base, counter, all) => {
                let replacer = |found: &Captures| replace_group(found, "key", |old| cache.replace(old, base, *counter));
                let most = if *all { 0 } else { 1 };
                *line = self.pattern.replacen(line, most, replacer).into_owned();
            }
            Action::Port => {
                let replacer = |found: &Captures| replace_group(found, "port", port_name);
                *line = self.pattern.replace_all(line, replacer).into_owned();
            }
            Action::AllWith(function) => {
                let replacer = |found: &Captures| function(found);
                *line = self.pattern.replace_all(line, replacer).into_owned();
            }
            Action::Call(function) => {
                let copy = line.clone();
                if let Some(found) = self.pattern.captures(&copy) {
                    return function(&found, line, state, cache);
                }
            }
        }
        Verdict::Keep
    }
}

/// The whole match, with one group replaced.
fn replace_group(found: &Captures, group: &str, new: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (Some(all), Some(part)) = (found.get(0), found.name(group)) else {
        return Vec::new();
    };
    let (before, after) = (part.start() - all.start(), part.end() - all.start());
    [&all.as_bytes()[..before], &new(part.as_bytes()), &all.as_bytes()[after..]].concat()
}

fn port_name(digits: &[u8]) -> Vec<u8> {
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u16>().ok());
    let known = facts::PORTS.iter().find(|(_, port)| Some(*port) == number);
    known.map_or(digits.to_vec(), |(name, _)| name.as_bytes().to_vec())
}

/// Replace the matched part of the line, in a function that makes the text itself.
pub fn splice(found: &Captures, line: &mut Vec<u8>, new: &[u8]) {
    if let Some(all) = found.get(0) {
        line.splice(all.range(), new.iter().copied());
    }
}

/// Collects rules. In patterns, words between `%` stand for parts or for facts of the run.
pub struct Builder {
    words: Vec<(String, String)>,
    pub rules: Vec<Rule>,
}

impl Builder {
    pub fn new(facts: &Facts) -> Builder {
        let day = r"\d{4}-\d\d-\d\d\s\d\d:\d\d:\d\d";
        let sep = r"(?:\s|\xE2\x96\x91)";
        let dotted = |n: usize| vec![r"\d+"; n].join(r"\.");
        let mut words: Vec<(String, String)> = [
            ("DATE", r"\d\d-\w{3}-\d{4}\s\d\d:\d\d:\d\d"),
            ("DATETIME", day),
            ("SEP", sep),
            ("IP4", &dotted(4)),
            ("IP", &format!("(?:{}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)", dotted(4))),
            ("TPID", r"(?:\d\d:\d\d:\d\d\s+)?p?\d+\s"),
            ("ANYPORT", r"(?<port>122[3-8])"),
        ]
        .map(|(word, text)| (format!("%{word}%"), text.to_string()))
        .into();
        for (name, port) in facts::PORTS {
            words.push((format!("%{name}%"), format!("(?<port>{port})")));
        }
        let id = facts::CALLER_ID.to_string();
        let (exim_uid, exim_gid) = (facts.exim_uid.to_string(), facts.exim_gid.to_string());
        for (word, value) in [
            ("TOP", facts.top_str().as_str()),
            ("HOST", &facts::fqdn()),
            ("HOME", &facts.home().display().to_string()),
            ("CALLER", facts::CALLER),
            ("CALLERGROUP", facts::CALLER_GROUP),
            ("GECOS", facts::CALLER_GECOS),
            ("CALLERID", &id),
            ("EXIMUSER", &facts.exim_user),
            ("EXIMUID", &exim_uid),
            ("EXIMGID", &exim_gid),
            ("OWN4", facts::IPV4),
            ("OWN6", facts::IPV6),
            ("OWN4REV", &reversed4(facts::IPV4)),
            ("OWN6REV", &reversed6(facts::IPV6)),
        ] {
            words.push((format!("%{word}%"), regex::escape(value)));
        }
        Builder { words, rules: Vec::new() }
    }

    fn add(&mut self, pattern: &str, action: Action) {
        let pattern = self.regex(pattern);
        self.rules.push(Rule { pattern, action, only_on: None });
    }

    fn regex(&self, pattern: &str) -> Regex {
        let mut pattern = pattern.to_string();
        for (word, text) in &self.words {
            pattern = pattern.replace(word, text);
        }
        let built = RegexBuilder::new(&pattern).unicode(false).build();
        built.unwrap_or_else(|e| panic!("munge rule {pattern}: {e}"))
    }

    /// The rule just added is only for lines that match this pattern too.
    pub fn only_on(&mut self, pattern: &str) {
        let pattern = self.regex(pattern);
        if let Some(rule) = self.rules.last_mut() {
            rule.only_on = Some(pattern);
        }
    }

    /// Replace the first match.
    pub fn first(&mut self, pattern: &str, text: impl AsRef<[u8]>) {
        self.add(pattern, Action::First(text.as_ref().to_vec()));
    }

    /// Replace all matches.
    pub fn all(&mut self, pattern: &str, text: impl AsRef<[u8]>) {
        self.add(pattern, Action::All(text.as_ref().to_vec()));
    }

    pub fn drop(&mut self, pattern: &str) {
        self.add(pattern, Action::Drop(0));
    }

    /// Drop the line and `more` lines after it.
    pub fn drop_more(&mut self, pattern: &str, more: usize) {
        self.add(pattern, Action::Drop(more));
    }

    pub fn sequence(&mut self, pattern: &str, base: &'static str, counter: Counter) {
        self.add(pattern, Action::Sequence(base, counter, false));
    }

    pub fn sequence_all(&mut self, pattern: &str, base: &'static str, counter: Counter) {
        self.add(pattern, Action::Sequence(base, counter, true));
    }

    pub fn port(&mut self, pattern: &str) {
        self.add(pattern, Action::Port);
    }

    /// Replace all matches by what the function makes of them.
    pub fn all_with(&mut self, pattern: &str, function: fn(&Captures) -> Vec<u8>) {
        self.add(pattern, Action::AllWith(function));
    }

    pub fn call(&mut self, pattern: &str, function: Function) {
        self.add(pattern, Action::Call(function));
    }
}

fn reversed4(address: &str) -> String {
    address.rsplit('.').collect::<Vec<_>>().join(".")
}

/// The nibbles of the address, last first.
pub fn reversed6(address: &str) -> String {
    let full = address.split(':').map(|group| format!("{group:0>4}")).collect::<String>();
    full.chars().rev().map(String::from).collect::<Vec<_>>().join(".")
}

//! Normalising output: what differs from run to run, host to host or library to library is
//! replaced by fixed text, so that files can be compared line by line.
//!
//! The rules are tables, applied in order to each line, each seeing what the earlier ones left.
//! What must be replaced consistently (message ids, process ids, ports) goes through a cache that
//! all outputs of a test share.

mod dates;
mod general;
mod logs;
mod mail;
mod misc;
mod rule;
mod sequence;
mod sets;
mod special;
mod stderr;
mod stdout;
mod tls;
mod users;

use crate::facts::Facts;
use crate::script::Flags;
use rule::{Builder, Rule, Verdict};
pub use sequence::Cache;

/// The class of an output file decides which rules it gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    Stdout,
    Stderr,
    Log,
    Mail,
}

/// Which custom rules a file gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Stdout,
    Stderr,
    MainLog,
    RejectLog,
    OtherLog,
    Mail,
}

impl Kind {
    pub fn class(self) -> Class {
        match self {
            Kind::Stdout => Class::Stdout,
            Kind::Stderr => Class::Stderr,
            Kind::Mail => Class::Mail,
            Kind::MainLog | Kind::RejectLog | Kind::OtherLog => Class::Log,
        }
    }
}

/// All the rules, made once for a run.
pub struct Munger {
    general: Vec<Rule>,
    /// For all that the script does not declare an IPv6 test.
    ipv4_only: Vec<Rule>,
    stdout: Vec<Rule>,
    filter_test: Vec<Rule>,
    stderr: Vec<Rule>,
    logs: Vec<Rule>,
    mail: Vec<Rule>,
    sets: sets::Sets,
    no_munge: Vec<Rule>,
}

/// What is remembered from line to line of one file.
#[derive(Default)]
struct State {
    /// Lines still to be dropped whatever they are.
    skip: usize,
    /// Drop lines that continue a header.
    in_header: bool,
    /// The elements of a list that has been dropped go with it.
    in_list: bool,
    /// Text removed from the start of lines (the pid of a daemon's debugging output).
    prefix: Option<Vec<u8>>,
    /// A maildir size file is being shown.
    in_sizes: bool,
    /// Lines held back to be sorted.
    held: Vec<Vec<u8>>,
    /// The last line that was output.
    last: Vec<u8>,
    truncated: bool,
}

/// A munged file.
#[derive(Default)]
pub struct Munged {
    pub lines: Vec<Vec<u8>>,
    /// Some line spoke of truncation.
    pub truncated: bool,
}

impl Munger {
    pub fn new(facts: &Facts) -> Munger {
        let build = |rules: fn(&mut Builder)| {
            let mut builder = Builder::new(facts);
            rules(&mut builder);
            builder.rules
        };
        Munger {
            general: build(general::rules),
            ipv4_only: build(general::without_addresses),
            stdout: build(stdout::rules),
            filter_test: build(stdout::filter_test),
            stderr: build(stderr::rules),
            logs: build(logs::rules),
            mail: build(mail::rules),
            sets: sets::Sets::new(facts),
            no_munge: build(general::no_munge),
        }
    }

    /// Munge one raw file.
    pub fn munge(&self, raw: &[u8], kind: Kind, flags: &Flags, cache: &mut Cache) -> Munged {
        let mut lines: Vec<&[u8]> = raw.split(|&b| b == b'\n').collect();
        if lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
        let mut state = State::default();
        let mut munged = Munged::default();
        let mut before = Vec::new();
        for line in lines {
            // The blank after a time at the beginning of a line may be the line's end: then the next line is part of it.
            if !flags.no_munge && special::is_time_alone(line) {
                before = b"1999-03-02 09:44:33 ".to_vec();
                continue;
            }
            for line in self.line(line, kind, flags, &mut state, cache) {
                state.last.clone_from(&line);
                munged.lines.push([std::mem::take(&mut before), line].concat());
            }
        }
        munged.lines.extend(Some(before).filter(|b| !b.is_empty()));
        munged.truncated = state.truncated;
        munged
    }

    /// What becomes of a line: usually one line.
    fn line(&self, raw: &[u8], kind: Kind, flags: &Flags, state: &mut State, cache: &mut Cache) -> Vec<Vec<u8>> {
        let mut line = raw.to_vec();
        if flags.no_munge {
            apply(&self.no_munge, &mut line, state, cache);
            return vec![line];
        }
        if state.skip > 0 {
            state.skip -= 1;
            return Vec::new();
        }
        let set = self.sets.rules(flags.munge.as_deref(), kind);
        if apply(set, &mut line, state, cache) == Verdict::Drop {
            return Vec::new();
        }
        state.truncated |= contains(&line, b"*** truncated ***");
        if special::continues_header(&line, state) {
            return Vec::new();
        }
        if !flags.need_ipv6 {
            apply(&self.ipv4_only, &mut line, state, cache);
        }
        let class = match kind.class() {
            Class::Stdout => &self.stdout,
            Class::Stderr => &self.stderr,
            Class::Log => &self.logs,
            Class::Mail => &self.mail,
        };
        let filter_test = kind == Kind::Stdout && flags.rmfiltertest;
        let extra: &[Rule] = if filter_test { &self.filter_test } else { &[] };
        for rules in [&self.general[..], extra, &class[..]] {
            match apply(rules, &mut line, state, cache) {
                Verdict::Keep => {}
                Verdict::Final => break,
                Verdict::Drop => return Vec::new(),
            }
        }
        match kind {
            Kind::Stderr => special::arrange_stderr(line, state),
            _ => vec![line],
        }
    }
}

fn apply(rules: &[Rule], line: &mut Vec<u8>, state: &mut State, cache: &mut Cache) -> Verdict {
    for rule in rules {
        match rule.apply(line, state, cache) {
            Verdict::Keep => {}
            end => return end,
        }
    }
    Verdict::Keep
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    line.windows(text.len()).any(|part| part == text)
}

#[cfg(test)]
mod tests;

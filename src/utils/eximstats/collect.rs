//! Counts what the lines of the log say.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::merge::Groups;
use super::{By, Options};
use crate::sys::pcre::Regex;
use crate::utils::log_line::{LogLine, field, host};

/// Messages, addresses and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub messages: u64,
    pub addresses: u64,
    pub bytes: u64,
}

pub type Sums = BTreeMap<String, Sum>;

/// What is known of a message that is not complete yet.
#[derive(Debug, Default)]
struct Open {
    began: i64,
    size: u64,
    /// `P=`
    protocol: String,
    /// Host and sender, if it came from another host.
    from: Option<(String, String)>,
    remote: bool,
}

/// All counts.
#[derive(Debug, Default)]
pub struct Collected {
    pub first: String,
    pub last: String,
    pub received: Sum,
    pub delivered: Sum,
    pub rejected: u64,
    pub rejected_for_now: u64,
    pub delayed: u64,
    pub failed: u64,
    pub from: BTreeMap<By, Sums>,
    pub to: BTreeMap<By, Sums>,
    pub local_from: Sums,
    pub local_to: Sums,
    pub transports: Sums,
    pub rejections: Sums,
    pub rejected_ips: Sums,
    pub rejections_for_now: Sums,
    pub rejected_ips_for_now: Sums,
    pub relays: BTreeMap<String, u64>,
    pub errors: BTreeMap<String, u64>,
    /// By minute of the day.
    pub received_at: BTreeMap<u32, u64>,
    pub delivered_at: BTreeMap<u32, u64>,
    /// For each of the times of the options, and one more for what took longer.
    pub on_queue: Vec<u64>,
    pub on_queue_remote: Vec<u64>,
    /// The same for times of deliveries.
    pub delivery_times: Vec<u64>,
    pub delivery_times_remote: Vec<u64>,
    /// And of receptions: of all, and by protocol.
    pub receipt_times: BTreeMap<String, Vec<u64>>,
    pub patterns: Vec<(String, u64)>,
    /// Of merged reports.
    pub groups: Option<Groups>,
    regexes: Vec<Regex>,
    pub times: Vec<i64>,
    pub delivery_limits: Vec<i64>,
    pub receipt_limits: Vec<i64>,
    original: bool,
    remote_users: bool,
    open: HashMap<String, Open>,
    troubled: HashSet<(String, bool)>,
}

impl Collected {
    pub fn new(o: &Options) -> Self {
        Collected {
            times: o.queue_times.clone(),
            delivery_times: vec![0; o.delivery_times.len() + 1],
            delivery_times_remote: vec![0; o.delivery_times.len() + 1],
            delivery_limits: o.delivery_times.clone(),
            receipt_limits: o.receipt_times.clone(),
            original: o.original,
            remote_users: o.remote_users,
            on_queue: vec![0; o.queue_times.len() + 1],
            on_queue_remote: vec![0; o.queue_times.len() + 1],
            patterns: o.patterns.iter().map(|(name, _)| (name.clone(), 0)).collect(),
            regexes: o.patterns.iter().map(|(_, r)| r.clone()).collect(),
            ..Collected::default()
        }
    }

    /// Has anything been counted?
    pub fn any(&self) -> bool {
        !self.first.is_empty()
    }

    pub fn count_patterns(&mut self, line: &str) {
        for (r, (_, n)) in self.regexes.iter().zip(&mut self.patterns) {
            *n += u64::from(r.is_match(line.as_bytes()));
        }
    }

    /// Counts a line.
    pub fn line(&mut self, l: &LogLine<'_>) {
        let text = l.text;
        let counted = match text.get(..2) {
            Some("<=") => self.receive(l),
            Some("=>" | ">>") => self.deliver(l, true),
            Some("->" | "*>") => self.deliver(l, false),
            Some("==") => self.trouble(l, false),
            Some("**") => {
                *self.errors.entry(text[2..].trim().to_string()).or_default() += 1;
                self.trouble(l, true)
            }
            _ if text.starts_with("Completed") => self.complete(l),
            _ => self.reject(text),
        };
        if counted {
            if self.first.is_empty() {
                self.first = l.stamp.to_string();
            }
            self.last = l.stamp.to_string();
        }
    }

    fn receive(&mut self, l: &LogLine<'_>) -> bool {
        let size = field(l.text, "S=").and_then(|s| s.parse().ok()).unwrap_or(0);
        let sender = l.text[2..].trim_start().split(' ').next().unwrap_or_default().to_string();
        let from = host(l.text);
        let one = Sum { messages: 1, addresses: 0, bytes: size };
        add(&mut self.received, one);
        *self.received_at.entry(minute(l.stamp)).or_default() += 1;
        for by in By::ALL {
            let key = group(by, from.as_ref().map(|f| f.0.as_str()), &sender);
            add(self.from.entry(by).or_default().entry(key).or_default(), one);
        }
        if let Some(user) = field(l.text, "U=").filter(|_| from.is_none()) {
            add(self.local_from.entry(user.to_string()).or_default(), one);
        }
        let from = from.map(|(name, ip)| (if name.starts_with('[') { name } else { format!("{name}[{ip}]") }, sender));
        let protocol = field(l.text, "P=").unwrap_or_default().to_string();
        self.open.insert(l.id.to_string(), Open { began: l.seconds(), size, protocol, from, remote: false });
        true
    }

    fn deliver(&mut self, l: &LogLine<'_>, first: bool) -> bool {
        let rest = l.text[2..].trim_start();
        let to = host(rest);
        let address = rest.split(' ').next().unwrap_or_default();
        let shown = if self.original {
            rest.split_once(" <").and_then(|(_, r)| r.split_once('>')).map_or(address, |(o, _)| o)
        } else {
            address
        };
        let original = rest.split_once(" <").and_then(|(_, r)| r.split_once('>')).map_or(address, |(o, _)| o);
        let open = self.open.get_mut(l.id);
        let size = if first { open.as_ref().map_or(0, |o| o.size) } else { 0 };
        let one = Sum { messages: u64::from(first), addresses: 1, bytes: size };
        if let Some(open) = open {
            open.remote |= first && to.is_some();
            // Directly from one host to another.
            if let (Some((from, sender)), Some((name, ip))) = (&open.from, &to)
                && first
                && address.eq_ignore_ascii_case(original)
            {
                let name = if name.starts_with('[') { name.clone() } else { format!("{name}[{ip}]") };
                let relay = format!("{from} {sender} \n      => {name} {address}").to_ascii_lowercase();
                *self.relays.entry(relay).or_default() += 1;
            }
        }
        add(&mut self.delivered, one);
        if first {
            *self.delivered_at.entry(minute(l.stamp)).or_default() += 1;
            let transport = field(rest, "T=").unwrap_or(":blackhole:");
            add(self.transports.entry(transport.to_string()).or_default(), one);
        }
        if let Some(took) = field(rest, "DT=").and_then(seconds).filter(|_| first && !self.delivery_limits.is_empty()) {
            count(&mut self.delivery_times, &self.delivery_limits, took);
            if self.open.get(l.id).map_or(to.is_some(), |o| o.remote) {
                count(&mut self.delivery_times_remote, &self.delivery_limits, took);
            }
        }
        for by in By::ALL {
            let by_name = if by == By::Email { shown } else { original };
            let key = group(by, to.as_ref().map(|t| t.0.as_str()), by_name);
            add(self.to.entry(by).or_default().entry(key).or_default(), one);
        }
        if to.is_none() {
            // A pipe or file has its owner with it.
            let user = match address {
                a if a.starts_with(['/', '|']) => a,
                a => a.split('@').next().unwrap_or(a),
            };
            let whose = original != address && (self.original || user.starts_with(['/', '|']));
            let user = if whose { format!("{user} <{original}>") } else { user.to_string() };
            add(self.local_to.entry(user).or_default(), one);
        } else if self.remote_users {
            add(self.local_to.entry(shown.to_string()).or_default(), one);
        }
        true
    }

    fn trouble(&mut self, l: &LogLine<'_>, failed: bool) -> bool {
        if self.troubled.insert((l.id.to_string(), failed)) {
            *if failed { &mut self.failed } else { &mut self.delayed } += 1;
        }
        true
    }

    fn complete(&mut self, l: &LogLine<'_>) -> bool {
        let Some(open) = self.open.remove(l.id) else { return true };
        let took = l.seconds() - open.began;
        count(&mut self.on_queue, &self.times, took);
        if open.remote {
            count(&mut self.on_queue_remote, &self.times, took);
        }
        // QT= begins when reception began, which was so much before the message was on the queue.
        if let Some(queued) = field(l.text, "QT=").and_then(seconds).filter(|_| !self.receipt_limits.is_empty()) {
            for name in ["all", open.protocol.as_str()] {
                let counts = self.receipt_times.entry(name.to_string()).or_insert_with(|| vec![0; self.receipt_limits.len() + 1]);
                count(counts, &self.receipt_limits, (queued - took).max(0));
            }
        }
        true
    }

    fn reject(&mut self, text: &str) -> bool {
        let Some(at) = text.find("rejected ") else { return false };
        let temporarily = text[..at].ends_with("temporarily ");
        let what = &text[at + "rejected ".len()..];
        let verb = what.split([' ', ':']).next().unwrap_or_default();
        // The address that is refused makes no difference to the reason.
        let after = match what.find(" <").and_then(|i| what[i..].find('>').map(|j| i + j + 1)) {
            Some(end) => &what[end..],
            None => &what[verb.len()..],
        };
        let how = if temporarily { "Temporarily rejected" } else { "Rejected" };
        let reason = format!("{how} {verb}: {}", after.trim_start_matches([':', ' ']));
        let (number, reasons, ips) = if temporarily {
            (&mut self.rejected_for_now, &mut self.rejections_for_now, &mut self.rejected_ips_for_now)
        } else {
            (&mut self.rejected, &mut self.rejections, &mut self.rejected_ips)
        };
        *number += 1;
        let one = Sum { messages: 1, ..Sum::default() };
        add(reasons.entry(reason.trim_end_matches([':', ' ']).to_string()).or_default(), one);
        if let Some((_, ip)) = host(text) {
            add(ips.entry(format!("[{ip}]")).or_default(), one);
        }
        true
    }
}

fn add(sum: &mut Sum, one: Sum) {
    sum.messages += one.messages;
    sum.addresses += one.addresses;
    sum.bytes = sum.bytes.saturating_add(one.bytes);
}

/// Counts a time in its place among the limits.
fn count(counts: &mut [u64], limits: &[i64], took: i64) {
    let place = limits.iter().position(|t| took < *t).unwrap_or(limits.len());
    if let Some(n) = counts.get_mut(place) {
        *n += 1;
    }
}

/// `1m2s` or `0.304s` in whole seconds.
fn seconds(text: &str) -> Option<i64> {
    let whole = text.split('.').next()?;
    match whole.parse() {
        Ok(n) => Some(n),
        Err(_) => crate::config::values::parse_interval(whole.as_bytes()),
    }
}

/// What a source or destination counts as.
fn group(by: By, host: Option<&str>, address: &str) -> String {
    let key = match (by, host) {
        (By::Host, h) => h.unwrap_or("local").to_string(),
        (By::Domain, None) => "localdomain".into(),
        (By::Domain, Some(h)) if h.starts_with(['[', '(']) => h.to_string(),
        // The last parts: two, or three where the last but one is short, as in `co.uk`.
        (By::Domain, Some(h)) => {
            let parts: Vec<&str> = h.split('.').collect();
            let short = parts.len() > 2 && parts[parts.len() - 2].len() < 4;
            parts[parts.len().saturating_sub(if short { 3 } else { 2 })..].join(".")
        }
        // The case of a local part may matter.
        (By::Email, _) => return address.to_string(),
        (By::EmailDomain, _) => address.rsplit_once('@').map_or(address, |(_, d)| d).to_string(),
    };
    key.to_ascii_lowercase()
}

fn minute(stamp: &str) -> u32 {
    let n = |r: std::ops::Range<usize>| stamp.get(r).and_then(|s| s.parse::<u32>().ok()).unwrap_or(0);
    (n(11..13) * 60 + n(14..16)).min(24 * 60 - 1)
}

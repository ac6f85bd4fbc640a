//! The report as titled tables and histograms, for both forms of output.

use super::collect::{Collected, Sum, Sums};
use super::{By, Options};
use crate::utils::support::rounded;

/// All of it.
pub struct Report {
    pub title: String,
    pub sections: Vec<Section>,
}

/// A part with its title.
pub struct Section {
    pub title: String,
    /// What stands over the last columns of a table.
    pub above: &'static str,
    pub body: Body,
}

/// What a part shows.
pub enum Body {
    /// Columns with their widths (0: the last, to the left), and rows.
    Table(Vec<(String, usize)>, Vec<Vec<String>>),
    /// Label and number; each dot in text stands for so many.
    Histogram(Vec<(String, u64)>, u64),
    /// Lines of text, and what is said of them in the end.
    /// None of them: the title says all.
    Lines(Vec<String>, String),
    /// The same with space between.
    Blocks(Vec<String>, String),
}

/// Dots on a line of a histogram.
const DOTS: u64 = 50;

/// Most relays and errors that are listed.
const MAX_LISTED: usize = 1000;

struct Builder<'a> {
    o: &'a Options,
    c: &'a Collected,
    sections: Vec<Section>,
}

pub fn build(o: &Options, c: &Collected) -> Report {
    let mut b = Builder { o, c, sections: Vec::new() };
    b.grand_total();
    if !c.patterns.is_empty() {
        let rows = c.patterns.iter().map(|(name, n)| vec![format!("  {name}"), n.to_string()]).collect();
        b.table("User Specified Patterns", vec![("".into(), 20), ("Total".into(), 8)], rows);
    }
    b.transports();
    b.histograms();
    b.queue_times();
    b.relays();
    b.top();
    b.errors();
    let title = if c.any() { format!("Exim statistics from {} to {}", c.first, c.last) } else { "Exim statistics".into() };
    Report { title, sections: b.sections }
}

impl Builder<'_> {
    fn push(&mut self, title: &str, body: Body) {
        self.sections.push(Section { title: title.into(), above: "", body });
    }

    fn table(&mut self, title: &str, columns: Vec<(String, usize)>, rows: Vec<Vec<String>>) {
        self.push(title, Body::Table(columns, rows));
    }

    fn volume(&self, bytes: u64) -> String {
        if self.o.exact { bytes.to_string() } else { rounded(bytes) }
    }

    fn grand_total(&mut self) {
        let (o, c) = (self.o, self.c);
        let mut columns: Vec<(String, usize)> =
            [("  TOTAL", 16), ("Volume", 12), ("Messages", 11), ("Addresses", 10)].map(|(n, w)| (n.to_string(), w)).into();
        for by in &o.by {
            columns.push((by.heading().into(), if columns.len() == 4 { 10 } else { 9 }));
        }
        columns.extend([("Delayed ".into(), 14), ("Failed".into(), 12)]);
        // What merged reports say of numbers, if it is not a log.
        let groups = c.groups.as_ref();
        let counts = |of: &std::collections::BTreeMap<By, Sums>, merged: Option<&[(By, u64)]>| -> Vec<String> {
            let count = |by: &By| match merged {
                None => of.get(by).map_or(0, Sums::len) as u64,
                Some(all) => all.iter().find(|g| g.0 == *by).map_or(0, |g| g.1),
            };
            o.by.iter().map(|by| count(by).to_string()).collect()
        };
        let percent = |n: u64| {
            if c.received.messages == 0 {
                "0.0%".into()
            } else {
                format!("{:.1}%", n as f64 * 100.0 / c.received.messages as f64)
            }
        };
        let row = |name: &str, volume: String, messages: u64, addresses: String, groups: Vec<String>, more: Vec<String>| {
            let mut row = vec![format!("  {name}"), volume, messages.to_string(), addresses];
            row.extend(groups);
            row.extend(more);
            row
        };
        let troubles =
            vec![format!("{} {:>5}", c.delayed, percent(c.delayed)), format!("{:7} {:>5}", c.failed, percent(c.failed))];
        let refusals = |ips: &Sums, merged: Option<u64>| {
            let mut cells = vec![String::new(); o.by.len()];
            if let (Some(first), Some(By::Host)) = (cells.first_mut(), o.by.first()) {
                *first = merged.unwrap_or(ips.len() as u64).to_string();
            }
            cells
        };
        let mut rows = vec![
            row(
                "Received",
                self.volume(c.received.bytes),
                c.received.messages,
                String::new(),
                counts(&c.from, groups.map(|g| g.from.as_slice())),
                troubles,
            ),
            row(
                "Delivered",
                self.volume(c.delivered.bytes),
                c.delivered.messages,
                c.delivered.addresses.to_string(),
                counts(&c.to, groups.map(|g| g.to.as_slice())),
                Vec::new(),
            ),
        ];
        if c.rejected > 0 {
            let cells = refusals(&c.rejected_ips, groups.map(|g| g.rejected));
            rows.push(row("Rejects", String::new(), c.rejected, String::new(), cells, Vec::new()));
        }
        if c.rejected_for_now > 0 {
            let cells = refusals(&c.rejected_ips_for_now, groups.map(|g| g.rejected_for_now));
            rows.push(row("Temp Rejects", String::new(), c.rejected_for_now, String::new(), cells, Vec::new()));
        }
        self.table("Grand total summary", columns, rows);
        if let Some(s) = self.sections.last_mut() {
            s.above = "At least one address";
        }
    }

    fn transports(&mut self) {
        let shown: Vec<Vec<String>> = self
            .c
            .transports
            .iter()
            .filter(|(name, _)| self.o.transports.shows(name))
            .map(|(name, s)| vec![format!("  {name}"), format!("    {:>6}", self.volume(s.bytes)), s.messages.to_string()])
            .collect();
        if !shown.is_empty() {
            self.table("Deliveries by transport", vec![("".into(), 18), ("Volume".into(), 10), ("Messages".into(), 12)], shown);
        }
    }

    fn histograms(&mut self) {
        if self.o.divisions == 0 {
            return;
        }
        let step = 60 / self.o.divisions;
        let span = match step {
            60 => "hour".to_string(),
            1 => "minute".to_string(),
            n => format!("{n} minutes"),
        };
        for (what, one, counts) in
            [("Messages received", "message", &self.c.received_at), ("Deliveries", "delivery", &self.c.delivered_at)]
        {
            let mut bars: Vec<(String, u64)> = Vec::new();
            for slot in 0..24 * self.o.divisions {
                let (from, to) = (slot * step, (slot + 1) * step);
                let n = counts.range(from..to).map(|(_, n)| n).sum();
                let label = if step == 60 {
                    format!("{:02}-{:02}", from / 60, to / 60)
                } else if from % 60 == 0 {
                    format!("{:02}:00", from / 60)
                } else {
                    format!("  :{:02}", from % 60)
                };
                bars.push((label, n));
            }
            let most = bars.iter().map(|b| b.1).max().unwrap_or(0);
            let dot = most.div_ceil(DOTS).max(1);
            let many = if one == "delivery" { "deliveries" } else { "messages" };
            let title = format!("{what} per {span} (each dot is {dot} {})", if dot == 1 { one } else { many });
            self.push(&title, Body::Histogram(bars, dot));
        }
    }

    fn queue_times(&mut self) {
        let c = self.c;
        for (what, limits, all, remote) in [
            ("Time spent on the queue", &self.o.queue_times, &c.on_queue, &c.on_queue_remote),
            ("Delivery times", &self.o.delivery_times, &c.delivery_times, &c.delivery_times_remote),
        ] {
            self.times(&format!("{what}: all messages"), limits, all);
            self.times(&format!("{what}: messages with at least one remote delivery"), limits, remote);
        }
        for (protocol, counts) in &c.receipt_times {
            self.times(&format!("Receipt times: {protocol} messages"), &self.o.receipt_times, counts);
        }
    }

    fn times(&mut self, title: &str, limits: &[i64], counts: &[u64]) {
        if limits.is_empty() {
            return;
        }
        let total: u64 = counts.iter().sum();
        let (mut so_far, mut rows) = (0, Vec::new());
        for (i, n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            so_far += n;
            let (word, limit) = match limits.get(i) {
                Some(t) => (if rows.is_empty() { "Under" } else { "" }, *t),
                None => ("Over ", limits.last().copied().unwrap_or(0)),
            };
            let part = |n: u64| format!("{:.1}%", n as f64 * 100.0 / total as f64);
            rows.push(vec![
                word.into(),
                format!(" {:>4}", crate::config::values::show_time(limit)),
                n.to_string(),
                part(*n),
                part(so_far),
            ]);
        }
        if !rows.is_empty() {
            let columns = vec![("".into(), 5), ("".into(), 5), ("".into(), 9), ("".into(), 7), ("".into(), 8)];
            self.table(title, columns, rows);
        }
    }

    fn relays(&mut self) {
        if matches!(self.o.relays, super::Wanted::None) {
            return;
        }
        let shown: Vec<(&String, &u64)> = self.c.relays.iter().filter(|(r, _)| self.o.relays.shows(r)).collect();
        let total: u64 = shown.iter().map(|r| *r.1).sum();
        let hidden: u64 = self.c.relays.values().sum::<u64>() - total;
        if total + hidden == 0 {
            return self.push("No relayed messages", Body::Lines(Vec::new(), String::new()));
        }
        let lines = shown.iter().take(MAX_LISTED).map(|(r, n)| format!("{n:7} {r}")).collect();
        self.push("Relayed messages", Body::Lines(lines, format!("Total: {total} (plus {hidden} unshown)")));
    }

    fn top(&mut self) {
        if self.o.top == 0 {
            return;
        }
        let (o, c) = (self.o, self.c);
        self.ranking("mail rejection reason", &c.rejections, &[Measure::Count], false, false);
        self.ranking("mail temporary rejection reason", &c.rejections_for_now, &[Measure::Count], false, false);
        for by in &o.by {
            if let Some(sums) = c.from.get(by) {
                self.ranking(&format!("sending {}", by.name()), sums, &[Measure::Count, Measure::Volume], false, true);
            }
        }
        if o.local {
            self.ranking("local sender", &c.local_from, &[Measure::Count, Measure::Volume], false, true);
        }
        for by in &o.by {
            if let Some(sums) = c.to.get(by) {
                self.ranking(&format!("{} destination", by.name()), sums, &[Measure::Count, Measure::Volume], true, true);
            }
        }
        if o.local {
            self.ranking("local destination", &c.local_to, &[Measure::Count, Measure::Volume], true, true);
        }
        self.ranking("rejected ip", &c.rejected_ips, &[Measure::Count], false, false);
        self.ranking("temporarily rejected ip", &c.rejected_ips_for_now, &[Measure::Count], false, false);
    }

    fn ranking(&mut self, what: &str, sums: &Sums, measures: &[Measure], addresses: bool, bytes: bool) {
        if sums.is_empty() {
            return;
        }
        for measure in measures {
            let mut all: Vec<(&String, &Sum)> = sums.iter().collect();
            all.sort_by_key(|(_, s)| {
                let (first, second) = if *measure == Measure::Count { (s.messages, s.bytes) } else { (s.bytes, s.messages) };
                std::cmp::Reverse((first, second))
            });
            let mut columns = vec![("Messages".to_string(), 10)];
            if addresses {
                columns.push(("Addresses".into(), 11));
            }
            if bytes {
                columns.extend([("Bytes".to_string(), 11), ("Average".to_string(), 11)]);
            }
            let mut name = what.to_string();
            if let Some(first) = name.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            columns.push((format!("   {name}"), 0));
            let rows = all
                .into_iter()
                .take(self.o.top)
                .map(|(key, s)| {
                    let mut row = vec![s.messages.to_string()];
                    if addresses {
                        row.push(s.addresses.to_string());
                    }
                    if bytes {
                        row.extend([self.volume(s.bytes), self.volume(s.bytes / s.messages.max(1))]);
                    }
                    row.push(format!("   {key}"));
                    row
                })
                .collect();
            let by = if *measure == Measure::Count { "message count" } else { "volume" };
            self.table(&format!("Top {} {what}s by {by}", self.o.top), columns, rows);
        }
    }

    fn errors(&mut self) {
        if !self.o.errors || self.c.errors.is_empty() {
            return;
        }
        let total: u64 = self.c.errors.values().sum();
        let lines = self.c.errors.iter().take(MAX_LISTED).map(|(text, n)| wrapped(*n, text)).collect();
        self.push("List of errors", Body::Blocks(lines, format!("Errors encountered: {total}")));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    Count,
    Volume,
}

/// A number and a text that is broken between words.
fn wrapped(n: u64, text: &str) -> String {
    let mut out = format!("{n:5}");
    let mut column = out.len();
    for word in text.split_whitespace() {
        if column + 1 + word.len() > 67 && column > 12 {
            out.push_str("\n\t   ");
            column = 11;
        }
        out.push(' ');
        out.push_str(word);
        column += 1 + word.len();
    }
    out
}

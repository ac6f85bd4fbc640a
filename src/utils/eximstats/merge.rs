//! Reads reports, text or HTML, back into counts: `-merge`. The counts are then shown as those of a log are.
//!
//! A report names a source or destination in two tables, by count and by volume: it counts once. Volumes are as exact as the
//! reports have them, and the numbers of hosts are sums: which host is in two reports is not told.

use std::collections::HashSet;

use super::By;
use super::collect::{Collected, Sum, Sums};
use super::page::{Item, Items};
use crate::config::values::parse_interval;
use crate::utils::log_line::LogFiles;

/// Numbers of sources and destinations.
#[derive(Debug, Default)]
pub struct Groups {
    pub from: Vec<(By, u64)>,
    pub to: Vec<(By, u64)>,
    pub rejected: u64,
    pub rejected_for_now: u64,
}

/// A table of sources, destinations or refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Ranked {
    Rejections,
    RejectionsForNow,
    RejectedIps,
    RejectedIpsForNow,
    From(By),
    LocalFrom,
    To(By),
    LocalTo,
}

impl Ranked {
    /// By the title, without `Top 50 ` and `s by ...`.
    fn of(what: &str) -> Option<Self> {
        let by = |name: &str| By::ALL.into_iter().find(|b| b.name() == name);
        Some(match what {
            "mail rejection reason" => Ranked::Rejections,
            "mail temporary rejection reason" => Ranked::RejectionsForNow,
            "rejected ip" => Ranked::RejectedIps,
            "temporarily rejected ip" => Ranked::RejectedIpsForNow,
            "local sender" => Ranked::LocalFrom,
            "local destination" => Ranked::LocalTo,
            _ => match (what.strip_prefix("sending "), what.strip_suffix(" destination")) {
                (Some(name), _) => Ranked::From(by(name)?),
                (_, Some(name)) => Ranked::To(by(name)?),
                _ => return None,
            },
        })
    }

    /// Columns before the name, without the messages: has it addresses, has it volumes (which an average follows)?
    fn columns(self) -> (bool, bool) {
        match self {
            Ranked::From(_) | Ranked::LocalFrom => (false, true),
            Ranked::To(_) | Ranked::LocalTo => (true, true),
            _ => (false, false),
        }
    }

    fn sums(self, c: &mut Collected) -> &mut Sums {
        match self {
            Ranked::Rejections => &mut c.rejections,
            Ranked::RejectionsForNow => &mut c.rejections_for_now,
            Ranked::RejectedIps => &mut c.rejected_ips,
            Ranked::RejectedIpsForNow => &mut c.rejected_ips_for_now,
            Ranked::From(by) => c.from.entry(by).or_default(),
            Ranked::LocalFrom => &mut c.local_from,
            Ranked::To(by) => c.to.entry(by).or_default(),
            Ranked::LocalTo => &mut c.local_to,
        }
    }
}

/// The part of a report that is being read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Total,
    Patterns,
    Transports,
    /// Deliveries, or else receptions, by time of the day.
    Histogram(bool),
    /// Times of what, and are they of messages that went to other hosts?
    Queue(bool),
    Deliveries(bool),
    Receipts(String),
    Relays,
    Ranking(Ranked),
    Errors,
    /// The times of day of a pattern are not told of again.
    Passed,
}

impl Part {
    fn of(title: &str) -> Option<Self> {
        let title = title.split(" (each dot is ").next().unwrap_or(title);
        let remote = |whose: &str| match whose {
            "all messages" => Some(false),
            "messages with at least one remote delivery" => Some(true),
            _ => None,
        };
        Some(match title {
            "Grand total summary" => Part::Total,
            "User Specified Patterns" => Part::Patterns,
            "Deliveries by transport" | "Deliveries by Transport" => Part::Transports,
            "Relayed messages" | "No relayed messages" => Part::Relays,
            "List of errors" => Part::Errors,
            _ if title.starts_with("Errors encountered: ") => Part::Passed,
            _ => {
                if let Some((what, _)) = title.split_once(" per ") {
                    match what {
                        "Messages received" => Part::Histogram(false),
                        "Deliveries" => Part::Histogram(true),
                        _ => Part::Passed,
                    }
                } else if let Some(whose) = title.strip_prefix("Time spent on the queue: ") {
                    Part::Queue(remote(whose)?)
                } else if let Some(whose) = title.strip_prefix("Delivery times: ") {
                    Part::Deliveries(remote(whose)?)
                } else if let Some(whose) = title.strip_prefix("Receipt times: ") {
                    Part::Receipts(whose.strip_suffix(" messages")?.to_string())
                } else {
                    let (_, what) = title.strip_prefix("Top ")?.split_once(' ')?;
                    let what = what.strip_suffix("s by message count").or_else(|| what.strip_suffix("s by volume"))?;
                    Part::Ranking(Ranked::of(what)?)
                }
            }
        })
    }
}

struct Merge<'c> {
    c: &'c mut Collected,
    part: Part,
    /// What this report groups hosts by.
    by: Vec<By>,
    /// Names of this report's tables that have been counted.
    seen: HashSet<(Ranked, String)>,
    /// The relay or error whose text goes on.
    open: Option<(u64, String)>,
    hour: u32,
}

/// Adds up all reports; the errors are for people.
pub fn read(files: &mut LogFiles, c: &mut Collected) -> Vec<String> {
    c.groups = Some(Groups::default());
    let mut merge = Merge { c, part: Part::Passed, by: Vec::new(), seen: HashSet::new(), open: None, hour: 0 };
    let (mut items, mut line, mut errors) = (Items::default(), String::new(), Vec::new());
    let mut more = true;
    while more {
        more = files.next(&mut line);
        for item in items.next(more.then_some(line.as_str())) {
            if let Err(e) = merge.item(&item) {
                errors.push(e);
            }
        }
    }
    merge.close();
    errors
}

impl Merge<'_> {
    fn item(&mut self, item: &Item) -> Result<(), String> {
        let line = match item {
            Item::Report(span) => {
                self.close();
                (self.part, self.by) = (Part::Passed, Vec::new());
                self.seen.clear();
                self.span(span);
                return Ok(());
            }
            Item::Section(title) => {
                self.close();
                let part = Part::of(title);
                self.part = part.clone().unwrap_or(Part::Passed);
                return part.map(|_| ()).ok_or_else(|| format!("the section \"{title}\" cannot be merged"));
            }
            Item::Line(line) => line.as_str(),
        };
        self.line(line).ok_or_else(|| format!("cannot read \"{}\"", line.trim()))
    }

    /// `2026-03-01 00:16:30 to 2026-03-01 22:13:38`
    fn span(&mut self, span: &str) {
        let Some((first, last)) = span.split_once(" to ") else { return };
        if self.c.first.is_empty() || first < self.c.first.as_str() {
            self.c.first = first.to_string();
        }
        if last > self.c.last.as_str() {
            self.c.last = last.to_string();
        }
    }

    /// Counts the relay or error that was being read.
    fn close(&mut self) {
        let Some((n, text)) = self.open.take() else { return };
        let counts = if self.part == Part::Errors { &mut self.c.errors } else { &mut self.c.relays };
        add(counts.entry(text).or_default(), n);
    }

    /// A line of a part. `None`: it is none that such a part has.
    fn line(&mut self, line: &str) -> Option<()> {
        match &self.part {
            Part::Passed => return Some(()),
            Part::Errors | Part::Relays => return self.text(line),
            // The name of a pattern or transport can be anything, a heading has no number.
            _ if !line.bytes().any(|b| b.is_ascii_digit()) => {
                if self.part == Part::Total && line.contains("TOTAL") {
                    self.by = line.split_whitespace().filter_map(heading).collect();
                }
                return Some(());
            }
            _ => {}
        }
        let mut words = line.split_whitespace();
        match self.part.clone() {
            Part::Total => self.total(line.trim_start()),
            Part::Patterns => {
                let (name, n) = line.trim().rsplit_once(char::is_whitespace)?;
                let n = n.parse().ok()?;
                match self.c.patterns.iter_mut().find(|p| p.0 == name.trim_end()) {
                    Some((_, all)) => add(all, n),
                    None => self.c.patterns.push((name.trim_end().to_string(), n)),
                }
                Some(())
            }
            Part::Transports => {
                let one = Sum { messages: words.next_back()?.parse().ok()?, bytes: volume(words.next_back()?)?, addresses: 0 };
                plus(self.c.transports.entry(words.next_back()?.to_string()).or_default(), one);
                Some(())
            }
            Part::Histogram(deliveries) => {
                let minute = self.minute(words.next()?)?;
                let counts = if deliveries { &mut self.c.delivered_at } else { &mut self.c.received_at };
                add(counts.entry(minute).or_default(), words.next()?.parse().ok()?);
                Some(())
            }
            Part::Queue(remote) => {
                let counts = if remote { &mut self.c.on_queue_remote } else { &mut self.c.on_queue };
                time(counts, &self.c.times, words)
            }
            Part::Deliveries(remote) => {
                let counts = if remote { &mut self.c.delivery_times_remote } else { &mut self.c.delivery_times };
                time(counts, &self.c.delivery_limits, words)
            }
            Part::Receipts(whose) => {
                let limits = &self.c.receipt_limits;
                // They were not asked for.
                if limits.is_empty() {
                    return Some(());
                }
                time(self.c.receipt_times.entry(whose).or_insert_with(|| vec![0; limits.len() + 1]), limits, words)
            }
            Part::Ranking(ranked) => self.ranked(ranked, line),
            Part::Passed | Part::Errors | Part::Relays => Some(()),
        }
    }

    fn total(&mut self, line: &str) -> Option<()> {
        let row = ["Received", "Delivered", "Temp Rejects", "Rejects"].into_iter().find(|r| line.starts_with(r))?;
        let mut words = line[row.len()..].split_whitespace();
        let bytes = if row.ends_with("Rejects") { 0 } else { volume(words.next()?)? };
        let messages = words.next()?.parse().ok()?;
        let c = &mut *self.c;
        let groups = c.groups.get_or_insert_default();
        match row {
            "Received" => {
                plus(&mut c.received, Sum { messages, addresses: 0, bytes });
                count(&mut groups.from, &self.by, &mut words)?;
                // Numbers with what they are of a hundred.
                add(&mut c.delayed, words.next()?.parse().ok()?);
                words.next()?;
                add(&mut c.failed, words.next()?.parse().ok()?);
            }
            "Delivered" => {
                plus(&mut c.delivered, Sum { messages, addresses: words.next()?.parse().ok()?, bytes });
                count(&mut groups.to, &self.by, &mut words)?;
            }
            _ => {
                let (number, hosts) = match row {
                    "Rejects" => (&mut c.rejected, &mut groups.rejected),
                    _ => (&mut c.rejected_for_now, &mut groups.rejected_for_now),
                };
                add(number, messages);
                add(hosts, words.next().map_or(Some(0), |n| n.parse().ok())?);
            }
        }
        Some(())
    }

    /// `00-01`, `00:00` or `  :15`
    fn minute(&mut self, label: &str) -> Option<u32> {
        let minutes = match label.split_once([':', '-'])? {
            ("", minutes) => minutes.parse().ok()?,
            (hour, minutes) => {
                self.hour = hour.parse().ok().filter(|h| *h < 24)?;
                if label.contains('-') { 0 } else { minutes.parse().ok()? }
            }
        };
        Some(self.hour * 60 + minutes).filter(|_| minutes < 60)
    }

    fn ranked(&mut self, ranked: Ranked, line: &str) -> Option<()> {
        let (addresses, volumes) = ranked.columns();
        let (messages, mut rest) = word(line)?;
        let mut one = Sum { messages: messages.parse().ok()?, ..Sum::default() };
        if addresses {
            let (n, after) = word(rest)?;
            (one.addresses, rest) = (n.parse().ok()?, after);
        }
        if volumes {
            let (bytes, after) = word(rest)?;
            (one.bytes, rest) = (volume(bytes)?, word(after)?.1);
        }
        let name = rest.trim().to_string();
        if self.seen.insert((ranked, name.clone())) {
            plus(ranked.sums(self.c).entry(name).or_default(), one);
        }
        Some(())
    }

    /// A line of relays or errors: a number and a text, which may go on in the next line.
    fn text(&mut self, line: &str) -> Option<()> {
        let text = line.trim();
        if text.starts_with("Total: ") || text.starts_with("Errors encountered: ") || text == "No relayed messages" {
            return Some(());
        }
        let relay = self.part == Part::Relays;
        let goes_on = if relay { text.starts_with("=> ") } else { line.starts_with('\t') };
        match (&mut self.open, word(line)) {
            (Some((_, open)), _) if goes_on => {
                // As the log's lines have given it.
                open.push_str(if relay { "\n      " } else { " " });
                open.push_str(text);
            }
            (_, Some((n, rest))) if !goes_on && n.bytes().all(|b| b.is_ascii_digit()) => {
                let n = n.parse().ok()?;
                self.close();
                let rest = rest.trim_start();
                // The reference's pages have both hosts in a row.
                let text = match rest.split_once('\t').filter(|_| relay) {
                    Some((from, to)) => format!("{} \n      => {}", from.trim(), to.trim()),
                    None if relay => format!("{} ", rest.trim_end()),
                    None => rest.trim_end().to_string(),
                };
                self.open = Some((n, text));
            }
            // Headings of the reference's pages.
            _ if !goes_on && !text.bytes().any(|b| b.is_ascii_digit()) => {}
            _ => return None,
        }
        Some(())
    }
}

/// A column of the total.
fn heading(word: &str) -> Option<By> {
    By::ALL.into_iter().find(|b| b.heading() == word)
}

/// Adds the next words, one for each group.
fn count<'w>(groups: &mut Vec<(By, u64)>, by: &[By], words: &mut impl Iterator<Item = &'w str>) -> Option<()> {
    for by in by {
        let n = words.next()?.parse().ok()?;
        match groups.iter_mut().find(|g| g.0 == *by) {
            Some((_, all)) => add(all, n),
            None => groups.push((*by, n)),
        }
    }
    Some(())
}

/// `Under 1m 20 ...`, `5m 11 ...` or `Over 3h 2 ...`: goes where it fits among the limits; what is over the last one of a report
/// could be any longer time.
fn time<'w>(counts: &mut [u64], limits: &[i64], mut words: impl Iterator<Item = &'w str>) -> Option<()> {
    let mut limit = words.next()?;
    let over = limit == "Over";
    if over || limit == "Under" {
        limit = words.next()?;
    }
    let limit = parse_interval(limit.as_bytes())?;
    let n = words.next()?.parse().ok()?;
    let place = limits.iter().position(|l| *l >= limit).filter(|_| !over).unwrap_or(limits.len());
    // There are no counts of what was not asked for.
    if let Some(count) = counts.get_mut(place) {
        add(count, n);
    }
    Some(())
}

/// `1234`, `285MB`
fn volume(text: &str) -> Option<u64> {
    let units = [("KB", 1u64 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40)];
    let (number, unit) = units.iter().find_map(|(u, n)| Some((text.strip_suffix(u)?, *n))).unwrap_or((text, 1));
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// The first word and what follows.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn add(all: &mut u64, n: u64) {
    *all = all.saturating_add(n);
}

fn plus(all: &mut Sum, one: Sum) {
    add(&mut all.messages, one.messages);
    add(&mut all.addresses, one.addresses);
    add(&mut all.bytes, one.bytes);
}

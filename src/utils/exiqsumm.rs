//! `exiqsumm`: sums up the list of the queue by domain (manual section 54.3).

use std::collections::BTreeMap;
use std::io::Read;

use super::support::{QueueEntry, parse_queue, rounded, seconds_of_age, size_of};

/// One line of the result.
#[derive(Clone, Debug, Default)]
struct Sum {
    count: u64,
    volume: u64,
    oldest: Option<(i64, String)>,
    newest: Option<(i64, String)>,
}

impl Sum {
    fn add(&mut self, e: &QueueEntry) {
        let age = (seconds_of_age(&e.age), e.age.clone());
        self.count += 1;
        self.volume = self.volume.saturating_add(size_of(&e.size));
        if self.oldest.as_ref().is_none_or(|o| o.0 < age.0) {
            self.oldest = Some(age.clone());
        }
        if self.newest.as_ref().is_none_or(|n| n.0 > age.0) {
            self.newest = Some(age);
        }
    }

    fn print(&self, name: &str) {
        let age = |a: &Option<(i64, String)>| a.as_ref().map_or("0m", |a| a.1.as_str()).to_string();
        println!("{:5} {:>7} {:>7} {:>7}  {name}", self.count, rounded(self.volume), age(&self.oldest), age(&self.newest));
    }
}

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let mut o = getopts::Options::new();
    o.optflag("a", "", "sort by the age of the oldest message").optflag("c", "", "sort by the count of messages");
    o.optflag("b", "", "bounce messages apart").optflag("f", "", "frozen messages apart").optflag(
        "s",
        "",
        "senders' domains apart",
    );
    o.optflag("h", "help", "this text");
    let usage = o.usage("Usage: exim -bp | exiqsumm [options]");
    let m = match o.parse(args) {
        Ok(m) if m.opt_present("h") => {
            print!("{usage}");
            return 0;
        }
        Ok(m) if m.free.is_empty() => m,
        Ok(_) => {
            eprint!("exiqsumm: the list of the queue comes by standard input\n{usage}");
            return 1;
        }
        Err(e) => {
            eprint!("exiqsumm: {e}\n{usage}");
            return 1;
        }
    };
    let mut text = Vec::new();
    if let Err(e) = std::io::stdin().read_to_end(&mut text) {
        eprintln!("exiqsumm: {e}");
        return 1;
    }
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    let mut total = Sum::default();
    for e in parse_queue(&String::from_utf8_lossy(&text)) {
        for recipient in e.recipients.iter().filter(|r| !r.starts_with("D ")) {
            let mut name = recipient.rsplit_once('@').map_or(recipient.as_str(), |(_, d)| d).to_ascii_lowercase();
            if m.opt_present("s") {
                let sender = e.sender.trim_matches(['<', '>']);
                let domain = if sender.is_empty() { "<>" } else { sender.rsplit_once('@').map_or(sender, |(_, d)| d) };
                name = format!("{domain} > {name}");
            }
            if m.opt_present("b") && e.sender == "<>" {
                name.push_str(" (b)");
            }
            if m.opt_present("f") && e.frozen {
                name.push_str(" (f)");
            }
            sums.entry(name).or_default().add(&e);
            total.add(&e);
        }
    }
    let mut lines: Vec<(String, Sum)> = sums.into_iter().collect();
    if m.opt_present("c") {
        lines.sort_by_key(|(_, s)| std::cmp::Reverse(s.count));
    } else if m.opt_present("a") {
        lines.sort_by_key(|(_, s)| std::cmp::Reverse(s.oldest.as_ref().map(|o| o.0)));
    }
    println!("\nCount  Volume  Oldest  Newest  Domain\n-----  ------  ------  ------  ------\n");
    for (name, sum) in &lines {
        sum.print(name);
    }
    println!("{}", "-".repeat(63));
    total.print("TOTAL\n");
    0
}

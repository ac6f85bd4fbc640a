//! `exigrep`: all log lines of the messages that a pattern is found in (manual section 54.4).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;

use super::log_line::{LogFiles, LogLine, field};
use crate::sys::pcre::{Options, Regex};

/// Bytes of lines kept of one message.
const MAX_KEPT: usize = 16 << 20;

/// A message whose lines are being gathered.
#[derive(Default)]
struct Message {
    lines: String,
    matched: bool,
    began: Option<i64>,
}

struct Search {
    pattern: Regex,
    invert: bool,
    related: bool,
    seconds: Option<i64>,
    open: HashMap<String, Message>,
    /// Messages that were found, for those that answer them.
    found: HashSet<String>,
}

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let mut o = getopts::Options::new();
    o.optflag("l", "literal", "the pattern is plain text").optflag("I", "sensitive", "upper and lower case matter");
    o.optflag("v", "invert", "what the pattern is not found in");
    o.optflag("M", "related", "messages that answer those found, too").optflag("", "no-pager", "(no pager is used anyhow)");
    o.optopt("t", "queue-time", "completed messages only if they took longer than this", "SECONDS");
    o.optflag("h", "help", "this text");
    let usage = o.usage("Usage:\n    exigrep [options] pattern [log] ...");
    let m = match o.parse(args) {
        Ok(m) if m.opt_present("h") => {
            print!("{usage}");
            return 0;
        }
        Ok(m) if !m.free.is_empty() => m,
        Ok(_) => {
            eprint!("{usage}");
            return 2;
        }
        Err(e) => {
            eprint!("exigrep: {e}\n{usage}");
            return 2;
        }
    };
    let seconds = match m.opt_str("t").map(|t| t.parse::<i64>()) {
        None => None,
        Some(Ok(n)) => Some(n),
        Some(Err(_)) => {
            eprintln!("exigrep: -t needs a number of seconds");
            return 1;
        }
    };
    let text = if m.opt_present("l") { literal(&m.free[0]) } else { m.free[0].clone() };
    let options = if m.opt_present("I") { Options::NONE } else { Options::CASELESS };
    let pattern = match Regex::new(text.as_bytes(), options) {
        Ok(p) => p,
        Err(e) => {
            eprintln!("exigrep: bad pattern: {e}");
            return 1;
        }
    };
    let mut search = Search {
        pattern,
        invert: m.opt_present("v"),
        related: m.opt_present("M"),
        seconds,
        open: HashMap::new(),
        found: HashSet::new(),
    };
    let mut files = LogFiles::new(m.free[1..].to_vec());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut line = String::new();
    // Nobody reads any longer: enough.
    while files.next(&mut line) && search.line(&line, &mut out).is_ok() {}
    let done = search.unfinished(&mut out).and_then(|()| out.flush());
    for e in &files.errors {
        eprintln!("exigrep: {e}");
    }
    let failed = !files.errors.is_empty() || done.is_err_and(|e| e.kind() != std::io::ErrorKind::BrokenPipe);
    if failed { 2 } else { 0 }
}

fn literal(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

impl Search {
    fn line(&mut self, line: &str, out: &mut dyn Write) -> std::io::Result<()> {
        let Some(parsed) = LogLine::parse(line) else { return Ok(()) };
        // What syslog has put before it is left out.
        let line = line.get(parsed.at..).unwrap_or(line);
        let hit = self.pattern.is_match(line.as_bytes());
        if parsed.id.is_empty() {
            return if hit != self.invert { writeln!(out, "{line}\n") } else { Ok(()) };
        }
        let answers = self.related
            && parsed.text.starts_with("<= ")
            && field(parsed.text, "R=").is_some_and(|other| self.found.contains(other));
        let message = self.open.entry(parsed.id.to_string()).or_default();
        message.matched |= hit || answers;
        if message.lines.len() < MAX_KEPT {
            message.lines.push_str(line);
            message.lines.push('\n');
        }
        if parsed.text.starts_with("<= ") {
            message.began = Some(parsed.seconds());
        }
        if self.related && message.matched != self.invert {
            self.found.insert(parsed.id.to_string());
        }
        if !parsed.text.starts_with("Completed") {
            return Ok(());
        }
        let Some(message) = self.open.remove(parsed.id) else { return Ok(()) };
        let long = self.seconds.is_none_or(|limit| message.began.is_some_and(|began| parsed.seconds() - began > limit));
        if message.matched != self.invert && long {
            writeln!(out, "{}", message.lines)?;
        }
        Ok(())
    }

    /// Those that are still on the queue, or that began before the log did.
    fn unfinished(&mut self, out: &mut dyn Write) -> std::io::Result<()> {
        let rest: BTreeMap<String, Message> = self.open.drain().filter(|(_, m)| m.matched != self.invert).collect();
        for (id, message) in rest {
            write!(out, "+++ {id} has not completed +++\n{}\n", message.lines)?;
        }
        Ok(())
    }
}

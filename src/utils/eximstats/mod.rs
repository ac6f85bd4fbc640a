//! `eximstats`: statistics of the main log, as text or as an HTML page with charts (manual section 54.7).
//!
//! `collect` reads the log, `report` puts tables together, `text` and `html` show them. With `-merge`, `merge` reads reports
//! instead, which `page` takes apart.

mod collect;
mod html;
mod merge;
mod page;
mod report;
mod text;

use std::io::Write;

use super::log_line::{LogFiles, LogLine};
use crate::sys::pcre::{Options as RegexOptions, Regex};
use collect::Collected;

const USAGE: &str = "Usage: eximstats [output] [options] mainlog ...
       eximstats -merge [output] [options] report ...

Output:
  -txt[=<file>]   plain text (the default)
  -html[=<file>]  HTML, with charts that need no script

Options:
  -h<number>      divisions of an hour in histograms: 1 (default), 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60; 0: none
  -ne             no errors
  -nr[/pattern/]  no relaying, or not what the pattern is found in
  -nt[/pattern/]  no transports, or not those
  -nvr            volumes in bytes
  -t<number>      so many sources and destinations (default 50); 0: none
  -tnl            no local ones among them
  -q<list>        times in seconds for the time spent on the queue, with commas; -q0: none
  -show_dt<list>  times of deliveries (DT= in the log), as -q
  -show_rt<list>  times of receptions (QT= of Completed in the log)
  -t_remote_users   users at other hosts among the destinations
  -include_original_destination
                  destinations as the mail was addressed
  -byhost -bydomain -byemail -byedomain (-byemaildomain)
                  sources and destinations by these (default -byhost)
  -pattern <description> </pattern/>
                  counts lines
  -charts         HTML has charts in any case; -chartdir and -chartrel <dir>
                  change nothing: they are within the page
  -merge          adds up reports, text or HTML, that were made before
  -emptyok        no log lines are no error
";

/// Limits of the times on the queue, in seconds.
const TIMES: &[i64] = &[60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400];

/// What is wanted.
#[derive(Debug)]
pub struct Options {
    divisions: u32,
    errors: bool,
    relays: Wanted,
    transports: Wanted,
    exact: bool,
    top: usize,
    local: bool,
    queue_times: Vec<i64>,
    /// Limits of `-show_dt`, empty: not shown.
    delivery_times: Vec<i64>,
    /// Of `-show_rt`.
    receipt_times: Vec<i64>,
    /// Destinations are what mail was addressed to.
    original: bool,
    /// Recipients at other hosts are listed with the local ones.
    remote_users: bool,
    by: Vec<By>,
    patterns: Vec<(String, Regex)>,
    empty_ok: bool,
    merge: bool,
    outputs: Vec<(Form, Option<String>)>,
    files: Vec<String>,
}

/// A part of the report that can be left out.
#[derive(Debug)]
enum Wanted {
    All,
    None,
    Not(Regex),
}

impl Wanted {
    fn shows(&self, text: &str) -> bool {
        match self {
            Wanted::All => true,
            Wanted::None => false,
            Wanted::Not(r) => !r.is_match(text.as_bytes()),
        }
    }
}

/// What sources and destinations are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    Host,
    Domain,
    Email,
    EmailDomain,
}

impl By {
    pub const ALL: [By; 4] = [By::Host, By::Domain, By::Email, By::EmailDomain];

    fn name(self) -> &'static str {
        match self {
            By::Host => "host",
            By::Domain => "domain",
            By::Email => "email",
            By::EmailDomain => "edomain",
        }
    }

    /// A column of the total.
    fn heading(self) -> &'static str {
        match self {
            By::Host => "Hosts",
            By::Domain => "Domains",
            By::Email => "Emails",
            By::EmailDomain => "Edomains",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Html,
}

/// See the module.
pub fn run(args: &[String]) -> i32 {
    if args.iter().any(|a| a == "--help" || a == "-help") {
        print!("{USAGE}");
        return 0;
    }
    let options = match parse(args) {
        Ok(o) => o,
        Err(e) => {
            eprint!("eximstats: {e}\n\n{USAGE}");
            return 1;
        }
    };
    let mut collected = Collected::new(&options);
    let mut files = LogFiles::new(options.files.clone());
    if options.merge {
        let errors = merge::read(&mut files, &mut collected);
        files.errors.extend(errors);
    } else {
        read_logs(&mut files, &mut collected);
    }
    for e in &files.errors {
        eprintln!("eximstats: {e}");
    }
    if !collected.any() && !options.empty_ok {
        eprintln!("**** No valid log lines read");
        return 1;
    }
    let report = report::build(&options, &collected);
    let mut status = i32::from(!files.errors.is_empty());
    for (form, path) in &options.outputs {
        let shown = match form {
            Form::Text => text::show(&report),
            Form::Html => html::show(&report),
        };
        let written = match path {
            Some(p) => std::fs::write(p, shown),
            None => std::io::stdout().write_all(shown.as_bytes()),
        };
        if let Err(e) = written {
            eprintln!("eximstats: {}: {}", path.as_deref().unwrap_or("standard output"), crate::sys::error_text(&e));
            status = 1;
        }
    }
    status
}

fn read_logs(files: &mut LogFiles, collected: &mut Collected) {
    let mut line = String::new();
    while files.next(&mut line) {
        collected.count_patterns(&line);
        if let Some(parsed) = LogLine::parse(&line) {
            collected.line(&parsed);
        }
    }
}

fn parse(args: &[String]) -> Result<Options, String> {
    let mut o = Options {
        divisions: 1,
        errors: true,
        relays: Wanted::All,
        transports: Wanted::All,
        exact: false,
        top: 50,
        local: true,
        queue_times: TIMES.to_vec(),
        delivery_times: Vec::new(),
        receipt_times: Vec::new(),
        original: false,
        remote_users: false,
        by: Vec::new(),
        patterns: Vec::new(),
        empty_ok: false,
        merge: false,
        outputs: Vec::new(),
        files: Vec::new(),
    };
    let mut it = args.iter();
    while let Some(a) = it.next() {
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("bad number in {a}"));
        match a.as_str() {
            "-ne" => o.errors = false,
            "-nvr" => o.exact = true,
            "-tnl" => o.local = false,
            "-emptyok" | "-emptyOK" => o.empty_ok = true,
            "-merge" => o.merge = true,
            "-charts" => {}
            // Charts are within the page.
            "-chartdir" | "-chartrel" => {
                it.next().ok_or_else(|| format!("{a} needs a directory"))?;
            }
            "-t_remote_users" => o.remote_users = true,
            "-include_original_destination" => o.original = true,
            "-byhost" => o.by.push(By::Host),
            "-bydomain" => o.by.push(By::Domain),
            "-byemail" => o.by.push(By::Email),
            "-byedomain" | "-byemaildomain" => o.by.push(By::EmailDomain),
            "-pattern" => {
                let (Some(what), Some(pattern)) = (it.next(), it.next()) else {
                    return Err("-pattern needs a description and a pattern".into());
                };
                o.patterns.push((what.clone(), regex(pattern)?));
            }
            other => {
                if let Some((form, path)) = output(other) {
                    o.outputs.push((form, path));
                } else if let Some(list) = other.strip_prefix("-show_dt") {
                    o.delivery_times = if list.is_empty() { TIMES.to_vec() } else { times(list)? };
                } else if let Some(list) = other.strip_prefix("-show_rt") {
                    o.receipt_times = if list.is_empty() { TIMES.to_vec() } else { times(list)? };
                } else if let Some(pattern) = other.strip_prefix("-nr") {
                    o.relays = wanted(pattern)?;
                } else if let Some(pattern) = other.strip_prefix("-nt") {
                    o.transports = wanted(pattern)?;
                } else if let Some(n) = other.strip_prefix("-h") {
                    o.divisions = number(n)?;
                    if o.divisions > 60 || (o.divisions > 0 && 60 % o.divisions != 0) {
                        return Err(format!("an hour cannot be divided by {}", o.divisions));
                    }
                } else if let Some(list) = other.strip_prefix("-q") {
                    o.queue_times = times(list)?;
                } else if let Some(n) =
                    other.strip_prefix("-t").filter(|n| n.bytes().all(|b| b.is_ascii_digit()) && !n.is_empty())
                {
                    o.top = number(n)? as usize;
                } else if other.starts_with('-') {
                    return Err(format!("option {other} is not implemented"));
                } else {
                    o.files.push(other.to_string());
                }
            }
        }
    }
    o.by.sort_unstable();
    o.by.dedup();
    if o.by.is_empty() {
        o.by.push(By::Host);
    }
    if o.outputs.is_empty() {
        o.outputs.push((Form::Text, None));
    }
    Ok(o)
}

fn output(word: &str) -> Option<(Form, Option<String>)> {
    let (name, path) = word.split_once('=').map_or((word, None), |(n, p)| (n, Some(p.to_string())));
    match name {
        "-txt" => Some((Form::Text, path)),
        "-html" => Some((Form::Html, path)),
        _ => None,
    }
}

fn wanted(pattern: &str) -> Result<Wanted, String> {
    if pattern.is_empty() { Ok(Wanted::None) } else { regex(pattern).map(Wanted::Not) }
}

fn regex(given: &str) -> Result<Regex, String> {
    let bare = given.strip_prefix('/').and_then(|p| p.strip_suffix('/')).unwrap_or(given);
    Regex::new(bare.as_bytes(), RegexOptions::NONE).map_err(|e| format!("bad pattern {given}: {e}"))
}

/// `60,300`; products such as `5*60` are allowed.
fn times(list: &str) -> Result<Vec<i64>, String> {
    if list == "0" {
        return Ok(Vec::new());
    }
    let one = |item: &str| item.split('*').map(|n| n.trim().parse::<i64>().ok()).try_fold(1i64, |all, n| all.checked_mul(n?));
    let all: Option<Vec<i64>> = list.split([',', '+']).map(one).collect();
    match all {
        Some(t) if t.is_sorted() && t.iter().all(|t| *t > 0) => Ok(t),
        _ => Err(format!("bad list of times in -q{list}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_report() {
        let args = |a: &[&str]| a.iter().map(ToString::to_string).collect::<Vec<_>>();
        let o = parse(&args(&["-h2", "-byemail", "-q60,5*60", "-nr/x/", "f"])).unwrap();
        assert_eq!((o.divisions, o.by.as_slice(), o.queue_times.as_slice()), (2, &[By::Email][..], &[60, 300][..]));
        assert!(parse(&args(&["-xls"])).is_err() && parse(&args(&["-h7"])).is_err());
        let o = parse(&args(&[])).unwrap();
        let mut c = Collected::new(&o);
        for line in [
            "2026-03-01 10:00:01 1vwAAA-000000001Aa-1234 <= a@x.example H=mx [192.0.2.1] P=esmtp S=1234",
            "2026-03-01 10:00:03 1vwAAA-000000001Aa-1234 => <script>@b R=r T=t H=h [192.0.2.2]",
            "2026-03-01 10:00:03 1vwAAA-000000001Aa-1234 Completed",
        ] {
            c.line(&LogLine::parse(line).unwrap());
        }
        let report = report::build(&o, &c);
        let text = text::show(&report);
        assert!(text.contains("Exim statistics from 2026-03-01 10:00:01 to 2026-03-01 10:00:03"), "{text}");
        assert!(text.contains("Under   1m        1 100.0%  100.0%"), "{text}");
        let html = html::show(&report);
        assert!(html.contains("<svg") && !html.contains("<script>"));
        // Both forms can be read again, and come to the same.
        for form in [&text, &html] {
            let mut merged = Collected::new(&o);
            let mut reports = LogFiles::of_text(form.repeat(2));
            assert_eq!(merge::read(&mut reports, &mut merged), Vec::<String>::new());
            assert_eq!((merged.received.messages, merged.received.bytes, merged.on_queue.first()), (2, 2468, Some(&2)));
            assert_eq!(merged.relays.values().sum::<u64>(), 2, "{form}");
            let again = text::show(&report::build(&o, &merged));
            assert!(again.contains("Under   1m        2 100.0%  100.0%") && again.contains("1234   mx"), "{again}");
        }
        let mut merged = Collected::new(&o);
        let bad = "Exim statistics from a to b\nGrand total summary\n-------------------\n  Received 1XB 2\n  Rejects 99999999999999999999\nTop\n---\n";
        assert_eq!(merge::read(&mut LogFiles::of_text(bad.into()), &mut merged).len(), 3);
    }
}

//! `exiqgrep`: picks messages out of the list of the queue (manual section 54.2).

use super::support::Exim;
use crate::sys::pcre::{Options, Regex};

const HELP: &str = "Exim message queue display utility.

\t-h\t\tThis help message.
\t-C\t\tSpecify which exim.conf to use.
\t-E\t\tSpecify exim binary to use.

Selection criteria:
\t-f <regexp>\tMatch sender address sender (field is \"< >\" wrapped)
\t-r <regexp>\tMatch recipient address
\t-s <regexp>\tMatch against the size field from long output
\t-y <seconds>\tMessage younger than
\t-o <seconds>\tMessage older than
\t-z\t\tFrozen messages only (exclude non-frozen)
\t-x\t\tNon-frozen messages only (exclude frozen)
\t-G <queuename>\tMatch in given queue only

[ NB: for regexps, provided string sits in /<string>/ ]

Display options:
\t-c\t\tDisplay match count
\t-l\t\tLong Format [Default]
\t-i\t\tMessage IDs only
\t-b\t\tBrief Format
\t-R\t\tReverse order
\t-a\t\tAll recipients (including delivered)
";

/// One message of the list.
struct Entry {
    age: String,
    size: String,
    id: String,
    sender: String,
    frozen: bool,
    recipients: Vec<String>,
}

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let (mut exim, args) = Exim::from_arguments(args);
    let mut o = getopts::Options::new();
    for flag in ["h", "z", "x", "c", "l", "i", "b", "R", "a"] {
        o.optflag(flag, "", "");
    }
    for value in ["f", "r", "s", "y", "o", "G", "E"] {
        o.optopt(value, "", "", "");
    }
    let m = match o.parse(&args) {
        Ok(m) if m.opt_present("h") => {
            print!("{HELP}");
            return 0;
        }
        Ok(m) => m,
        Err(e) => {
            eprintln!("exiqgrep: {e}");
            print!("{HELP}");
            return 1;
        }
    };
    if let Some(path) = m.opt_str("E") {
        exim.path = path;
    }
    let list_option = if m.opt_present("a") { "-bp" } else { "-bpu" };
    let queue = m.opt_str("G").map(|q| format!("-qG{q}"));
    let mut command = vec![list_option];
    command.extend(queue.as_deref());
    let text = match exim.ask(&command) {
        Ok(t) => t,
        Err(e) => {
            eprintln!("exiqgrep: {e}");
            return 1;
        }
    };
    let mut entries = parse(&text);
    let total = entries.len();
    let regex = |name: &str| m.opt_str(name).map(|s| Regex::new(s.as_bytes(), Options::CASELESS));
    let (f, r, s) = (regex("f"), regex("r"), regex("s"));
    if let Some(Err(_)) = [&f, &r, &s].into_iter().flatten().find(|r| r.is_err()) {
        eprintln!("exiqgrep: malformed regular expression");
        return 1;
    }
    let fits = |re: &Option<Result<Regex, _>>, text: &str| match re {
        Some(Ok(re)) => re.is_match(text.as_bytes()),
        _ => true,
    };
    let seconds = |name: &str| m.opt_str(name).and_then(|v| v.parse::<i64>().ok());
    entries.retain(|e| {
        fits(&f, &e.sender)
            && (r.is_none() || e.recipients.iter().any(|a| fits(&r, a)))
            && fits(&s, &e.size)
            && !(m.opt_present("z") && !e.frozen)
            && !(m.opt_present("x") && e.frozen)
            && seconds("y").is_none_or(|y| age_of(&e.age) <= y)
            && seconds("o").is_none_or(|o| age_of(&e.age) >= o)
    });
    if m.opt_present("R") {
        entries.reverse();
    }
    if m.opt_present("c") {
        println!("{} matches out of {total} messages", entries.len());
        return 0;
    }
    for e in &entries {
        if m.opt_present("i") {
            println!("{}", e.id);
        } else if m.opt_present("b") {
            println!("{} From: {} To: {}", e.id, e.sender, e.recipients.join(";"));
        } else {
            println!("{:>3} {:>5} {} {}{}", e.age, e.size, e.id, e.sender, if e.frozen { " *** frozen ***" } else { "" });
            for a in &e.recipients {
                println!("\t  {a}");
            }
            println!();
        }
    }
    0
}

fn parse(text: &str) -> Vec<Entry> {
    let mut out: Vec<Entry> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if line.starts_with("        ") {
            if let Some(e) = out.last_mut() {
                e.recipients.push(line.trim().to_string());
            }
            continue;
        }
        if let (Some(age), Some(size), Some(id), Some(sender)) = (words.next(), words.next(), words.next(), words.next()) {
            out.push(Entry {
                age: age.into(),
                size: size.into(),
                id: id.into(),
                sender: sender.into(),
                frozen: line.contains("*** frozen ***"),
                recipients: Vec::new(),
            });
        }
    }
    out
}

/// `5m`, `3h`, `2d` in seconds.
fn age_of(text: &str) -> i64 {
    let (n, unit) = text.split_at(text.len().saturating_sub(1));
    let factor = match unit {
        "d" => 86_400,
        "h" => 3600,
        "m" => 60,
        _ => 1,
    };
    n.parse::<i64>().unwrap_or(0) * factor
}

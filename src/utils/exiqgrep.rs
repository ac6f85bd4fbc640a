//! `exiqgrep`: picks messages out of the list of the queue (manual section 54.2).

use super::support::{Exim, parse_queue, seconds_of_age};
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

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let (mut exim, args) = Exim::from_arguments(args);
    let mut o = getopts::Options::new();
    for flag in ["h", "z", "x", "c", "l", "i", "b", "R", "a"] {
        o.optflag(flag, if flag == "h" { "help" } else { "" }, "");
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
    if !["f", "r", "s", "y", "o", "z", "x", "G", "c"].into_iter().any(|name| m.opt_present(name)) {
        print!("{HELP}");
        return 1;
    }
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
    let mut entries = parse_queue(&text);
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
    let mut limits = Vec::new();
    for name in ["y", "o"] {
        match m.opt_str(name).map(|v| v.parse::<i64>()) {
            None => limits.push(None),
            Some(Ok(n)) => limits.push(Some(n)),
            Some(Err(_)) => {
                eprintln!("exiqgrep: -{name} needs a number of seconds");
                return 1;
            }
        }
    }
    let (younger, older) = (limits[0], limits[1]);
    entries.retain(|e| {
        fits(&f, &e.sender)
            && (r.is_none() || e.recipients.iter().any(|a| fits(&r, a)))
            && fits(&s, &e.size)
            && !(m.opt_present("z") && !e.frozen)
            && !(m.opt_present("x") && e.frozen)
            && younger.is_none_or(|y| seconds_of_age(&e.age) < y)
            && older.is_none_or(|o| seconds_of_age(&e.age) > o)
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

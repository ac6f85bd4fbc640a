//! `exipick`: picks messages of the queue by conditions on Exim's variables (manual section 54.5, and `--help`).
//!
//! The queue is listed, and the variables of each message are worked out, by Exim itself.

use super::support::{Exim, QueueEntry, parse_queue, seconds_of_age, size_of};
use crate::sys::pcre::{Options as RegexOptions, Regex};

const HELP: &str = "Usage:
    exipick [<options>] [<criterion> [<criterion> ...]]

Criteria:
    '$variable <operator> value', with eq ne == != < <= > >= =~ !~ or = (without
    regard to case); '$variable', true unless empty or 0; '!' before it: not.
    Any message variable of Exim, and $message_age, $shown_message_size,
    $deliver_freeze, $recipients, $recipients_count, $message_exim_id.

Options:
    --and --or --not        all criteria (default), any, none of them
    --caseful               = honours case
    -f <regexp> -r <regexp> sender, recipients
    -s <size>               size as the listing shows it
    -o <secs> -y <secs>     older, younger than
    -z -x                   frozen, not frozen
    -bp -l (default) -bpa -bpu -bpr -bpra -bpru
    -b -c -bpc -i --flatq   brief, count, ids only, one line for each message
    --size                  the bytes of all messages shown, too
    --show-vars <v>[,<v>]   values of variables, too
    --sort <v>[,<v>] --unsorted --reverse -R --random
    --queue <name> -G <name>, -C --config <file>
";

enum Form {
    Listing,
    Brief,
    Count,
    Ids,
    Flat,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    All,
    Any,
}

struct Wanted {
    form: Form,
    join: Join,
    negated: bool,
    caseful: bool,
    listing: &'static str,
    reverse: bool,
    size: bool,
    show: Vec<String>,
    sort: Vec<String>,
    random: bool,
    queue: Option<String>,
    criteria: Vec<String>,
}

/// A message with the variables that are asked for.
struct Picked {
    entry: QueueEntry,
    values: std::collections::BTreeMap<String, String>,
}

/// See the module.
pub fn run(args: &[String]) -> i32 {
    if args.iter().any(|a| a == "--help" || a == "--man" || a == "-h") {
        print!("{HELP}");
        return 0;
    }
    match work(args) {
        Ok(()) => 0,
        Err(e) => {
            eprintln!("exipick: {e}");
            1
        }
    }
}

fn work(args: &[String]) -> Result<(), String> {
    let args: Vec<String> = args.iter().map(|a| if a == "--config" { "-C".into() } else { a.clone() }).collect();
    let (exim, args) = Exim::from_arguments(&args);
    let w = parse(&args)?;
    let criteria: Vec<Criterion> = w.criteria.iter().map(|c| Criterion::parse(c, w.caseful)).collect::<Result<_, _>>()?;
    let mut names: Vec<String> =
        criteria.iter().map(|c| c.variable.clone()).chain(w.show.iter().cloned()).chain(w.sort.iter().cloned()).collect();
    names.sort();
    names.dedup();
    let queue = w.queue.as_ref().map(|q| format!("-qG{q}"));
    let mut command = vec![w.listing];
    command.extend(queue.as_deref());
    let mut picked = Vec::new();
    for entry in parse_queue(&exim.ask(&command)?) {
        let values = values(&exim, queue.as_deref(), &entry, &names)?;
        let holds = |c: &Criterion| c.holds(values.get(&c.variable).map_or("", String::as_str));
        let fits = match w.join {
            Join::All => criteria.iter().all(holds),
            Join::Any => criteria.is_empty() || criteria.iter().any(holds),
        };
        if criteria.is_empty() || fits != w.negated {
            picked.push(Picked { entry, values });
        }
    }
    for name in w.sort.iter().rev() {
        picked.sort_by(|a, b| {
            let (a, b) = (a.values.get(name).map_or("", String::as_str), b.values.get(name).map_or("", String::as_str));
            match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) => a.total_cmp(&b),
                _ => a.cmp(b),
            }
        });
    }
    if w.random {
        // Any order will do that is another one next time.
        let seed = crate::sys::time::now().usec.unsigned_abs();
        picked.sort_by_key(|p| p.entry.id.bytes().fold(seed, |h, b| h.wrapping_mul(0x0100_0000_01b3) ^ u64::from(b)));
    }
    if w.reverse {
        picked.reverse();
    }
    show(&w, &picked);
    Ok(())
}

fn parse(args: &[String]) -> Result<Wanted, String> {
    let mut w = Wanted {
        form: Form::Listing,
        join: Join::All,
        negated: false,
        caseful: false,
        listing: "-bp",
        reverse: false,
        size: false,
        show: Vec::new(),
        sort: Vec::new(),
        random: false,
        queue: None,
        criteria: Vec::new(),
    };
    let mut it = args.iter();
    while let Some(a) = it.next() {
        let mut value = || it.next().cloned().ok_or_else(|| format!("a value is needed after {a}"));
        let names = |list: String| list.split(',').map(|v| v.trim_start_matches('$').to_string()).collect::<Vec<_>>();
        match a.as_str() {
            "--and" => w.join = Join::All,
            "--or" => w.join = Join::Any,
            "--not" => w.negated = true,
            "--caseful" => w.caseful = true,
            "-bp" | "-l" => w.form = Form::Listing,
            "-bpu" => w.listing = "-bpu",
            "-bpa" => w.listing = "-bpa",
            "-bpr" | "--unsorted" => w.listing = "-bpr",
            "-bpra" => w.listing = "-bpra",
            "-bpru" => w.listing = "-bpru",
            "-b" => w.form = Form::Brief,
            "-c" | "-bpc" => w.form = Form::Count,
            "-i" => w.form = Form::Ids,
            "--flatq" => w.form = Form::Flat,
            "--size" => w.size = true,
            "--reverse" | "-R" => w.reverse = true,
            "--random" => w.random = true,
            "-z" => w.criteria.push("$deliver_freeze".into()),
            "-x" => w.criteria.push("!$deliver_freeze".into()),
            "-f" => w.criteria.push(format!("$sender_address =~ (?i){}", value()?.replace(['<', '>'], ""))),
            "-r" => w.criteria.push(format!("$recipients =~ (?i){}", value()?)),
            "-s" => w.criteria.push(format!("$shown_message_size eq {}", value()?)),
            "-o" => w.criteria.push(format!("$message_age > {}", value()?)),
            "-y" => w.criteria.push(format!("$message_age < {}", value()?)),
            "--show-vars" => w.show.extend(names(value()?)),
            "--sort" => w.sort.extend(names(value()?)),
            "--queue" | "-G" => w.queue = Some(value()?),
            other if other.starts_with('-') => return Err(format!("option {other} is not implemented")),
            other => w.criteria.push(other.to_string()),
        }
    }
    Ok(w)
}

/// What an operator compares.
enum Test {
    True,
    Text(fn(&str, &str) -> bool),
    Number(fn(f64, f64) -> bool),
    Pattern(Regex, bool),
}

struct Criterion {
    variable: String,
    negated: bool,
    test: Test,
    value: String,
}

impl Criterion {
    fn parse(given: &str, caseful: bool) -> Result<Self, String> {
        let bad = || format!("\"{given}\" is no criterion");
        let text = given.trim();
        let bare = text.trim_start_matches('!').trim_start();
        let negated = (text.len() - text.trim_start_matches('!').len()) % 2 == 1;
        let bare = bare.strip_prefix('$').ok_or_else(bad)?;
        let end = bare.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(bare.len());
        let (variable, rest) = bare.split_at(end);
        if variable.is_empty() {
            return Err(bad());
        }
        let rest = rest.trim();
        let (operator, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let value = value.trim().to_string();
        let pattern = || Regex::new(value.as_bytes(), RegexOptions::NONE).map_err(|e| format!("bad pattern in \"{given}\": {e}"));
        let test = match operator {
            "" => Test::True,
            "eq" => Test::Text(|a, b| a == b),
            "ne" => Test::Text(|a, b| a != b),
            "=" if caseful => Test::Text(|a, b| a == b),
            "=" => Test::Text(|a, b| a.eq_ignore_ascii_case(b)),
            "==" => Test::Number(|a, b| a == b),
            "!=" => Test::Number(|a, b| a != b),
            "<" => Test::Number(|a, b| a < b),
            "<=" => Test::Number(|a, b| a <= b),
            ">" => Test::Number(|a, b| a > b),
            ">=" => Test::Number(|a, b| a >= b),
            "=~" => Test::Pattern(pattern()?, true),
            "!~" => Test::Pattern(pattern()?, false),
            _ => return Err(bad()),
        };
        if matches!(test, Test::Number(_)) && number(&value).is_none() {
            return Err(format!("\"{value}\" is no number in \"{given}\""));
        }
        Ok(Criterion { variable: variable.to_string(), negated, test, value })
    }

    fn holds(&self, got: &str) -> bool {
        let result = match &self.test {
            Test::True => !matches!(got, "" | "0"),
            Test::Text(compare) => compare(got, &self.value),
            Test::Number(compare) => match (number(got), number(&self.value)) {
                (Some(a), Some(b)) => compare(a, b),
                _ => false,
            },
            Test::Pattern(r, wanted) => r.is_match(got.as_bytes()) == *wanted,
        };
        result != self.negated
    }
}

/// A number, perhaps with a unit of size or time.
fn number(text: &str) -> Option<f64> {
    if let Ok(n) = text.parse::<f64>() {
        return Some(n);
    }
    let (n, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let factor = match unit {
        "K" | "k" => 1024.0,
        "M" => 1_048_576.0,
        "G" | "g" => 1_073_741_824.0,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    };
    n.parse::<f64>().ok().map(|n| n * factor)
}

/// The values of variables: of the listing where it has them, of Exim otherwise.
fn values(
    exim: &Exim,
    queue: Option<&str>,
    entry: &QueueEntry,
    names: &[String],
) -> Result<std::collections::BTreeMap<String, String>, String> {
    let mut out = std::collections::BTreeMap::new();
    let mut ask = Vec::new();
    for name in names {
        let known = match name.as_str() {
            "deliver_freeze" => Some(u8::from(entry.frozen).to_string()),
            "shown_message_size" => Some(entry.size.clone()),
            "message_exim_id" | "message_id" => Some(entry.id.clone()),
            "sender_address" => Some(entry.sender.trim_matches(['<', '>']).to_string()),
            "recipients" => Some(entry.recipients.join(", ")),
            "recipients_count" => Some(entry.recipients.len().to_string()),
            _ => None,
        };
        match known {
            Some(value) => drop(out.insert(name.clone(), value)),
            None => ask.push(name.clone()),
        }
    }
    if ask.is_empty() {
        return Ok(out);
    }
    let templates: Vec<String> = ask.iter().map(|n| format!("${{escape:${n}}}")).collect();
    let mut command = vec!["-Mset", entry.id.as_str(), "-be"];
    command.extend(templates.iter().map(String::as_str));
    let queue_name = queue.and_then(|q| q.strip_prefix("-qG")).map(str::to_string);
    if let Some(q) = &queue_name {
        command.splice(0..0, ["-MCG", q.as_str()]);
    }
    let text = exim.ask(&command)?;
    let mut lines = text.lines();
    for name in ask {
        let value = match lines.next() {
            Some(line) if !line.starts_with("Failed: ") => line.to_string(),
            // Exim does not know it, or the message is gone; the listing tells the age and size of it.
            _ => match name.as_str() {
                "message_age" => seconds_of_age(&entry.age).to_string(),
                "message_size" => size_of(&entry.size).to_string(),
                _ => return Err(format!("${name} is not known for {}", entry.id)),
            },
        };
        out.insert(name, value);
    }
    Ok(out)
}

fn show(w: &Wanted, picked: &[Picked]) {
    let vars = |p: &Picked| {
        w.show.iter().map(|v| format!("{v}='{}'", p.values.get(v).map_or("", String::as_str))).collect::<Vec<_>>().join(" ")
    };
    for p in picked {
        let e = &p.entry;
        let vars = vars(p);
        let lead = if vars.is_empty() { String::new() } else { format!("{vars} ") };
        match w.form {
            Form::Count => {}
            Form::Ids => println!("{}{}{vars}", e.id, if vars.is_empty() { "" } else { " " }),
            Form::Brief => println!("{lead}{} From: {} To: {}", e.id, e.sender, e.recipients.join(";")),
            Form::Flat => println!(
                "{lead}{} {} {} {}{} {}",
                e.age,
                e.size,
                e.id,
                e.sender,
                if e.frozen { " *** frozen ***" } else { "" },
                e.recipients.join(", ")
            ),
            Form::Listing => {
                println!("{:>3} {:>5} {} {}{}", e.age, e.size, e.id, e.sender, if e.frozen { " *** frozen ***" } else { "" });
                for v in &w.show {
                    println!("  {v}='{}'", p.values.get(v).map_or("", String::as_str));
                }
                for r in &e.recipients {
                    println!("        {}{r}", if r.starts_with("D ") { "" } else { "  " });
                }
                println!();
            }
        }
    }
    if matches!(w.form, Form::Count) {
        println!("{}", picked.len());
    }
    if w.size {
        println!("{}", picked.iter().map(|p| size_of(&p.entry.size)).sum::<u64>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria() {
        let holds = |c: &str, v: &str| Criterion::parse(c, false).map(|c| c.holds(v));
        assert_eq!(holds("$message_size > 1K", "1025"), Ok(true));
        assert_eq!(holds("!$x = abc", "ABC"), Ok(false));
        assert_eq!(holds("$x =~ ^a", "ba"), Ok(false));
        assert_eq!(holds("$x", "0"), Ok(false));
        assert!(holds("x eq 1", "1").is_err() && holds("$x < y", "1").is_err() && holds("$x ?? y", "1").is_err());
        assert!(holds("$", "").is_err() && holds("$x =~ (", "").is_err());
    }
}

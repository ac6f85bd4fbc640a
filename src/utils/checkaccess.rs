//! `exim_checkaccess`: would an address be accepted from a host? A short way to ask by `-bh` (manual section 54.8).

use std::io::Write;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use super::support::Exim;

const USAGE: &str = "Usage: exim_checkaccess <IP address> <email address> [exim options]";

/// See the module.
pub fn run(args: &[String]) -> i32 {
    if args.first().is_some_and(|a| a == "--help" || a == "-h") {
        println!("{USAGE}");
        return 0;
    }
    let [host, address, options @ ..] = args else {
        println!("{USAGE}");
        return 1;
    };
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_err() {
        println!("** Invalid IP address \"{host}\"\n{USAGE}");
        return 1;
    }
    // -f is for MAIL here; everything else is Exim's.
    let mut sender = "";
    let mut passed: Vec<&String> = Vec::new();
    let mut it = options.iter();
    while let Some(o) = it.next() {
        match (o.as_str(), o.strip_prefix("-f")) {
            ("-f", _) => sender = it.next().map_or("", String::as_str),
            (_, Some(attached)) => sender = attached,
            _ => passed.push(o),
        }
    }
    let sender = sender.trim_matches(['<', '>']);
    if [host, address].iter().any(|a| a.contains(['\r', '\n'])) || sender.contains(['\r', '\n']) {
        println!("** a line end in an address");
        return 1;
    }
    let (exim, _) = Exim::from_arguments(&[]);
    let started = Command::new(&exim.path)
        .args(["-bh", host])
        .args(passed)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match started {
        Ok(c) => c,
        Err(e) => {
            println!("** cannot run {}: {e}", exim.path);
            return 1;
        }
    };
    let dialogue = format!("HELO [{host}]\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<{}>\r\nQUIT\r\n", address.trim_matches(['<', '>']));
    if let Some(mut to) = child.stdin.take() {
        // A program that is gone says so by what it answers, or does not.
        let _ = to.write_all(dialogue.as_bytes());
    }
    let Ok(out) = child.wait_with_output() else {
        println!("** no answer from {}", exim.path);
        return 1;
    };
    judge(&String::from_utf8_lossy(&out.stdout))
}

/// Greeting, HELO, MAIL and RCPT must all be accepted.
fn judge(text: &str) -> i32 {
    let mut replies = replies(text).into_iter();
    for _ in ["connection", "HELO", "MAIL", "RCPT"] {
        let Some(reply) = replies.next() else {
            println!("Rejected:\n  no reply");
            return 1;
        };
        if !reply[0].starts_with('2') {
            println!("Rejected:");
            for line in reply {
                println!("  {line}");
            }
            return 0;
        }
    }
    println!("Accepted");
    0
}

/// Replies of one or more lines each; other lines are skipped.
fn replies(text: &str) -> Vec<Vec<&str>> {
    let mut out = Vec::new();
    let mut current = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let is_reply = line.get(..3).is_some_and(|c| c.bytes().all(|b| b.is_ascii_digit()));
        if !is_reply {
            continue;
        }
        current.push(line);
        if line.as_bytes().get(3) != Some(&b'-') {
            out.push(std::mem::take(&mut current));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_lines() {
        assert_eq!(replies("\n220 x\r\n250-a\r\n250 b\r\nnoise\n550 c"), [vec!["220 x"], vec!["250-a", "250 b"], vec!["550 c"]]);
    }
}

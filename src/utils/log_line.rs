//! Lines of the main log, taken apart for exigrep and eximstats. Files of syslog are read, too.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// Where it begins: syslog may have put something before it.
    pub at: usize,
    /// `2026-03-01 10:00:01`
    pub stamp: &'a str,
    /// Of the message, or empty.
    pub id: &'a str,
    /// What follows.
    pub text: &'a str,
}

impl<'a> LogLine<'a> {
    /// Takes a line apart; `None` if it has no date.
    pub fn parse(line: &'a str) -> Option<Self> {
        let at = find_stamp(line)?;
        let stamp = line.get(at..at + 19)?;
        let mut rest = line.get(at + 19..)?;
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        rest = rest.strip_prefix(' ')?;
        // A zone, and the process's id, may come next.
        if rest.starts_with(['+', '-']) && rest.get(1..5).is_some_and(|z| z.bytes().all(|b| b.is_ascii_digit())) {
            rest = rest.get(5..)?.trim_start();
        }
        if let Some((pid, after)) = rest.strip_prefix('[').and_then(|r| r.split_once("] "))
            && pid.bytes().all(|b| b.is_ascii_digit())
        {
            rest = after;
        }
        let word = rest.split(' ').next().unwrap_or_default();
        if crate::spool::is_message_id(word.as_bytes()) {
            return Some(LogLine { at, stamp, id: word, text: rest[word.len()..].trim_start() });
        }
        Some(LogLine { at, stamp, id: "", text: rest })
    }

    /// Seconds since 1970, the stamp taken for UTC: good for differences.
    pub fn seconds(&self) -> i64 {
        let n = |r: std::ops::Range<usize>| self.stamp.get(r).and_then(|s| s.parse::<i64>().ok()).unwrap_or(0);
        let (y, m, d) = (n(0..4), n(5..7), n(8..10));
        // Days since 1970 by the civil calendar: the year begins in March.
        let (y, m) = if m <= 2 { (y - 1, m + 9) } else { (y, m - 3) };
        let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + d - 719_469;
        days * 86_400 + n(11..13) * 3600 + n(14..16) * 60 + n(17..19)
    }
}

/// Where the date begins: at the start, or behind what syslog puts before it.
fn find_stamp(line: &str) -> Option<usize> {
    let digits = |s: &[u8], r: std::ops::Range<usize>| s.get(r).is_some_and(|d| d.iter().all(u8::is_ascii_digit));
    let here = |at: usize| {
        let s = line.as_bytes().get(at..)?;
        let shape = digits(s, 0..4) && s.get(4) == Some(&b'-') && digits(s, 5..7) && s.get(7) == Some(&b'-') && digits(s, 8..10);
        let time =
            s.get(10) == Some(&b' ') && digits(s, 11..13) && s.get(13) == Some(&b':') && digits(s, 14..16) && digits(s, 17..19);
        (shape && time).then_some(at)
    };
    here(0).or_else(|| here(line.find("]: ")? + 3)).or_else(|| here(line.find(": ")? + 2))
}

/// The lines of log files, of standard input if none are named. Compressed ones are read through a program.
pub struct LogFiles {
    names: std::vec::IntoIter<String>,
    current: Option<(Box<dyn BufRead>, Option<Child>)>,
    /// What could not be read.
    pub errors: Vec<String>,
}

/// Bytes of a line that are looked at.
const MAX_LINE: u64 = 1 << 20;

impl LogFiles {
    /// The files of a command line.
    pub fn new(names: Vec<String>) -> Self {
        let current: Option<(Box<dyn BufRead>, _)> =
            names.is_empty().then(|| (Box::new(BufReader::new(std::io::stdin())) as _, None));
        LogFiles { names: names.into_iter(), current, errors: Vec::new() }
    }

    #[cfg(test)]
    pub fn of_text(text: String) -> Self {
        let current: Box<dyn BufRead> = Box::new(std::io::Cursor::new(text));
        LogFiles { names: Vec::new().into_iter(), current: Some((current, None)), errors: Vec::new() }
    }

    /// The next line, without its end, in `line`; false at the end of all.
    pub fn next(&mut self, line: &mut String) -> bool {
        let mut bytes = Vec::new();
        loop {
            if let Some((reader, _)) = &mut self.current {
                bytes.clear();
                match reader.take(MAX_LINE).read_until(b'\n', &mut bytes) {
                    Ok(n) if n > 0 => {
                        *line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_string();
                        return true;
                    }
                    Ok(_) => {}
                    Err(e) => self.errors.push(crate::sys::error_text(&e)),
                }
                if let Some((_, Some(mut child))) = self.current.take() {
                    let _ = child.wait();
                }
            }
            let Some(name) = self.names.next() else { return false };
            match open(&name) {
                Ok(opened) => self.current = Some(opened),
                Err(e) => self.errors.push(format!("cannot open {name}: {}", crate::sys::error_text(&e))),
            }
        }
    }
}

fn open(name: &str) -> std::io::Result<(Box<dyn BufRead>, Option<Child>)> {
    let file = std::fs::File::open(name)?;
    let programs = [(".gz", "gzip"), (".Z", "gzip"), (".bz2", "bzip2"), (".xz", "xz"), (".lzma", "xz"), (".zst", "zstd")];
    let Some((_, program)) = programs.iter().find(|(suffix, _)| name.ends_with(suffix)) else {
        return Ok((Box::new(BufReader::new(file)), None));
    };
    let mut child = Command::new(program).args(["-d", "-c"]).stdin(file).stdout(Stdio::piped()).spawn()?;
    let out: Box<dyn Read> = match child.stdout.take() {
        Some(out) => Box::new(out),
        None => Box::new(std::io::empty()),
    };
    Ok((Box::new(BufReader::new(out)), Some(child)))
}

/// The value of a field such as `H=`, up to the next one; quoted values are taken whole.
pub fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut from = 0;
    loop {
        let at = text.get(from..)?.find(name)? + from;
        let value = &text[at + name.len()..];
        if at == 0 || text.as_bytes()[at - 1] == b' ' {
            return Some(match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or(quoted),
                None => value.split(' ').next().unwrap_or(value),
            });
        }
        from = at + name.len();
    }
}

/// Name and address of the host in `H=`: the name it has, or what it says of itself, in brackets; `[address]` if neither is there.
pub fn host(text: &str) -> Option<(String, String)> {
    let at = text.find(" H=").map(|i| i + 3).or_else(|| text.starts_with("H=").then_some(2))?;
    let value = &text[at..];
    let (before, after) = value.split_once('[')?;
    let ip = after.split(']').next().unwrap_or_default().to_string();
    let name = before.split(' ').next().unwrap_or_default();
    Some((if name.is_empty() { format!("[{ip}]") } else { name.to_string() }, ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let l = LogLine::parse("2026-03-01 10:00:01.123 +0100 [77] 1vwAAA-000000001Aa-1234 <= a@b H=x [1.2.3.4] S=5").unwrap();
        assert_eq!((l.id, l.text), ("1vwAAA-000000001Aa-1234", "<= a@b H=x [1.2.3.4] S=5"));
        assert_eq!(host(l.text), Some(("x".into(), "1.2.3.4".into())));
        assert_eq!(field(l.text, "S="), Some("5"));
        let l = LogLine::parse("Mar  1 10:00:01 host exim[55]: 1970-01-02 00:00:01 1vwAAA-0001Aa-12 Completed").unwrap();
        assert_eq!((l.id, l.text, l.seconds()), ("1vwAAA-0001Aa-12", "Completed", 86_401));
        assert_eq!(LogLine::parse("é"), None);
        assert_eq!(LogLine::parse("2026-03-01 10:00:0é"), None);
        assert_eq!(host("F= H=(bad) [203.0.113.9]:25 x"), Some(("(bad)".into(), "203.0.113.9".into())));
        assert_eq!(host("H=[203.0.113.9] x"), Some(("[203.0.113.9]".into(), "203.0.113.9".into())));
    }
}

//! Zone files of the fake name server.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The types it knows, with their numbers.
const TYPES: [(&str, u16); 11] = [
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("TLSA", 52),
    ("SPF", 99),
];

pub fn type_number(name: &str) -> Option<u16> {
    TYPES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// A file, and the domain it serves (lower case, without dots at its ends).
#[derive(Debug, PartialEq)]
pub struct Zone {
    pub domain: String,
    pub file: PathBuf,
}

/// The zones below a directory in its order, and the suffix for names without a dot.
pub fn zones(directory: &Path) -> io::Result<(Vec<Zone>, Option<String>)> {
    let (mut zones, mut suffix) = (Vec::new(), None);
    for entry in fs::read_dir(directory.join("dnszones"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(domain) = name.strip_prefix("qualify.") {
            suffix = Some(domain.to_ascii_lowercase());
        } else if let Some(domain) = domain_of(&name) {
            zones.push(Zone { domain: domain.to_ascii_lowercase(), file: entry.path() });
        }
    }
    Ok((zones, suffix))
}

fn domain_of(file: &str) -> Option<String> {
    if let Some(net) = file.strip_prefix("db.ip4.") {
        return Some(format!("{net}.in-addr.arpa"));
    }
    if let Some(net) = file.strip_prefix("db.ip6.") {
        return Some(format!("{net}.ip6.arpa"));
    }
    file.strip_prefix("db.").map(String::from)
}

/// Is the name in the domain?
pub fn serves(domain: &str, name: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Absolute, without the final dot, in the case it is written in.
    pub name: Vec<u8>,
    pub kind: u16,
    pub data: Vec<u8>,
    pub secure: bool,
    pub authoritative: bool,
    /// It is not to be output.
    pub hidden: bool,
    pub delay: u64,
    pub ttl: u32,
}

#[derive(Debug, Default, PartialEq)]
pub struct Content {
    pub records: Vec<Record>,
    /// Names that are not found are passed on to the real resolver.
    pub pass_on: bool,
}

/// The longest line; what is beyond it counts as a line of its own.
const LONGEST: usize = 511;

pub fn parse(text: &[u8], domain: &str) -> Content {
    let mut content = Content::default();
    let mut previous = Vec::new();
    let lines = text.split(|&b| b == b'\n');
    for line in lines.flat_map(|line| line.chunks(LONGEST)) {
        let start = line.trim_ascii_start();
        if start.is_empty() || start.starts_with(b";") {
            continue;
        }
        if start.starts_with(b"PASS ON NOT FOUND") {
            content.pass_on = true;
        } else if let Some(record) = record(line, domain, &previous) {
            previous.clone_from(&record.name);
            content.records.push(record);
        }
    }
    content
}

fn record(line: &[u8], domain: &str, previous: &[u8]) -> Option<Record> {
    let mut record = Record {
        name: previous.to_vec(),
        kind: 0,
        data: Vec::new(),
        secure: false,
        authoritative: false,
        hidden: false,
        delay: 0,
        ttl: 3600,
    };
    let mut rest = line;
    loop {
        if let Some(after) = rest.strip_prefix(b"DNSSEC ") {
            (record.secure, rest) = (true, after);
        } else if let Some(after) = rest.strip_prefix(b"AA ") {
            (record.authoritative, rest) = (true, after);
        } else if let Some(after) = rest.strip_prefix(b"NXDOMAIN ") {
            (record.hidden, rest) = (true, after);
        } else if let Some((value, after)) = setting(rest, b"DELAY=") {
            (record.delay, rest) = (value, after);
        } else if let Some((value, after)) = setting(rest, b"TTL=") {
            (record.ttl, rest) = (value as u32, after);
        } else {
            break;
        }
    }
    if !rest.first()?.is_ascii_whitespace() {
        let (name, after) = word(rest);
        record.name = absolute(name, domain);
        rest = after;
    }
    let (kind, data) = word(rest.trim_ascii_start());
    record.kind = type_number(std::str::from_utf8(kind).ok()?)?;
    record.data = data.trim_ascii().to_vec();
    Some(record)
}

/// `NAME=number` and a blank.
fn setting<'a>(text: &'a [u8], name: &[u8]) -> Option<(u64, &'a [u8])> {
    let (value, rest) = word(text.strip_prefix(name)?);
    let value = std::str::from_utf8(value).ok()?.parse().ok()?;
    Some((value, rest.strip_prefix(b" ")?))
}

/// The text up to the next blank, and what follows.
pub fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    text.split_at(end)
}

/// A name that lacks a final dot is below the domain.
pub fn absolute(name: &[u8], domain: &str) -> Vec<u8> {
    match name.strip_suffix(b".") {
        Some(name) => name.to_vec(),
        None => [name, b".", domain.as_bytes()].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_their_domains() {
        assert_eq!(domain_of("db.test.ex").as_deref(), Some("test.ex"));
        assert_eq!(domain_of("db.ip4.10").as_deref(), Some("10.in-addr.arpa"));
        assert_eq!(domain_of("db.ip6.0.0.f.f").as_deref(), Some("0.0.f.f.ip6.arpa"));
        assert_eq!(domain_of("other"), None);
        assert!(serves("test.ex", "a.test.ex") && serves("test.ex", "test.ex"));
        assert!(!serves("test.ex", "atest.ex"));
    }

    #[test]
    fn records_and_their_prefixes() {
        let text = b"; comment\nDNSSEC AA a  A 1.2.3.4\n   MX 5 b\nTTL=2 DELAY=500 NXDOMAIN c. A 1.1.1.1\n\
            x# A 1.2.3.4\n  PASS ON NOT FOUND\n";
        let content = parse(text, "test.ex");
        assert!(content.pass_on);
        let [a, mx, c, x] = &content.records[..] else { panic!("{content:?}") };
        assert_eq!((&a.name[..], a.kind, a.secure, a.authoritative), (&b"a.test.ex"[..], 1, true, true));
        assert_eq!((&mx.name[..], mx.kind, &mx.data[..]), (&b"a.test.ex"[..], 15, &b"5 b"[..]));
        assert_eq!((&c.name[..], c.ttl, c.delay, c.hidden), (&b"c"[..], 2, 500, true));
        assert_eq!(x.name, b"x#.test.ex");
    }
}

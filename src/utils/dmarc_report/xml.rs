//! The report itself (RFC 7489 appendix C): messages that are alike are one record with a count.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use super::history::Block;

/// Who reports.
pub struct Header<'a> {
    pub organisation: &'a str,
    pub email: &'a str,
    pub id: &'a str,
}

/// A report.
pub struct Report {
    pub text: String,
    /// Unix times.
    pub begin: i64,
    /// See above.
    pub end: i64,
    pub records: usize,
}

/// More records than this are not in a report.
const MAX_RECORDS: usize = 100_000;

/// What makes two messages alike.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Row<'a> {
    ip: IpAddr,
    disposition: &'static str,
    sampled_out: bool,
    aligned: (bool, bool),
    from: &'a str,
    mail_from: &'a str,
    spf: i32,
    dkim: &'a [(String, String, i32)],
}

/// Sums up the messages of a domain.
pub fn report(header: &Header<'_>, domain: &str, blocks: &[Block]) -> Report {
    let mut rows: BTreeMap<Row<'_>, u64> = BTreeMap::new();
    for b in blocks {
        let row = row(domain, b);
        if rows.len() < MAX_RECORDS || rows.contains_key(&row) {
            *rows.entry(row).or_default() += 1;
        }
    }
    let begin = blocks.iter().map(|b| b.received).min().unwrap_or(0);
    let end = blocks.iter().map(|b| b.received).max().unwrap_or(0) + 1;
    let mut x = Writer { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".into(), depth: 0 };
    x.within("feedback", |x| {
        x.leaf("version", "1.0");
        x.within("report_metadata", |x| {
            x.leaf("org_name", header.organisation);
            x.leaf("email", header.email);
            x.leaf("report_id", header.id);
            x.within("date_range", |x| {
                x.leaf("begin", &begin.to_string());
                x.leaf("end", &end.to_string());
            });
        });
        if let Some(last) = blocks.iter().max_by_key(|b| b.received) {
            published(x, domain, last);
        }
        for (row, count) in &rows {
            x.within("record", |x| record(x, row, *count));
        }
    });
    Report { text: x.text, begin, end, records: rows.len() }
}

fn word(policy: Option<char>) -> &'static str {
    match policy {
        Some('r') => "reject",
        Some('q') => "quarantine",
        _ => "none",
    }
}

fn row<'a>(domain: &str, b: &'a Block) -> Row<'a> {
    let disposition = match b.action {
        0 => "reject",
        4 => "quarantine",
        _ => "none",
    };
    let (p, sp) = b.policies;
    let asked = word(if b.from == domain { p } else { sp.or(p) });
    let vouched = b.aligned.0 || b.aligned.1;
    Row {
        ip: b.ip,
        disposition,
        sampled_out: !vouched && b.percent < 100 && asked != disposition,
        aligned: b.aligned,
        from: &b.from,
        mail_from: &b.mail_from,
        spf: b.spf,
        dkim: &b.dkim,
    }
}

fn published(x: &mut Writer, domain: &str, b: &Block) {
    x.within("policy_published", |x| {
        x.leaf("domain", domain);
        x.leaf("adkim", &b.modes.0.to_string());
        x.leaf("aspf", &b.modes.1.to_string());
        x.leaf("p", word(b.policies.0));
        x.leaf("sp", word(b.policies.1.or(b.policies.0)));
        x.leaf("pct", &b.percent.to_string());
        x.leaf("fo", &b.failure);
    });
}

fn record(x: &mut Writer, row: &Row<'_>, count: u64) {
    let pass = |on| if on { "pass" } else { "fail" };
    x.within("row", |x| {
        x.leaf("source_ip", &full_address(row.ip));
        x.leaf("count", &count.to_string());
        x.within("policy_evaluated", |x| {
            x.leaf("disposition", row.disposition);
            x.leaf("dkim", pass(row.aligned.0));
            x.leaf("spf", pass(row.aligned.1));
            if row.sampled_out {
                x.within("reason", |x| x.leaf("type", "sampled_out"));
            }
        });
    });
    x.within("identifiers", |x| {
        x.leaf("envelope_from", row.mail_from);
        x.leaf("header_from", row.from);
    });
    x.within("auth_results", |x| {
        for (domain, selector, code) in row.dkim {
            x.within("dkim", |x| {
                x.leaf("domain", domain);
                x.leaf("selector", selector);
                x.leaf("result", result(*code));
            });
        }
        x.within("spf", |x| {
            x.leaf("domain", row.mail_from);
            x.leaf("scope", "mfrom");
            x.leaf("result", result(row.spf));
        });
    });
}

/// opendmarc's numbers of results.
fn result(code: i32) -> &'static str {
    match code {
        0 => "pass",
        2 => "softfail",
        3 => "neutral",
        4 => "temperror",
        5 => "permerror",
        7 => "fail",
        _ => "none",
    }
}

/// IPv6 addresses with all their groups: the schema knows no other form.
fn full_address(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(a) => a.to_string(),
        IpAddr::V6(a) => a.segments().map(|s| format!("{s:x}")).join(":"),
    }
}

struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    fn within(&mut self, name: &str, inside: impl FnOnce(&mut Writer)) {
        let gap = "  ".repeat(self.depth);
        // A String takes everything.
        let _ = writeln!(self.text, "{gap}<{name}>");
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        let _ = writeln!(self.text, "{gap}</{name}>");
    }

    fn leaf(&mut self, name: &str, value: &str) {
        let gap = "  ".repeat(self.depth);
        let _ = writeln!(self.text, "{gap}<{name}>{}</{name}>", escaped(value));
    }
}

fn escaped(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // Others may not stand in XML at all.
            c if c.is_ascii_graphic() || c == ' ' => out.push(c),
            _ => out.push('?'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_addresses() {
        assert_eq!(escaped("a<b>&\"\u{0}\u{e9}"), "a&lt;b&gt;&amp;&quot;??");
        assert_eq!(full_address("2001:db8::1".parse().unwrap()), "2001:db8:0:0:0:0:0:1");
    }
}

//! What is said to spamd and rspamd, and how their answers are read. Pure.

use bstr::{BString, ByteSlice};

/// What rspamd is told of the message.
#[derive(Default)]
pub(super) struct Facts {
    pub id: BString,
    pub sender: BString,
    pub recipients: Vec<BString>,
    pub helo: Option<BString>,
    pub host_name: Option<BString>,
    pub address: Option<BString>,
    pub user: Option<BString>,
}

/// What an answer says.
#[derive(Debug, PartialEq)]
pub(super) struct Report {
    pub score: f64,
    pub threshold: f64,
    /// rspamd's advice.
    pub action: Option<BString>,
    /// The text, in a form in which it can be put into a header line.
    pub text: BString,
}

/// A request line, header lines, an empty line. Line ends in values cannot come about, but would be dropped.
struct Head(Vec<u8>);

impl Head {
    fn new(first: &str) -> Self {
        Head([first.as_bytes(), b"\r\n"].concat())
    }
    fn line(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend(value.iter().filter(|c| !matches!(c, b'\r' | b'\n' | 0)));
        self.0.extend_from_slice(b"\r\n");
    }
    fn optional(&mut self, name: &str, value: &Option<BString>) {
        if let Some(v) = value {
            self.line(name, v);
        }
    }
    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"\r\n");
        self.0
    }
}

pub(super) fn spamd_request(user: &[u8], size: u64) -> Vec<u8> {
    let mut head = Head::new("REPORT SPAMC/1.2");
    head.line("User", user);
    head.line("Content-length", size.to_string().as_bytes());
    head.end()
}

pub(super) fn rspamd_request(facts: &Facts, size: u64) -> Vec<u8> {
    let address = |a: &BString| [b"<", &a[..], b">"].concat();
    let mut head = Head::new("CHECK RSPAMC/1.3");
    head.line("Content-length", size.to_string().as_bytes());
    head.line("Queue-Id", &facts.id);
    head.line("From", &address(&facts.sender));
    head.line("Recipient-Number", facts.recipients.len().to_string().as_bytes());
    for r in &facts.recipients {
        head.line("Rcpt", &address(r));
    }
    head.optional("Helo", &facts.helo);
    head.optional("Hostname", &facts.host_name);
    head.optional("IP", &facts.address);
    head.optional("User", &facts.user);
    head.end()
}

/// The first line of an answer: `name/version 0 text`; what follows it.
fn good<'a>(answer: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (first, rest) = answer.split_once_str("\n")?;
    let mut words = first.fields();
    let protocol = words.next()?;
    let code = words.next()?;
    (protocol.starts_with(name) && code == b"0").then_some(rest)
}

fn number(text: &[u8]) -> Option<f64> {
    text.trim().to_str().ok()?.parse().ok().filter(|n: &f64| n.is_finite())
}

/// `SPAMD/1.1 0 EX_OK`, header lines with `Spam: True ; 15.5 / 5.0` among them, an empty line, the report. Very old ones
/// have the two numbers in the report's first line.
pub(super) fn spamd_answer(answer: &[u8]) -> Option<Report> {
    let mut rest = good(answer, b"SPAMD/")?;
    let mut numbers = None;
    loop {
        let (line, after) = rest.split_once_str("\n")?;
        rest = after;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once_str(":")?;
        if name.eq_ignore_ascii_case(b"spam") {
            numbers = Some(value.split_once_str(";")?.1);
        }
    }
    let numbers = match numbers {
        Some(n) => n,
        None => {
            let (line, after) = rest.split_once_str("\n")?;
            rest = after;
            line
        }
    };
    let (score, threshold) = numbers.split_once_str("/")?;
    Some(Report { score: number(score)?, threshold: number(threshold)?, action: None, text: foldable(rest) })
}

/// `RSPAMD/1.3 0 EX_OK`, `Metric: default; True; 15.00 / 15.00 / 0.0`, `Action: reject`, more lines.
pub(super) fn rspamd_answer(answer: &[u8]) -> Option<Report> {
    let rest = good(answer, b"RSPAMD/")?;
    let (metric, rest) = rest.split_once_str("\n")?;
    let metric = metric.strip_prefix(b"Metric:")?;
    let mut parts = metric.splitn_str(3, ";").skip(2);
    let mut numbers = parts.next()?.split_str("/");
    let (score, threshold) = (number(numbers.next()?)?, number(numbers.next()?)?);
    let action = rest.lines().find_map(|l| l.strip_prefix(b"Action:"))?.trim();
    Some(Report { score, threshold, action: Some(action.into()), text: foldable(rest) })
}

/// The text with a blank at the beginning of each line but the first, without empty lines at its ends.
fn foldable(text: &[u8]) -> BString {
    let plain: Vec<u8> = text.iter().copied().filter(|c| *c != b'\r' && *c != 0).collect();
    let text = plain.trim_end();
    let text = text.trim_start_with(|c| c == '\n');
    text.replace(b"\n", b"\n ").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spamd() {
        let head = "SPAMD/1.1 0 EX_OK\r\nContent-length: 30\r\nSpam: True ; 15.5 / 5.0\r\n\r\n";
        let r = spamd_answer([head.as_bytes(), b"\r\none\r\n two\r\n\r\n"].concat().as_slice()).unwrap();
        assert_eq!((r.score, r.threshold, r.text.to_string()), (15.5, 5.0, "one\n  two".into()));
        assert!(spamd_answer(head.as_bytes()).unwrap().text.is_empty());
        assert_eq!(spamd_answer(b"SPAMD/1.0 0 EX_OK\r\n\r\n3.2/5.0\r\nx").unwrap().score, 3.2);
        let bad = ["", "junk", "SPAMD/1.1 76 EX\r\nSpam: True ; 1 / 2\r\n\r\n", "SPAMD/1.1 0 OK\r\nSpam: True ; 1 / 2\r\n"];
        for b in bad.into_iter().chain(["SPAMD/1.1 0 X\nSpam: True ; nan / 2\n\n", "SPAMD/1.1 0 X\nSpam: True\n\n"]) {
            assert_eq!(spamd_answer(b.as_bytes()), None, "{b}");
        }
    }

    #[test]
    fn rspamd() {
        let r = rspamd_answer(
            b"RSPAMD/1.3 0 EX_OK\r\nMetric: default; True; 7.1 / 15.00 / 0.0\r\nAction: add header\r\nSymbol: A\r\n",
        )
        .unwrap();
        assert_eq!((r.score, r.threshold, r.action.unwrap().to_string()), (7.1, 15.0, "add header".into()));
        assert_eq!(r.text, "Action: add header\n Symbol: A");
        for b in ["RSPAMD/1.3 1 BAD\nMetric: d; T; 1 / 2 / 0\nAction: x\n", "RSPAMD/1.3 0 OK\nMetric: d; T; 1 / 2 / 0\n", "x\n"] {
            assert_eq!(rspamd_answer(b.as_bytes()), None, "{b}");
        }
    }

    #[test]
    fn no_line_is_smuggled_in() {
        let facts = Facts { helo: Some("a\r\nIP: 1.2.3.4".into()), ..Facts::default() };
        assert!(rspamd_request(&facts, 1).contains_str("Helo: aIP: 1.2.3.4\r\n"));
    }
}

//! Comparing what a test has left behind with what is expected.

pub mod diff;
mod files;
mod lines;

use std::fs;
use std::path::{Path, PathBuf};

use crate::munge::{Cache, Kind, Munger};
use crate::script::Flags;

/// One compared output.
pub struct Compared {
    /// The expected file, relative to the corpus.
    pub name: String,
    pub expected: Option<Vec<Vec<u8>>>,
    pub got: Option<Vec<Vec<u8>>>,
}

impl Compared {
    pub fn equal(&self) -> bool {
        let empty = |lines: &Option<Vec<Vec<u8>>>| lines.as_ref().is_none_or(Vec::is_empty);
        match (&self.expected, &self.got) {
            (Some(expected), Some(got)) => expected == got,
            (expected, got) => empty(expected) && empty(got),
        }
    }

    /// The first difference, in one line.
    pub fn first_difference(&self) -> String {
        let name = &self.name;
        let (Some(expected), Some(got)) = (&self.expected, &self.got) else {
            return match &self.expected {
                Some(_) => format!("{name} is missing"),
                None => {
                    let first = self.got.as_ref().and_then(|lines| lines.first());
                    format!("{name} is not expected: {}", shown(first))
                }
            };
        };
        let same = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
        let (expected, got) = (shown(expected.get(same)), shown(got.get(same)));
        format!("{name} line {}: expected {expected}, got {got}", same + 1)
    }
}

fn shown(line: Option<&Vec<u8>>) -> String {
    match line {
        Some(line) => format!("\"{}\"", String::from_utf8_lossy(line)),
        None => "the end".to_string(),
    }
}

/// The outputs of one test: where they are, and how they are to be compared.
pub struct Check<'a> {
    pub corpus: &'a Path,
    pub number: &'a str,
    /// The test's directory.
    pub top: &'a Path,
    pub flags: &'a Flags,
    pub munger: &'a Munger,
    pub cache: Cache,
    pub compare_stderr: bool,
    pub results: Vec<Compared>,
}

impl Check<'_> {
    /// Compare all. The order matters, since the cache is shared.
    pub fn all(&mut self) -> std::io::Result<()> {
        for (log, saved, kind) in [
            ("paniclog", "paniclog", Kind::OtherLog),
            ("rejectlog", "rejectlog", Kind::RejectLog),
            ("mainlog", "log", Kind::MainLog),
        ] {
            let client = self.top.join("spool/log").join(log);
            let server = self.top.join("spool/log").join(format!("server{log}"));
            self.pair(saved, &client, &server, kind);
        }
        for (name, kind, wanted) in [
            ("stdout", Kind::Stdout, !self.flags.no_stdout_check),
            ("stderr", Kind::Stderr, !self.flags.no_stderr_check && self.compare_stderr),
        ] {
            if wanted {
                let client = self.top.join(format!("test-{name}"));
                let server = self.top.join(format!("test-{name}-server"));
                self.pair(name, &client, &server, kind);
            }
        }
        if !self.flags.no_message_check {
            self.mail()?;
        }
        if !self.flags.no_msglog_check {
            self.message_logs()?;
        }
        Ok(())
    }

    /// An output that has a client's and a server's part.
    fn pair(&mut self, saved: &str, client: &Path, server: &Path, kind: Kind) {
        let (client, server) = (fs::read(client).ok(), fs::read(server).ok());
        let mut truncated = false;
        let mut got = Vec::new();
        let mut part = |check: &mut Self, raw: &[u8]| {
            let munged = check.munger.munge(raw, kind, check.flags, &mut check.cache);
            truncated |= munged.truncated;
            munged.lines
        };
        if let Some(raw) = &client {
            got = part(self, raw);
        }
        if let Some(raw) = &server {
            got.push(Vec::new());
            got.push(b"******** SERVER ********".to_vec());
            got.extend(part(self, raw));
        }
        let empty = |raw: &Option<Vec<u8>>| raw.as_ref().is_none_or(Vec::is_empty);
        let nothing = empty(&client) && empty(&server);
        let name = format!("{saved}/{}", self.number);
        let expected = self.expected(&name);
        if kind == Kind::MainLog && self.flags.sortlog {
            got = lines::sorted_deliveries(got);
        }
        if let Some(expected) = expected.as_ref().filter(|_| truncated) {
            got = lines::without_truncated(got, expected);
        }
        let got = if nothing && expected.is_none() { None } else { Some(got) };
        self.results.push(Compared { name, expected, got });
    }

    fn expected(&self, name: &str) -> Option<Vec<Vec<u8>>> {
        let content = self.saved_files(name).into_iter().find_map(|path| fs::read(path).ok());
        content.map(|content| split_lines(&content))
    }

    /// Where the expected output may be, the best place first.
    fn saved_files(&self, name: &str) -> [PathBuf; 2] {
        let flavoured = format!("{name}.{}", flavour());
        [self.corpus.join(flavoured), self.corpus.join(name)]
    }
}

/// The variant of expected files that suits the libraries in use.
fn flavour() -> &'static str {
    match openssl::version::number() {
        0x1010_1000.. => "openssl_1_1_1",
        _ => "FOO",
    }
}

/// A missing end of the last line counts as there.
pub fn split_lines(content: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = content.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(expected: Option<&str>, got: Option<&str>) -> Compared {
        let lines = |text: &str| split_lines(text.as_bytes());
        Compared { name: "log/1".into(), expected: expected.map(lines), got: got.map(lines) }
    }

    #[test]
    fn equality_and_first_differences() {
        assert!(compared(Some("a\nb"), Some("a\nb\n")).equal());
        assert!(!compared(Some("a "), Some("a")).equal());
        assert!(compared(None, Some("")).equal() && compared(None, None).equal());
        let line = |expected, got| compared(expected, got).first_difference();
        assert_eq!(line(Some("a\nb"), Some("a\nc")), "log/1 line 2: expected \"b\", got \"c\"");
        assert_eq!(line(Some("a"), Some("a\nc")), "log/1 line 2: expected the end, got \"c\"");
        assert_eq!(line(None, Some("x")), "log/1 is not expected: \"x\"");
        assert_eq!(line(Some("x"), None), "log/1 is missing");
    }
}

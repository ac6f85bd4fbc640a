//! Logical lines of a configuration: continuation, comments, macros, `.include`, `.ifdef` (manual sections 6.2 to 6.10).
//!
//! The section readers ask for one line after the other; nobody else sees the files.

use bstr::{BString, ByteSlice};

use super::error::ConfigError;
use super::macros::{Macros, replace_from};

/// How deep files may include each other.
const MAX_DEPTH: usize = 64;
/// Longest logical line.
const MAX_LINE: usize = 1 << 20;

/// A file being read.
#[derive(Debug)]
struct File {
    name: BString,
    text: Vec<u8>,
    at: usize,
    line: usize,
}

/// One level of `.ifdef`.
#[derive(Clone, Copy, Debug)]
struct Condition {
    /// The lines around are used.
    outer: bool,
    /// One branch has been used already.
    taken: bool,
    /// The present branch is used.
    now: bool,
}

/// The lines of a configuration.
#[derive(Debug)]
pub struct Lines {
    files: Vec<File>,
    /// The macros; the section readers add to them.
    pub macros: Macros,
    conditions: Vec<Condition>,
    /// What `-bP config` shows: lines, and marks of files.
    pub saved: Vec<BString>,
}

impl Lines {
    /// Begins with the main file.
    pub fn new(name: &[u8], text: Vec<u8>, macros: Macros) -> Self {
        let mut lines = Lines { files: Vec::new(), macros, conditions: Vec::new(), saved: Vec::new() };
        lines.push(name, text);
        lines
    }

    fn push(&mut self, name: &[u8], text: Vec<u8>) {
        self.files.push(File { name: name.into(), text, at: 0, line: 0 });
    }

    fn mark(&mut self) {
        if let Some(f) = self.files.last() {
            self.saved.push(format!("# {} \"{}\"", f.line, f.name).into());
        }
    }

    /// ` in line n of file`, for errors.
    pub fn place(&self) -> String {
        match self.files.last() {
            Some(f) => format!(" in line {} of {}", f.line.max(1), f.name),
            None => String::new(),
        }
    }

    /// `file n`, for debug output and ACL traces.
    pub fn position(&self) -> String {
        self.files.last().map(|f| format!("{} {}", f.name, f.line)).unwrap_or_default()
    }

    /// An error at the present line.
    pub fn error(&self, text: impl Into<String>) -> ConfigError {
        ConfigError::at(self.place(), text)
    }

    /// A macro definition line.
    pub fn define(&mut self, line: &[u8]) -> Result<(), ConfigError> {
        match self.macros.define(line) {
            Ok(()) => Ok(()),
            Err((true, text)) => Err(self.error(text).mild()),
            Err((false, text)) => Err(ConfigError::general(text).mild()),
        }
    }

    /// The next physical line without its newline; ends of included files are passed over.
    fn physical(&mut self) -> Result<Option<BString>, ConfigError> {
        loop {
            let Some(f) = self.files.last_mut() else { return Ok(None) };
            let rest = f.text.get(f.at..).unwrap_or_default();
            if !rest.is_empty() {
                let len = rest.find_byte(b'\n').unwrap_or(rest.len());
                let line = BString::from(rest.get(..len).unwrap_or_default().trim_end());
                f.at += len + 1;
                f.line += 1;
                if f.line == 1 {
                    self.saved.push(format!("# 1 \"{}\"", f.name).into());
                }
                if f.line == 1 && line.starts_with(b"\xef\xbb\xbf") {
                    return Err(self.error("found unexpected BOM (Byte Order Mark)"));
                }
                return Ok(Some(line));
            }
            if self.files.len() > 1 {
                self.files.pop();
                self.mark();
                continue;
            }
            if !self.conditions.is_empty() {
                return Err(self.error("Unexpected end of configuration file: .endif missing"));
            }
            return Ok(None);
        }
    }

    /// The next logical line, without white space around it; never empty.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<BString>, ConfigError> {
        let mut whole: Option<BString> = None;
        while let Some(mut line) = self.physical()? {
            let from = if whole.is_none() { replace_from(&line) } else { 0 };
            let macro_found = self.macros.expand(&mut line, from).map_err(|e| self.error(e))?;
            let text = line.trim();
            if text.first() == Some(&b'.') && self.directive(text, macro_found)? {
                continue;
            }
            if self.conditions.last().is_some_and(|c| !c.now) || text.first() == Some(&b'#') {
                continue;
            }
            if text.is_empty() {
                if whole.is_some() {
                    break;
                }
                continue;
            }
            let (part, continued) = match text.strip_suffix(b"\\") {
                Some(part) => (part, true),
                None => (text, false),
            };
            let so_far = whole.get_or_insert_with(BString::default);
            so_far.extend_from_slice(part);
            if so_far.len() > MAX_LINE {
                return Err(self.error("line is too long"));
            }
            if !continued {
                break;
            }
        }
        if let Some(line) = &whole {
            self.saved.push(line.clone());
        }
        // A line of nothing but a continuation mark is no line.
        match whole {
            Some(line) if line.trim().is_empty() => self.next(),
            other => Ok(other.map(|l| l.trim().into())),
        }
    }

    /// Obeys `.ifdef` and friends; `false` if it is none of them.
    fn directive(&mut self, text: &[u8], macro_found: bool) -> Result<bool, ConfigError> {
        let end = text.iter().skip(1).position(|c| !(c.is_ascii_alphabetic() || *c == b'_')).map_or(text.len(), |i| i + 1);
        let (word, rest) = text.split_at(end);
        let skipping = self.conditions.last().is_some_and(|c| !c.now);
        match word {
            b".ifdef" | b".ifndef" => {
                let now = !skipping && (macro_found == (word == b".ifdef"));
                self.conditions.push(Condition { outer: !skipping, taken: now, now });
            }
            b".elifdef" | b".elifndef" | b".else" | b".endif" => {
                let Some(c) = self.conditions.last_mut() else {
                    return Err(self.error(format!("{} without matching .ifdef", word.as_bstr())));
                };
                if word == b".endif" {
                    self.conditions.pop();
                } else {
                    let holds = word == b".else" || macro_found == (word == b".elifdef");
                    c.now = c.outer && !c.taken && holds;
                    c.taken |= c.now;
                }
            }
            b".include" | b".include_if_exists" => {
                if !skipping {
                    self.include(rest, word == b".include_if_exists")?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn include(&mut self, argument: &[u8], if_exists: bool) -> Result<(), ConfigError> {
        let name = argument.trim();
        let name = name.strip_prefix(b"\"").and_then(|n| n.strip_suffix(b"\"")).unwrap_or(name);
        let mut path = BString::from(name);
        if !name.starts_with(b"/") {
            if if_exists {
                return Err(self.error(format!(".include specifies a non-absolute path \"{}\"", name.as_bstr())));
            }
            let parent = self.files.last().map(|f| f.name.clone()).unwrap_or_default();
            let slash = parent.rfind_byte(b'/').map_or(0, |i| i + 1);
            path = parent.get(..slash).unwrap_or_default().into();
            path.extend_from_slice(name);
        }
        if self.files.len() >= MAX_DEPTH {
            return Err(self.error(format!("too many nested .include lines at {path}")));
        }
        match super::source::read_included(&path) {
            Ok(text) => {
                self.mark();
                self.push(&path, text);
                Ok(())
            }
            Err(e) if if_exists && e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(_) => Err(self.error(format!("failed to open included configuration file {path}"))),
        }
    }
}

/// A string in double quotes with its escapes, and what follows the closing quote. Without a closing quote the string
/// goes to the end.
pub fn quoted(s: &[u8]) -> (BString, &[u8]) {
    match read_quoted(s) {
        Some((text, rest)) => (text, rest),
        None => (s.get(1..).unwrap_or_default().into(), b""),
    }
}

/// The same; `None` if the closing quote is missing.
pub fn read_quoted(s: &[u8]) -> Option<(BString, &[u8])> {
    let mut out = BString::default();
    let mut i = 1;
    loop {
        match *s.get(i)? {
            b'"' => return Some((out, s.get(i + 1..).unwrap_or_default())),
            b'\\' => {
                i += 1;
                let c = *s.get(i)?;
                match c {
                    b'n' => out.push(b'\n'),
                    b'r' => out.push(b'\r'),
                    b't' => out.push(b'\t'),
                    b'0'..=b'7' => {
                        let mut n = 0u32;
                        let mut digits = 0;
                        while let Some(d @ b'0'..=b'7') = s.get(i).filter(|_| digits < 3) {
                            n = n * 8 + u32::from(d - b'0');
                            digits += 1;
                            i += 1;
                        }
                        i -= 1;
                        out.push(u8::try_from(n & 0xff).unwrap_or(0));
                    }
                    b'x' => {
                        let mut n = 0u32;
                        let mut digits = 0;
                        while let Some(d) = s.get(i + 1).and_then(|d| char::from(*d).to_digit(16)).filter(|_| digits < 2) {
                            n = n * 16 + d;
                            digits += 1;
                            i += 1;
                        }
                        out.push(u8::try_from(n).unwrap_or(0));
                    }
                    other => out.push(other),
                }
                i += 1;
            }
            c => {
                out.push(c);
                i += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<String>, ConfigError> {
        let mut lines = Lines::new(b"/t/c", text.into(), Macros::new(Vec::new()));
        let mut out = Vec::new();
        while let Some(l) = lines.next()? {
            if l.first().is_some_and(u8::is_ascii_uppercase) {
                lines.define(&l)?;
            } else {
                out.push(l.to_string());
            }
        }
        Ok(out)
    }

    #[test]
    fn continuation_and_comments() {
        assert_eq!(all("a = a\\\n   b \\  \n# comm\n c\n").unwrap(), ["a = ab c"]);
        assert_eq!(all("a = a\\\n\n c\n").unwrap(), ["a = a", "c"]);
    }

    #[test]
    fn conditions() {
        let text =
            ".ifdef X Y\na\n.elifdef _LOG_PID\nb\n.else\nc\n.endif\nX=1\n.ifndef X\nd\n.else\n.ifdef X\ne\n.endif\n.endif\n";
        assert_eq!(all(text).unwrap(), ["b", "e"]);
        assert!(all(".ifdef X\n").unwrap_err().text.contains(".endif missing"));
        assert_eq!(
            all(".else\n").unwrap_err().to_string(),
            "Exim configuration error in line 1 of /t/c:\n  .else without matching .ifdef"
        );
    }

    #[test]
    fn quoted_strings() {
        assert_eq!(read_quoted(b"\"a\\tb\\x41\\101\\q\" x").unwrap(), (BString::from("a\tbAAq"), &b" x"[..]));
        assert!(read_quoted(b"\"abc").is_none());
    }
}

//! `lsearch`, `wildlsearch`, `nwildlsearch`, `iplsearch`: text files read line by line (manual section 9.3).

use std::net::IpAddr;

use bstr::ByteSlice;

use super::check::read_file;
use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;
use crate::matching::net::{Network, parse_ip};
use crate::matching::{self, Match};
use crate::parse::Space as _;
use crate::text::Text;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Wild,
    WildUnexpanded,
    Ip,
}

/// One of the four types.
pub struct Lsearch {
    name: &'static str,
    kind: Kind,
}

/// `lsearch`
pub static LSEARCH: Lsearch = Lsearch { name: "lsearch", kind: Kind::Plain };
/// `wildlsearch`
pub static WILDLSEARCH: Lsearch = Lsearch { name: "wildlsearch", kind: Kind::Wild };
/// `nwildlsearch`
pub static NWILDLSEARCH: Lsearch = Lsearch { name: "nwildlsearch", kind: Kind::WildUnexpanded };
/// `iplsearch`
pub static IPLSEARCH: Lsearch = Lsearch { name: "iplsearch", kind: Kind::Ip };

impl Driver for Lsearch {
    fn name(&self) -> &'static str {
        self.name
    }
    fn style(&self) -> Style {
        Style::File
    }
    fn open(&self, _: &mut Context, file: &[u8]) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(Open { data: read_file(file, "linear search", self.name)?, kind: self.kind }))
    }
}

// The file is small enough to be kept, and stays as it was when it was opened.
struct Open {
    data: Vec<u8>,
    kind: Kind,
}

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        let key = ask.key;
        let ip = parse_ip(key);
        if self.kind == Kind::Ip && ip.is_none() && &key[..] != b"*" {
            return Answer::Defer(format!(
                "\"{key}\" is not a valid iplsearch key (an IP address, with optional CIDR mask, is wanted): \
                 in a host list, use net-iplsearch as the search type"
            ));
        }
        let mut lines = self.data.lines();
        while let Some(line) = lines.next() {
            let line = trim_end(line);
            if line.is_empty() || line.starts_with(b"#") || line.first().is_some_and(|c| crate::parse::is_space(*c)) {
                continue;
            }
            let (line_key, rest) = split_key(line);
            match self.matches(ctx, key, ip, &line_key) {
                Match::No => continue,
                Match::Defer(m) => return Answer::Defer(m),
                Match::Yes => {}
            }
            let mut out = match ask.has("ret=full") {
                // The key is shown without its quotes.
                true if line.starts_with(b"\"") => [&line_key[..], unquoted_rest(line)].concat(),
                true => line.to_vec(),
                false => after_key(rest).to_vec(),
            };
            for next in lines {
                let next = trim_end(next);
                if next.is_empty() || next.starts_with(b"#") {
                    continue;
                }
                if !next.first().is_some_and(|c| crate::parse::is_space(*c)) {
                    break;
                }
                out.push(b' ');
                out.extend_from_slice(next.skip_space());
            }
            return Answer::Found(out, Keep::Always);
        }
        Answer::NotFound(Keep::Always)
    }
}

impl Open {
    fn matches(&self, ctx: &mut Context, key: &Text, ip: Option<IpAddr>, line_key: &[u8]) -> Match {
        let yes = match self.kind {
            Kind::Plain => line_key.eq_ignore_ascii_case(key),
            Kind::Wild | Kind::WildUnexpanded => {
                return matching::match_pattern_string(ctx, key, line_key, self.kind == Kind::Wild);
            }
            Kind::Ip if line_key == b"*" || &key[..] == b"*" => line_key == &key[..],
            Kind::Ip => ip.is_some_and(|ip| Network::parse(line_key).is_some_and(|net| net.contains(ip))),
        };
        if yes { Match::Yes } else { Match::No }
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.trim_space_end()
}

// The key, with its quotes and their escapes undone, and what follows it.
fn split_key(line: &[u8]) -> (Vec<u8>, &[u8]) {
    if let Some(inner) = line.strip_prefix(b"\"") {
        let mut key = Vec::new();
        let mut i = 0;
        while let Some(c) = inner.get(i).copied() {
            match c {
                b'"' => {
                    let rest = inner.get(i + 1..).unwrap_or_default();
                    return (key, rest.strip_prefix(b":").unwrap_or(rest));
                }
                b'\\' => {
                    let (value, len) = escape(inner.get(i + 1..).unwrap_or_default());
                    key.push(value);
                    i += 1 + len;
                }
                _ => {
                    key.push(c);
                    i += 1;
                }
            }
        }
        return (key, b"");
    }
    let end = line.iter().position(|c| *c == b':' || crate::parse::is_space(*c)).unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    (key.to_vec(), rest)
}

// What follows the quotes of a quoted key.
fn unquoted_rest(line: &[u8]) -> &[u8] {
    let mut i = 1;
    while let Some(c) = line.get(i) {
        match c {
            b'"' => return line.get(i + 1..).unwrap_or_default(),
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
    b""
}

/// The character that stands after a backslash in a quoted key, and how many bytes it takes.
fn escape(text: &[u8]) -> (u8, usize) {
    match text.first() {
        None => (b'\\', 0),
        Some(b'b') => (8, 1),
        Some(b'f') => (12, 1),
        Some(b'n') => (b'\n', 1),
        Some(b'r') => (b'\r', 1),
        Some(b't') => (b'\t', 1),
        Some(b'v') => (11, 1),
        Some(b'x') => {
            let digits = text.iter().skip(1).take(2).take_while(|c| c.is_ascii_hexdigit()).count();
            let value = text.iter().skip(1).take(digits).fold(0u32, |n, c| n * 16 + (*c as char).to_digit(16).unwrap_or(0));
            (value as u8, 1 + digits)
        }
        Some(b'0'..=b'7') => {
            let digits = text.iter().take(3).take_while(|c| matches!(c, b'0'..=b'7')).count();
            let value = text.iter().take(digits).fold(0u32, |n, c| n * 8 + u32::from(c - b'0'));
            (value as u8, digits)
        }
        Some(c) => (*c, 1),
    }
}

// White space, one colon, white space.
fn after_key(rest: &[u8]) -> &[u8] {
    let rest = rest.skip_space();
    rest.strip_prefix(b":").map_or(rest, |r| r.skip_space())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        assert_eq!(split_key(b"abc: def"), (b"abc".to_vec(), &b": def"[..]));
        assert_eq!(split_key(b"\"a \\\"b\\\" c\" x"), (b"a \"b\" c".to_vec(), &b" x"[..]));
        assert_eq!(split_key(b"\"a\\x41\\n\": x"), (b"aA\n".to_vec(), &b" x"[..]));
        assert_eq!(after_key(b"  :  x y"), b"x y");
        assert_eq!(after_key(b":"), b"");
    }
}

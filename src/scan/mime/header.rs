//! The header of a MIME part: `Content-...` lines, their values and parameters (RFC 2045, 2047, 2231).

use std::io;

use bstr::{BString, ByteSlice};

use super::raw::{Piece, Reader};
use crate::parse::decode_2047;

/// No header line is taken to be longer; the rest is left out.
const MAX_LINE: usize = 8192;
/// More parameters than any header line has, and more pieces than any parameter.
const MAX_PARAMETERS: usize = 500;

/// What the header of a part says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// `Content-Type`, lower case, without parameters.
    pub content_type: BString,
    /// `Content-Transfer-Encoding`, `-Disposition`, `-ID`, `-Description`.
    pub encoding: BString,
    /// See above.
    pub disposition: BString,
    /// See above.
    pub id: BString,
    /// See above.
    pub description: BString,
    /// Parameters.
    pub boundary: BString,
    /// See above.
    pub charset: BString,
    /// The proposed file name, decoded.
    pub filename: BString,
}

impl Header {
    /// Is it a container of parts?
    pub fn is_multipart(&self) -> bool {
        self.content_type.starts_with(b"multipart")
    }

    /// Takes an unfolded line, if it is one of ours. A later one counts more than an earlier one.
    fn take(&mut self, line: &[u8]) {
        let Some((name, value)) = line.split_once_str(":") else { return };
        let field = match name.trim_end().to_ascii_lowercase().as_slice() {
            b"content-type" => &mut self.content_type,
            b"content-transfer-encoding" => &mut self.encoding,
            b"content-disposition" => &mut self.disposition,
            b"content-id" => &mut self.id,
            b"content-description" => &mut self.description,
            _ => return,
        };
        let (main, rest) = split_value(value);
        *field = main;
        let parameters = parameters(rest);
        if let Some(p) = find(&parameters, b"boundary") {
            self.boundary = p.into();
        }
        if let Some(p) = find(&parameters, b"charset") {
            self.charset = p.into();
        }
        if let Some(name) = filename(&parameters) {
            self.filename = name;
        }
    }
}

/// Reads a header up to the empty line after it. What stands at the end of it: `None` for that, or the boundary that cut
/// it short, or the end of the text.
pub(super) fn read(reader: &mut Reader, boundaries: &[BString]) -> io::Result<(Header, Option<Piece>)> {
    let mut header = Header::default();
    let mut line = Vec::new();
    // The rest of a piece of a long line belongs to it.
    let mut inside = false;
    loop {
        let text = match reader.next(boundaries)? {
            Piece::Text(text) => text,
            other => {
                header.take(&line);
                return Ok((header, Some(other)));
            }
        };
        let content = text.trim_end_with(|c| c == '\n' || c == '\r');
        let folded = inside || text.starts_with(b" ") || text.starts_with(b"\t");
        inside = !text.ends_with(b"\n");
        if !folded {
            header.take(&line);
            line.clear();
            if content.is_empty() {
                return Ok((header, None));
            }
        }
        let content = if folded { content.trim_start() } else { content };
        let room = MAX_LINE.saturating_sub(line.len());
        line.extend(content.iter().filter(|c| **c >= b' ' || **c == b'\t').take(room));
    }
}

/// The value before the first `;`, without blanks and comments, in lower case; and the rest.
fn split_value(value: &[u8]) -> (BString, &[u8]) {
    let mut out = BString::default();
    let mut depth = 0usize;
    for (i, c) in value.iter().enumerate() {
        match c {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return (out, value.get(i + 1..).unwrap_or_default()),
            b' ' | b'\t' => {}
            c if depth == 0 => out.push(c.to_ascii_lowercase()),
            _ => {}
        }
    }
    (out, b"")
}

type Parameter = (BString, BString);

/// The parameters, names in lower case, values without quotes. The last one ends with a `;` that is not there, so that an
/// unclosed quoted string has it at its end, as in the reference.
fn parameters(text: &[u8]) -> Vec<Parameter> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && out.len() < MAX_PARAMETERS {
        let mut quoted = false;
        let mut was_quoted = false;
        let (mut name, mut value) = (None, BString::default());
        let mut chars = rest.iter().enumerate();
        let mut end = rest.len();
        while let Some((i, c)) = chars.next() {
            match c {
                b'"' => {
                    quoted = !quoted;
                    was_quoted = true;
                }
                b'\\' if quoted && matches!(rest.get(i + 1), Some(b'"' | b'\\')) => {
                    value.extend(chars.next().map(|(_, c)| *c));
                }
                b';' if !quoted => {
                    end = i;
                    break;
                }
                b'=' if name.is_none() => name = Some(std::mem::take(&mut value)),
                b'\t' => {}
                b' ' if !quoted && value.is_empty() && !was_quoted => {}
                c => value.push(*c),
            }
        }
        if quoted {
            value.push(b';');
        } else if !was_quoted {
            value = value.trim_end().into();
        }
        if let Some(name) = name {
            out.push((name.trim().to_ascii_lowercase().into(), value));
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    out
}

/// The last one of that name that has a value.
fn find<'a>(parameters: &'a [Parameter], name: &[u8]) -> Option<&'a [u8]> {
    parameters.iter().rev().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_slice())
}

/// A piece of a parameter value: `name*3*=...`
struct Section {
    number: u32,
    encoded: bool,
}

/// A name that is `base`, `base*`, `base*3` or `base*3*`: which section it is, `None` for the plain name.
fn section(name: &[u8], base: &[u8]) -> Option<Option<Section>> {
    let rest = name.strip_prefix(base)?;
    if rest.is_empty() {
        return Some(None);
    }
    let rest = rest.strip_prefix(b"*")?;
    if rest.is_empty() {
        return Some(Some(Section { number: 0, encoded: true }));
    }
    let encoded = rest.ends_with(b"*");
    let digits = rest.strip_suffix(b"*").unwrap_or(rest);
    let number = digits.to_str().ok().filter(|d| d.bytes().all(|c| c.is_ascii_digit()))?.parse().ok()?;
    Some(Some(Section { number, encoded }))
}

/// The proposed file name: `name` or `filename`, whichever comes later, in any of the forms of RFC 2047 and 2231.
fn filename(parameters: &[Parameter]) -> Option<BString> {
    let candidate = |base: &'static [u8]| {
        let last = parameters.iter().rposition(|(n, v)| section(n, base).is_some() && !v.is_empty())?;
        Some((last, base))
    };
    let (last, base) = candidate(b"name").into_iter().chain(candidate(b"filename")).max()?;
    let (name, value) = parameters.get(last)?;
    if section(name, base)?.is_none() {
        return Some(words(value));
    }
    let mut parts: Vec<(Section, &[u8])> =
        parameters.iter().filter_map(|(n, v)| Some((section(n, base)??, v.as_slice()))).collect();
    parts.sort_by_key(|(s, _)| s.number);
    let mut out = BString::default();
    for (i, (s, value)) in parts.iter().enumerate() {
        // The first one has a character set and a language in front.
        let value = if i == 0 && s.encoded { value.splitn_str(3, "'").nth(2).unwrap_or(value) } else { value };
        if s.encoded { out.extend(percent_decoded(value)) } else { out.extend_from_slice(value) }
    }
    Some(if parts.iter().any(|(s, _)| s.encoded) { no_zeros(out) } else { words(&out) })
}

/// RFC 2047 words decoded, their character sets left as they are.
fn words(value: &[u8]) -> BString {
    no_zeros(decode_2047(value, false, None, Some(b' ')).unwrap_or_else(|_| value.into()))
}

fn no_zeros(mut value: BString) -> BString {
    value.iter_mut().filter(|c| **c == 0).for_each(|c| *c = b' ');
    value
}

fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [c, after @ ..] = rest {
        let digit = |n: usize| after.get(n).and_then(|d| char::from(*d).to_digit(16));
        match (c, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*c);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(parameters: &str) -> String {
        let mut h = Header::default();
        h.take(format!("Content-Type: application/x; {parameters}").as_bytes());
        h.filename.to_string()
    }

    #[test]
    fn file_names() {
        for (p, wanted) in [
            ("name=\"a b.txt\"", "a b.txt"),
            ("name=a b.txt  ", "a b.txt"),
            ("name=\"a;b\"", "a;b"),
            ("name=\"a\\\"b\\\\c\\d\"", "a\"b\\c\\d"),
            ("name=\"foo\"bar", "foobar"),
            ("name=\"\"", ""),
            ("name", ""),
            ("name=\"open", "open;"),
            ("xname=foo", ""),
            ("name=foo; name=bar", "bar"),
            ("name=\"=?utf-8?Q?=C3=A4?= =?utf-8?B?w6Q=?=\"", "ää"),
            ("NAME*=utf-8''%C3%A4x", "äx"),
            ("name*=utf-8''%41; name=plain", "plain"),
            ("name=plain; name*=utf-8''%41", "A"),
            ("name*=''2015%20x", "2015 x"),
            ("name*='en'%41%ZZ%4", "A%ZZ%4"),
            ("name*=%41", "A"),
            ("name=a/../b", "a/../b"),
        ] {
            assert_eq!(name(p), wanted, "{p}");
        }
    }

    /// CVE-2024-39929: a name in several sections, and only some of them encoded.
    #[test]
    fn continuations() {
        for (p, wanted) in [
            ("name*0=a; name*1=b", "ab"),
            ("name*1=b; name*0=a", "ab"),
            ("filename*0*=\"example3\"; filename*1*=\".exe\"", "example3.exe"),
            ("filename*0*=utf-8''a; filename*1=%42; filename*2*=%2Eexe", "a%42.exe"),
            ("filename*0=\"x\"; filename*1=\".e\"; filename*2=\"xe\"", "x.exe"),
            ("filename*10=z; filename*9=y; filename*0=a", "ayz"),
            ("filename*99999999999=z", ""),
            ("filename*x=z", ""),
            ("name=ok.txt; filename*0*=utf-8''bad; filename*1*=.exe", "bad.exe"),
        ] {
            assert_eq!(name(p), wanted, "{p}");
        }
    }

    #[test]
    fn hostile() {
        let many = "a=b;".repeat(100_000);
        assert_eq!(parameters(many.as_bytes()).len(), MAX_PARAMETERS);
        for p in ["=", ";;;", "=;=;", "\"", "\\", "name*", "name**=x", "name*=%", "name*=utf-8'x", "(((", "a=\"\\"] {
            name(p);
        }
    }

    #[test]
    fn values() {
        let mut h = Header::default();
        h.take(b"CONTENT-TYPE:  Text / PLAIN (a comment; charset=no) ; Charset = utf-8  ");
        h.take(b"Content-ID: <Foo@Bar>");
        assert_eq!(
            (h.content_type.to_string(), h.charset.to_string(), h.id.to_string()),
            ("text/plain".into(), "utf-8".into(), "<foo@bar>".into())
        );
        h.take(b"Content-Type : text/html");
        assert_eq!(h.content_type, "text/html");
        h.take(b"Content-Type: text/plain; charset=\"utf-8\"\"");
        assert_eq!(h.charset, "utf-8;");
    }
}

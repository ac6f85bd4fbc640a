//! Content-Transfer-Encodings: streaming decoders that notice what is broken. Pure.

use bstr::ByteSlice;

/// What was wrong with a part: `$mime_anomaly_level` and `$mime_anomaly_text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// Level 1.
    QuotedPrintable,
    /// Level 2.
    Base64,
}

impl Anomaly {
    /// How bad it is.
    pub fn level(self) -> u8 {
        match self {
            Anomaly::QuotedPrintable => 1,
            Anomaly::Base64 => 2,
        }
    }

    /// What it is.
    pub fn text(self) -> &'static str {
        match self {
            Anomaly::QuotedPrintable => "Broken Quoted-Printable encoding detected",
            Anomaly::Base64 => "Broken BASE64 encoding detected",
        }
    }
}

/// Longest run of blanks after a `=` at the end of a line.
const MAX_HELD: usize = 1000;

/// A decoder; text is fed to it in pieces.
pub(super) enum Decoder {
    /// 7bit, 8bit, binary, and whatever else it is.
    Plain,
    /// Bits of a group, and how many characters it has.
    Base64 { bits: u32, count: u8, broken: bool },
    /// A `=` and what follows it, until it is clear what it means.
    Quoted { held: Vec<u8>, broken: bool },
}

impl Decoder {
    pub(super) fn new(encoding: &[u8]) -> Self {
        match encoding {
            b"base64" => Decoder::Base64 { bits: 0, count: 0, broken: false },
            b"quoted-printable" => Decoder::Quoted { held: Vec::new(), broken: false },
            _ => Decoder::Plain,
        }
    }

    /// Decodes a piece.
    pub(super) fn feed(&mut self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Decoder::Plain => out.extend_from_slice(text),
            Decoder::Base64 { bits, count, broken } => {
                for c in text {
                    match (value(*c), c) {
                        (Some(v), _) => {
                            *bits = *bits << 6 | v;
                            *count += 1;
                            if *count == 4 {
                                flush(bits, count, out);
                            }
                        }
                        (None, b'=') => flush(bits, count, out),
                        (None, b'\r' | b'\n') => {}
                        (None, _) => *broken = true,
                    }
                }
            }
            Decoder::Quoted { held, broken } => {
                let mut rest = text;
                while let Some(c) = rest.first() {
                    if held.is_empty() && *c != b'=' {
                        let end = rest.find_byte(b'=').unwrap_or(rest.len());
                        let (plain, after) = rest.split_at(end);
                        out.extend_from_slice(plain);
                        rest = after;
                        continue;
                    }
                    held.push(*c);
                    rest = rest.get(1..).unwrap_or_default();
                    settle(held, broken, out);
                }
            }
        }
    }

    /// No more comes. What was wrong?
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Option<Anomaly> {
        match self {
            Decoder::Plain => None,
            Decoder::Base64 { bits, count, broken } => {
                flush(bits, count, out);
                broken.then_some(Anomaly::Base64)
            }
            Decoder::Quoted { held, broken } => {
                if held.len() > 1 && !held.trim_end().eq(b"=") {
                    *broken = true;
                    out.append(held);
                }
                broken.then_some(Anomaly::QuotedPrintable)
            }
        }
    }
}

/// Puts out the whole bytes of a group of 6-bit values.
fn flush(bits: &mut u32, count: &mut u8, out: &mut Vec<u8>) {
    let whole = *bits << (6 * (4 - u32::from(*count)));
    let [_, a, b, c] = whole.to_be_bytes();
    let bytes = [a, b, c];
    out.extend_from_slice(bytes.get(..usize::from(count.saturating_sub(1))).unwrap_or_default());
    (*bits, *count) = (0, 0);
}

fn value(c: u8) -> Option<u32> {
    Some(u32::from(match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// Decides on what follows a `=`, if there is enough of it.
fn settle(held: &mut Vec<u8>, broken: &mut bool, out: &mut Vec<u8>) {
    let hex = |c: u8| char::from(c).to_digit(16);
    match held.as_slice() {
        [_] => return,
        [_, c] if hex(*c).is_some() => return,
        [_, a, b] if let (Some(a), Some(b)) = (hex(*a), hex(*b)) => {
            out.push((a * 16 + b) as u8);
            held.clear();
            return;
        }
        // A soft line break.
        [_, blanks @ .., b'\n'] if blanks.iter().all(|c| matches!(c, b' ' | b'\t' | b'\r')) => {
            held.clear();
            return;
        }
        [_, blanks @ ..] if held.len() < MAX_HELD && blanks.iter().all(|c| matches!(c, b' ' | b'\t' | b'\r')) => return,
        _ => {}
    }
    *broken = true;
    let last = held.pop();
    out.append(held);
    match last {
        // It may begin something.
        Some(b'=') => held.push(b'='),
        Some(c) => out.push(c),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: &str, text: &str) -> (String, Option<u8>) {
        let whole = run(encoding, text.as_bytes(), usize::MAX);
        for n in 1..4 {
            assert_eq!(run(encoding, text.as_bytes(), n), whole, "{text} in pieces of {n}");
        }
        (String::from_utf8_lossy(&whole.0).into_owned(), whole.1.map(Anomaly::level))
    }

    fn run(encoding: &str, text: &[u8], n: usize) -> (Vec<u8>, Option<Anomaly>) {
        let mut d = Decoder::new(encoding.as_bytes());
        let mut out = Vec::new();
        text.chunks(n.min(text.len().max(1))).for_each(|c| d.feed(c, &mut out));
        let anomaly = d.finish(&mut out);
        (out, anomaly)
    }

    #[test]
    fn base64() {
        for (text, wanted, level) in [
            ("SGVsbG8gd29ybGQ=\r\n", "Hello world", None),
            ("SGVs\nbG8gd29ybGQ\n", "Hello world", None),
            ("SGVs bG8g\td29y\nbGQ=\n", "Hello world", Some(2)),
            ("SGVsbG8!*$gd29ybGQ=\n", "Hello world", Some(2)),
            ("SGVsbG8=SGVsbG8=\n", "HelloHello", None),
            ("====\n", "", None),
            ("", "", None),
            ("S", "", None),
        ] {
            assert_eq!(decode("base64", text), (wanted.into(), level), "{text}");
        }
    }

    #[test]
    fn quoted_printable() {
        for (text, wanted, level) in [
            ("a=3Db=\ncont   \nnext =  \nx\n", "a=bcont   \nnext x\n", None),
            ("a=ZZb=3\n=\n=4\n", "a=ZZb=3\n=4\n", Some(1)),
            ("x=", "x", None),
            ("x=3", "x=3", Some(1)),
            ("==41", "=A", Some(1)),
            ("=\r\ny", "y", None),
        ] {
            assert_eq!(decode("quoted-printable", text), (wanted.into(), level), "{text}");
        }
        let long = format!("={}x", " ".repeat(5000));
        assert_eq!(decode("quoted-printable", &long), (long.clone(), Some(1)));
    }
}

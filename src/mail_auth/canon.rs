//! Canonical forms (RFC 6376 3.4, RFC 4870 3.4) for DKIM, ARC and DomainKeys: their names, and those of header lines, which
//! come as they stand in the spool, with LF line ends. Those of bodies are in `body_hash`.

use bstr::ByteSlice;

use super::tags::is_white;

/// The two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canon {
    /// Nothing changed but the end of the body.
    Simple,
    /// White space does not matter.
    Relaxed,
    /// There is no white space (DomainKeys).
    NoFws,
}

impl Canon {
    /// As it is written in `c=`.
    pub fn name(self) -> &'static str {
        match self {
            Canon::Simple => "simple",
            Canon::Relaxed => "relaxed",
            Canon::NoFws => "nofws",
        }
    }

    /// By that name, of those that DKIM has.
    pub fn from_name(name: &[u8]) -> Option<Canon> {
        [Canon::Simple, Canon::Relaxed].into_iter().find(|c| c.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The form of a whole header line (LF line ends, with or without the last one), with CRLF at its end if `ended`.
    pub fn header(self, line: &[u8], ended: bool) -> Vec<u8> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut out = match self {
            Canon::Simple => line.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
            Canon::Relaxed => relaxed_header(line),
            Canon::NoFws => line.iter().copied().filter(|c| !is_white(*c)).collect(),
        };
        if ended {
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

fn relaxed_header(line: &[u8]) -> Vec<u8> {
    let colon = line.find_byte(b':').unwrap_or(line.len());
    let mut out = line[..colon].trim_end().to_ascii_lowercase();
    let Some(value) = line.get(colon + 1..) else { return out };
    out.push(b':');
    let mut gap = false;
    let start = out.len();
    for c in value {
        if is_white(*c) {
            gap = true;
            continue;
        }
        if gap && out.len() > start {
            out.push(b' ');
        }
        gap = false;
        out.push(*c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_6376_3_4_5() {
        let headers = [&b"A: X\n"[..], b"B : Y\t\n\tZ  \n"];
        let all = |c: Canon| headers.iter().flat_map(|h| c.header(h, true)).collect::<Vec<u8>>();
        assert_eq!(all(Canon::Relaxed), b"a:X\r\nb:Y Z\r\n");
        assert_eq!(all(Canon::Simple), b"A: X\r\nB : Y\t\r\n\tZ  \r\n");
    }
}

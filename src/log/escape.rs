//! Bytes that must not reach a log line as they are: control characters, and those above 127 unless
//! `print_topbitchars` is set. Also the quoting of strings in log fields. Pure functions.

use bstr::{BString, ByteSlice};

/// A string in which nothing is unprintable: `\n`, `\t` and so on, else `\ooo`. Backslashes stay single, as in the
/// reference's log lines; newlines become `\n`.
pub fn printing(s: &[u8], topbit: bool) -> BString {
    if s.iter().all(|c| is_print(*c, topbit)) {
        return s.into();
    }
    let mut out = BString::new(Vec::with_capacity(s.len() + 16));
    for &c in s {
        match c {
            _ if is_print(c, topbit) => out.push(c),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\x08' => out.extend_from_slice(b"\\b"),
            b'\x0b' => out.extend_from_slice(b"\\v"),
            b'\x0c' => out.extend_from_slice(b"\\f"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\{c:03o}").as_bytes()),
        }
    }
    out
}

/// The same for texts that people read: tabs stay.
pub fn printing_with_tabs(s: &[u8], topbit: bool) -> BString {
    bstr::join("\t", s.split_str("\t").map(|part| printing(part, topbit))).into()
}

/// Printable for us.
pub fn is_print(c: u8, topbit: bool) -> bool {
    (b' '..0x7f).contains(&c) || (topbit && c >= 0x80)
}

/// Text in double quotes for `C=""`, `T=""`, `DN=""`: quotes and backslashes get a backslash, newlines become `\n`.
pub fn quoted(s: &[u8]) -> BString {
    let mut out = BString::from("\"");
    for &c in s {
        match c {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' | b'\\' => {
                out.push(b'\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(printing(b"a\nb\x01", true), "a\\nb\\001");
        assert_eq!(printing(&[0xe9], false), "\\351");
        assert_eq!(printing_with_tabs(b"a\tb\n", false), "a\tb\\n");
        assert_eq!(quoted(b"a\"b"), "\"a\\\"b\"");
    }
}

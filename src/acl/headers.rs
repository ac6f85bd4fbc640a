//! `add_header`, `warn`'s messages, and `remove_header`: collected in the message until it is accepted.

use bstr::{BString, ByteSlice};

use crate::context::Context;
use crate::context::message::{AclHeader, HeaderPlace};
use crate::parse::list;
use crate::text::Text;

/// Adds header lines. A line that was added before is not added again; one without a field name gets `X-ACL-Warn:`.
pub fn add(ctx: &mut Context, text: &Text) {
    for header in split(text) {
        let there = |h: &AclHeader| h.text.starts_with(&header.text);
        if !ctx.message.acl_added_headers.iter().any(there) {
            ctx.message.acl_added_headers.push(header);
        }
    }
}

fn split(text: &[u8]) -> Vec<AclHeader> {
    let text = text.trim_with(|c| c == '\n');
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in text.split(|c| *c == b'\n') {
        match lines.last_mut() {
            Some(last) if matches!(line.first(), Some(b' ' | b'\t')) => {
                last.push(b'\n');
                last.extend_from_slice(line);
            }
            _ => lines.push(line.to_vec()),
        }
    }
    if text.is_empty() {
        return Vec::new();
    }
    lines.iter().map(|l| one(l)).collect()
}

fn one(line: &[u8]) -> AclHeader {
    let mut place = HeaderPlace::AtEnd;
    let mut rest = line;
    if line.first() == Some(&b':') {
        for (word, p) in [
            (&b":after_received:"[..], HeaderPlace::AfterReceived),
            (b":at_start_rfc:", HeaderPlace::AtStartRfc),
            (b":at_start:", HeaderPlace::AtStart),
            (b":at_end:", HeaderPlace::AtEnd),
        ] {
            if line.get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word)) {
                place = p;
                rest = line.get(word.len()..).unwrap_or_default().trim_start_with(|c| matches!(c, ' ' | '\t'));
                break;
            }
        }
    }
    let named = rest.iter().find(|c| **c == b':' || !c.is_ascii_graphic()) == Some(&b':');
    let mut text = BString::from(if named { "" } else { "X-ACL-Warn: " });
    text.extend_from_slice(rest);
    text.push(b'\n');
    AclHeader { place, text }
}

/// Notes names of header lines to be removed (a list).
pub fn remove(ctx: &mut Context, names: &Text) {
    ctx.message.acl_removed_headers.extend(list::items(names).filter(|n| !n.is_empty()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let all = split(b"\nX-A: b\n c\n:at_start: X-B: d\nhello there\n\n");
        let texts: Vec<&[u8]> = all.iter().map(|h| h.text.as_slice()).collect();
        assert_eq!(texts, [&b"X-A: b\n c\n"[..], b"X-B: d\n", b"X-ACL-Warn: hello there\n"]);
        assert_eq!(all[1].place, HeaderPlace::AtStart);
        assert!(split(b"\n\n").is_empty());
    }
}

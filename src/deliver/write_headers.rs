//! The header section of a message as a transport sends it: lines removed, rewritten and added.
//!
//! Used by [`super::transport_write`] only.

use bstr::{BString, ByteSlice};

use super::transport_write::{WriteError, WriteSpec};
use crate::context::{Context, HeaderKind};
use crate::expand;
use crate::rewrite::RewriteRule;
use crate::text::Text;

/// All header lines, with LF line ends, without the empty line.
pub(super) fn assemble(ctx: &mut Context, spec: &WriteSpec<'_>) -> Result<Vec<u8>, WriteError> {
    let mut out = Vec::with_capacity(4096);
    if spec.add_return_path {
        out.extend_from_slice(b"Return-path: <");
        out.extend_from_slice(spec.return_path.map(|t| t.as_bytes()).unwrap_or_default());
        out.extend_from_slice(b">\n");
    }
    if spec.add_envelope_to {
        envelope_to(spec, &mut out);
    }
    if spec.add_delivery_date {
        out.extend_from_slice(b"Delivery-date: ");
        out.extend_from_slice(crate::log::stamp::full(crate::sys::time::unix_time()).as_bytes());
        out.push(b'\n');
    }
    let removed = removed_names(ctx, spec)?;
    let first = spec.addresses.first();
    let rules = rewrite_rules(spec)?;
    let kept: Vec<_> = ctx
        .message
        .headers
        .iter()
        .filter(|h| h.kind != HeaderKind::Old && !removed.iter().any(|name| matches(name, &h.text)))
        .cloned()
        .collect();
    for h in kept {
        let new = if rules.is_empty() { None } else { crate::rewrite::rewrite_header(ctx, &h, &rules) };
        out.extend_from_slice(new.as_ref().map_or(&h.text, |n| &n.text));
    }
    for text in first.map(|a| a.headers_add.as_slice()).unwrap_or_default() {
        add_line(&mut out, text);
    }
    for value in spec.transport.map(|t| t.generic.headers_add.values.as_slice()).unwrap_or_default() {
        let lines = expand::list::each(ctx, value.raw(), b'\n');
        for text in lines.map_err(|(_, e)| WriteError::Header(e.to_string()))? {
            add_line(&mut out, &text);
        }
    }
    add_line(&mut out, spec.extra_headers);
    Ok(out)
}

fn add_line(out: &mut Vec<u8>, text: &[u8]) {
    if !text.is_empty() {
        out.extend_from_slice(text);
        if !text.ends_with(b"\n") {
            out.push(b'\n');
        }
    }
}

/// `Envelope-to:` the recipients that these addresses were made of; one that the message has twice is named twice.
fn envelope_to(spec: &WriteSpec<'_>, out: &mut Vec<u8>) {
    let mut seen: Vec<&(i32, Text)> = Vec::new();
    let own: Vec<_> = spec.addresses.iter().map(|a| (a.recipient_index, a.original().address.clone())).collect();
    for (a, own) in spec.addresses.iter().zip(&own) {
        let all = if a.envelope_to.is_empty() { std::slice::from_ref(own) } else { &a.envelope_to };
        for e in all {
            if !seen.contains(&e) {
                out.extend_from_slice(if seen.is_empty() { b"Envelope-to: " } else { b",\n " });
                out.extend_from_slice(&e.1);
                seen.push(e);
            }
        }
    }
    if !seen.is_empty() {
        out.push(b'\n');
    }
}

/// The names in `headers_remove` of the transport, expanded one by one, and those of the address's routers.
fn removed_names(ctx: &mut Context, spec: &WriteSpec<'_>) -> Result<Vec<BString>, WriteError> {
    let mut names = Vec::new();
    for value in spec.transport.map(|t| t.generic.headers_remove.values.as_slice()).unwrap_or_default() {
        let items = expand::list::each(ctx, value.raw(), b':');
        let items = items.map_err(|(_, e)| WriteError::Header(format!("failed to expand header to be removed: {e}")))?;
        names.extend(items.iter().map(|t| BString::from(t.trim())));
    }
    for name in spec.addresses.first().map(|a| a.headers_remove.as_slice()).unwrap_or_default() {
        names.push(name.trim().into());
    }
    names.retain(|n: &BString| !n.is_empty());
    Ok(names)
}

/// Is this the header line of that name? A star at its end stands for anything.
fn matches(name: &[u8], line: &[u8]) -> bool {
    if let Some(start) = name.strip_suffix(b"*") {
        return line.get(..start.len()).is_some_and(|l| l.eq_ignore_ascii_case(start));
    }
    line.get(..name.len()).is_some_and(|l| l.eq_ignore_ascii_case(name))
        && line[name.len()..].trim_start_with(|c| c == ' ' || c == '\t').starts_with(b":")
}

/// `headers_rewrite` of the transport.
fn rewrite_rules(spec: &WriteSpec<'_>) -> Result<Vec<RewriteRule>, WriteError> {
    let Some(list) = spec.transport.and_then(|t| t.generic.headers_rewrite.raw()) else { return Ok(Vec::new()) };
    crate::parse::list::items(list)
        .filter(|i| !i.trim().is_empty())
        .map(|i| crate::rewrite::parse_transport_rule(&i).map_err(WriteError::Header))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(matches(b"x-a", b"X-A : b\n"));
        assert!(!matches(b"x-a", b"X-Ab: b\n"));
        assert!(matches(b"x-*", b"X-Ab: b\n"));
    }
}

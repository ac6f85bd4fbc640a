//! Operators that quote and escape: `escape`, `escape8bit`, `hexquote`, `quote`, `quote_<lookup>`, `quote_local_part`, `rxquote`.

use bstr::ByteSlice;

use crate::context::Context;
use crate::expand::{ExpandError, hooks};
use crate::text::Text;

/// Makes everything printable, as log lines need it. Bytes above 127 stay if `top` is set; tabs stay if `tab`.
pub fn printable(s: &[u8], top: bool, tab: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    for &c in s {
        match c {
            b' '..=b'~' => out.push(c),
            128.. if top => out.push(c),
            b'\t' if tab => out.push(c),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            8 => out.extend_from_slice(b"\\b"),
            11 => out.extend_from_slice(b"\\v"),
            12 => out.extend_from_slice(b"\\f"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\{c:03o}").as_bytes()),
        }
    }
    out
}

/// `${escape:}`
pub fn escape(ctx: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    Ok(s.piece(printable(&s, ctx.config.main.print_topbitchars, true)))
}

/// `${escape8bit:}`
pub fn escape8bit(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let mut out = Vec::with_capacity(s.len());
    for &c in s.iter() {
        if c >= 127 || c == b'\\' {
            out.extend_from_slice(format!("\\{c:03o}").as_bytes());
        } else {
            out.push(c);
        }
    }
    Ok(s.piece(out))
}

/// `${hexquote:}`
pub fn hexquote(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let mut out = Vec::with_capacity(s.len());
    for &c in s.iter() {
        if (33..=126).contains(&c) {
            out.push(c);
        } else {
            out.extend_from_slice(format!("\\x{c:02x}").as_bytes());
        }
    }
    Ok(s.piece(out))
}

/// In double quotes, with escapes.
fn quoted(s: &Text, lines: bool) -> Text {
    let mut out = vec![b'"'];
    for &c in s.iter() {
        match c {
            b'\n' if lines => out.extend_from_slice(b"\\n"),
            b'\r' if lines => out.extend_from_slice(b"\\r"),
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', c]),
            c => out.push(c),
        }
    }
    out.push(b'"');
    s.piece(out)
}

/// `${quote:}`, and `${quote_<lookup type>:}`.
pub fn quote(_: &mut Context, _: &str, arg: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    if let Some(arg) = arg {
        let (kind, option) = match arg.split_once_str("_") {
            Some((kind, option)) => (kind, Some(option)),
            None => (arg, None),
        };
        return hooks::lookup_quote(kind, option, s);
    }
    let plain = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.');
    Ok(if !s.is_empty() && s.iter().all(plain) { s } else { quoted(&s, true) })
}

/// Does a local part need quotes (RFC 5322)?
fn needs_quotes(s: &[u8]) -> bool {
    let ok = |c: &u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(c);
    s.is_empty() || !s.iter().all(ok) || s.first() == Some(&b'.') || s.last() == Some(&b'.')
}

/// Quotes a local part if it needs it.
pub fn local_part(s: Text) -> Text {
    if !needs_quotes(&s) {
        return s;
    }
    let mut out = vec![b'"'];
    for &c in s.iter() {
        match c {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', c]),
            c => out.push(c),
        }
    }
    out.push(b'"');
    s.piece(out)
}

/// `${quote_local_part:}`
pub fn quote_local_part(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    Ok(local_part(s))
}

/// `${rxquote:}`
pub fn rxquote(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let mut out = Vec::with_capacity(s.len());
    for &c in s.iter() {
        if !c.is_ascii_alphanumeric() {
            out.push(b'\\');
        }
        out.push(c);
    }
    Ok(s.piece(out))
}

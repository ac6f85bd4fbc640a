//! Operators for UTF-8 and internationalised names (manual 11.6 and 60.1).

use bstr::ByteSlice;

use crate::context::Context;
use crate::expand::{ExpandError, failed};
use crate::text::Text;

/// `${from_utf8:}`: to ISO-8859-1. Input that is not UTF-8 gives something, never an error.
pub fn from_utf8(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let mut out = Vec::with_capacity(s.len());
    for (start, end, c) in s.char_indices() {
        match u32::from(c) {
            n if n < 256 => out.push((n & 0xff) as u8),
            0xfffd if s.get(start..end) != Some("\u{fffd}".as_bytes()) => out.push(b'_'),
            _ => out.push(b'_'),
        }
    }
    Ok(s.piece(out))
}

/// `${utf8clean:}`: each byte or sequence that is not UTF-8 becomes `?`.
pub fn clean(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let mut out = Vec::with_capacity(s.len());
    let mut rest: &[u8] = &s;
    while let Some((&lead, tail)) = rest.split_first() {
        let wanted = match lead {
            0..=0x7f => 0,
            0xc2..=0xdf => 1,
            0xe0..=0xef => 2,
            0xf0..=0xf7 => 3,
            _ => {
                out.push(b'?');
                rest = tail;
                continue;
            }
        };
        // The bytes that continue it; the sequence as a whole is good or is one question mark.
        let found = tail.iter().take(wanted).take_while(|c| (0x80..=0xbf).contains(*c)).count();
        let (sequence, after) = rest.split_at(1 + found);
        if std::str::from_utf8(sequence).is_ok() {
            out.extend_from_slice(sequence);
        } else {
            out.push(b'?');
        }
        rest = after;
    }
    Ok(s.piece(out))
}

/// For messages.
fn shown(s: &[u8]) -> String {
    String::from_utf8_lossy(&super::quoting::printable(s, false, true)).into_owned()
}

/// A-labels of a domain. The error is the conversion's message.
pub fn to_alabel(domain: &[u8]) -> Result<Vec<u8>, String> {
    if domain.is_ascii() {
        return Ok(domain.to_vec());
    }
    let text = domain.to_str().map_err(|_| "string encoding error".to_string())?;
    idna::domain_to_ascii(text).map(String::into_bytes).map_err(|_| "Invalid input".to_string())
}

/// A local part in ASCII.
fn local_to_alabel(local: &[u8]) -> Result<Vec<u8>, String> {
    if local.is_ascii() {
        return Ok(local.to_vec());
    }
    let coded = local.to_str().ok().and_then(idna::punycode::encode_str);
    coded.map(|c| format!("xn--{c}").into_bytes()).ok_or_else(|| "l_u2a: bad UTF-8 input".to_string())
}

/// An address in ASCII: its local part and its domain.
pub fn address_to_alabel(address: &[u8]) -> Result<Vec<u8>, String> {
    let at = address.rfind_byte(b'@').unwrap_or(address.len());
    let (local, domain) = address.split_at(at);
    let mut out = local_to_alabel(local)?;
    if let Some(domain) = domain.get(1..) {
        out.push(b'@');
        out.extend_from_slice(&to_alabel(domain)?);
    }
    Ok(out)
}

/// `${utf8_domain_to_alabel:}`
pub fn domain_to_alabel(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    match to_alabel(&s) {
        Ok(a) => Ok(s.piece(a)),
        Err(e) => failed(format!("error converting utf8 ({}) to alabel: {e}", shown(&s))),
    }
}

/// `${utf8_domain_from_alabel:}`
pub fn domain_from_alabel(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let mut labels = Vec::new();
    for label in s.split(|c| *c == b'.') {
        match label_from_alabel(label) {
            Some(l) => labels.push(l),
            None => return failed(format!("error converting alabel ({}) to utf8: Invalid input", shown(&s))),
        }
    }
    Ok(s.piece(labels.join(&b"."[..])))
}

fn label_from_alabel(label: &[u8]) -> Option<Vec<u8>> {
    match label.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case(b"xn--") => {
            let code = label.get(4..)?.to_str().ok()?;
            // The letters keep their case; whether the label is good is another question.
            let (_, result) = idna::domain_to_unicode(label.to_str().ok()?);
            let text = idna::punycode::decode_to_string(code)?;
            (result.is_ok() && !code.is_empty()).then(|| text.into_bytes())
        }
        _ => Some(label.to_vec()),
    }
}

/// `${utf8_localpart_to_alabel:}`
pub fn localpart_to_alabel(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    match local_to_alabel(&s) {
        Ok(a) => Ok(s.piece(a)),
        Err(e) => failed(format!("error converting utf8 ({}) to alabel: {e}", shown(&s))),
    }
}

/// `${utf8_localpart_from_alabel:}`
pub fn localpart_from_alabel(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let Some(code) = s.strip_prefix(b"xn--") else {
        return failed(format!("error converting alabel ({}) to utf8: bad alabel prefix", shown(&s)));
    };
    match code.to_str().ok().and_then(idna::punycode::decode_to_string) {
        Some(text) => Ok(s.piece(text)),
        None => failed(format!("error converting alabel ({}) to utf8: Invalid input", shown(&s))),
    }
}

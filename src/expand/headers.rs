//! Header lines in expansions: `$h_name:` and its relatives, `$message_headers`, `$reply_address` (manual 11.5, 11.9).
//! Reads the message of the context; changes nothing.

use bstr::{BString, ByteSlice};

use super::ExpandError;
use super::tree::HeaderForm;
use crate::context::{Context, Header, HeaderKind};
use crate::parse::Space as _;
use crate::parse::decode_2047;
use crate::text::Text;

/// The longest value made of several header lines.
const MAX_VALUE: usize = 1 << 16;

/// The text after the colon, if the line has this name.
fn value_of<'a>(h: &'a Header, name: &[u8]) -> Option<&'a [u8]> {
    if h.kind == HeaderKind::Old {
        return None;
    }
    let (head, tail) = (h.text.get(..name.len())?, h.text.get(name.len()..)?);
    if !head.eq_ignore_ascii_case(name) {
        return None;
    }
    tail.trim_start_with(|c| c == ' ' || c == '\t').strip_prefix(b":")
}

/// Is there a header line of this name?
pub fn exists(ctx: &Context, name: &[u8]) -> bool {
    ctx.message.headers.iter().any(|h| value_of(h, name).is_some())
}

/// Names whose header lines hold lists of addresses: several lines are joined by a comma.
fn is_address_list(name: &[u8]) -> bool {
    let names: [&[u8]; 6] = [b"from", b"to", b"cc", b"bcc", b"reply-to", b"sender"];
    let name = if crate::receive::kinds::is_resent(name) { name.get(7..).unwrap_or_default() } else { name };
    names.iter().any(|n| name.eq_ignore_ascii_case(n))
}

/// The character set that `$h_` and `${rfc2047:}` use.
pub fn charset(ctx: &Context) -> BString {
    if let Some(chosen) = &ctx.scratch.headers_charset {
        return chosen.clone();
    }
    match ctx.config.main.headers_charset.raw() {
        Some(c) if !c.is_empty() => c.into(),
        _ => BString::from(crate::build_options::HEADERS_CHARSET),
    }
}

/// The value of the header lines of that name; `None` if there are none.
pub fn find(ctx: &Context, form: HeaderForm, name: &[u8]) -> Result<Option<Text>, ExpandError> {
    let values: Vec<&[u8]> = ctx.message.headers.iter().filter_map(|h| value_of(h, name)).collect();
    if values.is_empty() {
        return Ok(None);
    }
    let mut out: Vec<u8> = Vec::new();
    match form {
        HeaderForm::Raw => {
            for v in values {
                out.extend_from_slice(v);
            }
        }
        HeaderForm::List => {
            for v in values {
                let v = v.strip_suffix(b"\n").unwrap_or(v);
                if !out.is_empty() {
                    out.push(b':');
                }
                out.extend_from_slice(&v.replace(b":", b"::"));
            }
        }
        HeaderForm::Basic | HeaderForm::Decoded => {
            let joint: &[u8] = if is_address_list(name) { b",\n" } else { b"\n" };
            for v in values.iter().map(|v| v.trim_space()).filter(|v| !v.is_empty()) {
                if !out.is_empty() {
                    out.extend_from_slice(joint);
                }
                out.extend_from_slice(v);
            }
        }
    }
    out.truncate(MAX_VALUE);
    let out = match form {
        HeaderForm::Raw | HeaderForm::List => out,
        HeaderForm::Basic => decoded(ctx, &out, None),
        HeaderForm::Decoded => decoded(ctx, &out, Some(&charset(ctx))),
    };
    Ok(Some(Text::tainted(out)))
}

/// Decodes encoded words; what cannot be decoded stays, what cannot be converted is left as it was decoded.
fn decoded(ctx: &Context, text: &[u8], charset: Option<&[u8]>) -> Vec<u8> {
    let check = ctx.config.main.check_rfc2047_length;
    decode_2047(text, check, charset, Some(b'?'))
        .or_else(|_| decode_2047(text, check, None, Some(b'?')))
        .map_or_else(|_| text.to_vec(), Into::into)
}

/// `$message_headers`, or `$message_headers_raw`, which keeps its last newline.
pub fn all(ctx: &Context, raw: bool) -> Text {
    let mut out = Vec::new();
    for h in ctx.message.headers.iter().filter(|h| h.kind != HeaderKind::Old) {
        out.extend_from_slice(&h.text);
        if out.len() > MAX_VALUE {
            break;
        }
    }
    out.truncate(MAX_VALUE);
    if raw {
        return Text::tainted(out);
    }
    while out.last() == Some(&b'\n') {
        out.pop();
    }
    Text::tainted(decoded(ctx, &out, None))
}

/// `$reply_address`: Reply-To: if it is not empty, else From:. Raw, without leading white space.
pub fn reply_address(ctx: &Context) -> Option<Text> {
    let mut found = None;
    for name in [&b"reply-to"[..], b"from"] {
        if let Ok(Some(v)) = find(ctx, HeaderForm::Raw, name) {
            let v = v.skip_space().to_vec();
            let v = v.trim_space_end();
            if !v.is_empty() {
                // Line breaks would end the line that it is put into.
                let flat: Vec<u8> = v.iter().map(|c| if *c == b'\n' { b' ' } else { *c }).collect();
                found = Some(Text::tainted(flat));
                break;
            }
        }
    }
    found
}

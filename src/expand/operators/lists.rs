//! Operators on lists: `listcount`, `listnamed`.

use bstr::ByteSlice;

use crate::config::ListKind;
use crate::context::Context;
use crate::expand::{ExpandError, failed, list};
use crate::text::Text;

/// How deep named lists may name others.
const MAX_NESTING: u32 = 50;

/// `${listcount:}`
pub fn count(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    Ok(Text::clean(crate::parse::list::items(&s).count().to_string()))
}

/// `${listnamed:}`, `${listnamed_d:}` ...
pub fn named(ctx: &mut Context, _: &str, arg: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let kind = match arg {
        None => None,
        Some([b'd', ..]) => Some(ListKind::Domain),
        Some([b'h', ..]) => Some(ListKind::Host),
        Some([b'a', ..]) => Some(ListKind::Address),
        Some([b'l', ..]) => Some(ListKind::LocalPart),
        Some(_) => return failed("bad suffix on \"list\" operator"),
    };
    let name = s.strip_prefix(b"+").unwrap_or(&s);
    contents(ctx, kind, name, 0)
}

fn contents(ctx: &mut Context, kind: Option<ListKind>, name: &[u8], depth: u32) -> Result<Text, ExpandError> {
    if depth > MAX_NESTING {
        return failed(format!("named lists are nested too deeply at \"{}\"", name.as_bstr()));
    }
    let kinds = [ListKind::Address, ListKind::Domain, ListKind::Host, ListKind::LocalPart];
    let found = kinds
        .into_iter()
        .filter(|k| kind.is_none_or(|wanted| wanted == *k))
        .find_map(|k| ctx.config.named_list(k, name).cloned());
    let Some(found) = found else {
        let what = match kind {
            None => "a",
            Some(ListKind::Address) => "a address",
            Some(ListKind::Domain) => "a domain",
            Some(ListKind::Host) => "a host",
            Some(ListKind::LocalPart) => "a localpart",
        };
        return failed(format!("\"{}\" is not {what} named list", name.as_bstr()));
    };
    // The text is as configured: nothing in it is expanded.
    let raw = Text::clean(found.text.raw());
    if depth == 0 && !has_reference(&raw) {
        let separator = list::separator(&raw);
        if separator == b':' {
            return Ok(raw);
        }
    }
    let mut out = Text::new();
    for item in crate::parse::list::items(&raw) {
        let piece = match item.strip_prefix(b"+") {
            Some(inner) if is_named(ctx, kind, inner) => contents(ctx, kind, inner, depth + 1)?,
            _ => Text::clean(item.replace(b":", b"::")),
        };
        if !out.is_empty() {
            out.push_bytes(b" : ");
        }
        out.push(&piece);
    }
    Ok(out)
}

fn has_reference(raw: &[u8]) -> bool {
    crate::parse::list::items(raw).any(|i| i.starts_with(b"+"))
}

fn is_named(ctx: &Context, kind: Option<ListKind>, name: &[u8]) -> bool {
    let kinds = [ListKind::Address, ListKind::Domain, ListKind::Host, ListKind::LocalPart];
    kinds.into_iter().filter(|k| kind.is_none_or(|wanted| wanted == *k)).any(|k| ctx.config.named_list(k, name).is_some())
}

//! Operators on addresses: `address`, `addresses`, `domain`, `local_part`.

use crate::context::Context;
use crate::expand::{ExpandError, failed, list};
use crate::parse::{Extracted, Rules, extract_address, find_address_end};
use crate::text::Text;

/// One address; `None` if it is none.
fn one(ctx: &Context, text: &[u8]) -> Option<Extracted> {
    extract_address(&mut Rules::new(&ctx.config.main), text).ok()
}

/// `${address:}`
pub fn address(ctx: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    Ok(one(ctx, &s).map(|e| s.piece(e.address)).unwrap_or_default())
}

/// `${domain:}`
pub fn domain(ctx: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    Ok(one(ctx, &s).map(|e| s.piece(e.domain())).unwrap_or_default())
}

/// `${local_part:}`
pub fn local_part(ctx: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    Ok(one(ctx, &s).map(|e| s.piece(e.local_part())).unwrap_or_default())
}

/// `${addresses:}`: a header line's addresses as a list; what is not an address is left out.
pub fn addresses(ctx: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let mut rest: &[u8] = trim_start(&s);
    let mut separator = b':';
    if let Some(tail) = rest.strip_prefix(b">") {
        match tail.split_first() {
            Some((c, tail)) => {
                separator = *c;
                rest = tail;
            }
            None => return failed(format!("output separator missing in expanding ${{addresses:{s}}}")),
        }
    }
    let mut rules = Rules::header(&ctx.config.main);
    let mut out = Text::new();
    let mut first = true;
    // White space after the separator is left there: an address that begins with it has no source route.
    while !trim_start(rest).is_empty() {
        let end = find_address_end(rest, false);
        let (one, tail) = rest.split_at(end.min(rest.len()));
        if let Ok(found) = extract_address(&mut rules, one)
            && !found.address.is_empty()
        {
            list::append(&mut out, separator, &s.piece(found.address), &mut first);
        }
        rest = trim_start(tail.get(1..).unwrap_or_default());
    }
    out.add_taint(s.taint());
    Ok(out)
}

fn trim_start(s: &[u8]) -> &[u8] {
    let skip = s.iter().take_while(|c| crate::parse::is_space(**c)).count();
    s.get(skip..).unwrap_or_default()
}

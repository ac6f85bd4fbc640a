//! Comparisons of strings, `bool`, `match`.

use bstr::ByteSlice;

use super::Call;
use crate::context::Context;
use crate::expand::items::RegexSlot;
use crate::expand::{ExpandError, failed};
use crate::parse::Space as _;
use crate::sys::pcre::{Options, Regex};
use crate::text::Text;

/// `eq`, `lt`, `ge` ... and their caseless forms.
pub fn compare(_: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    Ok(holds(call.name, call.arg(0), call.arg(1)))
}

/// Is the comparison true for these strings?
pub fn holds(name: &str, a: &[u8], b: &[u8]) -> bool {
    let order = if name.len() == 3 { a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()) } else { a.cmp(b) };
    match name.as_bytes() {
        [b'e', ..] => order.is_eq(),
        [b'l', b't', ..] => order.is_lt(),
        [b'l', ..] => order.is_le(),
        [b'g', b't', ..] => order.is_gt(),
        _ => order.is_ge(),
    }
}

/// `bool`, `bool_lax`
pub fn boolean(_: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    let arg = call.arg(0);
    let s = arg.trim_space().to_ascii_lowercase();
    if call.name == "bool_lax" {
        return Ok(!matches!(s.as_slice(), b"" | b"0" | b"no" | b"false"));
    }
    match s.as_slice() {
        b"" | b"false" | b"no" => Ok(false),
        b"true" | b"yes" => Ok(true),
        _ => {
            let digits = s.strip_prefix(b"-").unwrap_or(&s);
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                let shown = arg.trim_space().as_bstr().to_string();
                return failed(format!("unrecognised boolean value \"{shown}\""));
            }
            Ok(digits.iter().any(|d| *d != b'0'))
        }
    }
}

/// Compiles a pattern, or takes it from where it was kept: with the parsed string, or among the patterns that were used lately.
pub fn regex(ctx: &mut Context, pattern: &[u8], slot: Option<&RegexSlot>) -> Result<Regex, ExpandError> {
    let mut compile = || {
        if let Some(known) = ctx.services.lists.pattern(pattern, false) {
            return Ok(known);
        }
        match Regex::new(pattern, Options::NONE) {
            Ok(r) => {
                ctx.services.lists.set_pattern(pattern, false, r.clone());
                Ok(r)
            }
            Err(e) => Err(format!("regular expression error in \"{}\": {e}", pattern.as_bstr())),
        }
    };
    match slot {
        Some(slot) => slot.get_or_init(compile).clone().map_err(ExpandError::Failed),
        None => compile().map_err(ExpandError::Failed),
    }
}

/// `match`: the captures become `$0`, `$1`...
pub fn matches(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    let (subject, pattern) = (call.arg(0), call.arg(1));
    let regex = regex(ctx, pattern, call.regex)?;
    match regex.find(subject) {
        Ok(Some(found)) => {
            ctx.scratch.numeric = captured(subject, &found);
            Ok(true)
        }
        // A match that runs into its limits is no match.
        Ok(None) | Err(_) => Ok(false),
    }
}

/// The captures of a match.
pub fn captured(subject: &Text, found: &crate::sys::pcre::Captures) -> Vec<Option<Text>> {
    (0..found.len()).map(|n| found.get(subject, n).map(|b| subject.piece(b))).collect()
}

//! The name of a lookup type with what may stand around it: `partial3(xx)lsearch*@,ret=full,cache=no_rd`.

use crate::parse::Space as _;
use bstr::ByteSlice;

use super::TYPES;
use super::driver::Driver;

/// What is tried when a key is not found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Star {
    /// Nothing.
    #[default]
    None,
    /// `*`: the key `*`.
    Star,
    /// `*@`: `*@domain`, then `*`.
    StarAt,
}

/// A parsed type.
#[derive(Clone)]
pub struct Spec {
    /// Its index in [`TYPES`].
    pub index: usize,
    /// Partial matching: the least number of components that are not wild.
    pub partial: Option<usize>,
    /// What goes before the key in partial matching, `*.` unless given.
    pub affix: Vec<u8>,
    /// Defaults.
    pub star: Star,
    /// Options, in order.
    pub options: Vec<Vec<u8>>,
}

impl Spec {
    /// The type itself.
    pub fn driver(&self) -> &'static dyn Driver {
        // The index comes from the table.
        TYPES[self.index]
    }
}

/// Parses the text before the file or query. The errors are the messages that users see.
pub fn parse_type(name: &[u8]) -> Result<Spec, String> {
    let whole = name.as_bstr();
    let bad = || format!("format error in lookup type \"{whole}\"");
    let mut rest = name;
    let mut partial = None;
    let mut affix: &[u8] = b"";
    if let Some(after) = rest.strip_prefix(b"partial") {
        let digits = after.iter().take_while(|c| c.is_ascii_digit()).count();
        let number = after.get(..digits).unwrap_or_default();
        partial = Some(match number {
            [] => 2,
            _ => number.to_str().ok().and_then(|n| n.parse().ok()).ok_or_else(bad)?,
        });
        rest = after.get(digits..).unwrap_or_default();
        if let Some(inner) = rest.strip_prefix(b"(") {
            let end = inner.iter().take_while(|c| c.is_ascii_punctuation() && **c != b')').count();
            affix = inner.get(..end).unwrap_or_default();
            rest = inner.get(end..).and_then(|r| r.strip_prefix(b")")).ok_or_else(bad)?;
        } else {
            affix = b"*.";
            rest = rest.strip_prefix(b"-").ok_or_else(bad)?;
        }
    }
    let (base, options) = match rest.find_byte(b',') {
        Some(i) => (rest.get(..i).unwrap_or_default(), rest.get(i + 1..).unwrap_or_default()),
        None => (rest, &b""[..]),
    };
    let (base, star) = match base.find_byte(b'*') {
        Some(i) => {
            let star = if base.get(i + 1) == Some(&b'@') { Star::StarAt } else { Star::Star };
            (base.get(..i).unwrap_or_default(), star)
        }
        None => (base, Star::None),
    };
    let base = base.trim_space();
    let index = TYPES
        .iter()
        .position(|d| d.name().as_bytes() == base)
        .ok_or_else(|| format!("unknown lookup type \"{}\"", base.as_bstr()))?;
    let rest = rest.as_bstr();
    if TYPES.get(index).is_some_and(|d| d.style().is_query()) {
        if partial.is_some() {
            return Err(format!("\"partial\" is not permitted for lookup type \"{rest}\""));
        }
        if star != Star::None {
            return Err(format!("defaults using \"*\" or \"*@\" are not permitted for lookup type \"{rest}\""));
        }
    }
    let options = crate::parse::list::items_with(options, b',').map(Vec::from).collect();
    Ok(Spec { index, partial, affix: affix.into(), star, options })
}

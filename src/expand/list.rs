//! Lists as expansions make and read them; the splitting itself is `parse::list`.

use bstr::BString;

use super::{ExpandError, expand_once};
use crate::context::Context;
use crate::parse::list::{items, items_with};
use crate::text::Text;

/// Expands each item of a configured list by itself (`headers_add` and the like). Empty items and those whose expansion is
/// forced to fail are left out. The error says which item could not be expanded.
pub fn each(ctx: &mut Context, list: &[u8], separator: u8) -> Result<Vec<Text>, (BString, ExpandError)> {
    let mut out = Vec::new();
    for item in items_with(list, separator) {
        match expand_once(ctx, &item) {
            Ok(text) if text.is_empty() => {}
            Ok(text) => out.push(text),
            Err(ExpandError::Forced(_)) => {}
            Err(e) => return Err((item, e)),
        }
    }
    Ok(out)
}

/// The items, with the list's taint.
pub fn split_text(list: &Text) -> Vec<Text> {
    items(list).map(|i| list.piece(i)).collect()
}

/// The separator that a list uses.
pub fn separator(list: &[u8]) -> u8 {
    items(list).separator()
}

/// Appends an item to a list that is being made: separators within it are doubled, and it is kept apart from a
/// separator before it if it begins with one. `first` says that nothing stands before it.
pub fn append(out: &mut Text, separator: u8, item: &Text, first: &mut bool) {
    let mut bytes = Vec::with_capacity(item.as_bytes().len() + 2);
    if !*first {
        bytes.push(separator);
        // Also an empty item: two separators would be one character of an item.
        if item.is_empty() || item.first() == Some(&separator) {
            bytes.push(b' ');
        }
    }
    *first = false;
    for c in item.iter() {
        bytes.push(*c);
        if *c == separator {
            bytes.push(*c);
        }
    }
    out.push_with(&bytes, item.taint());
}

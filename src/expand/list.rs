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
pub fn split_text(list: &Text) -> impl Iterator<Item = Text> {
    let mut items = items(list);
    std::iter::from_fn(move || items.next_piece().map(|i| list.piece(i)))
}

/// The separator that a list uses.
pub fn separator(list: &[u8]) -> u8 {
    items(list).separator()
}

/// Appends an item to a list that is being made: separators within it are doubled, and it is kept apart from a
/// separator before it if it begins with one. `first` says that nothing stands before it.
pub fn append(out: &mut Text, separator: u8, item: &Text, first: &mut bool) {
    if !*first {
        out.push_bytes(&[separator]);
        // Also an empty item: two separators would be one character of an item.
        if item.is_empty() || item.first() == Some(&separator) {
            out.push_bytes(b" ");
        }
    }
    *first = false;
    for piece in item.split_inclusive(|c| *c == separator) {
        out.push_bytes(piece);
        if piece.last() == Some(&separator) {
            out.push_bytes(&[separator]);
        }
    }
    out.add_taint(item.taint());
}

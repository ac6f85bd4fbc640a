//! Lists as expansions make and read them; the splitting itself is `parse::list`.

use crate::parse::list::items;
use crate::text::Text;

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

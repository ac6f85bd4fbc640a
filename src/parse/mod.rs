//! RFC 5322 and 5321 texts: addresses in header lines and command arguments, lists of them, forward lists,
//! phrases, RFC 2047 words, dates, xtext, message ids.
//!
//! Anyone may call it. It opens no files but those of `:include:`, expands nothing, and knows no session:
//! what differs between callers is in [`Rules`].

pub mod address;
pub mod address_end;
pub mod date;
pub mod forward;
pub mod lexer;
pub mod list;
pub mod message_id;
pub mod phrase;
pub mod rfc2047;
mod space;
pub mod xtext;

pub use address::{Extracted, Rules, extract_address, extract_address as extract_with};
pub use address_end::find_address_end;
pub use phrase::fix_phrase;
pub use rfc2047::{decode_2047, quote_2047};
pub(crate) use space::{Space, is_space};

use bstr::BString;

/// Joins a folded header line: each line break that is followed by white space goes, the white space stays.
pub fn unfold(text: &[u8]) -> BString {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&c, tail)) = rest.split_first() {
        rest = tail;
        let next = if c == b'\r' {
            tail.strip_prefix(b"\n")
        } else if c == b'\n' {
            Some(tail)
        } else {
            None
        };
        match next {
            Some(after) if matches!(after.first(), Some(b' ' | b'\t')) => rest = after,
            _ => out.push(c),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests;

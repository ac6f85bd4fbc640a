//! The type letters of header lines in -H.

use crate::context::HeaderKind;

/// The letter that is written.
pub fn letter(kind: HeaderKind) -> u8 {
    match kind {
        HeaderKind::Other | HeaderKind::Date => b' ',
        HeaderKind::Bcc => b'B',
        HeaderKind::Cc => b'C',
        HeaderKind::From => b'F',
        HeaderKind::Id => b'I',
        HeaderKind::Received => b'P',
        HeaderKind::ReplyTo => b'R',
        HeaderKind::Sender => b'S',
        HeaderKind::To => b'T',
        HeaderKind::Old => b'*',
    }
}

/// The kind of a letter; unknown ones are ordinary.
pub fn kind(letter: u8) -> HeaderKind {
    match letter {
        b'B' => HeaderKind::Bcc,
        b'C' => HeaderKind::Cc,
        b'F' => HeaderKind::From,
        b'I' => HeaderKind::Id,
        b'P' => HeaderKind::Received,
        b'R' => HeaderKind::ReplyTo,
        b'S' => HeaderKind::Sender,
        b'T' => HeaderKind::To,
        b'*' => HeaderKind::Old,
        _ => HeaderKind::Other,
    }
}

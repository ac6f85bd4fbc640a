//! Which header lines have a meaning for reception, and their names.

use bstr::ByteSlice;

use crate::context::HeaderKind;

/// What a header line's name says. Some are no kinds of the spool file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A kind of the spool file.
    Kind(HeaderKind),
    /// `Delivery-date:`
    DeliveryDate,
    /// `Envelope-to:`
    EnvelopeTo,
    /// `Return-path:`
    ReturnPath,
    /// `Subject:`
    Subject,
    /// Any other.
    Other,
}

/// Name, kind, and whether there is a Resent- form of it.
static NAMES: &[(&str, Name, bool)] = &[
    ("bcc", Name::Kind(HeaderKind::Bcc), true),
    ("cc", Name::Kind(HeaderKind::Cc), true),
    ("date", Name::Kind(HeaderKind::Date), true),
    ("delivery-date", Name::DeliveryDate, false),
    ("envelope-to", Name::EnvelopeTo, false),
    ("from", Name::Kind(HeaderKind::From), true),
    ("message-id", Name::Kind(HeaderKind::Id), true),
    ("received", Name::Kind(HeaderKind::Received), false),
    ("reply-to", Name::Kind(HeaderKind::ReplyTo), false),
    ("return-path", Name::ReturnPath, false),
    ("sender", Name::Kind(HeaderKind::Sender), true),
    ("subject", Name::Subject, false),
    ("to", Name::Kind(HeaderKind::To), true),
];

/// Is it one of a set of Resent- lines?
pub fn is_resent(line: &[u8]) -> bool {
    line.get(..7).is_some_and(|p| p.eq_ignore_ascii_case(b"resent-"))
}

/// The name of a header line, without the colon and white space before it.
pub fn name_of(line: &[u8]) -> &[u8] {
    let end = line.find_byte(b':').unwrap_or(0);
    line.get(..end).unwrap_or_default().trim_ascii_end()
}

/// What a header line is.
pub fn classify(line: &[u8]) -> Name {
    let resent = is_resent(line);
    let name = name_of(line);
    let name = if resent { name.get(7..).unwrap_or_default() } else { name };
    NAMES
        .iter()
        .find(|(n, _, may_resent)| name.eq_ignore_ascii_case(n.as_bytes()) && (*may_resent || !resent))
        .map_or(Name::Other, |(_, k, _)| *k)
}

/// The kind that a header line has in the spool when nothing else is done to it.
pub fn spool_kind(line: &[u8]) -> HeaderKind {
    match classify(line) {
        Name::Kind(HeaderKind::Date) => HeaderKind::Other,
        Name::Kind(k) => k,
        _ => HeaderKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        assert_eq!(classify(b"Resent-To : a\n"), Name::Kind(HeaderKind::To));
        assert_eq!(classify(b"Resent-Reply-To: a\n"), Name::Other);
        assert_eq!(classify(b"SUBJECT: a\n"), Name::Subject);
        assert_eq!(classify(b"To"), Name::Other);
    }
}

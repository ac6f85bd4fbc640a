//! Mail filters: Exim's own language and Sieve (the separate document "Exim's interfaces to mail filtering").
//!
//! A filter looks at one message and says what is to be done with it: [`Filtered`]. It delivers nothing itself. The
//! redirect router runs users' filters, delivery runs the system filter (`deliver::system_filter`), `-bf` and `-bF` try
//! them out (`cli::filter_test`). The parsers are pure functions of the bytes.

mod asked;
pub mod exim;
pub mod personal;
pub mod reply;
pub mod sieve;

pub use asked::{End, Filtered, Generated, REPLY_FIELDS, What};

/// The language of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKind {
    /// `# Exim filter`
    Exim,
    /// `# Sieve filter`
    Sieve,
}

/// Is the text a filter? Its first line says so: `#`, white space, `Exim filter` or `Sieve filter`, without regard to case.
pub fn is_filter(text: &[u8]) -> Option<FilterKind> {
    let rest = skip_spaces(text).strip_prefix(b"#")?;
    let rest = skip_spaces(rest);
    [(&b"exim"[..], FilterKind::Exim), (&b"sieve"[..], FilterKind::Sieve)].into_iter().find_map(|(word, kind)| {
        let after = rest.get(..word.len()).filter(|w| w.eq_ignore_ascii_case(word)).map(|w| skip_spaces(&rest[w.len()..]))?;
        let filter = after.get(..6).filter(|w| w.eq_ignore_ascii_case(b"filter"))?;
        (!after.get(filter.len()).is_some_and(|c| c.is_ascii_alphanumeric())).then_some(kind)
    })
}

fn skip_spaces(s: &[u8]) -> &[u8] {
    let n = s.iter().take_while(|c| matches!(c, b' ' | b'\t')).count();
    &s[n..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        assert_eq!(is_filter(b"# Exim filter\n"), Some(FilterKind::Exim));
        assert_eq!(is_filter(b"#sieve  FILTER"), Some(FilterKind::Sieve));
        assert_eq!(is_filter(b"# exim filtering"), None);
        assert_eq!(is_filter(b"a@b"), None);
    }
}

//! White space as Exim's parsers know it: C's `isspace()` in the C locale, never what Unicode adds to it.

/// C's isspace in the C locale: the white space that all the parsers skip.
pub(crate) fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Taking white space off the ends of bytes.
pub(crate) trait Space {
    /// Without white space at both ends.
    fn trim_space(&self) -> &[u8];
    /// Without white space at the start.
    fn skip_space(&self) -> &[u8];
    /// Without white space at the end.
    fn trim_space_end(&self) -> &[u8];
}

impl Space for [u8] {
    fn trim_space(&self) -> &[u8] {
        self.skip_space().trim_space_end()
    }

    fn skip_space(&self) -> &[u8] {
        let mut rest = self;
        while let [c, tail @ ..] = rest
            && is_space(*c)
        {
            rest = tail;
        }
        rest
    }

    fn trim_space_end(&self) -> &[u8] {
        let mut rest = self;
        while let [head @ .., c] = rest
            && is_space(*c)
        {
            rest = head;
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_c_calls_space() {
        assert_eq!(b" \t\x0b\x0c\r\na b\n".trim_space(), b"a b");
        assert_eq!("\u{a0}a\u{2003}".as_bytes().trim_space(), "\u{a0}a\u{2003}".as_bytes());
        assert_eq!(b" \n".trim_space(), b"");
        assert_eq!(b" a ".skip_space(), b"a ");
        assert_eq!(b" a ".trim_space_end(), b" a");
    }
}

//! Replies of an SMTP server: what makes one, and its parts.

use bstr::{BString, ByteSlice};

/// Most bytes of a whole reply that are kept; longer ones count as malformed.
pub const MAX_REPLY: usize = 16 * 1024;

/// A complete reply: its lines joined by newlines, codes included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The text, without trailing white space in each line.
    pub text: BString,
}

impl Reply {
    /// The three-digit code of the last line; 0 if there is none.
    pub fn code(&self) -> u16 {
        let last = self.text.rfind_byte(b'\n').map_or(0, |n| n + 1);
        self.text.get(last..last + 3).and_then(|c| c.to_str().ok()?.parse().ok()).unwrap_or(0)
    }

    /// Its first digit: `b'2'`, `b'4'`...
    pub fn class(&self) -> u8 {
        self.text.first().copied().unwrap_or(0)
    }

    /// 2xx.
    pub fn is_ok(&self) -> bool {
        self.class() == b'2'
    }

    /// What retry rules compare: the last two digits of the first line's code, as a number.
    pub fn retry_code(&self) -> i32 {
        let digit = |n: usize| self.text.get(n).map_or(0, |c| i32::from(c.wrapping_sub(b'0') % 10));
        digit(1) * 10 + digit(2)
    }

    /// The lines after the first, each without code and separator: the keywords of an EHLO answer.
    pub fn keywords(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split_str("\n").skip(1).filter_map(|l| l.get(4..))
    }
}

/// Is it a line of a reply? `Some(true)`: another line follows.
pub fn check_line(line: &[u8]) -> Option<bool> {
    let code = line.get(..3)?;
    if !code.iter().all(u8::is_ascii_digit) {
        return None;
    }
    match line.get(3) {
        Some(b'-') => Some(true),
        None | Some(b' ') => Some(false),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_codes() {
        assert_eq!(check_line(b"250-x"), Some(true));
        assert_eq!(check_line(b"250"), Some(false));
        assert_eq!(check_line(b"250x"), None);
        assert_eq!(check_line(b""), None);
        let r = Reply { text: "250-a\n250-SIZE 100\n250 X".into() };
        assert_eq!((r.code(), r.class()), (250, b'2'));
        assert_eq!(r.keywords().collect::<Vec<_>>(), [&b"SIZE 100"[..], b"X"]);
        assert_eq!(Reply { text: "452 no".into() }.retry_code(), 52);
        assert_eq!(Reply { text: "".into() }.code(), 0);
    }
}

//! The binary under test is a copy with two strings changed: the marker that switches it to the
//! test harness, and its version.

use std::sync::LazyLock;

use regex::bytes::Regex;

const RUNNING: &[u8] = b">>>running<<<";
const TESTING: &[u8] = b"<<<testing>>>";
const VERSION_TAG: &[u8] = b"<<eximversion>>";
const VERSION: &[u8] = b"x.yz\0";

static VERSION_TEXT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        r"(?-u)\d+[._]\d+(?:[._]\d+){0,2}(?:[-_]RC\d+|dev(?:start)?)?(?:-\d+)?(?:[-_][0-9a-f]+)?(?:[-_]XX)?\x00<<eximversion>>";
    Regex::new(pattern).expect("a pattern")
});

/// Patch in place; what was found: the marker, the version.
pub fn patch(binary: &mut [u8]) -> (bool, bool) {
    let marker = find(binary, RUNNING);
    if let Some(at) = marker {
        binary[at..at + RUNNING.len()].copy_from_slice(TESTING);
    }
    let version = VERSION_TEXT.find(binary).map(|found| found.range());
    if let Some(range) = &version {
        let place = &mut binary[range.clone()];
        place.fill(b'*');
        if place.len() > VERSION.len() {
            place[..VERSION.len()].copy_from_slice(VERSION);
        }
    }
    (marker.is_some(), version.is_some() && find(binary, VERSION_TAG).is_none())
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let first = *part.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|&b| b == first) {
        let at = from + at;
        if text[at..].starts_with(part) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_strings_keep_their_lengths() {
        let mut binary = b"\x7fELF\0>>>running<<<\0x\0_4.99-RC1-12-abc\0<<eximversion>>\0end".to_vec();
        let length = binary.len();
        assert_eq!(patch(&mut binary), (true, true));
        assert_eq!(binary.len(), length);
        let text = b"\x7fELF\0<<<testing>>>\0x\0_x.yz\0".to_vec();
        assert!(binary.starts_with(&text), "{}", String::from_utf8_lossy(&binary));
        assert!(binary.ends_with(b"***\0end"));
        assert_eq!(patch(&mut b"nothing".to_vec()), (false, false));
    }
}

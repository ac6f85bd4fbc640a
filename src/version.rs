//! The version that Oxim shows as Exim's, and the marker of the test harness (testsuite-format.md 14.1).
//!
//! Both are static bytes that the test suite's runner edits in a copy of the binary; nothing else changes them.

use bstr::{BString, ByteSlice};

/// The level of Exim that this is compatible with. Ends at the NUL; the runner replaces it by `x.yz`.
#[used]
static VERSION: [u8; 20] = *b"4.99\0<<eximversion>>";

/// `<<<testing>>>` in a binary that belongs to the test suite.
#[used]
static MARKER: [u8; 13] = *b">>>running<<<";

/// Oxim's own version.
pub const OXIM_VERSION: &str = env!("CARGO_PKG_VERSION");

/// `$version_number` as built; `exim_version` may replace it.
pub fn version() -> BString {
    // The compiler must not look into the array: the file may have been edited since.
    let bytes = std::hint::black_box(&VERSION);
    let end = bytes.find_byte(0).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default().into()
}

/// Has this binary been edited by the test suite?
pub fn test_harness() -> bool {
    let marker = std::hint::black_box(&MARKER);
    marker.starts_with(b"<<<") && marker.get(3..10) == Some(b"testing".as_slice())
}

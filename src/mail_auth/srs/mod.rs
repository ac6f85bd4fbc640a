//! Sender rewriting (SRS): addresses that carry the sender of a message through a forwarder, and bring bounces back.
//!
//! Two dialects share the form `SRS0=hash=stamp=domain=local` and the stamps here: the native one of `${srs_encode}` and
//! `inbound_srs` (`expand/items/srs.rs`), and the guarded one of the redirect router's options (`guarded.rs`, called by
//! `routers/redirect/srs.rs`). Nothing here looks at a message or sends anything.

pub mod guarded;

use crate::sys::time::unix_time;

/// The digits of stamps.
pub const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Stamps begin again after so many days.
const CYCLE: i64 = 1024;

/// The number of this day in the cycle.
pub fn today() -> i64 {
    (unix_time() / 86400) % CYCLE
}

/// The two digits of a day.
pub fn stamp(day: i64) -> [u8; 2] {
    [day >> 5 & 31, day & 31].map(|n| usize::try_from(n).ok().and_then(|n| BASE32.get(n)).copied().unwrap_or(b'a'))
}

/// How many days ago that stamp was made, if it is one: digits in lower case.
pub fn age(stamp: &[u8], today: i64) -> Option<i64> {
    let digit = |c: &u8| BASE32.iter().position(|b| b == c).and_then(|n| i64::try_from(n).ok());
    match stamp {
        [high, low] => Some((today - (digit(high)? << 5 | digit(low)?)).rem_euclid(CYCLE)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_and_ages() {
        assert_eq!(stamp(0), *b"aa");
        assert_eq!(stamp(1023), *b"77");
        for day in 0..1024 {
            assert_eq!(age(&stamp(day), (day + 3) % 1024), Some(3));
        }
        assert_eq!(age(b"77", 2), Some(3));
        for bad in [&b""[..], b"a", b"aaa", b"a1", b"AA", b"a\xff"] {
            assert_eq!(age(bad, 0), None);
        }
    }
}

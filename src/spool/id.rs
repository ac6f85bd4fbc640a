//! Message ids: `tttttt-ppppppppppp-ssss`, seconds, process, and fraction of the second, in base 62.
//!
//! The older form `tttttt-pppppp-ss` (before 4.97) is read everywhere too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bstr::BString;

use super::base62;
use crate::config::Config;

/// Length of an id.
pub const LENGTH: usize = 23;
/// Length of an id in the older form.
pub const OLD_LENGTH: usize = 16;

/// The time of the last id of this process, in ticks: no two threads may get the same one.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A new id, and the time that it stands for (seconds, microseconds). No two ids of a host are the same, and with
/// `localhost_number` no two of a set of hosts.
pub fn new_message_id(config: &Config) -> (BString, (i64, u32)) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64);
    // With a host number the last four digits must hold both, so the clock ticks every two microseconds only.
    let tick_usec = if config.site.localhost_number.is_some() { 2 } else { 1 };
    let wanted = now / tick_usec;
    let mut last = LAST.load(Ordering::Relaxed);
    let tick = loop {
        let tick = wanted.max(last + 1);
        match LAST.compare_exchange_weak(last, tick, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => break tick,
            Err(seen) => last = seen,
        }
    };
    let ticks_per_second = 1_000_000 / tick_usec;
    let (seconds, fraction) = (tick / ticks_per_second, tick % ticks_per_second);
    let low = match config.site.localhost_number {
        Some(n) => u64::from(n) * ticks_per_second + fraction,
        None => fraction,
    };
    let mut id = base62::encode(seconds, 6);
    id.push(b'-');
    id.extend(base62::encode(u64::from(std::process::id()), 11));
    id.push(b'-');
    id.extend(base62::encode(low, 4));
    (id.into(), (seconds as i64, (fraction * tick_usec) as u32))
}

/// Is it an id, in the present form or the older one?
pub fn is_message_id(s: &[u8]) -> bool {
    let (pid, end) = match s.len() {
        LENGTH => (11, 4),
        OLD_LENGTH => (6, 2),
        _ => return false,
    };
    let parts: Vec<&[u8]> = s.split(|c| *c == b'-').collect();
    matches!(parts.as_slice(), [t, p, f] if t.len() == 6 && p.len() == pid && f.len() == end
        && [t, p, f].iter().all(|part| part.iter().all(u8::is_ascii_alphanumeric)))
}

/// The time in an id, seconds since 1970; 0 if it is none.
pub fn time_of(id: &[u8]) -> i64 {
    id.get(..6).and_then(base62::decode).map_or(0, |t| t as i64)
}

/// The id within the name of a spool file (`<id>-H`), if it is one with that suffix.
pub fn of_file_name<'a>(name: &'a [u8], suffix: &[u8]) -> Option<&'a [u8]> {
    name.strip_suffix(suffix).filter(|id| is_message_id(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_are_ids() {
        let config = Config::default();
        let (a, t) = new_message_id(&config);
        let (b, _) = new_message_id(&config);
        assert_ne!(a, b);
        assert!(is_message_id(&a) && is_message_id(&b));
        assert_eq!(time_of(&a), t.0);
        assert!(is_message_id(b"1hZUCo-0001Xq-7t"));
        assert!(!is_message_id(b"1hZUCo-0001Xq-7"));
    }
}

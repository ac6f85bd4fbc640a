//! The servers of `spamd_address`: their options, and which is to be asked next. Pure.

use std::time::Duration;

use bstr::{BString, ByteSlice};

use crate::config::values::parse_interval;
use crate::parse::list;
use crate::scan::conditions::DEFAULT_TIME;
use crate::scan::link::{BadPlace, Place};

/// As many as there may be.
const MAX_SERVERS: usize = 32;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    SpamAssassin,
    Rspamd,
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    pub place: Place,
    pub variant: Variant,
    /// Higher ones first.
    pub priority: u32,
    /// How often it is asked, among those of its priority.
    pub weight: u32,
    /// Seconds of the day in which it may be asked: from the first to before the second, over midnight too.
    pub hours: Option<(u32, u32)>,
    pub retry: Option<Duration>,
    pub time: Duration,
}

/// Reads the list. What is wrong with it is told to `warn`, and left out.
pub(super) fn read(value: &[u8], mut warn: impl FnMut(String)) -> Vec<Server> {
    let mut out = Vec::new();
    for item in list::items(value).filter(|i| !i.is_empty()) {
        if out.len() == MAX_SERVERS {
            warn("More than 32 spamd servers specified; only the first 32 can be used".into());
            break;
        }
        // Each is a list itself, with blanks between its words; the separator can be changed.
        let mut words = list::items_with(&item, b' ').filter(|w| !w.is_empty());
        let place = match Place::take(&mut words) {
            Ok(place) => place,
            Err(bad) => {
                warn(match bad {
                    BadPlace::NoPort => format!("warning - invalid spamd address: '{item}'"),
                    BadPlace::Port => format!("spamd: invalid socket '{item}'"),
                });
                continue;
            }
        };
        let variant = Variant::SpamAssassin;
        let mut server = Server { place, variant, priority: 1, weight: 1, hours: None, retry: None, time: DEFAULT_TIME };
        for word in words {
            if let Err(warning) = option(&mut server, &word) {
                warn(format!("warning - invalid spamd {warning}"));
            }
        }
        out.push(server);
    }
    out
}

fn option(server: &mut Server, word: &BString) -> Result<(), String> {
    let bad = || format!("parameter: '{word}'");
    let (name, value) = word.split_once_str("=").ok_or_else(bad)?;
    let shown = value.as_bstr();
    let number = || value.to_str().ok().and_then(|v| v.parse::<u32>().ok()).ok_or_else(bad);
    let interval = || {
        let seconds = parse_interval(value).and_then(|t| u64::try_from(t).ok());
        seconds
            .map(Duration::from_secs)
            .ok_or_else(|| format!("{} value: '{shown}'", if name == b"tmo" { "timeout" } else { "retry" }))
    };
    match (name, value) {
        (b"pri", _) => server.priority = number()?,
        (b"weight", _) => server.weight = number()?,
        (b"time", _) => server.hours = Some(hours(value).ok_or_else(|| format!("time value: '{shown}'"))?),
        (b"retry", _) => server.retry = Some(interval()?),
        (b"tmo", _) => server.time = interval()?,
        (b"variant", b"rspamd") => server.variant = Variant::Rspamd,
        _ => return Err(bad()),
    }
    Ok(())
}

/// `<start>-<end>`, each `hour[.minute[.second]]`.
fn hours(value: &[u8]) -> Option<(u32, u32)> {
    let (start, end) = value.split_once_str("-")?;
    let second = |text: &[u8]| {
        let mut parts = text.to_str().ok()?.split('.');
        let mut total = 0;
        for (n, (unit, limit)) in [(3600, 24), (60, 59), (1, 59)].into_iter().enumerate() {
            let value: u32 = match parts.next() {
                Some(p) => p.parse().ok().filter(|v| *v <= limit)?,
                None if n > 0 => 0,
                None => return None,
            };
            total += value * unit;
        }
        parts.next().is_none().then_some(total)
    };
    Some((second(start)?, second(end)?))
}

/// The number of the server to be asked: of those that may be asked at this second of the day, one of the highest
/// priority, by chance and weight. `random` gives a number below its argument.
pub(super) fn choose(servers: &[Server], second: u32, random: impl FnOnce(u32) -> u32) -> Option<usize> {
    let open = |s: &Server| match s.hours {
        None => true,
        Some((start, end)) if start <= end => (start..end).contains(&second),
        Some((start, end)) => second >= start || second < end,
    };
    let priority = servers.iter().filter(|s| open(s)).map(|s| s.priority).max()?;
    let candidates = || servers.iter().enumerate().filter(|(_, s)| open(s) && s.priority == priority);
    let total = candidates().fold(0u32, |sum, (_, s)| sum.saturating_add(s.weight));
    if total == 0 {
        return candidates().next().map(|(n, _)| n);
    }
    let mut left = random(total);
    for (n, s) in candidates() {
        if left < s.weight {
            return Some(n);
        }
        left -= s.weight;
    }
    candidates().next_back().map(|(n, _)| n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(list: &str) -> (Vec<Server>, Vec<String>) {
        let mut warnings = Vec::new();
        let servers = read(list.as_bytes(), |w| warnings.push(w));
        (servers, warnings)
    }

    #[test]
    fn options() {
        let (s, w) = all("<; 127.0.0.1 783 ; ::1 784-786 pri=2 tmo=2s weight=5 retry=1m variant=rspamd time=22.30-6 ; /run/s");
        assert!(w.is_empty());
        assert_eq!(s[1].place, Place::Tcp("::1".into(), 784..=786));
        assert_eq!((s[1].priority, s[1].weight, s[1].variant), (2, 5, Variant::Rspamd));
        assert_eq!(s[1].hours, Some((81_000, 21_600)));
        assert_eq!((s[1].retry, s[1].time), (Some(Duration::from_secs(60)), Duration::from_secs(2)));
        assert_eq!(s[2].place, Place::Unix("/run/s".into()));
    }

    #[test]
    fn warnings() {
        for (list, warning) in [
            ("127.0.0.1", "warning - invalid spamd address: '127.0.0.1'"),
            ("127.0.0.1 x", "spamd: invalid socket '127.0.0.1 x'"),
            ("h 1 foo=3", "warning - invalid spamd parameter: 'foo=3'"),
            ("h 1 pri=x", "warning - invalid spamd parameter: 'pri=x'"),
            ("h 1 variant=x", "warning - invalid spamd parameter: 'variant=x'"),
            ("h 1 time=0", "warning - invalid spamd time value: '0'"),
            ("h 1 time=25-26", "warning - invalid spamd time value: '25-26'"),
            ("h 1 tmo=x", "warning - invalid spamd timeout value: 'x'"),
        ] {
            assert_eq!(all(list).1, [warning], "{list}");
        }
        assert_eq!(all(&"h 1 : ".repeat(40)).0.len(), 32);
    }

    #[test]
    fn choice() {
        let (s, _) = all("a 1 weight=3 : b 1 weight=1 : c 1 pri=9 time=8-9 : d 1 pri=0");
        assert_eq!(choose(&s, 8 * 3600, |_| 0), Some(2));
        assert_eq!(choose(&s, 0, |n| n - 1), Some(1));
        assert_eq!(choose(&s, 0, |_| 2), Some(0));
        let (night, _) = all("a 1 time=22-6");
        assert_eq!(choose(&night, 12 * 3600, |_| 0), None);
        assert_eq!(choose(&night, 23 * 3600, |_| 0), Some(0));
        assert_eq!(choose(&[], 0, |_| 0), None);
        assert_eq!(choose(&all("a 1 weight=0").0, 0, |_| 0), Some(0));
    }
}

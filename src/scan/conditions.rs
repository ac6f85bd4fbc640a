//! The ACL conditions of this room: their arguments taken apart, and what came of them as a verdict.

use std::time::Duration;

use bstr::{BString, ByteSlice};

use crate::acl::Verdict;
use crate::config::values::parse_interval;
use crate::parse::list;

/// How long a scanner may take, if nothing else is said.
pub const DEFAULT_TIME: Duration = Duration::from_secs(120);

/// A condition's argument: `value/defer_ok/tmo=time`.
#[derive(Debug, PartialEq, Eq)]
pub struct Argument {
    /// What stands first.
    pub value: BString,
    /// A scanner that cannot be had is no reason to defer.
    pub defer_ok: bool,
    /// How long the scanner may take.
    pub time: Duration,
}

impl Argument {
    /// Reads it. `None`: the condition is false at once. The error is for the log.
    pub fn read(name: &str, text: &[u8], timed: bool) -> Result<Option<Argument>, String> {
        let mut items = list::items_with(text, b'/');
        let Some(value) = items.next().filter(|v| !is_false(v)) else { return Ok(None) };
        let mut out = Argument { value, defer_ok: false, time: DEFAULT_TIME };
        for item in items {
            if item.eq_ignore_ascii_case(b"defer_ok") {
                out.defer_ok = true;
            } else if let Some(time) = item.strip_prefix(b"tmo=").filter(|_| timed) {
                let seconds = parse_interval(time).and_then(|t| u64::try_from(t).ok());
                out.time = seconds.map(Duration::from_secs).ok_or_else(|| format!("bad timeout value in '{item}'"))?;
            } else {
                return Err(format!("unknown option '{item}' in \"{name}\" condition"));
            }
        }
        Ok(Some(out))
    }

    /// The verdict of a scanner that could not be used.
    pub fn deferred(&self) -> Verdict {
        if self.defer_ok { Verdict::Fail } else { Verdict::Defer }
    }
}

fn is_false(value: &[u8]) -> bool {
    value.is_empty() || value == b"0" || value.trim().eq_ignore_ascii_case(b"false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let read = |s: &str| Argument::read("malware", s.as_bytes(), true);
        for none in ["", "0", "FALSE", " false/defer_ok", "/x"] {
            assert_eq!(read(none), Ok(None), "{none}");
        }
        let a = read("* / defer_ok / tmo=10s").unwrap().unwrap();
        assert_eq!((a.value, a.defer_ok, a.time), ("*".into(), true, Duration::from_secs(10)));
        assert_eq!(read("a//b").unwrap().unwrap().value, "a/b");
        assert_eq!(read("*/tmo=foo").unwrap_err(), "bad timeout value in 'tmo=foo'");
        assert!(read("*/other").is_err());
        assert!(Argument::read("spam", b"nobody/tmo=1s", false).is_err());
    }
}

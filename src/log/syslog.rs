//! Lines for syslog: split at newlines and at 870 characters (manual section 53.4). In the test harness they go to
//! stderr instead. Only `log::write` calls it.

use std::io::Write as _;

use super::settings::Settings;
use crate::build_options as build;
use crate::sys::syslog::Syslog;

pub use crate::sys::syslog::{LOG_ALERT as ALERT, LOG_INFO as INFO, LOG_NOTICE as NOTICE};

/// Most bytes of text in one call.
const MAX_LINE: usize = 870;

/// Connects. Without a usable name there is no syslog.
pub fn open(settings: &Settings) -> Option<Syslog> {
    let name = if settings.syslog_name.is_empty() { b"exim".as_slice() } else { settings.syslog_name.as_slice() };
    Syslog::open(name, settings.syslog_facility, build::SYSLOG_LOG_PID && settings.syslog_pid).ok()
}

/// Writes an entry, in as many pieces as it needs.
pub fn write(to: Option<&Syslog>, test_harness: bool, priority: i32, entry: &[u8]) {
    let pieces = split(entry.strip_suffix(b"\n").unwrap_or(entry), if build::SYSLOG_LONG_LINES { usize::MAX } else { MAX_LINE });
    let total = pieces.len();
    for (i, (text, by_newline)) in pieces.iter().enumerate() {
        let mut line = Vec::with_capacity(text.len() + 10);
        if total > 1 {
            let mark = if *by_newline { '\\' } else { '/' };
            line.extend_from_slice(format!("[{}{mark}{total}] ", i + 1).as_bytes());
        }
        line.extend_from_slice(text);
        if test_harness {
            test_line(&line);
        } else if let Some(s) = to {
            s.write(priority, &line);
        }
    }
}

/// What the test harness sees.
pub fn test_line(line: &[u8]) {
    let _ = std::io::stderr().write_all(&[b"SYSLOG: '", line, b"'\n"].concat());
}

/// The pieces, each with "it ended at a newline".
fn split(entry: &[u8], limit: usize) -> Vec<(&[u8], bool)> {
    let mut out = Vec::new();
    let mut rest = entry;
    loop {
        let newline = rest.iter().position(|c| *c == b'\n').unwrap_or(rest.len());
        if newline > limit {
            let (head, tail) = rest.split_at(limit);
            out.push((head, false));
            rest = tail;
        } else {
            let more = newline < rest.len();
            out.push((rest.get(..newline).unwrap_or_default(), more));
            if !more {
                return out;
            }
            rest = rest.get(newline + 1..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces() {
        assert_eq!(split(b"one", 5), vec![(&b"one"[..], false)]);
        assert_eq!(split(b"one\ntwo", 5), vec![(&b"one"[..], true), (b"two", false)]);
        assert_eq!(split(b"onetwo", 3), vec![(&b"one"[..], false), (b"two", false)]);
    }
}

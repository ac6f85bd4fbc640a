//! Where the logs go and how their lines look: what the main options say, put into one value.
//!
//! Built by the configuration reader; before it has read anything, from the build's defaults.

use bstr::{BString, ByteSlice};

use super::Selectors;
use crate::build_options as build;

/// Everything that writing a log line needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `log_selector`.
    pub selectors: Selectors,
    /// Pattern of file names with `%s`, perhaps `%D` or `%M`; `None`: no files.
    pub pattern: Option<BString>,
    /// Log to syslog too.
    pub syslog: bool,
    /// `log_timezone`.
    pub with_zone: bool,
    /// `write_rejectlog`.
    pub write_rejectlog: bool,
    /// `syslog_timestamp`.
    pub syslog_timestamp: bool,
    /// `syslog_pid`.
    pub syslog_pid: bool,
    /// `syslog_duplication`.
    pub syslog_duplication: bool,
    /// `syslog_processname`, or `-L`.
    pub syslog_name: BString,
    /// `syslog_facility`, as the number that syslog wants.
    pub syslog_facility: i32,
    /// `print_topbitchars`.
    pub topbit: bool,
    /// `panic_coredump`: what ends the process leaves a core file.
    pub panic_coredump: bool,
    /// The user and group that own the files.
    pub uid: u32,
    /// See above.
    pub gid: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let (pattern, syslog) = resolve_path(b"", build::SPOOL_DIRECTORY.as_bytes()).unwrap_or((None, false));
        Settings {
            selectors: Selectors::default(),
            pattern,
            syslog,
            with_zone: false,
            write_rejectlog: true,
            syslog_timestamp: true,
            syslog_pid: true,
            syslog_duplication: true,
            syslog_name: "exim".into(),
            syslog_facility: crate::sys::syslog::facility(b"mail").unwrap_or(16),
            topbit: false,
            panic_coredump: false,
            uid: crate::sys::ids::geteuid(),
            gid: crate::sys::ids::getegid(),
        }
    }
}

/// Works out `log_file_path`: (file pattern, use syslog). The error is a panic-log message.
pub fn resolve_path(value: &[u8], spool: &[u8]) -> Result<(Option<BString>, bool), String> {
    let mut pattern: Option<BString> = None;
    let mut syslog = false;
    let mut want_default = false;
    let mut more = false;
    for item in value.split_str(":") {
        let item = item.trim();
        if item == b"syslog" {
            syslog = true;
        } else if item.is_empty() {
            want_default = true;
        } else if pattern.is_some() {
            more = true;
        } else {
            pattern = Some(item.into());
        }
    }
    if value.trim().is_empty() && !build::LOG_FILE_PATH.is_empty() {
        // Nothing at run time: the build's list, which may be just "syslog".
        return match build::LOG_FILE_PATH.as_bytes() {
            b"" => Ok((Some(default_pattern(spool)), false)),
            list => resolve_path(list, spool),
        };
    }
    if pattern.is_none() && (want_default || !syslog) {
        pattern = Some(default_pattern(spool));
    }
    if let Some(p) = &pattern {
        check_pattern(p)?;
        if more {
            return Err(format!("More than one path given in log_file_path: using {p}"));
        }
    }
    Ok((pattern, syslog))
}

/// The first path of the build's list, or `log/%slog` in the spool directory.
fn default_pattern(spool: &[u8]) -> BString {
    let built = build::LOG_FILE_PATH.as_bytes().split_str(":").map(ByteSlice::trim).find(|i| !i.is_empty() && *i != b"syslog");
    match built {
        Some(p) => p.into(),
        None => {
            let mut p = BString::from(spool);
            p.extend_from_slice(b"/log/%slog");
            p
        }
    }
}

/// The reference's checks of a pattern.
fn check_pattern(p: &BString) -> Result<(), String> {
    if !p.contains_str("%s") {
        return Err(format!("log_file_path \"{p}\" does not contain \"%s\""));
    }
    let (mut names, mut dates, mut i) = (0, 0, 0);
    while let Some(at) = p.get(i..).and_then(|r| r.find_byte(b'%')) {
        match p.get(i + at + 1) {
            Some(b's') => names += 1,
            Some(b'D' | b'M') => dates += 1,
            _ => names = 2,
        }
        i += at + 2;
    }
    if names != 1 || dates > 1 {
        return Err(format!("log_file_path \"{p}\" contains unexpected \"%\" character"));
    }
    Ok(())
}

/// The name of a log file. `kind` is `main`, `reject`, `panic` or `debug`; the panic log has no date stamp.
pub fn file_name(pattern: &[u8], kind: &str, now: i64) -> BString {
    let mut out = BString::default();
    let mut i = 0;
    while let Some(&c) = pattern.get(i) {
        let next = pattern.get(i + 1).copied();
        i += 2;
        match (c, next) {
            (b'%', Some(b's')) => out.extend_from_slice(kind.as_bytes()),
            (b'%', Some(b'D' | b'M')) if kind == "panic" => {
                // The stamp goes, and with it the separator before it; after a slash, the one that follows.
                if out.last() == Some(&b'/') {
                    if pattern.get(i).is_some_and(|c| !c.is_ascii_alphanumeric() && *c != b'%') {
                        i += 1;
                    }
                } else if out.last().is_some_and(|c| !c.is_ascii_alphanumeric()) {
                    out.pop();
                }
            }
            (b'%', Some(b'D')) => out.extend_from_slice(super::stamp::day_stamp(now).as_bytes()),
            (b'%', Some(b'M')) => out.extend_from_slice(super::stamp::month_stamp(now).as_bytes()),
            _ => {
                out.push(c);
                i -= 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_manual() {
        assert_eq!(file_name(b"/var/spool/exim/log/%slog-%D", "panic", 0), "/var/spool/exim/log/paniclog");
        assert_eq!(file_name(b"/var/log/exim-%s-%D.log", "panic", 0), "/var/log/exim-panic.log");
        assert_eq!(file_name(b"/var/spool/exim/log/%D-%slog", "panic", 0), "/var/spool/exim/log/paniclog");
        assert_eq!(file_name(b"/var/log/exim/%s.%M", "panic", 0), "/var/log/exim/panic");
        assert_eq!(file_name(b"/x/%slog", "main", 0), "/x/mainlog");
    }

    #[test]
    fn paths() {
        assert_eq!(resolve_path(b"syslog : /x/%s", b"/sp").unwrap(), (Some("/x/%s".into()), true));
        assert!(resolve_path(b"/a", b"/sp").unwrap_err().contains("does not contain"));
        assert!(resolve_path(b"/a/%D%s/%s", b"/sp").unwrap_err().contains("unexpected"));
    }
}

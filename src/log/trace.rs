//! Debug output on stderr (`-d`, `-v`, the trace of `-bh`): categories, their parser, and the writer behind `debug!`.
//!
//! Lines are free in form, except those of `-bh` (`>>> `), which users read. Never writes to the logs.

use std::fmt;
use std::io::Write as _;

use crate::context::{Context, Run};

macro_rules! categories {
    ($($(#[$doc:meta])* $const:ident = $bit:literal, $name:literal, $default:literal;)*) => {
        $($(#[$doc])* pub const $const: u32 = 1 << $bit;)*
        /// Names of categories with their bits and whether plain `-d` includes them.
        pub static CATEGORIES: &[(&str, u32, bool)] = &[$(($name, $const, $default),)*];
    };
}

categories! {
    /// ACL interpretation.
    ACL = 1, "acl", true;
    /// Authenticators.
    AUTH = 2, "auth", true;
    /// General delivery logic.
    DELIVER = 3, "deliver", true;
    /// DNS lookups.
    DNS = 4, "dns", true;
    /// DNS lists.
    DNSBL = 5, "dnsbl", true;
    /// Arguments of programs that are run.
    EXEC = 6, "exec", true;
    /// Steps of expansions.
    EXPAND = 7, "expand", false;
    /// Filters.
    FILTER = 8, "filter", true;
    /// Hints data.
    HINTS = 9, "hints_lookup", true;
    /// Host names and addresses.
    HOST_LOOKUP = 10, "host_lookup", true;
    /// RFC 1413.
    IDENT = 11, "ident", true;
    /// Interface lists.
    INTERFACE = 12, "interface", true;
    /// List matching.
    LISTS = 13, "lists", true;
    /// System load.
    LOAD = 14, "load", true;
    /// local_scan().
    LOCAL_SCAN = 15, "local_scan", true;
    /// Lookups.
    LOOKUP = 16, "lookup", true;
    /// Storage.
    MEMORY = 17, "memory", false;
    /// No box-drawing characters.
    NOUTF8 = 18, "noutf8", false;
    /// Process id on each line.
    PID = 19, "pid", false;
    /// What the process does.
    PROCESS_INFO = 20, "process_info", true;
    /// Queue runs.
    QUEUE_RUN = 21, "queue_run", true;
    /// Reception.
    RECEIVE = 22, "receive", true;
    /// The resolver.
    RESOLVER = 23, "resolver", false;
    /// Retry rules and hints.
    RETRY = 24, "retry", true;
    /// Rewriting.
    REWRITE = 25, "rewrite", true;
    /// Routing.
    ROUTE = 26, "route", true;
    /// Time on each line.
    TIMESTAMP = 27, "timestamp", false;
    /// TLS.
    TLS = 28, "tls", true;
    /// Transports.
    TRANSPORT = 29, "transport", true;
    /// Changes of uid.
    UID = 30, "uid", true;
    /// Verification.
    VERIFY = 31, "verify", true;
}

/// `-v`.
pub const V: u32 = 1;
/// Any debugging at all (but not just `-v`).
pub const ANY: u32 = !V;
/// What plain `-d` switches on.
pub fn default_categories() -> u32 {
    CATEGORIES.iter().filter(|(_, _, on)| *on).fold(V, |b, (_, bit, _)| b | bit)
}

/// Reads what follows `-d`: `+name-name`, `-all+name`, `=0x...`.
pub fn parse(value: &[u8]) -> Result<u32, String> {
    // `all` switches everything on but the two that change the form of the output.
    let all = u128::from(!(MEMORY | NOUTF8));
    let found = super::selectors::parse_signed(value, "debug_selector", u128::from(default_categories()), all, |name| {
        CATEGORIES.iter().find(|(n, _, _)| n.as_bytes() == name).map(|(_, bit, _)| u128::from(*bit))
    })?;
    Ok(u32::try_from(found & u128::from(u32::MAX)).unwrap_or(0))
}

/// Writes the lines of one debug message. `host_trace`: the message belongs to the trace of `-bh`.
pub fn message(ctx: &Context, host_trace: bool, text: fmt::Arguments<'_>) {
    let prefix = if host_trace && ctx.run.debug & ANY == 0 { ">>> " } else { "" };
    write_lines(
        &ctx.run,
        prefix,
        ctx.scratch.debug_level,
        ctx.config.site.log.selectors.has(super::Selector::Millisec),
        text.to_string().as_bytes(),
    );
}

/// The same where there is no context yet.
pub fn early(run: &Run, text: fmt::Arguments<'_>) {
    early_bytes(run, text.to_string().as_bytes());
}

/// The same, of what may be anything.
pub fn early_bytes(run: &Run, text: &[u8]) {
    write_lines(run, "", 0, false, text);
}

/// Writes whole lines where debug output goes.
pub(super) fn put(run: &Run, text: &[u8]) {
    match &run.debug_log {
        Some(log) => log.write(text),
        // Nobody can be told when stderr has gone.
        None => {
            let _ = std::io::stderr().write_all(text);
        }
    }
}

fn write_lines(run: &Run, prefix: &str, level: u32, millisec: bool, text: &[u8]) {
    let debug = run.debug;
    let mut start = String::from(prefix);
    if debug & TIMESTAMP != 0 {
        start.push_str(&super::stamp::clock(crate::sys::time::now(), millisec));
        start.push(' ');
    }
    if debug & PID != 0 {
        start.push_str(&format!("{:5} ", crate::sys::process::thread_id()));
    }
    let bar = if debug & NOUTF8 != 0 { "   !" } else { "   \u{254e}" };
    for _ in 0..(level / 4).min(20) {
        start.push_str(bar);
    }
    for _ in 0..level % 4 {
        start.push(' ');
    }
    let mut out = Vec::with_capacity(text.len() + 32);
    let end = text.iter().rposition(|c| *c != b'\n').map_or(0, |n| n + 1);
    for line in text.get(..end).unwrap_or_default().split(|c| *c == b'\n') {
        out.extend_from_slice(start.as_bytes());
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    put(run, &out);
}

/// Writes a debug message if the category is on: `debug!(ctx, DNS, "looking up {name}")`. No newline at the end.
#[macro_export]
macro_rules! debug {
    ($ctx:expr, $cat:ident, $($arg:tt)+) => {
        if $ctx.run.debug & $crate::log::trace::$cat != 0 {
            $crate::log::trace::message(&*$ctx, false, format_args!($($arg)+));
        }
    };
}

/// The same, shown also in the trace of `-bh`, with `>>> ` before it.
#[macro_export]
macro_rules! hdebug {
    ($ctx:expr, $cat:ident, $($arg:tt)+) => {
        if $ctx.run.host_checking || $ctx.run.debug & $crate::log::trace::$cat != 0 {
            $crate::log::trace::message(&*$ctx, $ctx.run.host_checking, format_args!($($arg)+));
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections() {
        assert_eq!(parse(b"-all+acl").unwrap() & ANY, ACL);
        assert_ne!(parse(b"+expand").unwrap() & EXPAND, 0);
        assert_eq!(parse(b"+foo").unwrap_err(), "unknown debug_selector setting: +foo");
    }
}

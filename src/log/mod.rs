//! The logs: mainlog, rejectlog, paniclog, syslog, message logs; selectors; building of log lines; debug output.
//!
//! Everybody may write; where lines go is decided here alone, from [`Settings`] and the kind of run: files and
//! syslog, or only stderr in the testing modes.

pub mod arrival;
pub mod debuglog;
pub mod escape;
mod files;
pub mod line;
pub mod msglog;
pub mod outcome;
pub mod selectors;
pub mod settings;
pub mod stamp;
mod syslog;
pub mod trace;

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bstr::{BString, ByteSlice};

use crate::context::{Context, HeaderKind, Message, Run};
pub use crate::{debug, hdebug};
use files::{Files, Kind};
pub use selectors::{Selector, Selectors};
pub use settings::Settings;

/// Which logs a line goes to; `LOG_MAIN | LOG_REJECT` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which(pub u32);

impl Which {
    /// mainlog
    pub const MAIN: Which = Which(1);
    /// paniclog
    pub const PANIC: Which = Which(2);
    /// rejectlog; the header lines of the message in hand follow, if there are any
    pub const REJECT: Which = Which(4);
    /// To paniclog, then the process ends.
    pub const PANIC_DIE: Which = Which(2 | 32);
    /// A configuration error: "Exim configuration error" comes first, then what the caller gives (` in line n of f:`).
    pub const CONFIG: Which = Which(64);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Which) -> Which {
        Which(self.0 | other.0)
    }
    /// Does it include any of the other?
    pub const fn has(self, other: Which) -> bool {
        self.0 & other.0 != 0
    }
    const fn dies(self) -> bool {
        self.0 & 32 != 0
    }
}

/// `yyyy-mm-dd hh:mm:ss` and what is after it.
const TIME_LENGTH: usize = 20;
/// Longest entry that is written; the rest is cut (CVE-2010-4344).
const MAX_ENTRY: usize = 128 * 1024;
/// Header lines of a rejected message are cut where its entry in the reject log is as long as this.
const MAX_REJECTED: usize = 8192;
/// As many recipients are named there.
const SHOWN_RECIPIENTS: usize = 5;
const TRUNCATED: &[u8] = b"*** truncated ***\n";

/// Open log files of this process, shared by its threads.
#[derive(Debug, Default)]
pub struct Logger {
    state: Mutex<State>,
    /// stderr is not for us any more (daemon, SMTP server).
    quiet: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    files: Files,
    syslog: Option<crate::sys::syslog::Syslog>,
}

impl Logger {
    /// Has the main log open, for a process that is about to become a user who could not open it. Without success nothing is
    /// said: it may have nothing to log.
    pub fn hold(&self, settings: &Settings) {
        if let Ok(mut state) = self.state.lock() {
            let _ = state.files.open(Kind::Main, settings, crate::sys::time::now().sec);
        }
    }

    /// From now on, serious errors are not said on standard error: with `mua_wrapper` that is for its caller.
    pub fn leave_stderr_alone(&self) {
        self.quiet.store(true, Ordering::Relaxed);
    }

    fn stderr(&self, text: &[u8]) {
        if !self.quiet.load(Ordering::Relaxed) {
            to_stderr(text);
        }
    }

    /// Writes one entry. `message` gives the id, and the headers for the reject log. This is the one way into the logs;
    /// use [`write`] where there is a context.
    pub fn entry(
        &self,
        settings: &Settings,
        run: &Run,
        message: Option<&Message>,
        selector: Option<Selector>,
        which: Which,
        text: &[u8],
    ) {
        let text = text.get(..MAX_ENTRY).unwrap_or(text);
        let text: BString = if which.has(Which::CONFIG) {
            let mut t = BString::from("Exim configuration error");
            t.extend_from_slice(text);
            t
        } else {
            text.into()
        };
        let verbose = run.debug != 0 || run.verbose;
        if let Some(log) = run.debug_log.as_ref().filter(|_| which.has(Which::PANIC) && !run.host_checking) {
            log.panicked();
        }
        if verbose {
            show(run, selector, which, &text);
        }
        let mut which = which;
        if selector.is_some_and(|s| !settings.selectors.has(s)) {
            // A selector is about the main log only: the other logs have the line all the same.
            if !which.has(Which::REJECT.and(Which::PANIC)) {
                return;
            }
            which = Which(which.0 & !Which::MAIN.0);
            if run.host_checking {
                return;
            }
        }
        if run.host_checking {
            // Date and time are left out, not what options add to them.
            let entry = Line::new(settings, message, true, true).entry(&text);
            to_stderr(&[b"LOG: ", entry.get(TIME_LENGTH..).unwrap_or_default()].concat());
        } else if run.log_testing || run.unprivileged {
            if !verbose {
                to_stderr(&Line::new(settings, message, true, true).entry(&text));
            }
        } else {
            self.deliver(settings, run, message, which, &text, verbose && run.debug_log.is_none());
        }
        if which.dies() {
            if settings.panic_coredump {
                crate::sys::limits::dump_core();
            }
            std::process::exit(1);
        }
    }

    fn deliver(&self, settings: &Settings, run: &Run, message: Option<&Message>, which: Which, text: &[u8], shown: bool) {
        let line = Line::new(settings, message, true, true);
        let entry = line.entry(text);
        let mut state = match self.state.lock() {
            Ok(s) => s,
            Err(poisoned) => poisoned.into_inner(),
        };
        let now = line.now.sec;
        let duplicate = settings.syslog_duplication;
        if which.has(Which::MAIN) {
            if settings.syslog && (duplicate || !which.has(Which::REJECT.and(Which::PANIC))) {
                state.syslog_line(settings, run, message, syslog::INFO, text);
            }
            if let Err(e) = state.files.write(Kind::Main, settings, &entry, now) {
                self.cannot_log(&mut state, settings, run, Kind::Main, (&line, &entry), &e);
            }
        }
        if which.has(Which::REJECT) && settings.write_rejectlog {
            let mut with_headers = BString::from(text);
            if settings.selectors.has(Selector::RejectedHeader)
                && let Some(m) = message
            {
                rejected_header(&mut with_headers, m);
            }
            if settings.syslog && (duplicate || !which.has(Which::PANIC)) {
                state.syslog_line(settings, run, message, syslog::NOTICE, &with_headers);
            }
            if let Err(e) = state.files.write(Kind::Reject, settings, &line.entry(&with_headers), now) {
                self.cannot_log(&mut state, settings, run, Kind::Reject, (&line, &entry), &e);
            }
        }
        if which.has(Which::PANIC) {
            if !shown {
                self.stderr(&entry);
            }
            if settings.syslog {
                state.syslog_line(settings, run, message, syslog::ALERT, text);
            }
            // A process that has become a user has no way to the panic log; it goes on if the main log has the line.
            let user = which.has(Which::MAIN) && ![0, settings.uid].contains(&crate::sys::ids::geteuid());
            if state.files.write(Kind::Panic, settings, &entry, now).is_err() && !user {
                state.last_resort(settings, run, &entry);
                self.no_panic_log(&mut state, settings, run, &[]);
            }
        }
    }

    /// A log cannot be opened: say so in the panic log, and stop. What was to be logged is not lost if that fails too.
    fn cannot_log(
        &self,
        state: &mut State,
        settings: &Settings,
        run: &Run,
        kind: Kind,
        (line, lost): (&Line, &[u8]),
        (name, e): &(BString, std::io::Error),
    ) {
        let text = format!(
            "Cannot open {} log file \"{name}\": {}: euid={} egid={}",
            kind.name(),
            crate::sys::error_text(e),
            crate::sys::ids::geteuid(),
            settings.gid
        );
        let entry = line.entry(text.as_bytes());
        if run.debug != 0 || run.verbose {
            show(run, None, Which::MAIN.and(Which::PANIC_DIE), text.as_bytes());
        } else {
            self.stderr(&entry);
        }
        if state.files.write(Kind::Panic, settings, &entry, line.now.sec).is_err() {
            self.no_panic_log(state, settings, run, &[lost, &entry]);
        }
        std::process::exit(1);
    }

    /// Nothing can be logged: stderr and syslog get it, and the process ends.
    fn no_panic_log(&self, state: &mut State, settings: &Settings, run: &Run, lost: &[&[u8]]) -> ! {
        let text = "exim: could not open panic log - aborting: see message(s) above";
        for entry in lost {
            self.stderr(entry);
        }
        for entry in lost.iter().copied().chain([text.as_bytes()]) {
            state.last_resort(settings, run, entry);
        }
        self.stderr(format!("{text}\n").as_bytes());
        std::process::exit(1);
    }
}

fn to_stderr(text: &[u8]) {
    let _ = std::io::stderr().write_all(text);
}

/// The copy for `-v` and `-d`.
fn show(run: &Run, selector: Option<Selector>, which: Which, text: &[u8]) {
    let mut out = BString::from("LOG:");
    if let Some(s) = selector {
        out.push(b' ');
        out.extend_from_slice(s.name().as_bytes());
    }
    for (bit, name) in [(Which::MAIN, " MAIN"), (Which::PANIC, " PANIC"), (Which::REJECT, " REJECT")] {
        if bit == Which::PANIC && which.dies() {
            out.extend_from_slice(b" PANIC DIE");
        } else if which.has(bit) {
            out.extend_from_slice(name.as_bytes());
        }
    }
    out.extend_from_slice(b"\n  ");
    out.extend_from_slice(text);
    out.push(b'\n');
    trace::put(run, &out);
}

impl State {
    /// To syslog, whatever the settings say.
    fn last_resort(&mut self, settings: &Settings, run: &Run, entry: &[u8]) {
        if !run.test_harness && self.syslog.is_none() {
            self.syslog = syslog::open(settings);
        }
        syslog::write(self.syslog.as_ref(), run.test_harness, syslog::ALERT, entry);
    }

    fn syslog_line(&mut self, settings: &Settings, run: &Run, message: Option<&Message>, priority: i32, text: &[u8]) {
        let line = Line::new(settings, message, settings.syslog_timestamp, settings.syslog_pid);
        let mut whole = line.prefix;
        whole.extend_from_slice(text);
        if !run.test_harness && self.syslog.is_none() {
            self.syslog = syslog::open(settings);
        }
        syslog::write(self.syslog.as_ref(), run.test_harness, priority, &whole);
    }
}

/// What comes before the text of a line.
struct Line {
    prefix: BString,
    now: crate::sys::time::TimeVal,
}

impl Line {
    fn new(settings: &Settings, message: Option<&Message>, stamp: bool, pid: bool) -> Self {
        let now = crate::sys::time::now();
        let mut prefix = BString::default();
        if stamp {
            let time = stamp::log_time(now, settings.selectors.has(Selector::Millisec), settings.with_zone);
            prefix.extend_from_slice(time.as_bytes());
            prefix.push(b' ');
        }
        if pid && settings.selectors.has(Selector::Pid) {
            prefix.extend_from_slice(format!("[{}] ", crate::sys::process::thread_id()).as_bytes());
        }
        if let Some(m) = message.filter(|m| !m.id.is_empty()) {
            prefix.extend_from_slice(&m.id);
            prefix.push(b' ');
        }
        Line { prefix, now }
    }

    fn entry(&self, text: &[u8]) -> BString {
        let mut e = self.prefix.clone();
        e.extend_from_slice(text);
        if !e.ends_with_str("\n") {
            e.push(b'\n');
        }
        e
    }
}

/// Envelope and header lines of a rejected message, for the reject log.
fn rejected_header(out: &mut BString, m: &Message) {
    if m.headers.is_empty() {
        return;
    }
    out.push(b'\n');
    if !m.recipients.is_empty() {
        let sender = m.sender.as_deref().unwrap_or_default();
        for part in [&b"Envelope-from: <"[..], sender, b">\nEnvelope-to: "] {
            out.extend_from_slice(part);
        }
        for (i, r) in m.recipients.iter().enumerate().take(SHOWN_RECIPIENTS) {
            out.extend_from_slice(if i == 0 { b"<" } else { b"    <" });
            out.extend_from_slice(r.address.as_bytes());
            out.extend_from_slice(b">\n");
        }
        if m.recipients.len() > SHOWN_RECIPIENTS {
            out.extend_from_slice(b"    ...\n");
        }
    }
    let start = out.len();
    for h in m.headers.iter().filter(|h| !h.text.is_empty()) {
        out.push(header_letter(h.kind));
        out.push(b' ');
        out.extend_from_slice(&h.text);
        if !h.text.ends_with_str("\n") {
            out.push(b'\n');
        }
        if out.len() > MAX_REJECTED {
            out.truncate(start.max(MAX_REJECTED - TRUNCATED.len()));
            if !out.ends_with_str("\n") {
                out.push(b'\n');
            }
            out.extend_from_slice(TRUNCATED);
            break;
        }
    }
}

/// The letter of a header line in spool files and reject logs.
pub fn header_letter(kind: HeaderKind) -> u8 {
    match kind {
        HeaderKind::Other | HeaderKind::Date => b' ',
        HeaderKind::Bcc => b'B',
        HeaderKind::Cc => b'C',
        HeaderKind::From => b'F',
        HeaderKind::Id => b'I',
        HeaderKind::Received => b'P',
        HeaderKind::ReplyTo => b'R',
        HeaderKind::Sender => b'S',
        HeaderKind::To => b'T',
        HeaderKind::Old => b'*',
    }
}

/// Writes one line. `selector` `None`: always.
pub fn write(ctx: &Context, selector: Option<Selector>, which: Which, text: &[u8]) {
    ctx.services.log.entry(&ctx.config.site.log, &ctx.run, Some(&ctx.message), selector, which, text);
}

/// Is that item of `log_selector` on?
pub fn selected(ctx: &Context, s: Selector) -> bool {
    ctx.config.site.log.selectors.has(s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Header, Recipient};
    use crate::text::Text;

    #[test]
    fn header_of_a_rejected_message() {
        let mut m = Message { sender: Some(Text::clean("a@b")), ..Message::default() };
        m.recipients = vec![Recipient::new(Text::clean("x@y")), Recipient::new(Text::clean("z@y"))];
        m.headers.push(Header { kind: HeaderKind::From, text: "From: a@b\n".into() });
        let mut out = BString::from("rejected");
        rejected_header(&mut out, &m);
        assert_eq!(out, "rejected\nEnvelope-from: <a@b>\nEnvelope-to: <x@y>\n    <z@y>\nF From: a@b\n");
    }
}

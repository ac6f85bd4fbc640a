//! The debug log file: debug output of one connection or one message, for `control = debug` (manual 44.13).
//!
//! [`start`], [`stop`] and [`trigger`] are for that control; [`kept`] and [`resume`] carry the setting through the spool.
//! The sink is in `ctx.run`, where the debug macros find it. With a buffer (`pretrigger`) lines wait in memory until a
//! trigger comes. It never grows beyond what was asked for, and trouble with the file is nobody's trouble.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use bstr::{BString, ByteSlice};

use super::Settings;
use super::files::open_as_exim;
use super::settings::file_name;
use crate::context::{Context, Run};

/// No buffer is larger.
const MAX_BUFFER: usize = 1 << 20;

/// How the lines are to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The file's path.
    pub path: BString,
    /// Debug categories.
    pub selector: u32,
    /// Bytes to keep until the trigger; `None`: everything is written at once.
    pub pretrigger: Option<usize>,
    /// A line for the panic log is a trigger.
    pub on_panic: bool,
}

/// Where debug output goes instead of stderr.
#[derive(Debug)]
pub struct DebugLog {
    wanted: Wanted,
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Option<Waiting>,
    file: Option<OwnedFd>,
}

/// The last lines before the trigger.
#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    size: usize,
}

impl DebugLog {
    fn new(wanted: Wanted, settings: Settings) -> Self {
        let waiting = (wanted.pretrigger.is_some() || wanted.on_panic).then(Waiting::default);
        DebugLog { wanted, settings, state: Mutex::new(State { waiting, file: None }) }
    }

    /// Takes whole lines.
    pub fn write(&self, text: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let most = self.wanted.pretrigger.unwrap_or(0).min(MAX_BUFFER);
        match &mut state.waiting {
            Some(w) => w.keep(text, most),
            None => state.append(&self.wanted.path, &self.settings, text),
        }
    }

    /// The lines that wait go to the file, and so do all that follow.
    pub fn trigger(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(w) = state.waiting.take() else { return };
        let text: Vec<u8> = w.lines.into_iter().flatten().collect();
        state.append(&self.wanted.path, &self.settings, &text);
    }

    /// The panic log is about to get a line.
    pub fn panicked(&self) {
        if self.wanted.on_panic {
            self.trigger();
        }
    }
}

impl Waiting {
    fn keep(&mut self, text: &[u8], most: usize) {
        for line in text.split_inclusive(|c| *c == b'\n') {
            self.size += line.len();
            self.lines.push_back(line.to_vec());
        }
        while self.size > most
            && let Some(oldest) = self.lines.pop_front()
        {
            self.size -= oldest.len();
        }
    }
}

impl State {
    fn append(&mut self, path: &BString, settings: &Settings, text: &[u8]) {
        if self.file.is_none() {
            self.file = open_as_exim(path, settings).ok();
        }
        if let Some(file) = &self.file {
            let _ = crate::sys::fd::write_all_deadline(file.as_fd(), text, None);
        }
    }
}

/// The path for a tag; the tag adds to the name and never leads elsewhere.
pub fn path(ctx: &Context, tag: &[u8]) -> Result<BString, String> {
    let settings = &ctx.config.site.log;
    let Some(pattern) = &settings.pattern else { return Err("no log directory for control=debug".into()) };
    if tag.iter().any(|c| *c == b'/' || c.is_ascii_control()) {
        return Err(format!("bad tag for control=debug: \"{}\"", tag.as_bstr()));
    }
    let mut path = file_name(pattern, "debug", crate::sys::time::unix_time());
    path.extend_from_slice(tag);
    Ok(path)
}

/// From here on debug output of this context goes to the file. One that is written already stays as it is.
pub fn start(ctx: &mut Context, wanted: Wanted) {
    if ctx.run.debug & super::trace::ANY != 0 {
        return;
    }
    let log = Arc::new(DebugLog::new(wanted.clone(), ctx.config.site.log.clone()));
    ctx.run = Arc::new(Run { debug: wanted.selector, debug_log: Some(log), ..(*ctx.run).clone() });
}

/// Ends it; with `kill` the file goes.
pub fn stop(ctx: &mut Context, kill: bool) {
    let Some(log) = ctx.run.debug_log.clone() else { return };
    ctx.run = Arc::new(Run { debug: 0, debug_log: None, ..(*ctx.run).clone() });
    if kill {
        let _ = std::fs::remove_file(log.wanted.path.to_path_lossy());
    }
}

/// What -H is to say of it.
pub fn kept(run: &Run) -> Option<&Wanted> {
    run.debug_log.as_ref().map(|l| &l.wanted)
}

/// A message that is read from the spool goes on with its debug log, if that is where ours are.
pub fn resume(ctx: &mut Context) {
    let Some(wanted) = ctx.message.debug_log.clone() else { return };
    let directory = |p: &[u8]| p.rfind_byte(b'/').and_then(|at| p.get(..at).map(<[u8]>::to_vec));
    if path(ctx, b"").is_ok_and(|ours| directory(&ours) == directory(&wanted.path)) {
        start(ctx, wanted);
        crate::debug!(ctx, ACL, "debug enabled by spoolfile");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_lines_wait() {
        let mut w = Waiting::default();
        w.keep(b"one\ntwo\n", 12);
        w.keep(b"three\n", 12);
        assert_eq!(w.lines.iter().flatten().copied().collect::<Vec<u8>>(), b"two\nthree\n");
        w.keep(&[b'x'; 50], 12);
        assert_eq!((w.lines.len(), w.size), (0, 0));
    }
}

//! Foreign code in a process of its own: this program again, called with a flag and a socket as its standard input.
//!
//! `local_scan()`, Brightmail's client library, PAM and NIS come here: whatever such code does (crashes, never comes back, writes
//! where it should not) is nobody else's affair. What the two processes say to each other are [`frames`]; each user has its
//! own letters. The helper gives up all privilege before anything else, since anybody may call the program so.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use crate::context::Context;
use crate::sys::process::{self, Pid, WaitStatus};
use crate::sys::spawn::{RunAs, Spawn, Stdio};
use crate::sys::{error_text, exec, frames, ids, signal, unix};

/// No frame is larger.
pub const MAX_FRAME: usize = 64 << 20;

/// A helper, and our end of the socket. It is killed when this goes.
pub struct Helper {
    pid: Pid,
    socket: OwnedFd,
    deadline: Option<Instant>,
    ended: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// Not in time.
    TimedOut,
    /// This signal ended it.
    Crashed(i32),
    /// It went away, or said what cannot be understood.
    Ended,
}

impl Helper {
    /// Starts one, as the Exim user if we are root. `deadline` holds for all that is said.
    pub fn start(ctx: &Context, flag: &[u8], deadline: Option<Instant>) -> Result<Self, String> {
        let (ours, theirs) = unix::pair(unix::Kind::Stream).map_err(|e| error_text(&e))?;
        let program = ctx.run.exim_path.clone();
        let argv = [program.to_vec(), flag.to_vec()];
        let env = exec::current_environment();
        let mut spawn = Spawn::new(&program, &argv, &env);
        spawn.stdin = Stdio::Fd(theirs.as_fd());
        spawn.stderr = Stdio::Inherit;
        spawn.new_group = true;
        let (uid, gid) = match ids::geteuid() {
            0 => (ctx.config.site.exim_uid, ctx.config.site.exim_gid),
            uid => (uid, ids::getegid()),
        };
        spawn.run_as = Some(RunAs { uid, gid, groups: vec![gid] });
        let child = spawn.start().map_err(|e| e.to_string())?;
        Ok(Helper { pid: child.pid, socket: ours, deadline, ended: false })
    }

    /// Says something.
    pub fn give(&self, kind: u8, text: &[u8]) -> io::Result<()> {
        frames::give(self.socket.as_fd(), kind, text, self.deadline)
    }

    /// Hears something.
    pub fn take(&self) -> io::Result<(u8, Vec<u8>)> {
        frames::take(self.socket.as_fd(), MAX_FRAME, self.deadline)
    }

    /// What an error of [`Helper::give`] or [`Helper::take`] means.
    pub fn trouble(mut self, error: &io::Error) -> Trouble {
        let status = self.end();
        match status {
            _ if error.kind() == io::ErrorKind::TimedOut => Trouble::TimedOut,
            Some(WaitStatus::Signaled { signal, .. }) if signal != libc::SIGKILL => Trouble::Crashed(signal),
            _ => Trouble::Ended,
        }
    }

    /// Whatever it did, nothing of it stays.
    fn end(&mut self) -> Option<WaitStatus> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        let _ = process::kill(-self.pid, libc::SIGKILL);
        process::wait(self.pid).ok()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.end();
    }
}

/// One question to a helper, and its answer: frame `O`, or `E` with a message. Frames `W` on the way go to `word`.
pub fn ask(
    ctx: &Context,
    flag: &[u8],
    deadline: Option<Instant>,
    kind: u8,
    request: &[u8],
    mut word: impl FnMut(Vec<u8>),
) -> Result<Vec<u8>, String> {
    let helper = Helper::start(ctx, flag, deadline)?;
    let answer = helper.give(kind, request).and_then(|()| {
        loop {
            match helper.take()? {
                (b'O', text) => return Ok(Ok(text)),
                (b'W', text) => word(text),
                (b'E', text) => return Ok(Err(String::from_utf8_lossy(&text).into_owned())),
                _ => return Err(io::Error::other("not understood")),
            }
        }
    });
    match answer {
        Ok(result) => result,
        Err(e) => Err(match helper.trouble(&e) {
            Trouble::TimedOut => "no answer in time".into(),
            Trouble::Crashed(signal) => format!("crashed with signal {signal}"),
            Trouble::Ended => "ended without an answer".into(),
        }),
    }
}

/// The whole life of a helper, if the program was called as one.
pub fn helper(flag: &[u8]) -> Option<i32> {
    use crate::expand::conditions::pam;
    use crate::lookups::nis;
    use crate::receive::local_scan::helper as local_scan;
    use crate::scan::brightmail::helper as brightmail;
    match flag {
        _ if flag == local_scan::FLAG => Some(local_scan::main()),
        _ if flag == brightmail::FLAG => Some(brightmail::main()),
        _ if flag == pam::FLAG => Some(pam::helper()),
        _ if flag == nis::FLAG => Some(nis::helper()),
        _ => None,
    }
}

/// First thing in a helper: no privilege any more, and a crash is one, not something for this program's own handlers.
pub fn enter() -> bool {
    let (uid, gid) = (ids::getuid(), ids::getgid());
    for signal in [libc::SIGSEGV, libc::SIGILL, libc::SIGFPE, libc::SIGBUS] {
        let _ = signal::default(signal);
    }
    ids::setresgid(gid, gid, gid).and_then(|()| ids::setresuid(uid, uid, uid)).is_ok()
}

/// The whole life of a helper that answers one question.
pub fn answer(work: impl FnOnce(u8, &[u8]) -> Result<Vec<u8>, String>) -> i32 {
    let stdin = crate::sys::fd::stdin();
    if !enter() {
        return 1;
    }
    let result = frames::take(stdin, MAX_FRAME, None).map_err(|e| error_text(&e)).and_then(|(kind, text)| work(kind, &text));
    let said = match &result {
        Ok(text) => frames::give(stdin, b'O', text, None),
        Err(text) => frames::give(stdin, b'E', text.as_bytes(), None),
    };
    i32::from(said.is_err() || result.is_err())
}

//! The Perl interpreter (manual chapter 12): a co-process that is started when it is needed, or at the start of the program,
//! and kept; it belongs to one thread of one process. No Perl is linked in.
//!
//! The protocol on its standard input, a socket: frames (`sys::frames`). To Perl: `S` startup code, `C` a call (name and arguments, each with its length), and as answers to `X`: `V` a
//! value, `F` a forced failure, `E` an error. From Perl: `R` a result, `U` undef, `D` died, with a message; and on the way there
//! `X` a string to be expanded, `L` a line for the log, `G` debugging output. Calls may be nested through `X`.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bstr::ByteSlice;

use super::{ExpandError, expand_text, failed};
use crate::context::Context;
use crate::log::{self, Which};
use crate::sys::process::{self, Pid};
use crate::sys::spawn::{Spawn, Stdio};
use crate::sys::{error_text, exec, frames, unix};
use crate::text::Text;

/// The program.
const PERL: &str = "/usr/bin/perl";
/// What it runs.
const DRIVER: &str = include_str!("driver.pl");
/// Longest text that Perl may send.
const MAX_FRAME: usize = super::MAX_RESULT;
/// How long it may take to end when it is no longer wanted.
const END_TIME: Duration = Duration::from_millis(500);

/// The interpreter of a thread of control, if it has been started. A clone has none.
#[derive(Default)]
pub struct Perl(Option<Arc<Process>>);

impl Clone for Perl {
    fn clone(&self) -> Self {
        Perl::default()
    }
}

struct Process {
    pid: Pid,
    /// Who started it: after a fork it is somebody else's.
    owner: Pid,
    wire: OwnedFd,
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.owner != process::getpid() {
            return;
        }
        // It ends when the connection ends; one that is busy is not waited for.
        let _ = crate::sys::net::shutdown(self.wire.as_fd(), false);
        if !matches!(process::wait_until(self.pid, Instant::now() + END_TIME), Ok(Some(_))) {
            let _ = process::kill(self.pid, libc::SIGKILL);
            let _ = process::wait(self.pid);
        }
    }
}

/// A frame from Perl.
enum Frame {
    Result(Vec<u8>),
    Undefined,
    Died(Vec<u8>),
    Expand(Vec<u8>),
    Log(Vec<u8>),
    Debug(Vec<u8>),
}

impl Process {
    fn give(&self, kind: u8, text: &[u8]) -> io::Result<()> {
        frames::give(self.wire.as_fd(), kind, text, None)
    }

    fn take(&self) -> io::Result<Frame> {
        let (kind, text) = frames::take(self.wire.as_fd(), MAX_FRAME, None)?;
        Ok(match kind {
            b'R' => Frame::Result(text),
            b'U' => Frame::Undefined,
            b'D' => Frame::Died(text),
            b'X' => Frame::Expand(text),
            b'L' => Frame::Log(text),
            b'G' => Frame::Debug(text),
            _ => return Err(io::Error::other("not understood")),
        })
    }
}

/// Starts the interpreter, if that has not been done: `perl_at_start`, `-ps`.
pub fn start(ctx: &mut Context) -> Result<(), ExpandError> {
    running(ctx).map(drop)
}

/// Calls a subroutine: the first string is its name. `None`: it returned undef.
pub fn call(ctx: &mut Context, strings: &[Text]) -> Result<Option<Text>, ExpandError> {
    let perl = running(ctx)?;
    let request = frames::pack(strings.iter().map(|s| s.as_bytes()));
    let answer = converse(ctx, &perl, b'C', &request);
    // One that has gone, or that is not understood, is not used again.
    if answer.is_err() {
        ctx.services.perl = Perl::default();
    }
    match answer {
        Ok(Frame::Result(text)) => Ok(Some(Text::clean(text))),
        Ok(Frame::Died(text)) => failed(text.to_str_lossy()),
        Ok(_) => Ok(None),
        Err(e) => failed(format!("the Perl interpreter has gone: {}", error_text(&e))),
    }
}

fn running(ctx: &mut Context) -> Result<Arc<Process>, ExpandError> {
    if let Some(perl) = ctx.services.perl.0.as_ref().filter(|p| p.owner == process::getpid()) {
        return Ok(perl.clone());
    }
    ctx.services.perl = Perl::default();
    let perl = match spawn(ctx.config.main.perl_taintmode) {
        Ok(p) => Arc::new(p),
        Err(e) => return failed(format!("cannot start {PERL}: {e}")),
    };
    let code = ctx.config.main.perl_startup.raw().unwrap_or_default().to_vec();
    match converse(ctx, &perl, b'S', &code) {
        Ok(Frame::Died(text)) => return failed(format!("error in perl_startup code: {}", text.to_str_lossy())),
        Ok(_) => {}
        Err(e) => return failed(format!("error in perl_startup code: {}", error_text(&e))),
    }
    ctx.services.perl = Perl(Some(perl.clone()));
    Ok(perl)
}

fn spawn(taint_mode: bool) -> Result<Process, String> {
    let (ours, theirs) = unix::pair(unix::Kind::Stream).map_err(|e| error_text(&e))?;
    let argv: Vec<Vec<u8>> =
        ["perl", "-T", "-e", DRIVER].into_iter().filter(|a| taint_mode || *a != "-T").map(|a| a.into()).collect();
    let env = exec::current_environment();
    let mut child = Spawn::new(PERL.as_bytes(), &argv, &env);
    child.stdin = Stdio::Fd(theirs.as_fd());
    child.stdout = Stdio::Inherit;
    child.stderr = Stdio::Inherit;
    let child = child.start().map_err(|e| e.to_string())?;
    Ok(Process { pid: child.pid, owner: process::getpid(), wire: ours })
}

/// Sends a request, and does what Perl asks for until it has an answer.
fn converse(ctx: &mut Context, perl: &Process, kind: u8, text: &[u8]) -> io::Result<Frame> {
    perl.give(kind, text)?;
    loop {
        match perl.take()? {
            Frame::Expand(string) => match expand_text(ctx, &Text::clean(string)) {
                Ok(value) => perl.give(b'V', &value)?,
                Err(ExpandError::Forced(_)) => perl.give(b'F', b"")?,
                Err(e) => perl.give(b'E', e.to_string().as_bytes())?,
            },
            Frame::Log(line) => log::write(ctx, None, Which::MAIN, &line),
            Frame::Debug(text) if ctx.run.debug != 0 => log::trace::message(ctx, false, format_args!("{}", text.as_bstr())),
            Frame::Debug(_) => {}
            answer => return Ok(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs no Context: only the two sides' framing.
    #[test]
    fn frames() {
        let perl = match spawn(true) {
            Ok(p) => p,
            Err(_) => return, // no Perl on this machine
        };
        perl.give(b'S', b"sub two { join '|', @_, ${^TAINT} }").unwrap();
        assert!(matches!(perl.take().unwrap(), Frame::Result(_)));
        perl.give(b'C', b"\0\0\0\x03two\0\0\0\x01a\0\0\0\0\0\0\0\x02b\n").unwrap();
        assert!(matches!(perl.take().unwrap(), Frame::Result(t) if t == b"a||b\n|1"));
        perl.give(b'C', b"\0\0\0\x03one").unwrap();
        assert!(matches!(perl.take().unwrap(), Frame::Died(t) if t.starts_with(b"Undefined subroutine &main::one")));
        perl.give(b'S', b"this is (bad").unwrap();
        assert!(matches!(perl.take().unwrap(), Frame::Died(t) if t == b"Compilation error"));
        perl.give(b'?', b"").unwrap();
        assert!(perl.take().is_err());
    }
}

//! Running a pipe's command: message in, output out, time limit, exit status.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::program::Program;
use super::{Failure, Pipe};
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob};
use crate::deliver::transport_write::{Counted, Output, WriteError, WriteSpec, write_message};
use crate::retry::errors;
use crate::sys::spawn::{Child, Spawn, Stdio, Step};
use crate::sys::{fd, limits, process};
use crate::text::Text;

/// Texts around the message.
pub(super) struct Parts {
    pub(super) prefix: Option<Text>,
    pub(super) suffix: Option<Text>,
}

/// How the command ended.
pub(super) enum Ended {
    /// With 0.
    Well,
    /// With another value.
    Badly(i32),
    /// By a signal.
    Signal(i32),
}

/// Runs it.
pub(super) fn run(
    pipe: &Pipe,
    ctx: &mut Context,
    job: &mut LocalJob<'_>,
    program: &Program,
    environment: &[BString],
    parts: &Parts,
) -> Result<Ended, Failure> {
    let o = &pipe.options;
    let name = job.transport.name.clone();
    let filter = crate::transports::filter::prepare_for(ctx, job.transport, job.batch)
        .map_err(|m| Failure::new(DeliveryStatus::Defer, m).with(errors::FILTER_FAIL))?;
    if o.permit_coredump {
        let _ = limits::set(limits::Limit::Core, limits::INFINITY, limits::INFINITY);
    }
    let mut child = match start(o.umask.0, program, environment) {
        Ok(c) => c,
        // As a shell says it.
        Err(e) if e.step == Step::Exec => return Ok(Ended::Badly(127)),
        Err(e) => {
            let text = format!("Failed to create child process for {name} transport: {}", crate::sys::error_text(&e.error));
            return Err(Failure::new(DeliveryStatus::Defer, text).with(e.error.raw_os_error().unwrap_or(errors::UNKNOWN)));
        }
    };
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Failure::new(DeliveryStatus::Panic, format!("no pipe to the command of {name} transport")));
    };
    let deadline = u64::try_from(o.timeout.0).ok().filter(|t| *t > 0).map(|t| Instant::now() + Duration::from_secs(t));
    let pid = child.pid;
    let max = usize::try_from(o.max_output.0).unwrap_or(0);
    let output = job.output;
    if ctx.run.test_harness && !ctx.run.no_test_delays {
        crate::sys::time::sleep_ms(500);
    }
    let (wrote, ended) = std::thread::scope(|scope| {
        // The command must not wait for somebody to read what it says.
        let reader = scope.spawn(move || take_output(stdout, output, max, pid));
        let wrote = write(pipe, ctx, job, stdin, deadline, parts, filter);
        let ended = wait(pid, deadline);
        if ended.is_none() {
            kill(pid);
        }
        let _ = reader.join();
        (wrote, ended)
    });
    let timed_out = |what: &str| {
        let status = if o.timeout_defer { DeliveryStatus::Defer } else { DeliveryStatus::Fail };
        Failure::new(status, what)
    };
    match wrote {
        Ok(()) => {}
        // A command need not read everything.
        Err(WriteError::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => {}
        Err(WriteError::Output(e)) if e.kind() == io::ErrorKind::TimedOut => {
            return Err(timed_out("pipe delivery process timed out"));
        }
        Err(WriteError::FilterTimeout) => return Err(timed_out("transport filter timed out while writing to pipe")),
        Err(WriteError::Header(m)) => {
            let text = format!("Failed to expand headers_add or headers_remove: {m}");
            return Err(Failure::new(DeliveryStatus::Panic, text).with(errors::HEADER_FAIL));
        }
        Err(WriteError::Filter(m)) => return Err(Failure::new(DeliveryStatus::Defer, m).with(errors::FILTER_FAIL)),
        Err(WriteError::Output(e) | WriteError::Spool(e)) => {
            let errno = e.raw_os_error().unwrap_or(errors::UNKNOWN);
            return Err(Failure::new(DeliveryStatus::Panic, "Failed to write to pipe").with(errno));
        }
    }
    match ended {
        None => Err(timed_out("pipe delivery process timed out")),
        Some(Err(e)) => {
            let text = format!("Wait() failed for child process of {name} transport: {}", crate::sys::error_text(&e));
            Err(Failure::new(DeliveryStatus::Panic, text))
        }
        Some(Ok(process::WaitStatus::Exited(0))) => Ok(Ended::Well),
        Some(Ok(process::WaitStatus::Exited(n))) => Ok(Ended::Badly(n)),
        Some(Ok(process::WaitStatus::Signaled { signal, .. })) => Ok(Ended::Signal(signal)),
        Some(Ok(other)) => Ok(Ended::Badly(other.to_raw())),
    }
}

fn start(umask: u32, program: &Program, environment: &[BString]) -> Result<Child, crate::sys::spawn::SpawnError> {
    let argv: Vec<Vec<u8>> = program.argv.iter().map(|a| a.to_vec()).collect();
    let envp: Vec<Vec<u8>> = environment.iter().map(|e| e.to_vec()).collect();
    let mut spawn = Spawn::new(&program.path, &argv, &envp);
    spawn.stdin = Stdio::Pipe;
    spawn.stdout = Stdio::Pipe;
    spawn.stderr = Stdio::SameAsStdout;
    spawn.umask = Some(umask);
    spawn.new_group = true;
    spawn.start()
}

fn kill(pid: i32) {
    let _ = process::kill(-pid, libc::SIGKILL);
    let _ = process::kill(pid, libc::SIGKILL);
    let _ = process::wait(pid);
}

fn wait(pid: i32, deadline: Option<Instant>) -> Option<io::Result<process::WaitStatus>> {
    match deadline {
        None => Some(process::wait(pid)),
        Some(d) => process::wait_until(pid, d).transpose(),
    }
}

/// Reads what the command says, and keeps it if it is wanted. A command that says too much is ended.
fn take_output(from: OwnedFd, to: Option<&File>, max: usize, pid: i32) {
    let mut block = [0u8; 4096];
    let mut total = 0usize;
    loop {
        let n = match fd::read(from.as_fd(), &mut block) {
            Ok(0) | Err(_) => return,
            Ok(n) => n,
        };
        let room = max.saturating_sub(total);
        total = total.saturating_add(n);
        if let Some(mut file) = to {
            let _ = file.write_all(block.get(..n.min(room)).unwrap_or_default());
        }
        if total > max {
            if let Some(mut file) = to {
                let _ = file.write_all(b"\n\n*** Too much output - remainder discarded ***\n");
            }
            let _ = process::kill(-pid, libc::SIGKILL);
            return;
        }
    }
}

/// Writes to the command before a deadline.
struct Input {
    to: OwnedFd,
    deadline: Option<Instant>,
}

impl Output for Input {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        fd::write_all_deadline(self.to.as_fd(), bytes, self.deadline)
    }
}

fn write(
    pipe: &Pipe,
    ctx: &mut Context,
    job: &LocalJob<'_>,
    stdin: OwnedFd,
    deadline: Option<Instant>,
    parts: &Parts,
    filter: Option<crate::deliver::transport_write::Filter>,
) -> Result<(), WriteError> {
    let o = &pipe.options;
    fd::set_nonblocking(stdin.as_fd(), true).map_err(WriteError::Output)?;
    let mut input = Input { to: stdin, deadline };
    let mut input = Counted(&mut input, job.sent);
    // Prefix and suffix are written as they are, whatever line ends are used otherwise.
    if let Some(p) = &parts.prefix {
        input.put(p).map_err(WriteError::Output)?;
    }
    if o.use_bsmtp {
        let sender =
            job.batch.first().and_then(|a| a.return_path.clone()).or_else(|| ctx.message.sender.clone()).unwrap_or_default();
        let mut text = format!("MAIL FROM:<{sender}>\n").into_bytes();
        for a in job.batch.iter() {
            text.extend_from_slice(b"RCPT TO:<");
            text.extend_from_slice(&super::super::rcpt_address(job.transport, a));
            text.extend_from_slice(b">\n");
        }
        text.extend_from_slice(b"DATA\n");
        let text = if o.use_crlf { text.replace("\n", "\r\n") } else { text };
        input.put(&text).map_err(WriteError::Output)?;
    }
    let mut spec = WriteSpec::of_transport(job.transport, job.batch);
    spec.crlf = o.use_crlf;
    spec.filter = filter;
    if let (Some(check), Some(escape)) = (o.check_string.raw(), o.escape_string.raw()) {
        spec.check = Some((check, escape));
    }
    spec.escape_headers = o.use_bsmtp;
    write_message(ctx, &spec, job.data, &mut input)?;
    if let Some(s) = &parts.suffix {
        input.put(s).map_err(WriteError::Output)?;
    }
    if o.use_bsmtp {
        input.put(if o.use_crlf { b".\r\n" } else { b".\n" }).map_err(WriteError::Output)?;
    }
    Ok(())
}

//! Transport filters: the message goes through a command before it is sent.
//!
//! The command gets the message on its standard input from a thread of ours, and its output is kept in an unnamed
//! file (it may not be read back as fast as it comes). Used by [`super::transport_write`] only.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::transport_write::{Body, Filter, WriteError};
use super::write_body::{Converter, Normaliser};
use crate::sys::spawn::{Spawn, Stdio, Step};
use crate::sys::{fd, poll, process};

/// Runs the message through the filter; gives the output as a file with LF line ends.
pub(super) fn run(filter: &Filter, header: &[u8], body: &Body<'_>) -> Result<File, WriteError> {
    let fail = |what: &str, e: &dyn std::fmt::Display| WriteError::Filter(format!("{what}: {e}"));
    let path = filter.argv.first().ok_or_else(|| WriteError::Filter("transport filter has no command".into()))?;
    let argv: Vec<Vec<u8>> = filter.argv.iter().map(|a| a.to_vec()).collect();
    let envp: Vec<Vec<u8>> = filter.environment.iter().map(|a| a.to_vec()).collect();
    let mut spawn = Spawn::new(path, &argv, &envp);
    spawn.stdin = Stdio::Pipe;
    spawn.stdout = Stdio::Pipe;
    spawn.stderr = Stdio::SameAsStdout;
    spawn.new_group = true;
    let mut child = spawn.start().map_err(|e| match e.step {
        Step::Exec => WriteError::Filter("transport filter process failed (127): unable to execute command".into()),
        _ => fail("transport filter process failed", &e),
    })?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(WriteError::Filter("transport filter has no pipes".into()));
    };
    let kept = crate::sys::file::temporary(b"/tmp").map_err(|e| fail("no temporary file for transport filter", &e))?;
    let mut kept = File::from(kept);
    let result = std::thread::scope(|scope| {
        let writer = scope.spawn(move || feed(File::from(stdin), filter, header, body));
        let read = read_all(&stdout, &mut kept, filter.timeout);
        if read.is_err() {
            // The writer must not wait for a command that nobody reads from.
            let _ = process::kill(-child.pid, libc::SIGKILL);
            let _ = process::kill(child.pid, libc::SIGKILL);
        }
        drop(stdout);
        let wrote = writer.join().unwrap_or_else(|_| Err(WriteError::Filter("transport filter writer failed".into())));
        read.and(wrote)
    });
    let status = process::wait(child.pid).map_err(|e| fail("transport filter process failed", &e))?;
    result?;
    if !status.success() {
        let code = match status {
            process::WaitStatus::Exited(n) => n,
            process::WaitStatus::Signaled { signal, .. } => -signal,
            other => other.to_raw(),
        };
        let why = if code == 127 { ": unable to execute command" } else { "" };
        return Err(WriteError::Filter(format!("transport filter process failed ({code}){why}")));
    }
    Ok(kept)
}

/// Writes the message to the command, with LF line ends.
fn feed(stdin: File, filter: &Filter, header: &[u8], body: &Body<'_>) -> Result<(), WriteError> {
    if filter.test_delay_ms > 0 {
        crate::sys::time::sleep_ms(filter.test_delay_ms);
    }
    let mut out = super::transport_write::FileOutput(&stdin);
    let broken = |e: io::Error| {
        // A filter may end before it has read everything; its exit value says whether that is an error.
        if e.kind() == io::ErrorKind::BrokenPipe { None } else { Some(WriteError::Output(e)) }
    };
    let mut c = Converter::new(&mut out, false, None);
    let mut n = Normaliser::new(body.wireformat, false);
    let mut done = c.write(header);
    if done.is_ok() {
        let each = body.each(|block| match done {
            Ok(()) => {
                done = n.feed(block, &mut c);
                Ok(())
            }
            Err(_) => Ok(()),
        });
        each?;
    }
    let done = done.and_then(|()| n.finish(&mut c)).and_then(|()| c.finish());
    match done.err().and_then(broken) {
        Some(e) => Err(e),
        None => Ok(()),
    }
}

fn read_all(stdout: &impl AsFd, kept: &mut File, timeout: u64) -> Result<(), WriteError> {
    let mut block = vec![0; 32 * 1024];
    loop {
        let deadline = (timeout > 0).then(|| Instant::now() + Duration::from_secs(timeout));
        if !poll::wait_readable(stdout.as_fd(), deadline).map_err(WriteError::Output)? {
            return Err(WriteError::FilterTimeout);
        }
        match fd::read(stdout.as_fd(), &mut block).map_err(WriteError::Output)? {
            0 => return Ok(()),
            n => kept.write_all(&block[..n]).map_err(WriteError::Output)?,
        }
    }
}

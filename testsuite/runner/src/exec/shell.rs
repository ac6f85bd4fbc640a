//! Starting programs for a script: the shell, its environment, its input, and what runs beside.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use super::{COMMAND_LIMIT, END_LIMIT, Execution, Piped, Result, fail};
use crate::facts;
use crate::sys;

/// What is written to a program, unbuffered.
pub enum Piece {
    Bytes(Vec<u8>),
    Pause(Duration),
}

/// Data lines as what is to be written, with the prefixes `:eval:`, `:noeol:`, `:sleep:`, `:file:`.
pub fn pieces(data: &[Vec<u8>]) -> Result<Vec<Piece>> {
    data.iter().map(|line| piece(line)).collect()
}

fn piece(line: &[u8]) -> Result<Piece> {
    let Some((word, rest)) = prefixed(line) else {
        return Ok(Piece::Bytes([line, b"\n"].concat()));
    };
    let text = || String::from_utf8_lossy(rest).trim().to_string();
    Ok(match word {
        b"eval" => Piece::Bytes(evaluated(rest)),
        b"sleep" => Piece::Pause(Duration::from_secs(text().parse().unwrap_or(0))),
        b"file" => match fs::read(text()) {
            Ok(content) => Piece::Bytes(content),
            Err(e) => return fail(format!("{}: {e}", text())),
        },
        _ => Piece::Bytes(rest.to_vec()),
    })
}

/// `:word:rest`
fn prefixed(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let after = line.strip_prefix(b":")?;
    let end = after.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'_'))?;
    (end > 0 && after[end] == b':').then(|| (&after[..end], &after[end + 1..]))
}

/// The escapes of a double-quoted string.
fn evaluated(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'\\' {
            out.push(first);
            continue;
        }
        let Some((&kind, tail)) = rest.split_first() else {
            break;
        };
        rest = tail;
        let (digits, radix, most) = match kind {
            b'x' => (rest, 16, 2),
            b'0'..=b'7' => (&text[text.len() - rest.len() - 1..], 8, 3),
            _ => {
                out.push(match kind {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'f' => 12,
                    b'e' => 27,
                    b'a' => 7,
                    other => other,
                });
                continue;
            }
        };
        let count = digits.iter().take(most).take_while(|b| (**b as char).is_digit(radix)).count();
        let number = String::from_utf8_lossy(&digits[..count]).into_owned();
        out.push(u32::from_str_radix(&number, radix).unwrap_or(0) as u8);
        rest = &digits[count..];
    }
    out
}

impl Execution {
    /// A program as the caller, with the small environment that every command has.
    pub(super) fn program(&self, program: &str, variable: Option<&str>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(&self.top).stdin(Stdio::null());
        for (name, value) in env::vars_os() {
            let known = name.to_str().is_some_and(|n| n == "PATH" || n.starts_with("EXIM_TEST_"));
            if known {
                command.env(name, value);
            }
        }
        command.env("USER", facts::CALLER).env("TERM", "dumb");
        command.env("SHELL", self.top.join("aux-var/sh"));
        command.env("EXIM_TEST_NUMBER", &self.test);
        if let Some((name, value)) = variable.and_then(|v| v.split_once('=')) {
            command.env(name, value);
        }
        sys::run_as(&mut command, &self.caller);
        command
    }

    pub(super) fn shell_command(&self, line: &str, variable: Option<&str>) -> Command {
        let mut command = self.program("/bin/sh", variable);
        command.arg("-c").arg(line);
        command
    }

    /// Run a line through the shell and wait for it.
    pub(super) fn shell(&self, variable: Option<&str>, line: &str) -> Result<ExitStatus> {
        let mut child = self.shell_command(line, variable).spawn()?;
        wait(&mut child, line)
    }

    /// The same, with something to read.
    pub(super) fn fed(&self, variable: Option<&str>, line: &str, data: &[Piece]) -> Result<ExitStatus> {
        let mut child = self.shell_command(line, variable).stdin(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().expect("a pipe");
        thread::scope(|scope| {
            scope.spawn(move || {
                for piece in data {
                    match piece {
                        Piece::Pause(time) => thread::sleep(*time),
                        // A program need not read all of its input.
                        Piece::Bytes(bytes) => drop(input.write_all(bytes)),
                    }
                }
            });
            wait(&mut child, line)
        })
    }

    /// What a program run as the caller prints.
    pub(super) fn output_of(&self, line: &str) -> Result<(Vec<u8>, ExitStatus)> {
        let mut child = self.shell_command(line, None).stdout(Stdio::piped()).spawn()?;
        let mut output = Vec::new();
        child.stdout.take().expect("a pipe").read_to_end(&mut output)?;
        Ok((output, wait(&mut child, line)?))
    }

    /// Append to a file of the caller's.
    pub(super) fn append(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.top.join(name);
        let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
        file.write_all(bytes)?;
        std::os::unix::fs::chown(&path, Some(self.caller.uid), Some(self.caller.gid))?;
        Ok(())
    }

    pub(super) fn start_server(&mut self, args: &str, data: &[Vec<u8>]) -> Result<()> {
        self.await_server()?;
        let pid_file = self.top.join("aux-var/server-daemon.pid");
        let _ = fs::remove_file(&pid_file);
        let line = format!("exec ./bin/server -oP {} {args} >>test-stdout-server", pid_file.display());
        let mut script = data.join(&b'\n');
        script.extend_from_slice(if data.is_empty() { b"++++\n" } else { b"\n++++\n" });
        self.start_piped(&line, &script)?;
        self.await_pid_file(&pid_file, COMMAND_LIMIT / 4);
        Ok(())
    }

    pub(super) fn start_lock(&mut self, args: &str) -> Result<()> {
        self.await_server()?;
        self.start_piped(&format!("exec eximdir/exim_lock {args} >>test-stdout"), b"")?;
        thread::sleep(Duration::from_millis(100));
        Ok(())
    }

    fn start_piped(&mut self, line: &str, input: &[u8]) -> Result<()> {
        let mut child = self.shell_command(line, None).stdin(Stdio::piped()).spawn()?;
        let mut pipe = child.stdin.take().expect("a pipe");
        // A server that could not start is found out when it is ended.
        let _ = pipe.write_all(input);
        self.server = Some(Piped { child, input: Some(pipe) });
        Ok(())
    }

    /// Close the input of the scripted server, and wait for its end.
    pub(super) fn end_server(&mut self) -> Result<()> {
        match self.await_server()? {
            Some(status) if !status.success() => fail(format!("the scripted server: {status}")),
            _ => Ok(()),
        }
    }

    /// The same, whatever its status: another one is about to take its place.
    fn await_server(&mut self) -> Result<Option<ExitStatus>> {
        let Some(mut server) = self.server.take() else {
            return Ok(None);
        };
        drop(server.input.take());
        wait(&mut server.child, "the scripted server").map(Some)
    }

    pub(super) fn start_background(&mut self, line: &str) -> Result<()> {
        self.append("test-stdout", b"")?;
        let line = format!("exec {line} <test-stdout >>test-stdout 2>>test-stderr-server");
        self.background = Some(self.shell_command(&line, None).spawn()?);
        thread::sleep(Duration::from_millis(300));
        Ok(())
    }

    /// Wait until a starting program has written its pid file; whether it did, or ended instead.
    pub(super) fn await_pid_file(&mut self, path: &Path, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if fs::read(path).is_ok_and(|content| content.ends_with(b"\n")) {
                thread::sleep(Duration::from_millis(50));
                return true;
            }
            let server = self.server.as_mut().map(|server| &mut server.child);
            let starting = server.or(self.daemons.last_mut());
            if starting.is_some_and(|child| matches!(child.try_wait(), Ok(Some(_)))) {
                return false;
            }
            thread::sleep(Duration::from_millis(30));
        }
        false
    }

    pub(super) fn kill_daemon(&mut self) -> Result<()> {
        if let Some(mut child) = self.background.take() {
            sys::kill(child.id() as i32, libc::SIGTERM);
            end(&mut child)?;
        } else {
            for pid in self.daemon_pids() {
                sys::kill(pid, libc::SIGTERM);
            }
            for mut daemon in std::mem::take(&mut self.daemons) {
                end(&mut daemon)?;
            }
        }
        for file in self.daemon_files() {
            let _ = fs::remove_file(file);
        }
        Ok(())
    }

    fn daemon_files(&self) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(self.top.join("spool")).into_iter().flatten().flatten();
        let daemon = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("exim-daemon.");
        entries.filter(daemon).map(|entry| entry.path()).collect()
    }

    fn daemon_pids(&self) -> Vec<i32> {
        let read = |path: &std::path::PathBuf| fs::read_to_string(path).ok();
        let contents = self.daemon_files();
        let pids = contents.iter().filter_map(read).filter_map(|text| text.trim().parse().ok());
        pids.filter(|pid| *pid > 1).collect()
    }
}

/// Wait for a program; it must end by itself.
fn wait(child: &mut Child, what: &str) -> Result<ExitStatus> {
    match sys::wait_for(child, COMMAND_LIMIT)? {
        Some(status) => Ok(status),
        None => {
            let _ = child.kill();
            fail(format!("timed out: {what}"))
        }
    }
}

/// Wait for a program that has been told to end.
fn end(child: &mut Child) -> Result<()> {
    match sys::wait_for(child, END_LIMIT)? {
        Some(_) => Ok(()),
        None => {
            let _ = child.kill();
            fail("timed out: a daemon did not end when told to")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(line: &[u8]) -> Vec<u8> {
        match piece(line) {
            Ok(Piece::Bytes(bytes)) => bytes,
            _ => panic!("not bytes"),
        }
    }

    #[test]
    fn prefixes_of_data_lines() {
        assert_eq!(bytes(b"plain"), b"plain\n");
        assert_eq!(bytes(b":noeol:a b"), b"a b");
        assert_eq!(bytes(b":other:rest"), b"rest");
        assert_eq!(bytes(b": no:prefix"), b": no:prefix\n");
        assert_eq!(bytes(br":eval:a\x41\r\n\101\\\0z"), b"aA\r\nA\\\0z");
        assert!(matches!(piece(b":sleep:2"), Ok(Piece::Pause(d)) if d.as_secs() == 2));
    }
}

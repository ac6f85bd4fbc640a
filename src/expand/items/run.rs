//! `run`: a command's output.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::ItemArgs;
use crate::context::Context;
use crate::expand::eval::{append, otherwise, subs};
use crate::expand::{ExpandError, expand_text, failed, forbid, split};
use crate::sys::process::{self, WaitStatus};
use crate::sys::spawn::{Spawn, Stdio, Step};
use crate::sys::{exec, fd};
use crate::text::Text;

/// How long a command may take to write its output, and then to end.
const OUTPUT_TIME: Duration = Duration::from_secs(60);
/// See above.
const END_TIME: Duration = Duration::from_secs(30);
/// The exit status if there is no command, as a shell's for one that it cannot find.
const NO_COMMAND: i32 = 127;
/// More arguments than any command here needs.
const MAX_ARGS: usize = 1000;

/// `${run}`: `$value` and `$runrc` stay set afterwards.
pub fn run(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    if forbid::has(ctx, forbid::RUN) {
        return failed("running a command is not permitted");
    }
    let argv = command(ctx, args)?;
    let (code, output) = if argv.is_empty() { (NO_COMMAND, Vec::new()) } else { execute(&argv)? };
    ctx.scratch.runrc = code;
    ctx.scratch.value = Some(Text::tainted(output));
    match (&args.yes, code == 0) {
        (None, true) => {
            if let Some(v) = &ctx.scratch.value {
                out.push(v);
            }
            Ok(())
        }
        (Some(yes), true) => append(ctx, yes, out),
        (_, false) => otherwise(ctx, args, "run", out),
    }
}

/// The arguments: the expanded command split up, or the command split up and each argument expanded.
fn command(ctx: &mut Context, args: &ItemArgs) -> Result<Vec<Vec<u8>>, ExpandError> {
    let mut argv = Vec::new();
    if args.preexpand {
        let line = subs(ctx, args)?.into_iter().next().unwrap_or_default();
        argv = split::arguments(&line);
        if line.is_tainted()
            && let Some(name) = argv.first()
        {
            let (name, line) = (String::from_utf8_lossy(name), line.display());
            return failed(format!("Tainted '{name}' (command '{line}' for ${{run}} expansion) not permitted"));
        }
    } else {
        for (n, arg) in split::arguments(&args.raw).into_iter().enumerate() {
            let value = expand_text(ctx, &Text::clean(arg.clone())).map_err(|e| {
                e.map(|m| {
                    let arg = String::from_utf8_lossy(&arg);
                    format!("Expansion of \"{arg}\" from command \"{}\" in ${{run}} expansion failed: {m}", args.raw)
                })
            })?;
            if n == 0 && value.is_tainted() {
                return failed(format!("Tainted '{value}' (command for ${{run}} expansion) not permitted"));
            }
            argv.push(value.into_bytes());
        }
    }
    if argv.len() > MAX_ARGS {
        return failed(format!("Too many arguments to command \"{}\" in ${{run}} expansion", args.raw));
    }
    Ok(argv)
}

fn execute(argv: &[Vec<u8>]) -> Result<(i32, Vec<u8>), ExpandError> {
    let Some(path) = argv.first() else { return Ok((0, Vec::new())) };
    let env = exec::current_environment();
    let mut spawn = Spawn::new(path, argv, &env);
    spawn.stdin = Stdio::Null;
    spawn.stdout = Stdio::Pipe;
    spawn.stderr = Stdio::SameAsStdout;
    spawn.umask = Some(0o077);
    spawn.new_group = true;
    let child = match spawn.start() {
        Ok(child) => child,
        // What a shell returns for a command that it cannot run.
        Err(e) if e.step == Step::Exec => return Ok((127, Vec::new())),
        Err(e) => return failed(format!("couldn't create child process: {}", crate::sys::error_text(&e.error))),
    };
    let give_up = |message: String| {
        let _ = process::kill(-child.pid, libc::SIGKILL);
        let _ = process::wait(child.pid);
        failed(message)
    };
    let mut output = Vec::new();
    if let Some(pipe) = &child.stdout {
        match fd::read_to_end_deadline(pipe.as_fd(), crate::expand::MAX_RESULT, Some(Instant::now() + OUTPUT_TIME)) {
            Ok((data, false)) => output = data,
            Ok((_, true)) => return give_up("command output is too long".into()),
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => return give_up("command timed out".into()),
            Err(e) => return give_up(format!("reading from command failed: {}", crate::sys::error_text(&e))),
        }
    }
    match process::wait_until(child.pid, Instant::now() + END_TIME) {
        Ok(None) => give_up("command timed out".into()),
        Ok(Some(WaitStatus::Exited(code))) => Ok((code, output)),
        Ok(Some(WaitStatus::Signaled { signal, .. })) => failed(format!("command killed by signal {signal}")),
        Ok(Some(_)) => failed("command stopped"),
        Err(e) => failed(format!("wait() failed: {}", crate::sys::error_text(&e))),
    }
}

//! Processes that the daemon makes: workers, manager, runners; and commands that a session starts.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use bstr::BString;

use crate::context::Context;
use crate::log::{self, Which};
use crate::sys::process::{Fork, exit_now, fork, setsid};
use crate::sys::{fd, signal};

/// Forks a child that runs `work` and ends with its value. `None`: the fork failed, which is logged.
pub fn start(ctx: &mut Context, what: &str, work: impl FnOnce(&mut Context) -> i32) -> Option<i32> {
    ctx.services.hints.close_idle();
    match fork() {
        Ok(Fork::Parent(pid)) => Some(pid),
        Ok(Fork::Child) => {
            signal::wake_through(None);
            for s in [signal::SIGHUP, signal::SIGTERM, signal::SIGINT, signal::SIGCHLD] {
                let _ = signal::default(s);
                signal::taken(s);
            }
            if ctx.run.debug_daemon {
                Arc::make_mut(&mut ctx.run).debug = 0;
            }
            exit_now(work(ctx));
        }
        Err(e) => {
            log::write(
                ctx,
                None,
                Which::MAIN.and(Which::PANIC),
                format!("fork of {what} failed: {}", crate::sys::error_text(&e)).as_bytes(),
            );
            None
        }
    }
}

/// In a child: work that routes and delivers, as whom that is done.
pub fn as_deliverer(ctx: &mut Context, work: impl FnOnce(&mut Context) -> i32) -> i32 {
    if let Err(e) = crate::deliver::become_deliverer(&ctx.config) {
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), format!("delivery process: {e}").as_bytes());
        return 1;
    }
    work(ctx)
}

/// Goes into the background: true in the process that the caller's shell waits for.
pub fn detach() -> io::Result<bool> {
    if let Fork::Parent(_) = fork()? {
        return Ok(true);
    }
    setsid()?;
    null_standard_descriptors()?;
    Ok(false)
}

/// Makes descriptors 0, 1 and 2 /dev/null.
pub fn null_standard_descriptors() -> io::Result<()> {
    let null = fd::dev_null()?;
    for target in 0..3 {
        crate::sys::exec::dup_onto(null.as_fd(), target)?;
    }
    Ok(())
}

/// Replaces the process by a new start of the same program with the same arguments. Returns only on failure.
pub fn exec_again(ctx: &Context) -> io::Error {
    let argv: Vec<Vec<u8>> = ctx.run.argv.iter().map(|a| a.to_vec()).collect();
    let envp: Vec<Vec<u8>> = crate::sys::exec::current_environment();
    crate::sys::exec::exec(&ctx.run.exim_path, &argv, &envp)
}

/// The command line of this program with more arguments, as its children need it: same configuration, same macros.
pub fn own_command(ctx: &Context, arguments: &[BString]) -> Vec<BString> {
    let mut argv = vec![ctx.run.exim_path.clone()];
    if let Some(file) = &ctx.run.config_file_arg {
        argv.push("-C".into());
        argv.push(file.clone());
    }
    argv.extend(ctx.run.macro_args.iter().cloned());
    argv.extend(arguments.iter().cloned());
    argv
}

/// Starts a command that nobody waits for here. With `lock`, that lock of the `misc` hints is given back when it ends.
pub fn run_detached(ctx: &Context, argv: &[BString], lock: Option<&[u8]>, what: &str) -> io::Result<()> {
    let args: Vec<Vec<u8>> = argv.iter().map(|a| a.to_vec()).collect();
    let envp: Vec<Vec<u8>> = crate::sys::exec::current_environment();
    let Some(program) = args.first().cloned() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let child = crate::sys::spawn::Spawn::new(&program, &args, &envp).start().map_err(|e| e.error)?;
    crate::debug!(ctx, EXEC, "started process {} for {what}", child.pid);
    let (hints, lock) = (ctx.services.hints.clone(), lock.map(<[u8]>::to_vec));
    // The lock must go before this process does.
    let piece = lock.is_some().then(|| ctx.services.work.begin());
    std::thread::spawn(move || {
        let _piece = piece;
        let _ = crate::sys::process::wait(child.pid);
        if let Some(key) = lock {
            crate::hints::serialize::give_back(hints.as_ref(), &key);
        }
    });
    Ok(())
}

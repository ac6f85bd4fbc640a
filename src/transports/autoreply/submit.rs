//! Handing a reply in: the recipient may not write to the spool, so the program is started anew, as any user would.

use std::fs::File;
use std::io::Write;

use bstr::{BString, ByteSlice};

use crate::context::Context;
use crate::log::{self, Which};
use crate::sys::process::{self, WaitStatus};
use crate::sys::spawn::{Spawn, Stdio};

/// Starts the program to receive a message whose header names its recipients. The error is the exit value.
pub(crate) fn hand_in(ctx: &Context, text: &[u8]) -> Result<(), i32> {
    let mut argv: Vec<BString> = vec![ctx.run.exim_path.clone()];
    if let Some(c) = &ctx.run.config_file_arg {
        argv.extend(["-C".into(), c.clone()]);
    }
    argv.extend(ctx.run.macro_args.iter().cloned());
    let own = argv.len();
    if ctx.run.debug != 0 {
        argv.push(format!("-d=0x{:x}", ctx.run.debug).into());
    }
    if ctx.run.dont_deliver {
        argv.push("-N".into());
    }
    if ctx.run.test_harness && ctx.run.no_test_delays {
        argv.push("-odd".into());
    }
    if ctx.run.test_harness && !ctx.config.main.queue_only {
        argv.push("-odi".into());
    }
    argv.extend(["-t", "-oem", "-oi", "-f", "<>"].map(BString::from));
    if let Some(a) = ctx.config.main.bounce_sender_authentication.raw() {
        argv.extend(["-oMas".into(), BString::from(a)]);
    }
    if ctx.message.requiretls {
        argv.push("-MS".into());
    }
    argv.push([b"-E", ctx.message.id.as_slice()].concat().into());
    let argv: Vec<Vec<u8>> = argv.into_iter().map(Into::into).collect();
    let envp = crate::sys::exec::current_environment();
    let mut spawn = Spawn::new(&ctx.run.exim_path, &argv, &envp);
    spawn.stdin = Stdio::Pipe;
    spawn.stdout = Stdio::Inherit;
    spawn.stderr = Stdio::Inherit;
    let mut child = spawn.start().map_err(|e| {
        let first = argv.get(own).map(|a| a.as_bstr().to_string()).unwrap_or_default();
        let text = format!("re-exec of exim ({}) with {first} failed: {}", ctx.run.exim_path, crate::sys::error_text(&e.error));
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        127
    })?;
    if let Some(fd) = child.stdin.take() {
        // A program that does not read gives an exit value that says so.
        let _ = File::from(fd).write_all(text);
    }
    if ctx.run.test_harness && !ctx.run.no_test_delays {
        crate::sys::time::sleep_ms(200);
    }
    match process::wait(child.pid) {
        Ok(WaitStatus::Exited(0)) => Ok(()),
        Ok(WaitStatus::Exited(n)) => Err(n),
        Ok(s) => Err(s.to_raw()),
        Err(_) => Err(127),
    }
}

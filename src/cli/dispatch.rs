//! From what was asked for to the room that does it, with the privilege that the work needs.
//!
//! Called once, when the configuration is in force and the caller's rights have been checked.

use std::io::Write as _;

use bstr::{BString, ByteSlice};

use super::options::{MessageAction, Options, Refusal, Test};
use super::parse::refuse;
use super::{filter_test, privilege, reception, test_message, testing as testing_modes};
use crate::config::show::{self, Viewer};
use crate::context::Context;
use crate::daemon::{self, DaemonOptions};
use crate::log::{self, Which};
use crate::queue::{actions, list, run, view};
use crate::sys::exec;
use crate::text::Text;
use crate::verify::command::{self, Command};

/// Does what was asked for; the result is the exit status.
pub fn dispatch(ctx: &mut Context, o: Options) -> Result<i32, Refusal> {
    if let Some(arguments) = &o.show {
        privilege::become_exim(&ctx.config)?;
        return Ok(print_settings(ctx, &o, arguments));
    }
    if let Some(test) = &o.test {
        return testing(ctx, &o, test);
    }
    if let Some(text) = &o.log_text {
        log::write(ctx, None, Which::MAIN, text);
        return Ok(0);
    }
    if o.rebuild_aliases {
        return rebuild(ctx, &o);
    }
    if let Some(listing) = &o.list_queue {
        privilege::become_exim(&ctx.config)?;
        let mut listing = listing.clone();
        listing.queue_name = o.named_queue();
        listing.messages.clone_from(&o.arguments);
        return Ok(list::list(ctx, &listing));
    }
    if let Some((action, ids)) = &o.action {
        return messages(ctx, &o, action, ids);
    }
    if let Some((address, size)) = &o.quota_of {
        return Ok(crate::verify::quota::serve(ctx, address, *size));
    }
    if let Some((host, domains)) = &o.atrn {
        return reception::fetch(ctx, &o, host, domains);
    }
    if o.remove_pid_file {
        return remove_pid_file(ctx, &o);
    }
    if o.daemon.is_some() || o.has_schedule() {
        return start_daemon(ctx, &o);
    }
    privilege::become_deliverer(&ctx.config)?;
    if let Some(options) = o.single_run() {
        return Ok(run::run(ctx, options));
    }
    // What is left is the reception of messages.
    reception::run(ctx, &o)
}

fn print_settings(ctx: &Context, o: &Options, arguments: &[BString]) -> i32 {
    let viewer = Viewer { admin: ctx.run.admin, bare: o.bare_values, test_harness: ctx.run.test_harness };
    let shown = show::show(&ctx.config, viewer, arguments);
    let mut status = i32::from(shown.failed);
    if std::io::stdout().write_all(&shown.text).and_then(|()| std::io::stdout().flush()).is_err() {
        status = 1;
    }
    if !shown.errors.is_empty() {
        eprint!("{}", shown.errors);
    }
    status
}

fn testing(ctx: &mut Context, o: &Options, test: &Test) -> Result<i32, Refusal> {
    match test {
        Test::Expand { message, id } => {
            reception::describe(ctx, o)?;
            // A message of the queue is read while that is still possible.
            if let Some(id) = id {
                test_message::from_spool(ctx, &o.queue_name, id).map_err(refuse)?;
            }
            privilege::become_caller(&ctx.run)?;
            let words: Vec<Vec<u8>> = o.arguments.iter().map(|a| a.to_vec()).collect();
            if let Some(path) = message {
                test_message::from_file(ctx, path, o.extract_recipients).map_err(refuse)?;
            }
            let mut input = std::io::BufReader::with_capacity(64 << 10, std::io::stdin());
            let mut output = std::io::BufWriter::with_capacity(64 << 10, std::io::stdout().lock());
            let result = super::expand_test::run(ctx, &words, &mut input, &mut output);
            Ok(result.unwrap_or(1))
        }
        Test::Filter { user, system } => {
            reception::describe(ctx, o)?;
            privilege::become_caller(&ctx.run)?;
            filter_test::run(ctx, o, system.as_ref(), user.as_ref())
        }
        Test::Address => verify(ctx, o, Command::Test),
        Test::Verify { sender: false } => verify(ctx, o, Command::VerifyRecipient),
        Test::Verify { sender: true } => verify(ctx, o, Command::VerifySender),
        Test::Retry => testing_modes::retry(ctx, o),
        Test::Rewrite => testing_modes::rewriting(ctx, o),
        Test::Malware(file) => testing_modes::malware(ctx, file),
        Test::Host { address, callouts } => reception::rehearse(ctx, o, address, *callouts),
    }
}

/// `-bt`, `-bv`, `-bvs`
fn verify(ctx: &mut Context, o: &Options, command: Command) -> Result<i32, Refusal> {
    match command {
        Command::Test => privilege::become_deliverer(&ctx.config)?,
        _ => privilege::become_exim(&ctx.config)?,
    }
    // Routers see a sender: the one given, or else the caller.
    let own = || Text::clean(format!("{}@{}", ctx.run.login, ctx.config.site.qualify_domain));
    let sender = o.sender.as_ref().map(|s| reception::sender_address(ctx, s)).transpose()?.unwrap_or_else(own);
    ctx.message.sender = Some(sender);
    let result = command::run(ctx, command, &o.arguments, &mut std::io::stdin().lock(), &mut std::io::stdout().lock());
    result.map_err(|e| refuse(crate::sys::error_text(&e)))
}

/// `-M...`: the same to each message; the status is 1 if any of them failed.
fn messages(ctx: &mut Context, o: &Options, action: &MessageAction, ids: &[BString]) -> Result<i32, Refusal> {
    match action {
        MessageAction::View(what) => {
            privilege::become_exim(&ctx.config)?;
            let mut status = 0;
            for id in ids {
                status = status.max(view::view(ctx, &o.named_queue(), id, *what));
            }
            Ok(status)
        }
        MessageAction::Act(action) => {
            privilege::become_deliverer(&ctx.config)?;
            let mut status = 0;
            for id in ids {
                if !actions::act(ctx, &o.named_queue(), id, action) {
                    status = 1;
                }
            }
            // What moving says of each message stands on one line.
            if matches!(action, actions::Action::Move(_)) {
                println!();
            }
            Ok(status)
        }
    }
}

fn start_daemon(ctx: &mut Context, o: &Options) -> Result<i32, Refusal> {
    crate::scan::brightmail::check_library(ctx).map_err(refuse)?;
    let wanted = o.daemon.clone().unwrap_or_default();
    if ctx.config.main.mua_wrapper {
        let text = "Daemon cannot be run when mua_wrapper is set";
        eprintln!("{text}");
        log::write(ctx, None, Which::MAIN.and(Which::PANIC_DIE), text.as_bytes());
    }
    let options = DaemonOptions {
        listen: o.daemon.is_some(),
        foreground: wanted.foreground || wanted.inetd_wait.is_some(),
        inetd_wait: wanted.inetd_wait,
        schedules: o.queue_runs.clone(),
        tls_on_connect: o.tls_on_connect,
        interfaces: o.interfaces.clone(),
        pid_file: o.pid_file.clone(),
        // With `-oX` it is for another purpose, and must not take the name from the daemon proper.
        notifier: !o.no_notifier && (o.interfaces.is_none() || o.pid_file.is_some()),
    };
    Ok(daemon::run(ctx, &options))
}

/// `-oPX`: removes the file that the daemon wrote its process id to.
fn remove_pid_file(ctx: &mut Context, o: &Options) -> Result<i32, Refusal> {
    if ctx.run.real_uid != 0 && ctx.run.real_uid != ctx.config.site.exim_uid {
        return Err(refuse("-oPX is for root and the Exim user only"));
    }
    let options = DaemonOptions { listen: true, pid_file: o.pid_file.clone(), ..DaemonOptions::default() };
    daemon::remove_pid_file(ctx, &options).map(|()| 0).map_err(refuse)
}

/// `-bi`: runs bi_command as the caller.
fn rebuild(ctx: &Context, o: &Options) -> Result<i32, Refusal> {
    privilege::become_caller(&ctx.run)?;
    let command = ctx.config.main.bi_command.raw().unwrap_or_default();
    if command.is_empty() {
        return Ok(0);
    }
    let mut argv: Vec<&[u8]> = vec![command];
    if let Some(file) = &o.alias_file {
        argv.push(file);
    }
    let e = exec::exec(command, &argv, &exec::current_environment());
    Err(refuse(format!("exec '{}' failed: {}", command.as_bstr(), crate::sys::error_text(&e))))
}

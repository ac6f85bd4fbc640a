//! The `pipe` transport (manual chapter 29): the message goes into a command's standard input.
//!
//! Runs as the recipient. `command` works out what is run, `environment` with which variables, `run` runs it.

mod environment;
mod options;
mod program;
mod run;

use bstr::{BString, ByteSlice};

use super::options::TransportOptions;
use super::{Kind, Transport, command};
use crate::config::Config;
use crate::config::options::{OptionSet, Str};
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob, LocalTransport, OutputOptions};
use crate::expand::{self, Template};
use crate::retry::errors;
use crate::route::AddressKind;
use crate::text::Text;
pub use options::PipeOptions;
use program::Program;
use run::Ended;

/// `message_prefix`
const PREFIX: &str = "From ${if def:return_path{$return_path}{MAILER-DAEMON}} ${tod_bsdinbox}\n";

/// The driver.
#[derive(Debug, Default)]
pub struct Pipe {
    options: PipeOptions,
    temporary: Temporary,
}

/// `temp_errors`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Temporary {
    /// `*`
    #[default]
    All,
    /// These exit values.
    These(Vec<i32>),
}

impl Temporary {
    fn parse(value: &[u8]) -> Result<Self, String> {
        if value == b"*" {
            return Ok(Temporary::All);
        }
        crate::parse::list::items(value)
            .map(|i| i.to_str().ok().and_then(|s| s.parse().ok()))
            .collect::<Option<Vec<i32>>>()
            .map(Temporary::These)
            .ok_or_else(|| "temp_errors must be a list of numbers or an asterisk".to_string())
    }
    fn holds(&self, code: i32) -> bool {
        match self {
            Temporary::All => true,
            Temporary::These(list) => list.contains(&code),
        }
    }
}

/// A delivery that did not happen.
#[derive(Debug)]
struct Failure {
    status: DeliveryStatus,
    errno: i32,
    message: String,
    /// What the sender is told.
    for_user: Option<&'static str>,
    freeze: bool,
}

impl Failure {
    fn new(status: DeliveryStatus, message: impl Into<String>) -> Self {
        Failure { status, errno: 0, message: message.into(), for_user: None, freeze: false }
    }

    /// The command has run and failed: people are told no more than that.
    fn of_command(status: DeliveryStatus, message: impl Into<String>) -> Self {
        Failure { for_user: Some("local delivery failed"), ..Failure::new(status, message) }
    }
    fn with(self, errno: i32) -> Self {
        Failure { errno, ..self }
    }
}

impl Transport for Pipe {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }

    fn init(&mut self, name: &BString, generic: &mut TransportOptions, set: &[String], _: &Config) -> Result<(), String> {
        let o = &mut self.options;
        let is_set = |n: &str| set.iter().any(|s| s == n);
        if o.pipe_as_creator && (generic.user.is_set() || generic.group.is_set()) {
            return Err(format!("both pipe_as_creator and an explicit uid/gid are set for the {name} transport"));
        }
        self.temporary = Temporary::parse(o.temp_errors.raw().unwrap_or(b"*"))?;
        if o.return_output && o.return_fail_output {
            return Err("both return_output and return_fail_output are set".into());
        }
        if o.log_output && (o.log_fail_output || o.log_defer_output) {
            return Err("only one of log_output, log_fail_output and log_defer_output may be set".into());
        }
        if o.use_shell && (o.allow_commands.is_set() || o.restrict_to_path) {
            return Err("allow_commands and restrict_to_path are incompatible with use_shell".into());
        }
        if o.use_classresources {
            return Err("use_classresources is not available on this operating system".into());
        }
        let fill = |option: &mut Str, name: &str, value: &str| {
            if !is_set(name) {
                *option = Str::fixed(value);
            }
        };
        if o.use_bsmtp {
            fill(&mut o.check_string, "check_string", ".");
            fill(&mut o.escape_string, "escape_string", "..");
        } else {
            fill(&mut o.message_prefix, "message_prefix", PREFIX);
            fill(&mut o.message_suffix, "message_suffix", "\n");
        }
        Ok(())
    }

    fn kind(&self) -> Kind<'_> {
        Kind::Local(self)
    }
}

impl LocalTransport for Pipe {
    fn batch_max(&self) -> usize {
        usize::try_from(self.options.batch_max.0).unwrap_or(1).max(1)
    }
    fn batch_id(&self) -> Option<&Template> {
        self.options.batch_id.get()
    }
    fn as_creator(&self) -> bool {
        self.options.pipe_as_creator
    }
    fn output_options(&self) -> OutputOptions {
        let o = &self.options;
        OutputOptions {
            give_back: o.return_output,
            give_back_failed: o.return_fail_output,
            log: o.log_output,
            log_fail: o.log_fail_output,
            log_defer: o.log_defer_output,
        }
    }

    fn deliver(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Vec<DeliveryStatus> {
        let result = self.run(ctx, job);
        let status = match &result {
            Ok(()) => DeliveryStatus::Ok,
            Err(f) => f.status,
        };
        if let Err(f) = result {
            for a in job.batch.iter_mut() {
                a.failure.basic_errno = f.errno;
                a.failure.message = Some(Text::clean(f.message.clone()));
                a.failure.user_message = f.for_user.map(Text::clean);
                a.flags.freeze |= f.freeze;
            }
        }
        vec![status; job.batch.len()]
    }
}

impl Pipe {
    fn run(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Result<(), Failure> {
        let o = &self.options;
        let program = self.program(ctx, job)?;
        let environment = environment::build(ctx, o, job)?;
        // Whatever can go wrong in expansions must do so before the command runs.
        let prefix = self.expanded(ctx, job, "message_prefix", &o.message_prefix)?;
        let suffix = self.expanded(ctx, job, "message_suffix", &o.message_suffix)?;
        let parts = run::Parts { prefix, suffix };
        match run::run(self, ctx, job, &program, &environment, &parts)? {
            Ended::Well => Ok(()),
            Ended::Badly(code) => self.exit_value(job, &program, code),
            Ended::Signal(n) => self.signal(job, &program, n),
        }
    }

    /// What is to be run: the redirection's command, or the option's.
    fn program(&self, ctx: &mut Context, job: &LocalJob<'_>) -> Result<Program, Failure> {
        let o = &self.options;
        let name = &job.transport.name;
        let first = job.batch.first();
        let own = first.filter(|a| a.kind == AddressKind::Pipe && !a.local_part.is_empty());
        let (command, expand, recipients) = match own {
            Some(a) => {
                let pipe = a.local_part.piece(a.local_part.strip_prefix(b"|").unwrap_or(&a.local_part).trim_start());
                ctx.address.address_pipe = Some(pipe.clone());
                if a.flags.expand_pipe || !a.pipe_numeric.is_empty() {
                    ctx.scratch.numeric = a.pipe_numeric.clone();
                    ctx.address.this_address = a.pipe_this_address.clone();
                    ctx.scratch.shows_recipients = a.flags.of_system_filter;
                }
                if o.force_command {
                    (None, true, false)
                } else {
                    if pipe.is_tainted() {
                        return Err(Failure::new(
                            DeliveryStatus::Panic,
                            format!("Tainted '{pipe}' (command for {name} transport) not permitted"),
                        ));
                    }
                    (Some(pipe), a.flags.expand_pipe, a.flags.expand_pipe)
                }
            }
            None => (None, true, false),
        };
        let command = match command.or_else(|| o.command.raw().map(Text::clean)) {
            Some(c) => c,
            None => return Err(Failure::new(DeliveryStatus::Defer, format!("no command specified for {name} transport"))),
        };
        // A redirection's mistake is the recipient's, an option's the administrator's.
        let expand_status = if own.is_some() { DeliveryStatus::Fail } else { DeliveryStatus::Panic };
        program::find(ctx, o, job, &command, expand, recipients, expand_status)
    }

    fn expanded(&self, ctx: &mut Context, job: &LocalJob<'_>, option: &str, value: &Str) -> Result<Option<Text>, Failure> {
        let Some(t) = value.get() else { return Ok(None) };
        expand::expand(ctx, t).map(Some).map_err(|e| {
            let text =
                format!("Expansion of \"{}\" ({option} for {} transport) failed: {e}", t.raw().as_bstr(), job.transport.name);
            Failure::new(DeliveryStatus::Panic, text).with(errors::EXPAND_FAIL)
        })
    }

    fn signal(&self, job: &LocalJob<'_>, program: &Program, n: i32) -> Result<(), Failure> {
        let o = &self.options;
        if o.ignore_status && !o.freeze_signal {
            return Ok(());
        }
        let text = format!(
            "Child process of {} transport (running command \"{}\") was terminated by signal {n} ({})",
            job.transport.name,
            program.command,
            signal_text(n)
        );
        if o.freeze_signal {
            return Err(Failure { freeze: true, ..Failure::new(DeliveryStatus::Defer, text) });
        }
        Err(Failure::of_command(DeliveryStatus::Fail, text))
    }

    fn exit_value(&self, job: &LocalJob<'_>, program: &Program, code: i32) -> Result<(), Failure> {
        let o = &self.options;
        if o.freeze_exec_fail && code == 127 {
            let text = format!("pipe process failed to exec \"{}\"", program.command);
            return Err(Failure { freeze: true, ..Failure::new(DeliveryStatus::Defer, text) });
        }
        if o.ignore_status {
            return Ok(());
        }
        let mut text = format!("Child process of {} transport returned {code}", job.transport.name);
        if code > 128 {
            text.push_str(&format!(" (could mean shell command ended by signal {} ({}))", code - 128, signal_text(code - 128)));
        } else if !command::exit_meaning(code).is_empty() {
            text.push(' ');
            text.push_str(command::exit_meaning(code));
        }
        text.push_str(" from command:");
        // The reference shows no more than the command's name here, and log readers know it so.
        if let Some(a) = program.argv.first() {
            let quote = if a.contains(&b' ') || a.contains(&b'\t') { "\"" } else { "" };
            text.push_str(&format!(" {quote}{a}{quote}"));
        }
        if self.temporary.holds(code) {
            return Err(Failure::of_command(DeliveryStatus::Defer, text));
        }
        Err(Failure::of_command(DeliveryStatus::Fail, text))
    }
}

/// The C library's words for a signal.
fn signal_text(n: i32) -> String {
    let words = match n {
        libc::SIGHUP => "Hangup",
        libc::SIGINT => "Interrupt",
        libc::SIGQUIT => "Quit",
        libc::SIGILL => "Illegal instruction",
        libc::SIGTRAP => "Trace/breakpoint trap",
        libc::SIGABRT => "Aborted",
        libc::SIGBUS => "Bus error",
        libc::SIGFPE => "Floating point exception",
        libc::SIGKILL => "Killed",
        libc::SIGUSR1 => "User defined signal 1",
        libc::SIGSEGV => "Segmentation fault",
        libc::SIGUSR2 => "User defined signal 2",
        libc::SIGPIPE => "Broken pipe",
        libc::SIGALRM => "Alarm clock",
        libc::SIGTERM => "Terminated",
        libc::SIGXCPU => "CPU time limit exceeded",
        libc::SIGXFSZ => "File size limit exceeded",
        _ => return crate::sys::signal::name(n),
    };
    words.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_values() {
        assert_eq!(Temporary::parse(b"75 : 73"), Ok(Temporary::These(vec![75, 73])));
        assert!(Temporary::parse(b"x").is_err());
        assert!(Temporary::parse(b"*").unwrap().holds(1));
    }
}

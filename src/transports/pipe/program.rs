//! Which program a pipe runs: its arguments, and whether it is permitted (manual sections 29.3, 29.5).

use bstr::{BString, ByteSlice};

use super::{Failure, PipeOptions};
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob};
use crate::expand::{self, Template};
use crate::parse::list::items;
use crate::text::Text;
use crate::transports::command::{self, CommandError, Rules};

/// A program to be run.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// Its file.
    pub(super) path: BString,
    /// Its arguments.
    pub(super) argv: Vec<BString>,
    /// The command line as it was given, for messages.
    pub(super) command: BString,
}

/// Works it out.
pub(super) fn find(
    ctx: &mut Context,
    o: &PipeOptions,
    job: &LocalJob<'_>,
    command: &Text,
    expand: bool,
    recipients: bool,
    expand_status: DeliveryStatus,
) -> Result<Program, Failure> {
    if o.use_shell {
        return shell(ctx, job, command, expand, expand_status);
    }
    let owner = format!("{} transport", job.transport.name);
    let rules = Rules { expand, recipients, owner: &owner };
    let argv = command::arguments(ctx, command, job.batch, rules).map_err(|e| match e {
        CommandError::Expansion(m) => Failure::new(expand_status, m),
        CommandError::Other(m) => Failure::new(DeliveryStatus::Fail, m),
        CommandError::Tainted(m) => Failure::new(DeliveryStatus::Fail, m),
    })?;
    let mut argv = argv;
    let name = argv.first().cloned().unwrap_or_default();
    let path = permitted(ctx, o, job, &name, command)?;
    if let Some(first) = argv.first_mut() {
        *first = path.clone();
    }
    Ok(Program { path, argv, command: BString::from(command.as_bytes()) })
}

/// Checks `allow_commands` and `restrict_to_path`, and looks for the program along `path`.
fn permitted(ctx: &mut Context, o: &PipeOptions, job: &LocalJob<'_>, name: &BString, command: &Text) -> Result<BString, Failure> {
    let transport = &job.transport.name;
    let mut allowed = false;
    if let Some(t) = o.allow_commands.get() {
        let list = expand::expand(ctx, t).map_err(|e| {
            Failure::new(
                DeliveryStatus::Defer,
                format!("failed to expand string \"{}\" for {transport} transport: {e}", t.raw().as_bstr()),
            )
        })?;
        allowed = items(&list).any(|i| i == *name);
    }
    if !allowed {
        if o.restrict_to_path {
            if name.contains(&b'/') {
                let text =
                    format!("\"/\" found in \"{command}\" (command for {transport} transport) - failed for security reasons");
                return Err(Failure::new(DeliveryStatus::Fail, text));
            }
        } else if o.allow_commands.is_set() {
            return Err(Failure::new(DeliveryStatus::Fail, format!("\"{name}\" command not permitted by {transport} transport")));
        }
    }
    if name.starts_with(b"/") {
        return Ok(name.clone());
    }
    let path = path(ctx, o, job)?;
    for dir in items(&path) {
        let mut file = dir;
        file.push(b'/');
        file.extend_from_slice(name);
        if crate::sys::file::stat(&file).is_ok_and(|s| s.is_file()) {
            return Ok(file);
        }
    }
    Err(Failure::new(DeliveryStatus::Fail, format!("\"{name}\" command not found for {transport} transport")))
}

/// The expanded `path` option.
pub(super) fn path(ctx: &mut Context, o: &PipeOptions, job: &LocalJob<'_>) -> Result<Text, Failure> {
    let template = o.path.get().cloned().unwrap_or_else(|| Template::new(b"/bin:/usr/bin"));
    expand::expand(ctx, &template).map_err(|e| {
        Failure::new(
            DeliveryStatus::Panic,
            format!(
                "Failed to expand \"{}\" as the command PATH in {} transport: {e}",
                template.raw().as_bstr(),
                job.transport.name
            ),
        )
    })
}

/// The command line as an argument of /bin/sh.
fn shell(
    ctx: &mut Context,
    job: &LocalJob<'_>,
    command: &Text,
    expand: bool,
    expand_status: DeliveryStatus,
) -> Result<Program, Failure> {
    let mut line = command.clone();
    if expand {
        // The addresses go in before anything is expanded, as one string with blanks.
        let mut raw = BString::from(command.as_bytes());
        if let Some(at) = raw.find(b"$pipe_addresses") {
            let all: Vec<&[u8]> = job.batch.iter().map(|a| a.address.as_bytes()).collect();
            let joined = bstr::join(b" ", all);
            if job.batch.iter().any(|a| a.address.is_tainted()) {
                let text = format!("Tainted '{}' (command for {} transport) not permitted", joined.as_bstr(), job.transport.name);
                return Err(Failure::new(DeliveryStatus::Panic, text));
            }
            let quoted = joined.replace("\\", "\\\\").replace("$", "\\$");
            raw = [&raw[..at], &quoted, &raw[at + b"$pipe_addresses".len()..]].concat().into();
        }
        line = expand::expand_once(ctx, &raw).map_err(|e| {
            Failure::new(
                expand_status,
                format!("Expansion of command \"{command}\" in {} transport failed: {e}", job.transport.name),
            )
        })?;
    }
    // Whoever wrote a filter has chosen what the shell gets.
    if line.is_tainted() && !job.batch.first().is_some_and(|a| a.flags.expand_pipe) {
        let text = format!("Tainted '{line}' (command for {} transport) not permitted", job.transport.name);
        return Err(Failure::new(DeliveryStatus::Panic, text));
    }
    let argv = vec![BString::from("/bin/sh"), BString::from("-c"), BString::from(line.as_bytes())];
    Ok(Program { path: "/bin/sh".into(), argv, command: line.into_bytes().into() })
}

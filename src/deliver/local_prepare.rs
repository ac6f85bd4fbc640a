//! What a local delivery needs before its process is started: as whom, where, with what output file; or why it has none.

use std::fs::File;
use std::sync::Arc;

use bstr::BString;

use super::local::DeliveryStatus;
use super::local_process::{self as process, What};
use super::local_run::note_done;
use super::state::Delivery;
use super::users;
use crate::context::Context;
use crate::log;
use crate::retry::errors;
use crate::route::Address;
use crate::transports::TransportInstance;

/// What is ahead of a batch.
pub(super) enum Ahead {
    /// A process runs the transport.
    Process(What),
    /// Its fate is known already.
    Nothing(Vec<DeliveryStatus>),
}

/// Works out as whom, where and with what the transport runs.
pub(super) fn prepare(
    ctx: &mut Context,
    d: &mut Delivery<'_>,
    transport: &Arc<TransportInstance>,
    batch: &mut [Address],
    shadowing: bool,
) -> Ahead {
    let all = |status: DeliveryStatus, n: usize| Ahead::Nothing(vec![status; n]);
    let prepared = (|| -> Result<_, users::Problem> {
        let path = users::return_path(ctx, transport, &batch[0])?;
        let who = users::identity(ctx, transport, &batch[0])?;
        let (home, directory) = users::directories(ctx, transport, &batch[0])?;
        Ok((path, who, home, directory))
    })();
    let (path, who, home, directory) = match prepared {
        Ok(p) => p,
        Err(problem) => {
            // What has its line in the panic log already needs no second one.
            let defer = problem.2 || problem.0 != errors::EXPAND_FAIL;
            users::note_problem(ctx, batch, problem);
            return all(if defer { DeliveryStatus::Defer } else { DeliveryStatus::Panic }, batch.len());
        }
    };
    for a in batch.iter_mut() {
        a.return_path = Some(path.clone());
    }
    let Some(local) = transport.local() else {
        let text = format!("{} transport is not a local one", transport.name);
        users::note_problem(ctx, batch, (errors::BAD_TRANSPORT, text, true));
        return all(DeliveryStatus::Defer, batch.len());
    };
    d.runs += 1;
    if super::pretends(ctx) {
        process::show(ctx, transport);
        note_done(ctx, d, batch, &vec![DeliveryStatus::Ok; batch.len()]);
        return all(DeliveryStatus::Ok, batch.len());
    }
    let mut output = None;
    if !shadowing && local.output_options().any() {
        match output_file(ctx, d.runs) {
            Ok((file, path)) => {
                batch[0].return_file = Some(path);
                output = Some(file);
            }
            Err(e) => {
                let text = format!(
                    "Unable to create file to return output from {} transport: {}",
                    transport.name,
                    crate::sys::error_text(&e)
                );
                users::note_problem(ctx, batch, (e.raw_os_error().unwrap_or(errors::UNKNOWN), text, true));
                return all(DeliveryStatus::Defer, batch.len());
            }
        }
    }
    Ahead::Process(What { transport: transport.clone(), who, home, directory, output, shadowing })
}

/// The file for a command's output: in the message log's directory, with a name of its own.
fn output_file(ctx: &Context, n: usize) -> std::io::Result<(File, BString)> {
    use crate::sys::file::Flags;
    let dir = log::msglog::directory(ctx)?;
    let name = format!("{}-{}-{n}", ctx.message.id, crate::sys::process::getpid());
    let flags = Flags::READ_WRITE | Flags::APPEND | Flags::CREATE | Flags::EXCLUSIVE | Flags::NOFOLLOW;
    let fd = dir.open_at(name.as_bytes(), flags, 0o400)?;
    let mut path = ctx.config.site.spool_directory.clone();
    for part in [ctx.message.queue_name.as_slice(), b"msglog", ctx.message.subdir.as_slice(), name.as_bytes()] {
        if !part.is_empty() {
            path.push(b'/');
            path.extend_from_slice(part);
        }
    }
    Ok((File::from(fd), path))
}

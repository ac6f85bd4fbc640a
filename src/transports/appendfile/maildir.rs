//! Delivery into a maildir: written and synced in `tmp`, then renamed into `new`.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::quota::Limits;
use super::{Appendfile, Failure, directory};
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob};
use crate::expand::{self, ExpandError};
use crate::retry::errors;
use crate::sys::file::{Dir, Flags, fstat};
use crate::sys::time;

/// Delivers into the maildir at `path`, making it if that is wanted.
pub(super) fn deliver(t: &Appendfile, ctx: &mut Context, job: &LocalJob<'_>, path: &[u8], quota: &Limits) -> Result<(), Failure> {
    let dir = directory::open(t, job, path)?;
    let shown = path.as_bstr();
    let sub = |name: &str| {
        dir.open_or_make_dir(name.as_bytes(), t.options.directory_mode.0)
            .map_err(|e| Failure::io(&e, format!("failed to create {shown}/{name}: {}", crate::sys::error_text(&e))))
    };
    let (tmp, new) = (sub("tmp")?, sub("new")?);
    sub("cur")?;
    let retries = u64::try_from(t.options.maildir_retries.0).unwrap_or(10).max(1);
    let (name, file) = create(t, ctx, job, &tmp, retries)?;
    let leaf = BString::from(format!("tmp/{name}"));
    let result = quota.check_maildir(ctx, path, &leaf).and_then(|()| directory::fill(t, ctx, job, &file, path)).and_then(|()| {
        let size = fstat(file.as_fd()).map(|s| s.size).unwrap_or(0);
        let tag = tag(t, ctx, job, size)?;
        let last = BString::from([name.as_slice(), &tag].concat());
        tmp.rename(&name, &new, &last).map_err(|e| Failure::io(&e, format!("while renaming {leaf} as new/{last}")))?;
        new.sync().map_err(|e| Failure::io(&e, format!("failed to sync {shown}/new")))
    });
    if result.is_err() {
        let _ = tmp.unlink(&name);
    }
    result.map_err(|f| quota.explain(f, &leaf))
}

/// A new file in `tmp`, with a name that nobody else has.
fn create(t: &Appendfile, ctx: &Context, job: &LocalJob<'_>, tmp: &Dir, retries: u64) -> Result<(BString, File), Failure> {
    let mut attempt = 0;
    loop {
        let now = time::now();
        let name =
            BString::from(format!("{}.H{}P{}.{}", now.sec, now.usec, std::process::id(), ctx.config.site.primary_hostname));
        let taken = tmp.stat_at(&name).is_ok();
        let opened = if taken {
            Err(std::io::Error::from(ErrorKind::AlreadyExists))
        } else {
            tmp.open_at(&name, Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, job.mode(t.options.mode.0))
        };
        match opened {
            Ok(fd) => return Ok((name, File::from(fd))),
            Err(e) if e.kind() == ErrorKind::AlreadyExists && attempt + 1 < retries => {
                attempt += 1;
                std::thread::sleep(Duration::from_secs(2));
            }
            Err(e) => {
                return Err(Failure::io(
                    &e,
                    format!("failed to open tmp/{name} ({retries} tr{})", if retries == 1 { "y" } else { "ies" }),
                ));
            }
        }
    }
}

/// `maildir_tag`: a suffix for the name, with a colon before it unless it begins with something else.
fn tag(t: &Appendfile, ctx: &mut Context, job: &LocalJob<'_>, size: i64) -> Result<Vec<u8>, Failure> {
    let Some(template) = t.options.maildir_tag.get() else { return Ok(Vec::new()) };
    let saved = ctx.message.size;
    ctx.message.size = u64::try_from(size).unwrap_or(0);
    let expanded = expand::expand(ctx, template);
    ctx.message.size = saved;
    match expanded {
        Ok(text) => {
            let printable: Vec<u8> = text.iter().copied().take_while(|c| c.is_ascii_graphic() && *c != b'/').collect();
            match printable.first() {
                None => Ok(Vec::new()),
                Some(c) if c.is_ascii_alphanumeric() => Ok([b":", printable.as_slice()].concat()),
                Some(_) => Ok(printable),
            }
        }
        Err(ExpandError::Forced(_)) => Ok(Vec::new()),
        Err(e) => Err(Failure {
            status: DeliveryStatus::Panic,
            ..Failure::defer(
                errors::UNKNOWN,
                format!(
                    "Expansion of \"{}\" (maildir_tag for {} transport) failed: {e}",
                    template.raw().as_bstr(),
                    job.transport.name
                ),
            )
        }),
    }
}

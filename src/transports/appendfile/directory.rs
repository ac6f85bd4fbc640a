//! Delivery of each message into a file of its own, and the mailstore form of that.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;

use bstr::{BString, ByteSlice};

use super::quota::{LastRead, Limits};
use super::{Appendfile, Failure, Format, place};
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob};
use crate::expand::{self, ExpandError};
use crate::retry::errors;
use crate::spool::base62;
use crate::sys::file::{Dir, Flags, fchmod, fstat, fsync};
use crate::text::Text;

/// Opens the directory, making it if that is wanted.
pub(super) fn open(t: &Appendfile, job: &LocalJob<'_>, path: &[u8]) -> Result<Dir, Failure> {
    place::ensure_directory(t, job, path)?;
    Dir::open(path).map_err(|e| Failure::io(&e, format!("failed to open directory {}", path.as_bstr())))
}

/// One message, one file, named by `directory_file`.
pub(super) fn deliver(
    t: &Appendfile,
    ctx: &mut Context,
    job: &LocalJob<'_>,
    path: &[u8],
    quota: &Limits,
) -> Result<bool, Failure> {
    let dir = open(t, job, path)?;
    let mut account = quota.of_directory(path, Format::Directory)?;
    account.check(path, LastRead::Unknown)?;
    let temporary = BString::from(format!("temp.{}.{}", std::process::id(), ctx.config.site.primary_hostname));
    let fd = dir
        .open_at(&temporary, Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, t.mode(job).0)
        .map_err(|e| Failure::io(&e, format!("while creating file {}/{temporary}", path.as_bstr())))?;
    let file = File::from(fd);
    let result = fill(t, ctx, job, &file, path).and_then(|()| {
        ctx.address.inode = fstat(file.as_fd()).map(|s| s.ino).unwrap_or(0);
        let template = t.options.directory_file.get();
        let name = match template {
            None => return Err(Failure::defer(errors::UNKNOWN, "directory_file is not set")),
            Some(template) => expand::expand(ctx, template).map_err(|e| Failure {
                status: DeliveryStatus::Panic,
                ..Failure::defer(
                    errors::UNKNOWN,
                    format!(
                        "Expansion of \"{}\" (directory_file for {} transport) failed: {e}",
                        template.raw().as_bstr(),
                        job.transport.name
                    ),
                )
            })?,
        };
        if name.contains(&b'/') {
            return Err(Failure::defer(errors::BAD_CREATE, format!("directory_file \"{name}\" contains a slash")));
        }
        let shown = path.as_bstr();
        let renamed = dir.stat_at(&name).is_err().then(|| dir.rename(&temporary, &dir, &name));
        match renamed {
            Some(Ok(())) => dir.sync().map_err(|e| Failure::io(&e, format!("failed to sync {shown}"))),
            Some(Err(e)) => Err(Failure::io(&e, format!("while renaming {shown}/{temporary} as {shown}/{name}"))),
            None => Err(Failure::defer(libc::EEXIST, format!("while renaming {shown}/{temporary} as {shown}/{name}"))),
        }
    });
    if result.is_err() {
        let _ = dir.unlink(&temporary);
    }
    result.map_err(|f| quota.explain(f, path))?;
    Ok(account.add(size_of(&file)))
}

/// The bytes of a file by now.
pub(super) fn size_of(file: &File) -> u64 {
    fstat(file.as_fd()).ok().and_then(|s| u64::try_from(s.size).ok()).unwrap_or(0)
}

/// Writes and syncs a new file.
fn fill(t: &Appendfile, ctx: &mut Context, job: &LocalJob<'_>, file: &File, path: &[u8]) -> Result<(), Failure> {
    write(t, ctx, job, file)?;
    sync(file, path)
}

/// Writes a new file.
pub(super) fn write(t: &Appendfile, ctx: &mut Context, job: &LocalJob<'_>, file: &File) -> Result<(), Failure> {
    let _ = fchmod(file.as_fd(), t.mode(job).0);
    t.write_all(ctx, job, file)
}

/// Makes a file in the directory at `path` durable.
pub(super) fn sync(file: &File, path: &[u8]) -> Result<(), Failure> {
    fsync(file.as_fd()).map_err(|e| Failure::io(&e, format!("failed to fsync file in {}", path.as_bstr())))
}

/// Mailstore: the envelope in one file, the message in another, the first one appearing last.
pub(super) fn deliver_mailstore(
    t: &Appendfile,
    ctx: &mut Context,
    job: &LocalJob<'_>,
    path: &[u8],
    quota: &Limits,
) -> Result<bool, Failure> {
    let dir = open(t, job, path)?;
    let mut account = quota.of_directory(path, Format::Mailstore)?;
    account.check(path, LastRead::Unknown)?;
    let base = BString::from([ctx.message.id.as_slice(), b"-", &base62::encode(u64::from(std::process::id()), 6)].concat());
    ctx.address.mailstore_basename = Some(Text::clean(base.clone()));
    let (tmp, env, msg) = (format!("{base}.tmp"), format!("{base}.env"), format!("{base}.msg"));
    let create = |name: &str| {
        dir.open_at(name.as_bytes(), Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, t.mode(job).0)
            .map(File::from)
            .map_err(|e| Failure::io(&e, format!("while creating file {}/{name}", path.as_bstr())))
    };
    let mut envelope = create(&tmp)?;
    let result = (|| {
        let mut text = Vec::new();
        for (option, value) in
            [("mailstore_prefix", &t.options.mailstore_prefix), ("mailstore_suffix", &t.options.mailstore_suffix)]
        {
            if option == "mailstore_suffix" {
                let sender = job
                    .batch
                    .first()
                    .and_then(|a| a.return_path.clone())
                    .or_else(|| ctx.message.sender.clone())
                    .unwrap_or_default();
                text.extend_from_slice(format!("{sender}\n").as_bytes());
                for a in job.batch.iter() {
                    text.extend_from_slice(format!("{}\n", a.address).as_bytes());
                }
            }
            if let Some(template) = value.get() {
                let extra = match expand::expand(ctx, template) {
                    Ok(extra) => extra,
                    Err(ExpandError::Forced(_)) => continue,
                    Err(e) => {
                        let raw = template.raw().as_bstr();
                        let name = &job.transport.name;
                        let text = format!("Expansion of \"{raw}\" ({option} for {name} transport) failed: {e}");
                        return Err(Failure::defer(errors::EXPAND_FAIL, text));
                    }
                };
                text.extend_from_slice(&extra);
                if !text.ends_with(b"\n") {
                    text.push(b'\n');
                }
            }
        }
        envelope.write_all(&text).map_err(|e| Failure::io(&e, format!("while writing file {}/{tmp}", path.as_bstr())))?;
        fsync(envelope.as_fd()).map_err(|e| Failure::io(&e, "failed to fsync"))?;
        let message = create(&msg)?;
        if let Err(f) = fill(t, ctx, job, &message, path) {
            let _ = dir.unlink(msg.as_bytes());
            return Err(f);
        }
        dir.rename(tmp.as_bytes(), &dir, env.as_bytes())
            .map_err(|e| Failure::io(&e, format!("while renaming {}/{tmp}", path.as_bstr())))?;
        dir.sync().map_err(|e| Failure::io(&e, "failed to sync directory"))?;
        Ok(size_of(&message) + size_of(&envelope))
    })();
    if result.is_err() {
        let _ = dir.unlink(tmp.as_bytes());
    }
    result.map(|size| account.add(size)).map_err(|f| quota.explain(f, path))
}

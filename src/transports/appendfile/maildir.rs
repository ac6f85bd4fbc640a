//! Delivery into a maildir: written and synced in `tmp`, then renamed into `new`.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::quota::{self, LastRead, Limits};
use super::{Appendfile, Failure, Format, directory};
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob};
use crate::expand::{self, ExpandError};
use crate::retry::errors;
use crate::sys::file::{Dir, Flags, start_writing};
use crate::sys::time;

/// A message in `tmp`, which goes if it does not get to `new`.
pub(super) struct Begun {
    path: BString,
    tmp: Dir,
    new: Dir,
    /// In `tmp`.
    name: BString,
    file: File,
    renamed: bool,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = self.tmp.unlink(&self.name);
        }
    }
}

/// Delivers into the maildir at `path`, making it if that is wanted. True: a warning is due.
pub(super) fn deliver(
    t: &Appendfile,
    ctx: &mut Context,
    job: &LocalJob<'_>,
    path: &[u8],
    quota: &Limits,
) -> Result<bool, Failure> {
    let begun = open(t, ctx, job, path)?;
    let leaf = begun.leaf();
    let newest = [path, b"/new"].concat();
    let result = quota.of_directory(path, Format::Maildir).and_then(|mut account| {
        account.check(&leaf, LastRead::ModificationOf(&newest))?;
        directory::write(t, ctx, job, &begun.file)?;
        finish(t, ctx, job, begun).map(|size| account.add(size))
    });
    result.map_err(|f| quota.explain(f, &leaf))
}

/// Writes the message into `tmp`, where there are no limits.
pub(super) fn begin(
    t: &Appendfile,
    ctx: &mut Context,
    job: &LocalJob<'_>,
    path: &[u8],
    quota: &Limits,
) -> Result<Begun, Failure> {
    let begun = open(t, ctx, job, path)?;
    directory::write(t, ctx, job, &begun.file).map_err(|f| quota.explain(f, &begun.leaf()))?;
    start_writing(begun.file.as_fd());
    Ok(begun)
}

/// Makes what has been written durable and gives it its name in `new`. Gives its size.
pub(super) fn finish(t: &Appendfile, ctx: &mut Context, job: &LocalJob<'_>, mut begun: Begun) -> Result<u64, Failure> {
    let shown = begun.path.clone();
    directory::sync(&begun.file, &shown)?;
    let size = directory::size_of(&begun.file);
    let tag = tag(t, ctx, job, size)?;
    let Begun { tmp, new, name, .. } = &begun;
    let last = BString::from([name.as_slice(), &tag].concat());
    // A name that gets too long with its tag goes without.
    let too_long = new.stat_at(&last).is_err_and(|e| e.raw_os_error() == Some(libc::ENAMETOOLONG));
    let last = if too_long { name.clone() } else { last };
    tmp.rename(name, new, &last).map_err(|e| Failure::io(&e, format!("while renaming {} as new/{last}", begun.leaf())))?;
    begun.renamed = true;
    let new = BString::from(format!("{shown}/new"));
    job.directories.sync(&new, &begun.new).map_err(|e| Failure::io(&e, format!("failed to sync {new}")))?;
    Ok(size)
}

impl Begun {
    /// Its present name, as messages show it.
    pub(super) fn leaf(&self) -> BString {
        format!("tmp/{}", self.name).into()
    }
}

/// An empty file in `tmp`.
fn open(t: &Appendfile, ctx: &mut Context, job: &LocalJob<'_>, path: &[u8]) -> Result<Begun, Failure> {
    let dir = directory::open(t, job, path)?;
    let shown = path.as_bstr();
    let sub = |name: &str| {
        dir.open_or_make_dir(name.as_bytes(), t.options.directory_mode.0)
            .map_err(|e| Failure::io(&e, format!("failed to create {shown}/{name}: {}", crate::sys::error_text(&e))))
    };
    let (tmp, new) = (sub("tmp")?, sub("new")?);
    sub("cur")?;
    mark_folder(t, job, &dir, path)?;
    let retries = u64::try_from(t.options.maildir_retries.0).unwrap_or(10).max(1);
    let (name, file) = create(t, ctx, job, &tmp, retries)?;
    Ok(Begun { path: path.into(), tmp, new, name, file, renamed: false })
}

/// `maildirfolder_create_regex`: an empty file tells a folder from the maildir that it belongs to.
fn mark_folder(t: &Appendfile, job: &LocalJob<'_>, dir: &Dir, path: &[u8]) -> Result<(), Failure> {
    const NAME: &[u8] = b"maildirfolder";
    let wanted = quota::compile(&t.options.maildirfolder_create_regex)?.is_some_and(|r| r.is_match(path));
    if !wanted || dir.stat_at(NAME).is_ok() {
        return Ok(());
    }
    match dir.open_at(NAME, Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, t.mode(job).0) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(e) => {
            Err(Failure::io(&e, format!("appendfile: failed to create maildirfolder file in {} directory", path.as_bstr())))
        }
    }
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
            tmp.open_at(&name, Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, t.mode(job).0)
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
fn tag(t: &Appendfile, ctx: &mut Context, job: &LocalJob<'_>, size: u64) -> Result<Vec<u8>, Failure> {
    let Some(template) = t.options.maildir_tag.get() else { return Ok(Vec::new()) };
    let saved = ctx.message.size;
    ctx.message.size = size;
    let expanded = expand::expand(ctx, template);
    ctx.message.size = saved;
    match expanded {
        Ok(text) => {
            let printable: Vec<u8> = text.iter().copied().filter(|c| c.is_ascii_graphic() && *c != b'/').collect();
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

//! Which file or directory a message goes into, and whether it may be made.

use std::io::ErrorKind;

use bstr::{BString, ByteSlice};

use super::{Appendfile, AppendfileOptions, Failure, Format};
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob};
use crate::expand;
use crate::retry::errors;
use crate::route::AddressKind;
use crate::sys::file;

/// The `create_file` option.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CreateFile {
    /// `anywhere`
    #[default]
    Anywhere,
    /// `inhome`
    InHome,
    /// `belowhome`
    BelowHome,
    /// An absolute directory.
    Below(BString),
}

impl CreateFile {
    /// Parses the option's value.
    pub fn parse(value: &[u8], transport: &bstr::BStr) -> Result<Self, String> {
        Ok(match value {
            b"anywhere" | b"" => Self::Anywhere,
            b"inhome" => Self::InHome,
            b"belowhome" => Self::BelowHome,
            [b'/', ..] => Self::Below(value.into()),
            _ => {
                return Err(format!(
                    "invalid value given for \"create_file\" for the {transport} transport: '{}'",
                    value.as_bstr()
                ));
            }
        })
    }
}

/// The path, and the format: a file that a `.forward` names is a mailbox, a directory is one of the directory forms.
pub(super) fn find(ctx: &mut Context, job: &LocalJob<'_>, t: &Appendfile) -> Result<(BString, Format), Failure> {
    let (o, configured) = (&t.options, t.format);
    let Some(first) = job.batch.first() else { return Err(Failure::defer(errors::UNKNOWN, "no address")) };
    let name = &job.transport.name;
    let template = o.file.get().or(o.directory.get());
    let (path, explicit) = match (first.kind, template) {
        (AddressKind::File, None) => (first.address.clone(), true),
        (_, None) => {
            let text = format!("Mandatory file or directory option missing from {name} transport");
            return Err(Failure { status: DeliveryStatus::Panic, ..Failure::defer(errors::UNKNOWN, text) });
        }
        (_, Some(t)) => {
            let path = expand::expand(ctx, t).map_err(|e| Failure {
                status: DeliveryStatus::Panic,
                ..Failure::defer(
                    errors::UNKNOWN,
                    format!("Expansion of \"{}\" (file or directory name for {name} transport) failed: {e}", t.raw().as_bstr()),
                )
            })?;
            (path, false)
        }
    };
    if path == b"/dev/null"[..] {
        return Ok((path.into_bytes().into(), Format::Mbox));
    }
    let directory = first.kind == AddressKind::File && path.ends_with(b"/");
    let format = if first.kind == AddressKind::File && template.is_none() {
        if directory {
            if configured == Format::Mbox { Format::Directory } else { configured }
        } else if configured == Format::Mbox || !o.directory.is_set() && !o.maildir_format && !o.mailstore_format {
            Format::Mbox
        } else {
            configured
        }
    } else {
        configured
    };
    // A name that a user's own filter or .forward gave is the user's to choose; he is who writes.
    // A name that create_file keeps below a directory is as good as one of ours.
    let confined = match (&t.create, format) {
        (CreateFile::Anywhere | CreateFile::InHome, _) => false,
        (_, Format::Mbox) => may_create(t, job, &path),
        _ => may_create_in(t, job, &path),
    };
    if path.is_tainted() && !explicit && !confined {
        let text = format!("Tainted '{path}' (file or directory name for {name} transport) not permitted");
        return Err(Failure { status: DeliveryStatus::Panic, ..Failure::defer(errors::UNKNOWN, text) });
    }
    let mut path = BString::from(path.into_bytes());
    if path.first() != Some(&b'/') {
        return Err(Failure::defer(
            errors::NOT_ABSOLUTE,
            format!("appendfile: file or directory name \"{path}\" is not absolute"),
        ));
    }
    while format != Format::Mbox && path.len() > 1 && path.ends_with(b"/") {
        path.pop();
    }
    Ok((path, format))
}

/// May files be made in this directory?
fn may_create_in(t: &Appendfile, job: &LocalJob<'_>, directory: &[u8]) -> bool {
    may_create(t, job, &[directory, b"/x"].concat())
}

/// May a file be made here?
pub(super) fn may_create(t: &Appendfile, job: &LocalJob<'_>, path: &[u8]) -> bool {
    let home = job.home.as_ref().map(|h| h.as_bytes());
    let (base, exactly) = match &t.create {
        CreateFile::Anywhere => return true,
        CreateFile::InHome => (home, true),
        CreateFile::BelowHome => (home, false),
        CreateFile::Below(d) => (Some(d.as_slice()), false),
    };
    let Some(base) = base else { return false };
    let parent = &path[..path.rfind_byte(b'/').unwrap_or(0)];
    let below = |p: &[u8], b: &[u8]| p == b || p.strip_prefix(b).is_some_and(|r| r.first() == Some(&b'/'));
    if exactly {
        return parent == base;
    }
    if !below(parent, base) || parent.find(b"/../").is_some() || parent.ends_with(b"/..") {
        return false;
    }
    // Links must not lead out of it: what exists of the path is compared by its real name.
    let mut existing = parent;
    loop {
        match real(existing) {
            Some(r) => return real(base).is_none_or(|b| below(&r, &b)),
            None => match existing.rfind_byte(b'/') {
                Some(i) if i > 0 => existing = &existing[..i],
                _ => return false,
            },
        }
    }
}

fn real(path: &[u8]) -> Option<Vec<u8>> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    std::fs::canonicalize(std::ffi::OsStr::from_bytes(path)).ok().map(|p| p.into_os_string().into_vec())
}

/// Makes a directory with those above it, unless it is there. It must be where files may be made in either case.
pub(super) fn ensure_directory(t: &Appendfile, job: &LocalJob<'_>, path: &[u8]) -> Result<(), Failure> {
    if !may_create_in(t, job, path) {
        return Err(not_below_home(
            "tried to create file in",
            path,
            ", but file creation outside the home directory is not permitted",
        ));
    }
    match file::stat(path) {
        Ok(s) if s.is_dir() => return Ok(()),
        Ok(_) => return Err(Failure::defer(errors::NOT_DIRECTORY, format!("{} is not a directory", path.as_bstr()))),
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(Failure::io(&e, format!("stat() error for {}", path.as_bstr()))),
    }
    if !t.options.create_directory {
        return Err(Failure::defer(libc::ENOENT, format!("directory {} does not exist", path.as_bstr())));
    }
    let o = &t.options;
    make_directories(o, path, path)
}

/// Makes a directory and those above it with `directory_mode` (all its bits, whatever the umask says). `wanted` is what
/// messages call it.
pub(super) fn make_directories(o: &AppendfileOptions, path: &[u8], wanted: &[u8]) -> Result<(), Failure> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let failed = |e: std::io::Error| {
        Failure::io(&e, format!("failed to create directories for {}: {}", wanted.as_bstr(), crate::sys::error_text(&e)))
    };
    let ends = path.iter().enumerate().filter(|(i, c)| **c == b'/' && *i > 0).map(|(i, _)| i).chain([path.len()]);
    for end in ends {
        let part = std::ffi::OsStr::from_bytes(&path[..end]);
        match std::fs::DirBuilder::new().mode(o.directory_mode.0).create(part) {
            Ok(()) => {
                std::fs::set_permissions(part, std::fs::Permissions::from_mode(o.directory_mode.0)).map_err(failed)?;
            }
            Err(_) if file::stat(&path[..end]).is_ok() => {}
            Err(e) => return Err(failed(e)),
        }
    }
    Ok(())
}

/// The refusal of `create_file`.
pub(super) fn not_below_home(before: &str, path: &[u8], after: &str) -> Failure {
    Failure::defer(errors::BAD_CREATE, format!("{before} {}{after}", path.as_bstr()))
}

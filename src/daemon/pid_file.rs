//! The daemon's pid file.

use std::io::Write;
use std::os::fd::AsFd;

use bstr::{BString, ByteSlice};

use super::DaemonOptions;
use crate::context::Context;
use crate::expand;
use crate::sys::file::{Dir, Flags, fchmod};

/// A pid file that we have written; removed by [`remove`].
pub struct PidFile {
    dir: Dir,
    name: BString,
}

/// Removes the file of a daemon that was started with these options. It need not be there.
pub fn remove_given(ctx: &mut Context, options: &DaemonOptions) -> Result<(), String> {
    let Some(path) = path(ctx, options)? else { return Ok(()) };
    let slash = path.rfind_byte(b'/').ok_or_else(|| format!("pid file path \"{path}\" is not absolute"))?;
    match Dir::open(&path[..slash.max(1)]).and_then(|dir| dir.unlink(&path[slash + 1..])) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("failed to remove pid file {path}: {}", crate::sys::error_text(&e)))
        }
        _ => Ok(()),
    }
}

/// Where it is; `None`: there is none.
fn path(ctx: &mut Context, options: &DaemonOptions) -> Result<Option<BString>, String> {
    Ok(Some(match (&options.pid_file, ctx.config.main.pid_file_path.get().cloned()) {
        (Some(p), _) => p.clone(),
        (None, Some(t)) => match expand::expand(ctx, &t) {
            Ok(p) if !p.is_empty() => p.into_bytes().into(),
            Ok(_) => return Ok(None),
            Err(e) => return Err(format!("failed to expand pid_file_path: {e}")),
        },
        (None, None) => [ctx.config.site.spool_directory.as_slice(), b"/exim-daemon.pid"].concat().into(),
    }))
}

/// Writes it; `None`: there is none to be written (an unprivileged daemon outside the test harness).
pub fn write(ctx: &mut Context, options: &DaemonOptions) -> Result<Option<PidFile>, String> {
    let privileged = ctx.run.real_uid == 0 || ctx.run.real_uid == ctx.config.site.exim_uid || ctx.run.test_harness;
    let Some(path) = path(ctx, options)? else { return Ok(None) };
    if !privileged || (!options.listen && options.pid_file.is_none()) && !ctx.run.test_harness {
        return Ok(None);
    }
    let slash = path.rfind_byte(b'/').ok_or_else(|| format!("pid file path \"{path}\" is not absolute"))?;
    let failed = |e: std::io::Error| format!("failed to open pid file {path}: {}", crate::sys::error_text(&e));
    let dir = match Dir::open(&path[..slash.max(1)]) {
        Ok(d) => d,
        // The spool directory may be missing at the first start.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            ctx.services.spool.queue(b"").map_err(|e| e.to_string())?;
            Dir::open(&path[..slash.max(1)]).map_err(failed)?
        }
        Err(e) => return Err(failed(e)),
    };
    let name = BString::from(&path[slash + 1..]);
    // Never through a link, and never into a file that somebody else left.
    let _ = dir.unlink(&name);
    let fd = dir.open_at(&name, Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, 0o644).map_err(failed)?;
    fchmod(fd.as_fd(), 0o644).map_err(failed)?;
    std::fs::File::from(fd).write_all(format!("{}\n", std::process::id()).as_bytes()).map_err(failed)?;
    Ok(Some(PidFile { dir, name }))
}

/// Removes it.
pub fn remove(file: &Option<PidFile>) {
    if let Some(f) = file {
        let _ = f.dir.unlink(&f.name);
    }
}

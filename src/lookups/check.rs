//! Small checks and texts that several types of lookup need.

use std::os::fd::{AsFd, OwnedFd};

use bstr::ByteSlice;

use crate::context::Context;
use crate::sys::file::{self, Flags};

/// The longest value that a file may give: a longer one would be nonsense in a string expansion.
pub const MAX_VALUE: usize = 64 << 20;

/// ` (router r1, file 69)` for messages about what a configuration does; empty outside drivers.
pub fn place(ctx: &Context) -> String {
    if let Some(name) = &ctx.address.transport_name
        && let Some(t) = ctx.config.transport(name)
    {
        return format!(" (transport {name}, {})", t.place);
    }
    if let Some(name) = &ctx.address.router_name
        && let Some((_, r)) = ctx.config.router(name)
    {
        return format!(" (router {name}, {})", r.place);
    }
    String::new()
}

/// `failed to open WHAT: reason`, with the identity where permission lacks.
pub fn open_failed(what: &str, error: &std::io::Error) -> String {
    let reason = crate::sys::error_text(error);
    if error.raw_os_error() == Some(libc::EACCES) {
        let (euid, egid) = (crate::sys::ids::geteuid(), crate::sys::ids::getegid());
        return format!("failed to open {what}: {reason} (euid={euid} egid={egid})");
    }
    format!("failed to open {what}: {reason}")
}

/// Opens a regular file for a lookup of this type.
pub fn open_file(name: &[u8], kind: &str, type_name: &str) -> Result<OwnedFd, String> {
    let shown = name.as_bstr();
    let fd = file::open(name, Flags::READ | Flags::NONBLOCK, 0).map_err(|e| open_failed(&format!("{shown} for {kind}"), &e))?;
    let stat = file::fstat(fd.as_fd()).map_err(|_| format!("{shown}: stat failed"))?;
    if !stat.is_file() {
        return Err(format!("{shown} is not a regular file ({type_name} lookup)"));
    }
    Ok(fd)
}

/// Opens it and reads all of it.
pub fn read_file(name: &[u8], kind: &str, type_name: &str) -> Result<Vec<u8>, String> {
    let fd = open_file(name, kind, type_name)?;
    let mut data = Vec::new();
    std::io::Read::read_to_end(&mut std::fs::File::from(fd), &mut data)
        .map_err(|e| open_failed(&format!("{} for {kind}", name.as_bstr()), &e))?;
    Ok(data)
}

/// `name=value ` for results with several columns; the value is quoted where it must be.
pub fn name_value(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.push(b'=');
    if value.is_empty() || value.starts_with(b"\"") || value.iter().any(|c| b" \t\n\r".contains(c)) {
        out.push(b'"');
        for c in value {
            if matches!(c, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(*c);
        }
        out.push(b'"');
    } else {
        out.extend_from_slice(value);
    }
    out.push(b' ');
}

//! `readfile`, `dlfunc`, `perl`.

use std::os::fd::AsFd;

use super::ItemArgs;
use crate::context::Context;
use crate::expand::eval::{MAX_RESULT, subs};
use crate::expand::{ExpandError, failed, forbid, perl};
use crate::sys::dl::{Library, call_dlfunc};
use crate::sys::{fd, file, ids};
use crate::text::Text;

/// `failed to open ...` as the reference says it: who we are matters when it was refused.
pub fn open_failed(what: &str, error: &std::io::Error) -> String {
    let mut m = format!("failed to open {what}: {}", crate::sys::error_text(error));
    if error.raw_os_error() == Some(libc::EACCES) {
        m.push_str(&format!(" (euid={} egid={})", ids::geteuid(), ids::getegid()));
    }
    m
}

/// Replaces line ends, if something is given for them.
pub fn with_line_ends(data: Vec<u8>, eol: Option<&Text>) -> Vec<u8> {
    let Some(eol) = eol else { return data };
    let mut out = Vec::with_capacity(data.len());
    for c in data {
        if c == b'\n' {
            out.extend_from_slice(eol);
        } else {
            out.push(c);
        }
    }
    out
}

/// `${readfile}`
pub fn readfile(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    if forbid::has(ctx, forbid::READFILE) {
        return failed("file insertions are not permitted");
    }
    let strings = subs(ctx, args)?;
    let Some(path) = strings.first() else { return Ok(()) };
    if path.is_tainted() {
        return failed(format!("Tainted filename '{path}'"));
    }
    let file = file::open(path, file::Flags::READ, 0).or_else(|e| failed(open_failed(&path.display(), &e)))?;
    // A directory gives nothing, as it does with the reference.
    let (data, cut) = fd::read_to_end_deadline(file.as_fd(), MAX_RESULT, None).unwrap_or_default();
    if cut {
        return failed(format!("file {path} is too long for readfile"));
    }
    out.push_with(&with_line_ends(data, strings.get(1)), crate::text::Taint::Tainted);
    Ok(())
}

/// `${dlfunc}`
pub fn dlfunc(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    if forbid::has(ctx, forbid::DLFUNC) {
        return failed("dynamically-loaded functions are not permitted");
    }
    let strings = subs(ctx, args)?;
    let [path, name, rest @ ..] = strings.as_slice() else { return Ok(()) };
    if path.is_tainted() {
        return failed(format!("Tainted filename '{path}'"));
    }
    let panic = |ctx: &Context, m: String| {
        crate::log::write(ctx, None, crate::log::Which::MAIN.and(crate::log::Which::PANIC), m.as_bytes());
        ExpandError::Failed(m)
    };
    let library = match Library::open(path, false) {
        Ok(l) => l,
        Err(e) => return Err(panic(ctx, format!("dlopen \"{path}\" failed: {e}"))),
    };
    let symbol = match library.symbol(name) {
        Ok(s) => s,
        Err(e) => return Err(panic(ctx, format!("dlsym \"{name}\" in \"{path}\" failed: {e}"))),
    };
    let args: Vec<&[u8]> = rest.iter().map(|t| t.as_bytes()).collect();
    let Some(result) = call_dlfunc(symbol, &args) else { return failed("(no message)") };
    let text = result.text;
    let message = || text.as_deref().map_or("(no message)".into(), |t| String::from_utf8_lossy(t).into_owned());
    match result.status {
        0 => {
            out.push_with(text.as_deref().unwrap_or_default(), crate::text::Taint::Tainted);
            Ok(())
        }
        4 => Err(ExpandError::Forced(message())),
        3 => {
            panic(ctx, format!("dlfunc{{{path}}}{{{name}}} failed (3): {}", message()));
            failed(message())
        }
        _ => failed(message()),
    }
}

/// `${perl}`
pub fn perl(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    if forbid::has(ctx, forbid::PERL) {
        return failed("Perl calls are not permitted");
    }
    let strings = subs(ctx, args)?;
    if !ctx.config.main.perl_startup.is_set() {
        return failed("A setting of perl_startup is needed when using the Perl interpreter");
    }
    match perl::call(ctx, &strings)? {
        Some(t) => {
            out.push(&t);
            Ok(())
        }
        None => {
            let name = strings.first().cloned().unwrap_or_default();
            Err(ExpandError::Forced(format!("Perl subroutine \"{name}\" returned undef to force failure")))
        }
    }
}

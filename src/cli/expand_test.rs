//! `-be` and `-bem`: expands the arguments, or the lines of the standard input, and shows the results (manual 11.3).
//!
//! The caller has set up the context (and read the message of `-bem` or `-Mset`) and has given up all privilege.

use std::io::{self, BufRead, BufReader, Read, Write};

use bstr::{BString, ByteSlice};

use crate::config::macros::{Macros, replace_from, split_definition};
use crate::context::Context;
use crate::expand::{ExpandError, expand_once};
use crate::parse::Space as _;
use crate::text::Text;

/// The longest line with its continuations.
const MAX_LINE: usize = 1 << 20;

/// Expands each argument, or each line of `input` if there are none. The result is the exit status. What is written goes out
/// when more input must be waited for.
pub fn run<R: Read>(ctx: &mut Context, args: &[Vec<u8>], input: &mut BufReader<R>, output: &mut dyn Write) -> io::Result<i32> {
    let mut macros = Macros::of(&ctx.config.macros);
    if ctx.run.debug != 0 {
        for (name, value) in &ctx.config.macro_uses {
            writeln!(output, "macro '{name}' -> '{value}'")?;
        }
    }
    if !args.is_empty() {
        for arg in args {
            one(ctx, &mut macros, &mut arg.as_slice().into(), output)?;
        }
        output.flush()?;
        return Ok(0);
    }
    let mut line = BString::default();
    loop {
        output.write_all(b"> ")?;
        if input.buffer().find_byte(b'\n').is_none() {
            output.flush()?;
        }
        if !read_line(input, &mut line)? {
            break;
        }
        one(ctx, &mut macros, &mut line, output)?;
    }
    output.write_all(b"\n")?;
    output.flush()?;
    Ok(0)
}

/// Reads a line into `line`, without its newline; a backslash at its end joins the next one, whose leading white space goes.
/// False: there is none.
pub(crate) fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut continued = false;
    loop {
        let start = line.len();
        if input.read_until(b'\n', line)? == 0 {
            return Ok(continued);
        }
        let added = line.get(start..).unwrap_or_default();
        line.truncate(start + added.trim_space_end().len());
        if continued {
            let added = line.get(start..).unwrap_or_default();
            let lead = added.len() - added.skip_space().len();
            line.drain(start..start + lead);
        }
        if line.len() > MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "line is too long"));
        }
        continued = line.get(start..).is_some_and(|added| added.ends_with(b"\\"));
        if !continued {
            return Ok(true);
        }
        line.pop();
    }
}

/// One line: a definition of a macro, `set`, or a string to be expanded; macros are replaced first.
fn one(ctx: &mut Context, macros: &mut Macros, line: &mut BString, output: &mut dyn Write) -> io::Result<()> {
    let from = replace_from(line);
    if let Err(e) = macros.expand(line, from) {
        return writeln!(output, "Failed: {e}");
    }
    if let Some((name, ..)) = split_definition(line) {
        let name = name.as_bstr().to_string();
        return match macros.define(line) {
            Ok(()) => writeln!(output, "Defined macro '{name}'"),
            Err((_, e)) => writeln!(output, "Failed: {e}"),
        };
    }
    if let Some(rest) = line.strip_prefix(b"set")
        && rest.first().is_some_and(|c| matches!(c, b' ' | b'\t' | b','))
    {
        return set_variable(ctx, rest, output);
    }
    match expand_once(ctx, line) {
        Ok(t) => {
            output.write_all(&t)?;
            output.write_all(b"\n")
        }
        Err(e) => failed(output, &e),
    }
}

fn failed(output: &mut dyn Write, e: &ExpandError) -> io::Result<()> {
    writeln!(output, "Failed: {e}")
}

/// `set acl_m0 = value`, and `set,t ...` for a tainted value: gives an ACL variable to the lines that follow.
fn set_variable(ctx: &mut Context, rest: &[u8], output: &mut dyn Write) -> io::Result<()> {
    let (tainted, rest) = match rest.strip_prefix(b",t") {
        Some(r) => (true, r),
        None => (false, rest),
    };
    let rest = rest.trim_start();
    let Some((name, value)) = rest.split_once_str("=") else {
        return writeln!(output, "Failed: missing = in set");
    };
    let (name, value) = (name.trim(), value.trim_start());
    let Some(short) = name.strip_prefix(b"acl_").filter(|n| matches!(n.first(), Some(b'c' | b'm')) && n.len() > 1) else {
        return writeln!(output, "Failed: set of a non-ACL variable: {}", name.as_bstr());
    };
    let value = match expand_once(ctx, value) {
        Ok(v) if tainted => Text::tainted(v.into_bytes()),
        Ok(v) => v,
        Err(e) => return failed(output, &e),
    };
    let key = short.get(1..).unwrap_or_default().into();
    let vars = if short.first() == Some(&b'c') { &mut ctx.acl.connection } else { &mut ctx.acl.message };
    vars.insert(key, value);
    writeln!(output, "variable {} set", short.as_bstr())
}

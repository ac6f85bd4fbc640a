//! `-be` and `-bem`: expands the arguments, or the lines of the standard input, and shows the results (manual 11.3).
//!
//! The caller has set up the context (and read the message of `-bem` or `-Mset`) and has given up all privilege.

use std::io::{self, BufRead, BufReader, Read, Write};

use bstr::{BString, ByteSlice};

use crate::config::macros::{Macros, replace_from, split_definition};
use crate::context::Context;
use crate::expand::{ExpandError, Template, expand};
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
            one(ctx, &mut macros, arg, output)?;
        }
        output.flush()?;
        return Ok(0);
    }
    loop {
        output.write_all(b"> ")?;
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
        match read_line(input)? {
            Some(line) => one(ctx, &mut macros, &line, output)?,
            None => break,
        }
    }
    output.write_all(b"\n")?;
    output.flush()?;
    Ok(0)
}

/// A line without its newline; a backslash at its end joins the next one, whose leading white space goes.
pub(crate) fn read_line(input: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line: Vec<u8> = Vec::new();
    let mut continued = false;
    loop {
        let mut piece = Vec::new();
        if input.read_until(b'\n', &mut piece)? == 0 {
            return Ok(if continued { Some(line) } else { None });
        }
        let body = piece.trim_end_with(|c| c.is_ascii_whitespace());
        let body = if continued { body.trim_start_with(|c| c.is_ascii_whitespace()) } else { body };
        if line.len().saturating_add(body.len()) > MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "line is too long"));
        }
        match body.strip_suffix(b"\\") {
            Some(head) => line.extend_from_slice(head),
            None => {
                line.extend_from_slice(body);
                return Ok(Some(line));
            }
        }
        continued = true;
    }
}

/// One line: a definition of a macro, `set`, or a string to be expanded; macros are replaced first.
fn one(ctx: &mut Context, macros: &mut Macros, line: &[u8], output: &mut dyn Write) -> io::Result<()> {
    let mut line = BString::from(line);
    let from = replace_from(&line);
    if let Err(e) = macros.expand(&mut line, from) {
        return writeln!(output, "Failed: {e}");
    }
    if let Some((name, ..)) = split_definition(&line) {
        let name = name.as_bstr().to_string();
        return match macros.define(&line) {
            Ok(()) => writeln!(output, "Defined macro '{name}'"),
            Err((_, e)) => writeln!(output, "Failed: {e}"),
        };
    }
    if let Some(rest) = line.strip_prefix(b"set")
        && rest.first().is_some_and(|c| matches!(c, b' ' | b'\t' | b','))
    {
        return set_variable(ctx, rest, output);
    }
    match expand(ctx, &Template::new(&line)) {
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
    let value = match expand(ctx, &Template::new(value)) {
        Ok(v) if tainted => Text::tainted(v.into_bytes()),
        Ok(v) => v,
        Err(e) => return failed(output, &e),
    };
    let key = short.get(1..).unwrap_or_default().into();
    let vars = if short.first() == Some(&b'c') { &mut ctx.acl.connection } else { &mut ctx.acl.message };
    vars.insert(key, value);
    writeln!(output, "variable {} set", short.as_bstr())
}

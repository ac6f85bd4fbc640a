//! The commands `-bv`, `-bvs` and `-bt`: addresses are verified, or routed as for a delivery, and the results printed.

use std::io::{self, BufRead, Write};

use bstr::BString;

use super::report::Report;
use super::{Outcome, VerifyOptions, address};
use crate::context::Context;
use crate::parse::{Rules, extract_with};
use crate::route::Address;
use crate::text::Text;

/// Which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `-bv`
    VerifyRecipient,
    /// `-bvs`
    VerifySender,
    /// `-bt`
    Test,
}

/// Runs the command for each argument, or for each line of `input` if there are none. Gives the exit status: 0 all good,
/// 1 some deferred, 2 some failed.
pub fn run(
    ctx: &mut Context,
    command: Command,
    arguments: &[BString],
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> io::Result<i32> {
    let mut status = 0;
    let testing = command == Command::Test;
    // `-bt` always tells everything; `-bv` does with `-v` or debugging.
    let mut report = Report::for_command(testing, testing || ctx.run.debug != 0 || ctx.run.verbose);
    for text in arguments {
        argument(ctx, command, &mut report, text, &mut status, output)?;
    }
    if arguments.is_empty() {
        let mut line = Vec::new();
        loop {
            output.write_all(b"> ")?;
            output.flush()?;
            if !crate::cli::expand_test::read_line(input, &mut line)? {
                break;
            }
            one(ctx, command, &mut report, &line, &mut status, output)?;
        }
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(status)
}

/// An argument may hold several addresses, separated by commas.
fn argument(
    ctx: &mut Context,
    command: Command,
    report: &mut Report,
    text: &[u8],
    status: &mut i32,
    output: &mut dyn Write,
) -> io::Result<()> {
    let mut rest = text;
    while !rest.is_empty() {
        let end = crate::parse::find_address_end(rest, false).min(rest.len());
        let (address, after) = rest.split_at(end);
        one(ctx, command, report, address, status, output)?;
        let skip = after.iter().take_while(|c| c.is_ascii_whitespace() || **c == b',').count();
        rest = after.get(skip..).unwrap_or_default();
    }
    Ok(())
}

fn one(
    ctx: &mut Context,
    command: Command,
    report: &mut Report,
    text: &[u8],
    status: &mut i32,
    output: &mut dyn Write,
) -> io::Result<()> {
    let (printed, code) = single(ctx, command, report, text);
    *status = (*status).max(code);
    output.write_all(&printed)?;
    output.flush()
}

fn single(ctx: &mut Context, command: Command, report: &mut Report, text: &[u8]) -> (BString, i32) {
    let mut rules = Rules::new(&ctx.config.main);
    let found = match extract_with(&mut rules, text) {
        Ok(f) => f,
        Err(e) => return (format!("syntax error: {e}\n").into(), 2),
    };
    let mut addr = Address::new(Text::tainted(found.address));
    let options = VerifyOptions { recipient: command != Command::VerifySender, qualify: true, ..VerifyOptions::default() };
    let result = address::run(ctx, &mut addr, &options, report);
    let code = match result.outcome {
        Outcome::Ok => 0,
        Outcome::Defer => 1,
        Outcome::Fail => 2,
    };
    (report.take(), code)
}

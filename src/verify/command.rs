//! The commands `-bv`, `-bvs` and `-bt`: addresses are verified, or routed as for a delivery, and the results printed.

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

/// Runs the command for one argument, which may hold several addresses separated by commas. Gives the text for standard
/// output and the exit status: 0 good, 1 deferred, 2 failed.
pub fn argument(ctx: &mut Context, command: Command, text: &[u8], status: &mut i32) -> BString {
    let mut out = BString::default();
    let mut rest = text;
    while !rest.is_empty() {
        let end = crate::parse::find_address_end(rest, false).min(rest.len());
        let (one, after) = rest.split_at(end);
        let (printed, code) = single(ctx, command, one);
        out.extend_from_slice(&printed);
        *status = (*status).max(code);
        rest = after.get(1..).unwrap_or_default();
        let skip = rest.iter().take_while(|c| c.is_ascii_whitespace() || **c == b',').count();
        rest = rest.get(skip..).unwrap_or_default();
    }
    out
}

fn single(ctx: &mut Context, command: Command, text: &[u8]) -> (BString, i32) {
    let testing = command == Command::Test;
    let mut rules = Rules::new(&ctx.config.main);
    let found = match extract_with(&mut rules, text) {
        Ok(f) => f,
        Err(e) => return (format!("syntax error: {e}\n").into(), 2),
    };
    // `-bt` always tells everything; `-bv` does with `-v` or debugging.
    let mut report = Report::for_command(testing, testing || ctx.run.debug != 0 || ctx.run.verbose);
    let mut addr = Address::new(Text::tainted(found.address));
    let options = VerifyOptions { recipient: command != Command::VerifySender, qualify: true, ..VerifyOptions::default() };
    let result = address::run(ctx, &mut addr, &options, &mut report);
    let code = match result.outcome {
        Outcome::Ok => 0,
        Outcome::Defer => 1,
        Outcome::Fail => 2,
    };
    (report.take(), code)
}

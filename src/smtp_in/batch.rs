//! Batched SMTP (`-bS`): commands from standard input, no answers; the first error ends the batch with a report.
//!
//! The exit status is 0 when all went well, 1 when some messages were accepted before an error, 2 when none were.

use bstr::{BString, ByteSlice};

use super::command::{self, Verb};
use super::server::Server;
use super::wire::InputEnd;
use super::{Envelope, start};
use crate::context::{Context, Recipient};
use crate::parse;
use crate::receive::{self, Accepted};
use crate::text::Text;

/// How a batch ended: its exit status.
pub type Status = i32;

/// An error: the text for the report, and whether the command line belongs to it.
pub struct BatchError {
    /// With its code: `501 ...`.
    pub text: String,
    /// The fault lies in this command.
    pub command: Option<BString>,
}

/// Runs a batch; `after` is called for each accepted message.
pub fn serve(ctx: &mut Context, after: &mut dyn FnMut(&mut Context, &Accepted)) -> Status {
    let Ok(mut server) = start::begin(ctx) else { return 1 };
    let mut accepted = 0u32;
    let mut began;
    let error = loop {
        server.new_transaction(ctx);
        began = ctx.session.wire.as_ref().map_or(0, |w| w.lines_read);
        match transaction(ctx, &mut server, &mut began) {
            Ok(None) => break None,
            Ok(Some(envelope)) => match receive::smtp::receive(ctx, &mut server, envelope) {
                receive::smtp::Received::Accepted(message) => {
                    accepted += 1;
                    after(ctx, &message);
                }
                receive::smtp::Received::Gone => accepted += 1,
                receive::smtp::Received::Refused | receive::smtp::Received::Close(_) => {
                    let text = server.batch_error.take().unwrap_or_else(|| "451 message not accepted".into());
                    break Some(BatchError { text, command: None });
                }
            },
            Err(e) => break Some(e),
        }
    };
    let Some(error) = error else { return 0 };
    let line = ctx.session.wire.as_ref().map_or(0, |w| w.lines_read);
    report(&error, began, line, accepted);
    if accepted > 0 { 1 } else { 2 }
}

/// In short on standard output, where the caller of a batch looks, and at length on standard error.
fn report(error: &BatchError, began: u64, line: u64, accepted: u32) {
    use std::io::Write;
    let mut short =
        BString::from(format!("{}\nTransaction started in line {began}\nError detected in line {line}\n", error.text));
    let mut long = BString::from("An error was detected while processing a file of BSMTP input.\n");
    long.extend_from_slice(format!("The error message was:\n\n  {}\n\n", error.text).as_bytes());
    long.extend_from_slice(format!("The SMTP transaction started in line {began}.\n").as_bytes());
    long.extend_from_slice(format!("The error was detected in line {line}.\n").as_bytes());
    if let Some(c) = &error.command {
        short.extend_from_slice(c);
        short.push(b'\n');
        long.extend_from_slice(b"The SMTP command at fault was:\n\n   ");
        long.extend_from_slice(c);
        long.extend_from_slice(b"\n\n");
    }
    let (s, was) = if accepted == 1 { ("", "was") } else { ("s", "were") };
    long.extend_from_slice(format!("{accepted} previous message{s} {was} successfully processed.\n").as_bytes());
    long.extend_from_slice(b"The rest of the batch was abandoned.\n");
    let mut stdout = std::io::stdout();
    // Nobody is left to be told if these cannot be written.
    let _ = stdout.write_all(&short).and_then(|()| stdout.flush());
    let _ = std::io::stderr().write_all(&long);
}

fn transaction(ctx: &mut Context, server: &mut Server, began: &mut u64) -> Result<Option<Envelope>, BatchError> {
    loop {
        let Some(wire) = ctx.session.wire.as_mut() else { return Ok(None) };
        server.line = match command::read_line(wire) {
            Ok(l) => l,
            Err(InputEnd::TimedOut) => {
                super::report::command_timeout(ctx);
                return Err(BatchError { text: "421 SMTP command timeout".into(), command: None });
            }
            Err(_) if ctx.message.sender.is_some() => {
                return Err(BatchError { text: "421 Unexpected end of file".into(), command: None });
            }
            Err(_) => return Ok(None),
        };
        let lines = wire.lines_read;
        let known = command::identify(&mut server.line);
        ctx.session.smtp_command = Some(Text::tainted(server.line.text.clone()));
        ctx.session.smtp_command_argument = Some(Text::tainted(server.line.argument.clone()));
        let text = server.line.text.clone();
        let fault = |message: String| BatchError { text: message, command: Some(text.clone()) };
        match known.map(|k| k.verb) {
            Some(Verb::Helo | Verb::Ehlo) => {
                let name = server.line.argument.trim();
                let allowed = ctx.config.main.helo_allow_chars.raw().unwrap_or_default().to_vec();
                if super::helo::valid_name(name, &allowed) {
                    ctx.session.helo_name = Some(Text::tainted(name));
                }
                server.new_transaction(ctx);
                *began = lines;
            }
            Some(Verb::Rset) => {
                server.new_transaction(ctx);
                *began = lines;
            }
            Some(Verb::Mail) => {
                let argument = server.line.argument.clone();
                if ctx.message.sender.is_some() {
                    return Err(fault("503 Sender already given".into()));
                }
                if argument.is_empty() {
                    return Err(fault("501 MAIL FROM must have an address operand".into()));
                }
                server.new_transaction(ctx);
                let given = crate::receive::rewriting::smtp_time(ctx, &argument, false);
                let mut rules = parse::Rules::new(&ctx.config.main).with_null();
                let found = parse::extract_address(&mut rules, &given).map_err(|e| fault(format!("501 {e}")))?;
                let mut sender = Text::tainted(found.address.clone());
                if !found.is_qualified() && !sender.is_empty() {
                    if !ctx.session.allow_unqualified_sender {
                        return Err(fault("501 sender address must contain a domain".into()));
                    }
                    sender = crate::receive::rewriting::qualify(ctx, &sender, false);
                }
                ctx.message.sender = Some(sender);
            }
            Some(Verb::Rcpt) => {
                let argument = server.line.argument.clone();
                if ctx.message.sender.is_none() {
                    return Err(fault("503 No sender yet given".into()));
                }
                if argument.is_empty() {
                    return Err(fault("501 RCPT TO must have an address operand".into()));
                }
                let max = server.recipients_max;
                if max > 0 && ctx.message.recipients.len() as i64 + 1 > max {
                    let code = if ctx.config.main.recipients_max_reject { 552 } else { 452 };
                    return Err(fault(format!("{code} too many recipients")));
                }
                let given = crate::receive::rewriting::smtp_time(ctx, &argument, true);
                let found = parse::extract_address(&mut parse::Rules::new(&ctx.config.main), &given)
                    .map_err(|e| fault(format!("501 {e}")))?;
                let mut address = Text::tainted(found.address.clone());
                if !found.is_qualified() {
                    if !ctx.session.allow_unqualified_recipient {
                        return Err(fault("501 recipient address must contain a domain".into()));
                    }
                    address = crate::receive::rewriting::qualify(ctx, &address, true);
                }
                ctx.message.recipients.push(Recipient::new(address));
            }
            Some(Verb::Data) => {
                if !server.line.argument.is_empty() {
                    return Err(fault("501 Unexpected argument data".into()));
                }
                if ctx.message.recipients.is_empty() {
                    return Err(if ctx.message.sender.is_none() {
                        fault("503 MAIL FROM:<sender> command must precede DATA".into())
                    } else {
                        fault("503 RCPT TO:<recipient> must precede DATA".into())
                    });
                }
                return Ok(Some(Envelope { chunk: None }));
            }
            // Nothing is done for these, but what was wrong is looked for after them.
            Some(Verb::Vrfy | Verb::Expn | Verb::Help | Verb::Noop | Verb::Etrn | Verb::Atrn | Verb::Wellknown) => *began = lines,
            Some(Verb::Quit) => return Ok(None),
            Some(Verb::Auth | Verb::StartTls | Verb::Bdat | Verb::Xclient) | None if server.line.had_nul => {
                return Err(fault("501 Unexpected NULL in SMTP command".into()));
            }
            Some(_) | None => return Err(fault("500 Command unrecognized".into())),
        }
    }
}

//! Command lines of transports: split into arguments, each expanded on its own, tainted ones refused (manual 29.3).
//!
//! For pipe, lmtp and transport filters. No shell sees anything here.

use bstr::{BString, ByteSlice};

use crate::context::Context;
use crate::expand::{self, split};
use crate::log::escape;
use crate::route::Address;
use crate::text::Text;

/// Arguments that one command may have.
const MAX_ARGUMENTS: usize = 1024;

/// How a command line is treated.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Arguments are expanded.
    pub expand: bool,
    /// `$recipients` may stand for all envelope recipients.
    pub recipients: bool,
    /// `x transport`, or `transport filter`, for messages.
    pub owner: &'a str,
}

/// Why there is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// An argument did not expand.
    Expansion(String),
    /// Anything else, of the configuration.
    Other(String),
    /// An argument comes from outside: the delivery fails.
    Tainted(String),
}

/// The arguments of a command.
pub fn arguments(ctx: &mut Context, command: &Text, batch: &[Address], rules: Rules<'_>) -> Result<Vec<BString>, CommandError> {
    let words = split::arguments(command);
    if words.is_empty() {
        return Err(CommandError::Other(format!("missing command name after {}", rules.owner)));
    }
    let mut out: Vec<BString> = Vec::new();
    for word in words {
        if out.len() >= MAX_ARGUMENTS {
            return Err(too_many(command, rules));
        }
        if !rules.expand {
            out.push(word.into());
            continue;
        }
        match word.as_slice() {
            b"$recipients" if rules.recipients => {
                out.extend(ctx.message.recipients.iter().map(|r| BString::from(r.address.as_bytes())));
            }
            b"$pipe_addresses" => out.extend(batch.iter().map(|a| BString::from(a.address.as_bytes()))),
            // A whole command of a redirection, to be split in turn.
            b"$address_pipe" | b"${address_pipe}" => {
                let Some(pipe) = ctx.address.address_pipe.clone() else { continue };
                check(&pipe, out.len(), rules)?;
                out.extend(split::arguments(&pipe).into_iter().map(BString::from));
            }
            _ => {
                let expanded = expand::expand_once(ctx, &word).map_err(|e| {
                    CommandError::Expansion(format!(
                        "Expansion of \"{}\" from command \"{}\" in {} failed: {e}",
                        word.as_bstr(),
                        command,
                        rules.owner
                    ))
                })?;
                check(&expanded, out.len(), rules)?;
                out.push(expanded.into_bytes().into());
            }
        }
        if out.len() > MAX_ARGUMENTS {
            return Err(too_many(command, rules));
        }
    }
    if out.is_empty() {
        return Err(CommandError::Other(format!("missing command name after {}", rules.owner)));
    }
    if let Some(bad) = out.iter().find(|a| a.contains(&0)) {
        return Err(CommandError::Other(format!(
            "NUL in argument \"{}\" of command in {}",
            escape::printing(bad, false),
            rules.owner
        )));
    }
    Ok(out)
}

fn too_many(command: &Text, rules: Rules<'_>) -> CommandError {
    CommandError::Other(format!("Too many arguments to command \"{command}\" in {}", rules.owner))
}

fn check(value: &Text, n: usize, rules: Rules<'_>) -> Result<(), CommandError> {
    if value.is_tainted() {
        return Err(CommandError::Tainted(format!("Tainted arg {n} for {} command: '{value}'", rules.owner)));
    }
    Ok(())
}

/// The meaning of an exit value in `sysexits.h`, as log lines show it; empty if it has none.
pub fn exit_meaning(code: i32) -> &'static str {
    match code {
        64 => "(could mean usage or syntax error)",
        65 => "(could mean error in input data)",
        66 => "(could mean input data missing)",
        67 => "(could mean user nonexistent)",
        68 => "(could mean host nonexistent)",
        69 => "(could mean service or program unavailable)",
        70 => "(could mean internal software error)",
        71 => "(could mean internal operating system error)",
        72 => "(could mean system file missing)",
        73 => "(could mean can't create output file)",
        74 => "(could mean input or output error)",
        75 => "(could mean temporary error)",
        76 => "(could mean protocol error)",
        77 => "(could mean permission denied)",
        78 => "(could mean local configuration error)",
        127 => "(could mean unable to exec or command does not exist)",
        _ => "",
    }
}

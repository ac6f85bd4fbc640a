//! The parser of Exim filter files: bytes to commands. Pure; it expands nothing and opens nothing.

use bstr::ByteSlice;

use super::ast::{Command, Condition, HeadersOp, MAIL_ARGUMENTS, Mail, Step, Stop};
use super::parse_condition::condition;
use super::words::{Ends, Words};
use crate::expand::Template;

/// How deep `if` commands and parentheses may be nested.
pub const MAX_DEPTH: usize = 100;

/// What the file may do (options of the redirect router; everything in a system filter).
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// It is a system filter: it may change the header.
    pub system: bool,
    /// `fail`
    pub fail: bool,
    /// `freeze`
    pub freeze: bool,
    /// `defer`
    pub defer: bool,
    /// `logwrite`
    pub log: bool,
}

impl Allowed {
    /// For a system filter.
    pub const SYSTEM: Allowed = Allowed { system: true, fail: true, freeze: true, defer: true, log: true };
}

/// Reads a whole file. The error is the message to its owner.
pub fn parse(text: &[u8], allowed: Allowed) -> Result<Vec<Step>, String> {
    let mut words = Words::new(text)?;
    let (steps, _) = block(&mut words, allowed, None, 0)?;
    Ok(steps)
}

/// What ended a block of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    File,
    Elif,
    Else,
    Endif,
}

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Then,
    Else,
}

fn block(words: &mut Words<'_>, allowed: Allowed, within: Option<Within>, depth: usize) -> Result<(Vec<Step>, End), String> {
    if depth > MAX_DEPTH {
        return Err(format!("commands are nested too deeply near line {} of filter file", words.line));
    }
    let mut steps = Vec::new();
    while words.next() != 0 {
        let (mut seen, mut noerror) = (None, false);
        let mut word = words.word(Ends::Brackets)?;
        while let b"seen" | b"unseen" | b"noerror" = word {
            match word {
                b"noerror" => noerror = true,
                _ if seen.is_some() => return Err(format!("\"seen\" or \"unseen\" repeated near line {}", words.line)),
                _ => seen = Some(word == b"seen"),
            }
            if words.next() == 0 {
                let what = if seen.is_some() { "\"seen\" or \"unseen\"" } else { "\"noerror\"" };
                return Err(format!("{what} near line {} is not followed by a command", words.line));
            }
            word = words.word(Ends::Brackets)?;
        }
        let end = match word {
            b"elif" if within == Some(Within::Then) => Some(End::Elif),
            b"else" if within == Some(Within::Then) => Some(End::Else),
            b"endif" if within.is_some() => Some(End::Endif),
            b"elif" | b"else" if within.is_some() => {
                return Err(format!("\"endif\" missing near line {} of filter file", words.line));
            }
            b"elif" | b"else" | b"endif" => {
                let line = words.line;
                return Err(format!("unexpected \"{}\" command near line {line} of filter file", word.as_bstr()));
            }
            _ => None,
        };
        if let Some(end) = end {
            if seen.is_some() || noerror {
                let line = words.line;
                return Err(format!("\"seen\", \"unseen\", or \"noerror\" near line {line} is not followed by a command"));
            }
            return Ok((steps, end));
        }
        if (seen.is_some() || noerror) && matches!(word, b"add" | b"headers" | b"if") {
            return Err(format!(
                "\"seen\", \"unseen\", or \"noerror\" found before an \"{}\" command near line {}",
                word.as_bstr(),
                words.line
            ));
        }
        let command = command(words, allowed, word, depth)?;
        let by_nature = matches!(command, Command::Deliver(..) | Command::Save(..) | Command::Pipe(_));
        steps.push(Step { command, seen: seen.unwrap_or(by_nature), noerror });
    }
    match within {
        Some(_) => Err("\"endif\" missing at end of filter file".into()),
        None => Ok((steps, End::File)),
    }
}

fn command(words: &mut Words<'_>, allowed: Allowed, word: &[u8], depth: usize) -> Result<Command, String> {
    let disabled =
        |line: u32| Err(format!("filtering command \"{}\" is disabled: near line {line} of filter file", word.as_bstr()));
    Ok(match word {
        b"add" => {
            let amount = argument(words, word)?;
            if !words.take_if(Ends::Space, |w| w == b"to")? {
                return Err(format!("\"to\" expected in \"add\" command near line {} of filter file", words.line));
            }
            let variable = words.item(Ends::Space)?;
            if variable.is_empty() {
                return Err(format!("value missing after \"to\" near line {} of filter file", words.line));
            }
            Command::Add(amount, Template::new(&variable))
        }
        b"deliver" => {
            let address = argument(words, word)?;
            let errors_to = if words.take_if(Ends::Space, |w| w == b"errors_to")? {
                Some(Template::new(&words.item(Ends::Space)?))
            } else {
                None
            };
            Command::Deliver(address, errors_to)
        }
        b"save" => Command::Save(argument(words, word)?, mode(words)?),
        b"pipe" => Command::Pipe(argument(words, word)?.raw().to_vec()),
        b"mail" | b"vacation" => Command::Mail(Box::new(mail(words, word == b"vacation")?)),
        b"logfile" => Command::LogFile(argument(words, word)?, mode(words)?),
        b"logwrite" => Command::LogWrite(whole_line(argument(words, word)?)),
        b"testprint" => Command::TestPrint(argument(words, word)?),
        b"headers" => headers(words, allowed)?,
        b"fail" if !allowed.fail => return disabled(words.line),
        b"freeze" if !allowed.freeze => return disabled(words.line),
        b"defer" if !allowed.defer => return disabled(words.line),
        b"fail" => Command::Stop(Stop::Fail, text(words)?),
        b"freeze" => Command::Stop(Stop::Freeze, text(words)?),
        b"defer" => Command::Stop(Stop::Defer, text(words)?),
        b"finish" => Command::Finish,
        b"if" => choice(words, allowed, depth)?,
        _ => return Err(format!("unknown filtering command \"{}\" near line {} of filter file", word.as_bstr(), words.line)),
    })
}

/// The argument that a command must have.
fn argument(words: &mut Words<'_>, command: &[u8]) -> Result<Template, String> {
    let value = words.item(Ends::Space)?;
    if value.is_empty() {
        return Err(format!("\"{}\" requires an argument near line {} of filter file", command.as_bstr(), words.line));
    }
    Ok(Template::new(&value))
}

/// What `logwrite` writes: it ends with a newline, given or not.
fn whole_line(value: Template) -> Template {
    if value.raw().ends_with(b"\n") { value } else { Template::new(&[value.raw(), b"\n"].concat()) }
}

/// A mode, if the next word begins with a digit. It is octal, as far as it is one.
fn mode(words: &mut Words<'_>) -> Result<Option<u32>, String> {
    if !words.next().is_ascii_digit() {
        return Ok(None);
    }
    let word = words.word(Ends::Space)?;
    let digits = word.iter().map_while(|c| char::from(*c).to_digit(8)).take(6);
    Ok(Some(digits.fold(0, |v, d| v * 8 + d) & 0o7777))
}

/// The text of `fail`, `freeze` and `defer`: after `text`, or just quoted.
fn text(words: &mut Words<'_>) -> Result<Option<Template>, String> {
    if words.next() == b'"' || words.take_if(Ends::Space, |w| w == b"text")? {
        return words.item(Ends::Space).map(|t| Some(Template::new(&t)));
    }
    Ok(None)
}

fn headers(words: &mut Words<'_>, allowed: Allowed) -> Result<Command, String> {
    let what = words.item(Ends::Space)?;
    let op = match what.as_slice() {
        b"" => return Err(format!("\"headers\" requires an argument near line {} of filter file", words.line)),
        b"charset" => HeadersOp::Charset,
        _ if !allowed.system => {
            let line = words.line;
            return Err(format!(
                "header addition and removal is available only in system filters: near line {line} of filter file"
            ));
        }
        b"add" => HeadersOp::Add,
        b"remove" => HeadersOp::Remove,
        _ => {
            let line = words.line;
            return Err(format!(
                "\"add\", \"remove\", or \"charset\" expected after \"headers\" near line {line} of filter file"
            ));
        }
    };
    let value = words.item(Ends::Space)?;
    if value.is_empty() {
        let line = words.line;
        return Err(format!("value missing after \"add\", \"remove\", or \"charset\" near line {line} of filter file"));
    }
    Ok(Command::Headers(op, Template::new(&value)))
}

fn mail(words: &mut Words<'_>, vacation: bool) -> Result<Mail, String> {
    let mut mail = Mail { vacation, ..Mail::default() };
    loop {
        let mut ahead = *words;
        let key = ahead.word(Ends::Space)?;
        let index = MAIL_ARGUMENTS.iter().position(|a| a.as_bytes() == key);
        match (index, key) {
            (Some(i), _) => {
                let value = ahead.item(Ends::Space)?;
                if let Some(slot) = mail.values.get_mut(i) {
                    *slot = Some(Template::new(&value));
                }
                if key == b"file" {
                    mail.expand_file = false;
                }
            }
            (None, b"expand") => {
                if ahead.word(Ends::Space)? != b"file" {
                    return Err(format!("\"expand\" not followed by \"file\"  near line {} of filter file", words.line));
                }
                let value = ahead.item(Ends::Space)?;
                if let Some(slot) = mail.values.get_mut(FILE) {
                    *slot = Some(Template::new(&value));
                }
                mail.expand_file = true;
            }
            (None, b"return") => {
                if ahead.word(Ends::Space)? != b"message" {
                    let line = ahead.line;
                    return Err(format!("\"return\" not followed by \"message\"  near line {line} of filter file"));
                }
                mail.return_message = true;
            }
            _ => {
                // Looked over twice, as in the reference.
                words.line = ahead.line;
                return Ok(with_defaults(mail));
            }
        }
        *words = ahead;
    }
}

const FILE: usize = 8;

/// `vacation` has values of its own for what is not given.
fn with_defaults(mut mail: Mail) -> Mail {
    if mail.vacation {
        mail.expand_file |= mail.values.get(FILE).is_some_and(Option::is_none);
        let defaults = [
            ("subject", "On vacation"),
            ("file", ".vacation.msg"),
            ("log", ".vacation.log"),
            ("once", ".vacation"),
            ("once_repeat", "7d"),
        ];
        for (name, slot) in MAIL_ARGUMENTS.iter().zip(&mut mail.values) {
            if let (None, Some((_, value))) = (&slot, defaults.iter().find(|(n, _)| n == name)) {
                *slot = Some(Template::literal(value.as_bytes()));
            }
        }
    }
    mail
}

/// `if`, with all that belongs to it.
fn choice(words: &mut Words<'_>, allowed: Allowed, depth: usize) -> Result<Command, String> {
    let mut arms: Vec<(Condition, Vec<Step>)> = Vec::new();
    loop {
        let wanted = condition(words, true, depth)?;
        let (steps, end) = block(words, allowed, Some(Within::Then), depth + 1)?;
        arms.push((wanted, steps));
        match end {
            End::Elif => {}
            End::Else => {
                let (otherwise, _) = block(words, allowed, Some(Within::Else), depth + 1)?;
                return Ok(Command::If(arms, otherwise));
            }
            End::Endif | End::File => return Ok(Command::If(arms, Vec::new())),
        }
    }
}

//! Command lines: reading one, and telling which command it is.
//!
//! A line ends at LF; CR, spaces and tabs before it are dropped. NUL and overlong lines are noted, not obeyed. What
//! may be sent ahead of its answer, and what counts as a non-mail command, is written in one table here.

use bstr::{BString, ByteSlice};

use super::wire::{InputEnd, Wire};

/// Longest command line, bytes.
pub const LINE_LIMIT: usize = 16384;

/// A command of SMTP that this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Verb {
    Helo,
    Ehlo,
    Data,
    Vrfy,
    Expn,
    Noop,
    Etrn,
    Atrn,
    Wellknown,
    StartTls,
    Mail,
    Rcpt,
    Rset,
    Bdat,
    Auth,
    Quit,
    Help,
    Xclient,
}

/// When the next input may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sync {
    /// Always the last of a group.
    Always,
    /// May be followed at once if PIPELINING was advertised.
    UnlessPipelining,
    /// Does not matter.
    Never,
}

/// One row of the table of commands.
#[derive(Debug)]
pub struct Known {
    /// As it is at the start of the line, in lower case; with its colon for MAIL and RCPT.
    pub name: &'static str,
    /// The command.
    pub verb: Verb,
    /// For `$smtp_command_history` and `C=`.
    pub short: &'static str,
    /// It takes an argument.
    pub argument: bool,
    /// It does not count as a non-mail command.
    pub mail: bool,
    /// See [`Sync`].
    pub sync: Sync,
}

const fn row(name: &'static str, verb: Verb, short: &'static str, argument: bool, mail: bool, sync: Sync) -> Known {
    Known { name, verb, short, argument, mail, sync }
}

/// All commands. Of those that are not mail commands, RSET, HELO, EHLO, AUTH and STARTTLS are let pass once.
pub static TABLE: &[Known] = &[
    row("rset", Verb::Rset, "RSET", false, false, Sync::UnlessPipelining),
    row("helo", Verb::Helo, "HELO", true, false, Sync::Always),
    row("ehlo", Verb::Ehlo, "EHLO", true, false, Sync::Always),
    row("auth", Verb::Auth, "AUTH", true, false, Sync::Never),
    row("starttls", Verb::StartTls, "STARTTLS", false, false, Sync::Always),
    row("xclient", Verb::Xclient, "XCLIENT", true, false, Sync::Always),
    row("mail from:", Verb::Mail, "MAIL", true, true, Sync::UnlessPipelining),
    row("rcpt to:", Verb::Rcpt, "RCPT", true, true, Sync::UnlessPipelining),
    row("data", Verb::Data, "DATA", false, true, Sync::Always),
    row("bdat", Verb::Bdat, "BDAT", true, true, Sync::Never),
    row("quit", Verb::Quit, "QUIT", false, true, Sync::Never),
    row("noop", Verb::Noop, "NOOP", true, false, Sync::Always),
    row("etrn", Verb::Etrn, "ETRN", true, false, Sync::Always),
    row("atrn", Verb::Atrn, "ATRN", true, false, Sync::Always),
    row("vrfy", Verb::Vrfy, "VRFY", true, false, Sync::Always),
    row("expn", Verb::Expn, "EXPN", true, false, Sync::Always),
    row("help", Verb::Help, "HELP", true, false, Sync::Never),
    row("wellknown", Verb::Wellknown, "WELLKNOWN", true, false, Sync::Always),
];

/// One command line.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// The line without its end; NULs are shown as `?`.
    pub text: BString,
    /// The argument: what follows the command and white space.
    pub argument: BString,
    /// There was a NUL in it.
    pub had_nul: bool,
    /// It was longer than [`LINE_LIMIT`].
    pub too_long: bool,
}

/// Reads a line. Of an overlong one only its beginning is kept; the rest is read as the next line.
pub fn read_line(wire: &mut Wire) -> Result<Line, InputEnd> {
    let mut line = Line::default();
    loop {
        if wire.unread().is_empty() {
            wire.fill()?;
        }
        let unread = wire.unread();
        let room = LINE_LIMIT.saturating_sub(line.text.len());
        let piece = unread.get(..room).unwrap_or(unread);
        if let Some(at) = piece.find_byte(b'\n') {
            line.text.extend_from_slice(&piece[..at]);
            wire.consume(at + 1);
            break;
        }
        let n = piece.len();
        line.text.extend_from_slice(piece);
        wire.consume(n);
        if line.text.len() >= LINE_LIMIT {
            line.too_long = true;
            break;
        }
    }
    while line.text.last().is_some_and(|c| c.is_ascii_whitespace() || *c == 0x0b) {
        line.text.pop();
    }
    for c in line.text.iter_mut().filter(|c| **c == 0) {
        *c = b'?';
        line.had_nul = true;
    }
    Ok(line)
}

/// Which command the line is; its argument is put into the line.
pub fn identify(line: &mut Line) -> Option<&'static Known> {
    if line.too_long {
        return None;
    }
    let known = TABLE.iter().find(|k| {
        let n = k.name.len();
        line.text.get(..n).is_some_and(|s| s.eq_ignore_ascii_case(k.name.as_bytes()))
            && (k.name.ends_with(':') || matches!(line.text.get(n), None | Some(b' ' | b'\t')))
    })?;
    line.argument = line.text.get(known.name.len()..).unwrap_or_default().trim_ascii_start().into();
    Some(known)
}

/// An ESMTP parameter taken from the end of the argument of MAIL or RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: BString,
    /// Its value, if it has a `=`.
    pub value: Option<BString>,
    /// How long the argument was without it.
    pub before: usize,
}

/// The last ` name[=value]` of `argument`: it must be parted by white space from what stands before it, outside of quotes
/// and angle brackets, and its name must be of letters, digits and `-`.
pub fn last_parameter(argument: &[u8]) -> Option<Parameter> {
    let argument = argument.trim_ascii_end();
    // White space in a quoted value or an address does not begin a parameter.
    let mut quoted = false;
    let mut escaped = false;
    let mut start = None;
    for (i, c) in argument.iter().enumerate() {
        match c {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted => start = Some(i + 1),
            _ => {}
        }
    }
    let start = start?;
    let item = argument.get(start..)?;
    let before = argument.get(..start)?.trim_ascii_end().len();
    if before == 0 {
        return None;
    }
    let (name, value) = match item.find_byte(b'=') {
        // xtext has no `=`.
        Some(at) if item[at + 1..].contains(&b'=') => return None,
        Some(at) => (&item[..at], Some(BString::from(&item[at + 1..]))),
        None => (item, None),
    };
    if name.is_empty() || !name.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'-') {
        return None;
    }
    Some(Parameter { name: name.into(), value, before })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(s: &str) -> Line {
        Line { text: s.into(), ..Line::default() }
    }

    #[test]
    fn commands_are_told_apart() {
        let mut l = line("MAIL FROM: <a@b> SIZE=3");
        assert_eq!(identify(&mut l).unwrap().verb, Verb::Mail);
        assert_eq!(l.argument, "<a@b> SIZE=3");
        assert!(identify(&mut line("mail")).is_none());
        assert!(identify(&mut line("ehlox")).is_none());
        assert_eq!(identify(&mut line("Quit")).unwrap().verb, Verb::Quit);
    }

    #[test]
    fn parameters_come_off_the_end() {
        let p = last_parameter(b"<a@b> SIZE=3 BODY=7BIT").unwrap();
        assert_eq!((p.name.as_slice(), p.before), (&b"BODY"[..], 12));
        assert_eq!(last_parameter(b"<\"a b\"@c>"), None);
        assert_eq!(last_parameter(b"<>="), None);
        assert_eq!(last_parameter(b"="), None);
        assert_eq!(last_parameter(b"<a@b> SIZE=="), None);
        assert_eq!(last_parameter(b"<a@b> PRDR").unwrap().value, None);
        assert_eq!(last_parameter(b"a b@c"), None);
    }
}

//! The parser of Sieve scripts: bytes to commands. Pure; it looks at no message.

use bstr::BString;

use super::ast::{Command, Notify, Step, Test, Vacation};
use super::lex::{Lex, Mistake};
use super::parse_test::test;

/// How deep blocks and tests may be nested.
pub const MAX_DEPTH: usize = 100;

/// A script, as far as it is right.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The commands before the mistake.
    pub steps: Vec<Step>,
    /// The mistake, and its line.
    pub mistake: Option<(Mistake, u32)>,
}

/// What is switched off by the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disabled {
    /// There is nobody in whose name notifications could be sent.
    pub enotify: bool,
    /// There is no directory to remember who has had a reply.
    pub vacation: bool,
}

/// The extensions that the script has asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Required {
    pub(super) envelope: bool,
    pub(super) fileinto: bool,
    pub(super) copy: bool,
    pub(super) vacation: bool,
    pub(super) enotify: bool,
    pub(super) subaddress: bool,
}

/// The state of the parser.
pub(super) struct Parser<'a> {
    pub(super) lex: Lex<'a>,
    pub(super) required: Required,
    disabled: Disabled,
}

/// Reads a script.
pub fn parse(text: &[u8], disabled: Disabled) -> Script {
    let mut p = Parser { lex: Lex::new(text), required: Required::default(), disabled };
    let mut steps = Vec::new();
    let result = p.script(&mut steps);
    Script { steps, mistake: result.err().map(|m| (m, p.lex.line)) }
}

/// An error that says that an extension was not asked for.
pub(super) fn need(required: bool, name: &str) -> Result<(), Mistake> {
    if required { Ok(()) } else { Err(format!("missing previous require \"{name}\";")) }
}

impl Parser<'_> {
    fn script(&mut self, steps: &mut Vec<Step>) -> Result<(), Mistake> {
        self.lex.skip()?;
        while self.lex.word("require") {
            self.require()?;
        }
        self.commands(steps, 0)?;
        if self.lex.is_end() { Ok(()) } else { Err("syntax error".into()) }
    }

    fn require(&mut self) -> Result<(), Mistake> {
        self.lex.skip()?;
        let names = self.lex.strings()?.ok_or("capability string list expected")?;
        for name in names {
            let r = &mut self.required;
            match name.to_ascii_lowercase().as_slice() {
                b"envelope" => r.envelope = true,
                b"fileinto" => r.fileinto = true,
                b"copy" => r.copy = true,
                b"subaddress" => r.subaddress = true,
                b"encoded-character" => self.lex.encoded = true,
                b"vacation" if self.disabled.vacation => return Err("vacation disabled".into()),
                b"vacation" => r.vacation = true,
                b"enotify" if self.disabled.enotify => return Err("enotify disabled".into()),
                b"enotify" => r.enotify = true,
                b"comparator-i;octet" | b"comparator-i;ascii-casemap" | b"comparator-en;ascii-casemap" => {}
                b"comparator-i;ascii-numeric" => {}
                _ => return Err("unknown capability".into()),
            }
        }
        self.semicolon()
    }

    fn semicolon(&mut self) -> Result<(), Mistake> {
        self.lex.skip()?;
        if !self.lex.sign(b';') {
            return Err("missing semicolon".into());
        }
        self.lex.skip()
    }

    fn string(&mut self, missing: &str) -> Result<BString, Mistake> {
        self.lex.skip()?;
        self.lex.string()?.ok_or_else(|| missing.into())
    }

    /// Commands, until something else comes.
    fn commands(&mut self, steps: &mut Vec<Step>, depth: usize) -> Result<(), Mistake> {
        if depth > MAX_DEPTH {
            return Err("blocks are nested too deeply".into());
        }
        loop {
            self.lex.skip()?;
            let command = if self.lex.word("if") {
                self.choice(steps, depth)?;
                continue;
            } else if self.lex.word("keep") {
                Command::Keep
            } else if self.lex.word("discard") {
                Command::Discard
            } else if self.lex.word("stop") {
                Command::Stop
            } else if self.lex.word("redirect") {
                let copy = self.copy()?;
                Command::Redirect(self.string("missing redirect recipient string")?, copy)
            } else if self.lex.word("fileinto") {
                need(self.required.fileinto, "fileinto")?;
                let copy = self.copy()?;
                Command::FileInto(self.string("missing fileinto folder string")?, copy)
            } else if self.lex.word("vacation") {
                Command::Vacation(Box::new(self.vacation()?))
            } else if self.lex.word("notify") {
                Command::Notify(Box::new(self.notify()?))
            } else {
                return Ok(());
            };
            let line = self.lex.line;
            self.semicolon()?;
            steps.push(Step { command, line });
        }
    }

    fn copy(&mut self) -> Result<bool, Mistake> {
        self.lex.skip()?;
        let copy = self.lex.word(":copy");
        if copy {
            need(self.required.copy, "copy")?;
        }
        Ok(copy)
    }

    /// `if`: what has been read of it when a mistake comes stays among the steps, for it may stop the script before.
    fn choice(&mut self, steps: &mut Vec<Step>, depth: usize) -> Result<(), Mistake> {
        let mut arms: Vec<(Test, Vec<Step>)> = Vec::new();
        let mut otherwise = Vec::new();
        let line = self.lex.line;
        let result = self.arms(&mut arms, &mut otherwise, depth);
        steps.push(Step { command: Command::If(arms, otherwise), line });
        result
    }

    fn arms(&mut self, arms: &mut Vec<(Test, Vec<Step>)>, otherwise: &mut Vec<Step>, depth: usize) -> Result<(), Mistake> {
        loop {
            let wanted = test(self, 0)?;
            let mut block = Vec::new();
            let result = self.block(&mut block, depth);
            arms.push((wanted, block));
            result?;
            self.lex.skip()?;
            if self.lex.word("elsif") {
                continue;
            }
            return if self.lex.word("else") { self.block(otherwise, depth) } else { Ok(()) };
        }
    }

    fn block(&mut self, steps: &mut Vec<Step>, depth: usize) -> Result<(), Mistake> {
        self.lex.skip()?;
        if !self.lex.sign(b'{') {
            return Err("missing block".into());
        }
        self.commands(steps, depth + 1)?;
        if self.lex.sign(b'}') { Ok(()) } else { Err("expecting command or closing brace".into()) }
    }

    fn vacation(&mut self) -> Result<Vacation, Mistake> {
        need(self.required.vacation, "vacation")?;
        let mut v = Vacation::default();
        loop {
            self.lex.skip()?;
            if self.lex.word(":days") {
                self.lex.skip()?;
                v.days = Some(self.lex.number()?.ok_or("missing number")?);
            } else if self.lex.word(":subject") {
                v.subject = Some(self.string("subject string expected")?);
            } else if self.lex.word(":from") {
                v.from = Some(self.string("from string expected")?);
            } else if self.lex.word(":addresses") {
                self.lex.skip()?;
                v.addresses = self.lex.strings()?.ok_or("addresses string list expected")?;
            } else if self.lex.word(":mime") {
                v.mime = true;
            } else if self.lex.word(":handle") {
                v.handle = Some(self.string("handle string expected")?);
            } else {
                v.reason = self.string("missing reason string")?;
                return Ok(v);
            }
        }
    }

    fn notify(&mut self) -> Result<Notify, Mistake> {
        need(self.required.enotify, "enotify")?;
        let mut n = Notify::default();
        loop {
            self.lex.skip()?;
            if self.lex.word(":from") {
                n.from = Some(self.string("from string expected")?);
            } else if self.lex.word(":importance") {
                n.importance = match self.string("importance string expected")?.as_slice() {
                    [c @ b'1'..=b'3'] => Some(c - b'0'),
                    _ => return Err("invalid importance".into()),
                };
            } else if self.lex.word(":options") {
                // No method that is known has any.
                self.lex.skip()?;
                self.lex.strings()?.ok_or("options string list expected")?;
            } else if self.lex.word(":message") {
                n.message = Some(self.string("message string expected")?);
            } else {
                n.method = self.string("missing method string")?;
                return Ok(n);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> Option<String> {
        parse(text.as_bytes(), Disabled::default()).mistake.map(|(m, line)| format!("{m} in line {line}"))
    }

    #[test]
    fn scripts() {
        assert_eq!(
            mistake("require [\"fileinto\", \"copy\"];\nif header :is \"a\" [\"b\",\"c\"] { fileinto :copy \"x\"; }"),
            None
        );
        assert_eq!(mistake("keep"), Some("missing semicolon in line 1".into()));
        assert_eq!(mistake("\nfoo;"), Some("syntax error in line 2".into()));
        assert_eq!(mistake("if true { foo; }"), Some("expecting command or closing brace in line 1".into()));
        assert_eq!(mistake("fileinto \"x\";"), Some("missing previous require \"fileinto\"; in line 1".into()));
        assert_eq!(mistake("require \"regex\";"), Some("unknown capability in line 1".into()));
        assert_eq!(mistake("keep; require \"copy\";"), Some("syntax error in line 1".into()));
    }

    #[test]
    fn hostile() {
        let deep = "if true { ".repeat(20_000);
        assert!(mistake(&deep).is_some_and(|m| m.starts_with("blocks are nested too deeply")));
        assert!(mistake(&format!("if {}", "not ".repeat(50_000))).is_some_and(|m| m.contains("too deeply")));
        assert!(mistake(&format!("if {}", "anyof(".repeat(50_000))).is_some_and(|m| m.contains("too deeply")));
        assert!(mistake("if header \"a\0\" \"\u{fffd}\" {").is_some());
        for n in 0..200u8 {
            let _ = parse(&[n, b'"', n, b'[', n], Disabled::default());
        }
    }
}

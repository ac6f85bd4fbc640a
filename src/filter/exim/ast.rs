//! What an Exim filter file says: commands and conditions, as the parser leaves them to the interpreter.

use std::fmt;

use bstr::ByteSlice;

use crate::expand::Template;

/// A command with its prefixes.
#[derive(Clone, Debug)]
pub struct Step {
    /// The command.
    pub command: Command,
    /// A delivery (or other end) that it sets up is significant: by its nature, or by `seen` and `unseen`.
    pub seen: bool,
    /// `noerror`
    pub noerror: bool,
}

/// A command.
#[derive(Clone, Debug)]
pub enum Command {
    /// `add <number> to <variable>`
    Add(Template, Template),
    /// `deliver <address> [errors_to <address>]`
    Deliver(Template, Option<Template>),
    /// `save <file> [mode]`
    Save(Template, Option<u32>),
    /// `pipe <command>`: expanded when it is run.
    Pipe(Vec<u8>),
    /// `mail`, `vacation`
    Mail(Box<Mail>),
    /// `logfile <file> [mode]`
    LogFile(Template, Option<u32>),
    /// `logwrite <text>`
    LogWrite(Template),
    /// `testprint <text>`
    TestPrint(Template),
    /// `headers charset`, `headers add`, `headers remove`
    Headers(HeadersOp, Template),
    /// `fail`, `freeze`, `defer`, with a text.
    Stop(Stop, Option<Template>),
    /// `finish`
    Finish,
    /// `if`, `elif`, `else`
    If(Vec<(Condition, Vec<Step>)>, Vec<Step>),
}

/// What `headers` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadersOp {
    /// Sets the character set that `$h_` converts to.
    Charset,
    /// Adds lines.
    Add,
    /// Removes lines, by name.
    Remove,
}

/// The commands that end a filter with a verdict on the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `fail`
    Fail,
    /// `freeze`
    Freeze,
    /// `defer`
    Defer,
}

impl Stop {
    /// The command.
    pub fn name(self) -> &'static str {
        match self {
            Stop::Fail => "fail",
            Stop::Freeze => "freeze",
            Stop::Defer => "defer",
        }
    }
}

/// The arguments of `mail` that take a value, in the order in which tests show them, with their keywords.
pub const MAIL_ARGUMENTS: [&str; 12] =
    ["to", "cc", "bcc", "from", "reply_to", "subject", "extra_headers", "text", "file", "log", "once", "once_repeat"];

/// A `mail` or `vacation` command.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// It is `vacation`.
    pub vacation: bool,
    /// Values in the order of [`MAIL_ARGUMENTS`].
    pub values: [Option<Template>; MAIL_ARGUMENTS.len()],
    /// `expand` before `file`.
    pub expand_file: bool,
    /// `return message`
    pub return_message: bool,
}

/// How two strings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `begins`
    Begins,
    /// `contains`
    Contains,
    /// `ends`
    Ends,
    /// `is`
    Is,
    /// `matches`
    Matches,
}

/// A condition.
#[derive(Clone, Debug)]
pub enum Condition {
    /// All hold.
    And(Vec<Condition>),
    /// One holds.
    Or(Vec<Condition>),
    /// Any other, and whether its answer is turned round.
    Test(bool, Test),
}

/// What is tested.
#[derive(Clone, Debug)]
pub enum Test {
    /// A condition in parentheses after `not`.
    Group(Box<Condition>),
    /// A comparison of strings; `caseful`: with regard to case.
    Compare {
        /// Left side.
        left: Template,
        /// Right side.
        right: Template,
        /// How.
        how: Comparison,
        /// Written in upper case.
        caseful: bool,
    },
    /// `is above`, or `is below`
    Number {
        /// Left side.
        left: Template,
        /// Right side.
        right: Template,
        /// Which.
        above: bool,
    },
    /// `delivered`
    Delivered,
    /// `error_message`
    ErrorMessage,
    /// `first_delivery`
    FirstDelivery,
    /// `manually_thawed`
    ManuallyThawed,
    /// `personal alias ...`
    Personal(Vec<Template>),
    /// `foranyaddress <list> (condition)`
    AnyAddress(Template, Box<Condition>),
}

impl Condition {
    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Condition {
        match self {
            Condition::Test(not, t) => Condition::Test(!not, t),
            group => Condition::Test(true, Test::Group(Box::new(group))),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, top: bool) -> fmt::Result {
        match self {
            Condition::And(all) => write_and(f, all),
            Condition::Or(all) => write_or(f, all, top),
            Condition::Test(not, t) => t.write(f, *not),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, true)
    }
}

/// `a and b and c`
fn write_and(f: &mut fmt::Formatter<'_>, all: &[Condition]) -> fmt::Result {
    for (i, c) in all.iter().enumerate() {
        if i > 0 {
            f.write_str(" and ")?;
        }
        c.write(f, false)?;
    }
    Ok(())
}

/// `(a or b) or c`
fn write_or(f: &mut fmt::Formatter<'_>, all: &[Condition], top: bool) -> fmt::Result {
    let opened = all.len().saturating_sub(2) + usize::from(!top);
    for _ in 0..opened {
        f.write_str("(")?;
    }
    for (i, c) in all.iter().enumerate() {
        if i > 0 {
            f.write_str(" or ")?;
        }
        c.write(f, false)?;
        if i > 0 && (i + 1 < all.len() || !top) {
            f.write_str(")")?;
        }
    }
    Ok(())
}

/// A part of an `and` or `or` chain, as tests show it.
pub struct Part<'a> {
    /// The conditions.
    pub all: &'a [Condition],
    /// They are joined by `and`.
    pub and: bool,
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.and { write_and(f, self.all) } else { write_or(f, self.all, true) }
    }
}

impl Test {
    fn write(&self, f: &mut fmt::Formatter<'_>, not: bool) -> fmt::Result {
        let no = if not { "not " } else { "" };
        match self {
            Test::Group(c) => write!(f, "{no}({c})"),
            Test::Compare { left, right, how, caseful } => {
                let (plain, negative, upper) = match how {
                    Comparison::Begins => ("begins", "does not begin", "BEGIN"),
                    Comparison::Contains => ("contains", "does not contain", "CONTAIN"),
                    Comparison::Ends => ("ends", "does not end", "END"),
                    Comparison::Is => ("is", "is not", "IS"),
                    Comparison::Matches => ("matches", "does not match", "MATCH"),
                };
                let word = match (caseful, not, how) {
                    (false, false, _) => plain.to_string(),
                    (false, true, _) => negative.to_string(),
                    (true, false, Comparison::Is) => upper.to_string(),
                    (true, false, Comparison::Matches) => format!("{upper}ES"),
                    (true, false, _) => format!("{upper}S"),
                    (true, true, Comparison::Is) => "IS not".to_string(),
                    (true, true, _) => format!("does not {upper}"),
                };
                write!(f, "{} {word} {}", left.raw().as_bstr(), right.raw().as_bstr())
            }
            Test::Number { left, right, above } => {
                let word = if *above { "above" } else { "below" };
                write!(f, "{} {no}{word} {}", left.raw().as_bstr(), right.raw().as_bstr())
            }
            Test::Delivered => write!(f, "{no}delivered"),
            Test::ErrorMessage => write!(f, "{no}error_message"),
            Test::FirstDelivery => write!(f, "{no}first_delivery"),
            Test::ManuallyThawed => write!(f, "{no}manually_thawed"),
            Test::Personal(_) => write!(f, "{no}personal"),
            Test::AnyAddress(list, c) => {
                write!(f, "{no}foranyaddress {} (", list.raw().as_bstr())?;
                c.write(f, false)?;
                f.write_str(")")
            }
        }
    }
}

//! What a Sieve script says, as the parser leaves it to the interpreter.

use bstr::BString;

/// A command, with the line that it ends in.
#[derive(Clone, Debug)]
pub struct Step {
    /// What to do.
    pub command: Command,
    /// For messages.
    pub line: u32,
}

/// A command.
#[derive(Clone, Debug)]
pub enum Command {
    /// `keep`
    Keep,
    /// `discard`
    Discard,
    /// `stop`
    Stop,
    /// `redirect [:copy] address`
    Redirect(BString, bool),
    /// `fileinto [:copy] folder`
    FileInto(BString, bool),
    /// `vacation`
    Vacation(Box<Vacation>),
    /// `notify`
    Notify(Box<Notify>),
    /// `if`, `elsif`, `else`
    If(Vec<(Test, Vec<Step>)>, Vec<Step>),
}

/// The arguments of `vacation`.
#[derive(Clone, Debug, Default)]
pub struct Vacation {
    /// `:days`
    pub days: Option<u64>,
    /// `:subject`
    pub subject: Option<BString>,
    /// `:from`
    pub from: Option<BString>,
    /// `:addresses`
    pub addresses: Vec<BString>,
    /// `:mime`
    pub mime: bool,
    /// `:handle`
    pub handle: Option<BString>,
    /// The text.
    pub reason: BString,
}

/// The arguments of `notify`.
#[derive(Clone, Debug, Default)]
pub struct Notify {
    /// `:from`
    pub from: Option<BString>,
    /// `:importance`, 1 to 3
    pub importance: Option<u8>,
    /// `:message`
    pub message: Option<BString>,
    /// The URI.
    pub method: BString,
}

/// How strings are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Comparator {
    /// `i;octet`
    Octet,
    /// `i;ascii-casemap`
    #[default]
    Casemap,
    /// `i;ascii-numeric`
    Numeric,
}

/// What counts as a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatchType {
    /// `:is`
    #[default]
    Is,
    /// `:contains`
    Contains,
    /// `:matches`
    Matches,
}

/// The two together, and the keys.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// How.
    pub comparator: Comparator,
    /// What.
    pub kind: MatchType,
    /// Any of these.
    pub keys: Vec<BString>,
}

/// A part of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// `:all`
    #[default]
    All,
    /// `:localpart`
    Local,
    /// `:domain`
    Domain,
    /// `:user`
    User,
    /// `:detail`
    Detail,
}

/// A test.
#[derive(Clone, Debug)]
pub enum Test {
    /// `address`
    Address(Part, Vec<BString>, Match),
    /// `envelope`
    Envelope(Part, Vec<Envelope>, Match),
    /// `header`
    Header(Vec<BString>, Match),
    /// `exists`
    Exists(Vec<BString>),
    /// `size :over`, or `:under`
    Size(bool, u64),
    /// `allof`
    All(Vec<Test>),
    /// `anyof`
    Any(Vec<Test>),
    /// `not`
    Not(Box<Test>),
    /// `true`, `false`
    Constant(bool),
    /// `valid_notify_method`
    ValidNotify(Vec<BString>),
    /// `notify_method_capability`
    NotifyCapability(BString, BString, Match),
}

/// A part of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// `from`
    From,
    /// `to`
    To,
}

//! The parsed form of a string: what the parser makes and the evaluator walks.
//!
//! Only `expand` uses it. A syntax error is a node too: the reference finds it only when it gets there, so
//! that what stands before it is still evaluated (and may fail first, or be forced to fail).

use bstr::BString;
use smallvec::SmallVec;

use super::{Template, conditions, items, operators, variables};
use crate::text::Bytes;

/// A sequence of nodes: a whole string, or what stands between two braces.
///
/// Most are a text or a single node, and need no memory of their own.
#[derive(Default)]
pub struct Body {
    /// In order. The last one is [`Node::Broken`] if there is a syntax error.
    pub nodes: SmallVec<[Node; 1]>,
}

impl Body {
    /// A body that is the given text and nothing else.
    pub fn literal(text: &[u8]) -> Self {
        let mut body = Body::default();
        if !text.is_empty() {
            body.nodes.push(Node::Literal(Bytes::from_slice(text)));
        }
        body
    }

    /// The syntax error, if there is one.
    pub fn error(&self) -> Option<&str> {
        match self.nodes.last() {
            Some(Node::Broken(b)) => Some(&b.error),
            _ => None,
        }
    }

    /// The text, if nothing in it needs evaluation.
    pub fn as_literal(&self) -> Option<&[u8]> {
        match self.nodes.as_slice() {
            [] => Some(b""),
            [Node::Literal(t)] => Some(t),
            _ => None,
        }
    }
}

/// One part of a string.
pub enum Node {
    /// Text as it is.
    Literal(Bytes),
    /// `$name`, `${name}`.
    Variable(variables::VarRef),
    /// `$h_name:` and friends.
    Header(HeaderForm, BString),
    /// `${item ...}`
    Item(&'static items::ItemDef, Box<ItemArgs>),
    /// `${operator:...}`
    Operator(&'static operators::OpDef, Option<BString>, Box<Body>),
    /// `${operator:$tls_..cert}`: the operator on a certificate.
    CertOperator(&'static operators::OpDef, Option<BString>, variables::CertSlot),
    /// A syntax error.
    Broken(Box<Broken>),
}

/// The four ways to take a header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderForm {
    /// `$h_`: decoded, in the local character set.
    Decoded,
    /// `$bh_`: decoded, not converted.
    Basic,
    /// `$lh_`: a list.
    List,
    /// `$rh_`: raw.
    Raw,
}

/// The strings of an item.
pub type Subs = SmallVec<[Body; 2]>;

/// Arguments of an item, as far as its syntax has them.
#[derive(Default)]
pub struct ItemArgs {
    /// Strings that are always expanded, in their order.
    pub subs: Subs,
    /// The condition of `if`.
    pub condition: Option<Condition>,
    /// What is evaluated for every item of a list (`map`, `reduce`, `sort`).
    pub each: Option<Body>,
    /// The condition of `filter`.
    pub each_condition: Option<Box<Condition>>,
    /// The source of `each`, for messages.
    pub each_source: BString,
    /// The success string.
    pub yes: Option<Body>,
    /// The failure string.
    pub no: Otherwise,
    /// Word options: `json`, `jsons` of `extract`, the type of a lookup, the variable of `certextract`.
    pub word: BString,
    /// The type of a lookup.
    pub spec: Option<crate::lookups::Spec>,
    /// `preexpand` of `run`.
    pub preexpand: bool,
    /// The command of `run` as written.
    pub raw: BString,
    /// A regular expression that needs no expansion.
    pub regex: RegexSlot,
    /// What stands from the fifth string of `extract` on, for messages.
    pub tail: BString,
}

/// What replaces an item that fails.
#[derive(Default)]
pub enum Otherwise {
    /// Nothing.
    #[default]
    Empty,
    /// A string.
    Body(Body),
    /// `fail`
    Fail,
}

/// A regular expression, compiled once if its source is fixed.
pub type RegexSlot = std::sync::OnceLock<Result<crate::sys::pcre::Regex, String>>;

/// A syntax error, and what is evaluated before it is found.
pub struct Broken {
    /// Evaluated first.
    pub before: Vec<Step>,
    /// The message.
    pub error: String,
}

/// One of the things before a syntax error.
pub enum Step {
    /// A string, perhaps itself with the error.
    Body(Body),
    /// A condition.
    Condition(Condition),
}

/// A condition.
pub struct Condition {
    /// `!`
    pub negate: bool,
    /// The condition itself.
    pub kind: ConditionKind,
}

/// The forms of conditions.
pub enum ConditionKind {
    /// `def:variable`
    Def(variables::VarRef),
    /// `def:h_name:`
    DefHeader(BString),
    /// Those that are a name and strings.
    Test(&'static conditions::CondDef, CondArgs, RegexSlot),
    /// `and` (`or` when `any`).
    Group {
        /// `or`
        any: bool,
        /// In order.
        list: Vec<Condition>,
    },
    /// `forany`, `forall` and their JSON forms.
    ForEach {
        /// The name.
        name: &'static str,
        /// `forany...`
        any: bool,
        /// How the list is cut.
        form: ListForm,
        /// The list.
        list: Body,
        /// For every item.
        condition: Box<Condition>,
    },
}

/// The strings of a condition.
pub type CondArgs = SmallVec<[CondArg; 2]>;

/// A string of a condition.
pub enum CondArg {
    /// Expanded.
    Body(Body),
    /// A list that is not expanded.
    List(Template),
}

/// How a list is cut into items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// An Exim list.
    Exim,
    /// A JSON array.
    Json,
    /// A JSON array of strings.
    Jsons,
}

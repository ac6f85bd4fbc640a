//! What a lookup type is: a name, a style, how a file or a server is opened, how a key is looked for.

use crate::context::Context;
use crate::text::{Taint, Text};

/// How a type is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A key in a file with an absolute name; the handle counts for `lookup_open_max`.
    File,
    /// A key in something else that has a name.
    Key,
    /// A query.
    Query,
    /// A query about a file that is named by the option `file=` or before the query.
    FileQuery,
}

impl Style {
    /// Has it one string (a query), and no key?
    pub fn is_query(self) -> bool {
        matches!(self, Style::Query | Style::FileQuery)
    }
}

/// How long a result may be used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// As long as the handle is open.
    #[default]
    Always,
    /// Seconds.
    Seconds(u32),
    /// Not at all, and what the handle gave before is no longer true either (an update was made).
    ForgetAll,
}

/// What a lookup gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The data.
    Found(Vec<u8>, Keep),
    /// No such key.
    NotFound(Keep),
    /// It cannot be known now; the message follows `gave DEFER: `.
    Defer(String),
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The file (or server) the handle was opened with; empty for queries.
    pub file: &'a [u8],
    /// The key or query.
    pub key: &'a Text,
    /// Options after the type's name, without `cache=` and `ret=key`.
    pub options: &'a [Vec<u8>],
}

impl Ask<'_> {
    /// Is the option given?
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|o| o == option.as_bytes())
    }

    /// The value of `name=value`.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.options.iter().find_map(|o| o.strip_prefix(name.as_bytes()).and_then(|r| r.strip_prefix(b"=")))
    }
}

/// A type of lookup.
pub trait Driver: Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// How it is called.
    fn style(&self) -> Style;
    /// Opens a file or prepares for queries. The error is the whole message.
    fn open(&self, ctx: &mut Context, file: &[u8]) -> Result<Box<dyn Handle>, String>;
    /// `${quote_...}`: outer `None` if the type has no quoting; inner `None` if it does not know the option.
    fn quote(&self, text: &[u8], option: Option<&[u8]>) -> Option<Option<Vec<u8>>> {
        let _ = (text, option);
        None
    }
    /// The taint of its results.
    fn taint(&self) -> Taint {
        Taint::Clean
    }
    /// False if the build leaves it out (or nobody has written it): it is only a name that gives an error.
    fn built_in(&self) -> bool {
        true
    }
    /// Can what it needs at run time be had? `-bV` names it only then.
    fn available(&self) -> bool {
        true
    }
}

/// An open file or connection.
pub trait Handle: Send {
    /// Looks for a key, or asks a query.
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer;
}

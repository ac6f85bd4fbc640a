//! The general item: literal, `*tail`, regular expression, `@` things, lookup. Domains, local parts, strings, host names.

use bstr::ByteSlice;

use super::scan::Answer;
use super::special;
use crate::context::Context;
use crate::log::{self, Which};
use crate::lookups::{self, LookupError};
use crate::sys::pcre::{Options, Regex};
use crate::text::Text;

/// What the kind of list allows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub caseless: bool,
    /// Partial lookups make sense.
    pub partial: bool,
    /// `@`, `@[]` and `@mx_...` are not literal.
    pub at_is_special: bool,
}

/// One subject, compared with items.
pub(super) struct StringTest<'a> {
    original: &'a Text,
    subject: Text,
    wanted: Wanted,
    captures: bool,
    first: usize,
}

impl<'a> StringTest<'a> {
    pub fn new(subject: &'a Text, wanted: Wanted, captures: bool) -> Self {
        let lower = if wanted.caseless { subject.to_lower() } else { subject.clone() };
        StringTest { original: subject, subject: lower, wanted, captures, first: 0 }
    }

    /// Numeric variables are set from this number on.
    pub fn capture_from(&mut self, first: usize) {
        self.first = first;
    }

    pub fn subject(&self) -> &Text {
        &self.subject
    }

    pub fn caseful(&mut self) {
        self.wanted.caseless = false;
        self.subject = self.original.clone();
    }

    pub fn test(&mut self, ctx: &mut Context, item: &Text) -> Answer {
        let mut first = self.first;
        let captures = self.captures.then_some(&mut first);
        // Regular expressions and their captures have the letters as they came.
        let subject = if item.starts_with(b"^") { self.original } else { &self.subject };
        check(ctx, subject, item, self.wanted, captures)
    }
}

/// Compares `subject` with one pattern. With `captures`, numeric variables are set from the given number on when it
/// matches (0: `$0` becomes the subject), and the number is moved on.
pub(super) fn check(
    ctx: &mut Context,
    subject: &Text,
    pattern: &Text,
    wanted: Wanted,
    mut captures: Option<&mut usize>,
) -> Answer {
    if let Some(first) = captures.as_deref_mut()
        && *first == 0
    {
        ctx.scratch.numeric = vec![Some(subject.clone())];
        *first = 1;
    }
    if pattern.starts_with(b"^") {
        return regex(ctx, subject, pattern, wanted, captures);
    }
    if let Some(tail) = pattern.strip_prefix(b"*") {
        let Some(cut) = subject.len().checked_sub(tail.len()) else { return Answer::No };
        let (head, end) = subject.split_at(cut);
        if !same(end, tail, wanted.caseless) {
            return Answer::No;
        }
        set(ctx, captures, vec![Some(subject.piece(head))]);
        return Answer::Yes(Some(pattern.clone()));
    }
    let mut literal = pattern.clone();
    if wanted.at_is_special && pattern.starts_with(b"@") {
        if pattern.len() == 1 {
            literal = Text::clean(ctx.config.site.primary_hostname.clone());
        } else if let Some(answer) = special::check(ctx, subject, pattern, captures.as_deref_mut()) {
            return match answer {
                Answer::Yes(_) => Answer::Yes(Some(pattern.clone())),
                other => other,
            };
        }
    }
    match literal.find_byte(b';') {
        None if same(subject, &literal, wanted.caseless) => Answer::Yes(Some(literal)),
        None => Answer::No,
        Some(semicolon) => lookup(ctx, subject, pattern, semicolon, wanted, captures),
    }
}

fn same(a: &[u8], b: &[u8], caseless: bool) -> bool {
    if caseless { a.eq_ignore_ascii_case(b) } else { a == b }
}

fn set(ctx: &mut Context, captures: Option<&mut usize>, values: Vec<Option<Text>>) {
    if let Some(first) = captures {
        ctx.scratch.numeric.truncate(*first);
        *first += values.len();
        ctx.scratch.numeric.extend(values);
    }
}

fn regex(ctx: &mut Context, subject: &Text, pattern: &Text, wanted: Wanted, captures: Option<&mut usize>) -> Answer {
    let compiled = match compile(ctx, pattern, wanted.caseless) {
        Ok(r) => r,
        Err(m) => return Answer::Defer(Some(m)),
    };
    match compiled.find(subject) {
        Ok(Some(m)) => {
            if captures.is_some() {
                let groups = (1..=compiled.capture_count()).map(|i| Some(subject.piece(m.get(subject, i).unwrap_or_default())));
                set(ctx, captures, groups.collect());
            }
            Answer::Yes(Some(pattern.clone()))
        }
        // A match that takes too long is none.
        Ok(None) | Err(_) => Answer::No,
    }
}

fn compile(ctx: &mut Context, pattern: &Text, caseless: bool) -> Result<Regex, String> {
    if let Some(r) = ctx.services.lists.pattern(pattern, caseless) {
        return Ok(r);
    }
    let options = if caseless { Options::CASELESS } else { Options::NONE };
    match Regex::new(pattern, options) {
        Ok(r) => {
            ctx.services.lists.set_pattern(pattern, caseless, r.clone());
            Ok(r)
        }
        Err(e) => {
            let text = format!("regular expression error in \"{pattern}\": {} at offset {}", e.message, e.offset);
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            Err(text)
        }
    }
}

fn lookup(
    ctx: &mut Context,
    subject: &Text,
    pattern: &Text,
    semicolon: usize,
    wanted: Wanted,
    captures: Option<&mut usize>,
) -> Answer {
    let (name, query) = pattern.split_at(semicolon);
    let query = pattern.piece(query.get(1..).unwrap_or_default());
    let mut spec = match lookups::parse_type(name) {
        Ok(s) => s,
        Err(m) => return broken(ctx, m),
    };
    if !wanted.partial {
        spec.partial = None;
    }
    match lookups::find(ctx, &spec, subject, &query) {
        Ok(Some(found)) => {
            if let Some((wild, fixed)) = found.parts {
                set(ctx, captures, vec![Some(wild), Some(fixed)]);
            }
            Answer::Yes(Some(found.value))
        }
        Ok(None) => Answer::No,
        Err(LookupError::Defer(m)) => Answer::Defer(Some(m)),
        Err(LookupError::Open(m)) => broken(ctx, m),
    }
}

/// The configuration is at fault: panic log, and nothing can be said.
pub(super) fn broken(ctx: &mut Context, message: String) -> Answer {
    log::write(ctx, None, Which::MAIN.and(Which::PANIC), message.as_bytes());
    Answer::Defer(Some(message))
}

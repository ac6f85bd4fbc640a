//! Going through a list: separators, negation, files, named lists and their caches, what to do with unknown and deferred.

use std::fmt;

use bstr::ByteSlice;

use super::address::AddressTest;
use super::host::HostTest;
use super::string::{StringTest, Wanted};
use super::{List, Match, Request, Subject};
use crate::config::ListKind;
use crate::context::Context;
use crate::expand::list::split_text;
use crate::expand::{self, ExpandError};
use crate::log::{self, Selector, Which};
use crate::parse::Space as _;
use crate::text::Text;

/// How one item answered.
pub(super) enum Answer {
    /// It matches; with what it gives as data.
    Yes(Option<Text>),
    No,
    /// `None`: the name of the item is put into the message.
    Defer(Option<String>),
    /// A host's name or address cannot be found, or the item is wrong: `+include_unknown` and so on decide.
    Unknown(String),
}

/// What is compared with each item.
pub(super) enum Tester<'a> {
    String(StringTest<'a>),
    Address(AddressTest<'a>),
    Host(HostTest<'a>),
}

impl Tester<'_> {
    pub(super) fn test(&mut self, ctx: &mut Context, item: &Text) -> Answer {
        match self {
            Tester::String(t) => t.test(ctx, item),
            Tester::Address(t) => t.test(ctx, item),
            Tester::Host(t) => t.test(ctx, item),
        }
    }

    // The key that results of named lists are kept under.
    fn key(&self) -> Vec<u8> {
        match self {
            Tester::String(t) => t.subject().to_vec(),
            Tester::Address(t) => t.subject().to_vec(),
            Tester::Host(t) => t.key(),
        }
    }

    fn caseful(&mut self) {
        match self {
            Tester::String(t) => t.caseful(),
            Tester::Address(t) => t.caseful(),
            Tester::Host(_) => {}
        }
    }
}

/// Lists within lists, at most.
const MAX_DEPTH: u32 = 50;

pub(super) struct Scan<'a> {
    /// Which named lists `+name` means; `None` for lists of strings.
    pub kind: Option<ListKind>,
    pub tester: Tester<'a>,
    depth: u32,
    /// What is looked for, in traces.
    name: Subject<'a>,
}

/// As traces have it.
impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::String { text, .. } | Subject::Domain(text) | Subject::LocalPart(text) | Subject::CasefulLocalPart(text) => {
                text.fmt(f)
            }
            Subject::Address { address, .. } => address.fmt(f),
            Subject::SessionHost => f.write_str("host"),
            Subject::Host { address: Some(ip), .. } => ip.fmt(f),
            Subject::Host { name, address: None } => name.fmt(f),
            Subject::Ip(text) => text.as_bstr().fmt(f),
        }
    }
}

/// A list in messages and traces: by what it says.
pub(super) struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.as_bstr())
    }
}

/// Where a matching item was found, for the trace.
enum Place<'p> {
    /// In the list.
    List,
    /// In a named list whose answer was known.
    Cached,
    /// In this file, which is an item of the list; `false` if that item is negated.
    File(&'p Text, bool),
}

pub(super) fn run(ctx: &mut Context, request: &Request<'_>, data: &mut Option<Text>) -> Match {
    let (kind, tester) = match request.subject {
        Subject::String { text, caseless } => {
            (None, Tester::String(StringTest::new(text, Wanted { caseless, ..Wanted::default() }, request.captures)))
        }
        Subject::Domain(text) => {
            let wanted = Wanted { caseless: true, partial: true, at_is_special: true };
            (Some(ListKind::Domain), Tester::String(StringTest::new(text, wanted, request.captures)))
        }
        Subject::LocalPart(text) => {
            let wanted = Wanted { caseless: true, partial: true, at_is_special: false };
            (Some(ListKind::LocalPart), Tester::String(StringTest::new(text, wanted, request.captures)))
        }
        Subject::CasefulLocalPart(text) => {
            let wanted = Wanted { caseless: false, partial: true, at_is_special: false };
            (Some(ListKind::LocalPart), Tester::String(StringTest::new(text, wanted, request.captures)))
        }
        Subject::Address { address, caseless } => {
            (Some(ListKind::Address), Tester::Address(AddressTest::new(address, caseless, request.captures)))
        }
        Subject::SessionHost => (Some(ListKind::Host), Tester::Host(HostTest::session(ctx))),
        Subject::Host { name, address } => (Some(ListKind::Host), Tester::Host(HostTest::named(name, address))),
        Subject::Ip(text) => (Some(ListKind::Host), Tester::Host(HostTest::address_only(text))),
    };
    // `$host_address` is the host that is looked for.
    let saved = match request.subject {
        Subject::Host { address: Some(ip), .. } => Some(ctx.address.host_address.replace(Text::tainted(ip.to_string()))),
        _ => None,
    };
    let mut scan = Scan { kind, tester, depth: 0, name: request.subject };
    let result = scan.whole(ctx, request, data);
    if let Some(before) = saved {
        ctx.address.host_address = before;
    }
    result
}

impl<'a> Scan<'a> {
    /// A scan of domains by an address item.
    pub fn new(kind: Option<ListKind>, tester: Tester<'a>, name: Subject<'a>) -> Scan<'a> {
        Scan { kind, tester, depth: 1, name }
    }

    fn whole(&mut self, ctx: &mut Context, request: &Request<'_>, data: &mut Option<Text>) -> Match {
        let text = match request.list {
            List::Ready(t) => t.clone(),
            List::Expand(template) => {
                let subject = match request.subject {
                    Subject::Domain(d) => Some(d),
                    _ => None,
                };
                match expand_list(ctx, template, subject) {
                    Ok(Some(t)) => t,
                    Ok(None) => return Match::No,
                    Err(m) => return Match::Defer(m),
                }
            }
        };
        // As the reference has it: a separator at the beginning is not shown.
        let quoted = Quoted(match text.trim_ascii_start() {
            [b'<', c, rest @ ..] if c.is_ascii_punctuation() || c.is_ascii_control() => rest,
            _ => &text,
        });
        let heading: &dyn fmt::Display = match &request.label {
            Some(name) => name,
            None => &quoted,
        };
        self.text(ctx, &text, heading, request.single, data, &mut true)
    }

    /// Goes through a list that is ready. `heading` is how messages name it; `cacheable` becomes false if a list in it may
    /// say something else next time.
    pub fn text(
        &mut self,
        ctx: &mut Context,
        list: &Text,
        heading: &dyn fmt::Display,
        single: bool,
        data: &mut Option<Text>,
        cacheable: &mut bool,
    ) -> Match {
        log::hdebug!(ctx, LISTS, "{} in {heading}?", self.name);
        let level = ctx.scratch.debug_level;
        ctx.scratch.debug_level += 1;
        let mut scanning = Scanning { heading, unknown: Unknown::default(), positive: true };
        // What items that did not match have set is forgotten again.
        let numeric = ctx.scratch.numeric.clone();
        let mut whole = single.then(|| list.clone());
        let mut parts = split_text(list);
        while let Some(item) = whole.take().or_else(|| if single { None } else { parts.next() }) {
            log::hdebug!(ctx, LISTS, "list element: {}", item.display().replace(' ', "\u{2591}"));
            if &item[..] == b"+caseful" && matches!(self.kind, Some(ListKind::Address | ListKind::LocalPart)) {
                self.tester.caseful();
                continue;
            }
            if self.kind == Some(ListKind::Host) && scanning.unknown.set(&item) {
                continue;
            }
            let (pattern, negated) = negation(item.clone());
            scanning.positive = !negated;
            let result = if pattern.starts_with(b"/") {
                self.file(ctx, &pattern, &mut scanning, data)
            } else if let (Some(name), Some(kind)) = (pattern.strip_prefix(b"+"), self.kind) {
                match self.named(ctx, kind, name, data, cacheable) {
                    (Match::No, _) => None,
                    (Match::Yes, Known(true)) => Some(self.found(ctx, &scanning, &item, &Place::Cached)),
                    (Match::Yes, _) => Some(self.found(ctx, &scanning, &item, &Place::List)),
                    (defer, _) => Some(defer),
                }
            } else {
                self.item(ctx, &item, &pattern, &scanning, &Place::List, data)
            };
            if let Some(result) = result {
                return self.ended(ctx, level, heading, &item, result);
            }
        }
        ctx.scratch.debug_level = level;
        ctx.scratch.numeric = numeric;
        let word = if scanning.positive { "no" } else { "yes" };
        log::hdebug!(ctx, LISTS, "{} in {heading}? {word} (end of list)", self.name);
        if scanning.positive { Match::No } else { Match::Yes }
    }

    // The indentation goes back, but not after an unknown host: the reference forgets it there, and its traces show it.
    fn ended(&self, ctx: &mut Context, level: u32, heading: &dyn fmt::Display, item: &Text, result: Match) -> Match {
        if !std::mem::take(&mut ctx.scratch.keep_debug_level) {
            ctx.scratch.debug_level = level;
        }
        if matches!(result, Match::Defer(_)) {
            log::hdebug!(ctx, LISTS, "{} in {heading}? list match deferred for {item}", self.name);
        }
        result
    }

    // The item matches: yes, or no if it is negated.
    fn found(&self, ctx: &Context, scanning: &Scanning<'_>, item: &Text, place: &Place<'_>) -> Match {
        let (word, result) = if scanning.positive { ("yes", Match::Yes) } else { ("no", Match::No) };
        let (name, heading) = (&self.name, scanning.heading);
        // For a line of a file the reference tells the sign of the file's name.
        let word = match place {
            Place::File(_, listed) => {
                if *listed {
                    "yes"
                } else {
                    "no"
                }
            }
            _ => word,
        };
        match place {
            Place::List => log::hdebug!(ctx, LISTS, "{name} in {heading}? {word} (matched \"{item}\")"),
            Place::Cached => log::hdebug!(ctx, LISTS, "{name} in {heading}? {word} (matched \"{item}\" - cached)"),
            Place::File(file, _) => log::hdebug!(ctx, LISTS, "{name} in {heading}? {word} (matched \"{item}\" in {file})"),
        }
        result
    }

    // One item: an answer for the whole list, or none.
    fn item(
        &mut self,
        ctx: &mut Context,
        item: &Text,
        pattern: &Text,
        scanning: &Scanning<'_>,
        place: &Place<'_>,
        data: &mut Option<Text>,
    ) -> Option<Match> {
        let unknown = &scanning.unknown;
        let in_file = matches!(place, Place::File(..));
        match self.tester.test(ctx, pattern) {
            Answer::Yes(found) => {
                // An item of a file is itself what the list gives.
                *data = if in_file { Some(pattern.clone()) } else { found };
                Some(self.found(ctx, scanning, item, place))
            }
            Answer::No => None,
            Answer::Defer(message) => {
                let message = message.unwrap_or_else(|| format!("DNS lookup of \"{pattern}\" deferred"));
                if unknown.ignore_defer {
                    log::hdebug!(ctx, LISTS, "{message}: item ignored by +ignore_defer");
                    return None;
                }
                if unknown.include_defer {
                    log::write(ctx, None, Which::MAIN, format!("{message}: accepted by +include_defer").as_bytes());
                    ctx.scratch.keep_debug_level = !in_file;
                    return Some(Match::Yes);
                }
                Some(Match::Defer(message))
            }
            Answer::Unknown(message) if unknown.ignore => {
                log::hdebug!(ctx, LISTS, "{message}: item ignored by +ignore_unknown");
                None
            }
            Answer::Unknown(message) => {
                let word = if unknown.include { "yes" } else { "no" };
                log::hdebug!(ctx, LISTS, "{} in {}? {word} ({message})", self.name, scanning.heading);
                ctx.scratch.keep_debug_level = !in_file;
                if unknown.include {
                    log::write(ctx, None, Which::MAIN, format!("{message}: accepted by +include_unknown").as_bytes());
                    return Some(Match::Yes);
                }
                let text = format!("list matching forced to fail: {message}");
                log::write(ctx, Some(Selector::UnknownInList), Which::MAIN, text.as_bytes());
                Some(Match::No)
            }
        }
    }

    // Each line of the file is an item; no files or named lists within.
    fn file(&mut self, ctx: &mut Context, name: &Text, scanning: &mut Scanning<'_>, data: &mut Option<Text>) -> Option<Match> {
        let read = if name.is_tainted() {
            let text = format!("Tainted filename '{name}'");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            Err(std::io::Error::from_raw_os_error(libc::EACCES))
        } else {
            std::fs::read(std::path::Path::new(std::ffi::OsStr::from_bytes(name)))
        };
        let content = match read {
            Ok(c) => c,
            Err(e) => {
                let what = format!("{name} when checking {}", scanning.heading);
                let text = crate::lookups::open_failed(&what, &e);
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
                return Some(Match::Defer(text));
            }
        };
        let listed = scanning.positive;
        for line in content.lines() {
            let line = self.without_comment(line);
            if line.is_empty() {
                continue;
            }
            let item = Text::clean(line);
            let (pattern, negated) = negation(item.clone());
            scanning.positive = listed != negated;
            if let Some(result) = self.item(ctx, &item, &pattern, scanning, &Place::File(name, listed), data) {
                return Some(result);
            }
        }
        None
    }

    // In local parts and addresses a `#` begins a comment only after white space.
    fn without_comment<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        let everywhere = !matches!(self.kind, Some(ListKind::Address | ListKind::LocalPart));
        let end = line
            .iter()
            .enumerate()
            .find(|(i, c)| {
                let before = i.checked_sub(1).and_then(|p| line.get(p));
                **c == b'#' && (everywhere || before.is_none_or(|b| crate::parse::is_space(*b)))
            })
            .map_or(line.len(), |(i, _)| i);
        line.get(..end).unwrap_or_default().trim_space()
    }

    // What the named list says, and whether that was known before.
    fn named(
        &mut self,
        ctx: &mut Context,
        kind: ListKind,
        name: &[u8],
        data: &mut Option<Text>,
        cacheable: &mut bool,
    ) -> (Match, Known) {
        let shown = name.as_bstr();
        let config = ctx.config.clone();
        let Some(list) = config.named_list(kind, name) else {
            let kind = match kind {
                ListKind::Domain => " domain",
                ListKind::Host => " host",
                ListKind::Address => " address",
                ListKind::LocalPart => " local part",
            };
            let text = format!("unknown named{kind} list \"+{shown}\"");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            return (Match::Defer(text), Known(false));
        };
        if self.depth >= MAX_DEPTH {
            return (Match::Defer(format!("lists are nested too deeply at \"+{shown}\"")), Known(false));
        }
        let level = ctx.scratch.debug_level;
        log::hdebug!(ctx, LISTS, " start sublist {shown}");
        // Expansion may give something else each time.
        let mut fixed = list.cache || !list.text.raw().contains(&b'$');
        let key = self.tester.key();
        if fixed && let Some((yes, found)) = ctx.services.lists.get(kind, list.id, &key) {
            log::hdebug!(ctx, LISTS, "cached {} match for +{shown}", if yes { "yes" } else { "no" });
            let value = found.as_ref().map_or("NULL".into(), Text::display);
            log::hdebug!(ctx, LISTS, "cached lookup data = {value}");
            *data = found;
            return (if yes { Match::Yes } else { Match::No }, Known(true));
        }
        let subject = match &self.tester {
            Tester::String(t) if kind == ListKind::Domain => Some(t.subject().clone()),
            _ => None,
        };
        let mut found = None;
        let mut inner = true;
        let result = match expand_list(ctx, &list.text, subject.as_ref()) {
            Ok(Some(text)) => {
                self.depth += 1;
                ctx.scratch.debug_level += 2;
                let result = self.text(ctx, &text, &Quoted(&text), false, &mut found, &mut inner);
                self.depth -= 1;
                result
            }
            Ok(None) => Match::No,
            Err(m) => Match::Defer(m),
        };
        ctx.scratch.debug_level = level;
        log::hdebug!(ctx, LISTS, " end sublist {shown}");
        if matches!(result, Match::Defer(_)) {
            return (result, Known(false));
        }
        fixed &= inner || list.cache;
        *cacheable &= fixed;
        if fixed {
            if let Some(value) = &found {
                let key = key.as_bstr();
                log::hdebug!(ctx, LISTS, "data from lookup saved for cache for +{shown}: key '{key}' value '{value}'");
            }
            ctx.services.lists.set(kind, list.id, key, (result == Match::Yes, found.clone()));
        }
        if result == Match::Yes {
            *data = found;
        }
        (result, Known(false))
    }
}

use std::os::unix::ffi::OsStrExt;

// `None`: the expansion was forced to fail, nothing is in the list. While a domain list is expanded, `$domain` is what is
// looked for, unless it is set.
fn expand_list(ctx: &mut Context, template: &crate::expand::Template, domain: Option<&Text>) -> Result<Option<Text>, String> {
    if !template.raw().iter().any(|c| matches!(c, b'$' | b'\\')) {
        return Ok(Some(Text::clean(template.raw())));
    }
    let put = ctx.address.domain.is_none() && domain.is_some();
    if put {
        ctx.address.domain = domain.cloned();
    }
    let result = expand::expand(ctx, template);
    if put {
        ctx.address.domain = None;
    }
    match result {
        Ok(text) => Ok(Some(text)),
        Err(ExpandError::Forced(_)) => {
            let raw = template.raw().as_bstr();
            log::hdebug!(ctx, LISTS, "expansion of \"{raw}\" forced failure: assume not in this list");
            Ok(None)
        }
        Err(e) => {
            ctx.scratch.search_error = Some(e.to_string());
            let text = format!("failed to expand \"{}\" while checking a list: {e}", template.raw().as_bstr());
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            Err(text)
        }
    }
}

fn negation(item: Text) -> (Text, bool) {
    match item.strip_prefix(b"!") {
        Some(rest) => (item.piece(rest.skip_space()), true),
        None => (item, false),
    }
}

/// The answer of a named list was known before.
struct Known(bool);

/// One list while it is gone through.
struct Scanning<'s> {
    heading: &'s dyn fmt::Display,
    unknown: Unknown,
    /// What the last item would have said: at the end of the list the answer is the opposite.
    positive: bool,
}

/// The items `+include_unknown` and so on of host lists: they hold from where they stand.
#[derive(Default)]
struct Unknown {
    include: bool,
    ignore: bool,
    include_defer: bool,
    ignore_defer: bool,
}

impl Unknown {
    fn set(&mut self, item: &[u8]) -> bool {
        match item {
            b"+include_unknown" => (self.include, self.ignore) = (true, false),
            b"+ignore_unknown" => (self.include, self.ignore) = (false, true),
            b"+include_defer" => (self.include_defer, self.ignore_defer) = (true, false),
            b"+ignore_defer" => (self.include_defer, self.ignore_defer) = (false, true),
            _ => return false,
        }
        true
    }
}

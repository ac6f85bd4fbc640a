//! Going through a list: separators, negation, files, named lists and their caches, what to do with unknown and deferred.

use bstr::{BStr, ByteSlice};

use super::address::AddressTest;
use super::host::HostTest;
use super::string::{StringTest, Wanted};
use super::{List, Match, Request, Subject};
use crate::config::ListKind;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::{self, Selector, Which};
use crate::parse::list::items;
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

    // What traces call it.
    fn shown(&self) -> String {
        match self {
            Tester::String(t) => t.subject().to_string(),
            Tester::Address(t) => t.subject().to_string(),
            Tester::Host(t) => t.shown(),
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
    let mut scan = Scan { kind, tester, depth: 0 };
    let result = scan.whole(ctx, request, data);
    if let Some(before) = saved {
        ctx.address.host_address = before;
    }
    result
}

impl Scan<'_> {
    /// A scan of domains by an address item.
    pub fn new(kind: Option<ListKind>, tester: Tester<'_>) -> Scan<'_> {
        Scan { kind, tester, depth: 1 }
    }

    fn whole(&mut self, ctx: &mut Context, request: &Request<'_>, data: &mut Option<Text>) -> Match {
        let text = match request.list {
            List::Ready(t) => t.clone(),
            List::Expand(template) => {
                if template.raw().is_empty() {
                    let label = request.label.map_or_else(|| "\"\"".into(), str::to_string);
                    crate::hdebug!(ctx, LISTS, "{} in {label}? no (option unset)", self.tester.shown());
                    return Match::No;
                }
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
        let original = match request.list {
            List::Ready(t) => t.as_bstr(),
            List::Expand(t) => t.raw().as_bstr(),
        };
        // One pattern on its own is no list.
        let label = (!request.single).then(|| request.label.map_or_else(|| format!("\"{original}\""), str::to_string));
        self.text(ctx, &text, original, label.as_deref(), data, &mut true)
    }

    /// Goes through a list that is ready. `cacheable` becomes false if a list in it may say something else next time.
    pub fn text(
        &mut self,
        ctx: &mut Context,
        list: &Text,
        original: &BStr,
        label: Option<&str>,
        data: &mut Option<Text>,
        cacheable: &mut bool,
    ) -> Match {
        let Some(label) = label else { return self.items(ctx, vec![list.clone()], original, None, data, cacheable) };
        crate::hdebug!(ctx, LISTS, "{} in {label}?", self.tester.shown());
        ctx.scratch.debug_level += 1;
        let all = items(list).map(|i| list.piece(Vec::from(i))).collect();
        let result = self.items(ctx, all, original, Some(label), data, cacheable);
        ctx.scratch.debug_level = ctx.scratch.debug_level.saturating_sub(1);
        result
    }

    fn items(
        &mut self,
        ctx: &mut Context,
        all: Vec<Text>,
        original: &BStr,
        label: Option<&str>,
        data: &mut Option<Text>,
        cacheable: &mut bool,
    ) -> Match {
        let mut unknown = Unknown::default();
        // What the last item would have said: at the end of the list the answer is the opposite.
        let mut positive = true;
        for item in all {
            if label.is_some() {
                crate::hdebug!(ctx, LISTS, "list element: {item}");
            }
            let whole = item.clone();
            if &item[..] == b"+caseful" && matches!(self.kind, Some(ListKind::Address | ListKind::LocalPart)) {
                self.tester.caseful();
                continue;
            }
            if self.kind == Some(ListKind::Host) && unknown.set(&item) {
                continue;
            }
            let (item, negated) = negation(item);
            positive = !negated;
            let result = if item.starts_with(b"/") {
                self.file(ctx, &item, original, &mut positive, &unknown, data)
            } else if let (Some(name), Some(kind)) = (item.strip_prefix(b"+"), self.kind) {
                match self.named(ctx, kind, name, data, cacheable) {
                    Match::Yes => Some(Match::Yes),
                    Match::No => None,
                    defer => return defer,
                }
                .map(|m| flip(m, positive))
            } else {
                self.item(ctx, &item, positive, &unknown, data)
            };
            if let Some(result) = result {
                if let Some(label) = label {
                    match result {
                        Match::Yes => crate::hdebug!(ctx, LISTS, "{} in {label}? yes (matched \"{whole}\")", self.tester.shown()),
                        Match::No => crate::hdebug!(ctx, LISTS, "{} in {label}? no (matched \"{whole}\")", self.tester.shown()),
                        Match::Defer(_) => {}
                    }
                }
                return result;
            }
        }
        let result = if positive { Match::No } else { Match::Yes };
        if let Some(label) = label {
            ctx.scratch.debug_level = ctx.scratch.debug_level.saturating_sub(1);
            let said = if result == Match::Yes { "yes" } else { "no" };
            crate::hdebug!(ctx, LISTS, "{} in {label}? {said} (end of list)", self.tester.shown());
            ctx.scratch.debug_level += 1;
        }
        result
    }

    // One item: an answer for the whole list, or none.
    fn item(
        &mut self,
        ctx: &mut Context,
        item: &Text,
        positive: bool,
        unknown: &Unknown,
        data: &mut Option<Text>,
    ) -> Option<Match> {
        match self.tester.test(ctx, item) {
            Answer::Yes(found) => {
                *data = found;
                Some(flip(Match::Yes, positive))
            }
            Answer::No => None,
            Answer::Defer(message) => {
                let message = message.unwrap_or_else(|| format!("DNS lookup of \"{item}\" deferred"));
                if unknown.ignore_defer {
                    return None;
                }
                if unknown.include_defer {
                    log::write(ctx, None, Which::MAIN, format!("{message}: accepted by +include_defer").as_bytes());
                    return Some(Match::Yes);
                }
                Some(Match::Defer(message))
            }
            Answer::Unknown(_) if unknown.ignore => None,
            Answer::Unknown(message) if unknown.include => {
                log::write(ctx, None, Which::MAIN, format!("{message}: accepted by +include_unknown").as_bytes());
                Some(Match::Yes)
            }
            Answer::Unknown(message) => {
                let text = format!("list matching forced to fail: {message}");
                log::write(ctx, Some(Selector::UnknownInList), Which::MAIN, text.as_bytes());
                Some(Match::No)
            }
        }
    }

    // Each line of the file is an item; no files or named lists within.
    fn file(
        &mut self,
        ctx: &mut Context,
        name: &Text,
        original: &BStr,
        positive: &mut bool,
        unknown: &Unknown,
        data: &mut Option<Text>,
    ) -> Option<Match> {
        if name.is_tainted() {
            let text = format!("Tainted filename '{name}'");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            return Some(Match::Defer(text));
        }
        let content = match std::fs::read(std::path::Path::new(std::ffi::OsStr::from_bytes(name))) {
            Ok(c) => c,
            Err(e) => {
                let text = crate::matching::special::open_failed(&format!("{name} when checking \"{original}\""), &e);
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
                return Some(Match::Defer(text));
            }
        };
        let listed = *positive;
        for line in content.lines() {
            let line = self.without_comment(line);
            if line.is_empty() {
                continue;
            }
            let (item, negated) = negation(Text::clean(line));
            *positive = listed != negated;
            if let Some(result) = self.item(ctx, &item, *positive, unknown, data) {
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
        line.get(..end).unwrap_or_default().trim()
    }

    fn named(&mut self, ctx: &mut Context, kind: ListKind, name: &[u8], data: &mut Option<Text>, cacheable: &mut bool) -> Match {
        let config = ctx.config.clone();
        let Some(list) = config.named_list(kind, name) else {
            let kind = match kind {
                ListKind::Domain => " domain",
                ListKind::Host => " host",
                ListKind::Address => " address",
                ListKind::LocalPart => " local part",
            };
            let text = format!("unknown named{kind} list \"+{}\"", name.as_bstr());
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            return Match::Defer(text);
        };
        if self.depth >= MAX_DEPTH {
            return Match::Defer(format!("lists are nested too deeply at \"+{}\"", name.as_bstr()));
        }
        // Expansion may give something else each time.
        let mut fixed = list.cache || !list.text.raw().contains(&b'$');
        let key = self.tester.key();
        if fixed && let Some((yes, found)) = ctx.services.lists.get(list.id, &key) {
            *data = found;
            return if yes { Match::Yes } else { Match::No };
        }
        let subject = match &self.tester {
            Tester::String(t) if kind == ListKind::Domain => Some(t.subject().clone()),
            _ => None,
        };
        let text = match expand_list(ctx, &list.text, subject.as_ref()) {
            Ok(Some(t)) => t,
            Ok(None) => return Match::No,
            Err(m) => return Match::Defer(m),
        };
        self.depth += 1;
        let mut found = None;
        let mut inner = true;
        let label = format!("\"{}\"", list.text.raw().as_bstr());
        ctx.scratch.debug_level += 2;
        let result = self.text(ctx, &text, list.text.raw().as_bstr(), Some(&label), &mut found, &mut inner);
        ctx.scratch.debug_level = ctx.scratch.debug_level.saturating_sub(2);
        self.depth -= 1;
        fixed &= inner || list.cache;
        *cacheable &= fixed;
        if fixed && !matches!(result, Match::Defer(_)) {
            ctx.services.lists.set(list.id, key, (result == Match::Yes, found.clone()));
        }
        if result == Match::Yes {
            *data = found;
        }
        result
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
        Err(ExpandError::Forced(_)) => Ok(None),
        Err(e) => {
            let text = format!("failed to expand \"{}\" while checking a list: {e}", template.raw().as_bstr());
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            Err(text)
        }
    }
}

fn flip(found: Match, positive: bool) -> Match {
    match found {
        Match::Yes if !positive => Match::No,
        m => m,
    }
}

fn negation(item: Text) -> (Text, bool) {
    match item.strip_prefix(b"!") {
        Some(rest) => (item.piece(rest.trim_start()), true),
        None => (item, false),
    }
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

//! Forward lists: what `.forward` files, alias files and the `data` of redirect routers hold.
//!
//! Gives typed items; qualifying, rewriting and the permission to use pipes and files are the router's part.
//! It opens `:include:` files, no others.

use std::os::fd::{AsFd, OwnedFd};

use bstr::{BString, ByteSlice};

use super::address::{Rules, extract_address};
use super::address_end::find_address_end;
use super::is_space;
use crate::parse::Space as _;
use crate::sys::file::{self, Dir, Flags};

/// The largest file taken by `:include:` (and as a filter), bytes.
pub const MAX_FILE: u64 = 1024 * 1024;

/// Files may include files, but not for ever.
const MAX_DEPTH: u32 = 32;

/// What is allowed, and what is needed to read the list.
#[derive(Clone, Debug, Default)]
pub struct ForwardOptions<'a> {
    /// `:fail:` is allowed (`allow_fail`).
    pub allow_fail: bool,
    /// `:defer:` is allowed (`allow_defer`).
    pub allow_defer: bool,
    /// `:blackhole:` is forbidden (`forbid_blackhole`).
    pub forbid_blackhole: bool,
    /// `:include:` is forbidden (`forbid_include`).
    pub forbid_include: bool,
    /// Included files must lie in this directory and be reached without symbolic links (`include_directory`).
    pub directory: Option<&'a [u8]>,
    /// The domain of the address that is redirected: `\name` is qualified with it.
    pub incoming_domain: &'a [u8],
    /// Syntax errors are collected, not fatal (`skip_syntax_errors`).
    pub skip_syntax_errors: bool,
    /// The list came from outside: files that it names are not opened.
    pub tainted: bool,
    /// How addresses are read.
    pub rules: Rules,
}

/// One item of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardItem {
    /// An address; not yet rewritten; without a domain if `qualified` is false.
    Address {
        /// The address.
        address: BString,
        /// It has a domain.
        qualified: bool,
    },
    /// `|command`, with the bar; the quotes round it and their escapes are gone.
    Pipe(BString),
    /// `/file` or `/directory/`, likewise.
    File(BString),
}

/// A syntax error that was skipped: the message, and the item it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedError {
    /// The message.
    pub message: String,
    /// The item.
    pub item: BString,
}

/// The items, and the errors that were skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardList {
    /// In the order of the list. The reference routes the children in the reverse of this order.
    pub items: Vec<ForwardItem>,
    /// With `skip_syntax_errors` only.
    pub errors: Vec<SkippedError>,
}

/// What ends a list before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardEnd {
    /// `:fail: text`
    Fail(BString),
    /// `:defer: text`
    Defer(BString),
    /// `:blackhole:`
    Blackhole,
    /// An included file could not be opened: the router defers.
    IncludeFailed(String),
    /// The list is wrong: the router defers.
    Error(String),
}

/// Could the list include files?
pub fn mentions_include(text: &[u8]) -> bool {
    text.find(b":include:").is_some()
}

/// Reads a list. An empty one gives no items (the router declines then), unless errors were skipped.
pub fn parse_forward_list(options: &ForwardOptions<'_>, text: &[u8]) -> Result<ForwardList, ForwardEnd> {
    let mut list = ForwardList::default();
    read_list(options, text, &mut list, 0)?;
    Ok(list)
}

fn read_list(options: &ForwardOptions<'_>, text: &[u8], list: &mut ForwardList, depth: u32) -> Result<(), ForwardEnd> {
    let end = text.iter().position(|c| *c == 0).unwrap_or(text.len());
    let mut rest = text.get(..end).unwrap_or_default();
    loop {
        while rest.first().is_some_and(|c| is_space(*c) || *c == b',') {
            rest = rest.get(1..).unwrap_or_default();
        }
        if rest.first() == Some(&b'#') {
            rest = rest.find_byte(b'\n').and_then(|i| rest.get(i..)).unwrap_or_default();
            continue;
        }
        if rest.is_empty() {
            return Ok(());
        }
        let len = find_address_end(rest, true);
        let mut item = rest.get(..len).unwrap_or_default().trim_space_end();
        let mut inquote = false;
        if item.len() > 1 && item.starts_with(b"\"") && item.ends_with(b"\"") {
            inquote = true;
            item = trim(item.get(1..item.len() - 1).unwrap_or_default());
        }
        if let Some(end) = special(options, item, rest) {
            return Err(end);
        }
        if item == b":unknown:" {
            // Nothing: for old alias files.
        } else if let Some(name) = item.strip_prefix(b":include:") {
            include(options, trim(name), list, depth)?;
        } else {
            read_item(options, item, inquote, list)?;
        }
        rest = rest.get(len..).unwrap_or_default();
    }
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_space()
}

// `:fail:`, `:defer:`, `:blackhole:`: the text goes to the end of the line, commas or not.
fn special(options: &ForwardOptions<'_>, item: &[u8], rest: &[u8]) -> Option<ForwardEnd> {
    let names: [(&[u8], bool); 3] =
        [(b":fail:", options.allow_fail), (b":defer:", options.allow_defer), (b":blackhole:", !options.forbid_blackhole)];
    let (name, allowed) = names.into_iter().find(|(n, _)| item.starts_with(n))?;
    if !allowed {
        return Some(ForwardEnd::Error(format!("\"{}\" is not permitted", item.as_bstr())));
    }
    let from = rest.find(name).map_or(0, |i| i + name.len());
    let line = rest.get(from..).unwrap_or_default();
    let line = line.get(..line.find_byte(b'\n').unwrap_or(line.len())).unwrap_or_default();
    let begin = line.iter().position(|c| !is_space(*c)).unwrap_or(line.len());
    let message = BString::from(line.get(begin..).unwrap_or_default());
    Some(match name {
        b":fail:" => ForwardEnd::Fail(message),
        b":defer:" => ForwardEnd::Defer(message),
        _ => ForwardEnd::Blackhole,
    })
}

fn read_item(options: &ForwardOptions<'_>, item: &[u8], inquote: bool, list: &mut ForwardList) -> Result<(), ForwardEnd> {
    // `\name`: that local part at the incoming domain, as it is.
    if let Some(name) = item.strip_prefix(b"\\")
        && let Ok(found) = extract_address(&mut options.rules.clone(), name)
        && !found.is_qualified()
    {
        let mut address = found.address;
        address.push(b'@');
        address.extend_from_slice(options.incoming_domain);
        list.items.push(ForwardItem::Address { address, qualified: true });
        return Ok(());
    }
    let parsed = extract_address(&mut options.rules.clone(), item);
    // A name that starts with a slash or bar and yet is a good address with a domain is one (X.400).
    if matches!(item.first(), Some(b'|' | b'/')) && !parsed.as_ref().is_ok_and(|a| a.is_qualified()) {
        let text = if inquote { unescape(item) } else { item.into() };
        list.items.push(if item.starts_with(b"|") { ForwardItem::Pipe(text) } else { ForwardItem::File(text) });
        return Ok(());
    }
    match parsed {
        Ok(found) => {
            let qualified = found.is_qualified();
            list.items.push(ForwardItem::Address { address: found.address, qualified });
        }
        // People use empty addresses with comments as comments.
        Err(e) if e == "empty address" => {}
        Err(message) if options.skip_syntax_errors => list.errors.push(SkippedError { message, item: item.into() }),
        Err(message) => return Err(ForwardEnd::Error(format!("{message} in \"{}\"", item.as_bstr()))),
    }
    Ok(())
}

fn unescape(text: &[u8]) -> BString {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&c) = rest.next() {
        if c == b'\\' {
            out.extend(rest.next());
        } else {
            out.push(c);
        }
    }
    out.into()
}

fn include(options: &ForwardOptions<'_>, name: &[u8], list: &mut ForwardList, depth: u32) -> Result<(), ForwardEnd> {
    let shown = name.as_bstr();
    let wrong = |text: String| Err(ForwardEnd::Error(text));
    if name.is_empty() {
        return wrong("file name missing after :include:".into());
    }
    if name.len() > 255 {
        return wrong(format!("included file name \"{shown}\" is too long"));
    }
    if !name.starts_with(b"/") {
        return wrong(format!("included file \"{shown}\" is not an absolute path"));
    }
    if options.forbid_include {
        return wrong("included files not permitted".into());
    }
    if options.tainted {
        return wrong(format!("Tainted name '{shown}' for included file  not permitted\n"));
    }
    if depth >= MAX_DEPTH {
        return wrong(format!("included file {shown}: files are included too deeply"));
    }
    let fd = match options.directory {
        Some(directory) => open_beneath(directory, name)?,
        None => file::open(name, Flags::READ, 0).map_err(|e| {
            let text = crate::sys::error_text(&e);
            ForwardEnd::IncludeFailed(format!("failed to open included file {shown}: {text}"))
        })?,
    };
    let stat = file::fstat(fd.as_fd()).map_err(|e| {
        ForwardEnd::IncludeFailed(format!("failed to stat included file {shown}: {}", crate::sys::error_text(&e)))
    })?;
    if let Some(directory) = options.directory
        && !stat.is_file()
    {
        return wrong(format!("included file {shown} is not a regular file in the {} directory", directory.as_bstr()));
    }
    let too_big = || ForwardEnd::Error(format!("included file {shown} is too big (max {MAX_FILE})"));
    if u64::try_from(stat.size).unwrap_or(0) > MAX_FILE {
        return Err(too_big());
    }
    let mut content = Vec::new();
    let mut reader = std::io::Read::take(std::fs::File::from(fd), MAX_FILE + 1);
    std::io::Read::read_to_end(&mut reader, &mut content)
        .map_err(|e| ForwardEnd::Error(format!("error while reading included file {shown}: {}", crate::sys::error_text(&e))))?;
    if content.len() as u64 > MAX_FILE {
        return Err(too_big());
    }
    read_list(options, &content, list, depth + 1)
}

// Goes down from the directory one name at a time, following no symbolic link.
fn open_beneath(directory: &[u8], name: &[u8]) -> Result<OwnedFd, ForwardEnd> {
    let shown = name.as_bstr();
    let base = directory.trim_end_with(|c| c == '/');
    let Some(below) = name.strip_prefix(base).and_then(|r| r.strip_prefix(b"/")) else {
        return Err(ForwardEnd::Error(format!("included file {shown} is not in directory {}", directory.as_bstr())));
    };
    let component = |_| ForwardEnd::Error(format!("failed to open {shown} (component of included file); could be symbolic link"));
    let mut dir = Dir::open(if base.is_empty() { b"/" } else { base }).map_err(|e| {
        let text = crate::sys::error_text(&e);
        ForwardEnd::IncludeFailed(format!("failed to open directory {}: {text}", directory.as_bstr()))
    })?;
    let mut parts = below.split(|c| *c == b'/').filter(|p| !p.is_empty()).peekable();
    while let Some(part) = parts.next() {
        if part == b".." {
            return Err(ForwardEnd::Error(format!("included file {shown} is not in directory {}", directory.as_bstr())));
        }
        if parts.peek().is_some() {
            dir = dir.open_dir(part).map_err(component)?;
        } else {
            return dir.open_at(part, Flags::READ, 0).map_err(component);
        }
    }
    Err(ForwardEnd::Error(format!("included file {shown} is not a regular file in the {} directory", directory.as_bstr())))
}

//! Header lines: each address in them is qualified and rewritten.

use bstr::{BString, ByteSlice};

use super::one::{self, Target};
use super::rule::RewriteRule;
use super::{body_start, qualify};
use crate::context::{Context, Header, HeaderKind};
use crate::log::{self, Selector, Which};
use crate::parse::{self, Rules, is_space};
use crate::text::Text;

/// A line longer than this gets a line break before what follows a changed address.
const LINE_LENGTH: usize = 40;

/// Qualifies and rewrites the addresses of a header line with these rules; `None` if nothing has changed, or if it is not
/// a line with addresses.
pub fn rewrite_header(ctx: &mut Context, header: &Header, rules: &[RewriteRule]) -> Option<Header> {
    let target = target(header.kind)?;
    walk(ctx, header, &How::Rules(rules, target))
}

/// The same with the rules of the rewrite section, while a message is received: the new text.
pub fn header_line(ctx: &mut Context, header: &Header) -> Option<BString> {
    let config = ctx.config.clone();
    rewrite_header(ctx, header, &config.rewrite).map(|h| h.text)
}

/// A router found that the domain of an address is really another: header lines are changed to it. The old lines are kept
/// as deleted ones.
pub fn rewrite_header_domain(ctx: &mut Context, old: &Text, new: &[u8]) {
    let headers = std::mem::take(&mut ctx.message.headers);
    let mut out = Vec::with_capacity(headers.len() + 1);
    for h in headers {
        match target(h.kind).and_then(|_| walk(ctx, &h, &How::Domain(old, new))) {
            Some(changed) => {
                out.push(Header { kind: HeaderKind::Old, text: h.text });
                out.push(changed);
            }
            None => out.push(h),
        }
    }
    ctx.message.headers = out;
}

fn target(kind: HeaderKind) -> Option<Target> {
    Some(match kind {
        HeaderKind::Sender => Target::Sender,
        HeaderKind::From => Target::From,
        HeaderKind::To => Target::To,
        HeaderKind::Cc => Target::Cc,
        HeaderKind::Bcc => Target::Bcc,
        HeaderKind::ReplyTo => Target::ReplyTo,
        _ => return None,
    })
}

enum How<'a> {
    Rules(&'a [RewriteRule], Target),
    /// This domain becomes that one.
    Domain(&'a [u8], &'a [u8]),
}

fn walk(ctx: &mut Context, header: &Header, how: &How<'_>) -> Option<Header> {
    let line: &[u8] = &header.text;
    let mut rules = Rules::header(&ctx.config.main);
    rules.allow_utf8_domains |= ctx.message.smtputf8;
    let mut out = BString::default();
    let mut copied = 0;
    let mut at = body_start(line);
    while at < line.len() {
        let end = at + parse::find_address_end(line.get(at..).unwrap_or_default(), false);
        let item = line.get(at..end).unwrap_or_default();
        let mut next = (end + 1).min(line.len());
        next += line.get(next..).unwrap_or_default().iter().take_while(|c| is_space(**c)).count();
        let begin = at;
        at = next;
        let found = match parse::extract_address(&mut rules, item) {
            Ok(f) => f,
            Err(e) => {
                if e != "empty address" {
                    log::write(ctx, None, Which::MAIN, format!("qualify/rewrite: {e}").as_bytes());
                }
                continue;
            }
        };
        let Some((new, whole)) = change(ctx, how, &found) else { continue };
        let item_begin = begin + found.group_end;
        let item_begin = item_begin + line.get(item_begin..).unwrap_or_default().iter().take_while(|c| is_space(**c)).count();
        let (from, to) = if whole { (item_begin, end) } else { (begin + found.start, begin + found.end) };
        // What ends an item that is replaced whole is kept: a group's end, a newline.
        let to = if whole { begin + item.trim_end_with(|c| c.is_ascii_whitespace() || c == ';').len() } else { to };
        out.extend_from_slice(line.get(copied..from).unwrap_or_default());
        out.extend_from_slice(&new);
        out.extend_from_slice(line.get(to..next).unwrap_or_default());
        copied = next;
        let line_start = out.rfind_byte(b'\n').map_or(0, |i| i + 1);
        if next < line.len() && out.len() - line_start > LINE_LENGTH {
            out.extend_from_slice(b"\n\t");
        }
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(line.get(copied..).unwrap_or_default());
    Some(Header { kind: header.kind, text: out })
}

// The new text, and whether it stands for the whole item; `None` if nothing changes.
fn change(ctx: &mut Context, how: &How<'_>, found: &parse::Extracted) -> Option<(Vec<u8>, bool)> {
    match how {
        How::Domain(old, new) => {
            if !found.is_qualified() || !found.domain().eq_ignore_ascii_case(old) {
                return None;
            }
            let local = found.local_part();
            let address = [local, b"@", new].concat();
            let text = format!("\"{}@{}\" rewritten by router as \"{}\"", local.as_bstr(), old.as_bstr(), address.as_bstr());
            log::write(ctx, Some(Selector::AddressRewrite), Which::MAIN, text.as_bytes());
            Some((address, false))
        }
        How::Rules(rules, target) => {
            let is_recipient = !matches!(target, Target::Sender | Target::From | Target::ReplyTo);
            let given = Text::tainted(found.address.clone());
            let may = if is_recipient { ctx.session.allow_unqualified_recipient } else { ctx.session.allow_unqualified_sender };
            if !found.is_qualified() && !may {
                return None;
            }
            let qualified = qualify(ctx, &given, is_recipient);
            let new = one::rewrite(ctx, rules, &qualified, *target, true, &mut Vec::new());
            let changed = new.changed || qualified != given;
            changed.then(|| (new.text.into_bytes(), new.whole))
        }
    }
}

//! The `headers` command: the character set for `$h_`, and (in system filters) changes of the header.

use bstr::{BString, ByteSlice};

use super::ast::HeadersOp;
use super::run::{Flow, Runner, not_expanded, shown};
use crate::context::{Context, Header, HeaderKind};
use crate::expand::{self, ExpandError, Template};
use crate::parse::list;
use crate::receive::kinds::{self, Name};

/// Does what the command says.
pub(super) fn obey(r: &mut Runner<'_>, op: HeadersOp, value: &Template) -> Flow {
    let text = match expand::expand(r.ctx, value) {
        Ok(text) => text,
        // Nothing is added then.
        Err(ExpandError::Forced(_)) => return Ok(()),
        Err(e) => return Err(not_expanded(value, "headers command", &e)),
    };
    if r.job.testing {
        let word = match op {
            HeadersOp::Charset => "charset",
            HeadersOp::Add => "add",
            HeadersOp::Remove => "remove",
        };
        let text = shown(r.ctx, &text);
        r.say(format!("Headers {word} \"{text}\""));
    }
    match op {
        HeadersOp::Charset => r.ctx.scratch.headers_charset = Some(text.into_bytes().into()),
        HeadersOp::Add => add(r.ctx, text.trim_start()),
        HeadersOp::Remove => list::items(&text).for_each(|name| remove(r.ctx, &name)),
    }
    Ok(())
}

/// Adds lines at the end. A newline that white space follows continues a line.
fn add(ctx: &mut Context, text: &[u8]) {
    let mut lines: Vec<BString> = Vec::new();
    for line in text.split_str("\n").filter(|l| !l.is_empty()) {
        match lines.last_mut() {
            Some(last) if matches!(line.first(), Some(b' ' | b'\t')) => last.extend_from_slice(line),
            _ => lines.push(line.into()),
        }
        if let Some(last) = lines.last_mut() {
            last.push(b'\n');
        }
    }
    ctx.message.headers.extend(lines.into_iter().map(line));
}

/// A header line of the kind that its name says.
pub fn line(text: BString) -> Header {
    let kind = match kinds::classify(&text) {
        // A date is no kind of the spool file.
        Name::Kind(k) if k != HeaderKind::Date => k,
        _ => HeaderKind::Other,
    };
    Header { kind, text }
}

/// Removes all lines of a name. They stay with the message, marked.
fn remove(ctx: &mut Context, name: &[u8]) {
    for h in ctx.message.headers.iter_mut().filter(|h| kinds::name_of(&h.text).eq_ignore_ascii_case(name)) {
        h.kind = HeaderKind::Old;
    }
}

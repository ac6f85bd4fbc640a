//! `logwrite` and `log_reject_target`.

use bstr::ByteSlice;

use super::messages::log_topbit;
use super::{Verdict, Where};
use crate::context::Context;
use crate::log::{self, Which};
use crate::parse::list;
use crate::text::Text;

fn log_name(name: &[u8]) -> Option<Which> {
    match name {
        b"main" => Some(Which::MAIN),
        b"panic" => Some(Which::PANIC),
        b"reject" => Some(Which::REJECT),
        _ => None,
    }
}

fn join(logs: Option<Which>, more: Which) -> Option<Which> {
    Some(logs.map_or(more, |w| w.and(more)))
}

/// Writes a line at once; `:main,reject:` at its start says where.
pub fn write(ctx: &mut Context, place: Where, arg: &Text) -> Verdict {
    let mut text = arg.to_vec();
    let mut logs = None;
    if let Some(rest) = arg.strip_prefix(b":") {
        let end = rest.find_byte(b':').unwrap_or(rest.len());
        text = rest.get(end + 1..).unwrap_or_default().to_vec();
        let mut names = rest.get(..end).unwrap_or_default();
        while !names.is_empty() {
            let known = [&b"main"[..], b"panic", b"reject"].into_iter().find(|n| names.starts_with(n));
            match known {
                Some(n) => {
                    logs = log_name(n).and_then(|w| join(logs, w));
                    names = names.get(n.len()..).unwrap_or_default();
                }
                None => {
                    logs = Some(Which::MAIN.and(Which::PANIC));
                    text = format!("unknown log name in \"{arg}\" in \"logwrite\" in {} ACL", place.name()).into();
                    break;
                }
            }
            names = names.strip_prefix(b",").unwrap_or(names);
        }
    }
    // Tabs stay as they are.
    let pieces = text.trim_start().split(|c| *c == b'\t');
    let line = bstr::join(b"\t", pieces.map(|p| log::escape::printing(p, log_topbit(ctx))));
    log::write(ctx, None, logs.unwrap_or(Which::MAIN), &line);
    Verdict::Ok
}

/// Where the line of a rejection goes.
pub fn reject_target(ctx: &mut Context, place: Where, arg: &Text) -> Verdict {
    let mut logs = None;
    for name in list::items(arg) {
        match log_name(&name) {
            Some(w) => logs = join(logs, w),
            None => {
                let line = format!("unknown log name \"{name}\" in \"log_reject_target\" in {} ACL", place.name());
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
                // A mistake must not hide rejections.
                logs = join(logs, Which::MAIN.and(Which::REJECT));
            }
        }
    }
    ctx.acl.log_reject_target = Some(logs);
    Verdict::Ok
}

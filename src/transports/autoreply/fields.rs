//! What an automatic reply says, and to whom: from the filter that asked for it, or from the transport's options.

use bstr::{BString, ByteSlice};

use super::{AutoreplyOptions, Failure};
use crate::config::options::Str;
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob};
use crate::expand::{self, ExpandError, Template};
use crate::matching::{self, Match};
use crate::parse;
use crate::text::Text;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) from: Option<Text>,
    pub(super) reply_to: Option<Text>,
    pub(super) to: Option<Text>,
    pub(super) cc: Option<Text>,
    pub(super) bcc: Option<Text>,
    pub(super) subject: Option<Text>,
    pub(super) headers: Option<Text>,
    pub(super) text: Option<Text>,
    pub(super) file: Option<Text>,
    pub(super) log: Option<Text>,
    pub(super) once: Option<Text>,
    pub(super) once_repeat: i64,
    pub(super) file_expand: bool,
    pub(super) file_optional: bool,
    pub(super) return_message: bool,
}

/// How a value is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Anything goes.
    Text,
    /// A header line's content.
    Header,
    /// A file's name.
    File,
}

impl Fields {
    /// Works them out. `None`: nobody is left to be answered.
    pub(super) fn of(ctx: &mut Context, o: &AutoreplyOptions, job: &mut LocalJob<'_>) -> Result<Option<Fields>, Failure> {
        let name = job.transport.name.clone();
        let mut f = match job.batch.first().and_then(|a| a.reply.clone()) {
            Some(r) => {
                let get = |n: &str| r.fields.get(n).filter(|t| !t.is_empty()).cloned();
                Fields {
                    from: get("from"),
                    reply_to: get("reply_to"),
                    to: get("to"),
                    cc: get("cc"),
                    bcc: get("bcc"),
                    subject: get("subject"),
                    headers: get("headers"),
                    text: get("text"),
                    file: get("file"),
                    log: get("log").or_else(|| get("logfile")),
                    once: get("once").or_else(|| get("oncelog")),
                    once_repeat: r.once_repeat,
                    file_expand: r.file_expand,
                    file_optional: false,
                    return_message: r.return_message,
                }
            }
            None => {
                let mut get = |name_of: &str, value: &Str, check: Check| expanded(ctx, &name, name_of, value, check);
                let mut f = Fields {
                    from: get("from", &o.from, Check::Header)?,
                    reply_to: get("reply_to", &o.reply_to, Check::Header)?,
                    to: get("to", &o.to, Check::Header)?,
                    cc: get("cc", &o.cc, Check::Header)?,
                    bcc: get("bcc", &o.bcc, Check::Header)?,
                    subject: get("subject", &o.subject, Check::Header)?,
                    headers: get("headers", &o.headers, Check::Text)?,
                    text: get("text", &o.text, Check::Text)?,
                    file: get("file", &o.file, Check::File)?,
                    log: get("log", &o.log, Check::File)?,
                    once: get("once", &o.once, Check::File)?,
                    once_repeat: 0,
                    file_expand: o.file_expand,
                    file_optional: o.file_optional,
                    return_message: o.return_message,
                };
                if let Some(t) = get("once_repeat", &o.once_repeat, Check::File)?.filter(|_| o.once.is_set()) {
                    f.once_repeat = crate::config::values::parse_interval(&t).ok_or_else(|| {
                        Failure::fail(format!("Invalid time value \"{t}\" for \"once_repeat\" in {name} transport"))
                    })?;
                }
                f
            }
        };
        for (what, path) in [("file", &f.file), ("log", &f.log), ("once", &f.once)] {
            if let Some(p) = path.as_ref().filter(|p| p.is_tainted()) {
                let message = format!("Tainted '{p}' ({what} for {name} transport) not permitted");
                return Err(Failure { status: DeliveryStatus::Panic, errno: 0, message });
            }
        }
        if let Some(list) = o.never_mail.get() {
            let never = match expand::expand(ctx, list) {
                Ok(t) => t,
                Err(e) => {
                    let text = format!("Failed to expand \"{}\" for never_mail: {e}", list.raw().as_bstr());
                    return Err(Failure { status: DeliveryStatus::Defer, errno: 0, message: text });
                }
            };
            let template = Template::new(&never);
            for field in [&mut f.to, &mut f.cc, &mut f.bcc] {
                if let Some(text) = field.take() {
                    *field = without(ctx, &text, &template);
                }
            }
            if f.to.is_none() && f.cc.is_none() && f.bcc.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(f))
    }
}

fn expanded(ctx: &mut Context, transport: &BString, name: &str, value: &Str, check: Check) -> Result<Option<Text>, Failure> {
    let Some(t) = value.get() else { return Ok(None) };
    let text = match expand::expand(ctx, t) {
        Ok(text) => text,
        Err(e) => {
            let status = if matches!(e, ExpandError::Defer(_)) { DeliveryStatus::Defer } else { DeliveryStatus::Fail };
            let message = format!("Expansion of \"{}\" failed in {transport} transport: {e}", t.raw().as_bstr());
            return Err(Failure { status, errno: 0, message });
        }
    };
    let _ = name;
    if check != Check::Text {
        for (i, c) in text.iter().enumerate() {
            let folded = *c == b'\n' && matches!(text.get(i + 1), Some(b' ' | b'\t'));
            let printable = (b' '..0x7f).contains(c) || (*c >= 0x80 && ctx.config.site.log.topbit);
            if printable || (check == Check::Header && (folded || *c == b'\t')) {
                continue;
            }
            let message =
                format!("Expansion of \"{}\" in {transport} transport contains non-printing character {c}", t.raw().as_bstr());
            return Err(Failure::fail(message));
        }
    }
    Ok(Some(text).filter(|t| !t.is_empty()))
}

/// The addresses of a header field that are not in the list.
fn without(ctx: &mut Context, field: &Text, never: &Template) -> Option<Text> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut hit = false;
    let mut rest: &[u8] = field;
    while !rest.is_empty() {
        let end = parse::find_address_end(rest, false).min(rest.len());
        let (one, tail) = rest.split_at(end);
        rest = tail.strip_prefix(b",").unwrap_or(tail);
        if tail.len() == rest.len() && !tail.is_empty() {
            // A terminator that is no comma.
            rest = rest.get(1..).unwrap_or_default();
        }
        let Ok(found) = parse::extract_address(&mut crate::parse::Rules::new(&ctx.config.main), one) else {
            kept.push(one);
            continue;
        };
        let address = Text::tainted(found.address.to_vec());
        if matching::match_address(ctx, &address, never, None) == Match::Yes {
            hit = true;
        } else {
            kept.push(one);
        }
    }
    if !hit {
        return Some(field.clone());
    }
    let joined = bstr::join(b",", kept);
    let joined = joined.trim();
    (!joined.is_empty()).then(|| field.piece(joined))
}

//! The texts of `message` and `log_message`: when they count, how they join what conditions have said, and what
//! `warn` does with them.

use bstr::ByteSlice;

use super::ast::Verb;
use super::{Verdict, Where, headers};
use crate::context::Context;
use crate::context::names::host_and_ident;
use crate::expand::{self, ExpandError, Template};
use crate::log::{self, Which};
use crate::text::Text;

/// What is to be told.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    /// To the peer.
    pub user: Option<Text>,
    /// To the log.
    pub log: Option<Text>,
    /// The log's text is only the user's, by default.
    pub log_is_user: bool,
}

impl Messages {
    /// Only for the log.
    pub fn log_only(text: impl crate::text::IntoBytes) -> Self {
        Messages { log: Some(Text::clean(text)), ..Messages::default() }
    }

    /// Sets the text for the log.
    pub fn set_log(&mut self, text: Text) {
        self.log = Some(text);
        self.log_is_user = false;
    }

    /// Sets both.
    pub fn set_both(&mut self, text: Text) {
        self.user = Some(text.clone());
        self.log = Some(text);
        self.log_is_user = true;
    }
}

/// Are the statement's messages for this verdict?
fn relevant(verb: Verb, verdict: Verdict) -> bool {
    let fails = matches!(verdict, Verdict::Fail | Verdict::FailDrop);
    match verb {
        Verb::Accept | Verb::Discard => verdict == Verdict::Ok || fails,
        Verb::Defer | Verb::Deny | Verb::Drop | Verb::Warn => verdict == Verdict::Ok,
        Verb::Require => fails,
    }
}

/// Expands the messages of a statement, if they are for this verdict. `message` replaces what a condition has said to the
/// peer, `log_message` goes before what it has said to the log; `$acl_verify_message` is what it said.
pub fn apply(
    ctx: &mut Context,
    verb: Verb,
    verdict: Verdict,
    message: Option<&Template>,
    log_message: Option<&Template>,
    m: &mut Messages,
) {
    if relevant(verb, verdict) {
        let old_user = m.user.clone();
        let old_log = m.log.clone().or_else(|| old_user.clone());
        let accepts = verdict == Verdict::Ok && matches!(verb, Verb::Accept | Verb::Discard);
        if verb == Verb::Warn || accepts {
            *m = Messages::default();
        }
        if let Some(template) = message {
            // What a condition has kept back from the peer may still be told on purpose.
            if old_user.is_some() {
                ctx.acl.verify_message = old_user;
            }
            if let Some(text) = expand_message(ctx, template) {
                m.user = Some(text);
                if m.log_is_user {
                    m.log_is_user = false;
                }
            }
        }
        if let Some(template) = log_message {
            ctx.acl.verify_message = old_log;
            if let Some(mut text) = expand_message(ctx, template) {
                if let Some(old) = m.log.take() {
                    text.push_bytes(b": ");
                    text.push(&old);
                }
                m.set_log(text);
            }
        }
        if m.log.is_none() {
            m.log = m.user.clone();
            m.log_is_user = true;
        }
    }
    ctx.acl.verify_message = None;
}

fn expand_message(ctx: &mut Context, template: &Template) -> Option<Text> {
    match expand::expand(ctx, template) {
        Ok(t) if t.is_empty() => None,
        Ok(t) => Some(t),
        Err(ExpandError::Forced(_)) => None,
        Err(e) => {
            let line = format!("failed to expand ACL message \"{}\": {e}", template.raw().as_bstr());
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            None
        }
    }
}

/// `warn` with all conditions true: the log message is logged, once for each message; the other one is a header line.
pub fn warn(ctx: &mut Context, place: Where, m: &Messages) {
    if let Some(text) = m.log.as_ref().filter(|_| !m.log_is_user) {
        let mut line = host_and_ident(ctx, true);
        line.extend_from_slice(b" Warning: ");
        line.extend_from_slice(&log::escape::printing(text, log_topbit(ctx)));
        if text.eq_ignore_ascii_case(b"sender verify failed")
            && let Some(why) = ctx.acl.sender_verify_failed.as_ref().and_then(|f| f.message.as_ref())
        {
            line.extend_from_slice(b": ");
            line.extend_from_slice(why);
        }
        if !ctx.message.acl_warnings.contains(&line) {
            log::write(ctx, None, Which::MAIN, &line);
            ctx.message.acl_warnings.push(line);
        }
    }
    let Some(text) = &m.user else { return };
    if place.has_message() {
        headers::add(ctx, text);
    } else {
        let line = format!(
            "ACL \"warn\" with \"message\" setting found in a non-message ({}) ACL: cannot specify header lines here: message ignored",
            place.name()
        );
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
    }
}

/// `print_topbitchars`
pub fn log_topbit(ctx: &Context) -> bool {
    ctx.config.main.print_topbitchars
}

/// Breaks long lines of an answer: after a colon if there is one in the second half of the first 75 bytes, else at a space.
pub fn split_message(text: Text) -> Text {
    const WIDTH: usize = 75;
    const LEAST: usize = 35;
    if text.len() <= WIDTH {
        return text;
    }
    let mut bytes = text.to_vec();
    let mut start = 0;
    while let Some(rest) = bytes.get(start..).filter(|r| r.len() > WIDTH) {
        if let Some(newline) = rest.iter().take(WIDTH + 1).position(|c| *c == b'\n') {
            start += newline + 1;
            continue;
        }
        let spaces = || (LEAST + 1..=WIDTH).rev().filter(|i| rest[*i] == b' ');
        let at = spaces()
            .find(|i| rest[*i - 1] == b':')
            .or_else(|| spaces().next())
            .or_else(|| (WIDTH + 1..rest.len()).find(|i| matches!(rest[*i], b' ' | b'\n')));
        let Some(at) = at.map(|i| start + i) else { break };
        bytes[at] = b'\n';
        start = at + 1;
    }
    text.piece(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_split() {
        let long = "a".repeat(40) + ": " + &"b".repeat(20) + " " + &"c".repeat(40);
        let split = split_message(Text::clean(long.clone()));
        assert_eq!(split.display(), long.replacen(": ", ":\n", 1));
        let one = "x".repeat(90);
        assert_eq!(split_message(Text::clean(one.clone())).display(), one);
        let later = "x".repeat(90) + " y";
        assert_eq!(split_message(Text::clean(later.clone())).display(), later.replace(' ', "\n"));
    }
}

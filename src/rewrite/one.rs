//! All rules applied to one address.

use bstr::{BString, ByteSlice};

use super::rule::{RewriteRule, Uses};
use crate::context::Context;
use crate::debug;
use crate::expand::{self, ExpandError};
use crate::log::{self, Selector, Which};
use crate::matching::{self, List, Match, Request, Subject};
use crate::parse::{self, Rules};
use crate::text::Text;

/// Where the address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Sender,
    From,
    To,
    Cc,
    Bcc,
    ReplyTo,
    EnvFrom,
    EnvTo,
    /// The same, of an address in a filter: the log is not told.
    Filter,
    SmtpSender,
    SmtpRecipient,
}

impl Target {
    pub fn uses(self) -> Uses {
        match self {
            Target::Sender => Uses::SENDER,
            Target::From => Uses::FROM,
            Target::To => Uses::TO,
            Target::Cc => Uses::CC,
            Target::Bcc => Uses::BCC,
            Target::ReplyTo => Uses::REPLY_TO,
            Target::EnvFrom => Uses::ENV_FROM,
            Target::EnvTo | Target::Filter => Uses::ENV_TO,
            Target::SmtpSender | Target::SmtpRecipient => Uses::SMTP,
        }
    }

    pub fn is_header(self) -> bool {
        Uses::HEADERS.has(self.uses())
    }

    fn is_smtp(self) -> bool {
        matches!(self, Target::SmtpSender | Target::SmtpRecipient)
    }

    fn name(self) -> &'static str {
        match self {
            Target::Sender => "sender:",
            Target::From => "from:",
            Target::To => "to:",
            Target::Cc => "cc:",
            Target::Bcc => "bcc:",
            Target::ReplyTo => "reply-to:",
            Target::EnvFrom => "env-from",
            Target::EnvTo | Target::Filter => "env-to",
            Target::SmtpSender => "smtp sender",
            Target::SmtpRecipient => "smtp recipient",
        }
    }
}

/// What became of it.
pub(super) struct Rewritten {
    /// The new text: an address, or for a `w` rule all of the header's item.
    pub text: Text,
    /// It is the whole item.
    pub whole: bool,
    /// Some rule has changed it.
    pub changed: bool,
}

/// A rule may be applied to its own result this often.
const MAX_REPEATS: u32 = 10;

/// Applies the rules in order. `wants_whole`: it is an item of a header line, and `w` rules may change all of it. The
/// addresses that were replaced are put into `old`.
pub(super) fn rewrite(
    ctx: &mut Context,
    rules: &[RewriteRule],
    address: &Text,
    target: Target,
    wants_whole: bool,
    old: &mut Vec<BString>,
) -> Rewritten {
    let mut state = State {
        subject: address.clone(),
        out: Rewritten { text: address.clone(), whole: false, changed: false },
        place: (0, 0),
        target,
        wants_whole,
    };
    for (i, rule) in rules.iter().enumerate().filter(|(_, r)| r.uses.has(target.uses())) {
        let mut count = 0;
        loop {
            match state.apply(ctx, rule, i + 1, old) {
                Step::Next => break,
                Step::Stop => return state.out,
                Step::Done if rule.quit && !rule.repeat => return state.out,
                Step::Done if rule.repeat => {
                    count += 1;
                    if count > MAX_REPEATS {
                        let text = b"rewrite rule repeat ignored after 10 times";
                        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text);
                        break;
                    }
                }
                Step::Done => break,
            }
        }
        if count > 0 && rule.quit {
            return state.out;
        }
    }
    state.out
}

enum Step {
    /// The rule does not apply.
    Next,
    /// It has changed the address.
    Done,
    /// No more rules.
    Stop,
}

struct State {
    // The working part as it is now.
    subject: Text,
    out: Rewritten,
    // Where the working part lies in a whole item.
    place: (usize, usize),
    target: Target,
    wants_whole: bool,
}

impl State {
    fn apply(&mut self, ctx: &mut Context, rule: &RewriteRule, number: usize, old: &mut Vec<BString>) -> Step {
        let saved = std::mem::take(&mut ctx.scratch.numeric);
        let step = self.matched(ctx, rule, number, old);
        ctx.scratch.numeric = saved;
        step
    }

    fn matched(&mut self, ctx: &mut Context, rule: &RewriteRule, number: usize, old: &mut Vec<BString>) -> Step {
        let subject = if self.target.is_smtp() {
            Subject::String { text: &self.subject, caseless: true }
        } else {
            Subject::Address { address: &self.subject, caseless: false }
        };
        let request = Request { subject, list: List::Expand(&rule.pattern), single: true, captures: true, label: None };
        let (shown, place) = (self.subject.as_bytes().as_bstr(), self.target.name());
        if matching::test(ctx, &request, None) != Match::Yes {
            debug!(ctx, REWRITE, "rewrite rule {number} does not match \"{shown}\" from {place}");
            return Step::Next;
        }
        debug!(ctx, REWRITE, "rewrite rule {number} matches \"{shown}\" from {place}");
        if rule.replacement.raw() == b"*" {
            debug!(ctx, REWRITE, "rewrite rule {number} leaves it as it is and ends rewriting");
            return Step::Stop;
        }
        let mut new = match self.replacement(ctx, rule) {
            Ok(new) => new,
            Err(ExpandError::Forced(_)) => {
                debug!(ctx, REWRITE, "rewrite rule {number} gave way by forced failure");
                return if rule.quit { Step::Stop } else { Step::Next };
            }
            Err(e) => {
                let raw = rule.replacement.raw().as_bstr();
                return panic(ctx, &[format!("Expansion of {raw} failed while rewriting: {e}").as_bytes()]);
            }
        };
        let mut rules = Rules::new(&ctx.config.main);
        rules.allow_null = matches!(self.target, Target::EnvFrom | Target::SmtpSender);
        let parsed = match parse::extract_address(&mut rules, &new) {
            Ok(p) => p,
            Err(e) => {
                let why = format!(" yielded unparseable address: {e} in address ");
                return panic(ctx, &[b"Rewrite of ", &self.subject, why.as_bytes(), &new]);
            }
        };
        let mut address = new.piece(Vec::from(parsed.address.clone()));
        if !parsed.is_qualified() && !address.is_empty() {
            if !rule.qualify {
                return panic(ctx, &[b"Rewrite of ", &self.subject, b" yielded unqualified address \"", &new, b"\""]);
            }
            address = super::qualify(ctx, &address, true);
            let (before, after) = (new.get(..parsed.start), new.get(parsed.end..));
            new = new.piece([before.unwrap_or_default(), &address, after.unwrap_or_default()].concat());
        }
        debug!(ctx, REWRITE, "rewrite rule {number} made \"{}\" of it", new.as_bytes().as_bstr());
        self.note(ctx, &new, number);
        old.push(BString::from(self.subject.to_vec()));
        self.take(ctx, rule, &new, &address, (parsed.start, parsed.start + address.len()));
        Step::Done
    }

    // `$local_part` and `$domain` are those of the address, in the case it has.
    fn replacement(&self, ctx: &mut Context, rule: &RewriteRule) -> Result<Text, ExpandError> {
        if self.target.is_smtp() {
            return expand::expand(ctx, &rule.replacement);
        }
        let saved = (ctx.address.local_part.take(), ctx.address.domain.take());
        if let Some(at) = self.subject.rfind_byte(b'@') {
            ctx.address.local_part = Some(self.subject.piece(self.subject.get(..at).unwrap_or_default()));
            ctx.address.domain = Some(self.subject.piece(self.subject.get(at + 1..).unwrap_or_default()));
        }
        let result = expand::expand(ctx, &rule.replacement);
        (ctx.address.local_part, ctx.address.domain) = saved;
        result
    }

    fn note(&self, ctx: &Context, new: &Text, number: usize) {
        let shown = log::selected(ctx, Selector::AddressRewrite) || ctx.run.debug & log::trace::REWRITE != 0;
        if self.target == Target::Filter || !shown {
            return;
        }
        let tail = format!("\" by rule {number}");
        let from = format!("\" from {} rewritten as \"", self.target.name());
        let text = [b"\"", self.out.text.as_bytes(), from.as_bytes(), new, tail.as_bytes()].concat();
        log::write(ctx, Some(Selector::AddressRewrite), Which::MAIN, &text);
    }

    // Puts the new address, or all of the new text, into the result.
    fn take(&mut self, ctx: &Context, rule: &RewriteRule, new: &Text, address: &Text, working: (usize, usize)) {
        self.out.changed = true;
        self.subject = address.clone();
        if self.wants_whole && rule.whole {
            let (text, place) = whole_item(ctx, new, address, working);
            self.out.text = new.piece(text);
            self.out.whole = true;
            self.place = place;
        } else if self.out.whole {
            // An earlier rule gave the phrase: only the working part within it changes.
            let before = self.out.text.get(..self.place.0).unwrap_or_default();
            let after = self.out.text.get(self.place.1..).unwrap_or_default();
            let text = [before, address, after].concat();
            self.place.1 = self.place.0 + address.len();
            self.out.text = self.out.text.piece(text);
        } else {
            self.out.text = address.clone();
        }
    }
}

fn panic(ctx: &Context, text: &[&[u8]]) -> Step {
    log::write(ctx, None, Which::MAIN.and(Which::PANIC), &text.concat());
    Step::Stop
}

// What stands before and after the angle brackets is made a valid phrase. Without brackets there is only the address.
fn whole_item(ctx: &Context, new: &[u8], address: &[u8], (start, end): (usize, usize)) -> (Vec<u8>, (usize, usize)) {
    let open = start.checked_sub(1).filter(|i| new.get(*i) == Some(&b'<'));
    let Some(open) = open else {
        let before = new.get(..start).unwrap_or_default();
        let text = [before, address, new.get(end..).unwrap_or_default()].concat();
        return (text, (start, start + address.len()));
    };
    let charset = ctx.config.main.headers_charset.raw().unwrap_or_default();
    let phrase_end = new.get(..open).unwrap_or_default().iter().rposition(|c| *c != b' ').map_or(0, |i| i + 1);
    let before = parse::fix_phrase(new.get(..phrase_end).unwrap_or_default(), charset);
    let rest = new.get(end + 1..).unwrap_or_default();
    let blanks = rest.iter().take_while(|c| **c == b' ').count();
    let after = parse::fix_phrase(rest.get(blanks..).unwrap_or_default(), charset);
    let mut text = Vec::from(before);
    text.extend_from_slice(new.get(phrase_end..start).unwrap_or_default());
    let begin = text.len();
    text.extend_from_slice(address);
    let place = (begin, text.len());
    text.extend_from_slice(b">");
    text.extend_from_slice(rest.get(..blanks).unwrap_or_default());
    text.extend_from_slice(&after);
    (text, place)
}

//! acl_smtp_dkim: run for each signer that dkim_verify_signers names, with the variables of its signatures.

use bstr::BString;

use super::show;
use super::verify::{Judged, Status};
use crate::acl::{self, AclResult, Verdict, Where};
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::{self, Which};
use crate::parse::list;
use crate::text::Text;

/// The signatures of the message, and what the variables show.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// All signatures, judged.
    pub judged: Vec<Judged>,
    /// `$dkim_signers`
    pub signers: Text,
    /// `$dkim_cur_signer`
    pub cur_signer: Option<Text>,
    /// `$dkim_verify_status`
    pub status: Option<Text>,
    /// `$dkim_verify_reason`
    pub reason: Option<Text>,
    /// The signature that other variables tell of.
    pub current: Option<usize>,
    /// `$dkim_domain` and `$dkim_selector` while a message is signed.
    pub signing: Option<(Text, Text)>,
}

impl State {
    /// The signature in hand.
    pub fn signature(&self) -> Option<&Judged> {
        self.judged.get(self.current?)
    }

    /// The domain of the first signature that is valid, in the end.
    pub fn first_pass(&self) -> Option<BString> {
        let good = |j: &&Judged| j.status == Status::Pass && j.replaced.as_ref().is_none_or(|(s, _)| s == "pass");
        self.judged.iter().find(good).and_then(|j| j.signature.domain.clone())
    }
}

fn names(judged: &[Judged]) -> Text {
    let all = judged.iter().flat_map(|j| [&j.signature.domain, &j.signature.identity]);
    let all: Vec<&BString> = all.flatten().filter(|n| !n.is_empty()).collect();
    Text::tainted(bstr::join(":", all))
}

/// Shows the signatures to the ACL, or only to the log. An error is what the ACL says when it does not accept.
pub fn run(ctx: &mut Context, judged: Vec<Judged>) -> Result<(), AclResult> {
    ctx.message.auth.dkim = State { signers: names(&judged), judged, ..State::default() };
    let signers = expand_signers(ctx);
    let acl = ctx.config.main.acl_smtp_dkim.get().cloned().filter(|_| !signers.is_empty());
    let Some(acl) = acl else {
        for j in &ctx.message.auth.dkim.judged {
            show::log(ctx, j);
        }
        return Ok(());
    };
    let mut seen: Vec<BString> = Vec::new();
    let mut statuses: Vec<Text> = Vec::new();
    let mut result = Ok(());
    'all: for item in list::items(&signers) {
        if item.is_empty() || seen.iter().any(|s| s.eq_ignore_ascii_case(&item)) {
            continue;
        }
        seen.push(item.clone());
        let is = |name: &Option<BString>| name.as_ref().is_some_and(|n| n.eq_ignore_ascii_case(&item));
        let judged = ctx.message.auth.dkim.judged.iter().enumerate();
        let looked_at = judged.filter(|(_, j)| is(&j.signature.domain) || is(&j.signature.identity));
        let all: Vec<(usize, Status)> = looked_at.map(|(i, j)| (i, j.status)).collect();
        let mut calls: Vec<Option<usize>> = all.iter().filter(|(_, s)| *s != Status::Skipped).map(|(i, _)| Some(*i)).collect();
        if all.is_empty() {
            calls.push(None);
        }
        for signature in calls {
            let r = one(ctx, &acl, &signers.piece(item.clone()), signature);
            statuses.extend(ctx.message.auth.dkim.status.clone());
            if r.verdict != Verdict::Ok {
                result = Err(r);
                break 'all;
            }
        }
    }
    if !statuses.is_empty() {
        let mut joined = Text::new();
        for (i, s) in statuses.iter().enumerate() {
            joined.push_bytes(if i > 0 { b":" } else { b"" });
            joined.push(s);
        }
        ctx.message.auth.dkim.status = Some(joined);
    }
    result
}

fn expand_signers(ctx: &mut Context) -> Text {
    let Some(template) = ctx.config.main.dkim_verify_signers.get().cloned() else { return Text::new() };
    match expand::expand(ctx, &template) {
        Ok(text) => text,
        Err(ExpandError::Forced(_)) => Text::new(),
        Err(e) => {
            let line = format!("expansion of dkim_verify_signers option failed: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            Text::new()
        }
    }
}

/// One run, for one signer and one signature of it.
fn one(ctx: &mut Context, acl: &crate::expand::Template, signer: &Text, signature: Option<usize>) -> AclResult {
    let state = &mut ctx.message.auth.dkim;
    state.cur_signer = Some(signer.clone());
    state.current = signature;
    let (status, reason) = match state.signature() {
        Some(Judged { replaced: Some((s, r)), .. }) => (Text::tainted(s.clone()), Text::tainted(r.clone())),
        Some(j) => (Text::clean(j.status.name()), Text::clean(j.reason.name())),
        None => (Text::clean("none"), Text::new()),
    };
    (state.status, state.reason) = (Some(status.clone()), Some(reason.clone()));
    let result = acl::check(ctx, Where::Dkim, None, acl);
    let state = &mut ctx.message.auth.dkim;
    let (new_status, new_reason) = (state.status.clone().unwrap_or_default(), state.reason.clone().unwrap_or_default());
    if let Some(j) = state.current.and_then(|i| state.judged.get_mut(i)) {
        if (&new_status, &new_reason) != (&status, &reason) {
            j.replaced = Some((new_status.as_bytes().into(), new_reason.as_bytes().into()));
        }
        let j = j.clone();
        show::log(ctx, &j);
    }
    result
}

//! Forensic reports (`ruf=`): only with `control = dmarc_enable_forensic`, since they tell others of our users' mail.

use bstr::{BString, ByteSlice};

use super::evaluate::{Facts, Status};
use super::record::{Policy, Record};
use crate::context::{Context, HeaderKind};
use crate::expand::{self, Template};
use crate::log::{self, Which, debug};
use crate::mail_auth::dkim::Status as DkimStatus;
use crate::mail_auth::spf::Verdict;
use crate::parse::{Rules, extract_with};
use crate::receive::{Generated, submit};
use crate::text::Text;

/// Sends the reports that the record asks for.
pub fn report(ctx: &mut Context, facts: &Facts) {
    let Some(record) = facts.record.as_ref().filter(|_| ctx.message.dmarc_forensic && !ctx.run.host_checking) else { return };
    if record.forensic.is_empty() || !is_wanted(ctx, facts, record) {
        return;
    }
    let (from, sender) = match originator(ctx) {
        Ok(o) => o,
        Err(e) => {
            let line = format!("failed to make the sender of a DMARC report: {e}");
            return log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
        }
    };
    for to in &record.forensic {
        if !super::evaluate::may_report(ctx, &facts.used_domain, to) {
            debug!(ctx, ACL, "DMARC: {to} does not want reports about {}", facts.used_domain);
            continue;
        }
        let text = compose(ctx, facts, &from, to);
        let reference = (!ctx.message.id.is_empty()).then(|| ctx.message.id.clone());
        let recipients = vec![Text::tainted(to.to_vec())];
        let message = Generated { sender: sender.clone(), recipients, text, reference, ..Generated::default() };
        if let Err(status) = submit(ctx, message) {
            let line = format!("failure to send DMARC forensic report to {to}: status {status}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
        }
    }
}

/// What the domain asks for with `fo=`.
fn is_wanted(ctx: &Context, facts: &Facts, record: &Record) -> bool {
    let fo = record.failure;
    let auth = &ctx.message.auth;
    let applied = match facts.status {
        Status::Reject => record.policy == Policy::Reject,
        Status::Quarantine => record.policy == Policy::Quarantine,
        Status::None => true,
        _ => false,
    };
    let bad_signature = || auth.dkim.judged.iter().any(|j| matches!(j.status, DkimStatus::Fail | DkimStatus::Invalid));
    let bad_host = || auth.spf.as_ref().is_some_and(|f| matches!(f.verdict, Verdict::Fail | Verdict::SoftFail));
    (fo.all && applied)
        || (fo.any && !(facts.spf_aligned && facts.dkim_aligned))
        || (fo.dkim && bad_signature())
        || (fo.spf && bad_host())
}

/// From: and envelope sender: dmarc_forensic_sender, or dsn_from and nobody.
fn originator(ctx: &mut Context) -> Result<(Text, Text), String> {
    if let Some(template) = ctx.config.main.dmarc_forensic_sender.get().cloned() {
        let from = expand::expand(ctx, &template).map_err(|e| e.to_string())?;
        let mut rules = Rules::header(&ctx.config.main);
        let address = extract_with(&mut rules, &from)?;
        return Ok((from.clone(), from.piece(address.address)));
    }
    let template = ctx.config.main.dsn_from.get().cloned().unwrap_or_else(|| Template::literal(b""));
    let from = expand::expand(ctx, &template).map_err(|e| e.to_string())?;
    Ok((from, Text::new()))
}

fn compose(ctx: &Context, facts: &Facts, from: &Text, to: &BString) -> Vec<u8> {
    let ip = ctx.session.host_address.clone().unwrap_or_default();
    let word = |on| if on { "yes" } else { "no" };
    let date = crate::log::stamp::full(crate::sys::time::unix_time());
    let failed = match facts.status {
        Status::Accept => "not passed all checks that you want to hear of.",
        _ => "failed your DMARC policy.",
    };
    let mut t = format!(
        "From: {from}\nTo: {to}\nSubject: DMARC Forensic Report for {domain} from IP {ip}\nAuto-Submitted: auto-generated\n\n\
         A message that claims to be from your domain has {failed}\n\n\
         Sender Domain: {domain}\nSender IP Address: {ip}\nReceived Date: {date}\nSPF Alignment: {}\nDKIM Alignment: {}\n\
         DMARC Results: {}\n\nThe header lines of the message follow.\n\n",
        word(facts.spf_aligned),
        word(facts.dkim_aligned),
        facts.status.text(),
        domain = facts.used_domain,
    )
    .into_bytes();
    for h in ctx.message.headers.iter().filter(|h| h.kind != HeaderKind::Old) {
        t.extend_from_slice(h.text.as_bytes());
    }
    t
}

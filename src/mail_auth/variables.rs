//! `$arc_...`, `$dk_...`, `$dkim_...`, `$dmarc_...`, `$spf_...`: expansion variables of this room.

use crate::context::Context;
use crate::expand::variables::{VarDef, v};
use crate::text::Text;

use super::dkim::{Judged, Signature};

/// What a signature without an expiry or a body limit shows.
const NEVER: &str = "9999999999999";

fn signed(c: &Context, f: impl FnOnce(&Signature) -> Vec<u8>) -> Option<Text> {
    c.message.auth.dkim.signature().map(|j| Text::tainted(f(&j.signature)))
}

fn number(c: &Context, f: impl FnOnce(&Signature) -> Option<u64>, default: &'static str) -> Option<Text> {
    let n = c.message.auth.dkim.signature().and_then(|j| f(&j.signature));
    Some(n.map_or(Text::clean(default), |n| Text::clean(n.to_string())))
}

fn key(c: &Context, f: impl FnOnce(&super::key::KeyRecord) -> Vec<u8>, default: &'static str) -> Option<Text> {
    let record = c.message.auth.dkim.signature().and_then(|j| j.record.as_ref());
    Some(record.map_or(Text::clean(default), |r| Text::tainted(f(r))))
}

fn flag(on: bool) -> Vec<u8> {
    vec![b'0' + u8::from(on)]
}

fn bits(j: Option<&Judged>) -> Option<Text> {
    Some(Text::clean(j.map_or(0, |j| j.key_bits).to_string()))
}

fn spf(c: &Context, f: impl FnOnce(&super::spf::Facts) -> Text) -> Option<Text> {
    c.message.auth.spf.as_deref().map(f)
}

fn domainkeys(c: &Context, f: impl FnOnce(&super::domainkeys::Facts) -> Text) -> Option<Text> {
    c.message.auth.domainkeys.as_deref().map(f)
}

fn dk_sender(c: &Context, f: impl FnOnce(&super::domainkeys::Sender) -> Text) -> Option<Text> {
    c.message.auth.domainkeys.as_deref()?.sender.as_ref().map(f)
}

fn digit(on: bool) -> Text {
    Text::clean(if on { "1" } else { "0" })
}

fn chain(c: &Context, f: impl FnOnce(&super::arc::Chain) -> Text) -> Option<Text> {
    c.message.auth.arc.chain.as_deref().map(f)
}

fn dmarc(c: &Context, f: impl FnOnce(&super::dmarc::Facts) -> Text) -> Option<Text> {
    c.message.auth.dmarc.as_deref().map(f)
}

fn yes(on: bool) -> Text {
    Text::clean(if on { "yes" } else { "no" })
}

/// All of them.
pub static VARIABLES: &[VarDef] = &[
    v("arc_domains", |c| chain(c, |a| a.domains.clone())),
    v("arc_oldest_pass", |c| Some(Text::clean(c.message.auth.arc.chain.as_deref().map_or(0, |a| a.oldest_pass).to_string()))),
    v("arc_state", |c| chain(c, |a| Text::clean(a.state.name()))),
    v("arc_state_reason", |c| chain(c, |a| Text::clean(a.reason.clone()))),
    v("dk_domain", |c| c.message.auth.dk_signing.as_ref().map(|(domain, _)| domain.clone())),
    v("dk_is_signed", |c| domainkeys(c, |f| digit(f.signed))),
    v("dk_result", |c| domainkeys(c, |f| Text::clean(f.result))),
    v("dk_selector", |c| c.message.auth.dk_signing.as_ref().map(|(_, selector)| selector.clone())),
    v("dk_sender", |c| dk_sender(c, |s| s.address.clone())),
    v("dk_sender_domain", |c| dk_sender(c, |s| s.domain.clone())),
    v("dk_sender_local_part", |c| dk_sender(c, |s| s.local_part.clone())),
    v("dk_sender_source", |c| domainkeys(c, |f| Text::clean(f.sender.as_ref().map_or("0", |s| s.source.name())))),
    v("dk_signsall", |c| domainkeys(c, |f| digit(f.signs_all))),
    v("dk_status", |c| domainkeys(c, |f| Text::clean(f.status.name()))),
    v("dk_testing", |c| domainkeys(c, |f| digit(f.testing))),
    v("dkim_algo", |c| signed(c, |s| s.algorithm.name().into_bytes())),
    v("dkim_bodylength", |c| number(c, |s| s.body_length, NEVER)),
    v("dkim_canon_body", |c| signed(c, |s| s.canon_body.name().into())),
    v("dkim_canon_headers", |c| signed(c, |s| s.canon_header.name().into())),
    v("dkim_copiedheaders", |c| signed(c, |s| s.copied_headers.clone().unwrap_or_default().into())),
    v("dkim_created", |c| number(c, |s| s.created, "0")),
    v("dkim_cur_signer", |c| c.message.auth.dkim.cur_signer.clone()),
    v("dkim_domain", |c| match &c.message.auth.dkim.signing {
        Some((domain, _)) => Some(domain.clone()),
        None => signed(c, |s| s.domain.clone().unwrap_or_default().into()),
    }),
    v("dkim_expires", |c| number(c, |s| s.expires, NEVER)),
    v("dkim_headernames", |c| signed(c, |s| s.headers.clone().into())),
    v("dkim_identity", |c| signed(c, |s| s.identity.clone().unwrap_or_default().into())),
    v("dkim_key_granularity", |c| key(c, |r| r.granularity.clone().into(), "*")),
    v("dkim_key_length", |c| bits(c.message.auth.dkim.signature())),
    v("dkim_key_nosubdomains", |c| key(c, |r| flag(r.no_subdomains), "0")),
    v("dkim_key_notes", |c| key(c, |r| r.notes.clone().into(), "")),
    v("dkim_key_srvtype", |c| key(c, |r| r.service.clone().into(), "*")),
    v("dkim_key_testing", |c| key(c, |r| flag(r.testing), "0")),
    v("dkim_selector", |c| match &c.message.auth.dkim.signing {
        Some((_, selector)) => Some(selector.clone()),
        None => signed(c, |s| s.selector.clone().unwrap_or_default().into()),
    }),
    v("dkim_signers", |c| Some(c.message.auth.dkim.signers.clone())),
    v("dkim_verify_reason", |c| c.message.auth.dkim.reason.clone()),
    v("dkim_verify_signers", |c| c.config.main.dkim_verify_signers.raw().map(Text::clean)),
    v("dkim_verify_status", |c| c.message.auth.dkim.status.clone()),
    v("dmarc_alignment_dkim", |c| dmarc(c, |f| yes(f.dkim_aligned))),
    v("dmarc_alignment_spf", |c| dmarc(c, |f| yes(f.spf_aligned))),
    v("dmarc_domain_policy", |c| dmarc(c, |f| Text::clean(f.record.as_ref().map_or("", |r| r.policy.name())))),
    v("dmarc_status", |c| Some(Text::clean(super::dmarc::status_name(c)))),
    v("dmarc_status_text", |c| dmarc(c, |f| Text::clean(f.status.text()))),
    v("dmarc_used_domain", |c| dmarc(c, |f| Text::tainted(f.used_domain.clone()))),
    v("spf_header_comment", |c| spf(c, |f| f.header_comment.clone())),
    v("spf_received", |c| spf(c, |f| f.received.clone())),
    v("spf_result", |c| spf(c, |f| Text::clean(f.verdict.name()))),
    v("spf_result_guessed", |c| {
        let guessed = c.message.auth.spf.as_deref().is_some_and(|f| f.guessed);
        Some(Text::clean(if guessed { "yes" } else { "no" }))
    }),
    v("spf_smtp_comment", |c| spf(c, |f| f.smtp_comment.clone())),
    v("spf_used_domain", |c| spf(c, |f| f.domain.clone())),
];

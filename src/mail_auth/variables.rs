//! `$dkim_...`: expansion variables of this room.

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

/// All of them.
pub static VARIABLES: &[VarDef] = &[
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
];

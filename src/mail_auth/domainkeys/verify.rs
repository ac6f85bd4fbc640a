//! Verification of an arriving message (`control = dk_verify`): the header is hashed before the body comes, the body
//! while it streams past. Hostile input: the first signature is looked at, and no other.

use bstr::BString;

use super::signature::{NAME, Sender, Signature, signed_header};
use super::{Facts, Status};
use crate::context::Context;
use crate::dns::{Query, RData, RecordType};
use crate::mail_auth::body_watch::{BodyWatch, Hashed};
use crate::mail_auth::dkim::signature::has_name;
use crate::mail_auth::dkim::verify::key_text;
use crate::mail_auth::key::{Hash, KeyKind, KeyRecord};
use crate::mail_auth::tags::Tags;
use crate::parse::Rules;

/// A message whose body is still to come.
#[derive(Clone, Debug)]
pub struct Incoming {
    sender: Option<Sender>,
    signed: bool,
    /// The signature, and the number of its hash; or why there is none to be verified.
    signature: Result<(Signature, usize), (Status, &'static str)>,
}

/// Reads the header section, and asks for the hash of it and the body.
pub fn begin(ctx: &Context, lines: &[BString], watch: &mut BodyWatch) -> Incoming {
    let at = lines.iter().position(|l| has_name(l, NAME));
    // What stands above a signature was added later.
    let below = at.and_then(|at| lines.get(at + 1..)).unwrap_or(lines);
    let sender = Sender::find(&mut Rules::header(&ctx.config.main), below);
    let line = at.and_then(|at| lines.get(at));
    let signature = signature(line, sender.as_ref()).map(|s| {
        let start = signed_header(s.canon, below, |n| s.covers(n));
        let n = watch.want_after(s.canon, Hash::Sha1, &start);
        (s, n)
    });
    Incoming { sender, signed: at.is_some(), signature }
}

fn signature(line: Option<&BString>, sender: Option<&Sender>) -> Result<Signature, (Status, &'static str)> {
    let line = line.ok_or((Status::NoSignature, "there is no DomainKey-Signature: header line"))?;
    let s = Signature::parse(line).ok_or((Status::BadFormat, "the signature is malformed"))?;
    let sender = sender.ok_or((Status::BadFormat, "there is no usable address in Sender: or From:"))?;
    if !s.answers_for(&sender.domain) {
        return Err((Status::BadFormat, "the signature is of another domain than the sender"));
    }
    if !s.covers(sender.source.name().as_bytes()) {
        return Err((Status::BadFormat, "the signature does not cover the sender"));
    }
    Ok(s)
}

/// Judges the signature, now that the body has been read. `bodies`: none if a line of it was too long.
pub fn finish(ctx: &mut Context, incoming: Incoming, bodies: Option<&[Hashed]>) -> Facts {
    let Incoming { sender, signed, signature } = incoming;
    let domain = match (&signature, &sender) {
        (Ok((s, _)), _) => s.domain.clone(),
        (Err(_), Some(s)) => s.domain.as_bytes().into(),
        (Err(_), None) => BString::default(),
    };
    let mut facts = Facts { sender, status: Status::Error, result: "", signed, signs_all: false, testing: false };
    (facts.status, facts.result) = match signature {
        Ok((s, n)) => judge(ctx, &mut facts, &s, bodies.map(|b| b.get(n).cloned().flatten())),
        Err(why) => why,
    };
    if !domain.is_empty() {
        policy(ctx, &domain, &mut facts);
    }
    facts
}

fn judge(ctx: &mut Context, facts: &mut Facts, s: &Signature, hash: Option<Hashed>) -> (Status, &'static str) {
    let Some(hash) = hash else { return (Status::Error, "a line of the body is too long") };
    let Some((digest, _)) = hash else { return (Status::Error, "SHA-1 is not to be had") };
    let Ok(text) = key_text(ctx, &s.key_name()) else { return (Status::NoKey, "there is no key record") };
    let Some(record) = KeyRecord::parse(&text) else { return (Status::BadFormat, "the key record is malformed") };
    facts.testing = record.testing;
    if record.key.is_empty() {
        return (Status::Revoked, "the key has been revoked");
    }
    let local_part = facts.sender.as_ref().map(|s| s.local_part.as_bytes()).unwrap_or_default();
    if !matches!(record.granularity.as_slice(), b"" | b"*") && record.granularity != local_part {
        return (Status::BadFormat, "the key is not for this sender");
    }
    match record.public_key(KeyKind::Rsa) {
        None => (Status::BadFormat, "the key is malformed"),
        Some(key) if key.verify_digest(Hash::Sha1, &digest, &s.signature) => (Status::Good, "the signature is valid"),
        Some(_) => (Status::Bad, "the signature is not of this message"),
    }
}

/// The domain's own record (RFC 4870 3.6).
fn policy(ctx: &Context, domain: &[u8], facts: &mut Facts) {
    let name = [b"_domainkey.", domain].concat();
    let answer = ctx.services.dns.lookup(&Query::new(&name, RecordType::Txt).of(&ctx.run));
    for record in answer.of_type(RecordType::Txt) {
        let RData::Text(parts) = &record.data else { continue };
        let text = bstr::concat(parts);
        let Ok(tags) = Tags::parse(&text) else { continue };
        facts.signs_all |= tags.get("o") == Some(b"-");
        facts.testing |= tags.get("t") == Some(b"y");
        return;
    }
}

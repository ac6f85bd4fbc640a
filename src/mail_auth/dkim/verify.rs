//! Verification of the signatures of one message. Hostile input: signatures, their tags and key records are limited.

use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::signature::{self, Problem, Signature};
use crate::context::Context;
use crate::dns::{Outcome, Query, RData, RecordType};
use crate::log::{self, Which, debug};
use crate::mail_auth::body_watch::{BodyWatch, Hashed};
use crate::mail_auth::key::{Hash, KeyKind, KeyRecord};

/// More signatures of one message are not looked at.
pub const MAX_SIGNATURES: usize = 20;
/// All key records of a message must be there in this time: a session never hangs on somebody's name servers.
const MAX_TIME: Duration = Duration::from_secs(30);
/// Longest key record.
const MAX_RECORD: usize = 16 * 1024;

/// What became of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was not looked at (dkim_verify_minimal).
    Skipped,
    /// It cannot be verified.
    Invalid,
    /// It is not a signature of this message.
    Fail,
    /// It is.
    Pass,
}

impl Status {
    /// As `$dkim_verify_status` has it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Skipped => "none",
            Status::Invalid => "invalid",
            Status::Fail => "fail",
            Status::Pass => "pass",
        }
    }
}

/// Why it is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is.
    None,
    /// The signature's own tags.
    Signature,
    /// `v=`.
    Version,
    /// No key record, or not now.
    Unavailable,
    /// The key record is too long.
    Overlong,
    /// The key record is none.
    Record,
    /// The key in it is none.
    Key,
    /// The key record does not allow the hash.
    Algorithm,
    /// The body's hash is another.
    BodyHash,
    /// The signature is not right.
    Incorrect,
    /// dkim_verify_min_keysizes.
    TooShort,
}

impl Reason {
    /// As `$dkim_verify_reason` has it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Unavailable => "pubkey_unavailable",
            Reason::Record => "pubkey_dns_syntax",
            Reason::Key => "pubkey_der_syntax",
            Reason::BodyHash => "bodyhash_mismatch",
            Reason::Incorrect => "signature_incorrect",
            Reason::TooShort => "pubkey_too_short",
            Reason::None | Reason::Signature | Reason::Version | Reason::Overlong | Reason::Algorithm => "",
        }
    }
}

/// A signature and the verdict.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The signature.
    pub signature: Signature,
    /// The verdict.
    pub status: Status,
    /// Its reason.
    pub reason: Reason,
    /// The key record, if there is one.
    pub record: Option<KeyRecord>,
    /// Bits of the key, once it has been read.
    pub key_bits: u32,
    /// What the ACL has put in place of status and reason.
    pub replaced: Option<(BString, BString)>,
}

/// The signatures of a message whose body is still to come.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// Header lines as they came, with LF line ends.
    lines: Vec<BString>,
    /// Signatures in the order in which they are to be tried, and the number of the body hash of each.
    signatures: Vec<(Signature, usize)>,
}

/// The options.
struct Wanted {
    hashes: Vec<Hash>,
    kinds: Vec<KeyKind>,
}

fn wanted(ctx: &Context) -> Wanted {
    let main = &ctx.config.main;
    let list = |o: &crate::config::options::Str| o.raw().map(crate::parse::list::items).map(|i| i.collect::<Vec<_>>());
    let hashes = list(&main.dkim_verify_hashes).unwrap_or_default();
    let kinds = list(&main.dkim_verify_keytypes).unwrap_or_default();
    Wanted {
        hashes: hashes.iter().filter_map(|h| Hash::from_name(h)).collect(),
        kinds: kinds.iter().filter_map(|k| KeyKind::from_name(k)).collect(),
    }
}

/// Looks for signatures in the header section, and asks for the hashes of the body that they need.
pub fn begin(ctx: &Context, lines: &[BString], watch: &mut BodyWatch) -> Incoming {
    let mine: Vec<&BString> = lines.iter().filter(|l| signature::has_name(l, b"DKIM-Signature")).collect();
    if mine.len() > MAX_SIGNATURES {
        let line = format!("DKIM: {} signatures; only the first {MAX_SIGNATURES} are looked at", mine.len());
        log::write(ctx, None, Which::MAIN, line.as_bytes());
    }
    let wanted = wanted(ctx);
    let mut found: Vec<((usize, usize), Signature)> = mine
        .iter()
        .take(MAX_SIGNATURES)
        .filter_map(|l| Signature::parse(l))
        .filter_map(|s| Some((signature::rank(&wanted.hashes, s.algorithm, &wanted.kinds)?, s)))
        .collect();
    // The preferred algorithms first; within one, as they stand in the message.
    found.sort_by_key(|(rank, _)| *rank);
    let signatures: Vec<(Signature, usize)> = found
        .into_iter()
        .map(|(_, s)| {
            let n = watch.want(s.canon_body, s.algorithm.hash, s.body_length);
            (s, n)
        })
        .collect();
    let lines = if signatures.is_empty() { Vec::new() } else { lines.to_vec() };
    Incoming { lines, signatures }
}

/// Judges the signatures, now that the body has been read.
pub fn finish(ctx: &mut Context, incoming: Incoming, bodies: &[Hashed]) -> Vec<Judged> {
    let minimal = ctx.config.main.dkim_verify_minimal;
    let mut out: Vec<Judged> = Vec::new();
    let mut error = None;
    let until = Instant::now() + MAX_TIME;
    for (signature, body) in incoming.signatures {
        let body = bodies.get(body).cloned().flatten();
        let mut j =
            Judged { signature, status: Status::Skipped, reason: Reason::None, record: None, key_bits: 0, replaced: None };
        if !(minimal && out.iter().any(|o| o.status == Status::Pass)) {
            (j.status, j.reason) = match judge(ctx, &mut j, &incoming.lines, body, until) {
                Ok(()) => (Status::Pass, Reason::None),
                Err(e) => e,
            };
            error = match j.reason {
                Reason::Incorrect => Some("Public key signature verification has failed."),
                Reason::Key => Some("ASN1 parser: Error in TAG."),
                _ => None,
            };
        }
        out.push(j);
    }
    if let Some(text) = error {
        log::write(ctx, None, Which::MAIN, format!("DKIM: validation error: {text}").as_bytes());
    }
    out
}

type Failed = (Status, Reason);

fn judge(ctx: &mut Context, j: &mut Judged, lines: &[BString], body: Hashed, until: Instant) -> Result<(), Failed> {
    let s = &j.signature;
    match s.problem {
        Some(Problem::Version) => return Err((Status::Invalid, Reason::Version)),
        Some(Problem::Tags) => return Err((Status::Invalid, Reason::Signature)),
        None => {}
    }
    // The library may lack the hash (SHA-1 by policy).
    let (hash, length) = body.ok_or((Status::Invalid, Reason::Signature))?;
    if hash != s.body_hash || s.body_length.is_some_and(|l| l > length) {
        return Err((Status::Fail, Reason::BodyHash));
    }
    let record = if Instant::now() < until { fetch(ctx, s) } else { Err(Reason::Unavailable) };
    let key = record.and_then(|record| {
        let key = record.public_key(s.algorithm.key).ok_or(Reason::Key);
        j.record = Some(record);
        key
    });
    let key = match key {
        Ok(key) => key,
        Err(reason) => {
            let name = |n: &Option<BString>| n.clone().unwrap_or_default();
            let line = format!("DKIM: d={} s={} [failed key import]", name(&s.domain), name(&s.selector));
            log::write(ctx, None, Which::MAIN, line.as_bytes());
            return Err((Status::Invalid, reason));
        }
    };
    j.key_bits = key.bits();
    if !j.record.as_ref().is_none_or(|r| r.allows(s.algorithm.hash)) {
        return Err((Status::Fail, Reason::Algorithm));
    }
    let covered = signature::covered(&s.headers, lines);
    let data = signature::signed_data(s.canon_header, &covered, &s.without_b);
    if !key.verify(s.algorithm.hash, &data, &s.signature) {
        return Err((Status::Fail, Reason::Incorrect));
    }
    if key.bits() < least_bits(ctx, s.algorithm.key) {
        return Err((Status::Fail, Reason::TooShort));
    }
    Ok(())
}

/// dkim_verify_min_keysizes: a string of `name=number`.
fn least_bits(ctx: &Context, kind: KeyKind) -> u32 {
    let text = ctx.config.main.dkim_verify_min_keysizes.raw().unwrap_or_default();
    text.fields()
        .filter_map(|f| f.split_once_str(b"="))
        .find(|(name, _)| name.eq_ignore_ascii_case(kind.name().as_bytes()))
        .and_then(|(_, n)| n.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}

fn fetch(ctx: &mut Context, s: &Signature) -> Result<KeyRecord, Reason> {
    let text = key_text(ctx, &s.key_name())?;
    KeyRecord::parse(&text).ok_or(Reason::Record)
}

/// The text of a key record: the first TXT record that may be one.
pub fn key_text(ctx: &mut Context, name: &[u8]) -> Result<Vec<u8>, Reason> {
    let answer = ctx.services.dns.lookup(&Query::new(name, RecordType::Txt).of(&ctx.run));
    if answer.outcome != Outcome::Found {
        debug!(ctx, ACL, "no key record {}: {:?}", name.as_bstr(), answer.outcome);
        return Err(Reason::Unavailable);
    }
    let texts = answer.of_type(RecordType::Txt).filter_map(|r| match &r.data {
        RData::Text(parts) => Some(bstr::concat(parts)),
        _ => None,
    });
    let is_key =
        |t: &Vec<u8>| !t.is_empty() && !t.starts_with(b"v=") || t.get(2..6).is_some_and(|v| v.eq_ignore_ascii_case(b"DKIM"));
    let text = texts.into_iter().find(is_key).ok_or(Reason::Unavailable)?;
    if text.len() > MAX_RECORD { Err(Reason::Overlong) } else { Ok(text) }
}

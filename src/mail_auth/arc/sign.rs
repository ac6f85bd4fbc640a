//! `arc_sign`: adds a set of ours to a message on its way out.

use bstr::{BString, ByteSlice};
use data_encoding::BASE64;

use super::set::{MAX_INSTANCE, NAMES, instance};
use crate::config::builtin::DKIM_SIGN_HEADERS;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::{self, Which};
use crate::mail_auth::body_watch::{BodyWatch, Hashed};
use crate::mail_auth::canon::Canon;
use crate::mail_auth::dkim::sign::private_key;
use crate::mail_auth::dkim::signature::{has_name, signed_data, value_of};
use crate::mail_auth::key::{Algorithm, Hash, PrivateKey};
use crate::parse::list;
use crate::transports::smtp::SmtpOptions;

/// An AMS expires after this, unless told otherwise.
const EXPIRE: i64 = 30 * 24 * 3600;
/// Characters of base64 in one line.
const LINE: usize = 74;

/// What is to be signed with.
pub struct Plan {
    identity: BString,
    selector: BString,
    key: PrivateKey,
    created: Option<i64>,
    expires: Option<i64>,
    body: usize,
}

/// Reads the option, and asks for the body's hash. `None`: nothing is to be done; why is in the log.
pub fn plan(ctx: &mut Context, o: &SmtpOptions, watch: &mut BodyWatch) -> Option<Plan> {
    let template = o.arc_sign.get().cloned()?;
    let spec = match expand::expand(ctx, &template) {
        Ok(t) => t,
        Err(ExpandError::Forced(_)) => return None,
        Err(e) => {
            let line = format!("failed to expand arc_sign: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            return None;
        }
    };
    if spec.trim().is_empty() {
        return None;
    }
    let fail = |why: &str| {
        let line = format!("ARC: bad signing-specification ({why}) '{spec}'");
        log::write(ctx, None, Which::MAIN, line.as_bytes());
        None
    };
    let items: Vec<BString> = list::items(&spec).collect();
    let item = |n: usize| items.get(n).cloned().unwrap_or_default();
    let (identity, selector, key) = (item(0), item(1), item(2));
    for (text, why) in [(&identity, "identity empty"), (&selector, "selector empty"), (&key, "privkey empty")] {
        if text.is_empty() {
            return fail(why);
        }
    }
    let name = |s: &BString| s.iter().all(|c| c.is_ascii_alphanumeric() || b"-.".contains(c));
    for (text, why) in [(&identity, "identity chars"), (&selector, "selector chars")] {
        if !name(text) {
            return fail(why);
        }
    }
    let now = crate::sys::time::unix_time();
    let (mut created, mut expires) = (None, None);
    for option in items.get(3..).unwrap_or_default().iter().flat_map(|i| list::items_with(i, b',').collect::<Vec<_>>()) {
        match option.split_once_str(b"=").unwrap_or((&option, b"")) {
            (b"timestamps", b"") => created = Some(now),
            (b"expire", value) => match expiry(value, now) {
                Some(t) => expires = Some(t),
                None => return fail("expire value"),
            },
            (b"", _) => {}
            _ => return fail("unknown option"),
        }
    }
    let key = match private_key(&spec.piece(key)) {
        Ok(key) => key,
        Err(e) => {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), format!("ARC: privkey: {e}").as_bytes());
            return None;
        }
    };
    let body = watch.want(Canon::Simple, Hash::Sha256, None);
    Some(Plan { identity, selector, key, created, expires, body })
}

fn expiry(value: &[u8], now: i64) -> Option<i64> {
    let number = |v: &[u8]| v.to_str().ok()?.parse::<u32>().ok().map(i64::from);
    match value.strip_prefix(b"+") {
        Some(n) => number(n).map(|n| now.saturating_add(if n == 0 { EXPIRE } else { n })),
        None if value.is_empty() => Some(now.saturating_add(EXPIRE)),
        None => number(value).map(|n| if n == 0 { now.saturating_add(EXPIRE) } else { n }),
    }
}

/// Logs that the body could not be hashed.
pub fn no_body_hash(ctx: &Context) {
    log::write(ctx, None, Which::MAIN, b"ARC: bad message body-hash");
}

impl Plan {
    /// Makes the set: header lines with LF. `lines` is the header section with the new DKIM signatures.
    pub fn sign(&self, ctx: &Context, lines: &[BString], bodies: &[Hashed]) -> Result<Vec<u8>, String> {
        let Some(results) = own_results(lines, &self.identity) else {
            log::write(ctx, None, Which::MAIN, b"ARC: no Authentication-Results header for signing");
            return Ok(Vec::new());
        };
        let (hash, _) = bodies.get(self.body).cloned().flatten().ok_or("no body hash")?;
        let n = lines.iter().filter(|l| NAMES.iter().any(|n| has_name(l, n))).filter_map(|l| instance(value_of(l))).max();
        let n = n.unwrap_or(0) + 1;
        if n > MAX_INSTANCE {
            log::write(ctx, None, Which::MAIN, format!("ARC: not signed: there are {MAX_INSTANCE} sets").as_bytes());
            return Ok(Vec::new());
        }
        let id = &self.identity;
        let remote = ctx.session.host_address.as_ref().map(|ip| format!(" smtp.remote-ip={ip};")).unwrap_or_default();
        let aar = format!("ARC-Authentication-Results: i={n}; {id};{remote}\n\t{}\n", results.as_bstr());
        let ams = self.message_signature(n, lines, &hash)?;
        let seal = self.seal(n, lines, aar.as_bytes(), &ams, cv(results))?;
        Ok([seal, aar.into_bytes(), ams].concat())
    }

    fn algorithm(&self) -> String {
        Algorithm { key: self.key.kind(), hash: Hash::Sha256 }.name()
    }

    fn times(&self, with_expiry: bool) -> String {
        let created = self.created.map(|t| format!(" t={t};")).unwrap_or_default();
        let expires = self.expires.filter(|_| with_expiry).map(|t| format!(" x={t};")).unwrap_or_default();
        format!("{created}{expires}")
    }

    fn message_signature(&self, n: u32, lines: &[BString], body: &[u8]) -> Result<Vec<u8>, String> {
        let wanted =
            |l: &BString| has_name(l, b"DKIM-Signature") || DKIM_SIGN_HEADERS.split(':').any(|w| has_name(l, w.as_bytes()));
        let chosen: Vec<&[u8]> = lines.iter().rev().filter(|l| wanted(l)).map(|l| l.as_slice()).collect();
        let names: Vec<&[u8]> = chosen.iter().map(|l| l[..l.find_byte(b':').unwrap_or(0)].trim_end()).collect();
        let start = format!(
            "ARC-Message-Signature: i={n}; a={}; c=relaxed; d={}; s={};{}\n\tbh={};\n\th={};\n\tb=",
            self.algorithm(),
            self.identity,
            self.selector,
            self.times(true),
            BASE64.encode(body),
            bstr::join(":", names).as_bstr()
        );
        self.finish(start, &chosen)
    }

    fn seal(&self, n: u32, lines: &[BString], aar: &[u8], ams: &[u8], cv: &str) -> Result<Vec<u8>, String> {
        let mut covered: Vec<&[u8]> = Vec::new();
        if cv != "fail" {
            for i in 1..n {
                for name in NAMES {
                    let line = lines.iter().find(|l| has_name(l, name) && instance(value_of(l)) == Some(i));
                    covered.extend(line.map(|l| l.as_slice()));
                }
            }
        }
        covered.extend([aar, ams]);
        let start = format!(
            "ARC-Seal: i={n}; cv={cv}; a={}; d={}; s={};{}\n\t b=",
            self.algorithm(),
            self.identity,
            self.selector,
            self.times(false)
        );
        self.finish(start, &covered)
    }

    /// Signs the lines and the start of the new one, which ends with `b=`.
    fn finish(&self, mut text: String, covered: &[&[u8]]) -> Result<Vec<u8>, String> {
        let data = signed_data(Canon::Relaxed, covered, format!("{text};").as_bytes());
        let signature = BASE64.encode(&self.key.sign(Hash::Sha256, &data)?);
        for (i, piece) in signature.as_bytes().chunks(LINE).enumerate() {
            text.push_str(if i > 0 { "\n\t  " } else { "" });
            text.push_str(&String::from_utf8_lossy(piece));
        }
        text.push_str(";\n");
        Ok(text.into_bytes())
    }
}

/// What follows our name in the first Authentication-Results line that is ours.
pub fn own_results<'a>(lines: &'a [BString], identity: &[u8]) -> Option<&'a [u8]> {
    lines.iter().filter(|l| has_name(l, b"Authentication-Results")).find_map(|l| {
        let (id, rest) = value_of(l).split_once_str(b";")?;
        let id = id.trim().split(|c| c.is_ascii_whitespace()).next()?;
        id.eq_ignore_ascii_case(identity).then(|| rest.trim())
    })
}

/// What they say of the chain before us.
pub fn cv(results: &[u8]) -> &'static str {
    let word = results.split(|c| *c == b';').find_map(|p| p.trim().strip_prefix(b"arc="));
    match word {
        Some(w) if w.starts_with(b"pass") => "pass",
        Some(w) if w.starts_with(b"fail") => "fail",
        _ => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_and_cv() {
        let lines = [
            BString::from("Authentication-Results: other; arc=fail\n"),
            "Authentication-Results: Me.ex 1;\n\tarc=pass (i=1)\n".into(),
        ];
        let r = own_results(&lines, b"me.ex").unwrap();
        assert_eq!((r, cv(r)), (&b"arc=pass (i=1)"[..], "pass"));
        assert!(own_results(&lines, b"nobody").is_none());
        assert_eq!(cv(b"spf=pass"), "none");
    }

    #[test]
    fn expiries() {
        assert_eq!(expiry(b"", 10), Some(10 + EXPIRE));
        assert_eq!(expiry(b"+5", 10), Some(15));
        assert_eq!(expiry(b"77", 10), Some(77));
        assert_eq!(expiry(b"x", 10), None);
    }
}

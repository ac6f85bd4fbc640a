//! Signing in the smtp transport: the `dk_...` options.

use bstr::{BString, ByteSlice};
use data_encoding::BASE64;

use super::signature::{NAME, Sender, signed_header};
use crate::context::Context;
use crate::log::{self, Which};
use crate::mail_auth::body_watch::{BodyWatch, Hashed};
use crate::mail_auth::canon::Canon;
use crate::mail_auth::dkim::sign::{Strict, private_key, value};
use crate::mail_auth::dkim::signature::{has_name, name_of};
use crate::mail_auth::dkim::write::Folded;
use crate::mail_auth::key::{Hash, KeyKind, PrivateKey};
use crate::parse::{Rules, list};
use crate::text::Text;
use crate::transports::smtp::SmtpOptions as Options;

/// What is to be signed with: all but the hash of header and body.
pub struct Plan {
    canon: Canon,
    selector: BString,
    domain: BString,
    names: Vec<BString>,
    key: PrivateKey,
    body: usize,
}

/// Do the options ask for a signature?
pub fn wanted(o: &Options) -> bool {
    o.dk_selector.is_set() || o.dk_private_key.is_set()
}

/// Reads the options, and asks for the hash. `lines` is the header section. `None`: the message goes unsigned.
pub fn plan(ctx: &mut Context, o: &Options, lines: &[BString], watch: &mut BodyWatch) -> Result<Option<Plan>, Strict> {
    let plan = read(ctx, o, lines, watch);
    let plan = match plan {
        Ok(plan) => Ok(plan),
        Err(why) => failed(ctx, o, &why).map(|()| None),
    };
    ctx.message.auth.dk_signing = None;
    plan
}

/// Something went wrong: the message goes unsigned, or (dk_strict) not now.
pub fn failed(ctx: &mut Context, o: &Options, why: &str) -> Result<(), Strict> {
    let line = format!("DK: signing failed: {why}");
    log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
    let strict = value(ctx, "dk_strict", &o.dk_strict).ok().flatten();
    if strict.is_some_and(|s| s == "1" || s.eq_ignore_ascii_case(b"true")) {
        return Err(Strict(line));
    }
    Ok(())
}

fn read(ctx: &mut Context, o: &Options, lines: &[BString], watch: &mut BodyWatch) -> Result<Option<Plan>, String> {
    let sender = Sender::find(&mut Rules::header(&ctx.config.main), lines);
    let domain = match value(ctx, "dk_domain", &o.dk_domain)?.filter(|d| !d.is_empty()) {
        Some(given) => given.to_lower(),
        None => match &sender {
            Some(s) => s.domain.clone(),
            None => return Ok(None),
        },
    };
    ctx.message.auth.dk_signing = Some((domain.clone(), Text::new()));
    let selector = value(ctx, "dk_selector", &o.dk_selector)?.unwrap_or_default();
    ctx.message.auth.dk_signing = Some((domain.clone(), selector.clone()));
    let key = value(ctx, "dk_private_key", &o.dk_private_key)?.unwrap_or_default();
    if o.dk_private_key.is_set() && (key.is_empty() || key == "0" || key.eq_ignore_ascii_case(b"false")) {
        return Ok(None);
    }
    for (name, text) in [("dk_selector", &selector), ("dk_private_key", &key)] {
        if text.is_empty() {
            return Err(format!("{name} is not set"));
        }
    }
    let canon = match value(ctx, "dk_canon", &o.dk_canon)? {
        Some(c) if c.eq_ignore_ascii_case(b"nofws") => Canon::NoFws,
        _ => Canon::Simple,
    };
    let key = private_key(&key)?;
    if key.kind() != KeyKind::Rsa {
        return Err("dk_private_key is not an RSA key".into());
    }
    let only = value(ctx, "dk_headers", &o.dk_headers)?.filter(|t| !t.is_empty());
    let only: Option<Vec<BString>> = only.map(|t| list::items(&t).collect());
    let listed = |name: &[u8]| only.as_ref().is_none_or(|all| all.iter().any(|n| n.eq_ignore_ascii_case(name)));
    let covered: Vec<BString> = lines.iter().filter(|l| !has_name(l, NAME) && listed(name_of(l))).cloned().collect();
    // A name for each line, also for those that have the same: some verifiers count them.
    let names: Vec<BString> = covered.iter().map(|l| BString::from(name_of(l))).collect();
    let source = sender.map(|s| s.source.name());
    if !source.is_some_and(|s| names.iter().any(|n| n.eq_ignore_ascii_case(s.as_bytes()))) {
        return Err("the header lines to be signed do not name a sender".into());
    }
    let start = signed_header(canon, &covered, |_| true);
    let body = watch.want_after(canon, Hash::Sha1, &start);
    let (selector, domain) = (selector.as_bytes().into(), domain.as_bytes().into());
    Ok(Some(Plan { canon, selector, domain, names, key, body }))
}

impl Plan {
    /// Makes the header line, with CRLF.
    pub fn sign(&self, ctx: &Context, bodies: &[Hashed]) -> Result<Vec<u8>, String> {
        let (digest, _) = bodies.get(self.body).cloned().flatten().ok_or("no such hash")?;
        let signature = BASE64.encode(&self.key.sign_digest(Hash::Sha1, &digest)?);
        let mut f = Folded::new("DomainKey-Signature: a=rsa-sha1");
        f.tag("q=", b"dns");
        f.tag("c=", self.canon.name().as_bytes());
        f.tag("s=", &self.selector);
        f.tag("d=", &self.domain);
        let mut names = self.names.iter();
        f.tag("h=", names.next().map(|n| n.as_slice()).unwrap_or_default());
        for n in names {
            f.word(n);
        }
        let mut text = f.signed("b=", |_| Ok(signature.into_bytes()))?;
        text.extend_from_slice(b"\r\n");
        let line = format!(
            "DK: message signed using a=rsa-sha1; q=dns; c={}; s={}; d={}; h={};",
            self.canon.name(),
            self.selector,
            self.domain,
            bstr::join(":", &self.names).as_bstr()
        );
        log::write(ctx, None, Which::MAIN, line.as_bytes());
        Ok(text)
    }
}

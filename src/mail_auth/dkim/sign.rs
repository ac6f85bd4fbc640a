//! Signing in the smtp transport (manual 58.2): the options are expanded for each domain and selector, the body is hashed
//! once for all, and the signatures go before the header section.

use bstr::{BString, ByteSlice};
use data_encoding::BASE64;

use super::signature;
use super::write::Folded;
use crate::config::builtin::DKIM_SIGN_HEADERS;
use crate::config::options::Str;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::log::{self, Which};
use crate::mail_auth::body_watch::{BodyWatch, Hashed};
use crate::mail_auth::canon::Canon;
use crate::mail_auth::key::{Algorithm, Hash, PrivateKey};
use crate::parse::list;
use crate::text::Text;
use crate::transports::smtp::SmtpOptions as Options;

/// Largest file of a private key.
const MAX_KEY: u64 = 64 * 1024;

/// One signature to be made.
struct Job {
    domain: BString,
    selector: BString,
    canon: Canon,
    names: Vec<BString>,
    key: PrivateKey,
    hash: Hash,
    identity: BString,
    times: Option<(i64, i64)>,
    body: usize,
}

/// What is to be signed with: the first half of the work, before the body is read.
#[derive(Default)]
pub struct Plan {
    jobs: Vec<Job>,
    /// `domain:selector`, for the delivery line.
    pub used: Vec<BString>,
}

/// Signing failed, and dkim_strict asks for the delivery to be put off: why.
#[derive(Debug)]
pub struct Strict(pub String);

/// Reads the options, and asks for the hashes of the body.
pub fn plan(ctx: &mut Context, o: &Options, watch: &mut BodyWatch) -> Result<Plan, Strict> {
    let mut plan = Plan::default();
    let result = domains(ctx, o, watch, &mut plan);
    let result = match result {
        Ok(()) => Ok(plan),
        Err(why) => failed(ctx, o, why).map(|()| Plan::default()),
    };
    ctx.message.auth.dkim.signing = None;
    result
}

/// Something went wrong: the message goes unsigned, or (dkim_strict) not now.
pub fn failed(ctx: &mut Context, o: &Options, why: String) -> Result<(), Strict> {
    let strict = value(ctx, "dkim_strict", &o.dkim_strict).ok().flatten();
    if strict.is_some_and(|s| s == "1" || s.eq_ignore_ascii_case(b"true")) {
        let line = "DKIM: message could not be signed, and dkim_strict is set. Deferring message delivery.";
        log::write(ctx, None, Which::MAIN, line.as_bytes());
        return Err(Strict(why));
    }
    Ok(())
}

/// The expanded value of an option: `None` if it is unset, or its expansion is forced to fail.
pub fn value(ctx: &mut Context, name: &str, option: &Str) -> Result<Option<Text>, String> {
    match option.get().cloned().map(|template| expand::expand(ctx, &template)) {
        None | Some(Err(ExpandError::Forced(_))) => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(e)) => Err(log_both(ctx, format!("failed to expand {name}: {e}"))),
    }
}

/// The same for an option of which the reference takes a forced failure, too, for an error.
fn certain(ctx: &mut Context, name: &str, option: &Str) -> Result<Option<Text>, String> {
    let Some(template) = option.get().cloned() else { return Ok(None) };
    let expanded = expand::expand(ctx, &template);
    expanded.map(Some).map_err(|e| log_both(ctx, format!("failed to expand {name}: {e}")))
}

/// Writes to the main and the panic log.
fn log_both(ctx: &Context, line: String) -> String {
    log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
    line
}

fn domains(ctx: &mut Context, o: &Options, watch: &mut BodyWatch, plan: &mut Plan) -> Result<(), String> {
    let Some(domains) = certain(ctx, "dkim_domain", &o.dkim_domain)? else { return Ok(()) };
    let mut seen: Vec<BString> = Vec::new();
    for domain in list::items(&domains) {
        let domain = BString::from(domain.to_ascii_lowercase());
        if domain.is_empty() || seen.contains(&domain) {
            continue;
        }
        seen.push(domain.clone());
        let shown = domains.piece(domain.clone());
        ctx.message.auth.dkim.signing = Some((shown.clone(), Text::new()));
        let Some(selectors) = certain(ctx, "dkim_selector", &o.dkim_selector)? else { continue };
        for selector in list::items(&selectors).filter(|s| !s.is_empty()) {
            ctx.message.auth.dkim.signing = Some((shown.clone(), selectors.piece(selector.clone())));
            if let Some(job) = job(ctx, o, watch, domain.clone(), selector)? {
                plan.used.push(format!("{}:{}", job.domain, job.selector).into());
                plan.jobs.push(job);
            }
        }
    }
    Ok(())
}

fn job(ctx: &mut Context, o: &Options, watch: &mut BodyWatch, domain: BString, selector: BString) -> Result<Option<Job>, String> {
    let key = certain(ctx, "dkim_private_key", &o.dkim_private_key)?.unwrap_or_default();
    if key.is_empty() || key == "0" || key.eq_ignore_ascii_case(b"false") {
        return Ok(None);
    }
    let canon = match certain(ctx, "dkim_canon", &o.dkim_canon)? {
        None => Canon::Relaxed,
        Some(c) if c == "relaxed" => Canon::Relaxed,
        Some(c) if c == "simple" => Canon::Simple,
        Some(c) => {
            let line = format!("DKIM: unknown canonicalization method '{c}', defaulting to 'relaxed'.");
            log::write(ctx, None, Which::MAIN, line.as_bytes());
            Canon::Relaxed
        }
    };
    let names = certain(ctx, "dkim_sign_headers", &o.dkim_sign_headers)?.unwrap_or_else(|| Text::clean(DKIM_SIGN_HEADERS));
    let names: Vec<BString> = list::items(&names).filter(|n| !n.is_empty()).collect();
    if names.is_empty() {
        // Nobody would take it for a signature.
        return Err(report(ctx, "dkim_sign_headers has no names"));
    }
    let identity = certain(ctx, "dkim_identity", &o.dkim_identity)?.unwrap_or_default();
    let times = match certain(ctx, "dkim_timestamps", &o.dkim_timestamps)?.filter(|t| !t.is_empty()) {
        None => None,
        Some(t) => {
            let after: u32 = t
                .to_str()
                .ok()
                .and_then(|t| t.trim().parse().ok())
                .ok_or_else(|| log_both(ctx, format!("failed to read dkim_timestamps: \"{t}\" is not a number")))?;
            let now = crate::sys::time::unix_time();
            Some((now, now.saturating_add(i64::from(after))))
        }
    };
    let hash = certain(ctx, "dkim_hash", &o.dkim_hash)?.unwrap_or_else(|| Text::clean("sha256"));
    let Some(hash) = Hash::from_name(&hash).filter(|h| hash == h.name()) else {
        return Err(log_both(ctx, format!("DKIM: unrecognised hashname '{hash}'")));
    };
    let key = private_key(&key).map_err(|e| report(ctx, &e))?;
    let body = watch.want(canon, hash, None);
    Ok(Some(Job { domain, selector, canon, names, key, hash, identity: identity.as_bytes().into(), times, body }))
}

fn report(ctx: &Context, why: &str) -> String {
    log_both(ctx, format!("DKIM: signing failed: {why}"))
}

/// The key in an option's value: PEM text, or the name of a file with it.
pub fn private_key(value: &Text) -> Result<PrivateKey, String> {
    use std::io::Read as _;
    if value.first() != Some(&b'/') {
        return PrivateKey::from_pem(value);
    }
    if value.is_tainted() {
        return Err(format!("Tainted filename '{value}'"));
    }
    let mut pem = Vec::new();
    let path = value.to_path().map_err(|_| "bad file name".to_string())?;
    let read = std::fs::File::open(path).and_then(|f| f.take(MAX_KEY).read_to_end(&mut pem));
    read.map_err(|e| format!("unable to read file {value}: {}", crate::sys::error_text(&e)))?;
    PrivateKey::from_pem(&pem)
}

impl Plan {
    /// Nothing to be done?
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Makes the signatures: header lines with CRLF. `lines` is the header section, `bodies` what the watch has found.
    pub fn sign(&self, lines: &[BString], bodies: &[Hashed]) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        for job in &self.jobs {
            let (hash, _) = bodies.get(job.body).cloned().flatten().ok_or("no such hash")?;
            out.extend_from_slice(&job.sign(lines, &hash)?);
        }
        Ok(out)
    }
}

impl Job {
    fn sign(&self, lines: &[BString], body_hash: &[u8]) -> Result<Vec<u8>, String> {
        let chosen = choose(&self.names, lines);
        let algorithm = Algorithm { key: self.key.kind(), hash: self.hash };
        let mut f = Folded::new("DKIM-Signature: v=1");
        f.tag("a=", algorithm.name().as_bytes());
        f.tag("q=", b"dns/txt");
        f.tag("c=", format!("{0}/{0}", self.canon.name()).as_bytes());
        f.tag("d=", &self.domain);
        f.tag("s=", &self.selector);
        let mut names = chosen.names.iter();
        f.tag("h=", names.next().map(|n| n.as_slice()).unwrap_or_default());
        for n in names {
            f.word(n);
        }
        f.tag("bh=", BASE64.encode(body_hash).as_bytes());
        if !self.identity.is_empty() {
            f.tag("i=", &self.identity);
        }
        if let Some((created, expires)) = self.times {
            f.tag("t=", created.to_string().as_bytes());
            f.tag("x=", expires.to_string().as_bytes());
        }
        let mut text = f.signed("b=", |unsigned| {
            let data = signature::signed_data(self.canon, &chosen.lines, unsigned);
            Ok(BASE64.encode(&self.key.sign(self.hash, &data)?).into_bytes())
        })?;
        text.extend_from_slice(b"\r\n");
        Ok(text)
    }
}

/// The lines to be signed and what `h=` says of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Chosen<'a> {
    lines: Vec<&'a [u8]>,
    names: Vec<BString>,
}

/// Chooses by the names of dkim_sign_headers: a plain name is one line, or the absence of one; `=` all lines of that
/// name, `+` all and one absent more. The last lines come first.
fn choose<'a>(wanted: &[BString], lines: &'a [BString]) -> Chosen<'a> {
    let mut open: Vec<Option<(&[u8], bool, bool)>> = wanted
        .iter()
        .map(|w| {
            let all = w.strip_prefix(b"=").map(|n| (n, true, false)).or(w.strip_prefix(b"+").map(|n| (n, true, true)));
            Some(all.unwrap_or((w, false, true)))
        })
        .collect();
    let mut chosen = Chosen::default();
    for line in lines.iter().rev() {
        let found = open.iter_mut().find(|o| o.is_some_and(|(name, ..)| signature::has_name(line, name)));
        let Some(slot) = found else { continue };
        let colon = line.find_byte(b':').unwrap_or(0);
        chosen.names.push(line[..colon].trim_end().into());
        chosen.lines.push(line);
        if slot.is_some_and(|(_, all, _)| !all) {
            *slot = None;
        }
    }
    for (name, _, absent) in open.into_iter().flatten() {
        if absent {
            chosen.names.push(name.into());
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choice() {
        let lines = [BString::from("From: 1\n"), "X-mine: 2\n".into(), "X-mine: 3\n".into()];
        let names = |wanted: &str| {
            let wanted: Vec<BString> = wanted.split(':').map(BString::from).collect();
            bstr::join(":", choose(&wanted, &lines).names)
        };
        assert_eq!(names("From:From"), b"From:From");
        assert_eq!(names("From:=X-Mine"), b"X-mine:X-mine:From");
        assert_eq!(names("+X-Mine"), b"X-mine:X-mine:X-Mine");
        assert_eq!(names("X-Mine:To"), b"X-mine:To");
        assert_eq!(names("=To"), b"");
    }
}

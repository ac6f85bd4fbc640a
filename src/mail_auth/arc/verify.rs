//! `verify = arc`: is the chain unbroken (RFC 8617 5.2)?

use bstr::BString;

use super::set::{Incoming, Set, Signed};
use crate::context::Context;
use crate::mail_auth::body_watch::Hashed;
use crate::mail_auth::canon::Canon;
use crate::mail_auth::dkim::signature::{covered, signed_data};
use crate::mail_auth::dkim::verify::key_text;
use crate::mail_auth::key::KeyRecord;
use crate::text::Text;

/// `$arc_state`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// There are no sets.
    #[default]
    None,
    /// The chain is broken.
    Fail,
    /// It is not.
    Pass,
}

impl State {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            State::None => "none",
            State::Fail => "fail",
            State::Pass => "pass",
        }
    }
}

/// The verdict on a chain.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// `$arc_state`
    pub state: State,
    /// `$arc_state_reason`
    pub reason: String,
    /// `$arc_oldest_pass`
    pub oldest_pass: usize,
    /// `$arc_domains`
    pub domains: Text,
    /// The newest instance and the selector of its seal, once the sets have been found to be complete.
    last: Option<(usize, BString)>,
}

/// The condition: is the state one of the list?
pub fn condition(ctx: &mut Context, states: Option<&[u8]>) -> bool {
    let facts = ctx.message.auth.arc.clone();
    let chain = match facts.incoming {
        None => Chain::default(),
        Some(incoming) => verify(ctx, &incoming, &facts.bodies),
    };
    let list = states.filter(|s| !s.is_empty()).unwrap_or(b"none:pass");
    let name = chain.state.name();
    ctx.message.auth.arc.chain = Some(Box::new(chain));
    crate::parse::list::items(list).any(|i| i.eq_ignore_ascii_case(name.as_bytes()))
}

fn verify(ctx: &mut Context, incoming: &Incoming, bodies: &[Hashed]) -> Chain {
    let mut chain = Chain { domains: domains(&incoming.sets), ..Chain::default() };
    match judge(ctx, incoming, bodies, &mut chain) {
        Ok(()) => chain.state = State::Pass,
        Err(reason) => {
            chain.state = State::Fail;
            chain.reason = reason;
        }
    }
    chain
}

fn domains(sets: &[Set]) -> Text {
    let mut list = Text::tainted(Vec::new());
    for set in sets {
        let domain = set.seal.as_ref().map(|s| s.domain.as_slice()).unwrap_or_default();
        // An empty first item shows as a colon of its own.
        if !list.is_empty() || domain.is_empty() {
            list.push_bytes(b":");
        }
        list.push_bytes(domain);
    }
    list
}

fn judge(ctx: &mut Context, incoming: &Incoming, bodies: &[Hashed], chain: &mut Chain) -> Result<(), String> {
    if let Some(problem) = &incoming.problem {
        return Err(problem.clone());
    }
    let sets = &incoming.sets;
    let newest = sets.len();
    let mut newest_result = Ok(());
    let mut passing = true;
    let mut expected = newest;
    for (n, set) in sets.iter().enumerate().map(|(i, s)| (i + 1, s)).rev() {
        if set.results.is_none() && set.message.is_none() && set.seal.is_none() {
            continue;
        }
        if n != expected {
            return Err(if n < expected { format!("(sequence; expected i={expected})") } else { "(sequence)".into() });
        }
        let (Some(_), Some(message), Some(seal)) = (&set.results, &set.message, &set.seal) else {
            return Err(format!("i={n} (missing header)"));
        };
        if seal.cv == "fail" {
            return Err(format!("i={n} (cv)"));
        }
        if passing {
            let result = message_signature(ctx, incoming, message, bodies);
            match result {
                Ok(()) => chain.oldest_pass = n,
                Err(_) => passing = false,
            }
            if n == newest {
                newest_result = result;
            }
        }
        expected -= 1;
    }
    if expected != 0 {
        return Err(format!("(sequence; expected i={expected})"));
    }
    chain.last = sets.last().and_then(|s| s.seal.as_ref()).map(|s| (newest, s.selector.clone()));
    newest_result?;
    for n in (1..=newest).rev() {
        seal(ctx, sets, n)?;
    }
    Ok(())
}

fn check(ctx: &mut Context, s: &Signed, data: &[u8], bad: &str) -> Result<(), String> {
    let algorithm = s.algorithm.ok_or("required tag missing")?;
    if s.domain.is_empty() || s.selector.is_empty() || s.signature.is_empty() {
        return Err("required tag missing".into());
    }
    let name = format!("{}._domainkey.{}", s.selector, s.domain);
    let text = key_text(ctx, name.as_bytes()).map_err(|_| "pubkey dns lookup fail")?;
    let record = KeyRecord::parse(&text).ok_or("pubkey dns lookup fail")?;
    if !record.allows(algorithm.hash) {
        return Err("no usable sig for this pubkey hash list".into());
    }
    let key = record.public_key(algorithm.key).ok_or("pubkey import fail")?;
    if key.verify(algorithm.hash, data, &s.signature) { Ok(()) } else { Err(bad.into()) }
}

fn message_signature(ctx: &mut Context, incoming: &Incoming, s: &Signed, bodies: &[Hashed]) -> Result<(), String> {
    let (hash, _) = bodies.get(s.body).cloned().flatten().ok_or("internal hash setup error")?;
    if s.headers.is_empty() {
        return Err("required tag missing".into());
    }
    if hash != s.body_hash {
        return Err("AMS body hash miscompare".into());
    }
    let lines = covered(&s.headers, &incoming.lines);
    check(ctx, s, &signed_data(s.canon_header, &lines, &s.without_b), "AMS sig nonverify")
}

fn seal(ctx: &mut Context, sets: &[Set], n: usize) -> Result<(), String> {
    let Some(s) = sets.get(n - 1).and_then(|s| s.seal.as_ref()) else { return Err("required tag missing".into()) };
    if s.cv != if n == 1 { "none" } else { "pass" } {
        return Err("seal cv state".into());
    }
    let data = sealed_data(&sets[..n - 1], sets.get(n - 1));
    check(ctx, s, &data, "seal sigverify error")
}

/// What a seal covers: the sets before, and its own with an empty `b=`.
fn sealed_data(before: &[Set], own: Option<&Set>) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = Vec::new();
    for set in before {
        lines.extend(set.results.as_deref().map(|l| l.as_slice()));
        lines.extend(set.message.as_ref().map(|m| m.line.as_slice()));
        lines.extend(set.seal.as_ref().map(|s| s.line.as_slice()));
    }
    let Some(own) = own else { return Vec::new() };
    lines.extend(own.results.as_deref().map(|l| l.as_slice()));
    lines.extend(own.message.as_ref().map(|m| m.line.as_slice()));
    let last = own.seal.as_ref().map(|s| s.without_b.as_slice()).unwrap_or_default();
    signed_data(Canon::Relaxed, &lines, last)
}

/// `arc=` of `${authresults}`.
pub fn auth_results(ctx: &Context, chain: &Chain) -> Text {
    let mut t = Text::tainted(format!(";\n\tarc={}", chain.state.name()));
    match &chain.last {
        Some((n, selector)) => {
            t.push_bytes(format!(" (i={n})").as_bytes());
            if !chain.reason.is_empty() {
                t.push_bytes(format!("({})", chain.reason).as_bytes());
            }
            t.push_bytes(format!(" header.s={selector} arc.oldest-pass={}", chain.oldest_pass).as_bytes());
            if let Some(ip) = &ctx.session.host_address {
                t.push_bytes(b" smtp.remote-ip=");
                t.push(ip);
            }
        }
        None if !chain.reason.is_empty() => t.push_bytes(format!(" ({})", chain.reason).as_bytes()),
        None => {}
    }
    t
}

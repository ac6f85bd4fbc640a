//! What configurations see of SPF: the conditions, the variables' values, the lookup, and texts.

use std::net::IpAddr;

use bstr::{BString, ByteSlice};

use super::eval::{self, Answer, Dns, Identity, Outcome};
use super::{Verdict, macros};
use crate::context::Context;
use crate::dns::{self, Query, RData, RecordType, Resolver};
use crate::expand;
use crate::log::{self, Which};
use crate::matching::net::parse_ip;
use crate::text::Text;

/// The result for a message.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The verdict.
    pub verdict: Verdict,
    /// It is that of the best-guess record.
    pub guessed: bool,
    /// The domain that was looked at.
    pub domain: Text,
    /// `$spf_header_comment`
    pub header_comment: Text,
    /// `$spf_received`
    pub received: Text,
    /// `$spf_smtp_comment`
    pub smtp_comment: Text,
    /// The HELO name was looked at, for want of a sender.
    of_helo: bool,
}

/// The resolver, for the questions of SPF.
struct Live<'a>(&'a Resolver);

impl Live<'_> {
    fn ask<T>(&self, name: &[u8], rtype: RecordType, take: impl Fn(&RData) -> Option<T>) -> Answer<T> {
        let answer = self.0.lookup(&Query::new(name, rtype));
        match answer.outcome {
            dns::Outcome::Again | dns::Outcome::Fail => Answer::Again,
            _ => Answer::Found(answer.of_type(rtype).filter_map(|r| take(&r.data)).collect()),
        }
    }
}

impl Dns for Live<'_> {
    fn txt(&mut self, name: &[u8]) -> Answer<Vec<u8>> {
        self.ask(name, RecordType::Txt, |d| match d {
            RData::Text(parts) => Some(bstr::concat(parts)),
            _ => None,
        })
    }
    fn addresses(&mut self, name: &[u8], six: bool) -> Answer<IpAddr> {
        self.ask(name, if six { RecordType::Aaaa } else { RecordType::A }, RData::address)
    }
    fn mx(&mut self, name: &[u8]) -> Answer<BString> {
        self.ask(name, RecordType::Mx, |d| match d {
            RData::Mx { exchange, .. } => Some(exchange.clone()),
            _ => None,
        })
    }
    fn ptr(&mut self, ip: IpAddr) -> Answer<BString> {
        self.ask(dns::reverse_name(ip).as_bytes(), RecordType::Ptr, |d| d.name().map(BString::from))
    }
}

/// The `spf` and (`guess`) `spf_guess` conditions: is the result one of the list?
pub fn condition(ctx: &mut Context, list: &[u8], guess: bool) -> bool {
    let verdict = evaluate(ctx, guess).unwrap_or(Verdict::PermError);
    for item in crate::parse::list::items(list) {
        let (negated, word) = match item.strip_prefix(b"!") {
            Some(w) => (true, w),
            None => (false, item.as_slice()),
        };
        // The names of before RFC 4408.
        let word = match word.to_ascii_lowercase().as_slice() {
            b"err_perm" => b"permerror".to_vec(),
            b"err_temp" => b"temperror".to_vec(),
            other => other.to_vec(),
        };
        if (word == verdict.name().as_bytes()) != negated {
            return true;
        }
    }
    false
}

/// Checks the message's sender; the variables are set. `None`: there is no host to be checked.
fn evaluate(ctx: &mut Context, guess: bool) -> Option<Verdict> {
    let ip = ctx.session.host_ip.or_else(|| parse_ip(ctx.session.host_address.as_ref()?))?;
    let ip = crate::matching::net::unmapped(ip);
    let helo = ctx.session.helo_name.clone().unwrap_or_default();
    let envelope = ctx.message.sender.clone().unwrap_or_default();
    let of_helo = envelope.is_empty();
    let sender = if of_helo { [b"postmaster@", helo.as_bytes()].concat() } else { with_local_part(&envelope) };
    let domain = sender.rfind_byte(b'@').map_or(sender.clone(), |i| sender[i + 1..].to_vec());
    let receiver = ctx.config.site.primary_hostname.to_vec();
    let now = crate::sys::time::unix_time();
    let who = Identity { ip, sender: &sender, helo: &helo, receiver: &receiver, now };
    let resolver = ctx.services.dns.clone();
    let mut live = Live(&resolver);
    let mut guessed = false;
    let local = ip.is_loopback();
    let outcome = if local {
        Outcome { verdict: Verdict::Pass, problem: String::new(), matched: false, explanation: None }
    } else {
        let own = eval::check(&mut live, who, &domain, None);
        match ctx.config.main.spf_guess.raw().filter(|_| guess && own.verdict == Verdict::None) {
            Some(record) => {
                guessed = true;
                eval::check(&mut live, who, &domain, Some(record))
            }
            None => own,
        }
    };
    let comment = comment(&receiver, &domain, ip, local, &outcome);
    let mut received = Text::tainted(format!("Received-SPF: {} (", outcome.verdict.name()));
    received.push_bytes(&comment);
    received.push_bytes(format!(") client-ip={ip}; envelope-from={}; helo={};", sender.as_bstr(), helo.as_bstr()).as_bytes());
    let smtp_comment = smtp_comment(ctx, &who, &domain, &outcome);
    ctx.message.auth.spf = Some(Box::new(Facts {
        verdict: outcome.verdict,
        guessed,
        domain: Text::tainted(domain),
        header_comment: Text::tainted(comment),
        received,
        smtp_comment,
        of_helo,
    }));
    Some(outcome.verdict)
}

/// A sender without local part is the postmaster.
fn with_local_part(address: &[u8]) -> Vec<u8> {
    match address.first() {
        Some(b'@') => [b"postmaster", address].concat(),
        _ => address.to_vec(),
    }
}

fn comment(receiver: &[u8], domain: &[u8], ip: IpAddr, local: bool, o: &Outcome) -> Vec<u8> {
    let d = domain.as_bstr();
    let text = match o.verdict {
        _ if local => "localhost is always allowed.".into(),
        Verdict::Pass => format!("domain of {d} designates {ip} as permitted sender"),
        Verdict::Fail => format!("domain of {d} does not designate {ip} as permitted sender"),
        Verdict::SoftFail => format!("transitioning domain of {d} does not designate {ip} as permitted sender"),
        Verdict::Neutral => format!("{ip} is neither permitted nor denied by domain of {d}"),
        Verdict::None => format!("domain of {d} does not provide an SPF record"),
        Verdict::TempError => format!("encountered temporary error during SPF processing of domain of {d}"),
        Verdict::PermError => {
            format!("error in processing during lookup of domain of {d}: {}", o.problem)
        }
    };
    format!("{}: {text}", receiver.as_bstr()).into_bytes()
}

/// Text for the peer: the domain's own explanation, or that of spf_smtp_comment_template.
fn smtp_comment(ctx: &mut Context, who: &Identity<'_>, domain: &[u8], o: &Outcome) -> Text {
    if !matches!(o.verdict, Verdict::Fail | Verdict::SoftFail | Verdict::Neutral) {
        return Text::new();
    }
    let text = match &o.explanation {
        Some(t) => t.clone(),
        None => {
            let Some(template) = ctx.config.main.spf_smtp_comment_template.get().cloned() else { return Text::new() };
            let template = match expand::expand(ctx, &template) {
                Ok(t) => t,
                Err(expand::ExpandError::Forced(_)) => return Text::new(),
                Err(e) => {
                    let line = format!("expansion of spf_smtp_comment_template failed: {e}");
                    log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
                    return Text::new();
                }
            };
            let values =
                macros::Values { sender: who.sender, domain, ip: who.ip, helo: who.helo, receiver: who.receiver, now: who.now };
            macros::expand(&template, &values, &mut || "unknown".into()).unwrap_or_default()
        }
    };
    let mut t = Text::tainted(text);
    t.push_bytes(if o.matched { b" : Reason: mechanism" } else { b" : Reason: default" });
    t
}

/// `spf=` of `${authresults}`.
pub fn auth_results(f: &Facts) -> Text {
    let mut t = Text::tainted(format!(";\n\tspf={}", f.verdict.name()));
    if f.guessed {
        t.push_bytes(b" (best guess record for domain)");
    }
    if !f.of_helo {
        t.push_bytes(b" smtp.mailfrom=");
        t.push(&f.domain);
    } else if f.domain.is_empty() {
        t.push_bytes(b" smtp.mailfrom=<>");
    } else {
        t.push_bytes(b" smtp.helo=");
        t.push(&f.domain);
    }
    t
}

/// `${lookup{address}spf{ip}}`: the result's word. A domain alone stands for its postmaster. An error is no reason to
/// try again: the lookup finds nothing.
pub fn lookup(ctx: &mut Context, address: &[u8], ip: &[u8]) -> Result<&'static str, String> {
    let ip = parse_ip(ip).ok_or_else(|| format!("Bad SPF IP address '{}'", ip.as_bstr()))?;
    let sender = match address {
        [_, ..] if !address.contains(&b'@') => [b"postmaster@", address].concat(),
        _ => with_local_part(address),
    };
    let at = sender.rfind_byte(b'@').ok_or_else(|| format!("Bad SPF sender address '{}'", address.as_bstr()))?;
    let receiver = ctx.config.site.primary_hostname.to_vec();
    let now = crate::sys::time::unix_time();
    let who = Identity { ip, sender: &sender, helo: b"unknown", receiver: &receiver, now };
    if ip.is_loopback() {
        return Ok(Verdict::Pass.name());
    }
    let resolver = ctx.services.dns.clone();
    Ok(eval::check(&mut Live(&resolver), who, &sender[at + 1..], None).verdict.name())
}

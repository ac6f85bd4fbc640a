//! check_host() of RFC 7208 4: walks a record, with all its limits: ten terms that need the DNS, two questions without
//! an answer, ten names of an `mx` or `ptr`, twenty seconds.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::Verdict;
use super::macros::{self, Values};
use super::record::{self, Lengths, Mechanism, Record};

/// Terms that need the DNS.
const MAX_TERMS: u32 = 10;
/// Questions without an answer.
const MAX_VOID: u32 = 2;
/// Names of an `mx` (more are an error) or `ptr` (more are not looked at).
const MAX_NAMES: usize = 10;
/// All of it.
const MAX_TIME: Duration = Duration::from_secs(20);

/// What the DNS said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// Records; none is a void answer.
    Found(Vec<T>),
    /// Ask again later.
    Again,
}

/// The questions that SPF asks.
pub trait Dns {
    /// TXT, with the strings of each record put together.
    fn txt(&mut self, name: &[u8]) -> Answer<Vec<u8>>;
    /// A or AAAA.
    fn addresses(&mut self, name: &[u8], six: bool) -> Answer<IpAddr>;
    /// MX, in no special order.
    fn mx(&mut self, name: &[u8]) -> Answer<BString>;
    /// PTR of an address.
    fn ptr(&mut self, ip: IpAddr) -> Answer<BString>;
}

/// Who says what.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The client.
    pub ip: IpAddr,
    /// Local part and domain.
    pub sender: &'a [u8],
    /// What it said in HELO.
    pub helo: &'a [u8],
    /// Our name.
    pub receiver: &'a [u8],
    /// Seconds.
    pub now: i64,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// What is wrong, for errors.
    pub problem: String,
    /// A mechanism matched; else the verdict is the default.
    pub matched: bool,
    /// `exp=`, for a failure.
    pub explanation: Option<BString>,
}

/// A verdict on the way up.
#[derive(Debug)]
pub struct Found {
    verdict: Verdict,
    matched: bool,
    explanation: Option<(BString, BString)>,
}

struct Stop(Verdict, String);

type Step<T> = Result<T, Stop>;

fn permanent<T>(text: impl Into<String>) -> Step<T> {
    Err(Stop(Verdict::PermError, text.into()))
}

struct Walk<'a, D: Dns> {
    dns: &'a mut D,
    who: Identity<'a>,
    terms: u32,
    void: u32,
    /// A best-guess record is ours: questions without an answer are no fault of its.
    guess: bool,
    until: Instant,
}

/// Checks a domain; `guess` is a record to be used instead of its own.
pub fn check<D: Dns>(dns: &mut D, who: Identity<'_>, domain: &[u8], guess: Option<&[u8]>) -> Outcome {
    let until = Instant::now() + MAX_TIME;
    let mut walk = Walk { dns, who, terms: 0, void: 0, guess: guess.is_some(), until };
    let result = match guess {
        Some(text) => record::parse(text).or_else(permanent).and_then(|r| walk.record(&r, domain)),
        None => walk.domain(domain),
    };
    match result {
        Ok(f) => {
            let explanation = f.explanation.and_then(|(spec, domain)| walk.explain(&spec, &domain));
            Outcome { verdict: f.verdict, problem: String::new(), matched: f.matched, explanation }
        }
        Err(Stop(verdict, problem)) => Outcome { verdict, problem, matched: false, explanation: None },
    }
}

/// Can the DNS have such a name?
fn is_name(name: &[u8]) -> bool {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let good = |l: &[u8]| (1..=63).contains(&l.len());
    name.len() <= 253 && name.split(|c| *c == b'.').all(good)
}

/// A name with more than one label.
fn is_domain(name: &[u8]) -> bool {
    is_name(name) && name.strip_suffix(b".").unwrap_or(name).contains(&b'.')
}

impl<D: Dns> Walk<'_, D> {
    fn domain(&mut self, domain: &[u8]) -> Step<Found> {
        let none = Found { verdict: Verdict::None, matched: false, explanation: None };
        if !is_domain(domain) {
            return Ok(none);
        }
        self.in_time()?;
        let Answer::Found(texts) = self.dns.txt(domain) else {
            return Err(Stop(Verdict::TempError, "Temporary DNS failure.".into()));
        };
        let mut records = texts.iter().filter(|t| record::is_record(t));
        let Some(text) = records.next() else { return Ok(none) };
        if records.next().is_some() {
            return permanent("Multiple SPF or TXT records for domain.");
        }
        let record = record::parse(text).or_else(permanent)?;
        self.record(&record, domain)
    }

    fn in_time(&self) -> Step<()> {
        if Instant::now() < self.until { Ok(()) } else { Err(Stop(Verdict::TempError, "It takes too long.".into())) }
    }

    fn count(&mut self) -> Step<()> {
        self.in_time()?;
        self.terms += 1;
        if self.terms > MAX_TERMS { permanent("Too many DNS lookups.") } else { Ok(()) }
    }

    /// Takes an answer; one without records counts.
    fn take<T>(&mut self, answer: Answer<T>) -> Step<Vec<T>> {
        match answer {
            Answer::Again => Err(Stop(Verdict::TempError, "Temporary DNS failure.".into())),
            Answer::Found(list) => {
                if list.is_empty() {
                    self.void += 1;
                    if self.void > MAX_VOID && !self.guess {
                        return permanent("Too many DNS lookups without an answer.");
                    }
                }
                Ok(list)
            }
        }
    }

    fn record(&mut self, record: &Record, domain: &[u8]) -> Step<Found> {
        let explanation = record.explanation.clone().map(|e| (e, BString::from(domain)));
        for (verdict, m) in &record.directives {
            if self.matches(m, domain)? {
                let explanation = explanation.filter(|_| *verdict == Verdict::Fail);
                return Ok(Found { verdict: *verdict, matched: true, explanation });
            }
        }
        if let Some(spec) = &record.redirect {
            self.count()?;
            let target = self.expand(spec, domain)?;
            let found = self.domain(&target)?;
            if found.verdict == Verdict::None {
                return permanent("Could not find a valid SPF record");
            }
            return Ok(found);
        }
        Ok(Found { verdict: Verdict::Neutral, matched: false, explanation: None })
    }

    fn matches(&mut self, m: &Mechanism, domain: &[u8]) -> Step<bool> {
        Ok(match m {
            Mechanism::All => true,
            Mechanism::Ip4(net, bits) => {
                Lengths { four: *bits, six: 0 }.covers(IpAddr::V4(*net), self.who.ip) && self.who.ip.is_ipv4()
            }
            Mechanism::Ip6(net, bits) => {
                Lengths { four: 0, six: *bits }.covers(IpAddr::V6(*net), self.who.ip) && self.who.ip.is_ipv6()
            }
            Mechanism::Include(spec) => {
                self.count()?;
                let target = self.expand(spec, domain)?;
                match self.domain(&target)?.verdict {
                    Verdict::Pass => true,
                    Verdict::None => return permanent("Could not find a valid SPF record"),
                    _ => false,
                }
            }
            Mechanism::A(spec, lengths) => {
                self.count()?;
                let name = self.target(spec.as_ref(), domain)?;
                self.has_address(&name, *lengths, true)?
            }
            Mechanism::Mx(spec, lengths) => {
                self.count()?;
                let name = self.target(spec.as_ref(), domain)?;
                let answer = if is_name(&name) { self.dns.mx(&name) } else { Answer::Found(Vec::new()) };
                let hosts = self.take(answer)?;
                if hosts.len() > MAX_NAMES {
                    return permanent("Too many MX records.");
                }
                for h in hosts {
                    if self.has_address(&h, *lengths, false)? {
                        return Ok(true);
                    }
                }
                false
            }
            Mechanism::Ptr(spec) => {
                self.count()?;
                let name = self.target(spec.as_ref(), domain)?;
                self.validated(&name, true)?.is_some()
            }
            Mechanism::Exists(spec) => {
                self.count()?;
                let name = self.expand(spec, domain)?;
                let answer = self.addresses(&name, false);
                !self.take(answer)?.is_empty()
            }
        })
    }

    fn target(&mut self, spec: Option<&BString>, domain: &[u8]) -> Step<BString> {
        match spec {
            Some(s) => self.expand(s, domain),
            None => Ok(domain.into()),
        }
    }

    /// A name that cannot be has no addresses.
    fn addresses(&mut self, name: &[u8], six: bool) -> Answer<IpAddr> {
        if is_name(name) { self.dns.addresses(name, six) } else { Answer::Found(Vec::new()) }
    }

    fn has_address(&mut self, name: &[u8], lengths: Lengths, counted: bool) -> Step<bool> {
        self.in_time()?;
        let ip = self.who.ip;
        let answer = self.addresses(name, ip.is_ipv6());
        let found = match answer {
            // Of the hosts of an MX an unknown one is nobody's fault.
            Answer::Found(list) if !counted => list,
            other => self.take(other)?,
        };
        Ok(found.into_iter().any(|a| lengths.covers(a, ip)))
    }

    /// A name of the client that has its address, and is in the domain (or, if `within` is false, the best there is).
    fn validated(&mut self, domain: &[u8], within: bool) -> Step<Option<BString>> {
        let ip = self.who.ip;
        let Answer::Found(names) = self.dns.ptr(ip) else { return Ok(None) };
        if names.is_empty() {
            self.take::<BString>(Answer::Found(names))?;
            return Ok(None);
        }
        let mut best = None;
        for name in names.into_iter().take(MAX_NAMES) {
            self.in_time()?;
            let Answer::Found(addresses) = self.dns.addresses(&name, ip.is_ipv6()) else { continue };
            if !addresses.contains(&ip) {
                continue;
            }
            if name.eq_ignore_ascii_case(domain) {
                return Ok(Some(name));
            }
            let below = name.len() > domain.len()
                && name[name.len() - domain.len()..].eq_ignore_ascii_case(domain)
                && name[name.len() - domain.len() - 1] == b'.';
            if below && within {
                return Ok(Some(name));
            }
            if !within && (below || best.is_none()) {
                best = Some(name);
            }
        }
        Ok(best)
    }

    fn expand(&mut self, spec: &[u8], domain: &[u8]) -> Step<BString> {
        self.macro_text(spec, domain).map(macros::fit).map_or_else(|| permanent("Invalid macro."), Ok)
    }

    fn macro_text(&mut self, spec: &[u8], domain: &[u8]) -> Option<BString> {
        let who = self.who;
        let values = Values { sender: who.sender, domain, ip: who.ip, helo: who.helo, receiver: who.receiver, now: who.now };
        let mut validated = || self.validated(domain, false).ok().flatten().unwrap_or_else(|| "unknown".into());
        macros::expand(spec, &values, &mut validated)
    }

    /// The text behind `exp=`.
    fn explain(&mut self, spec: &[u8], domain: &[u8]) -> Option<BString> {
        let name = self.macro_text(spec, domain).map(macros::fit)?;
        let Answer::Found(texts) = self.dns.txt(&name) else { return None };
        let [text] = texts.as_slice() else { return None };
        let text = text.as_bytes();
        if !text.iter().all(|c| matches!(c, 0x20..=0x7e)) {
            return None;
        }
        self.macro_text(text, domain)
    }
}

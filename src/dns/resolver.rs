//! The resolver proper: search lists, name checks, CNAME chains, cache.

use super::cache::{Cache, Key};
use super::fakens::{self, Fake};
use super::name;
use super::parse::Reply;
use super::servers::Source;
use super::types::{Answer, Outcome, RData, RecordType};
use super::validate::Validator;
use super::wire::{Asking, Failure, ask};
use crate::context::Run;
use crate::log::trace;
use crate::sys::pcre::Regex;
use bstr::{BString, ByteSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The test harness' ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestMode {
    /// The directory of the main configuration file; `bin/fakens` and `dnszones` are in it.
    pub directory: BString,
}

/// The options of the configuration that concern the resolver.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `dns_retrans`: wait for the first reply; `None` or zero: as resolv.conf says.
    pub retrans: Option<Duration>,
    /// `dns_retry`: rounds; `None` or 0: as resolv.conf says.
    pub retry: Option<u32>,
    /// `dns_use_edns0`: `None` (negative): as resolv.conf says.
    pub edns0: Option<bool>,
    /// `dns_dnssec_ok`: `None` (negative): as each query asks.
    pub dnssec_ok: Option<bool>,
    /// `dns_check_names_pattern`, compiled; `None` if it is empty.
    pub check_names: Option<Regex>,
    /// `dns_cname_loops`: CNAMEs followed by ourselves beyond those in a reply.
    pub cname_loops: u32,
    /// These servers instead of resolv.conf's.
    pub servers: Option<Vec<SocketAddr>>,
    /// For questions with `dnssec`, instead of believing the servers.
    pub validator: Option<Arc<Validator>>,
    /// In the test harness only.
    pub test: Option<TestMode>,
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// A final dot means that no search list applies.
    pub name: &'a [u8],
    pub rtype: RecordType,
    /// Append the local domain to a name without dots (RES_DEFNAMES).
    pub qualify_single: bool,
    /// Try the search domains for a name with dots (RES_DNSRCH).
    pub search_parents: bool,
    /// Ask for DNSSEC (`dnssec_request_domains`).
    pub dnssec: bool,
    /// Who asks: for debug output (`-d+resolver`).
    pub run: Option<&'a Arc<Run>>,
}

impl<'a> Query<'a> {
    /// The name as it is, no search, no DNSSEC.
    pub fn new(name: &'a [u8], rtype: RecordType) -> Self {
        Self { name, rtype, qualify_single: false, search_parents: false, dnssec: false, run: None }
    }
    /// With DNSSEC asked for or not.
    pub fn dnssec(self, on: bool) -> Self {
        Self { dnssec: on, ..self }
    }
    /// With debug output for this caller.
    pub fn of(self, run: &'a Arc<Run>) -> Self {
        Self { run: Some(run), ..self }
    }
}

/// A resolver, to be shared by all threads of a process and inherited by forked children.
#[derive(Debug, Default)]
pub struct Resolver {
    settings: Settings,
    source: Source,
    cache: Cache,
    turn: AtomicUsize,
}

impl Resolver {
    /// With these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// The same with other waiting times (`retrans_` and `retry_` of dnsdb lookups), and a cache of its own.
    pub fn with_timing(&self, retrans: Option<Duration>, retry: Option<u32>) -> Self {
        let settings = self.settings.clone();
        Self::new(Settings { retrans: retrans.or(settings.retrans), retry: retry.or(settings.retry), ..settings })
    }

    /// In the test harness?
    pub fn is_test(&self) -> bool {
        self.settings.test.is_some()
    }

    /// Asks, following CNAMEs: the reply's own chain, and up to `dns_cname_loops` times beyond it.
    /// For CNAME and ANY questions nothing is followed.
    pub fn lookup(&self, query: &Query<'_>) -> Answer {
        let started = Instant::now();
        let mut answer = self.follow(query);
        answer.elapsed = started.elapsed();
        answer
    }

    fn follow(&self, query: &Query<'_>) -> Answer {
        let mut target: BString = query.name.into();
        let mut full: BString = query.name.into();
        // A chain is as secure as its weakest link.
        let (mut ad, mut aa) = (true, true);
        for round in 0..=self.settings.cname_loops {
            let q = Query { name: &target, ..*query };
            let mut answer = self.basic(&q);
            (ad, aa) = (ad && answer.ad, aa && answer.aa);
            (answer.ad, answer.aa) = (ad, aa);
            if answer.outcome != Outcome::Found {
                return answer;
            }
            if matches!(query.rtype, RecordType::Cname | RecordType::Any) {
                return answer;
            }
            let alias = answer.of_type(RecordType::Cname).next();
            let data = answer.of_type(query.rtype).next();
            let done = data.is_some();
            let Some(first) = alias.or(data) else {
                answer.outcome = Outcome::Fail;
                return answer;
            };
            // The name that was found is the alias; what it stands for is another host's name.
            if round == 0 && first.name.first() != Some(&b'*') {
                full = first.name.clone();
            }
            answer.name = full.clone();
            if done {
                return answer;
            }
            // Only CNAMEs: the chain leads out of what the server had. The last one not resolved here
            // is the one to go on with.
            target = chain_end(&answer);
        }
        let mut answer = Answer::empty(Outcome::Fail, &full);
        answer.cname_loop = true;
        answer.asked = target;
        answer
    }

    /// Asks once: no CNAME following (but search lists, name checks, cache).
    pub fn basic(&self, query: &Query<'_>) -> Answer {
        let started = Instant::now();
        let asked = match to_ascii(query.name) {
            Some(ascii) => ascii,
            None => return bad_syntax(query.name),
        };
        let key = Key {
            name: asked.to_ascii_lowercase().into(),
            rtype: query.rtype.code(),
            flags: u8::from(query.qualify_single) | u8::from(query.search_parents) << 1 | u8::from(query.dnssec) << 2,
        };
        if let Some(mut hit) = self.cache.get(&key) {
            hit.elapsed = started.elapsed();
            return hit;
        }
        if !self.name_is_good(&asked, query.rtype) {
            return bad_syntax(query.name);
        }
        if matches!(query.rtype, RecordType::A | RecordType::Aaaa) && is_ip_literal(&asked) {
            return Answer::empty(Outcome::NoMatch, query.name);
        }
        let mut answer = match &self.settings.test {
            Some(test) => match fakens::ask(&test.directory, &asked, query.rtype) {
                Fake::Answered(outcome, reply) => {
                    if let Some(run) = query.run.filter(|r| r.debug & trace::RESOLVER != 0) {
                        let (name, rtype, count) = (asked.as_bstr(), query.rtype.name(), reply.answers.len());
                        trace::early(run, format_args!("fakens: {name} ({rtype}): {outcome:?}, {count} answers"));
                    }
                    answer_of(reply, outcome, &asked)
                }
                Fake::PassOn => self.search(&asked, query),
            },
            None => self.search(&asked, query),
        };
        answer.asked = asked;
        answer.elapsed = started.elapsed();
        self.cache.put(key, &answer, !self.is_test());
        answer
    }

    /// `dns_check_names_pattern`: not for PTR and TXT; for SRV and TLSA without the first two labels.
    fn name_is_good(&self, name: &[u8], rtype: RecordType) -> bool {
        let Some(pattern) = &self.settings.check_names else { return true };
        let name = match rtype {
            RecordType::Ptr | RecordType::Txt => return true,
            RecordType::Srv | RecordType::Tlsa => name.splitn(3, |b| *b == b'.').nth(2).unwrap_or(name),
            _ => name,
        };
        pattern.is_match(name)
    }

    /// The C library's res_search: as it is, with the search domains, in an order that the dots decide.
    fn search(&self, asked: &[u8], query: &Query<'_>) -> Answer {
        let conf = self.source.get();
        if let Some(absolute) = asked.strip_suffix(b".") {
            return self.ask_servers(absolute, query);
        }
        let dots = asked.iter().filter(|b| **b == b'.').count();
        let mut as_is = None;
        if dots >= conf.ndots as usize {
            let a = self.ask_servers(asked, query);
            if !matches!(a.outcome, Outcome::NoMatch | Outcome::NoData) {
                return a;
            }
            as_is = Some(a);
        }
        let searches = if dots == 0 { query.qualify_single } else { query.search_parents };
        let (mut no_data, mut trouble) = (None, None);
        if searches {
            let most = if query.search_parents { conf.search.len() } else { 1 };
            for domain in conf.search.iter().take(most) {
                let name = [asked, b".", domain.as_bytes()].concat();
                let a = self.ask_servers(&name, query);
                match a.outcome {
                    Outcome::Found => return a,
                    Outcome::NoMatch => {}
                    Outcome::NoData => no_data = no_data.or(Some(a)),
                    Outcome::Again => trouble = trouble.or(Some(a)),
                    Outcome::Fail => break,
                }
            }
        }
        if as_is.is_none() && (dots > 0 || !searches || !conf.no_tld_query) {
            let a = self.ask_servers(asked, query);
            if a.found() {
                return a;
            }
            as_is = Some(a);
        }
        let answer = as_is.or(no_data).or(trouble).unwrap_or_else(|| Answer::empty(Outcome::NoMatch, asked));
        Answer { name: asked.into(), ..answer }
    }

    /// One exchange with the real name servers.
    fn ask_servers(&self, text: &[u8], query: &Query<'_>) -> Answer {
        let Some(wire_name) = name::from_text(text) else { return Answer::empty(Outcome::Fail, text) };
        let conf = self.source.get();
        let s = &self.settings;
        let servers = s.servers.as_deref().unwrap_or(&conf.addresses);
        let dnssec = s.dnssec_ok.unwrap_or(query.dnssec);
        let how = Asking {
            servers,
            timeout: s.retrans.filter(|t| !t.is_zero()).unwrap_or(conf.timeout),
            attempts: s.retry.filter(|n| *n > 0).unwrap_or(conf.attempts),
            edns: s.edns0.unwrap_or(conf.edns0),
            dnssec,
            unvalidated: false,
            tcp_only: conf.use_tcp,
            run: query.run.cloned(),
            first: if conf.rotate { self.turn.fetch_add(1, Ordering::Relaxed) } else { 0 },
        };
        let asked = match s.validator.as_ref().filter(|_| dnssec) {
            Some(v) => v.ask(&wire_name, query.rtype, &how),
            None => ask(&wire_name, query.rtype, &how),
        };
        match asked {
            Ok(reply) => {
                let outcome = if reply.rcode != 0 {
                    Outcome::NoMatch
                } else if reply.answers.is_empty() {
                    Outcome::NoData
                } else {
                    Outcome::Found
                };
                answer_of(reply, outcome, text)
            }
            Err(Failure::Again) => Answer::empty(Outcome::Again, text),
            Err(Failure::Fail) => Answer::empty(Outcome::Fail, text),
        }
    }

    /// The PTR records of an address. In the test harness 99.99.99.99 is always a temporary failure.
    pub fn reverse(&self, ip: IpAddr, dnssec: bool) -> Answer {
        let name = name::reverse_name(ip);
        self.lookup(&Query::new(name.as_bytes(), RecordType::Ptr).dnssec(dnssec))
    }
}

fn answer_of(reply: Reply, outcome: Outcome, name: &[u8]) -> Answer {
    Answer {
        records: reply.answers,
        authority: reply.authority,
        additional: reply.additional,
        ad: reply.ad,
        aa: reply.aa,
        ..Answer::empty(outcome, name)
    }
}

fn bad_syntax(name: &[u8]) -> Answer {
    Answer { bad_syntax: true, ..Answer::empty(Outcome::NoMatch, name) }
}

/// Where the CNAMEs of a reply lead: from the first one on, for as long as the target is an owner too.
fn chain_end(answer: &Answer) -> BString {
    let aliases: Vec<(&[u8], &[u8])> = answer
        .of_type(RecordType::Cname)
        .filter_map(|r| match &r.data {
            RData::Name(n) => Some((r.name.as_slice(), n.as_slice())),
            _ => None,
        })
        .collect();
    let Some((_, first)) = aliases.first() else { return answer.name.clone() };
    let mut at: &[u8] = first;
    for _ in 0..aliases.len() {
        match aliases.iter().find(|(owner, _)| owner.eq_ignore_ascii_case(at)) {
            Some((_, next)) => at = next,
            None => break,
        }
    }
    at.into()
}

fn is_ip_literal(name: &[u8]) -> bool {
    name.to_str().is_ok_and(|s| {
        let s = s.split_once('%').map_or(s, |(ip, _)| ip);
        s.parse::<IpAddr>().is_ok()
    })
}

/// A name with UTF-8 becomes A-labels; `None` if it cannot.
fn to_ascii(name: &[u8]) -> Option<BString> {
    if name.is_ascii() {
        return Some(name.into());
    }
    let ascii = idna::domain_to_ascii_cow(name, idna::AsciiDenyList::EMPTY).ok()?;
    Some(ascii.as_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pcre::Options;

    #[test]
    fn checks_before_asking() {
        let pattern = br"(?i)^(?>(?(1)\.|())[^\W_](?>[a-z0-9/-]*[^\W_])?)+$";
        let r = Resolver::new(Settings {
            check_names: Some(Regex::new(pattern, Options::NONE).unwrap()),
            servers: Some(Vec::new()),
            ..Settings::default()
        });
        let ask = |n: &[u8], t| r.lookup(&Query::new(n, t));
        assert!(ask(b"bad_name.example", RecordType::A).bad_syntax);
        assert!(ask(b"x..example", RecordType::Mx).bad_syntax);
        assert!(!ask(b"_client._smtp.example", RecordType::Srv).bad_syntax);
        assert!(!ask(b"bad_name.example", RecordType::Txt).bad_syntax);
        assert_eq!(ask(b"127.0.0.1", RecordType::A).outcome, Outcome::NoMatch);
        assert_eq!(to_ascii("straße.de".as_bytes()).unwrap(), "xn--strae-oqa.de");
        assert!(to_ascii(b"\xff.de").is_none());
    }
}

//! DNSSEC validation of our own, from the root's keys downwards (build option SUPPORT_DNSSEC_VALIDATION): for those who
//! do not trust the resolver of the host, or the way to it.
//!
//! The servers of resolv.conf are asked as ever, but for the signatures too, and what they say of their own validation
//! is not believed: `ad` of a [`Reply`] from here says what was found. The validator is hickory's, which asks for keys
//! and delegations through [`Upstream`]; nothing of it is seen outside.
//!
//! An alias is followed by a new question, so that each reply has to prove one thing: the records of one name, or that
//! there are none. What else a server puts into a reply is left out. Data that should be signed and are not, or not
//! rightly, are a temporary failure, as they are with a validating resolver.
//!
//! What a hostile server can make us do is bounded: questions and time for one lookup ([`MOST_QUESTIONS`],
//! [`MOST_TIME`]), length of a chain of aliases and of delegations, records in a reply, iterations of NSEC3; and, in
//! hickory, signatures for a set of records (8) and keys for a key tag (2).

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod judge;
mod message;
mod runtime;
mod upstream;

use std::fmt;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hickory_net::NetError;
use hickory_net::dnssec::DnssecDnsHandle;
use hickory_net::xfer::{DnsHandle, FirstAnswer};
use hickory_proto::dnssec::TrustAnchors;
use hickory_proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Query};
use hickory_proto::rr::{DNSClass, Name, RecordType as WireType};

use self::judge::Verdict;
use self::upstream::{Kept, Upstream};
use super::parse::Reply;
use super::types::RecordType;
use super::wire::{Asking, Failure, ask};

/// Questions asked for one lookup, with those for keys and delegations.
const MOST_QUESTIONS: u32 = 100;
/// Time for one lookup; a question that has begun may take its own time beyond it.
const MOST_TIME: Duration = Duration::from_secs(60);
/// Aliases in a row.
const MOST_ALIASES: usize = 8;
/// Questions that depend on each other: two for a delegation.
const DEPTH: usize = 26;
/// With more iterations than the first, NSEC3 records prove nothing: the zone counts as unsigned; than the second, as
/// broken (RFC 9276, 3.2).
const NSEC3_ITERATIONS: (u16, u16) = (50, 150);

/// The keys to begin with, and the keys and delegations met so far.
pub struct Validator {
    anchors: Arc<TrustAnchors>,
    kept: Arc<Kept>,
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Validator({} root keys)", self.anchors.len())
    }
}

impl Validator {
    /// From the value of `dnssec_trust_anchors`: `root` for the keys of the root zone, the name of a file with DNSKEY
    /// records in their place, or nothing: no validation of our own.
    pub fn from_option(value: &str) -> Result<Option<Validator>, String> {
        let anchors = match value {
            "" => return Ok(None),
            "root" => TrustAnchors::default(),
            file if file.starts_with('/') => {
                let anchors = TrustAnchors::from_file(Path::new(file)).map_err(|e| format!("{file}: {e}"))?;
                if anchors.is_empty() {
                    return Err(format!("{file}: no DNSKEY record of the root zone"));
                }
                anchors
            }
            other => return Err(format!("\"root\" or the path of a file expected, found \"{other}\"")),
        };
        Ok(Some(Validator { anchors: Arc::new(anchors), kept: Arc::default() }))
    }

    /// Asks, follows aliases, and tells in `ad` whether all of it is proved.
    pub(in crate::dns) fn ask(&self, name: &Name, rtype: RecordType, how: &Asking<'_>) -> Result<Reply, Failure> {
        let how = Asking { dnssec: true, unvalidated: true, ..how.clone() };
        let upstream = Upstream::new(&how, Arc::clone(&self.kept));
        let mut whole = Reply { ad: true, ..Reply::default() };
        let mut name = name.clone();
        for _ in 0..MOST_ALIASES {
            let step = ask(&name, rtype, &how)?;
            // It has no panic that we know of; if one is found, it must not cost more than the lookup.
            let work = std::panic::AssertUnwindSafe(|| self.judge(&upstream, &name, rtype, &step.wire));
            let (verdict, alias) = std::panic::catch_unwind(work).ok().flatten().unwrap_or((Verdict::Bogus, None));
            match verdict {
                Verdict::Secure => {}
                Verdict::Insecure => whole.ad = false,
                Verdict::Bogus => {
                    self.kept.clear();
                    return Err(Failure::Again);
                }
            }
            whole.aa = step.aa;
            let (own, text) = (rtype.code(), super::name::to_text(&name));
            let wanted = |r: &super::types::Record| {
                r.name.eq_ignore_ascii_case(&text) && (own == 255 || r.rtype == rtype || r.rtype == RecordType::Cname)
            };
            whole.answers.extend(step.answers.into_iter().filter(wanted));
            (whole.rcode, whole.authority, whole.id, whole.response) = (step.rcode, step.authority, step.id, true);
            match alias.filter(|_| !matches!(rtype, RecordType::Cname | RecordType::Any)) {
                Some(target) => name = target,
                None => return Ok(whole),
            }
        }
        Err(Failure::Fail)
    }

    /// What one reply proves, and where it leads if it is an alias.
    fn judge(&self, upstream: &Upstream, name: &Name, rtype: RecordType, wire: &[u8]) -> Option<(Verdict, Option<Name>)> {
        let reply = message::relevant(wire, name, rtype)?;
        let alias = judge::alias(&reply, name, rtype);
        let mut query = Query::query(name.clone(), WireType::from(rtype.code()));
        query.set_query_class(DNSClass::IN);
        let mut options = DnsRequestOptions::default();
        options.max_request_depth = DEPTH;
        let (soft, hard) = NSEC3_ITERATIONS;
        let handle = DnssecDnsHandle::with_trust_anchor(upstream.seeded(reply), Arc::clone(&self.anchors))
            .nsec3_iteration_limits(Some(soft), Some(hard));
        let result = finish(handle.send(DnsRequest::from_query(query, options)).first_answer())?;
        Some((judge::verdict(result, name), alias))
    }
}

/// Runs a future to its end. Everything it waits for blocks within its own call, so it never has to wait.
fn finish(future: impl Future<Output = Result<DnsResponse, NetError>>) -> Option<Result<DnsResponse, NetError>> {
    /// Turns of its own accord.
    const MOST_TURNS: usize = 10_000;
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..MOST_TURNS).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    })
}

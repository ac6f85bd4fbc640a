//! Questions that climb the tree: the name servers of the enclosing zone, and Client SMTP Authorization.

use super::resolver::{Query, Resolver};
use super::types::{Answer, Outcome, RData, RecordType};
use bstr::{BString, ByteSlice};

/// What CSA found: the answer with the SRV record, and whether it was asserted by a parent domain.
#[derive(Debug, Clone)]
pub struct CsaAnswer {
    pub answer: Answer,
    /// The name whose record it is: the asked one, or a parent of it.
    pub domain: BString,
    /// The record is a parent's assertion for its subdomains.
    pub from_parent: bool,
}

impl Resolver {
    /// The NS (or SOA) records of the domain or of the nearest enclosing one that has some (dnsdb's `zns`).
    pub fn enclosing_zone(&self, query: &Query<'_>) -> Answer {
        let mut name = query.name;
        loop {
            let answer = self.lookup(&Query { name, ..*query });
            if !matches!(answer.outcome, Outcome::NoMatch | Outcome::NoData) {
                return answer;
            }
            match name.find_byte(b'.').and_then(|at| name.get(at + 1..)) {
                Some(parent) if !parent.is_empty() => name = parent,
                _ => return Answer::empty(Outcome::NoMatch, query.name),
            }
        }
    }

    /// The CSA record (SRV at `_client._smtp.DOMAIN`) for a name; failing that, a parent's record that
    /// speaks for its subdomains, at most `search_limit` levels up (`dns_csa_search_limit`).
    pub fn csa(&self, domain: &[u8], search_limit: u32, dnssec: bool) -> CsaAnswer {
        let ask = |d: &[u8]| {
            let name = [b"_client._smtp.", d].concat();
            self.lookup(&Query::new(&name, RecordType::Srv).dnssec(dnssec))
        };
        let direct = ask(domain);
        if direct.outcome != Outcome::NoMatch {
            return CsaAnswer { answer: direct, domain: domain.into(), from_parent: false };
        }
        let nothing = CsaAnswer { answer: direct, domain: domain.into(), from_parent: false };
        let lower = domain.to_ascii_lowercase();
        let (mut end, limit, step6) = if lower.ends_with(b".in-addr.arpa") {
            (domain.len() - "in-addr.arpa".len() - 1, 3, false)
        } else if lower.ends_with(b".ip6.arpa") {
            (domain.len() - "ip6.arpa".len() - 1, 3, true)
        } else {
            (domain.len(), search_limit, false)
        };
        // If the root or the top-level domain says "no such name", its parents need not be asked.
        let top = lower.rfind_byte(b'.').map_or(&lower[..], |at| &lower[at + 1..]);
        if nothing
            .answer
            .authority
            .iter()
            .any(|r| r.rtype == RecordType::Soa && (r.name.is_empty() || r.name.eq_ignore_ascii_case(top)))
        {
            return nothing;
        }
        for _ in 0..limit {
            // Upwards from the top: one more label each time (four nibbles at once for IPv6 reverse names).
            let Some(before) = domain.get(..end) else { return nothing };
            let start = if step6 { end.saturating_sub(8) } else { before.rfind_byte(b'.').unwrap_or(0) };
            if start == 0 {
                return nothing;
            }
            end = start;
            let Some(parent) = domain.get(start + 1..) else { return nothing };
            if !step6 && !parent.contains(&b'.') {
                continue; // not the top-level domain itself
            }
            let answer = ask(parent);
            match answer.outcome {
                Outcome::Found => {
                    let speaks = answer
                        .of_type(RecordType::Srv)
                        .any(|r| matches!(r.data, RData::Srv { priority: 1, port, .. } if port & 1 != 0));
                    if speaks {
                        return CsaAnswer { answer, domain: parent.into(), from_parent: true };
                    }
                }
                Outcome::Again => return CsaAnswer { answer, domain: parent.into(), from_parent: true },
                _ => {}
            }
        }
        nothing
    }
}

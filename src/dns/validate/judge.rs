//! From the proofs of single records to what a reply as a whole is worth.

use hickory_net::DnsError;
use hickory_net::NetError;
use hickory_proto::dnssec::Proof;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::DnsResponse;
use hickory_proto::rr::{Name, RData, Record, RecordType as WireType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use super::super::types::RecordType;

/// What a reply is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Proved from the anchors down.
    Secure,
    /// Proved that it cannot be proved: an unsigned delegation is above it.
    Insecure,
    /// It should be proved and is not.
    Bogus,
}

/// Judges what the validator has made of a reply about `name`.
pub(super) fn verdict(result: Result<DnsResponse, NetError>, name: &Name) -> Verdict {
    let reply = match result {
        Ok(reply) => reply,
        Err(NetError::Dns(DnsError::Nsec { response, proof, .. })) => return without_denial(&response, proof),
        Err(_) => return Verdict::Bogus,
    };
    let mut answers = reply.answers.iter().filter(|r| is_data(r)).peekable();
    if answers.peek().is_some() {
        return all(answers, &reply);
    }
    denial(&reply, name)
}

fn is_data(record: &Record) -> bool {
    record.record_type() != WireType::RRSIG
}

/// The worst of the answers.
fn all<'a>(answers: impl Iterator<Item = &'a Record>, reply: &DnsResponse) -> Verdict {
    let mut verdict = Verdict::Secure;
    for r in answers {
        match r.proof {
            Proof::Secure => {}
            Proof::Insecure => verdict = Verdict::Insecure,
            _ if r.record_type() == WireType::CNAME && made_by_dname(r, reply) => {}
            _ => return Verdict::Bogus,
        }
    }
    verdict
}

/// The validator found no denial where one must be. That is no harm if the zone is proved to be unsigned (it may have
/// signatures all the same), and for answers made of a wildcard, if the denial is there: it looks for more than that.
fn without_denial(reply: &DnsResponse, proof: Proof) -> Verdict {
    let answers = || reply.answers.iter().filter(|r| is_data(r));
    let some = answers().next().is_some();
    if proof == Proof::Insecure || some && answers().all(|r| r.proof == Proof::Insecure) {
        Verdict::Insecure
    } else if some && answers().all(|r| r.proof == Proof::Secure) && reply.answers.iter().all(|r| wildcard_stands(r, reply)) {
        Verdict::Secure
    } else {
        Verdict::Bogus
    }
}

/// RFC 4035, 5.3.4: a name may be answered for by a wildcard if a secure NSEC record denies it, and the closest name
/// above it that this record lets exist is the wildcard's parent. True of all but signatures for wildcards.
fn wildcard_stands(record: &Record, reply: &DnsResponse) -> bool {
    let RData::DNSSEC(DNSSECRData::RRSIG(sig)) = &record.data else { return true };
    let (name, labels) = (&record.name, sig.input().num_labels);
    if labels >= name.num_labels() {
        return true;
    }
    reply.authorities.iter().filter(|r| r.proof == Proof::Secure).any(|r| {
        let RData::DNSSEC(DNSSECRData::NSEC(nsec)) = &r.data else { return false };
        let (owner, next) = (&r.name, nsec.next_domain_name());
        // The last record of a zone leads back to its first name.
        let covers = owner < name && (name < next || next <= owner);
        let above =
            |other: &Name| name.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        let zone = &sig.input().signer_name;
        covers && zone.zone_of(owner) && zone.zone_of(next) && above(owner).max(above(next)) == usize::from(labels)
    })
}

/// There are no answers, and the validator does not object. It also lets pass what comes from any unsigned zone, so
/// that one must be shown to be above the name.
fn denial(reply: &DnsResponse, name: &Name) -> Verdict {
    let proves = |r: &Record| matches!(r.record_type(), WireType::NSEC | WireType::NSEC3) && r.proof == Proof::Secure;
    let above = |r: &Record| r.record_type() == WireType::SOA && r.proof == Proof::Insecure && r.name.zone_of(name);
    if reply.authorities.iter().any(proves) {
        Verdict::Secure
    } else if reply.authorities.is_empty() || reply.authorities.iter().any(above) {
        Verdict::Insecure
    } else {
        Verdict::Bogus
    }
}

/// Where a reply leads if it has no data of the type asked for.
pub(super) fn alias(reply: &DnsResponse, name: &Name, rtype: RecordType) -> Option<Name> {
    let own = |r: &&Record| r.name == *name;
    if reply.answers.iter().filter(own).any(|r| r.record_type() == WireType::from(rtype.code())) {
        return None;
    }
    reply.answers.iter().filter(own).find_map(|r| match &r.data {
        RData::CNAME(target) => Some(target.0.clone()),
        _ => None,
    })
}

/// A CNAME that a server made of a DNAME (RFC 6672) has no signature, but says what the DNAME says.
fn made_by_dname(cname: &Record, reply: &DnsResponse) -> bool {
    let RData::CNAME(target) = &cname.data else { return false };
    reply.answers.iter().filter(|r| r.record_type() == WireType::DNAME && r.proof == Proof::Secure).any(|dname| {
        let RData::Unknown { rdata, .. } = &dname.data else { return false };
        let Ok(to) = Name::read(&mut BinDecoder::new(&rdata.anything)) else { return false };
        let labels = cname.name.num_labels().saturating_sub(dname.name.num_labels());
        let kept: Vec<&[u8]> = cname.name.iter().take(labels.into()).collect();
        let Ok(mut made) = Name::from_labels(kept.into_iter().chain(to.iter())) else { return false };
        made.set_fqdn(true);
        dname.name.zone_of(&cname.name) && labels > 0 && made == target.0
    })
}

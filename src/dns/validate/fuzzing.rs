//! What the fuzz target `dnssec` calls: the validator over replies that are all there, so that nothing is asked.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::dnssec::{PublicKey, TrustAnchors};
use hickory_proto::rr::{Name, RData, RecordType as WireType};

use super::upstream::{Kept, Upstream};
use super::{Validator, message};
use crate::dns::types::RecordType;
use crate::dns::wire::Asking;

/// Replies, each after its length in two bytes: keys of the root, delegation and keys of `ex`, and what is judged, about
/// `a.ex`. The anchors are the root's keys themselves.
pub fn dnssec(data: &[u8]) {
    let mut rest = data;
    let mut next = || {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let (reply, tail) = tail.split_at_checked(u16::from_be_bytes(*length).into())?;
        rest = tail;
        Some(reply)
    };
    let (Ok(root), Ok(zone), Ok(own)) = (".".parse::<Name>(), "ex.".parse::<Name>(), "a.ex.".parse::<Name>()) else { return };
    let kept = Arc::new(Kept::default());
    let mut anchors = TrustAnchors::empty();
    for (name, rtype) in [(&root, WireType::DNSKEY), (&zone, WireType::DS), (&zone, WireType::DNSKEY)] {
        let Some(wire) = next() else { return };
        let Some(reply) = message::relevant(wire, name, RecordType::from_code(rtype.into())) else { continue };
        for r in reply.answers.iter().filter(|r| r.name.is_root()) {
            if let RData::DNSSEC(DNSSECRData::DNSKEY(key)) = &r.data {
                let _ = PublicKey::public_bytes(key.public_key());
                anchors.insert(key.public_key());
            }
        }
        kept.put((name.clone(), rtype), &reply);
    }
    let Some(judged) = next() else { return };
    let how = Asking {
        servers: &[],
        timeout: Duration::ZERO,
        attempts: 0,
        edns: true,
        dnssec: true,
        unvalidated: true,
        tcp_only: false,
        first: 0,
        run: None,
    };
    let validator = Validator { anchors: Arc::new(anchors), kept: Arc::clone(&kept) };
    let upstream = Upstream::new(&how, kept);
    for rtype in [RecordType::Tlsa, RecordType::A, RecordType::Any] {
        let _ = validator.judge(&upstream, &own, rtype, judged);
    }
}

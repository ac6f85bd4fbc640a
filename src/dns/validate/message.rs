//! A reply in hickory's form, with nothing in it but what the question calls for.

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{DnsResponse, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType as WireType};
use hickory_proto::serialize::binary::{BinDecoder, Restrict};

use super::super::parse::{self, RawRecord};
use super::super::types::RecordType;

/// Records in the sections that are looked at: more than any honest reply has, few enough to be verified.
const MOST_RECORDS: usize = 100;

/// The answers: records of the name and the type, or an alias; and above it a DNAME. The authority section: what may
/// prove that there are none. None: no message, or too large.
pub(super) fn relevant(wire: &[u8], name: &Name, rtype: RecordType) -> Option<DnsResponse> {
    let wanted = WireType::from(rtype.code());
    let raw = parse::read(wire)?;
    let [answers, authority, _] = &raw.sections;
    let mut m = Message::new(raw.head.id, MessageType::Response, OpCode::Query);
    let mut query = Query::query(name.clone(), wanted);
    query.set_query_class(DNSClass::IN);
    m.add_query(query);
    for r in answers {
        let Some(record) = record(r, &raw.decoder) else { continue };
        let covered = type_or_covered(&record);
        let own = record.name == *name && (covered == wanted || covered == WireType::CNAME || wanted == WireType::ANY);
        let above = covered == WireType::DNAME && record.name.zone_of(name) && record.name != *name;
        if own || above {
            m.add_answer(record);
        }
    }
    if m.answers.is_empty() {
        m.metadata.response_code = ResponseCode::from(0, u8::try_from(raw.head.rcode).ok()?);
    }
    // With an answer, a denial is only called for if the answer is made of a wildcard. (What a server denies about the
    // target of an alias is asked for again.)
    if m.answers.is_empty() || m.answers.iter().any(is_from_wildcard) {
        for r in authority {
            let Some(record) = record(r, &raw.decoder) else { continue };
            let keep = match type_or_covered(&record) {
                WireType::SOA => record.name.zone_of(name),
                WireType::NSEC | WireType::NSEC3 => true,
                _ => false,
            };
            if keep {
                m.add_authority(record);
            }
        }
    }
    if m.answers.len() + m.authorities.len() > MOST_RECORDS {
        return None;
    }
    DnsResponse::from_message(m).ok()
}

fn is_from_wildcard(record: &Record) -> bool {
    matches!(&record.data, RData::DNSSEC(DNSSECRData::RRSIG(sig)) if sig.input().num_labels < record.name.num_labels())
}

/// The type of a record; of a signature, the type that it is for.
pub(super) fn type_or_covered(record: &Record) -> WireType {
    match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(sig)) => sig.input().type_covered,
        _ => record.record_type(),
    }
}

/// Data that hickory cannot read stay as they are: the signature is over the bytes. No type has empty data.
fn record(raw: &RawRecord<'_>, message: &BinDecoder<'_>) -> Option<Record> {
    if raw.data.is_empty() {
        return None;
    }
    let rtype = WireType::from(raw.rtype);
    let length = u16::try_from(raw.data.len()).ok()?;
    let mut at = message.clone(u16::try_from(raw.at).ok()?);
    let data = RData::read(&mut at, rtype, Restrict::new(length)).ok();
    let data = data.unwrap_or_else(|| RData::Unknown { code: rtype, rdata: NULL::with(raw.data.to_vec()) });
    Some(Record::from_rdata(raw.name.clone(), raw.ttl, data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    /// A TLSA record too short to be one, an NSEC and an RRSIG without end, a DNAME, and an A record of somebody else.
    const REPLY: &[u8] = b"\0\x07\x84\0\0\x01\0\x04\0\x02\0\0\x01a\x02ex\0\0\x34\0\x01\
        \xc0\x0c\0\x34\0\x01\0\0\0\x05\0\x01\x03\
        \xc0\x0c\0\x2e\0\x01\0\0\0\x05\0\x03\0\x34\x0d\
        \xc0\x0e\0\x27\0\x01\0\0\0\x05\0\x02\xc0\x0c\
        \x01b\0\0\x01\0\x01\0\0\0\x05\0\x04\x7f\0\0\x01\
        \xc0\x0c\0\x2f\0\x01\0\0\0\x05\0\x03\xc0\x0c\0\
        \xc0\x0e\0\x06\0\x01\0\0\0\x05\0\x01\0";

    #[test]
    fn bad_data_stay_bytes_and_the_rest_is_left_out() {
        let name = Name::from_str("a.ex.").unwrap();
        let r = relevant(REPLY, &name, RecordType::Tlsa).unwrap();
        let types: Vec<u16> = r.answers.iter().map(|r| r.record_type().into()).collect();
        assert_eq!(types, [52, 39]);
        assert!(matches!(&r.answers[0].data, RData::Unknown { rdata, .. } if rdata.anything == [3]));
        assert!(r.authorities.is_empty());
        assert!(relevant(&REPLY[..11], &name, RecordType::Tlsa).is_none());
    }

    #[test]
    fn every_cut_and_change_survives() {
        let name = Name::from_str("a.ex.").unwrap();
        for at in 0..REPLY.len() {
            let _ = relevant(&REPLY[..at], &name, RecordType::Any);
            for byte in [0, 0x3f, 0x40, 0xc0, 0xff] {
                let mut bad = REPLY.to_vec();
                bad[at] = byte;
                for rtype in [RecordType::Tlsa, RecordType::Any, RecordType::Other(43)] {
                    let _ = relevant(&bad, &name, rtype);
                }
            }
        }
    }
}

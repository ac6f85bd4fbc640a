//! Reading a reply, record by record: a malformed record is left out, the rest is kept.
//!
//! Everything here comes from the network and may be hostile; nothing panics.

use super::name::to_text;
use super::types::{RData, Record, RecordType};
use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A reply's header bits, question and sections.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    pub id: u16,
    pub response: bool,
    pub truncated: bool,
    pub ad: bool,
    pub aa: bool,
    /// With the upper bits of an OPT record.
    pub rcode: u16,
    /// The question, if there is one: name, type, class.
    pub question: Option<(Name, u16, u16)>,
    pub answers: Vec<Record>,
    pub authority: Vec<Record>,
    pub additional: Vec<Record>,
    /// The message, where it is wanted as it came.
    pub wire: Vec<u8>,
}

const CLASS_IN: u16 = 1;
const TYPE_OPT: u16 = 41;

/// Reads a reply; `None` if not even the header and the questions make sense. Sections that end early
/// give the records up to there.
pub(super) fn parse(wire: &[u8]) -> Option<Reply> {
    let raw = read(wire)?;
    let records = |section: &[RawRecord<'_>]| section.iter().filter_map(|r| r.decode(&raw.decoder)).collect();
    let [answers, authority, additional] = raw.sections.each_ref().map(|s| records(s));
    Some(Reply { answers, authority, additional, ..raw.head })
}

/// A reply whose records are told apart, but not looked at.
pub(super) struct RawReply<'a> {
    /// All but the records.
    pub head: Reply,
    /// Answers, authority, additional; of class IN, without OPT.
    pub sections: [Vec<RawRecord<'a>>; 3],
    /// For names within the data.
    pub decoder: BinDecoder<'a>,
}

/// The first half of [`parse`].
pub(super) fn read(wire: &[u8]) -> Option<RawReply<'_>> {
    let mut d = BinDecoder::new(wire);
    let mut word = || d.read_u16().ok().map(|r| r.unverified());
    let (id, flags) = (word()?, word()?);
    let counts = [word()?, word()?, word()?, word()?];
    let mut head = Reply {
        id,
        response: flags & 0x8000 != 0,
        aa: flags & 0x0400 != 0,
        truncated: flags & 0x0200 != 0,
        ad: flags & 0x0020 != 0,
        rcode: flags & 0x000f,
        ..Reply::default()
    };
    for _ in 0..counts[0] {
        let name = Name::read(&mut d).ok()?;
        let qtype = d.read_u16().ok()?.unverified();
        let class = d.read_u16().ok()?.unverified();
        head.question.get_or_insert((name, qtype, class));
    }
    let mut sections = [Vec::new(), Vec::new(), Vec::new()];
    'sections: for (section, count) in sections.iter_mut().zip(&counts[1..]) {
        for _ in 0..*count {
            let Some(raw) = RawRecord::read(&mut d, wire) else { break 'sections };
            if raw.rtype == TYPE_OPT {
                head.rcode |= ((raw.ttl >> 24) as u16) << 4;
            } else if raw.class == CLASS_IN {
                section.push(raw);
            }
        }
    }
    Some(RawReply { head, sections, decoder: d })
}

/// A record whose data is not looked at yet.
pub(super) struct RawRecord<'a> {
    pub name: Name,
    pub rtype: u16,
    class: u16,
    pub ttl: u32,
    /// Where the data begins in the message.
    pub at: usize,
    pub data: &'a [u8],
}

impl<'a> RawRecord<'a> {
    fn read(d: &mut BinDecoder<'a>, wire: &'a [u8]) -> Option<Self> {
        let name = Name::read(d).ok()?;
        let rtype = d.read_u16().ok()?.unverified();
        let class = d.read_u16().ok()?.unverified();
        let ttl = d.read_u32().ok()?.unverified();
        let length = usize::from(d.read_u16().ok()?.unverified());
        let at = d.index();
        let data = wire.get(at..at.checked_add(length)?)?;
        d.read_slice(length).ok()?;
        Some(Self { name, rtype, class, ttl, at, data })
    }

    fn decode(&self, message: &BinDecoder<'_>) -> Option<Record> {
        let rtype = RecordType::from_code(self.rtype);
        // TTLs with the top bit set count as 0 (RFC 2181, 8).
        let ttl = if self.ttl > i32::MAX as u32 { 0 } else { self.ttl };
        Some(Record { name: to_text(&self.name), rtype, ttl, data: self.rdata(rtype, message)? })
    }

    /// A name at this offset of the data, and where it ends there. It must end within the data, though
    /// its compression pointers may lead outside.
    fn name_at(&self, offset: usize, message: &BinDecoder<'_>) -> Option<(bstr::BString, usize)> {
        let mut d = message.clone(u16::try_from(self.at.checked_add(offset)?).ok()?);
        let name = Name::read(&mut d).ok()?;
        let end = d.index().checked_sub(self.at)?;
        (end <= self.data.len()).then(|| (to_text(&name), end))
    }

    fn u16_at(&self, offset: usize) -> Option<u16> {
        Some(u16::from_be_bytes(self.data.get(offset..offset + 2)?.try_into().ok()?))
    }

    fn u32_at(&self, offset: usize) -> Option<u32> {
        Some(u32::from_be_bytes(self.data.get(offset..offset.checked_add(4)?)?.try_into().ok()?))
    }

    fn rdata(&self, rtype: RecordType, message: &BinDecoder<'_>) -> Option<RData> {
        Some(match rtype {
            RecordType::A => RData::Address(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(self.data).ok()?))),
            RecordType::Aaaa => RData::Address(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(self.data).ok()?))),
            RecordType::Mx => RData::Mx { preference: self.u16_at(0)?, exchange: self.name_at(2, message)?.0 },
            RecordType::Srv => RData::Srv {
                priority: self.u16_at(0)?,
                weight: self.u16_at(2)?,
                port: self.u16_at(4)?,
                target: self.name_at(6, message)?.0,
            },
            RecordType::Cname | RecordType::Ns | RecordType::Ptr => RData::Name(self.name_at(0, message)?.0),
            RecordType::Txt | RecordType::Spf => RData::Text(strings(self.data)?),
            RecordType::Soa => {
                let (primary, at) = self.name_at(0, message)?;
                let (mailbox, at) = self.name_at(at, message)?;
                let n = |i: usize| self.u32_at(at.checked_add(4 * i)?);
                RData::Soa { primary, mailbox, serial: n(0)?, refresh: n(1)?, retry: n(2)?, expire: n(3)?, minimum: n(4)? }
            }
            RecordType::Tlsa => match self.data {
                [usage, selector, matching, data @ ..] => {
                    RData::Tlsa { usage: *usage, selector: *selector, matching: *matching, data: data.to_vec() }
                }
                _ => return None,
            },
            RecordType::Caa => match self.data {
                [flags, length, rest @ ..] => {
                    let (tag, value) = rest.split_at_checked(usize::from(*length))?;
                    RData::Caa { flags: *flags, tag: tag.into(), value: value.into() }
                }
                _ => return None,
            },
            RecordType::Any | RecordType::Other(_) => RData::Raw(self.data.to_vec()),
        })
    }
}

/// Character strings, each after its length. A last one that is cut off makes the record malformed.
fn strings(mut data: &[u8]) -> Option<Vec<bstr::BString>> {
    let mut out = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (text, rest) = rest.split_at_checked(usize::from(*length))?;
        out.push(text.into());
        data = rest;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(records: &[(&[u8], u16, &[u8])]) -> Vec<u8> {
        let mut m = vec![0, 7, 0x84, 0x20, 0, 1, 0, records.len() as u8, 0, 0, 0, 0];
        m.extend_from_slice(b"\x01a\x02ex\x00\x00\x0f\x00\x01");
        for (name, rtype, data) in records {
            m.extend_from_slice(name);
            m.extend_from_slice(&rtype.to_be_bytes());
            m.extend_from_slice(b"\x00\x01\x00\x00\x0e\x10");
            m.extend_from_slice(&(data.len() as u16).to_be_bytes());
            m.extend_from_slice(data);
        }
        m
    }

    #[test]
    fn bad_records_are_left_out() {
        let m = message(&[
            (b"\xc0\x0c", 1, &[1, 2, 3]),
            (b"\xc0\x0c", 15, b"\x00\x0a\x02mx\xc0\x0e"),
            (b"\xc0\x0c", 52, b"\x03"),
            (b"\xc0\x0c", 16, b"\x05abc"),
            (b"\xc0\x0c", 16, b"\x03abc\x00"),
            (b"\xc0\x0c", 15, b""),
            (b"\xc0\x0c", 33, b"\x00\x01\x00\x02\x00\x19\x00\x00"),
        ]);
        let r = parse(&m).unwrap();
        assert!(r.response && r.aa && r.ad && !r.truncated);
        assert_eq!(r.answers.len(), 3);
        assert_eq!(r.answers[0].data, RData::Mx { preference: 10, exchange: "mx.ex".into() });
        assert_eq!(r.answers[0].name, "a.ex");
        assert_eq!(r.answers[1].data, RData::Text(vec!["abc".into(), "".into()]));
        // the fake name server writes a target of "." as two zero bytes
        assert_eq!(r.answers[2].data, RData::Srv { priority: 1, weight: 2, port: 25, target: "".into() });
    }

    #[test]
    fn every_cut_and_loop_survives() {
        let m = message(&[(b"\xc0\x0c", 6, b"\x01p\xc0\x0e\x01m\xc0\x0e\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05")]);
        assert!(matches!(&parse(&m).unwrap().answers[0].data, RData::Soa { minimum: 5, .. }));
        for cut in 0..m.len() {
            let _ = parse(&m[..cut]);
        }
        for at in 0..m.len() {
            for byte in [0, 0x3f, 0x40, 0xc0, 0xff] {
                let mut bad = m.clone();
                bad[at] = byte;
                let _ = parse(&bad);
            }
        }
        let _ = parse(&message(&[(b"\xc0\x15", 5, b"\xc0\x20")]));
    }
}

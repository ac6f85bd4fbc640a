//! What the program sees of DNS: record types, records, answers.

use bstr::{BStr, BString, ByteSlice};
use std::net::IpAddr;
use std::time::Duration;

/// The type of a record or of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordType {
    A,
    Aaaa,
    Mx,
    Txt,
    Srv,
    Ptr,
    Ns,
    Soa,
    Cname,
    Tlsa,
    Caa,
    /// Type 99, obsolete.
    Spf,
    Any,
    /// By number.
    Other(u16),
}

impl RecordType {
    /// The number on the wire.
    pub fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Cname => 5,
            Self::Soa => 6,
            Self::Ptr => 12,
            Self::Mx => 15,
            Self::Txt => 16,
            Self::Aaaa => 28,
            Self::Srv => 33,
            Self::Tlsa => 52,
            Self::Spf => 99,
            Self::Any => 255,
            Self::Caa => 257,
            Self::Other(n) => n,
        }
    }

    /// The type of a number.
    pub fn from_code(code: u16) -> Self {
        match code {
            1 => Self::A,
            2 => Self::Ns,
            5 => Self::Cname,
            6 => Self::Soa,
            12 => Self::Ptr,
            15 => Self::Mx,
            16 => Self::Txt,
            28 => Self::Aaaa,
            33 => Self::Srv,
            52 => Self::Tlsa,
            99 => Self::Spf,
            255 => Self::Any,
            257 => Self::Caa,
            n => Self::Other(n),
        }
    }

    /// Its name in upper case ("MX"), "?" for a number without one.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Srv => "SRV",
            Self::Ptr => "PTR",
            Self::Ns => "NS",
            Self::Soa => "SOA",
            Self::Cname => "CNAME",
            Self::Tlsa => "TLSA",
            Self::Caa => "CAA",
            Self::Spf => "SPF",
            Self::Any => "ANY",
            Self::Other(_) => "?",
        }
    }
}

/// The data of a record. Names are without the final dot (the root is empty), dots within labels and
/// other odd bytes escaped as `\.` and `\DDD`; they come from outside and are to be treated as tainted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RData {
    /// A or AAAA.
    Address(IpAddr),
    Mx {
        preference: u16,
        exchange: BString,
    },
    /// TXT and SPF: the character strings, each 0 to 255 bytes.
    Text(Vec<BString>),
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: BString,
    },
    /// CNAME, NS, PTR.
    Name(BString),
    Soa {
        primary: BString,
        mailbox: BString,
        serial: u32,
        refresh: u32,
        retry: u32,
        expire: u32,
        minimum: u32,
    },
    Tlsa {
        usage: u8,
        selector: u8,
        matching: u8,
        data: Vec<u8>,
    },
    Caa {
        flags: u8,
        tag: BString,
        value: BString,
    },
    /// Another type: the bytes as they came.
    Raw(Vec<u8>),
}

impl RData {
    /// The address of an A or AAAA record.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(ip) => Some(*ip),
            _ => None,
        }
    }
    /// The name of a CNAME, NS or PTR record.
    pub fn name(&self) -> Option<&BStr> {
        match self {
            Self::Name(n) => Some(n.as_bstr()),
            _ => None,
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The owner's name, in the case it came in.
    pub name: BString,
    pub rtype: RecordType,
    /// Seconds.
    pub ttl: u32,
    pub data: RData,
}

/// How a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There are records (the reference's DNS_SUCCEED).
    Found,
    /// The name does not exist (DNS_NOMATCH).
    NoMatch,
    /// The name exists, but not with this type (DNS_NODATA).
    NoData,
    /// Time-out or server failure: try again later (DNS_AGAIN).
    Again,
    /// Refused, malformed, too many CNAMEs (DNS_FAIL).
    Fail,
}

/// An answer. It is also what a failure looks like: `outcome` tells, and the authority section is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Outcome,
    /// The answer section, CNAME records included. See [`Answer::of_type`].
    pub records: Vec<Record>,
    pub authority: Vec<Record>,
    pub additional: Vec<Record>,
    /// The server says that it has validated the data.
    pub ad: bool,
    /// The server is authoritative.
    pub aa: bool,
    /// The fully qualified name: the asked one as the name server gave it back, widened by search
    /// domains. An alias is not replaced by what it stands for.
    pub name: BString,
    /// The name that was asked for last: what `dns_again_means_nonexist` is to be matched with.
    pub asked: BString,
    /// The name is not one (`dns_check_names_pattern`, or IDN conversion failed); outcome is NoMatch.
    pub bad_syntax: bool,
    /// More CNAMEs than `dns_cname_loops`; the caller logs "CNAME loop for NAME encountered".
    pub cname_loop: bool,
    /// From the process's cache.
    pub cached: bool,
    /// How long it took (`slow_lookup_log`).
    pub elapsed: Duration,
}

impl Answer {
    /// An answer without records.
    pub(super) fn empty(outcome: Outcome, name: &[u8]) -> Self {
        Self {
            outcome,
            records: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            ad: false,
            aa: false,
            name: name.into(),
            asked: name.into(),
            bad_syntax: false,
            cname_loop: false,
            cached: false,
            elapsed: Duration::ZERO,
        }
    }

    /// True if there are records.
    pub fn found(&self) -> bool {
        self.outcome == Outcome::Found
    }

    /// The records of one type in the answer section, in the server's order.
    pub fn of_type(&self, rtype: RecordType) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |r| r.rtype == rtype || rtype == RecordType::Any)
    }

    /// The addresses in the answer section (A and AAAA).
    pub fn addresses(&self) -> impl Iterator<Item = (IpAddr, u32)> {
        self.records.iter().filter_map(|r| r.data.address().map(|a| (a, r.ttl)))
    }

    /// The zone that an authoritative answer comes from: the owner of the NS records (of the SOA record
    /// if there are no answers) in the authority section.
    pub fn authority_name(&self) -> Option<&BStr> {
        let wanted = if self.records.is_empty() { RecordType::Soa } else { RecordType::Ns };
        self.authority.iter().find(|r| r.rtype == wanted).map(|r| r.name.as_bstr())
    }

    /// Is it DNSSEC-secure: validated by the server (AD), or authoritative from a zone for which
    /// `trust_aa` (a match in `dns_trust_aa`) says yes.
    pub fn is_secure(&self, trust_aa: &mut dyn FnMut(&BStr) -> bool) -> bool {
        self.ad || (self.aa && self.authority_name().is_some_and(trust_aa))
    }

    /// The life of a negative answer: least of the SOA record's TTL and its minimum (RFC 2308).
    pub fn negative_ttl(&self) -> Option<u32> {
        self.authority.iter().find_map(|r| match &r.data {
            RData::Soa { minimum, .. } => Some(r.ttl.min(*minimum)),
            _ => None,
        })
    }

    /// The life of a positive answer: the least TTL of its records.
    pub fn ttl(&self) -> Option<u32> {
        self.records.iter().map(|r| r.ttl).min()
    }
}

//! The records of the hints data bases, by data base (the inventory's hints_databases.tsv).
//!
//! Keys: `retry` has `T:host[:ip[:port]][+:message-id]`, `R:domain`, `R:local@domain`;
//! `wait-TRANSPORT` host and message id; `callout` addresses and domains; `ratelimit` period/options/key;
//! `seen` the key; `tls` a hash of the connection's parameters; `misc` `host-serialize-HOST`,
//! `tpt-serialize-TRANSPORT`, `etrn-HASH`, `ip:port.EHLO`.

use super::codec::{Hint, Reader, Writer};
use bstr::BString;

/// `retry`: a host or address with temporary failures. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retry {
    pub first_failed: i64,
    pub last_try: i64,
    pub next_try: i64,
    /// The longest retry time has passed.
    pub expired: bool,
    /// An errno or one of the program's own (negative) error numbers.
    pub basic_errno: i32,
    /// More about it, such as the SMTP code or the time for quota errors.
    pub more_errno: i32,
    /// The error's text.
    pub text: BString,
}

impl Hint for Retry {
    const KIND: u8 = 1;
    fn write(&self, w: &mut Writer) {
        w.i64(self.first_failed);
        w.i64(self.last_try);
        w.i64(self.next_try);
        w.bool(self.expired);
        w.i32(self.basic_errno);
        w.i32(self.more_errno);
        w.bytes(&self.text);
    }
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            first_failed: r.i64()?,
            last_try: r.i64()?,
            next_try: r.i64()?,
            expired: r.bool()?,
            basic_errno: r.i32()?,
            more_errno: r.i32()?,
            text: r.bytes()?.into(),
        })
    }
}

/// `wait-TRANSPORT`, under a host and a message id: the message waits for the host. See [`super::wait`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting;

impl Hint for Waiting {
    const KIND: u8 = 2;
    fn write(&self, _: &mut Writer) {}
    fn read(_: &mut Reader<'_>) -> Option<Self> {
        Some(Self)
    }
}

/// What a callout found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CalloutResult {
    #[default]
    Unknown,
    Accept,
    Reject,
    /// Domain records: MAIL FROM:<> was refused.
    RejectMailFromNull,
}

impl CalloutResult {
    fn code(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Accept => 1,
            Self::Reject => 2,
            Self::RejectMailFromNull => 3,
        }
    }
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Unknown,
            1 => Self::Accept,
            2 => Self::Reject,
            3 => Self::RejectMailFromNull,
            _ => return None,
        })
    }
    /// As exim_dumpdb shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::RejectMailFromNull => "reject mailfrom null",
        }
    }
}

/// `callout`, under an address: also for quota checks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CalloutAddress {
    pub result: CalloutResult,
}

impl Hint for CalloutAddress {
    const KIND: u8 = 3;
    fn write(&self, w: &mut Writer) {
        w.u8(self.result.code());
    }
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { result: CalloutResult::from_code(r.u8()?)? })
    }
}

/// `callout`, under a domain. The stamps are seconds since 1970, 0 for "never".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CalloutDomain {
    pub result: CalloutResult,
    pub postmaster_result: CalloutResult,
    pub random_result: CalloutResult,
    pub postmaster_stamp: i64,
    pub random_stamp: i64,
}

impl Hint for CalloutDomain {
    const KIND: u8 = 4;
    fn write(&self, w: &mut Writer) {
        w.u8(self.result.code());
        w.u8(self.postmaster_result.code());
        w.u8(self.random_result.code());
        w.i64(self.postmaster_stamp);
        w.i64(self.random_stamp);
    }
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            result: CalloutResult::from_code(r.u8()?)?,
            postmaster_result: CalloutResult::from_code(r.u8()?)?,
            random_result: CalloutResult::from_code(r.u8()?)?,
            postmaster_stamp: r.i64()?,
            random_stamp: r.i64()?,
        })
    }
}

/// `ratelimit`: a smoothed rate. The seconds of its time are the record's time stamp.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ratelimit {
    /// 0 to 999999
    pub time_usec: u32,
    /// Events per period.
    pub rate: f64,
}

fn read_ratelimit(r: &mut Reader<'_>) -> Option<Ratelimit> {
    let record = Ratelimit { time_usec: r.u32()?, rate: r.f64()? };
    (record.time_usec < 1_000_000 && record.rate >= 0.0).then_some(record)
}

impl Hint for Ratelimit {
    const KIND: u8 = 5;
    fn write(&self, w: &mut Writer) {
        w.u32(self.time_usec);
        w.f64(self.rate);
    }
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        read_ratelimit(r)
    }
}

/// `ratelimit` with `unique=`: the rate, and a Bloom filter of what was counted in this period.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RatelimitUnique {
    pub limit: Ratelimit,
    /// When the filter was last emptied, seconds since 1970.
    pub bloom_epoch: i64,
    /// Its bits; the length is its own, so nothing has to agree with anything.
    pub bloom: Vec<u8>,
}

const MAX_BLOOM: usize = 1 << 20;

impl Hint for RatelimitUnique {
    const KIND: u8 = 6;
    fn write(&self, w: &mut Writer) {
        self.limit.write(w);
        w.i64(self.bloom_epoch);
        w.bytes(&self.bloom);
    }
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let limit = read_ratelimit(r)?;
        let bloom_epoch = r.i64()?;
        let bloom = r.bytes()?;
        (bloom.len() <= MAX_BLOOM).then(|| Self { limit, bloom_epoch, bloom: bloom.to_vec() })
    }
}

/// `seen`: only the time stamp counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen;

impl Hint for Seen {
    const KIND: u8 = 7;
    fn write(&self, _: &mut Writer) {}
    fn read(_: &mut Reader<'_>) -> Option<Self> {
        Some(Self)
    }
}

/// `tls`: a session to resume.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSession {
    /// The certificate was not verified but accepted all the same.
    pub verify_override: bool,
    /// State of the stapled OCSP response then.
    pub ocsp: u8,
    /// The session in DER form.
    pub session: Vec<u8>,
}

impl Hint for TlsSession {
    const KIND: u8 = 8;
    fn write(&self, w: &mut Writer) {
        w.bool(self.verify_override);
        w.u8(self.ocsp);
        w.bytes(&self.session);
    }
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { verify_override: r.bool()?, ocsp: r.u8()?, session: r.bytes()?.to_vec() })
    }
}

/// `misc`: how many hold a serialization (`host-serialize-`, `tpt-serialize-`, `etrn-`); see
/// [`super::serialize`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Serialize {
    pub count: u32,
}

impl Hint for Serialize {
    const KIND: u8 = 9;
    fn write(&self, w: &mut Writer) {
        w.u32(self.count);
    }
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { count: r.u32()? })
    }
}

/// `misc`, under `ip:port.EHLO`: what a server said to EHLO, for early pipelining and LIMITS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EhloResponse {
    /// Features offered before TLS, bits of the SMTP client's own.
    pub clear_features: u16,
    pub crypted_features: u16,
    /// Authenticators offered, bits in the order of the configuration.
    pub clear_auths: u16,
    pub crypted_auths: u16,
    /// LIMITS: MAILMAX, RCPTMAX, RCPTDOMAINMAX; 0 if not given.
    pub limit_mail: u32,
    pub limit_rcpt: u32,
    pub limit_rcptdom: u32,
}

impl Hint for EhloResponse {
    const KIND: u8 = 10;
    fn write(&self, w: &mut Writer) {
        w.u16(self.clear_features);
        w.u16(self.crypted_features);
        w.u16(self.clear_auths);
        w.u16(self.crypted_auths);
        w.u32(self.limit_mail);
        w.u32(self.limit_rcpt);
        w.u32(self.limit_rcptdom);
    }
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            clear_features: r.u16()?,
            crypted_features: r.u16()?,
            clear_auths: r.u16()?,
            crypted_auths: r.u16()?,
            limit_mail: r.u32()?,
            limit_rcpt: r.u32()?,
            limit_rcptdom: r.u32()?,
        })
    }
}

/// The `once` file of an autoreply transport: when a reply was last sent to the key's address (the time
/// stamp tells).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Once;

impl Hint for Once {
    const KIND: u8 = 11;
    fn write(&self, _: &mut Writer) {}
    fn read(_: &mut Reader<'_>) -> Option<Self> {
        Some(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::{decode, encode};
    use super::*;

    fn hostile<T: Hint + PartialEq + std::fmt::Debug>(record: &T) {
        let data = encode(record, 1_700_000_000);
        let back = decode::<T>(&data).unwrap();
        assert_eq!((&back.record, back.time_stamp), (record, 1_700_000_000));
        for cut in 0..data.len() {
            assert!(decode::<T>(&data[..cut]).is_none(), "cut at {cut}");
        }
        for at in 0..data.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bad = data.clone();
                bad[at] = byte;
                let _ = decode::<T>(&bad); // must not panic
            }
        }
        let mut longer = data;
        longer.push(0);
        assert!(decode::<T>(&longer).is_none());
    }

    #[test]
    fn round_trips_and_hostile_content() {
        hostile(&Retry {
            first_failed: -1,
            last_try: i64::MAX,
            next_try: 5,
            expired: true,
            basic_errno: -46,
            more_errno: 0x4d,
            text: "H=x: 451 \0\n\u{ff}".into(),
        });
        hostile(&Waiting);
        hostile(&CalloutAddress { result: CalloutResult::Reject });
        hostile(&CalloutDomain { result: CalloutResult::RejectMailFromNull, random_stamp: 7, ..Default::default() });
        hostile(&Ratelimit { time_usec: 999_999, rate: 1.5 });
        let limit = Ratelimit { time_usec: 0, rate: 0.0 };
        hostile(&RatelimitUnique { limit, bloom_epoch: 3, bloom: vec![1, 2, 3, 255] });
        hostile(&Seen);
        hostile(&TlsSession { verify_override: false, ocsp: 2, session: vec![0x30, 0x82] });
        hostile(&Serialize { count: 3 });
        hostile(&EhloResponse { clear_features: 0xffff, limit_rcptdom: 9, ..Default::default() });
        assert!(decode::<Seen>(&encode(&Once, 1)).is_none());
        assert!(decode::<Ratelimit>(&encode(&Ratelimit { time_usec: 0, rate: f64::NAN }, 1)).is_none());
    }
}

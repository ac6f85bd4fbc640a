//! The byte form of records: a header of 12 bytes, then fields in order, numbers little-endian.
//!
//! Header: `O`, version 1, kind, 0, then the time stamp (64 bits). Byte strings have a 32-bit length
//! before them. Decoding checks every length and wants every byte used.

const MAGIC: u8 = b'O';
const VERSION: u8 = 1;

/// A record that can be kept as a hint.
pub trait Hint: Sized {
    /// Which kind of record; no two have the same number.
    const KIND: u8;
    /// Appends the fields.
    fn write(&self, out: &mut Writer);
    /// Reads the fields in the same order.
    fn read(from: &mut Reader<'_>) -> Option<Self>;
}

/// A record and when it was written (seconds since 1970).
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped<T> {
    pub time_stamp: i64,
    pub record: T,
}

/// Collects fields.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn u8(&mut self, v: u8) {
        self.0.push(v);
    }
    pub(super) fn u16(&mut self, v: u16) {
        self.0.extend_from_slice(&v.to_le_bytes());
    }
    pub(super) fn u32(&mut self, v: u32) {
        self.0.extend_from_slice(&v.to_le_bytes());
    }
    pub(super) fn i32(&mut self, v: i32) {
        self.0.extend_from_slice(&v.to_le_bytes());
    }
    pub(super) fn i64(&mut self, v: i64) {
        self.0.extend_from_slice(&v.to_le_bytes());
    }
    pub(super) fn f64(&mut self, v: f64) {
        self.0.extend_from_slice(&v.to_bits().to_le_bytes());
    }
    pub(super) fn bool(&mut self, v: bool) {
        self.0.push(u8::from(v));
    }
    /// At most 4 GB; what is beyond is cut, which no record ever reaches.
    pub(super) fn bytes(&mut self, v: &[u8]) {
        let n = u32::try_from(v.len()).unwrap_or(u32::MAX);
        self.u32(n);
        self.0.extend_from_slice(v.get(..n as usize).unwrap_or(v));
    }
}

/// Takes fields off.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_le_bytes)
    }
    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }
    /// Only finite numbers.
    pub(super) fn f64(&mut self) -> Option<f64> {
        self.array().map(|b| f64::from_bits(u64::from_le_bytes(b))).filter(|v| v.is_finite())
    }
    pub(super) fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let n = self.u32()?;
        self.take(usize::try_from(n).ok()?)
    }
}

pub(super) fn encode<T: Hint>(record: &T, time_stamp: i64) -> Vec<u8> {
    let mut w = Writer(vec![MAGIC, VERSION, T::KIND, 0]);
    w.i64(time_stamp);
    record.write(&mut w);
    w.0
}

fn header(data: &[u8]) -> Option<(u8, i64, Reader<'_>)> {
    let mut r = Reader(data);
    let [magic, version, kind, zero] = r.array()?;
    if (magic, version, zero) != (MAGIC, VERSION, 0) {
        return None;
    }
    let time_stamp = r.i64()?;
    Some((kind, time_stamp, r))
}

pub(super) fn decode<T: Hint>(data: &[u8]) -> Option<Stamped<T>> {
    let (kind, time_stamp, mut r) = header(data)?;
    if kind != T::KIND {
        return None;
    }
    let record = T::read(&mut r)?;
    r.0.is_empty().then_some(Stamped { time_stamp, record })
}

pub(super) fn time_stamp(data: &[u8]) -> Option<i64> {
    header(data).map(|(_, t, _)| t)
}

//! Clocks and calendar: the C library's, so that `timezone` and TZ act as administrators expect.

use super::cstr;
use std::io;

/// Broken-down time, fields as in C's `struct tm` (but the year is the whole year, the month 1 to 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tm {
    pub year: i32,
    /// 1 to 12
    pub month: i32,
    /// 1 to 31
    pub day: i32,
    pub hour: i32,
    pub minute: i32,
    pub second: i32,
    /// 0 is Sunday
    pub weekday: i32,
    /// 0 to 365
    pub yearday: i32,
    /// daylight saving: positive yes, 0 no, negative unknown
    pub dst: i32,
    /// seconds east of UTC
    pub offset: i64,
}

impl Tm {
    fn from_raw(t: &libc::tm) -> Self {
        Self {
            year: t.tm_year.saturating_add(1900),
            month: t.tm_mon + 1,
            day: t.tm_mday,
            hour: t.tm_hour,
            minute: t.tm_min,
            second: t.tm_sec,
            weekday: t.tm_wday,
            yearday: t.tm_yday,
            dst: t.tm_isdst,
            offset: t.tm_gmtoff,
        }
    }

    fn to_raw(self) -> libc::tm {
        // SAFETY: tm is integers and one pointer; zero is valid.
        let mut t: libc::tm = unsafe { std::mem::zeroed() };
        t.tm_year = self.year.saturating_sub(1900);
        t.tm_mon = self.month.saturating_sub(1);
        t.tm_mday = self.day;
        t.tm_hour = self.hour;
        t.tm_min = self.minute;
        t.tm_sec = self.second;
        t.tm_wday = self.weekday;
        t.tm_yday = self.yearday;
        t.tm_isdst = self.dst;
        t.tm_gmtoff = self.offset;
        t
    }
}

/// A moment since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TimeVal {
    pub sec: i64,
    /// 0 to 999999
    pub usec: i64,
}

fn clock(id: libc::clockid_t) -> (i64, i64) {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place; these clocks always exist.
    unsafe { libc::clock_gettime(id, &mut t) };
    (t.tv_sec, t.tv_nsec)
}

/// The wall clock with microseconds.
pub fn now() -> TimeVal {
    let (sec, nsec) = clock(libc::CLOCK_REALTIME);
    TimeVal { sec, usec: nsec / 1000 }
}

/// The wall clock in whole seconds, like time(2).
pub fn unix_time() -> i64 {
    clock(libc::CLOCK_REALTIME).0
}

/// A clock that never goes back (nanoseconds since some moment; the same for all processes).
pub fn monotonic_nanos() -> u64 {
    let (sec, nsec) = clock(libc::CLOCK_MONOTONIC);
    (sec as u64).wrapping_mul(1_000_000_000).wrapping_add(nsec as u64)
}

/// Local time. `None` for a moment that has no year.
pub fn localtime(t: i64) -> Option<Tm> {
    // SAFETY: tm is integers and a pointer that libc fills in with static zone text, not used here.
    unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        (!libc::localtime_r(&t, &mut tm).is_null()).then(|| Tm::from_raw(&tm))
    }
}

/// UTC.
pub fn gmtime(t: i64) -> Option<Tm> {
    // SAFETY: as above.
    unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        (!libc::gmtime_r(&t, &mut tm).is_null()).then(|| Tm::from_raw(&tm))
    }
}

/// The moment of a local time (fields out of range are carried over). `None` if it has none.
pub fn mktime(tm: &Tm) -> Option<i64> {
    let mut raw = tm.to_raw();
    // SAFETY: a valid tm.
    let t = unsafe { libc::mktime(&mut raw) };
    (t != -1 || raw.tm_year == 69).then_some(t)
}

/// The moment of a UTC time.
pub fn timegm(tm: &Tm) -> Option<i64> {
    let mut raw = tm.to_raw();
    // SAFETY: a valid tm.
    let t = unsafe { libc::timegm(&mut raw) };
    (t != -1 || raw.tm_year == 69).then_some(t)
}

/// strftime(3) of a moment in local time (`local`) or UTC. Output over 4096 bytes is an error.
pub fn strftime(format: &[u8], t: i64, local: bool) -> io::Result<Vec<u8>> {
    if format.is_empty() {
        return Ok(Vec::new());
    }
    // A trailing space makes an empty result (such as "%p" in some locales) tell from a full buffer.
    let mut f = format.to_vec();
    f.push(b' ');
    let f = cstr(&f)?;
    let mut buf = vec![0u8; 4096];
    // SAFETY: tm filled by localtime_r/gmtime_r (with its zone pointer) and used at once.
    let n = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        let ok = if local { libc::localtime_r(&t, &mut tm) } else { libc::gmtime_r(&t, &mut tm) };
        if ok.is_null() {
            return Err(io::Error::from_raw_os_error(libc::EOVERFLOW));
        }
        libc::strftime(buf.as_mut_ptr().cast(), buf.len(), f.as_ptr(), &tm)
    };
    if n == 0 {
        return Err(io::Error::from_raw_os_error(libc::ERANGE));
    }
    buf.truncate(n - 1);
    Ok(buf)
}

unsafe extern "C" {
    fn tzset();
    fn strptime(s: *const libc::c_char, format: *const libc::c_char, tm: *mut libc::tm) -> *const libc::c_char;
}

/// Sets or removes TZ and makes it count from now on. Single-threaded only (see [`super::env`]).
pub fn set_timezone(tz: Option<&[u8]>) -> io::Result<()> {
    match tz {
        Some(tz) => super::env::set(b"TZ", tz)?,
        None => super::env::remove(b"TZ")?,
    }
    // SAFETY: reads TZ; single-threaded by contract.
    unsafe { tzset() };
    Ok(())
}

/// strptime(3): the fields read and the rest of the text; `None` if it does not fit the format.
pub fn parse(text: &[u8], format: &[u8]) -> Option<(Tm, Vec<u8>)> {
    let (t, f) = (cstr(text).ok()?, cstr(format).ok()?);
    // SAFETY: valid C strings and a zeroed tm; the result is null or points into `t`.
    unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        let rest = strptime(t.as_ptr(), f.as_ptr(), &mut tm);
        if rest.is_null() {
            return None;
        }
        Some((Tm::from_raw(&tm), std::ffi::CStr::from_ptr(rest).to_bytes().to_vec()))
    }
}

/// Sleeps this long, going on after signals.
pub fn sleep_ms(ms: u64) {
    std::thread::sleep(std::time::Duration::from_millis(ms));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar() {
        let t = gmtime(951_782_400).unwrap();
        assert_eq!((t.year, t.month, t.day, t.weekday), (2000, 2, 29, 2));
        assert_eq!(timegm(&t), Some(951_782_400));
        assert_eq!(strftime(b"%Y-%m-%d %H:%M:%S", 951_782_400, false).unwrap(), b"2000-02-29 00:00:00");
        let (t, rest) = parse(b"01 Feb 2003 tail", b"%d %b %Y").unwrap();
        assert_eq!((t.year, t.month, t.day), (2003, 2, 1));
        assert_eq!(rest, b" tail");
    }
}

//! Times as Exim writes them: log timestamps, and the forms behind `$tod_...`.
//!
//! Uses the process's time zone, which the start of the program sets from `timezone`.

use crate::sys::time::{self, TimeVal, Tm};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// `Jan`..`Dec` of a month from 1 to 12.
fn month(tm: &Tm) -> &'static str {
    usize::try_from(tm.month - 1).ok().and_then(|i| MONTHS.get(i)).copied().unwrap_or("???")
}

fn weekday(tm: &Tm) -> &'static str {
    usize::try_from(tm.weekday).ok().and_then(|i| DAYS.get(i)).copied().unwrap_or("???")
}

fn local(t: i64) -> Tm {
    time::localtime(t).or_else(|| time::gmtime(t)).unwrap_or(Tm {
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        weekday: 4,
        yearday: 0,
        dst: 0,
        offset: 0,
    })
}

/// `+0100`.
pub fn zone(tm: &Tm) -> String {
    let minutes = tm.offset / 60;
    format!("{}{:02}{:02}", if minutes < 0 { '-' } else { '+' }, minutes.abs() / 60, minutes.abs() % 60)
}

/// `2003-04-25 11:17:07`, with milliseconds and zone as asked: what log lines begin with (`$tod_log`).
pub fn log_time(now: TimeVal, millisec: bool, with_zone: bool) -> String {
    let tm = local(now.sec);
    let mut s = format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", tm.year, tm.month, tm.day, tm.hour, tm.minute, tm.second);
    if millisec {
        s.push_str(&format!(".{:03}", now.usec / 1000));
    }
    if with_zone {
        s.push(' ');
        s.push_str(&zone(&tm));
    }
    s
}

/// `Fri, 25 Apr 2003 11:17:07 +0100` (`$tod_full`, Date: headers).
pub fn full(t: i64) -> String {
    let tm = local(t);
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} {}",
        weekday(&tm),
        tm.day,
        month(&tm),
        tm.year,
        tm.hour,
        tm.minute,
        tm.second,
        zone(&tm)
    )
}

/// `Fri Apr 25 11:17:07 2003` (`$tod_bsdinbox`).
pub fn bsd_inbox(t: i64) -> String {
    let tm = local(t);
    format!("{} {} {:02} {:02}:{:02}:{:02} {:04}", weekday(&tm), month(&tm), tm.day, tm.hour, tm.minute, tm.second, tm.year)
}

/// `20030425` (`$tod_logfile`, `%D`).
pub fn day_stamp(t: i64) -> String {
    let tm = local(t);
    format!("{:04}{:02}{:02}", tm.year, tm.month, tm.day)
}

/// `200304` (`%M`).
pub fn month_stamp(t: i64) -> String {
    let tm = local(t);
    format!("{:04}{:02}", tm.year, tm.month)
}

/// `20030425111707Z` (`$tod_zulu`).
pub fn zulu(t: i64) -> String {
    let tm = time::gmtime(t).unwrap_or_else(|| local(t));
    format!("{:04}{:02}{:02}{:02}{:02}{:02}Z", tm.year, tm.month, tm.day, tm.hour, tm.minute, tm.second)
}

/// `+0100` (`$tod_zone`).
pub fn zone_now(t: i64) -> String {
    zone(&local(t))
}

/// `hh:mm:ss` for debug lines.
pub fn clock(now: TimeVal, millisec: bool) -> String {
    let tm = local(now.sec);
    if millisec {
        format!("{:02}:{:02}:{:02}.{:03}", tm.hour, tm.minute, tm.second, now.usec / 1000)
    } else {
        format!("{:02}:{:02}:{:02}", tm.hour, tm.minute, tm.second)
    }
}

/// An interval for `QT=`, `DT=`, `RT=`, `D=`: `1d2h3m4s`, or `0.123s` for short ones when milliseconds are wanted.
pub fn interval(usec: u64, millisec: bool) -> String {
    let secs = i64::try_from(usec / 1_000_000).unwrap_or(i64::MAX);
    if !millisec || secs >= 5 {
        return crate::config::values::show_time(secs);
    }
    format!("{secs}.{:03}s", usec / 1000 % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        assert_eq!(interval(1_500_000, false), "1s");
        assert_eq!(interval(1_500_000, true), "1.500s");
        assert_eq!(interval(61_500_000, true), "1m1s");
        assert_eq!(zulu(0), "19700101000000Z");
    }
}

//! Dates of RFC 5322 header lines.

use bstr::BString;

use crate::sys::time;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// `Fri, 07 Apr 2000 14:25:48 +0100`: the moment `t` (seconds since 1970) in local time (or UTC), as in `Date:`
/// lines and `$tod_full`.
pub fn show_date(t: i64, utc: bool) -> BString {
    let tm = if utc { time::gmtime(t) } else { time::localtime(t) };
    let Some(tm) = tm else { return BString::default() };
    let day = DAYS.get(usize::try_from(tm.weekday).unwrap_or(0)).unwrap_or(&"Sun");
    let month = MONTHS.get(usize::try_from(tm.month - 1).unwrap_or(0)).unwrap_or(&"Jan");
    let minutes = tm.offset / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let zone = format!("{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60);
    format!("{day}, {:02} {month} {} {:02}:{:02}:{:02} {zone}", tm.day, tm.year, tm.hour, tm.minute, tm.second).into()
}

/// Reads a date of RFC 5322 (with the obsolete zones and two-digit years of RFC 822); seconds since 1970.
/// `None` if it is none; what follows the zone must be a comment.
pub fn read_date(text: &[u8]) -> Option<i64> {
    let mut lex = super::lexer::Lexer::new(text);
    let mut word = |stop: &[u8]| -> Vec<u8> {
        lex.skip_comment();
        let mut w = Vec::new();
        while !matches!(lex.peek(), 0 | b' ' | b'\t' | b'\n' | b'\r' | b'(') && !stop.contains(&lex.peek()) {
            w.push(lex.bump());
        }
        if stop.contains(&lex.peek()) {
            lex.bump();
        }
        w
    };
    let mut first = word(b",");
    if first.first()?.is_ascii_alphabetic() {
        let name = first.get(..3)?;
        DAYS.iter().find(|d| d.as_bytes().eq_ignore_ascii_case(name))?;
        first = word(b"");
    }
    let day = number(&first, 1, 31)?;
    let month_name = word(b"");
    let month = MONTHS.iter().position(|m| m.as_bytes().eq_ignore_ascii_case(&month_name))?;
    let year_text = word(b"");
    let mut year = number(&year_text, 0, 9999)?;
    year += match (year_text.len(), year) {
        (2, 0..=49) => 2000,
        (2 | 3, _) => 1900,
        _ => 0,
    };
    let hour = number(&word(b":"), 0, 23)?;
    let minutes_text = word(b":");
    let minute = number(&minutes_text, 0, 59)?;
    let mut zone = word(b"");
    let mut second = 0;
    if zone.first().is_some_and(u8::is_ascii_digit) {
        second = number(&zone, 0, 60)?;
        zone = word(b"");
    }
    let offset = read_zone(&zone)?;
    let last = word(b"");
    if !last.is_empty() {
        return None;
    }
    let tm = time::Tm {
        year: i32::try_from(year).ok()?,
        month: i32::try_from(month).ok()? + 1,
        day: i32::try_from(day).ok()?,
        hour: i32::try_from(hour).ok()?,
        minute: i32::try_from(minute).ok()?,
        second: i32::try_from(second).ok()?,
        weekday: 0,
        yearday: 0,
        dst: 0,
        offset: 0,
    };
    time::timegm(&tm).map(|t| t - offset)
}

fn number(text: &[u8], least: i64, most: i64) -> Option<i64> {
    if text.is_empty() || text.len() > 4 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n = text.iter().fold(0, |n, c| n * 10 + i64::from(c - b'0'));
    (least..=most).contains(&n).then_some(n)
}

// Seconds east of UTC.
fn read_zone(zone: &[u8]) -> Option<i64> {
    if let [sign @ (b'+' | b'-'), digits @ ..] = zone {
        if digits.len() != 4 {
            return None;
        }
        let n = number(digits, 0, 9999)?;
        let offset = (n / 100) * 3600 + (n % 100) * 60;
        return Some(if *sign == b'-' { -offset } else { offset });
    }
    let hours = match zone.to_ascii_uppercase().as_slice() {
        b"UT" | b"GMT" | b"Z" => 0,
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        // RFC 2822, 4.3: the military zones were defined the wrong way round, so they say nothing.
        [c] if c.is_ascii_alphabetic() && *c != b'J' => 0,
        _ => return None,
    };
    Some(hours * 3600)
}

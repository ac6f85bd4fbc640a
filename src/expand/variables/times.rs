//! `$tod_...`: the time of day in the notations of mail and logs.

use super::{VarDef, num, v};
use crate::context::Context;
use crate::sys::time::{Tm, gmtime, localtime, now};
use crate::text::Text;

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn day_name(t: &Tm) -> &'static str {
    usize::try_from(t.weekday).ok().and_then(|n| DAYS.get(n)).copied().unwrap_or("???")
}

fn month_name(t: &Tm) -> &'static str {
    usize::try_from(t.month - 1).ok().and_then(|n| MONTHS.get(n)).copied().unwrap_or("???")
}

/// `+0100`
fn zone(t: &Tm) -> String {
    let minutes = t.offset.abs() / 60;
    format!("{}{:02}{:02}", if t.offset < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
}

/// Local time, or UTC if the configuration says so.
fn local(ctx: &Context) -> Option<Tm> {
    let t = now().sec;
    match ctx.config.main.timezone.raw() {
        Some(z) if z.eq_ignore_ascii_case(b"utc") => gmtime(t),
        _ => localtime(t),
    }
}

fn clock(t: &Tm) -> String {
    format!("{:02}:{:02}:{:02}", t.hour, t.minute, t.second)
}

fn log_stamp(ctx: &Context) -> Option<Text> {
    let t = local(ctx)?;
    let mut s = format!("{:04}-{:02}-{:02} {}", t.year, t.month, t.day, clock(&t));
    if ctx.config.main.log_timezone {
        s.push(' ');
        s.push_str(&zone(&t));
    }
    Some(Text::clean(s))
}

/// This group.
pub static VARIABLES: &[VarDef] = &[
    v("tod_bsdinbox", |c| {
        let t = local(c)?;
        Some(Text::clean(format!("{} {} {:02} {} {:04}", day_name(&t), month_name(&t), t.day, clock(&t), t.year)))
    }),
    v("tod_epoch", |_| num(now().sec)),
    v("tod_epoch_l", |_| {
        let t = now();
        num(format!("{}{:06}", t.sec, t.usec))
    }),
    v("tod_full", |c| {
        let t = local(c)?;
        Some(Text::clean(format!(
            "{}, {:02} {} {:04} {} {}",
            day_name(&t),
            t.day,
            month_name(&t),
            t.year,
            clock(&t),
            zone(&t)
        )))
    }),
    v("tod_log", |c| log_stamp(c)),
    v("tod_logfile", |c| {
        let t = local(c)?;
        Some(Text::clean(format!("{:04}{:02}{:02}", t.year, t.month, t.day)))
    }),
    v("tod_zone", |c| local(c).map(|t| Text::clean(zone(&t)))),
    v("tod_zulu", |_| {
        let t = gmtime(now().sec)?;
        let date = format!("{:04}{:02}{:02}{:02}{:02}{:02}Z", t.year, t.month, t.day, t.hour, t.minute, t.second);
        Some(Text::clean(date))
    }),
];

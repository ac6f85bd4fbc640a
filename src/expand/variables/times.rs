//! `$tod_...`: the time of day in the notations of mail and logs.

use super::{VarDef, num, v};
use crate::log::stamp;
use crate::sys::time::now;
use crate::text::Text;

fn text(s: String) -> Option<Text> {
    Some(Text::clean(s))
}

/// This group.
pub static VARIABLES: &[VarDef] = &[
    v("tod_bsdinbox", |_| text(stamp::bsd_inbox(now().sec))),
    v("tod_epoch", |_| num(now().sec)),
    v("tod_epoch_l", |_| {
        let t = now();
        text(format!("{}{:06}", t.sec, t.usec))
    }),
    v("tod_full", |_| text(stamp::full(now().sec))),
    v("tod_log", |c| text(stamp::log_time(now(), false, c.config.main.log_timezone))),
    v("tod_logfile", |_| text(stamp::day_stamp(now().sec))),
    v("tod_zone", |_| text(stamp::zone_now(now().sec))),
    v("tod_zulu", |_| text(stamp::zulu(now().sec))),
];

//! `seen`: was the key met before, and when (manual section "Previously seen user and hosts")?

use bstr::{BString, ByteSlice};

use super::Verdict;
use super::messages::Messages;
use crate::config::values::parse_interval;
use crate::context::Context;
use crate::hints::{self, Mode, records::Seen};
use crate::log::hdebug;
use crate::sys::time::unix_time;
use crate::text::Text;

/// How long a record is left alone after a positive test, unless `refresh=` says otherwise.
const REFRESH: i64 = 10 * 24 * 60 * 60;

struct Wanted {
    /// Seconds before now: met since then, or (`negative`) before.
    interval: i64,
    negative: bool,
    readonly: bool,
    update: bool,
    refresh: i64,
    key: BString,
}

/// The condition. `INTERVAL`: true if the key was met within the interval; `-INTERVAL`: true if it was met before that.
pub fn test(ctx: &mut Context, arg: &Text, m: &mut Messages) -> Verdict {
    let wanted = match read(ctx, arg) {
        Ok(w) => w,
        Err(text) => {
            m.set_log(Text::clean(text));
            return Verdict::Error;
        }
    };
    match test_in_hints(ctx, &wanted) {
        Ok(v) => v,
        Err(_) => {
            hdebug!(ctx, ACL, "database for 'seen' not available");
            m.set_log(Text::clean("database for 'seen' not available"));
            Verdict::Error
        }
    }
}

fn read(ctx: &Context, arg: &Text) -> Result<Wanted, String> {
    let mut parts = arg.split(|c| *c == b'/').map(|p| p.trim());
    let first = parts.next().unwrap_or_default();
    let (negative, text) = match first.strip_prefix(b"-") {
        Some(t) => (true, t),
        None => (false, first),
    };
    let interval = parse_interval(text).ok_or_else(|| format!("failed to parse '{}'", first.as_bstr()))?;
    let mut w = Wanted {
        interval,
        negative,
        readonly: false,
        update: false,
        refresh: REFRESH,
        key: ctx.session.host_address.as_deref().unwrap_or_default().into(),
    };
    for part in parts {
        match part {
            b"readonly" => w.readonly = true,
            b"write" => w.update = true,
            _ => {
                if let Some(k) = part.strip_prefix(b"key=") {
                    w.key = k.into();
                } else if let Some(t) = part.strip_prefix(b"refresh=") {
                    w.refresh = parse_interval(t).ok_or_else(|| format!("failed to parse '{}'", part.as_bstr()))?;
                } else {
                    return Err(format!("unrecognised option '{}' in '{arg}'", part.as_bstr()));
                }
            }
        }
    }
    Ok(w)
}

fn test_in_hints(ctx: &mut Context, w: &Wanted) -> hints::Result<Verdict> {
    let mode = if w.readonly { Mode::Read } else { Mode::Write };
    let mut db = hints::open(ctx, "seen", mode)?;
    let now = unix_time();
    let before = match db.as_mut() {
        Some(db) => hints::get::<Seen>(db.as_mut(), &w.key)?.map(|s| s.time_stamp),
        None => None,
    };
    let age = before.map(|then| now.saturating_sub(then));
    let holds = age.is_some_and(|age| if w.negative { age >= w.interval } else { age < w.interval });
    let how = match age {
        None => Some("create"),
        // A test for "since" always notes the new meeting.
        Some(_) if w.update || !w.negative => Some("update"),
        Some(age) if holds && age >= w.refresh => Some("refresh"),
        Some(_) => None,
    };
    match (how, db.as_mut()) {
        (Some(_), _) if w.readonly => hdebug!(ctx, ACL, "seen db not written (readonly)"),
        (Some(how), Some(db)) => {
            hints::put(db.as_mut(), &w.key, &Seen)?;
            hdebug!(ctx, ACL, "seen db written ({how})");
        }
        _ => {}
    }
    Ok(if holds { Verdict::Ok } else { Verdict::Fail })
}

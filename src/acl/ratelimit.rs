//! `ratelimit`: smoothed rates of events (manual sections 44.39 to 44.44).
//!
//! Rates are kept in the hints under `period/per_.../key`; those computed for the connection, the message or the command in
//! hand are remembered in the context, so that one event counts once.

use std::collections::BTreeMap;

use bstr::{BString, ByteSlice};

use super::messages::Messages;
use super::run::Run;
use super::{Verdict, Where};
use crate::config::values::parse_interval;
use crate::context::Context;
use crate::hints::{self, HintsDb, Mode, records::Ratelimit, records::RatelimitUnique};
use crate::log::hdebug;
use crate::parse::list;
use crate::sys::time::{self, TimeVal};
use crate::text::Text;

/// Rates computed already, by key.
pub type Rates = BTreeMap<BString, f64>;

/// Smallest and largest set of unique events, bytes.
const BLOOM_BYTES: std::ops::RangeInclusive<usize> = 40..=(1 << 20);

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Per {
    Conn,
    Mail,
    Rcpt,
    /// All recipients of a message at once.
    AllRcpts,
    Cmd,
}

impl Per {
    fn name(self) -> &'static str {
        match self {
            Per::Conn => "per_conn",
            Per::Mail => "per_mail",
            Per::Rcpt | Per::AllRcpts => "per_rcpt",
            Per::Cmd => "per_cmd",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Update {
    Leaky,
    Strict,
    Readonly,
}

/// The condition, read.
struct Wanted {
    limit: f64,
    period: i64,
    per: Per,
    update: Update,
    count: f64,
    unique: Option<BString>,
    key: BString,
}

/// The condition: true if the rate is at the limit or above.
pub fn test(ctx: &mut Context, run: &Run, arg: &Text, m: &mut Messages) -> Verdict {
    let mut parts = list::items_with(arg, b'/');
    let limit = parts.next();
    let period = parts.next();
    ctx.scratch.sender_rate_limit = limit.clone();
    ctx.scratch.sender_rate_period = period.clone();
    ctx.scratch.sender_rate = None;
    let wanted = match read(ctx, run.place, limit, period, parts) {
        Ok(w) => w,
        Err(text) => {
            m.set_log(Text::clean(text));
            return Verdict::Error;
        }
    };
    hdebug!(ctx, ACL, "ratelimit condition count={:.0} {:.1}/{}", wanted.count, wanted.limit, wanted.key);
    let known = if wanted.update == Update::Readonly {
        &mut ctx.acl.rates
    } else {
        match wanted.per {
            Per::Conn => &mut ctx.session.rates,
            Per::Mail | Per::AllRcpts => &mut ctx.message.rates,
            Per::Rcpt | Per::Cmd => &mut ctx.acl.rates,
        }
    };
    let rate = if let Some(rate) = known.get(&wanted.key).copied() {
        hdebug!(ctx, ACL, "ratelimit found pre-computed rate {rate:.1}");
        rate
    } else {
        match compute(ctx, &wanted) {
            Ok(rate) => rate,
            Err(_) => {
                hdebug!(ctx, ACL, "ratelimit database not available");
                m.set_log(Text::clean("ratelimit database not available"));
                return Verdict::Defer;
            }
        }
    };
    ctx.scratch.sender_rate = Some(format!("{rate:.1}").into());
    if rate < wanted.limit { Verdict::Fail } else { Verdict::Ok }
}

fn number(text: &[u8], suffix: bool) -> Option<f64> {
    let t = text.trim();
    let (digits, factor) = match t.split_last() {
        Some((b'K' | b'k', d)) if suffix => (d, 1024.0),
        Some((b'M' | b'm', d)) if suffix => (d, 1024.0 * 1024.0),
        Some((b'G' | b'g', d)) if suffix => (d, 1024.0 * 1024.0 * 1024.0),
        _ => (t, 1.0),
    };
    let n: f64 = digits.to_str().ok()?.parse().ok()?;
    (n.is_finite() && n >= 0.0).then_some(n * factor)
}

fn read(
    ctx: &Context,
    place: Where,
    limit: Option<BString>,
    period: Option<BString>,
    options: impl Iterator<Item = BString>,
) -> Result<Wanted, String> {
    let error = |text: String| format!("error in arguments to \"ratelimit\" condition: {text}");
    let limit_text = limit.ok_or_else(|| error("sender rate limit not set".into()))?;
    let limit = number(&limit_text, true).ok_or_else(|| error(format!("\"{limit_text}\" is not a positive number")))?;
    let period_text = period.ok_or_else(|| error("smoothing period not set".into()))?;
    let period =
        parse_interval(&period_text).filter(|p| *p > 0).ok_or_else(|| error(format!("\"{period_text}\" is not a time value")))?;

    let message_place = place.has_message();
    let mut per = None;
    let mut modes: Vec<Update> = Vec::new();
    let (mut noupdate, mut bad_place) = (false, false);
    let mut count = 1.0;
    let mut unique = None;
    let mut key: Option<BString> = None;
    for option in options {
        let lower = option.to_ascii_lowercase();
        let chosen = match lower.as_slice() {
            b"leaky" | b"strict" | b"readonly" => {
                modes.push(match lower.as_slice() {
                    b"leaky" => Update::Leaky,
                    b"strict" => Update::Strict,
                    _ => Update::Readonly,
                });
                continue;
            }
            b"noupdate" => {
                noupdate = true;
                continue;
            }
            b"per_cmd" => Per::Cmd,
            b"per_conn" => {
                bad_place |= matches!(place, Where::NotSmtp | Where::NotSmtpStart);
                Per::Conn
            }
            b"per_mail" => {
                bad_place |= !message_place;
                Per::Mail
            }
            b"per_byte" => {
                if message_place {
                    let m = &ctx.message;
                    // Without SIZE nothing is known before the data: the rate just decays.
                    count = if m.size > 0 { m.size } else { m.declared_size.unwrap_or(0) } as f64;
                } else {
                    bad_place = true;
                }
                Per::Mail
            }
            b"per_rcpt" => match place {
                Where::Rcpt => Per::Rcpt,
                Where::Mail => {
                    bad_place = true;
                    Per::Rcpt
                }
                _ if message_place => {
                    count = ctx.message.recipients.len() as f64;
                    Per::AllRcpts
                }
                _ => {
                    bad_place = true;
                    Per::Rcpt
                }
            },
            b"per_addr" => {
                let mut address = BString::from("*");
                if place == Where::Rcpt {
                    address = ctx.address.local_part.as_deref().unwrap_or_default().into();
                    address.push(b'@');
                    address.extend_from_slice(ctx.address.domain.as_deref().unwrap_or_default());
                } else {
                    bad_place = true;
                }
                unique = Some(address);
                Per::Rcpt
            }
            other => {
                if other.starts_with(b"count=") {
                    let value = option.get(6..).unwrap_or_default();
                    count =
                        number(value, false).ok_or_else(|| error(format!("\"{}\" is not a positive number", value.as_bstr())))?;
                } else if other.starts_with(b"unique=") {
                    unique = Some(option.get(7..).unwrap_or_default().into());
                } else if let Some(k) = &mut key {
                    k.push(b'/');
                    k.extend_from_slice(&option);
                } else {
                    key = Some(option);
                }
                continue;
            }
        };
        if per.replace(chosen).is_some() {
            return Err(error("conflicting per_* options".into()));
        }
    }
    if modes.len() > 1 {
        return Err(error("conflicting update modes".into()));
    }
    let per = per.unwrap_or(Per::Mail);
    let mode = modes.first().copied();
    if bad_place && !noupdate && matches!(mode, Some(Update::Leaky | Update::Strict)) {
        return Err(error(format!(
            "\"{}\" must not have /leaky or /strict option, or cannot be used in {} ACL",
            per.name(),
            place.name()
        )));
    }
    let update = if noupdate || bad_place { Update::Readonly } else { mode.unwrap_or(Update::Leaky) };
    if update == Update::Readonly {
        // The rate decays, so that a sender over the limit gets through at last.
        count = 0.0;
    }
    let key = key.unwrap_or_else(|| ctx.session.host_address.as_deref().unwrap_or_default().into());
    let mut whole = period_text;
    whole.extend_from_slice(format!("/{}/", per.name()).as_bytes());
    if unique.is_some() {
        whole.extend_from_slice(b"unique/");
    }
    whole.extend_from_slice(&key);
    Ok(Wanted { limit, period, per, update, count, unique, key: whole })
}

/// Reads the rate, brings it up to now, writes it back if it is to be.
fn compute(ctx: &mut Context, w: &Wanted) -> hints::Result<f64> {
    let mode = if w.update == Update::Readonly { Mode::Read } else { Mode::Write };
    let mut db = hints::open(ctx, "ratelimit", mode)?;
    if let Some(db) = db.as_mut().filter(|_| mode == Mode::Write) {
        db.begin()?;
    }
    let now = time::now();
    let rate = match &w.unique {
        None => plain(ctx, w, db.as_deref_mut(), now)?,
        Some(event) => unique(ctx, w, event, db.as_deref_mut(), now)?,
    };
    if let Some(db) = db.as_mut().filter(|_| mode == Mode::Write) {
        db.commit()?;
    }
    let known = match w.per {
        _ if w.update == Update::Readonly => &mut ctx.acl.rates,
        Per::Conn => &mut ctx.session.rates,
        Per::Mail | Per::AllRcpts => &mut ctx.message.rates,
        Per::Rcpt | Per::Cmd => &mut ctx.acl.rates,
    };
    known.insert(w.key.clone(), rate);
    hdebug!(ctx, ACL, "ratelimit computed rate {rate:.1}");
    Ok(rate)
}

/// Is the new rate to be written?
fn writes(ctx: &Context, w: &Wanted, rate: f64) -> bool {
    let why_not = match w.update {
        Update::Strict => None,
        Update::Leaky if rate < w.limit => None,
        Update::Leaky => Some("over the limit, but leaky"),
        Update::Readonly => Some("readonly mode"),
    };
    match why_not {
        None => hdebug!(ctx, ACL, "ratelimit db updated"),
        Some(why) => hdebug!(ctx, ACL, "ratelimit db not updated: {why}"),
    }
    why_not.is_none()
}

fn plain<'a>(ctx: &Context, w: &Wanted, mut db: Option<&mut (dyn HintsDb + 'a)>, now: TimeVal) -> hints::Result<f64> {
    let old = match db.as_deref_mut() {
        Some(db) => hints::get::<Ratelimit>(db, &w.key)?,
        None => None,
    };
    let rate = match &old {
        Some(o) => {
            hdebug!(ctx, ACL, "ratelimit found key in database");
            smooth(w, o.time_stamp, &o.record, now, w.count)
        }
        None => {
            hdebug!(ctx, ACL, "ratelimit creating new rate data block");
            hdebug!(ctx, ACL, "ratelimit initializing new key's rate data");
            w.count
        }
    };
    if writes(ctx, w, rate)
        && let Some(db) = db
    {
        hints::put_at(db, &w.key, &Ratelimit { time_usec: now.usec as u32, rate }, now.sec)?;
    }
    Ok(rate)
}

fn unique<'a>(
    ctx: &Context,
    w: &Wanted,
    event: &[u8],
    mut db: Option<&mut (dyn HintsDb + 'a)>,
    now: TimeVal,
) -> hints::Result<f64> {
    let old = match db.as_deref_mut() {
        Some(db) => hints::get::<RatelimitUnique>(db, &w.key)?,
        None => None,
    };
    if old.is_some() {
        hdebug!(ctx, ACL, "ratelimit found key in database");
    }
    let mut bloom = match &old {
        Some(o) if now.sec > o.record.bloom_epoch.saturating_add(w.period) => {
            hdebug!(ctx, ACL, "ratelimit discarding old Bloom filter");
            None
        }
        Some(o) if o.record.bloom.len() < *BLOOM_BYTES.start() => {
            hdebug!(ctx, ACL, "ratelimit discarding undersize Bloom filter");
            None
        }
        Some(o) => Some((o.record.bloom_epoch, o.record.bloom.clone())),
        None => None,
    };
    if bloom.is_none() {
        hdebug!(ctx, ACL, "ratelimit creating new Bloom filter");
        // Two bytes for each event that the limit allows keep false positives rare.
        let size = ((w.limit * 2.0) as usize).clamp(*BLOOM_BYTES.start(), *BLOOM_BYTES.end());
        bloom = Some((now.sec, vec![0; size]));
    }
    let (bloom_epoch, mut bloom) = bloom.unwrap_or_default();
    let mut count = w.count;
    if w.update != Update::Readonly {
        hdebug!(ctx, ACL, "ratelimit checking uniqueness of {}", event.as_bstr());
        if add_event(&mut bloom, event) {
            hdebug!(ctx, ACL, "ratelimit event added to Bloom filter");
        } else {
            hdebug!(ctx, ACL, "ratelimit event found in Bloom filter");
            count = 0.0;
        }
    }
    let rate = match &old {
        Some(o) => smooth(w, o.time_stamp, &o.record.limit, now, count),
        None => {
            hdebug!(ctx, ACL, "ratelimit initializing new key's rate data");
            count
        }
    };
    if writes(ctx, w, rate)
        && let Some(db) = db
    {
        let limit = Ratelimit { time_usec: now.usec as u32, rate };
        hints::put_at(db, &w.key, &RatelimitUnique { limit, bloom_epoch, bloom }, now.sec)?;
    }
    Ok(rate)
}

/// Sets the event's bits; false if all of them were set.
fn add_event(bloom: &mut [u8], event: &[u8]) -> bool {
    let Ok(digest) = openssl::hash::hash(openssl::hash::MessageDigest::sha256(), event) else { return true };
    let bits = bloom.len().saturating_mul(8) as u64;
    if bits == 0 {
        return true;
    }
    let mut new = false;
    for piece in digest.chunks_exact(4) {
        let n = piece.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b)) % bits;
        let (byte, mask) = ((n / 8) as usize, 1u8 << (n % 8));
        if let Some(b) = bloom.get_mut(byte) {
            new |= *b & mask == 0;
            *b |= mask;
        }
    }
    new
}

/// An exponentially weighted average of the old rate and of this event's, for unequal intervals. An isolated event after
/// a long silence counts for all of a period.
fn smooth(w: &Wanted, then_sec: i64, old: &Ratelimit, now: TimeVal, count: f64) -> f64 {
    let interval = (now.sec.saturating_sub(then_sec)) as f64 + (now.usec as f64 - f64::from(old.time_usec)) / 1e6;
    // The clock may have gone backwards.
    let i_over_p = interval.max(1e-9) / w.period as f64;
    let a = (-i_over_p).exp();
    let rate = (1.0 - a) * count / i_over_p + a * old.rate;
    rate.max(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing() {
        let w =
            Wanted { limit: 1.0, period: 3600, per: Per::Mail, update: Update::Strict, count: 1.0, unique: None, key: "".into() };
        let old = Ratelimit { time_usec: 0, rate: 1.0 };
        let at = |sec| TimeVal { sec, usec: 0 };
        let soon = smooth(&w, 1000, &old, at(1001), 1.0);
        assert!((soon - 2.0).abs() < 0.01, "{soon}");
        assert!((smooth(&w, 1000, &old, at(1_000_000), 1.0) - 1.0).abs() < 0.01);
        assert!(smooth(&w, 1000, &old, at(900), 0.0) <= 1.0);
    }

    #[test]
    fn events() {
        let mut b = vec![0; 40];
        assert!(add_event(&mut b, b"a"));
        assert!(!add_event(&mut b, b"a"));
        assert!(add_event(&mut b, b"b"));
        assert_eq!(number(b"10K", true), Some(10240.0));
        assert_eq!(number(b"-1", true), None);
    }
}

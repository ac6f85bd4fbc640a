//! What earlier callouts found: the `callout` hints, under domains and under addresses.

use bstr::{BStr, BString, ByteSlice};

use crate::context::Context;
use crate::hints::records::{CalloutAddress, CalloutDomain, CalloutResult};
use crate::hints::{self, Hint, Mode};
use crate::log::hdebug;
use crate::sys::time::unix_time;
use crate::text::Text;

/// Whom a callout asks, and about what.
pub struct Who<'a> {
    /// The domain of the address.
    pub domain: &'a Text,
    /// The key of the address record.
    pub key: &'a BString,
    /// MAIL FROM.
    pub from: &'a Text,
}

/// What the cache says.
pub enum Known {
    /// Nothing, or not enough.
    Nothing,
    /// The address is good; why, if that is special.
    Accepted(Option<&'static str>),
    /// It is not.
    Refused {
        /// `$sender_verify_failure`
        failure: &'static str,
        /// For the peer.
        message: &'static str,
    },
}

/// An age limit for positive and for negative results, seconds.
struct Limits(i64, i64);

/// A record that is not too old.
fn get<T: Hint>(ctx: &Context, db: &mut dyn hints::HintsDb, key: &[u8], what: &str) -> Option<hints::Stamped<T>> {
    let found = hints::get::<T>(db, key).ok().flatten();
    if found.is_none() {
        hdebug!(ctx, VERIFY, "callout cache: no {what} record found for {}", key.as_bstr());
    }
    found
}

fn fresh(ctx: &Context, stamp: i64, negative: bool, limits: &Limits, what: &str, key: &[u8]) -> bool {
    let limit = if negative { limits.1 } else { limits.0 };
    if unix_time().saturating_sub(stamp) > limit {
        hdebug!(ctx, VERIFY, "callout cache: {what} record expired for {}", key.as_bstr());
        return false;
    }
    hdebug!(ctx, VERIFY, "callout cache: found {what} record for {}", key.as_bstr());
    true
}

fn domain_record(ctx: &Context, db: &mut dyn hints::HintsDb, domain: &[u8]) -> Option<CalloutDomain> {
    let main = &ctx.config.main;
    let limits = Limits(main.callout_domain_positive_expire.0, main.callout_domain_negative_expire.0);
    let found = get::<CalloutDomain>(ctx, db, domain, "domain")?;
    let mut record = found.record;
    let negative = record.result != CalloutResult::Accept || record.postmaster_result == CalloutResult::Reject;
    if !fresh(ctx, found.time_stamp, negative, &limits, "domain", domain) {
        return None;
    }
    // The results for postmaster and random local parts have ages of their own.
    if record.result != CalloutResult::Reject {
        let limit = if negative { limits.1 } else { limits.0 };
        let now = unix_time();
        if now.saturating_sub(record.postmaster_stamp) > limit {
            record.postmaster_result = CalloutResult::Unknown;
        }
        if now.saturating_sub(record.random_stamp) > limit {
            record.random_result = CalloutResult::Unknown;
        }
    }
    Some(record)
}

/// Looks whether the answer is known. What need not be asked again is cleared from `random` and `postmaster`, and what is
/// known of it kept in `new`.
pub fn look_up(
    ctx: &mut Context,
    who: &Who<'_>,
    disabled: bool,
    random: &mut bool,
    postmaster: &mut Option<Text>,
    new: &mut CalloutDomain,
    old_result: &mut CalloutResult,
) -> Known {
    if disabled {
        hdebug!(ctx, VERIFY, "callout cache: disabled by no_cache");
        return Known::Nothing;
    }
    let Ok(opened) = hints::open(ctx, "callout", Mode::Read) else {
        hdebug!(ctx, VERIFY, "callout cache: not available");
        return Known::Nothing;
    };
    let mut none = Absent;
    let mut opened = opened;
    let db: &mut dyn hints::HintsDb = match opened.as_mut() {
        Some(db) => db.as_mut(),
        None => &mut none,
    };
    if let Some(record) = domain_record(ctx, db, who.domain) {
        *old_result = record.result;
        let null = who.from.is_empty() && record.result == CalloutResult::RejectMailFromNull;
        if record.result == CalloutResult::Reject || null {
            hdebug!(ctx, VERIFY, "callout cache: domain gave initial rejection, or does not accept HELO or MAIL FROM:<>");
            return Known::Refused { failure: "mail", message: "(result of an earlier callout reused)." };
        }
        if *random {
            match record.random_result {
                CalloutResult::Accept => {
                    hdebug!(ctx, VERIFY, "callout cache: domain accepts random addresses");
                    return Known::Accepted(Some("random"));
                }
                CalloutResult::Reject => {
                    hdebug!(ctx, VERIFY, "callout cache: domain rejects random addresses");
                    *random = false;
                    new.random_result = CalloutResult::Reject;
                    new.random_stamp = record.random_stamp;
                }
                _ => {
                    hdebug!(ctx, VERIFY, "callout cache: need to check random address handling (not cached or cache expired)");
                    return Known::Nothing;
                }
            }
        }
        if postmaster.is_some() {
            match record.postmaster_result {
                CalloutResult::Reject => {
                    hdebug!(ctx, VERIFY, "callout cache: domain does not accept RCPT TO:<postmaster@domain>");
                    return Known::Refused { failure: "postmaster", message: "(result of earlier verification reused)." };
                }
                CalloutResult::Unknown => {
                    hdebug!(
                        ctx,
                        VERIFY,
                        "callout cache: need to check RCPT TO:<postmaster@domain> (not cached or cache expired)"
                    );
                    return Known::Nothing;
                }
                _ => {
                    hdebug!(ctx, VERIFY, "callout cache: domain accepts RCPT TO:<postmaster@domain>");
                    *postmaster = None;
                    new.postmaster_result = CalloutResult::Accept;
                    new.postmaster_stamp = record.postmaster_stamp;
                }
            }
        }
    }
    let main = &ctx.config.main;
    let limits = Limits(main.callout_positive_expire.0, main.callout_negative_expire.0);
    let Some(found) = get::<CalloutAddress>(ctx, db, who.key, "address") else { return Known::Nothing };
    let accepted = found.record.result == CalloutResult::Accept;
    if !fresh(ctx, found.time_stamp, !accepted, &limits, "address", who.key) {
        return Known::Nothing;
    }
    if accepted {
        hdebug!(ctx, VERIFY, "callout cache: address record is positive");
        return Known::Accepted(None);
    }
    hdebug!(ctx, VERIFY, "callout cache: address record is negative");
    Known::Refused { failure: "recipient", message: "Previous (cached) callout verification failure" }
}

/// Keeps what a callout found.
pub fn write(ctx: &mut Context, domain: &[u8], record: &CalloutDomain, address: Option<(&CalloutAddress, &BString)>) {
    let address = address.filter(|(a, _)| a.result != CalloutResult::Unknown);
    if record.result == CalloutResult::Unknown && address.is_none() {
        return;
    }
    let opened = hints::open(ctx, "callout", Mode::Write);
    let Ok(Some(mut db)) = opened else {
        hdebug!(ctx, VERIFY, "callout cache: not available");
        return;
    };
    // A cache that cannot be written is no reason to refuse anything.
    if record.result != CalloutResult::Unknown && hints::put(db.as_mut(), domain, record).is_ok() {
        let shown: &BStr = domain.as_bstr();
        hdebug!(ctx, VERIFY, "wrote callout cache domain record for {shown}:");
        let code = |r: CalloutResult| r as u8;
        hdebug!(
            ctx,
            VERIFY,
            "  result={} postmaster={} random={}",
            code(record.result),
            code(record.postmaster_result),
            code(record.random_result)
        );
    }
    if let Some((a, key)) = address
        && hints::put(db.as_mut(), key, a).is_ok()
    {
        let sign = if a.result == CalloutResult::Accept { "positive" } else { "negative" };
        hdebug!(ctx, VERIFY, "wrote {sign} callout cache address record for {key}");
    }
}

/// A data base that does not exist: it knows nothing.
struct Absent;

impl hints::HintsDb for Absent {
    fn read(&mut self, _: &[u8]) -> hints::Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn write(&mut self, _: &[u8], _: &[u8]) -> hints::Result<()> {
        Ok(())
    }
    fn delete(&mut self, _: &[u8]) -> hints::Result<bool> {
        Ok(false)
    }
    fn next(&mut self, _: Option<&[u8]>) -> hints::Result<Option<(Vec<u8>, Vec<u8>)>> {
        Ok(None)
    }
    fn begin(&mut self) -> hints::Result<()> {
        Ok(())
    }
    fn commit(&mut self) -> hints::Result<()> {
        Ok(())
    }
    fn rollback(&mut self) -> hints::Result<()> {
        Ok(())
    }
}

//! The results of a delivery process, as they come back to the delivery through a pipe.
//!
//! The process has run as somebody else: what it says is decoded with care, and a result that is cut off is none.

use super::local::DeliveryStatus;
use crate::config::Config;
use crate::log::outcome::RemoteLog;
use crate::pipe_fields::{In, Out};
use crate::retry::errors;
use crate::route::address::{Failure, RetryItem};
use crate::route::{Address, HostItem};
use crate::text::Text;

fn put_failure(o: &mut Out, f: &Failure) {
    o.num(i64::from(f.basic_errno));
    o.num(i64::from(f.more_errno));
    o.text(f.message.as_ref());
    o.text(f.user_message.as_ref());
}

fn take_failure(i: &mut In<'_>) -> Option<Failure> {
    Some(Failure {
        basic_errno: i32::try_from(i.num()?).ok()?,
        more_errno: i32::try_from(i.num()?).ok()?,
        message: i.text()?,
        user_message: i.text()?,
    })
}

/// The results of a batch as bytes.
pub(super) fn encode(batch: &[Address], statuses: &[DeliveryStatus]) -> Vec<u8> {
    let mut o = Out::default();
    for (i, a) in batch.iter().enumerate() {
        let status = statuses.get(i).copied().unwrap_or_default();
        o.num(match status {
            DeliveryStatus::Pending => 0,
            DeliveryStatus::Ok => 1,
            DeliveryStatus::Defer => 2,
            DeliveryStatus::Fail => 3,
            DeliveryStatus::Panic => 4,
        });
        put_failure(&mut o, &a.failure);
        o.bytes(a.transport.as_ref().map(|t| t.name.as_slice()).unwrap_or_default());
        let f = &a.flags;
        let bits = [f.freeze, f.pass_message, f.user_message_given, f.retry_skipped, f.ignore_error, a.follower, f.dsn_lasthop];
        o.num(bits.iter().enumerate().map(|(i, b)| i64::from(*b) << i).sum());
        o.num(i64::try_from(a.bytes_sent).unwrap_or(i64::MAX));
        o.num(a.dsn_aware.map_or(2, i64::from));
        o.text(Some(&a.local_part));
        o.bytes(&a.log_fields);
        o.text(a.warn_message.as_ref());
        o.text(a.return_path.as_ref());
        let log = a.remote_log.as_deref();
        o.num(i64::from(log.is_some()));
        if let Some(l) = log {
            o.num(i64::from(l.continued) | i64::from(l.prdr) << 1 | i64::from(l.chunking) << 2);
            o.bytes(l.confirmation.as_deref().map(|c| c.as_slice()).unwrap_or_default());
            o.num(i64::from(l.confirmation.is_some()));
            o.bytes(&l.greeting);
            o.bytes(&l.helo_response);
        }
        o.num(i64::from(a.host_used.is_some()));
        if let Some(h) = &a.host_used {
            o.text(Some(&h.name));
            o.bytes(&h.address_text);
            o.num(h.port.map_or(-1, i64::from));
        }
        o.num(i64::try_from(a.retries.len()).unwrap_or(0));
        for r in &a.retries {
            o.bytes(&r.key);
            o.num(i64::from(r.delete) | i64::from(r.host) << 1 | i64::from(r.message_specific) << 2);
            put_failure(&mut o, &r.failure);
        }
    }
    o.finish()
}

/// Puts the results into the addresses. `None`: they are not complete, and nothing is changed.
pub(super) fn decode(config: &Config, bytes: &[u8], batch: &mut [Address]) -> Option<Vec<DeliveryStatus>> {
    let mut i = In::new(bytes);
    let mut statuses = Vec::new();
    let mut new = batch.to_vec();
    for a in &mut new {
        statuses.push(match i.num()? {
            1 => DeliveryStatus::Ok,
            2 => DeliveryStatus::Defer,
            3 => DeliveryStatus::Fail,
            4 => DeliveryStatus::Panic,
            _ => DeliveryStatus::Pending,
        });
        a.failure = take_failure(&mut i)?;
        // appendfile hands over to another transport for a mailbox of another format.
        let transport = i.bytes()?;
        if a.transport.as_ref().is_some_and(|t| t.name != transport)
            && let Some(t) = config.transport(&transport)
        {
            a.transport = Some(t.clone());
        }
        let bits = i.num()?;
        let bit = |n: u32| bits & (1 << n) != 0;
        let f = &mut a.flags;
        (f.freeze, f.pass_message, f.user_message_given) = (bit(0), bit(1), bit(2));
        (f.retry_skipped, f.ignore_error, a.follower, f.dsn_lasthop) = (bit(3), bit(4), bit(5), bit(6));
        a.bytes_sent = u64::try_from(i.num()?).ok()?;
        a.dsn_aware = match i.num()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        };
        a.local_part = i.text()?.unwrap_or_default();
        a.log_fields = i.bytes()?;
        a.warn_message = i.text()?;
        a.return_path = i.text()?;
        if i.num()? == 1 {
            let bits = i.num()?;
            let confirmation = i.bytes()?;
            let given = i.num()? == 1;
            let (greeting, helo_response) = (i.bytes()?, i.bytes()?);
            let mut l = a.remote_log.take().unwrap_or_else(|| Box::new(RemoteLog::default()));
            (l.continued, l.prdr, l.chunking) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
            l.confirmation = given.then_some(confirmation);
            (l.greeting, l.helo_response) = (greeting, helo_response);
            a.remote_log = Some(l);
        }
        if i.num()? == 1 {
            let name = i.text()?.unwrap_or_default();
            let address_text = i.bytes()?;
            let port = u16::try_from(i.num()?).ok();
            a.host_used = Some(Box::new(HostItem { name, address_text, port, ..HostItem::default() }));
        }
        let n = i.count()?;
        let mut retries = Vec::new();
        for _ in 0..n {
            let key = i.bytes()?;
            let bits = i.num()?;
            let failure = take_failure(&mut i)?;
            retries.push(RetryItem { key, delete: bits & 1 != 0, host: bits & 2 != 0, message_specific: bits & 4 != 0, failure });
        }
        a.retries = retries;
    }
    i.end()?;
    batch.clone_from_slice(&new);
    Some(statuses)
}

/// What stands in the addresses when a process gave no (complete) result: the message is frozen, since nobody knows what
/// was delivered.
pub(super) fn lost(batch: &mut [Address], text: &str) -> Vec<DeliveryStatus> {
    for a in batch.iter_mut() {
        a.failure.basic_errno = errors::UNKNOWN;
        a.failure.message = (!text.is_empty()).then(|| Text::clean(text.to_owned()));
        a.flags.freeze = true;
    }
    vec![DeliveryStatus::Defer; batch.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_cut() {
        let mut a = Address::new(Text::tainted("a@b"));
        a.failure = Failure { basic_errno: -22, more_errno: 7, message: Some(Text::tainted("full\n")), user_message: None };
        a.flags.freeze = true;
        a.retries.push(RetryItem { key: "T:a@b".into(), host: true, ..RetryItem::default() });
        let bytes = encode(&[a.clone()], &[DeliveryStatus::Defer]);
        let mut b = [Address::new(Text::tainted("a@b"))];
        assert_eq!(decode(&Config::default(), &bytes, &mut b), Some(vec![DeliveryStatus::Defer]));
        assert_eq!(b[0].failure, a.failure);
        assert_eq!(b[0].retries, a.retries);
        assert!(b[0].flags.freeze);
        for n in 0..bytes.len() {
            assert_eq!(decode(&Config::default(), &bytes[..n], &mut b), None);
        }
    }
}

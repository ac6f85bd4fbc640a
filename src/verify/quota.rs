//! `verify = recipient/quota`: would the recipient's mailbox take the message (manual 44.21 and 44.49)?
//!
//! The mailbox is the user's, and a reception worker can be nobody but the Exim user: a run of this program of its own
//! (`-MCq address size`) routes the address, becomes the user, and says what appendfile's quota says. The caller keeps the
//! answer in the callout hints.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::{Outcome, VerifyOptions};
use crate::context::Context;
use crate::daemon::own_command;
use crate::hints::records::{CalloutAddress, CalloutResult};
use crate::hints::{self, Mode};
use crate::log::debug;
use crate::route::{Address, RouteLists, RouteOutcome, RoutePurpose, route_address};
use crate::sys::spawn::{Spawn, Stdio};
use crate::sys::time::unix_time;
use crate::text::Text;

/// How long the other process may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than this it never says.
const MAX_ANSWER: usize = 4096;

/// How long answers hold, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaOptions {
    /// Good ones.
    pub positive: i64,
    /// Bad ones.
    pub negative: i64,
}

impl Default for QuotaOptions {
    fn default() -> Self {
        QuotaOptions { positive: 300, negative: 3600 }
    }
}

/// Asks. Sets `$recipient_verify_failure`, and the address's message for the log.
pub fn check(ctx: &mut Context, addr: &mut Address, options: &QuotaOptions) -> Outcome {
    let recipient = VerifyOptions { recipient: true, ..VerifyOptions::default() };
    super::address::set_failure(ctx, &recipient, None);
    let key = BString::from([b"quota:", addr.address.as_bytes()].concat());
    let answer = match cached(ctx, &key, options) {
        Some(true) => Answer::Good,
        Some(false) => Answer::Bad("quota", "Previous (cached) quota verification failure".into()),
        None => {
            let answer = ask(ctx, &addr.address);
            match &answer {
                Answer::Good => keep(ctx, &key, true, options),
                Answer::Bad("quota", _) => keep(ctx, &key, false, options),
                _ => {}
            }
            answer
        }
    };
    let (outcome, why, text) = match answer {
        Answer::Good => return Outcome::Ok,
        Answer::Bad(why, text) => (Outcome::Fail, why, text),
        Answer::Unknown(text) => (Outcome::Defer, "quota", text),
    };
    super::address::set_failure(ctx, &recipient, Some(why));
    addr.failure.message = Some(Text::tainted(text));
    outcome
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Good,
    /// `$recipient_verify_failure`, and a text.
    Bad(&'static str, BString),
    Unknown(BString),
}

impl Answer {
    fn show(&self) -> Vec<u8> {
        match self {
            Answer::Good => b"good\n".to_vec(),
            Answer::Bad(why, text) => [b"bad ", why.as_bytes(), b" ", text, b"\n"].concat(),
            Answer::Unknown(text) => [b"unknown ", text.as_slice(), b"\n"].concat(),
        }
    }

    fn read(line: &[u8]) -> Self {
        let line = line.strip_suffix(b"\n").unwrap_or(b"");
        match line.splitn_str(2, " ").collect::<Vec<_>>().as_slice() {
            [b"good"] => Answer::Good,
            [b"bad", rest] => match rest.strip_prefix(b"route ") {
                Some(text) => Answer::Bad("route", text.into()),
                None => Answer::Bad("quota", rest.strip_prefix(b"quota ").unwrap_or(rest).into()),
            },
            [b"unknown", text] => Answer::Unknown((*text).into()),
            _ => Answer::Unknown("the quota could not be looked up".into()),
        }
    }
}

fn ask(ctx: &Context, address: &Text) -> Answer {
    let size = ctx.message.declared_size.unwrap_or(0);
    let argv = own_command(ctx, &["-MCq".into(), address.to_vec().into(), size.to_string().into()]);
    let argv: Vec<Vec<u8>> = argv.into_iter().map(Vec::from).collect();
    let environment = crate::sys::exec::current_environment();
    let Some(program) = argv.first().cloned() else { return Answer::Unknown("no program".into()) };
    let mut spawn = Spawn::new(&program, &argv, &environment);
    spawn.stdout = Stdio::Pipe;
    let child = match spawn.start() {
        Ok(c) => c,
        Err(e) => return Answer::Unknown(crate::sys::error_text(&e.error).into()),
    };
    let deadline = Instant::now().checked_add(PATIENCE);
    let said = child
        .stdout
        .as_ref()
        .and_then(|out| crate::sys::fd::read_to_end_deadline(out.as_fd(), MAX_ANSWER, deadline).ok())
        .map(|(text, _)| text)
        .unwrap_or_default();
    drop(child.stdout);
    let _ = crate::sys::process::wait(child.pid);
    Answer::read(&said)
}

/// `-MCq`: the other process. Writes the answer to standard output.
pub fn serve(ctx: &mut Context, address: &[u8], size: u64) -> i32 {
    use std::io::Write as _;
    ctx.message.size = size;
    let answer = look(ctx, &Text::tainted(address));
    i32::from(std::io::stdout().write_all(&answer.show()).is_err())
}

fn look(ctx: &mut Context, address: &Text) -> Answer {
    let addr = match super::split_address(ctx, address) {
        Ok(a) => a,
        Err(why) => return Answer::Unknown(why.into()),
    };
    ctx.address.verify_mode = Some("R");
    let mut lists = RouteLists::default();
    let outcome = route_address(ctx, addr, RoutePurpose::VerifyRecipient, &mut lists);
    let text = |list: &[Address]| {
        let first = list.first().and_then(|a| a.failure.user_message.clone().or_else(|| a.failure.message.clone()));
        first.map(|t| BString::from(t.to_vec())).map(|t| t.lines().next().unwrap_or_default().into())
    };
    match outcome {
        RouteOutcome::Fail => return Answer::Bad("route", text(&lists.failed).unwrap_or_else(|| "Unrouteable address".into())),
        RouteOutcome::Defer | RouteOutcome::Error => {
            return Answer::Unknown(text(&lists.deferred).unwrap_or_else(|| "Cannot resolve address".into()));
        }
        _ => {}
    }
    // Only appendfile has quotas.
    let Some(mut addr) = lists.local.pop() else { return Answer::Good };
    let Some(transport) = addr.transport.clone().filter(|t| t.driver.as_appendfile().is_some()) else { return Answer::Good };
    match crate::deliver::quota_of(ctx, &transport, &mut addr) {
        Ok(()) => Answer::Good,
        Err(None) => Answer::Bad("quota", "Over quota".into()),
        Err(Some(text)) => Answer::Unknown(text.lines().next().unwrap_or_default().into()),
    }
}

/// A kept answer that is not too old.
fn cached(ctx: &Context, key: &[u8], options: &QuotaOptions) -> Option<bool> {
    let mut db = crate::hints::open(ctx, "callout", Mode::Read).ok()??;
    let found = hints::get::<CalloutAddress>(db.as_mut(), key).ok()??;
    let good = found.record.result == CalloutResult::Accept;
    let limit = if good { options.positive } else { options.negative };
    let fresh = limit > 0 && unix_time().saturating_sub(found.time_stamp) <= limit;
    debug!(ctx, VERIFY, "quota cache: {} record for {}", if fresh { "using" } else { "expired" }, key.as_bstr());
    fresh.then_some(good)
}

fn keep(ctx: &Context, key: &[u8], good: bool, options: &QuotaOptions) {
    if (if good { options.positive } else { options.negative }) <= 0 {
        return;
    }
    let result = if good { CalloutResult::Accept } else { CalloutResult::Reject };
    // A cache that cannot be written is no reason to refuse anything.
    if let Ok(Some(mut db)) = crate::hints::open(ctx, "callout", Mode::Write) {
        let _ = hints::put(db.as_mut(), key, &CalloutAddress { result });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        for a in [
            Answer::Good,
            Answer::Bad("route", "no such user".into()),
            Answer::Bad("quota", "x".into()),
            Answer::Unknown("y".into()),
        ] {
            assert_eq!(Answer::read(&a.show()), a);
        }
        for bad in [&b""[..], b"good", b"bad\n", b"x\n"] {
            assert!(matches!(Answer::read(bad), Answer::Unknown(_)));
        }
    }
}

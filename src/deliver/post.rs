//! What follows a router's or a transport's verdict on an address: log lines, message log, lists, freezing, events.

use bstr::{BString, ByteSlice};

use super::event;
use super::state::Delivery;
use crate::context::Context;
use crate::log::{self, Selector, Which, outcome};
use crate::retry::errors;
use crate::route::{Address, AddressKind};
use crate::text::Text;

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    Defer,
    Fail,
    /// As `Defer`, and a line in the panic log.
    Panic,
}

/// Where it came from: says what names stand in the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    None,
    Router,
    Transport,
}

/// Did the router or the transport ask for no log lines?
pub(super) fn is_quiet(addr: &Address, stage: Stage) -> bool {
    addr.flags.no_log || (stage == Stage::Transport && addr.transport.as_ref().is_some_and(|t| t.generic.disable_logging))
}

/// Handles the verdict on one address; it ends in one of the lists.
pub(super) fn process(ctx: &mut Context, d: &mut Delivery<'_>, mut addr: Address, outcome: Outcome, stage: Stage) {
    let quiet = is_quiet(&addr, stage);
    match outcome {
        Outcome::Ok => succeeded(ctx, d, addr, quiet),
        Outcome::Defer | Outcome::Panic => {
            if addr.flags.freeze {
                d.freeze(ctx, b"");
            }
            if !d.options.first_phase || addr.failure.basic_errno != 0 {
                deferral(ctx, d, &addr, stage, outcome == Outcome::Panic, quiet);
            }
            d.deferred.push_front(addr);
        }
        Outcome::Fail => {
            let bounce = ctx.message.sender.as_deref().is_none_or(<[u8]>::is_empty);
            if bounce && d.message_age >= ctx.config.main.ignore_bounce_errors_after.0 {
                addr.flags.ignore_error = true;
            }
            failure(ctx, d, &addr, stage, quiet);
            let no_way = bounce && addr.errors_to.is_none();
            if !addr.flags.ignore_error && (addr.flags.freeze || no_way) {
                let info: &[u8] = if addr.flags.freeze {
                    b""
                } else if ctx.message.local && !ctx.message.local_error {
                    b" (message created with -f <>)"
                } else {
                    b" (delivery error message)"
                };
                d.freeze(ctx, info);
                d.deferred.push_front(addr);
            } else {
                d.failed.push_front(addr);
            }
        }
    }
}

/// How long the message has been on the queue, in microseconds, for `QT=`.
pub(super) fn queue_time(ctx: &Context) -> u64 {
    let now = crate::sys::time::now();
    let (sec, usec) = ctx.message.received_time;
    let whole = (now.sec - sec).saturating_mul(1_000_000) + now.usec - i64::from(usec);
    let mut t = u64::try_from(whole).unwrap_or(0);
    if log::selected(ctx, Selector::QueueTimeExclusive) {
        t = t.saturating_sub(ctx.message.received_duration_usec);
    }
    t
}

fn succeeded(ctx: &mut Context, d: &mut Delivery<'_>, addr: Address, quiet: bool) {
    let transport = addr.transport.as_ref().map_or(BString::from("**bypassed**"), |t| t.name.clone());
    let mut text = BString::from(addr.address.as_bytes());
    if let Some(p) = &addr.parent {
        text.extend_from_slice(b" <");
        text.extend_from_slice(&p.address);
        text.push(b'>');
    }
    text.extend_from_slice(b": ");
    text.extend_from_slice(&transport);
    text.extend_from_slice(b" transport succeeded");
    d.msglog(ctx, &text);
    d.done(ctx, &addr);
    if !quiet {
        let flag = match (addr.follower, super::pretends(ctx)) {
            (true, _) => "->",
            (false, true) => "*>",
            (false, false) => "=>",
        };
        let shadow = addr.shadow.clone();
        let details = outcome::Delivered {
            return_path: addr.return_path.as_ref().map(|t| t.as_bytes()),
            size: addr.bytes_sent,
            shadow: shadow.as_ref().map(|(n, e)| (n.as_slice(), e.as_ref().map(|e| e.as_slice()))),
            queue_time: queue_time(ctx),
            deliver_time: addr.delivery_usec,
            instead: None,
        };
        let text = outcome::delivery(ctx, flag, &addr, &details);
        log::write(ctx, None, Which::MAIN, &text);
    }
    let data = addr.remote_log.as_ref().and_then(|l| l.confirmation.clone()).unwrap_or_default();
    event::delivery_event(ctx, &addr, &data);
    d.succeeded.push_front(addr);
}

fn deferral(ctx: &mut Context, d: &Delivery<'_>, addr: &Address, stage: Stage, panic: bool, quiet: bool) {
    let word = if stage == Stage::Router && addr.router.is_none() { "routing" } else { "" };
    let waiting = addr.failure.basic_errno <= errors::RETRY_BASE;
    // Routing that fails has no transport yet, even if the router has set one.
    let without = (stage == Stage::Router && addr.kind == AddressKind::Mail && addr.transport.is_some())
        .then(|| Address { transport: None, ..addr.clone() });
    let shown = without.as_ref().unwrap_or(addr);
    let text = outcome::deferral(ctx, shown, word, Some(addr.delivery_usec));
    if ctx.message.first_delivery || !waiting {
        d.msglog(ctx, &text);
    }
    if !quiet {
        let full = [b"== ", text.as_slice()].concat();
        let which = if panic { Which::MAIN.and(Which::PANIC) } else { Which::MAIN };
        log::write(ctx, waiting.then_some(Selector::RetryDefer), which, &full);
    }
}

fn failure(ctx: &mut Context, d: &Delivery<'_>, addr: &Address, stage: Stage, quiet: bool) {
    let return_path = addr.return_path.clone();
    let text = outcome::failure(ctx, addr, return_path.as_ref().map(|t| t.as_bytes()), Some(addr.delivery_usec));
    let routing = stage == Stage::Router && addr.router.is_none();
    let noted = if routing { [b"routing failed for ", text.as_slice()].concat() } else { text.to_vec() };
    d.msglog(ctx, &noted);
    if event::failure_is_bounced(addr) {
        event::of_failure(ctx, addr);
    }
    if !quiet {
        log::write(ctx, None, Which::MAIN, &[b"** ", text.as_slice()].concat());
    }
}

/// The output of a command, kept in a file, is logged or kept for a bounce as the transport's options say; it may
/// turn a success into a failure.
pub(super) fn command_output(ctx: &mut Context, addr: &mut Address, outcome: Outcome) -> Outcome {
    let (Some(path), Some(transport)) = (addr.return_file.clone(), addr.transport.clone()) else { return outcome };
    let wanted = transport.local().map(|l| l.output_options()).unwrap_or_default();
    let file = crate::sys::file::stat(&path);
    let mut outcome = outcome;
    let mut keep = false;
    if file.is_ok_and(|s| s.size > 0) {
        let log_it = wanted.log
            || (outcome == Outcome::Fail && wanted.log_fail)
            || (matches!(outcome, Outcome::Defer | Outcome::Panic) && wanted.log_defer);
        if log_it {
            log_first_line(ctx, addr, &path);
        }
        let someone = ctx.message.sender.as_deref().is_some_and(|s| !s.is_empty()) || addr.errors_to.is_some();
        if someone && wanted.give_back {
            outcome = Outcome::Fail;
            if addr.failure.basic_errno == 0 && addr.failure.message.is_none() {
                addr.failure.message = Some(Text::clean("return message generated"));
            }
            keep = true;
        } else if someone && wanted.give_back_failed && outcome == Outcome::Fail {
            keep = true;
        }
    }
    if !keep {
        let _ = std::fs::remove_file(path.to_path_lossy());
        addr.return_file = None;
    }
    outcome
}

fn log_first_line(ctx: &Context, addr: &Address, path: &BString) {
    let Some(t) = &addr.transport else { return };
    match std::fs::read(path.to_path_lossy()) {
        Err(e) => {
            let text = format!("failed to open {path} to log output from {} transport: {}", t.name, crate::sys::error_text(&e));
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        }
        Ok(text) => {
            let first = text.lines().next().unwrap_or_default();
            let shown = log::escape::printing(first.trim_end(), ctx.config.site.log.topbit);
            let mut out = BString::from("<");
            out.extend_from_slice(&addr.address);
            out.extend_from_slice(format!(">: {} transport output: ", t.name).as_bytes());
            out.extend_from_slice(&shown);
            log::write(ctx, None, Which::MAIN, &out);
        }
    }
}

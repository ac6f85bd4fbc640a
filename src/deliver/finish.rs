//! The end of a delivery run: retry hints, bounces, completion, warnings, freezing, -H and the journal.

use bstr::{BString, ByteSlice};

use super::state::Delivery;
use super::{DeliverOutcome, bounce, event, post, success, tell, warning};
use crate::context::{Context, Recipient};
use crate::log::{self, Which, outcome};
use crate::route::Address;
use crate::spool::{DataFile, SpoolError};

/// What became of a message with `mua_wrapper`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapped {
    /// It was handed to the smart host, who took it or not.
    Tried,
    /// The addresses go different ways.
    NotOneTransaction,
    /// An address was not routed to a remote transport; that has been said.
    Refused,
}

/// Is there an address that routing did not give to a remote transport? Then nothing is delivered.
pub(super) fn wrapper_refuses(ctx: &mut Context, d: &mut Delivery<'_>) -> bool {
    let (kind, a) = match (d.local.front(), d.deferred.front(), d.failed.front()) {
        (Some(a), ..) => ("local", a),
        (_, Some(a), _) => ("deferred", a),
        (.., Some(a)) => ("failed", a),
        _ => return false,
    };
    let address = a.original().address.clone();
    let why = a.failure.user_message.as_ref().or(a.failure.message.as_ref()).map(|m| format!(": {m}")).unwrap_or_default();
    eprintln!("routing {address} yielded a {kind} delivery{}", if kind == "local" { "" } else { &why });
    // A failure has been logged.
    if kind != "failed" {
        log::write(ctx, None, Which::MAIN, format!("** {address} routing yielded a {kind} delivery").as_bytes());
    }
    for list in [&mut d.local, &mut d.remote, &mut d.failed, &mut d.deferred] {
        list.clear();
    }
    true
}

/// Finishes the run.
pub(super) fn finish(ctx: &mut Context, mut d: Delivery<'_>, wrapped: Wrapped) -> DeliverOutcome {
    let mut outcome = DeliverOutcome::Attempted;
    if ctx.config.main.mua_wrapper {
        outcome = mua_wrapper(ctx, &mut d, wrapped);
    } else if !super::pretends(ctx) {
        let age = d.message_age;
        let succeeded = std::mem::take(&mut d.succeeded);
        crate::retry::update::update(ctx, &mut d.deferred, &mut d.failed, &succeeded, age);
        d.succeeded = succeeded;
    }
    success::send_if_wanted(ctx, &d);
    bounce::send_all(ctx, &mut d);
    if d.deferred.is_empty() && !d.keep_message {
        complete(ctx, d);
        return outcome;
    }
    remain(ctx, &mut d);
    if let Some(j) = d.journal.take()
        && !d.keep_journal
    {
        if let Err(e) = j.remove() {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes());
        }
    } else if d.journal.is_none() && !d.keep_journal {
        // One that an interrupted run left has been taken into -H.
        let name = [ctx.message.id.as_slice(), b"-J"].concat();
        let _ = d.data.place().dir.unlink(&name);
    }
    if ctx.message.frozen && ctx.config.main.move_frozen_messages && !d.keep_journal {
        drop(d.msglog.take());
        move_frozen(ctx, &d.data);
    }
    outcome
}

/// `move_frozen_messages`: the files of the message go to `Finput` and `Fmsglog`, where the program does not see them.
pub(super) fn move_frozen(ctx: &mut Context, data: &DataFile) -> bool {
    let id = ctx.message.id.clone();
    let letter = data.place().letter;
    let result = (|| -> Result<(), SpoolError> {
        let queue = ctx.services.spool.queue(&ctx.message.queue_name)?;
        if let Ok(logs) = log::msglog::directory(ctx)
            && logs.stat_at(&id).is_ok()
        {
            let kept = queue.beside(b"Fmsglog", letter)?;
            logs.link(&id, &kept, &id).map_err(SpoolError::io("move the message log"))?;
            logs.unlink(&id).map_err(SpoolError::io("move the message log"))?;
        }
        let kept = queue.beside(b"Finput", letter)?;
        let names: Vec<_> = [b"-D", b"-H"].iter().map(|s| [id.as_slice(), &s[..]].concat()).collect();
        for name in &names {
            data.place().dir.link(name, &kept, name).map_err(SpoolError::io("move the message"))?;
        }
        for name in names.iter().rev() {
            data.place().dir.unlink(name).map_err(SpoolError::io("move the message"))?;
        }
        Ok(())
    })();
    match result {
        Ok(()) => {
            log::write(ctx, None, Which::MAIN, b"moved from input, msglog to Finput, Fmsglog");
            true
        }
        Err(e) => {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes());
            false
        }
    }
}

/// mua_wrapper: what was not delivered has failed, and whoever called the program is told.
fn mua_wrapper(ctx: &mut Context, d: &mut Delivery<'_>, wrapped: Wrapped) -> DeliverOutcome {
    if wrapped == Wrapped::Refused {
        return DeliverOutcome::MuaFailed;
    }
    if wrapped == Wrapped::NotOneTransaction {
        let text = b"** mua_wrapper is set but recipients cannot all be delivered in one transaction";
        log::write(ctx, None, Which::MAIN, text);
        eprintln!("delivery to smarthost failed (configuration problem)");
        d.failed.clear();
        d.deferred.clear();
        d.remote.clear();
        return DeliverOutcome::MuaFailed;
    }
    while let Some(a) = d.deferred.pop_front() {
        let mut text = BString::from("** ");
        text.extend_from_slice(&a.address);
        text.extend_from_slice(b" mua_wrapper forced failure for deferred delivery");
        log::write(ctx, None, Which::MAIN, &text);
        d.failed.push_front(a);
    }
    let Some(a) = d.failed.pop_front() else { return DeliverOutcome::MuaSucceeded };
    let message = a.failure.user_message.as_ref().or(a.failure.message.as_ref());
    let mut parts: Vec<String> = vec!["Delivery failed".into()];
    if a.failure.basic_errno > 0 {
        parts.push(crate::sys::strerror(a.failure.basic_errno));
    }
    if let (Some(h), Some(_)) = (a.host_used.as_deref(), message) {
        parts.push(format!("H={} [{}]", h.name, h.address_text));
    }
    match message {
        Some(m) => parts.push(m.to_string()),
        None if a.failure.basic_errno <= 0 => parts.push("unknown error".into()),
        None => {}
    }
    let text = parts.join(": ");
    eprintln!("{text}");
    d.failed.clear();
    DeliverOutcome::MuaFailed
}

/// Nothing is left to be done: the files go, -H first. It is what makes the message exist; a -D that a sudden end leaves behind
/// is nobody's.
fn complete(ctx: &mut Context, mut d: Delivery<'_>) {
    let id = ctx.message.id.clone();
    drop(d.msglog.take());
    if ctx.config.main.message_logs {
        remove_msglog(ctx);
    }
    let mut spare = Vec::from_iter(d.header_gone.take().map(|given| (&b"-H"[..], given)));
    for suffix in [&b"-H"[..], b"-D"] {
        if spare.iter().any(|(gone, _)| *gone == suffix) {
            continue;
        }
        let name = [id.as_slice(), suffix].concat();
        match d.data.place().discard(&name) {
            Ok(given) => spare.push((suffix, given)),
            Err(e) => {
                let text = format!("failed to unlink {}: {}", name.as_bstr(), crate::sys::error_text(&e));
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            }
        }
    }
    let text = outcome::completed(ctx, post::queue_time(ctx));
    log::write(ctx, None, Which::MAIN, &text);
    ctx.message.frozen = false;
    event::of_message(ctx, "msg:complete");
    let _ = d.data.place().dir.unlink(&[id.as_slice(), b"-J"].concat());
    // The lock goes with the file; then another message may have it.
    ctx.message.body = None;
    drop(d);
    drop(spare);
}

/// Removes the message log, or keeps it as `preserve_message_logs` asks.
fn remove_msglog(ctx: &Context) {
    let Ok(dir) = log::msglog::directory(ctx) else { return };
    let id = &ctx.message.id;
    if ctx.config.main.preserve_message_logs {
        let queue = ctx.services.spool.queue(&ctx.message.queue_name);
        let kept = queue
            .and_then(|q| q.beside(b"msglog.OLD", None))
            .and_then(|old| dir.rename(id, &old, id).map_err(crate::spool::SpoolError::io("move the file")));
        if let Err(e) = kept {
            let text = format!("failed to move {id} to the msglog.OLD directory: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        }
    } else {
        let _ = dir.unlink(id);
    }
}

/// Addresses are left: one_time children, warnings, freezing, and -H.
fn remain(ctx: &mut Context, d: &mut Delivery<'_>) {
    for a in &d.deferred {
        if let Some(f) = &a.return_file {
            let _ = std::fs::remove_file(f.to_path_lossy());
        }
    }
    one_time(ctx, d);
    warning::send_if_due(ctx, d);
    let first = ctx.message.first_delivery && !d.options.first_phase;
    if first {
        ctx.message.first_delivery = false;
    }
    if ctx.message.frozen && !d.keep_message {
        frozen(ctx, d);
    }
    if d.update_spool {
        d.write_header(ctx);
    } else if first && let Err(e) = crate::spool::replace_header(ctx, d.data.place()) {
        // Nothing else has changed.
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes());
    }
}

/// Children of one_time routers become recipients themselves, and their parents are done.
fn one_time(ctx: &mut Context, d: &mut Delivery<'_>) {
    let mut changed = false;
    // Deferred ones stand last first; the list of recipients keeps the order of the redirection.
    for a in d.deferred.iter().rev() {
        let chain = std::iter::once(a).chain(a.ancestors());
        let Some(child) = chain.into_iter().find(|x| x.onetime_parent.is_some()) else { continue };
        let Some(top) = &child.onetime_parent else { continue };
        let list = &ctx.message.recipients;
        if list.iter().any(|r| r.address == child.address) {
            continue;
        }
        let Some(index) = list.iter().position(|r| r.address == *top) else { continue };
        let Some(parent) = child.parent.clone().filter(|p| p.address != child.address) else { continue };
        let mut r = Recipient::new(child.address.clone());
        r.parent = i32::try_from(index).unwrap_or(-1);
        r.errors_to = child.errors_to.clone();
        r.orcpt = child.dsn_orcpt.clone();
        r.dsn_flags = child.dsn_flags;
        ctx.message.recipients.push(r);
        ctx.message.nonrecipients.insert(&parent.address);
        changed = true;
    }
    d.update_spool |= changed;
}

/// The message has been frozen in this run: somebody may be told, and the log says so.
fn frozen(ctx: &mut Context, d: &Delivery<'_>) {
    let config = ctx.config.clone();
    let info = d.frozen_info.clone();
    if let Some(who) = config.main.freeze_tell.raw().filter(|w| !w.is_empty())
        && !ctx.message.local_error
    {
        let shown = info.replace(b" by the system filter: ", b" by the system filter.\n").replace(b"\\n", b" \n");
        let sender = ctx.message.sender.clone().unwrap_or_default();
        let mut text = BString::from(format!("Message {} has been frozen", ctx.message.id));
        text.extend_from_slice(&shown);
        text.extend_from_slice(b".\nThe sender is <");
        text.extend_from_slice(&sender);
        text.extend_from_slice(b">.\n");
        let waiting: Vec<&Address> = d.deferred.iter().collect();
        tell::tell_someone(ctx, who, "Message frozen", &text, &waiting);
    }
    if let Some(m) = &d.msglog {
        m.write_plain(&[b"*** Frozen", info.as_slice()].concat());
    }
    log::write(ctx, None, Which::MAIN, &[b"Frozen", info.as_slice()].concat());
}

//! The beginning of a delivery run: the lock, -H, an old journal, frozen messages, and the first addresses.

use std::sync::Arc;

use super::DeliverOptions;
use super::post::{self, Outcome, Stage};
use super::state::{Delivery, set_unique};
use super::system_filter;
use crate::config::values::show_time;
use crate::context::{BodySource, Context};
use crate::debug;
use crate::log::{self, Selector, Which};
use crate::route::Address;
use crate::spool::{DataFile, Journal, SpoolError};
use crate::sys::time::unix_time;
use crate::text::Text;

/// What is done with the recipients.
pub(super) enum Mode {
    /// They are delivered to.
    Deliver,
    /// All fail with this message.
    Fail(Text),
    /// All fail as a mail loop.
    Loop,
    /// All wait; the log has been told why.
    Hold,
    /// They are done with: the system filter has put others in their place.
    Ignore,
}

fn main_log(ctx: &Context, selector: Option<Selector>, text: &str) {
    log::write(ctx, selector, Which::MAIN, text.as_bytes());
}

/// Opens and locks the message, and decides whether it is to be delivered. `None`: it is not.
pub(super) fn open<'a>(ctx: &mut Context, id: &[u8], options: &'a DeliverOptions) -> Option<(Delivery<'a>, Mode)> {
    ctx.message = Default::default();
    ctx.message.id = id.into();
    ctx.message.queue_name = options.queue_name.clone();
    let shown = ctx.message.id.clone();
    let queue = match ctx.services.spool.queue(&options.queue_name) {
        Ok(q) => q,
        Err(e) => {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes());
            return None;
        }
    };
    let data = match DataFile::open_locked(&queue, id) {
        Ok(d) => d,
        Err(SpoolError::Locked) => {
            let text = format!("Spool file for {shown} is locked (another process is handling this message)");
            main_log(ctx, Some(Selector::SkipDelivery), &text);
            return None;
        }
        Err(SpoolError::NotFound) => {
            if !options.queue_running {
                let q = if options.queue_name.is_empty() { "" } else { " Q=" };
                main_log(ctx, None, &format!("Spool{q}{} file {shown}-D not found", options.queue_name));
            }
            return None;
        }
        Err(e) => {
            main_log(ctx, None, &format!("Spool error for {shown}-D: {e}"));
            return None;
        }
    };
    if let Err(e) = crate::spool::read_header(ctx, data.place(), id) {
        ctx.message.id = id.into();
        ctx.message.queue_name = options.queue_name.clone();
        bad_header(ctx, &data, &queue, &e);
        return None;
    }
    ctx.message.queue_name = options.queue_name.clone();
    ctx.message.body = data.file().try_clone().ok().map(|f| BodySource::Open(Arc::new(f)));
    log::debuglog::resume(ctx);
    ctx.message.measure(data.body_size().unwrap_or(0));
    let run = if options.queue_running { format!(" (queue run pid {})", std::process::id()) } else { String::new() };
    debug!(ctx, V, "delivering {shown}{run}");
    let age = match ctx.run.fudged_queue_times.first() {
        Some(t) => *t,
        None => unix_time() - ctx.message.received_time.0,
    };
    let mut d = Delivery::new(options, data, age);
    merge_journal(ctx, &mut d);
    if ctx.message.recipients.is_empty() {
        main_log(ctx, None, &format!("Spool error: no recipients for {shown}-H"));
        return None;
    }
    let mut mode = Mode::Deliver;
    if ctx.message.frozen && !thaw(ctx, &mut d, &mut mode) {
        return None;
    }
    d.msglog = match log::msglog::open(ctx) {
        Ok(m) => m,
        Err(e) => {
            main_log(ctx, None, &format!("Couldn't {} message log {shown}: {}", "open", crate::sys::error_text(&e)));
            None
        }
    };
    if options.give_up {
        let who = ctx.run.login.clone();
        main_log(ctx, None, &format!("cancelled by {who}"));
        d.msglog(ctx, format!("cancelled by {who}").as_bytes());
        mode = give_up(ctx, "delivery cancelled by administrator");
    }
    if i64::from(ctx.message.received_count) > ctx.config.main.received_headers_max.0 {
        mode = Mode::Loop;
    }
    if matches!(mode, Mode::Deliver) {
        let headers = ctx.message.headers.clone();
        mode = system_filter::run(ctx, &mut d)?;
        d.update_spool |= ctx.message.headers != headers;
    }
    Some((d, mode))
}

/// -H cannot be read: that is logged, and an old wreck is removed.
fn bad_header(ctx: &mut Context, data: &DataFile, queue: &crate::spool::Queue, error: &SpoolError) {
    let id = ctx.message.id.clone();
    if error.is_format() {
        let name = [id.as_slice(), b"-H"].concat();
        let size = data.place().dir.stat_at(&name).map(|s| s.size).unwrap_or_default();
        main_log(ctx, None, &format!("Format error in spool file {id}-H: size={size}"));
    } else {
        main_log(ctx, None, &format!("Error reading spool file {id}-H: {error}"));
    }
    let since = match ctx.message.received_time.0 {
        0 => crate::spool::id::time_of(&id),
        t => t,
    };
    let keep = ctx.config.main.keep_malformed.0;
    if unix_time() - since > keep {
        if let Err(e) = queue.remove(&id) {
            main_log(ctx, None, &format!("failed to remove malformed message: {e}"));
            return;
        }
        main_log(ctx, None, &format!("Message removed because older than {}", show_time(keep)));
    }
}

/// What an interrupted run had finished is taken over into -H.
fn merge_journal(ctx: &mut Context, d: &mut Delivery<'_>) {
    let id = ctx.message.id.clone();
    match Journal::read(d.data.place(), &id) {
        Ok(done) if !done.is_empty() => {
            for name in done {
                ctx.message.nonrecipients.insert(&name);
            }
            d.write_header(ctx);
        }
        Ok(_) => {}
        Err(e) => main_log(ctx, None, &format!("attempting to read journal: {e}")),
    }
}

/// Opens the journal for this run's deliveries.
pub(super) fn open_journal(ctx: &mut Context, d: &mut Delivery<'_>) {
    if d.journal.is_some() {
        return;
    }
    match Journal::open(d.data.place(), &ctx.message.id.clone()) {
        Ok((j, _)) => d.journal = Some(j),
        Err(e) => log::write(
            ctx,
            None,
            Which::MAIN.and(Which::PANIC),
            format!("Couldn't open journal file {}-J: {e}", ctx.message.id).as_bytes(),
        ),
    }
}

/// Decides about a frozen message (manual sections 14.11, 48.8); false: it stays frozen.
fn thaw(ctx: &mut Context, d: &mut Delivery<'_>, mode: &mut Mode) -> bool {
    if ctx.config.main.move_frozen_messages && super::finish::move_frozen(ctx, &d.data) {
        return false;
    }
    let main = &ctx.config.main;
    let bounce = ctx.message.sender.as_deref().is_none_or(<[u8]>::is_empty);
    let o = d.options;
    if main.timeout_frozen_after.0 > 0 && d.message_age >= main.timeout_frozen_after.0 {
        main_log(ctx, None, "cancelled by timeout_frozen_after");
        *mode = give_up(ctx, "delivery cancelled; message timed out");
    } else if bounce && d.message_age >= main.ignore_bounce_errors_after.0 {
        main_log(ctx, None, "Unfrozen by errmsg timer");
    } else {
        let early = bounce || main.auto_thaw.0 <= 0 || unix_time() <= ctx.message.frozen_at + main.auto_thaw.0;
        let by_hand = o.forced || o.force_thaw;
        if early && (!by_hand || !o.force_thaw || !ctx.run.admin || o.continued.is_some()) {
            main_log(ctx, Some(Selector::SkipDelivery), "Message is frozen");
            return false;
        }
        if by_hand || o.force_retry {
            ctx.message.manual_thaw = true;
            main_log(ctx, None, "Unfrozen by forced delivery");
        } else {
            main_log(ctx, None, "Unfrozen by auto-thaw");
        }
    }
    ctx.message.frozen = false;
    d.update_spool = true;
    true
}

/// The message is given up: its sender is told, if it has one.
fn give_up(ctx: &Context, text: &str) -> Mode {
    match ctx.message.sender.as_deref() {
        None | Some([]) => Mode::Ignore,
        Some(_) => Mode::Fail(Text::clean(text)),
    }
}

/// Makes an address of every recipient that is not done with.
pub(super) fn make_addresses(ctx: &mut Context, d: &mut Delivery<'_>, mode: &Mode) {
    let recipients = ctx.message.recipients.clone();
    for (index, r) in recipients.iter().enumerate() {
        if ctx.message.nonrecipients.contains(&r.address) {
            continue;
        }
        let mut a = Address::new(Text::tainted(r.address.as_bytes().to_vec()));
        a.recipient_index = i32::try_from(index).unwrap_or(-1);
        a.errors_to = r.errors_to.clone().filter(|e| !e.is_empty());
        a.flags.errors_to_set = a.errors_to.is_some();
        a.dsn_orcpt = r.orcpt.clone();
        a.dsn_flags = r.dsn_flags;
        if let Some(p) = usize::try_from(r.parent).ok().and_then(|i| recipients.get(i)) {
            a.onetime_parent = Some(p.address.clone());
        }
        set_unique(&mut a);
        let elsewhere = |ctx: &mut Context, list: &Text| !crate::odmr::provider::is_for(ctx, &a.address, list);
        if d.options.domains.as_ref().is_some_and(|list| elsewhere(ctx, list)) {
            d.deferred.push_front(a);
            continue;
        }
        match mode {
            Mode::Deliver => d.new.push_back(a),
            Mode::Hold => d.deferred.push_front(a),
            // Not noted in -H: if something else keeps the message here, the next run looks at the recipient again.
            Mode::Ignore => {}
            Mode::Fail(text) => {
                a.failure.message = Some(text.clone());
                a.failure.user_message = Some(text.clone());
                super::event::of_failure(ctx, &a);
                d.failed.push_front(a);
            }
            Mode::Loop => {
                a.failure.message = Some(Text::clean("Too many \"Received\" headers - suspected mail loop"));
                a.failure.user_message = a.failure.message.clone();
                post::process(ctx, d, a, Outcome::Fail, Stage::Router);
            }
        }
    }
}

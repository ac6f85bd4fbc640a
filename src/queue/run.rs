//! Queue runs (manual chapter 5 `-q`, chapter 10): every message of the queue is given a delivery attempt, in turn.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bstr::{BString, ByteSlice};

use crate::context::Context;
use crate::debug;
use crate::deliver::{Continued, DeliverOptions, Tally, deliver_message_then};
use crate::log::{self, Selector, Which};
use crate::spool;
use crate::sys::pcre::{Options, Regex};
use crate::text::Text;

/// `-q...`, `-R`, `-S`.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// `-qq`
    pub two_stage: bool,
    /// `i`: only messages that have not been tried.
    pub first_only: bool,
    /// `f`
    pub force: bool,
    /// `ff`
    pub force_frozen: bool,
    /// `l`: local deliveries only.
    pub local_only: bool,
    /// `G<name>`
    pub queue_name: BString,
    /// From this id on.
    pub start_id: Option<BString>,
    /// Up to this one.
    pub end_id: Option<BString>,
    /// `-R`, and whether it is a regular expression.
    pub recipient: Option<(BString, bool)>,
    /// `-S`
    pub sender: Option<(BString, bool)>,
    /// ATRN: only for these domains, a list.
    pub domains: Option<Text>,
    /// ATRN: down this connection and no other.
    pub connection: Option<Continued>,
}

impl RunOptions {
    /// Is there nothing but perhaps the name of a queue?
    pub fn is_plain(&self) -> bool {
        let any = self.two_stage || self.first_only || self.force || self.force_frozen || self.local_only;
        !(any || self.start_id.is_some() || self.recipient.is_some() || self.sender.is_some() || self.domains.is_some())
    }

    /// As it is shown in log lines: ` -qqff -Rr`.
    pub fn flags(&self) -> String {
        let mut q = String::from("q");
        for (on, text) in [
            (self.two_stage, "q"),
            (self.first_only, "i"),
            (self.force || self.force_frozen, "f"),
            (self.force_frozen, "f"),
            (self.local_only, "l"),
        ] {
            if on {
                q.push_str(text);
            }
        }
        let mut out = String::new();
        if q != "q" {
            out = format!(" -{q}");
        }
        for (letter, pattern) in [('R', &self.recipient), ('S', &self.sender)] {
            if let Some((text, regex)) = pattern {
                out.push_str(&format!(" -{letter}{} {text}", if *regex { "r" } else { "" }));
            }
        }
        if let Some(list) = &self.domains {
            let items: Vec<String> = crate::parse::list::items(list).map(|i| i.to_str_lossy().into_owned()).collect();
            out.push_str(&format!(" -Rr @({})", items.join("|")));
        }
        out
    }
}

/// A pattern of `-R` or `-S`.
enum Pattern {
    Substring(Vec<u8>),
    Regex(Regex),
}

impl Pattern {
    fn new(given: &Option<(BString, bool)>) -> Result<Option<Self>, String> {
        Ok(match given {
            None => None,
            Some((text, false)) => Some(Pattern::Substring(text.to_ascii_lowercase())),
            Some((text, true)) => Some(Pattern::Regex(
                Regex::new(text, Options::CASELESS).map_err(|e| format!("regular expression error in \"{text}\": {e:?}"))?,
            )),
        })
    }

    fn matches(&self, s: &[u8]) -> bool {
        match self {
            Pattern::Substring(part) => s.to_ascii_lowercase().find(part).is_some(),
            Pattern::Regex(r) => r.is_match(s),
        }
    }
}

/// Runs the queue once, in this process. Gives the exit status.
pub fn run(ctx: &mut Context, options: &RunOptions) -> i32 {
    let (recipient, sender) = match (Pattern::new(&options.recipient), Pattern::new(&options.sender)) {
        (Ok(r), Ok(s)) => (r, s),
        (Err(e), _) | (_, Err(e)) => {
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.as_bytes());
            return 1;
        }
    };
    let named = if options.queue_name.is_empty() { String::new() } else { format!(" '{}'", options.queue_name) };
    // With ATRN it is a session's thread that runs the queue.
    let detail = format!("{named} queue run: pid={}{}", crate::sys::process::thread_id(), options.flags());
    let odmr = if options.domains.is_some() { " ODMR" } else { "" };
    log::write(ctx, Some(Selector::QueueRun), Which::MAIN, format!("Start{odmr}{detail}").as_bytes());
    sweep(ctx, options);
    let phases: &[bool] = if options.two_stage { &[true, false] } else { &[false] };
    let mut ramp = (options.two_stage && ctx.config.main.queue_fast_ramp).then(Ramp::default);
    // The first message that -R or -S finds is tried whatever its retry times are.
    let mut force_next = recipient.is_some() || sender.is_some();
    for first_phase in phases {
        let ids = match selected(ctx, options) {
            Ok(ids) => ids,
            Err(e) => {
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), format!("queue run: {e}").as_bytes());
                return 1;
            }
        };
        for id in ids.lines() {
            if load_is_too_high(ctx) {
                log::write(
                    ctx,
                    Some(Selector::QueueRun),
                    Which::MAIN,
                    format!(
                        "Abandon{detail} (load {:.2}, max {:.2})",
                        load(ctx),
                        ctx.config.main.deliver_queue_load_max.0.unwrap_or(0) as f64 / 1000.0
                    )
                    .as_bytes(),
                );
                return 0;
            }
            if !wanted(ctx, options, id, recipient.as_ref(), sender.as_ref()) {
                continue;
            }
            let tally = ramp.as_ref().map(|r| r.tally.clone());
            attempt(ctx, options, id, tally, *first_phase, std::mem::take(&mut force_next), || ());
            if let Some(ramp) = ramp.as_mut().filter(|_| *first_phase) {
                ramp.deliver_if_full(ctx, options, id);
            }
        }
    }
    if let Some(ramp) = ramp {
        ramp.wait();
    }
    ctx.services.hints.close_idle();
    // Looking for the messages that are wanted has left one in hand.
    ctx.message = Default::default();
    log::write(ctx, Some(Selector::QueueRun), Which::MAIN, format!("End{detail}").as_bytes());
    0
}

/// Removes what is left of messages that were never accepted, or are gone.
fn sweep(ctx: &Context, options: &RunOptions) {
    if options.domains.is_some() {
        return;
    }
    let swept = ctx.services.spool.queue(&options.queue_name).and_then(|q| spool::sweep(&q, crate::sys::time::unix_time()));
    match swept {
        Ok(names) => {
            for name in names {
                log::write(ctx, None, Which::MAIN, format!("{name} removed: it is old, and belongs to no message").as_bytes());
            }
        }
        Err(e) => log::write(ctx, None, Which::MAIN.and(Which::PANIC), format!("queue run: {e}").as_bytes()),
    }
}

/// `queue_fast_ramp`: while the first phase of a run goes on, other processes begin to deliver to hosts that many
/// messages have been routed to. Such a process takes one message; the rest follows it down the connection.
#[derive(Default)]
struct Ramp {
    tally: Tally,
    children: Vec<i32>,
}

impl Ramp {
    /// Starts a process for the message that was routed last, if its host has got enough.
    fn deliver_if_full(&mut self, ctx: &mut Context, options: &RunOptions, id: &[u8]) {
        self.children.retain(|pid| matches!(crate::sys::process::waitpid(*pid, false), Ok(None)));
        let most = usize::try_from(ctx.config.main.remote_max_parallel.0).unwrap_or(1).max(1);
        let Some(trying) = self.tally.begin().filter(|_| self.children.len() < most) else { return };
        let child = crate::daemon::start_child(ctx, "delivery of a queue run", |ctx| {
            attempt(ctx, options, id, None, false, false, || drop(trying));
            0
        });
        self.children.extend(child);
    }

    fn wait(self) {
        for pid in self.children {
            let _ = crate::sys::process::wait(pid);
        }
    }
}

fn load(ctx: &Context) -> f64 {
    let _ = ctx;
    f64::from(crate::sys::system::load_average_thousandths().unwrap_or(0)) / 1000.0
}

fn load_is_too_high(ctx: &Context) -> bool {
    let Some(max) = ctx.config.main.deliver_queue_load_max.0.filter(|_| !ctx.run.test_harness) else { return false };
    let (load, max) = (load(ctx), max as f64 / 1000.0);
    debug!(ctx, LOAD, "load average {load:.2}, deliver_queue_load_max {max:.2}");
    load > max
}

/// The ids in the order of the run, a line each. Deliveries fork: a long queue in one piece of memory costs them less than in many.
fn selected(ctx: &mut Context, options: &RunOptions) -> Result<BString, spool::SpoolError> {
    let queue = ctx.services.spool.queue(&options.queue_name)?;
    let mut ids: Vec<BString> = spool::scan(&queue)?.into_iter().map(|f| f.id).collect();
    ids.sort();
    ids.retain(|id| options.start_id.as_ref().is_none_or(|s| id >= s) && options.end_id.as_ref().is_none_or(|e| id <= e));
    if !ctx.config.main.queue_run_in_order && !ctx.run.test_harness {
        // Messages that are stuck must not always hold up the same others.
        for i in (1..ids.len()).rev() {
            let j = ctx.services.random.below(u32::try_from(i + 1).unwrap_or(u32::MAX)) as usize;
            ids.swap(i, j);
        }
    }
    let lines = bstr::join("\n", &ids).into();
    drop(ids);
    crate::sys::memory::give_back();
    Ok(lines)
}

/// Do `-R`, `-S` and `i` let the message through?
fn wanted(ctx: &mut Context, options: &RunOptions, id: &[u8], recipient: Option<&Pattern>, sender: Option<&Pattern>) -> bool {
    if recipient.is_none() && sender.is_none() && !options.first_only && options.domains.is_none() {
        return true;
    }
    if super::load(ctx, &options.queue_name, id).is_err() {
        return false;
    }
    if let Some(list) = &options.domains {
        let m = &ctx.message;
        let waiting: Vec<Text> =
            m.recipients.iter().filter(|r| !m.nonrecipients.contains(&r.address)).map(|r| r.address.clone()).collect();
        return waiting.iter().any(|r| crate::odmr::provider::is_for(ctx, r, list));
    }
    let m = &ctx.message;
    let empty = Text::new();
    (!options.first_only || m.first_delivery)
        && sender.is_none_or(|p| p.matches(m.sender.as_ref().unwrap_or(&empty)))
        && recipient.is_none_or(|p| m.recipients.iter().any(|r| !m.nonrecipients.contains(&r.address) && p.matches(&r.address)))
}

/// One delivery, with a context of its own. A fault in it ends this attempt, not the run.
/// `then` is called when the message is over, before others follow it down a connection.
fn attempt(
    ctx: &mut Context,
    options: &RunOptions,
    id: &[u8],
    tally: Option<Tally>,
    first_phase: bool,
    forced: bool,
    then: impl FnOnce(),
) {
    let run = crate::context::Run { queue_running: true, ..(*ctx.run).clone() };
    let mut own = Context::new(ctx.config.clone(), std::sync::Arc::new(run), ctx.services.clone());
    let deliver = DeliverOptions {
        queue_name: options.queue_name.clone(),
        force_retry: options.force || options.force_frozen || options.connection.is_some() || forced,
        force_thaw: options.force_frozen,
        queue_running: true,
        first_phase,
        tally,
        local_only: options.local_only,
        domains: options.domains.clone(),
        continued: options.connection.clone(),
        ..DeliverOptions::default()
    };
    let result = catch_unwind(AssertUnwindSafe(|| deliver_message_then(&mut own, id, &deliver, then)));
    if result.is_err() {
        log::write(
            ctx,
            None,
            Which::MAIN.and(Which::PANIC),
            format!("internal error while delivering {}", id.as_bstr()).as_bytes(),
        );
    }
    if !first_phase {
        ctx.run = std::sync::Arc::new(ctx.run.after_one_message());
    }
}

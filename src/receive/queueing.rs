//! Is a new message delivered at once, or does it wait for a queue run (queue_only and its relatives, `-od...`)?

use crate::context::Context;
use crate::daemon::handoff::When;
use crate::debug;
use crate::log::{self, Selector, Which};

/// What the command line says (`-odi`, `-odb`, `-odf`, `-odq`, `-odqs`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: in the background.
    #[default]
    Default,
    /// `-odb`
    Background,
    /// `-odi`, `-odf`
    Foreground,
    /// `-odq`
    Queue,
    /// `-odqs`: route, but leave remote deliveries.
    QueueSmtp,
}

impl Mode {
    fn when(self) -> When {
        if self == Mode::Foreground { When::Wait } else { When::Background }
    }
}

/// Decides for the message that has just been accepted; `None`: it waits. `accepted` is the count in this session.
pub fn decide(ctx: &mut Context, mode: Mode, accepted: u64) -> Option<When> {
    // Whoever calls the program waits to be told.
    if ctx.config.main.mua_wrapper && !ctx.run.host_checking {
        return Some(When::Wait);
    }
    // What the command line said holds for every way in.
    let mode = if mode == Mode::Default { ctx.run.delivery } else { mode };
    // `control = queue/first_pass_route` leaves the routing to be done at once.
    if ctx.message.frozen || (ctx.message.queue_only && !ctx.message.queue_smtp) || ctx.run.host_checking {
        return None;
    }
    if mode == Mode::QueueSmtp {
        ctx.message.queue_smtp = true;
    }
    if local_queue_only(ctx, mode) {
        return None;
    }
    if let Some(why) = ctx.session.queue_only.clone() {
        note(ctx, &why);
        return None;
    }
    let config = ctx.config.clone();
    let m = &config.main;
    let per_connection = u64::try_from(m.smtp_accept_queue_per_connection.0).unwrap_or(0);
    if per_connection > 0 && accepted > per_connection {
        note(ctx, &format!("no immediate delivery: more than {per_connection} messages received in one connection"));
        return None;
    }
    let many = u32::try_from(m.smtp_accept_queue.0).unwrap_or(0);
    if many > 0 && ctx.session.count_at_start > many && ctx.session.host_address.is_some() {
        note(ctx, &format!("no immediate delivery: too many connections ({}, max {many})", ctx.session.count_at_start));
        return None;
    }
    if let Some(limit) = m.queue_only_load.0 {
        let load = i64::from(crate::daemon::load_average(ctx));
        debug!(ctx, LOAD, "load average {:.2}, queue_only_load {:.2}", load as f64 / 1000.0, limit as f64 / 1000.0);
        if load > limit {
            let why = format!("no immediate delivery: load average {:.2}", load as f64 / 1000.0);
            note(ctx, &why);
            if m.queue_only_load_latch {
                ctx.session.queue_only = Some(why);
            }
            return None;
        }
    }
    Some(mode.when())
}

/// queue_only, queue_only_file and `-odq`.
fn local_queue_only(ctx: &mut Context, mode: Mode) -> bool {
    let config = ctx.config.clone();
    let m = &config.main;
    if mode == Mode::Queue {
        return true;
    }
    if m.queue_only && !(m.queue_only_override && mode != Mode::Default && mode != Mode::QueueSmtp) {
        return true;
    }
    let Some(list) = m.queue_only_file.raw() else { return false };
    for item in crate::parse::list::items(list) {
        let (smtp, name) = match item.strip_prefix(b"smtp") {
            Some(path) => (true, path),
            None => (false, item.as_ref()),
        };
        if crate::sys::file::stat(name).is_ok() {
            if smtp {
                ctx.message.queue_smtp = true;
            } else {
                return true;
            }
        }
    }
    false
}

fn note(ctx: &Context, text: &str) {
    log::write(ctx, Some(Selector::DelayDelivery), Which::MAIN, text.as_bytes());
}

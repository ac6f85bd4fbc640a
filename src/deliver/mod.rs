//! Delivery of one message: routing, local and remote deliveries, retries, journal, bounces (manual chapters 3, 32,
//! 48 to 50).
//!
//! [`deliver_message`] runs a whole delivery in the calling process, which must have no other thread: local
//! deliveries fork. The queue runner, the delivery manager, `-M` and the reception of local messages call it.

mod bounce;
pub mod event;
mod finish;
pub mod generated;
pub mod limits;
pub mod local;
mod local_batch;
mod local_prepare;
mod local_process;
mod local_run;
mod local_shadow;
mod post;
pub mod remote;
mod remote_errand;
mod remote_group;
mod remote_run;
mod report;
mod routing;
mod start;
mod state;
mod success;
mod system_filter;
mod tally;
mod tell;
mod template;
mod together;
pub mod transport_write;
mod users;
mod warning;
mod wire;
mod write_body;
mod write_filter;
mod write_headers;

pub use event::{delivery_event, raise_event};
pub use generated::{from_original, write_from};
pub use tally::Tally;
pub use tell::tell_someone;
pub use together::{Wanted, deliver_several};
pub use users::become_deliverer;
pub use write_body::copy_plain;

use std::collections::VecDeque;

use bstr::BString;

use crate::context::Context;
use crate::route::{Address, HostItem};
use crate::text::Text;

/// How a message is to be delivered.
#[derive(Clone, Debug, Default)]
pub struct DeliverOptions {
    /// The queue that it is in; empty is the default one.
    pub queue_name: BString,
    /// `-M`: forced by hand; held domains and load do not matter.
    pub forced: bool,
    /// `-qf`, `-M`: retry times do not matter.
    pub force_retry: bool,
    /// `-qff`, `-M`: frozen messages are thawed (for admin users).
    pub force_thaw: bool,
    /// `-Mg`: all addresses fail.
    pub give_up: bool,
    /// A queue run: retry times of addresses count.
    pub queue_running: bool,
    /// The first phase of a two-phase queue run: everything is routed, nothing is delivered over the network.
    pub first_phase: bool,
    /// A two-phase run: how many messages have been routed to each host by now, and which hosts other processes are trying.
    pub tally: Option<Tally>,
    /// `-ql`, `-odqs`: remote deliveries are suppressed.
    pub local_only: bool,
    /// `-odqs` or `queue_smtp_domains` at reception: routed, but SMTP deliveries wait.
    pub queue_smtp: bool,
    /// `-MC`: the message goes down a connection that is open.
    pub continued: Option<Continued>,
    /// ATRN: only recipients in these domains; the others stay as they are.
    pub domains: Option<Text>,
}

/// The connection that a further message for a host goes down.
#[derive(Clone, Debug, Default)]
pub struct Continued {
    /// The transport's name.
    pub transport: BString,
    /// The host's name.
    pub host: BString,
    /// Its address.
    pub address: BString,
    /// Its port, where that matters (ATRN).
    pub port: u16,
    /// How many messages have gone before, plus one.
    pub sequence: u32,
    /// What it was kept for.
    pub purpose: Purpose,
    /// The connection; a transport that uses it takes it out.
    pub connection: OpenConnection,
}

/// Why a connection was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// For another message that waits for the host: that is what the delivery is for.
    #[default]
    NextMessage,
    /// For more recipients of the same message.
    SameMessage,
    /// By a callout, for the message that it was about.
    AfterCallout,
    /// By a customer's ATRN, for all messages of a queue run: the only connection there is.
    Turned,
}

/// A connection to a server that is handed from one message to the next.
pub type OpenConnection = std::sync::Arc<std::sync::Mutex<Option<Box<crate::smtp_out::Opened>>>>;

impl Continued {
    /// Takes the connection.
    pub fn take(&self) -> Option<Box<crate::smtp_out::Opened>> {
        self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }
    /// Puts it there.
    pub fn put(&self, opened: crate::smtp_out::Opened) {
        *self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Box::new(opened));
    }
    /// Is it the reason for the delivery, so that nothing else is connected to? Not one that may as well be left alone.
    pub fn is_the_reason(&self) -> bool {
        matches!(self.purpose, Purpose::NextMessage | Purpose::Turned)
    }
    /// Does it go to this host? With ATRN any transport may use it.
    pub fn goes_to(&self, transport: &BString, host: &HostItem) -> bool {
        if self.purpose == Purpose::Turned {
            return host.address_text == self.address && host.port == Some(self.port);
        }
        self.transport == *transport && host.name.eq_ignore_ascii_case(&self.host) && host.address_text == self.address
    }
    /// Was the server verified by DANE?
    pub fn uses_dane(&self) -> bool {
        self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref().is_some_and(|o| o.dane)
    }
    /// Is it still there?
    pub fn is_open(&self) -> bool {
        self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_some()
    }
}

impl DeliverOptions {
    /// The connection for whose sake the delivery was started; not one that may just as well be left alone.
    pub fn continuing(&self) -> Option<&Continued> {
        self.continued.as_ref().filter(|c| c.is_the_reason())
    }
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliverOutcome {
    /// The message was locked, frozen, or not there.
    NotAttempted,
    /// Delivery was tried; what remains is on the queue.
    Attempted,
    /// mua_wrapper: all delivered.
    MuaSucceeded,
    /// mua_wrapper: not all delivered, and the message is gone.
    MuaFailed,
}

/// Delivers one message, as far as is possible now, and those that can follow it down a connection.
pub fn deliver_message(ctx: &mut Context, id: &[u8], options: &DeliverOptions) -> DeliverOutcome {
    deliver_message_then(ctx, id, options, || ())
}

/// The same; `then` is called between the two, when the hints say what became of the first.
pub fn deliver_message_then(ctx: &mut Context, id: &[u8], options: &DeliverOptions, then: impl FnOnce()) -> DeliverOutcome {
    let mut kept = Vec::new();
    let outcome = deliver_one(ctx, id, options, &mut kept);
    then();
    follow(ctx, options, kept);
    // A queue run goes on with the next message; else nothing of ours may keep others, or other users, from the hints.
    if !options.queue_running {
        ctx.services.hints.close_idle();
    }
    outcome
}

/// Delivers messages that wait for a host that we are connected to.
fn follow(ctx: &mut Context, asked: &DeliverOptions, mut kept: Vec<remote::Kept>) {
    while let Some(k) = kept.pop() {
        let options = DeliverOptions {
            queue_name: asked.queue_name.clone(),
            // Who asked for this message in spite of retry times gets the others over the same connection so, too.
            force_retry: asked.force_retry,
            continued: Some(k.continued),
            ..DeliverOptions::default()
        };
        if ctx.run.test_harness && !ctx.run.no_test_delays {
            crate::sys::time::sleep_ms(500);
        }
        ctx.message = crate::context::Message::default();
        deliver_one(ctx, &k.next, &options, &mut kept);
        // Nobody has used it, and nobody will.
        if let Some(mut c) = options.continued.as_ref().and_then(Continued::take) {
            c.client.quit();
        }
    }
}

/// Would an appendfile transport's quota let the message in hand through? Becomes the recipient for good. `Err(None)`: no;
/// `Err(Some(text))`: that cannot be known.
pub fn quota_of(
    ctx: &mut Context,
    transport: &crate::transports::TransportInstance,
    addr: &mut crate::route::Address,
) -> Result<(), Option<String>> {
    let other = |p: users::Problem| Some(p.1);
    crate::route::set_address_vars(ctx, addr);
    let who = users::identity(ctx, transport, addr).map_err(other)?;
    let (home, directory) = users::directories(ctx, transport, addr).map_err(other)?;
    let Some(driver) = transport.driver.as_appendfile() else { return Ok(()) };
    let prepared = local::LocalTransport::setup(driver, ctx, transport, std::slice::from_mut(addr)).map_err(Some)?;
    let user = who.initgroups.then(|| crate::sys::users::user_by_id(who.uid).ok().flatten()).flatten();
    if crate::sys::ids::geteuid() != 0 {
        let _ = crate::sys::ids::seteuid(0);
    }
    if crate::sys::ids::geteuid() == 0 || crate::sys::ids::geteuid() != who.uid {
        crate::sys::ids::become_user(who.uid, who.gid, user.as_ref().map(|u| u.name.as_slice()))
            .map_err(|e| Some(e.to_string()))?;
    }
    let nothing = std::fs::File::open("/dev/null").map_err(|e| Some(e.to_string()))?;
    let mut job = local::LocalJob {
        transport,
        batch: std::slice::from_mut(addr),
        data: &nothing,
        uid: who.uid,
        gid: who.gid,
        home,
        directory,
        output: None,
        prepared,
        begun: None,
        directories: &local::Directories::default(),
        sent: &std::cell::Cell::new(0),
    };
    driver.quota(ctx, &mut job)
}

/// Delivers one message; its debug log ends with it.
fn deliver_one(ctx: &mut Context, id: &[u8], options: &DeliverOptions, kept: &mut Vec<remote::Kept>) -> DeliverOutcome {
    let run = ctx.run.clone();
    let outcome = attempt(ctx, id, options, kept);
    ctx.run = run;
    outcome
}

fn attempt(ctx: &mut Context, id: &[u8], options: &DeliverOptions, kept: &mut Vec<remote::Kept>) -> DeliverOutcome {
    match begin(ctx, id, options) {
        Some(d) => carry_out(ctx, d, kept),
        None => DeliverOutcome::NotAttempted,
    }
}

/// Opens the message and routes its addresses. `None`: it is not to be delivered now.
fn begin<'a>(ctx: &mut Context, id: &[u8], options: &'a DeliverOptions) -> Option<state::Delivery<'a>> {
    ctx.services.random.reseed(0);
    let Some((mut d, mode)) = start::open(ctx, id, options) else {
        ctx.message = Default::default();
        return None;
    };
    start::make_addresses(ctx, &mut d, &mode);
    crate::debug!(ctx, PROCESS_INFO, "set_process_info: {} delivering {}", crate::sys::process::getpid(), ctx.message.id);
    crate::debug!(ctx, DELIVER, "Delivery address list:{}", Listed(&d.new));
    let headers = ctx.message.headers.clone();
    routing::route_all(ctx, &mut d);
    if ctx.message.headers != headers {
        // A router has found an address to be another: later runs must see the same header.
        d.update_spool = true;
        if d.local.len() + d.remote.len() > 1 {
            d.write_header(ctx);
        }
    }
    d.sole = d.local.len() + d.remote.len() == 1 && !needs_journal(&d);
    crate::debug!(
        ctx,
        DELIVER,
        "After routing:\n  Local deliveries:{}\n  Remote deliveries:{}\n  Failed addresses:{}\n  Deferred addresses:{}",
        Listed(&d.local),
        Listed(&d.remote),
        Listed(&d.failed),
        Listed(&d.deferred)
    );
    Some(d)
}

/// Addresses in debug output, one in a line.
struct Listed<'a>(&'a VecDeque<Address>);

impl std::fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|a| write!(f, "\n    {}", a.address))
    }
}

/// Delivers what routing has found, and ends the run.
fn carry_out(ctx: &mut Context, mut d: state::Delivery<'_>, kept: &mut Vec<remote::Kept>) -> DeliverOutcome {
    let options = d.options;
    let mut wrapped = finish::Wrapped::Tried;
    if ctx.config.main.mua_wrapper && finish::wrapper_refuses(ctx, &mut d) {
        wrapped = finish::Wrapped::Refused;
    }
    if needs_journal(&d) {
        start::open_journal(ctx, &mut d);
    }
    if options.continuing().is_some() {
        // A process with a connection waiting has no time for local deliveries.
        let waiting: Vec<_> = d.local.drain(..).collect();
        d.deferred.extend(waiting);
    }
    if !d.local.is_empty() {
        local_run::deliver_all(ctx, &mut d);
    }
    if options.local_only {
        while let Some(mut a) = d.remote.pop_front() {
            a.failure.message = Some("remote deliveries suppressed".into());
            a.failure.basic_errno = crate::retry::errors::LOCAL_ONLY;
            post::process(ctx, &mut d, a, post::Outcome::Defer, post::Stage::Transport);
        }
    }
    if !d.remote.is_empty() {
        if !remote_run::deliver_all(ctx, &mut d, false) {
            wrapped = finish::Wrapped::NotOneTransaction;
        }
        if !d.fallback.is_empty() && !ctx.config.main.mua_wrapper {
            d.remote = std::mem::take(&mut d.fallback);
            remote_run::deliver_all(ctx, &mut d, true);
        }
    }
    kept.append(&mut d.kept);
    end(ctx, d, wrapped)
}

/// The run is over.
fn end(ctx: &mut Context, d: state::Delivery<'_>, wrapped: finish::Wrapped) -> DeliverOutcome {
    let outcome = finish::finish(ctx, d, wrapped);
    // What is logged from here on is not about this message.
    ctx.message = Default::default();
    outcome
}

/// The journal says what is done while other work goes on. If a single delivery is all that there is, its success ends the
/// message, at once (`note_in_journal`): making, syncing and removing a third file would only cost.
fn needs_journal(d: &state::Delivery<'_>) -> bool {
    let deliveries = d.local.len() + d.remote.len();
    let wants_dsn = d.local.iter().chain(&d.remote).any(|a| a.dsn_flags != 0);
    deliveries > 1 || deliveries == 1 && (wants_dsn || !d.deferred.is_empty() || !d.failed.is_empty())
}

/// `-N`, now or when the message was submitted: nothing is really delivered.
fn pretends(ctx: &Context) -> bool {
    ctx.run.dont_deliver || ctx.message.dont_deliver
}

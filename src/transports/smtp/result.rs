//! What happened to each address of a run, and putting failures into addresses.

use bstr::{BString, ByteSlice};

use crate::context::{Context, TlsFacts};
use crate::deliver::local::DeliveryStatus;
use crate::deliver::raise_event;
use crate::log::{self, Selector, Which};
use crate::retry::errors;
use crate::route::{Address, HostItem};
use crate::smtp_out::Trouble;
use crate::text::Text;
use crate::transports::TransportInstance;

/// Where an address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not delivered by the hosts so far; the next one may try.
    Deferred,
    /// To be sent to the present host.
    Pending,
    /// RCPT was accepted.
    Accepted,
    /// Delivered.
    Delivered,
    /// Refused for good.
    Failed,
    /// Something on our side is wrong.
    Panic,
}

impl State {
    pub(super) fn status(self) -> DeliveryStatus {
        match self {
            State::Deferred | State::Pending | State::Accepted => DeliveryStatus::Defer,
            State::Delivered => DeliveryStatus::Ok,
            State::Failed => DeliveryStatus::Fail,
            State::Panic => DeliveryStatus::Panic,
        }
    }
    /// It has its final state, whatever the host does from now on.
    pub(super) fn is_final(self) -> bool {
        matches!(self, State::Delivered | State::Failed | State::Panic)
    }
}

/// What is put into addresses with a failure.
pub(super) struct Blame<'a> {
    pub(super) errno: i32,
    /// Bits for `more_errno`.
    pub(super) more: i32,
    pub(super) message: Option<&'a BString>,
    pub(super) state: State,
    pub(super) for_user: bool,
    pub(super) host: Option<&'a HostItem>,
}

impl<'a> Blame<'a> {
    /// A plain deferral (or failure) with a message of ours.
    pub(super) fn ours(errno: i32, message: &'a BString, state: State) -> Self {
        Blame { errno, more: 0, message: Some(message), state, for_user: false, host: None }
    }

    /// Of a dialogue's trouble.
    pub(super) fn of(t: &'a Trouble, state: State, host: Option<&'a HostItem>) -> Self {
        let more = if t.class == b'4' { t.code << 8 } else { 0 };
        Blame { errno: t.errno, more, message: t.message.as_ref(), state, for_user: t.for_user, host }
    }

    /// Into all addresses of a run that have no final state.
    pub(super) fn apply(&self, batch: &mut [Address], states: &mut [State]) {
        for (a, s) in batch.iter_mut().zip(states.iter_mut()) {
            if matches!(s, State::Pending | State::Accepted) {
                self.apply_one(a, s);
            }
        }
    }

    pub(super) fn apply_one(&self, a: &mut Address, s: &mut State) {
        a.failure.basic_errno = self.errno;
        a.failure.more_errno |= self.more;
        if let Some(m) = self.message {
            a.failure.message = Some(Text::tainted(m.to_vec()));
            a.flags.pass_message = self.for_user;
        }
        if let Some(h) = self.host {
            a.host_used = Some(Box::new(h.clone()));
        }
        *s = self.state;
    }
}

/// Makes the addresses that are not done ready for a host. The first one's place.
pub(super) fn prepare(batch: &mut [Address], states: &mut [State], host: &HostItem) -> Option<usize> {
    let mut first = None;
    for (n, (a, s)) in batch.iter_mut().zip(states.iter_mut()).enumerate() {
        if *s != State::Deferred {
            continue;
        }
        first = first.or(Some(n));
        *s = State::Pending;
        a.failure.basic_errno = 0;
        a.failure.more_errno = i32::from(if host.mx >= 0 { b'M' } else { b'A' });
        a.failure.message = None;
        a.remote_log = None;
        a.tls = TlsFacts::default();
    }
    first
}

/// `H=name [address]:port`, as lines about hosts show it.
pub(super) fn host_for_log(ctx: &Context, host: &HostItem, port: u16) -> BString {
    let mut s = BString::from(format!("H={} [{}]", host.name, host.address_text));
    if log::selected(ctx, Selector::OutgoingPort) && crate::context::names::port_logged(ctx, port) {
        s.extend_from_slice(format!(":{port}").as_bytes());
    }
    s
}

/// A line about a host that failed, in the main log and the message log.
pub(super) fn log_host(ctx: &Context, host: &HostItem, port: u16, message: Option<&BString>, errno: i32) {
    let mut line = host_for_log(ctx, host, port);
    match message {
        Some(m) => {
            line.extend_from_slice(b": ");
            line.extend_from_slice(m);
            if errno > 0 {
                line.extend_from_slice(b": ");
                line.extend_from_slice(crate::sys::strerror(errno).as_bytes());
            }
        }
        None => {
            line.push(b' ');
            line.extend_from_slice(error_words(errno).as_bytes());
        }
    }
    log::write(ctx, None, Which::MAIN, &line);
    crate::log::msglog::append(ctx, &line);
}

fn error_words(errno: i32) -> String {
    match errno {
        n if n > 0 => crate::sys::strerror(n),
        errors::CONNECT_TIMEOUT => crate::sys::strerror(libc::ETIMEDOUT),
        errors::EVENT => "Event requests alternate response".into(),
        n => format!("Error {n}"),
    }
}

/// The events of deferrals that concern a host.
pub(super) fn defer_event(ctx: &mut Context, transport: &TransportInstance, a: &Address, host: &HostItem, port: u16, name: &str) {
    let Some(action) = transport.generic.event_action.get().cloned() else { return };
    let data = crate::deliver::event::deferral_text(a);
    // A recipient's number says what the server answered.
    let errno = if name.starts_with("msg:rcpt:") { a.failure.more_errno } else { a.failure.basic_errno };
    let saved = (ctx.address.local_part.clone(), ctx.address.domain.clone(), ctx.address.router_name.clone());
    ctx.address.local_part = Some(a.local_part.clone());
    ctx.address.domain = Some(a.domain.clone());
    ctx.address.router_name = a.router.clone();
    crate::smtp_out::setup::set_host_variables(ctx, host, port);
    raise_event(ctx, Some(&action), name, data.as_bstr(), errno);
    (ctx.address.local_part, ctx.address.domain, ctx.address.router_name) = saved;
}

//! Trying the hosts of a run one after the other: retry times, limits, serialization, and what is said when none works.

use bstr::{BString, ByteSlice};

use super::Smtp;
use super::one_host::Step;
use super::result::{self, Blame, State};
use crate::config::options::ExpBool;
use crate::context::Context;
use crate::deliver::local::DeliveryStatus;
use crate::deliver::remote::RemoteJob;
use crate::expand::{self, ExpandError};
use crate::log::{self, Which};
use crate::retry::errors;
use crate::route::{HostItem, hostlist};
use crate::smtp_out::options::port;
use crate::smtp_out::waiting;
use crate::text::Text;

/// Why hosts were passed over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skipped {
    /// Their retry time has not come.
    pub(super) retry: u32,
    /// There is no such host.
    pub(super) fail: u32,
    /// Lookups deferred, or earlier attempts.
    pub(super) defer: u32,
    /// Another delivery is using them.
    pub(super) serial: u32,
    pub(super) total: u32,
}

/// What all attempts of a run share.
pub(super) struct Run<'a, 'b> {
    pub(super) smtp: &'a Smtp,
    pub(super) job: &'a mut RemoteJob<'b>,
    pub(super) states: Vec<State>,
    /// The message is to be noted as waiting for the hosts.
    pub(super) update_waiting: bool,
    /// The host that was tried last, and its port.
    pub(super) tried: Option<(HostItem, u16)>,
}

/// Delivers to a batch.
pub(super) fn deliver(smtp: &Smtp, ctx: &mut Context, job: &mut RemoteJob<'_>) -> Vec<DeliveryStatus> {
    let n = job.batch.len();
    for a in job.batch.iter_mut() {
        a.failure.basic_errno = errors::UNKNOWN;
        a.failure.message = None;
    }
    let mut run = Run { smtp, job, states: vec![State::Deferred; n], update_waiting: true, tried: None };
    let mut list = Vec::new();
    match run.prepare(ctx) {
        Ok((hosts, port)) => {
            list = hosts;
            run.try_all(ctx, &mut list, port);
            run.deferral_event(ctx);
        }
        Err(message) => {
            // Only the first address gets the words, but none can be delivered.
            for (a, s) in run.job.batch.iter_mut().zip(run.states.iter_mut()) {
                a.failure.message = Some(Text::clean(message.clone()));
                *s = State::Panic;
            }
        }
    }
    if run.job.mua_wrapper {
        run.states.iter_mut().filter(|s| !s.is_final()).for_each(|s| *s = State::Failed);
    }
    let statuses = run.states.iter().map(|s| s.status()).collect();
    if let Some(a) = job.batch.first_mut() {
        // The delivery code looks here for hosts that do not work.
        a.hosts = list;
    }
    statuses
}

impl Run<'_, '_> {
    /// The list of hosts, and the default port.
    fn prepare(&mut self, ctx: &mut Context) -> Result<(Vec<HostItem>, u16), String> {
        let o = &self.smtp.options;
        let name = self.job.transport.name.clone();
        let limit = o.message_linelength_limit.0;
        let longest = i64::try_from(ctx.message.max_received_linelength).unwrap_or(i64::MAX);
        if limit > 0 && longest > limit {
            let message = BString::from(format!("message has lines too long for transport (received {longest}, limit {limit})"));
            self.states.fill(State::Pending);
            Blame { for_user: true, ..Blame::ours(0, &message, State::Failed) }.apply(self.job.batch, &mut self.states);
            return Ok((Vec::new(), 0));
        }
        let mut hosts = self.job.batch.first_mut().map(|a| std::mem::take(&mut a.hosts)).unwrap_or_default();
        let randomize = match &o.hosts_randomize {
            ExpBool::Fixed(b) => *b,
            other => expand::expand_bool(ctx, "hosts_randomize", other, &format!("{name} transport"))?,
        };
        if hosts.is_empty() || (o.hosts_override && o.hosts.is_set() && !self.job.fallback) {
            let Some(t) = o.hosts.get() else { return Err(format!("{name} transport called with no hosts set")) };
            let list = match expand::expand(ctx, t) {
                Ok(list) => list,
                Err(e) => {
                    let text = format!("failed to expand list of hosts \"{}\" in {name} transport: {e}", t.raw().as_bstr());
                    if matches!(e, ExpandError::Defer(_)) {
                        let message = BString::from(text);
                        for (a, s) in self.job.batch.iter_mut().zip(self.states.iter_mut()) {
                            Blame::ours(errors::UNKNOWN, &message, State::Deferred).apply_one(a, s);
                        }
                        return Ok((Vec::new(), 0));
                    }
                    return Err(text);
                }
            };
            if list.is_tainted() {
                let text = format!("attempt to use tainted host list '{list}' from '{}' in transport {name}", t.raw().as_bstr());
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
                return Err("internal configuration error".into());
            }
            hosts = hostlist::build(ctx, &list, randomize);
            if hosts.is_empty() {
                return Err(format!("{name} transport has empty hosts setting"));
            }
        } else if randomize && hosts.first().is_some_and(|h| h.mx < 0) && self.job.continued.is_none() {
            shuffle(ctx, &mut hosts);
        }
        let port = port(ctx, &o.port, self.smtp.default_port(), &format!("{name} transport"))?;
        Ok((hosts, port))
    }

    fn try_all(&mut self, ctx: &mut Context, hosts: &mut Vec<HostItem>, default_port: u16) {
        if self.states.iter().all(|s| s.is_final()) || hosts.is_empty() {
            return;
        }
        let mut skipped = Skipped::default();
        let mut expired = true;
        let ended = self.passes(ctx, hosts, default_port, &mut skipped, &mut expired);
        if ended {
            return;
        }
        if self.update_waiting && self.smtp.options.connection_max_messages.0 != 1 && !self.job.mua_wrapper {
            waiting::note(ctx, self.job.transport.name.as_bstr(), hosts);
        }
        self.sum_up(skipped, expired);
    }

    /// All hosts, and again the expired ones if `delay_after_cutoff` is off. True: everything has its final state.
    fn passes(
        &mut self,
        ctx: &mut Context,
        hosts: &mut Vec<HostItem>,
        default_port: u16,
        skipped: &mut Skipped,
        expired: &mut bool,
    ) -> bool {
        let o = &self.smtp.options;
        let (mut tried, mut total) = (0i64, 0i64);
        let rounds = if o.delay_after_cutoff { 1 } else { 2 };
        for round in 0..rounds {
            let mut at = 0;
            while *expired || round == 0 {
                if at >= hosts.len() || tried >= o.hosts_max_try.0 || total >= o.hosts_max_try_hardlimit.0 {
                    break;
                }
                if hosts[at].address.is_none() && !self.look_up(ctx, hosts, at, skipped, expired) {
                    if self.states.iter().all(|s| s.is_final())
                        || self.job.batch.first().is_some_and(|a| a.failure.basic_errno == errors::HOST_IS_LOCAL)
                    {
                        return false;
                    }
                    at += 1;
                    continue;
                }
                let last = at + 1 >= hosts.len();
                let port = hosts[at].port.unwrap_or(default_port);
                match self.one(ctx, &mut hosts[at], port, round, last, skipped, expired) {
                    Step::Skip => {}
                    Step::Stop => return true,
                    Step::Tried { uncounted, old } => {
                        if self.job.continuing().is_some() && self.on_continued(&hosts[at]) {
                            break;
                        }
                        total += 1;
                        tried += i64::from(!old);
                        if !old && tried >= o.hosts_max_try.0 {
                            // The limit is reached, but at least one host of each MX value gets its chance.
                            let mx = hosts[at].mx;
                            if let Some(n) = hosts.iter().skip(at).position(|h| h.mx != mx) {
                                tried -= 1;
                                at += n - 1;
                            }
                        }
                        tried -= i64::from(uncounted);
                    }
                }
                at += 1;
            }
            if !*expired {
                break;
            }
        }
        false
    }

    /// That the delivery has been put off is told once for all recipients, with the last host; what a server said of one of them
    /// has been told of it.
    fn deferral_event(&self, ctx: &mut Context) {
        let Some((host, port)) = &self.tried else { return };
        let mut all = self.job.batch.iter().zip(&self.states);
        let first = all.find(|(a, s)| **s == State::Deferred && a.failure.basic_errno != errors::RCPT_4XX);
        if let Some((a, _)) = first {
            // The connection is gone; what it was like stands in the address.
            let tls = std::mem::replace(&mut ctx.session.tls_out, a.tls.clone());
            result::defer_event(ctx, self.job.transport, a, host, *port, "msg:defer");
            ctx.session.tls_out = tls;
        }
    }

    /// Is there an open connection to this host?
    pub(super) fn on_continued(&self, host: &HostItem) -> bool {
        self.job.continued.is_some_and(|c| c.goes_to(&self.job.transport.name, host))
    }

    /// Addresses that no host has said anything about get a reason.
    fn sum_up(&mut self, s: Skipped, expired: bool) {
        for (a, state) in self.job.batch.iter_mut().zip(self.states.iter_mut()) {
            if *state != State::Deferred || a.failure.basic_errno != errors::UNKNOWN || a.failure.message.is_some() {
                continue;
            }
            a.failure.basic_errno = errors::RETRY_HOSTS;
            if expired {
                let text = if self.smtp.options.delay_after_cutoff {
                    "retry time not reached for any host after a long failure period"
                } else {
                    "all hosts have been failing for a long time and were last tried after this message arrived"
                };
                a.failure.message = Some(Text::clean(text));
                if self.job.fallback || a.fallback_hosts.is_empty() {
                    a.flags.timed_out = true;
                    *state = State::Failed;
                }
                continue;
            }
            let (before, after) = if s.retry == s.total {
                ("retry time not reached for any host", "")
            } else if s.fail == s.total {
                ("all host address lookups", " failed permanently")
            } else if s.defer == s.total {
                ("all host address lookups", " failed temporarily")
            } else if s.serial == s.total {
                ("connection limit reached for all hosts", "")
            } else if s.fail + s.defer == s.total {
                ("all host address lookups", " failed")
            } else {
                ("some host address lookups failed and retry time not reached for other hosts or connection limit reached", "")
            };
            let of = if a.domain.is_empty() { String::new() } else { format!(" for '{}'", a.domain) };
            a.failure.message = Some(Text::clean(format!("{before}{of}{after}")));
        }
    }
}

/// Shuffles each group of a list.
fn shuffle(ctx: &mut Context, hosts: &mut [HostItem]) {
    for h in hosts.iter_mut() {
        let random = i64::from(ctx.services.random.below(100));
        h.sort_key = i64::from(-h.mx) * 1000 + random;
    }
    hosts.sort_by_key(|h| h.sort_key);
}

//! Trying the hosts of a run one after the other: retry times, limits, serialization, and what is said when none works.

use bstr::{BString, ByteSlice};

use super::Smtp;
use super::result::{self, Blame, State};
use super::transaction::{self, Attempt, HostResult};
use crate::config::options::ExpBool;
use crate::context::Context;
use crate::deliver::Purpose;
use crate::deliver::local::DeliveryStatus;
use crate::deliver::remote::{RemoteJob, unusable_key};
use crate::expand::{self, ExpandError};
use crate::hints::{Mode, serialize};
use crate::log::{self, Which};
use crate::retry::{self, check, errors};
use crate::route::address::HostStatus;
use crate::route::hosts::{DnsWants, HostSearch, LookupOptions, find_by_dns, find_by_name, literal};
use crate::route::{HostItem, hostlist};
use crate::smtp_out::options::{interface, port};
use crate::smtp_out::{in_hosts, waiting};
use crate::text::Text;

/// Why hosts were passed over.
#[derive(Clone, Copy, Debug, Default)]
struct Skipped {
    /// Their retry time has not come.
    retry: u32,
    /// There is no such host.
    fail: u32,
    /// Lookups deferred, or earlier attempts.
    defer: u32,
    /// Another delivery is using them.
    serial: u32,
    total: u32,
}

/// What all attempts of a run share.
pub(super) struct Run<'a, 'b> {
    pub(super) smtp: &'a Smtp,
    pub(super) job: &'a mut RemoteJob<'b>,
    pub(super) states: Vec<State>,
    /// The message is to be noted as waiting for the hosts.
    pub(super) update_waiting: bool,
}

/// Delivers to a batch.
pub(super) fn deliver(smtp: &Smtp, ctx: &mut Context, job: &mut RemoteJob<'_>) -> Vec<DeliveryStatus> {
    let n = job.batch.len();
    for a in job.batch.iter_mut() {
        a.failure.basic_errno = errors::UNKNOWN;
        a.failure.message = None;
    }
    let mut run = Run { smtp, job, states: vec![State::Deferred; n], update_waiting: true };
    let mut list = Vec::new();
    match run.prepare(ctx) {
        Ok((hosts, port)) => {
            list = hosts;
            run.try_all(ctx, &mut list, port);
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
            other => expand::expand_bool(ctx, "hosts_randomize", other)
                .map_err(|e| format!("failed to expand \"hosts_randomize\" in {name} transport: {e}"))?,
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

    /// Is there an open connection to this host?
    pub(super) fn on_continued(&self, host: &HostItem) -> bool {
        self.job.continued.is_some_and(|c| c.goes_to(&self.job.transport.name, host))
    }

    /// Finds the addresses of a host that was given by name. False: there are none, the host is passed over.
    fn look_up(
        &mut self,
        ctx: &mut Context,
        hosts: &mut Vec<HostItem>,
        at: usize,
        skipped: &mut Skipped,
        expired: &mut bool,
    ) -> bool {
        let o = &self.smtp.options;
        skipped.total += 1;
        let (name, port, _) = hostlist::split_host(&hosts[at].name);
        let host = HostItem { name: hosts[at].name.piece(name), port: port.or(hosts[at].port), ..hosts[at].clone() };
        let lookup = LookupOptions {
            qualify_single: o.dns_qualify_single,
            search_parents: o.dns_search_parents,
            ignore: None,
            dnssec_request: o.dnssec_request_domains.get(),
            dnssec_require: o.dnssec_require_domains.get(),
            trace: crate::route::hosts::DnssecTrace::Options,
            check_local: !o.allow_localhost,
        };
        let found = if o.gethostbyname || literal(&host.name).is_some() {
            find_by_name(ctx, &host, &lookup)
        } else {
            find_by_dns(ctx, &host, &DnsWants { address: true, ..DnsWants::default() }, &lookup)
        };
        let message = match found {
            HostSearch::Found { local: true, .. } if !o.allow_localhost => {
                let message =
                    BString::from(format!("{} transport found host {} to be local", self.job.transport.name, host.name));
                for (a, s) in self.job.batch.iter_mut().zip(self.states.iter_mut()).filter(|(_, s)| **s == State::Deferred) {
                    Blame::ours(errors::HOST_IS_LOCAL, &message, State::Deferred).apply_one(a, s);
                }
                return false;
            }
            HostSearch::Found { hosts: mut found, .. } if !found.is_empty() => {
                skipped.total -= 1;
                for h in &mut found {
                    h.mx = host.mx;
                    h.port = host.port;
                }
                hosts.splice(at..=at, found);
                return true;
            }
            HostSearch::Insecure => format!("lookup of IP address for {} was insecure", host.name),
            HostSearch::Again => {
                skipped.defer += 1;
                format!("failed to lookup IP address for {}", host.name)
            }
            _ => {
                skipped.fail += 1;
                format!("failed to lookup IP address for {}", host.name)
            }
        };
        *expired = false;
        hosts[at].status = HostStatus::Failed;
        let message = BString::from(message);
        for (a, s) in self.job.batch.iter_mut().zip(self.states.iter_mut()).filter(|(_, s)| **s == State::Deferred) {
            Blame::ours(errors::UNKNOWN_HOST, &message, State::Deferred).apply_one(a, s);
        }
        if let Some(a) = self.job.batch.first_mut() {
            // A failure of routing rather than of a host: the address times out if it goes on.
            retry::add_item(a, [b"R:", host.name.as_bytes()].concat(), false, false, false);
        }
        false
    }

    /// One host.
    #[allow(clippy::too_many_arguments)]
    fn one(
        &mut self,
        ctx: &mut Context,
        host: &mut HostItem,
        port: u16,
        round: u32,
        last: bool,
        skipped: &mut Skipped,
        expired: &mut bool,
    ) -> Step {
        let o = &self.smtp.options;
        let suffix = if port == 25 { String::new() } else { format!(":{port}") };
        if round == 0 {
            skipped.total += 1;
        }
        if self.job.continuing().is_some_and(|c| c.transport == self.job.transport.name && c.is_open())
            && !self.on_continued(host)
        {
            return Step::Skip;
        }
        if self.job.continued.is_some_and(|c| c.purpose == Purpose::Turned && !(c.is_open() && self.on_continued(host))) {
            *expired = false;
            for (a, _) in self.job.batch.iter_mut().zip(&self.states).filter(|(_, s)| **s == State::Deferred) {
                a.failure.message = Some(Text::clean("the connection turned round by ATRN has ended"));
            }
            return Step::Skip;
        }
        let own = match interface(ctx, &o.interface, host.address, &format!("{} transport", self.job.transport.name)) {
            Ok(i) => i,
            Err(text) => {
                for (a, s) in self.job.batch.iter_mut().zip(self.states.iter_mut()).filter(|(_, s)| !s.is_final()) {
                    a.failure.message = Some(Text::clean(text.clone()));
                    *s = State::Panic;
                }
                return Step::Stop;
            }
        };
        // Another address of ours may do better with the host: its retries are counted apart.
        let suffix = own.map_or(suffix.clone(), |i| format!("{suffix}/{i}"));
        let include_ip = match &o.retry_include_ip_address {
            ExpBool::Fixed(b) => *b,
            other => match expand::expand_bool(ctx, "retry_include_ip_address", other) {
                Ok(b) => b,
                Err(e) => {
                    let text = format!("failed to expand retry_include_ip_address in {} transport: {e}", self.job.transport.name);
                    log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
                    return Step::Skip;
                }
            },
        };
        let domain = self.job.batch.first().map(|a| a.domain.clone()).unwrap_or_default();
        if round == 0 {
            host.status = HostStatus::Usable;
        }
        let mut db = retry::open(ctx, Mode::Read);
        let force = self.job.force_retry;
        let found = check::check_host(
            ctx,
            db.as_mut().map(|d| d.as_mut() as _),
            &domain,
            host,
            suffix.as_bytes(),
            include_ip,
            force || round > 0,
        );
        drop(db);
        let mut host_expired = found.expired;
        if round == 0 {
            // Of servers on other ports of the host nothing is known; the reference has only the standard port here too.
            let burnt = port == 25 && self.job.unusable.contains(&unusable_key(host));
            if burnt && host.status == HostStatus::Usable {
                host.status = HostStatus::UnusableRetry;
                skipped.defer += 1;
                *expired = false;
                return Step::Skip;
            }
            if matches!(host.status, HostStatus::UnusableRetry | HostStatus::UnusableExpired) {
                if host.status == HostStatus::UnusableRetry {
                    *expired = false;
                    self.job.batch.iter_mut().for_each(|a| a.flags.retry_skipped = true);
                }
                skipped.retry += 1;
                if found.message_record {
                    self.update_waiting = false;
                }
                return Step::Skip;
            }
        } else {
            if host.status != HostStatus::UnusableExpired || host.last_try > ctx.message.received_time.0 {
                return Step::Skip;
            }
            host_expired = true;
        }
        *expired = false;
        if self.job.explicitly_queued {
            for (a, _) in self.job.batch.iter_mut().zip(&self.states).filter(|(_, s)| **s == State::Deferred) {
                a.failure.basic_errno = 0;
                a.failure.message = Some(Text::clean("SMTP delivery explicitly queued"));
            }
            return Step::Skip;
        }
        let mut serial_key = None;
        if in_hosts(ctx, "serialize_hosts", &o.serialize_hosts, host) {
            let key = format!("host-serialize-{}", host.name);
            match take_place(ctx, key.as_bytes()) {
                true => serial_key = Some(key),
                false => {
                    skipped.serial += 1;
                    return Step::Skip;
                }
            }
        }
        let step = self.attempt(ctx, host, port, own, last, host_expired, &found);
        if let Some(key) = serial_key
            && let Ok(Some(mut db)) = ctx.services.hints.open("misc", Mode::Write)
        {
            let _ = serialize::end(db.as_mut(), key.as_bytes());
        }
        step
    }

    #[allow(clippy::too_many_arguments)]
    fn attempt(
        &mut self,
        ctx: &mut Context,
        host: &mut HostItem,
        port: u16,
        own: Option<std::net::IpAddr>,
        last: bool,
        host_expired: bool,
        found: &check::HostCheck,
    ) -> Step {
        let Some(mut first) = result::prepare(self.job.batch, &mut self.states, host) else { return Step::Stop };
        let mut attempt =
            Attempt { host: &*host, port, interface: own, last, no_tls: false, no_clear: false, message_defer: false };
        let mut rc = transaction::deliver(ctx, self, &mut attempt);
        self.settle();
        let failure = self.job.batch[first].failure.clone();
        if rc == HostResult::Defer && !matches!(failure.basic_errno, errors::AUTH_FAIL | errors::TLS_FAILURE) {
            self.log_host(ctx, &attempt, first);
        }
        if rc == HostResult::Defer {
            let a = self.job.batch[first].clone();
            result::defer_event(ctx, self.job.transport, &a, attempt.host, port, "msg:host:defer");
        }
        // STARTTLS was accepted but the handshake failed: from the beginning, in clear, if that is allowed.
        if rc == HostResult::Defer
            && failure.basic_errno == errors::TLS_FAILURE
            && self.smtp.options.tls_tempfail_tryclear
            && !attempt.no_clear
            && !in_hosts(ctx, "hosts_require_tls", &self.smtp.options.hosts_require_tls, attempt.host)
        {
            let text = failure.message.unwrap_or_default();
            let mut line = BString::from(text.as_bytes());
            line.extend_from_slice(
                format!(
                    ": delivering unencrypted to H={} [{}] (not in hosts_require_tls)",
                    attempt.host.name, attempt.host.address_text
                )
                .as_bytes(),
            );
            log::write(ctx, None, Which::MAIN, &line);
            first = match result::prepare(self.job.batch, &mut self.states, attempt.host) {
                Some(n) => n,
                None => first,
            };
            attempt.no_tls = true;
            rc = transaction::deliver(ctx, self, &mut attempt);
            self.settle();
            if rc == HostResult::Defer && self.job.batch[first].failure.basic_errno != errors::AUTH_FAIL {
                self.log_host(ctx, &attempt, first);
            }
        }
        let message_defer = attempt.message_defer;
        self.note_retries(first, rc, found, message_defer);
        if rc == HostResult::Defer {
            host.status = if host_expired { HostStatus::UnusableExpired } else { HostStatus::UnusableRetry };
        }
        let some_deferred = self.states.contains(&State::Deferred);
        if rc == HostResult::Error || (rc == HostResult::Ok && !some_deferred) {
            return Step::Stop;
        }
        let mut uncounted = false;
        if !last {
            // Old messages may try all hosts: else their addresses would never time out.
            let config = ctx.config.clone();
            let rule = retry::find::find_rule(ctx, &config.retry, &host.name, None, 0, 0);
            let age = crate::sys::time::unix_time() - ctx.message.received_time.0;
            uncounted = rule.and_then(|r| r.steps.last()).is_none_or(|s| age > s.timeout);
        }
        if ctx.run.test_harness && !ctx.run.no_test_delays {
            crate::sys::time::sleep_ms(500);
        }
        Step::Tried { uncounted, old: host_expired }
    }

    /// Nothing is in the middle of anything any more.
    fn settle(&mut self) {
        self.states.iter_mut().filter(|s| matches!(s, State::Pending | State::Accepted)).for_each(|s| *s = State::Deferred);
    }

    fn log_host(&self, ctx: &Context, attempt: &Attempt<'_>, first: usize) {
        let f = &self.job.batch[first].failure;
        let message = f.message.as_ref().map(|m| BString::from(m.as_bytes()));
        if !self.job.transport.generic.disable_logging {
            result::log_host(ctx, attempt.host, attempt.port, message.as_ref(), f.basic_errno);
        }
    }

    fn note_retries(&mut self, first: usize, rc: HostResult, found: &check::HostCheck, message_defer: bool) {
        let continued = self.job.continuing().is_some();
        let a = &mut self.job.batch[first];
        let defer = rc == HostResult::Defer;
        if (defer || found.host_record) && (!defer || !continued) {
            retry::add_item(a, found.host_key.clone(), !defer, true, false);
        }
        if message_defer || found.message_record {
            if let Some(a) = self.job.batch.first_mut() {
                retry::add_item(a, found.message_key.clone(), !message_defer, true, true);
            }
            self.update_waiting = false;
        }
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

enum Step {
    /// The host was passed over.
    Skip,
    /// All addresses have their final state.
    Stop,
    /// It was tried, and something is left for others.
    Tried {
        /// The message is so old that all hosts are tried.
        uncounted: bool,
        /// The host has passed its last retry.
        old: bool,
    },
}

fn take_place(ctx: &Context, key: &[u8]) -> bool {
    match ctx.services.hints.open("misc", Mode::Write) {
        Ok(Some(mut db)) => serialize::start(db.as_mut(), key, 1).unwrap_or(true),
        _ => true,
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

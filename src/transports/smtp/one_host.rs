//! One host of a run: may it be tried now, the attempt itself, and what is remembered of it.

use bstr::BString;

use super::hosts::{Run, Skipped};
use super::result::{self, State};
use super::transaction::{self, Attempt, HostResult};
use crate::config::options::ExpBool;
use crate::context::Context;
use crate::deliver::Purpose;
use crate::deliver::remote::unusable_key;
use crate::expand::{self};
use crate::hints::{Mode, serialize};
use crate::log::{self, Which};
use crate::retry::{self, check, errors};
use crate::route::HostItem;
use crate::route::address::HostStatus;
use crate::smtp_out::in_hosts;
use crate::smtp_out::options::interface;
use crate::text::Text;

impl Run<'_, '_> {
    /// One host.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn one(
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
            other => match expand::expand_bool(
                ctx,
                "retry_include_ip_address",
                other,
                &format!("{} transport", self.job.transport.name),
            ) {
                Ok(b) => b,
                Err(text) => {
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
            && let Ok(Some(mut db)) = crate::hints::open(ctx, "misc", Mode::Write)
        {
            let _ = serialize::end(db.as_mut(), key.as_bytes());
        }
        step
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn attempt(
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
        let mut attempt = Attempt {
            host: &*host,
            port,
            interface: own,
            last,
            no_tls: false,
            no_clear: false,
            message_defer: false,
            of_message: false,
        };
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
        self.tried = Some((attempt.host.clone(), port));
        // What one message demands and the host does not give is no reason to keep others from it.
        let defer = rc == HostResult::Defer && !attempt.of_message;
        self.note_retries(first, defer, found, message_defer);
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
    pub(super) fn settle(&mut self) {
        self.states.iter_mut().filter(|s| matches!(s, State::Pending | State::Accepted)).for_each(|s| *s = State::Deferred);
    }

    pub(super) fn log_host(&self, ctx: &Context, attempt: &Attempt<'_>, first: usize) {
        let f = &self.job.batch[first].failure;
        let message = f.message.as_ref().map(|m| BString::from(m.as_bytes()));
        if !self.job.transport.generic.disable_logging {
            result::log_host(ctx, attempt.host, attempt.port, message.as_ref(), f.basic_errno);
        }
    }

    pub(super) fn note_retries(&mut self, first: usize, defer: bool, found: &check::HostCheck, message_defer: bool) {
        let continued = self.job.continuing().is_some();
        let a = &mut self.job.batch[first];
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
}

pub(super) enum Step {
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
    match crate::hints::open(ctx, "misc", Mode::Write) {
        Ok(Some(mut db)) => serialize::start(db.as_mut(), key, 1).unwrap_or(true),
        _ => true,
    }
}

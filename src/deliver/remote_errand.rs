//! One run of a remote transport for one group of addresses, in a context of its own, in any thread.
//!
//! `remote_run` starts it and looks at what it gave; it changes nothing of the message's delivery itself.

use std::collections::BTreeSet;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use bstr::BString;

use super::local::DeliveryStatus;
use super::remote::{Further, Kept, RemoteJob};
use super::remote_group::Group;
use super::state::test_pause;
use super::{Continued, wire};
use crate::context::{AclVars, AddressVars, Context, Message, Run, Scratch, Services, Session};
use crate::route;

/// What a run gave.
pub(super) struct Done {
    pub(super) group: Group,
    pub(super) statuses: Vec<DeliveryStatus>,
    pub(super) usec: u64,
    /// A connection that another message can use.
    pub(super) kept: Option<Kept>,
}

impl Done {
    /// What had a result without a transport at work.
    pub(super) fn at_once(group: Group, statuses: Vec<DeliveryStatus>) -> Self {
        Done { group, statuses, usec: 0, kept: None }
    }
}

/// A group with everything that the transport needs.
pub(super) struct Errand<'a> {
    pub(super) parts: Parts,
    pub(super) group: Group,
    pub(super) data: &'a File,
    pub(super) fallback: bool,
    pub(super) wrapper: bool,
    pub(super) force_retry: bool,
    pub(super) continued: Option<Continued>,
    pub(super) unusable: BTreeSet<BString>,
    pub(super) sequence: usize,
    pub(super) further: Further,
}

impl Errand<'_> {
    /// Runs the transport. A fault in it is a failure of these deliveries, not of the process.
    pub(super) fn run(self) -> Done {
        let start = Instant::now();
        let mut group = self.group;
        let n = group.batch.len();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut ctx = self.parts.context(self.sequence);
            let mut job = RemoteJob {
                transport: &group.transport.clone(),
                batch: &mut group.batch,
                data: self.data,
                fallback: self.fallback,
                mua_wrapper: self.wrapper,
                force_retry: self.force_retry,
                explicitly_queued: group.explicitly_queued,
                continued: self.continued.as_ref(),
                unusable: &self.unusable,
                sequence: self.sequence,
                further: self.further,
                kept: None,
            };
            let statuses = run(&mut ctx, &mut job);
            if statuses.contains(&DeliveryStatus::Ok) {
                test_pause(&ctx);
            }
            (statuses, job.kept)
        }));
        let (statuses, kept) = result.unwrap_or_else(|_| (wire::lost(&mut group.batch, "delivery thread failed"), None));
        debug_assert_eq!(statuses.len(), n);
        Done { group, statuses, usec: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX), kept }
    }
}

/// The transport's own work.
pub(super) fn run(ctx: &mut Context, job: &mut RemoteJob<'_>) -> Vec<DeliveryStatus> {
    let transport = job.transport;
    let Some(remote) = transport.remote() else {
        return wire::lost(job.batch, "not a remote transport");
    };
    ctx.address.transport_name = Some(transport.name.clone());
    if let Some(t) = transport.generic.debug_print.get() {
        route::common::debug_print(ctx, "transport", &transport.name, t);
    }
    let n = job.batch.len();
    let mut statuses = remote.deliver(ctx, job);
    statuses.resize(n, DeliveryStatus::Pending);
    statuses
}

/// `-N`.
pub(super) fn pretend(ctx: &mut Context, group: &mut Group) -> Vec<DeliveryStatus> {
    if let Some(first) = group.batch.first() {
        route::set_address_vars(ctx, first);
    }
    if let Some(t) = group.transport.generic.debug_print.get() {
        route::common::debug_print(ctx, "transport", &group.transport.name, t);
    }
    for a in &mut group.batch {
        a.host_used = a.hosts.first().cloned().map(Box::new);
        let confirmation = Some("delivery bypassed by -N option".into());
        a.remote_log = Some(Box::new(crate::log::outcome::RemoteLog { confirmation, ..Default::default() }));
    }
    vec![DeliveryStatus::Ok; group.batch.len()]
}

/// The parts of a context that go to a thread; caches that belong to one thread begin empty there.
pub(super) struct Parts {
    config: Arc<crate::config::Config>,
    run: Arc<Run>,
    services: Services,
    session: Session,
    message: Message,
    address: AddressVars,
    acl: AclVars,
    scratch: Scratch,
}

impl Parts {
    pub(super) fn of(ctx: &Context) -> Parts {
        let mut services = ctx.services.clone();
        services.lookups = Default::default();
        services.lists = Default::default();
        Parts {
            config: ctx.config.clone(),
            run: ctx.run.clone(),
            services,
            session: ctx.session.clone(),
            message: ctx.message.clone(),
            address: ctx.address.clone(),
            acl: ctx.acl.clone(),
            scratch: ctx.scratch.clone(),
        }
    }

    fn context(self, sequence: usize) -> Context {
        let mut ctx = Context::new(self.config, self.run, self.services);
        if ctx.run.test_harness {
            ctx.services.random.reseed(42 + 2 * u32::try_from(sequence).unwrap_or(0));
        }
        ctx.services.handoff = Default::default();
        ctx.session = self.session;
        ctx.message = self.message;
        ctx.address = self.address;
        ctx.acl = self.acl;
        ctx.scratch = self.scratch;
        ctx
    }
}

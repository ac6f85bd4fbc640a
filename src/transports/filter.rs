//! `transport_filter` (manual section 24.3): the command that a message goes through on its way out.
//!
//! Only prepared here; `deliver::transport_write` runs it.

use super::TransportInstance;
use super::appendfile::Failure;
use super::command::{self, CommandError, Rules};
use crate::context::Context;
use crate::deliver::local::LocalJob;
use crate::deliver::transport_write::Filter;
use crate::retry::errors;
use crate::route::Address;
use crate::text::Text;

/// For a local delivery.
pub(super) fn prepare(ctx: &mut Context, job: &LocalJob<'_>) -> Result<Option<Filter>, Failure> {
    prepare_for(ctx, job.transport, job.batch).map_err(|m| Failure::of_filter(errors::FILTER_FAIL, m))
}

/// For any delivery. An error is the text for the addresses.
pub fn prepare_for(ctx: &mut Context, transport: &TransportInstance, batch: &[Address]) -> Result<Option<Filter>, String> {
    let Some(t) = transport.generic.transport_filter.get() else { return Ok(None) };
    let rules = Rules { expand: true, recipients: false, owner: "transport filter" };
    let argv = command::arguments(ctx, &Text::clean(t.raw()), batch, rules).map_err(|e| match e {
        CommandError::Expansion(m) | CommandError::Other(m) | CommandError::Tainted(m) => m,
    })?;
    let delay = if ctx.run.test_harness && !ctx.run.no_test_delays { 250 } else { 0 };
    Ok(Some(Filter {
        argv,
        environment: crate::sys::exec::current_environment().into_iter().map(Into::into).collect(),
        timeout: u64::try_from(transport.generic.transport_filter_timeout.0).unwrap_or(0),
        test_delay_ms: delay,
    }))
}

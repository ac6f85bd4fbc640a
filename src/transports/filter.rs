//! `transport_filter` (manual section 24.3): the command that a message goes through on its way out.

use bstr::ByteSlice;

use crate::context::Context;
use crate::deliver::local::LocalJob;
use crate::deliver::transport_write::Filter;
use crate::transports::appendfile::Failure;

/// The filter of a local delivery, its command ready to run.
pub(super) fn prepare(ctx: &mut Context, job: &LocalJob<'_>) -> Result<Option<Filter>, Failure> {
    let Some(t) = job.transport.generic.transport_filter.get() else { return Ok(None) };
    let _ = ctx;
    Err(Failure::not_implemented(&format!("transport_filter \"{}\"", t.raw().as_bstr())))
}

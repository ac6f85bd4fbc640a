//! What users' filters may not do in expansions (`forbid_filter_...` of the redirect router).
//! The bits stand in `Scratch::expand_forbid` while a filter runs.

use crate::context::Context;

/// `forbid_filter_existstest`: also `${stat:}`.
pub const EXISTS: u32 = 1;
/// `forbid_filter_lookup`
pub const LOOKUP: u32 = 2;
/// `forbid_filter_perl`
pub const PERL: u32 = 4;
/// `forbid_filter_readfile`
pub const READFILE: u32 = 8;
/// `forbid_filter_readsocket`
pub const READSOCKET: u32 = 16;
/// `forbid_filter_run`
pub const RUN: u32 = 32;
/// `forbid_filter_dlfunc`
pub const DLFUNC: u32 = 64;

/// Is it forbidden now? While fuzzing, everything is.
pub fn has(ctx: &Context, what: u32) -> bool {
    cfg!(feature = "fuzzing") || ctx.scratch.expand_forbid & what != 0
}

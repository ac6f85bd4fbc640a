//! Stands in for `ask` until the SMTP client is there.

use super::super::{Outcome, Verified, VerifyOptions};
use super::CalloutOptions;
use crate::context::Context;
use crate::route::Address;
use crate::text::Text;

/// Callouts are an error until then.
pub fn for_routed(
    _: &mut Context,
    addr: &mut Address,
    _: &Address,
    _: &VerifyOptions,
    _: &CalloutOptions,
    _: &mut Verified,
) -> Outcome {
    addr.failure.message = Some(Text::clean("callouts are not implemented"));
    addr.failure.basic_errno = crate::retry::errors::CALLOUT_DEFER;
    Outcome::Defer
}

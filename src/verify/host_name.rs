//! The name of the client host, when something asks for it.

use super::Outcome;
use crate::context::Context;
use crate::context::session::HostName;
use crate::matching::{self, Match};

/// Looks the name up, by `host_lookup_order`, and sets it in the session. The name must lead back to the address.
pub fn host_name_lookup(ctx: &mut Context) -> Outcome {
    match matching::host_name_lookup(ctx) {
        Match::Yes => Outcome::Ok,
        Match::No => Outcome::Fail,
        Match::Defer(_) => Outcome::Defer,
    }
}

/// Why there is no name, for messages; empty if nothing is known.
pub fn lookup_text(ctx: &Context) -> String {
    match ctx.session.host_name {
        HostName::Failed => ctx.session.host_lookup_msg.to_string(),
        _ => String::new(),
    }
}

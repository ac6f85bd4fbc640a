//! The sending host's name, and the two texts that describe it: `$sender_fullhost` and `$sender_rcvhost`.

use super::{VarDef, bit, v};
use crate::context::Context;
use crate::context::names;
use crate::context::session::{HostName, Session};
use crate::expand::hooks;
use crate::text::Text;

/// This group.
pub static VARIABLES: &[VarDef] = &[
    v("host_lookup_deferred", |c| bit(c.session.host_name == HostName::Deferred)),
    v("host_lookup_failed", |c| bit(c.session.host_name == HostName::Failed)),
    v("sender_fullhost", |c| names::sender_fullhost(c).map(Text::tainted)),
    v("sender_host_name", name),
    v("sender_rcvhost", |c| names::sender_rcvhost(c).map(Text::tainted)),
];

/// The name; looked up if that was not done or was not possible before.
fn name(ctx: &mut Context) -> Option<Text> {
    let untried = matches!(ctx.session.host_name, HostName::Unknown | HostName::Deferred);
    if untried && ctx.session.host_address.is_some() {
        hooks::host_name_lookup(ctx);
    }
    known(&ctx.session).cloned()
}

fn known(s: &Session) -> Option<&Text> {
    match &s.host_name {
        HostName::Found(n) => Some(n),
        _ => None,
    }
}

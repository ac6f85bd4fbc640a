//! Several messages that are due at the same moment: those with a single delivery to a file are routed one after the other,
//! delivered together (`local_run::deliver_together`) and finished one after the other.
//!
//! The first message that is anything else ends the party: what is before it is finished, what comes after it is given back, and
//! then it has the process for itself, however long its hosts may take.

use bstr::BString;

use super::local_run::Member;
use super::state::Delivery;
use super::{DeliverOptions, begin, carry_out, end, finish, follow, local_run, needs_journal};
use crate::context::Context;

/// A message to be delivered, and how.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its id.
    pub id: BString,
    /// How.
    pub options: DeliverOptions,
}

/// Delivers the messages, all but those that are given back: `give_back` is called with the number of those that are kept.
/// True: all of them were of the kind that can be delivered together.
pub fn deliver_several(base: &Context, wanted: &[Wanted], mut give_back: impl FnMut(usize)) -> bool {
    let mut party: Vec<Member<'_>> = Vec::new();
    for (i, w) in wanted.iter().enumerate() {
        let mut ctx = Context::new(base.config.clone(), base.run.clone(), base.services.clone());
        let Some(d) = begin(&mut ctx, &w.id, &w.options) else { continue };
        if joins(&ctx, &d) {
            party.push((ctx, d));
            continue;
        }
        if i + 1 < wanted.len() {
            give_back(i + 1);
        }
        deliver(base, party);
        let mut kept = Vec::new();
        carry_out(&mut ctx, d, &mut kept);
        follow(&mut ctx, &w.options, kept);
        return false;
    }
    deliver(base, party);
    true
}

/// Is there nothing to be done but one delivery to a file?
fn joins(ctx: &Context, d: &Delivery<'_>) -> bool {
    d.remote.is_empty()
        && !needs_journal(d)
        && d.options.continued.is_none()
        && !d.options.local_only
        && !ctx.config.main.mua_wrapper
        && local_run::joins(d)
}

fn deliver(base: &Context, party: Vec<Member<'_>>) {
    local_run::deliver_together(base, party, |mut ctx, d| {
        end(&mut ctx, d, finish::Wrapped::Tried);
    });
}
